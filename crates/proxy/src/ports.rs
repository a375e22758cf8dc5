//! What the proxy asks of the rest of Claviger: a snapshot of who may do what, and four doors.
//!
//! The proxy knows no vault, no log format and no clock. The engine implements these doors; tests use fakes.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use claviger_model::{
    AgentId, AuthScheme, Completion, CredentialId, EventId, Protocol, Refusal, Release, ServiceId, Timestamp,
    UsageShape,
};
use claviger_policy::GrantRules;
use claviger_secret::Material;
use http::{Request, Response};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Everything the request path reads, in one immutable value. The engine builds a new one on each change and installs
/// it whole; `None` installed means locked.
#[derive(Default)]
pub struct Snapshot {
    /// Grants by the 26 characters of their base path.
    pub routes: HashMap<Box<str>, Arc<Route>>,
    /// Agents by id. An agent that is missing here is unknown.
    pub agents: HashMap<AgentId, Arc<AgentEntry>>,
}

/// One agent, as the request path sees it.
pub struct AgentEntry {
    /// Who.
    pub id: AgentId,
    /// Every request is refused while set.
    pub paused: bool,
    /// Cancelled when the agent's token ends or the agent is removed or paused: open streams are cut.
    pub cut: CancellationToken,
}

/// One grant with everything needed to carry a request through it.
pub struct Route {
    /// The grant's rules, with its ids, its expiry and the credential's standing.
    pub rules: GrantRules,
    /// What is released.
    pub credential: CredentialId,
    /// Where it goes.
    pub service: Arc<ServiceEntry>,
    /// Cancelled when the grant or its credential ends: open streams are cut.
    pub cut: CancellationToken,
}

/// One service, as the request path sees it.
pub struct ServiceEntry {
    /// Which.
    pub id: ServiceId,
    /// Scheme is `https`, or `http` for a service marked so.
    pub https: bool,
    /// Host as in the base URL, lower case, no trailing dot.
    pub host: Box<str>,
    /// Port.
    pub port: u16,
    /// Path prefix of the base URL without a trailing slash; empty for none.
    pub prefix: Box<str>,
    /// Where material goes.
    pub auth: AuthScheme,
    /// The upstream may be loopback or private.
    pub allow_private: bool,
    /// PEM certificates trusted for this service alone, in place of the system's.
    pub ca_pem: Option<Box<str>>,
    /// `%2F` may stand inside a path segment.
    pub encoded_slash: bool,
    /// How token usage stands in answers.
    pub usage: Option<UsageShape>,
    /// What is spoken there.
    pub protocol: Protocol,
}

/// The doors, bundled.
#[derive(Clone)]
pub struct Ports {
    /// Says whose token this is.
    pub tokens: Arc<dyn Tokens>,
    /// Opens material.
    pub material: Arc<dyn MaterialSource>,
    /// Takes the record.
    pub recorder: Arc<dyn Recorder>,
    /// Tells the time and draws ids.
    pub world: Arc<dyn World>,
}

/// Says whose token this is. Signature, claims, expiry and the stored row are all checked on every call.
pub trait Tokens: Send + Sync + 'static {
    /// The agent, or nothing. Which of the reasons it was goes to the record, never to the agent.
    fn check(&self, token: &[u8], now: Timestamp) -> Result<AgentId, TokenRefusal>;
}

/// Why a token is no good: a fixed phrase for the record, and whose it was when that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenRefusal {
    /// A fixed phrase: `unknown token`, `expired`, `revoked`, `bad signature`.
    pub reason: &'static str,
    /// Whose it was, if known.
    pub agent: Option<AgentId>,
}

/// Opens the material of a credential for one request.
pub trait MaterialSource: Send + Sync + 'static {
    /// The material in force.
    fn open(&self, credential: CredentialId) -> Result<Opened, MaterialUnavailable>;

    /// The service refused (401) the material of this term: what is in force instead. Whoever drops the answer has
    /// asked for the renewal all the same.
    fn refused(&self, _: CredentialId, _: Term) -> Result<Opened, MaterialUnavailable> {
        Err(MaterialUnavailable::Unreadable)
    }
}

/// What opening came to.
pub enum Opened {
    /// The request goes on at once.
    Now(InForce),
    /// The material is being renewed, and the request waits for it.
    Later(oneshot::Receiver<Result<InForce, MaterialUnavailable>>),
}

/// Material to use now.
#[derive(Debug)]
pub struct InForce {
    /// What is placed on the request.
    pub material: Material,
    /// Which one of those that follow each other; none for material that stays until a person replaces it.
    pub term: Option<Term>,
}

/// Counts material that is renewed while it is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term(pub u64);

/// The material cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaterialUnavailable {
    /// The vault is locked, or was locked in between.
    Locked,
    /// It is gone, or its record does not verify.
    Unreadable,
    /// It ended, and only a person can bring it back.
    Ended,
    /// It ended and cannot be renewed right now; asking again may help after so many milliseconds.
    Passing(i64),
}

// === impl Opened ===

impl Opened {
    /// The material, once it is there.
    pub(crate) async fn wait(self) -> Result<InForce, MaterialUnavailable> {
        match self {
            Self::Now(in_force) => Ok(in_force),
            // A renewal that was dropped was dropped with the vault's keys.
            Self::Later(renewal) => renewal.await.unwrap_or(Err(MaterialUnavailable::Locked)),
        }
    }
}

impl From<Material> for Opened {
    fn from(material: Material) -> Self {
        Self::Now(InForce { material, term: None })
    }
}

/// Takes the record. A release that cannot be recorded is not made.
pub trait Recorder: Send + Sync + 'static {
    /// Records that a credential will be released. When this says `Written`, the record will survive `kill -9`.
    fn release(&self, record: Release) -> Result<Written, RecordUnavailable>;
    /// Records how a release ended. Never blocks; is on its way to the operating system within 10 ms.
    fn complete(&self, release: &ReleaseKey, record: Completion);
    /// Records a refusal. Never blocks.
    fn refuse(&self, record: Refusal);
    /// Takes note that a service wants a permission which the credential does not have. The challenge is the service's
    /// own text. Never blocks.
    fn falls_short(&self, release: &ReleaseKey, challenge: &str);
}

/// What the completion needs to be counted under the right agent, credential and service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReleaseKey {
    /// For whom.
    pub agent: AgentId,
    /// What.
    pub credential: CredentialId,
    /// Where to.
    pub service: ServiceId,
}

/// A release that was recorded.
pub enum Written {
    /// The request may go on.
    Now,
    /// The request may go on when this answers `true` (the `strict` setting waits for the disk here); `false` or a
    /// dropped sender means that the record failed.
    Later(oneshot::Receiver<bool>),
}

/// The record could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordUnavailable;

/// Time and ids.
pub trait World: Send + Sync + 'static {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// A fresh random id.
    fn event_id(&self) -> EventId;
}

/// Answers what agents ask of Claviger itself, under `/mcp`. The proxy has checked who asks, and taken the token off.
pub trait OwnService: Send + Sync + 'static {
    /// Answers one request, which came whole. What it takes is bounded; what it gives is, too.
    fn answer(&self, agent: AgentId, request: Request<Bytes>) -> OwnAnswer;
}

/// The answer of an [`OwnService`], in the making.
pub type OwnAnswer = Pin<Box<dyn Future<Output = Response<Bytes>> + Send>>;
