//! What the audit log holds: immutable facts about requests and about the human's acts. No material, no header values,
//! no query strings.

use crate::{AgentId, CredentialId, EventId, GrantId, RefusalCode, ServiceId, Timestamp, TokenUsage};
use serde::{Deserialize, Serialize};

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// Credential X will be released to host H for agent A. Written before the first byte goes upstream.
    Release(Release),
    /// What became of a release.
    Completion(Completion),
    /// A request that was refused.
    Refusal(Refusal),
    /// Something the human or the product did.
    Act(Act),
}

/// Credential X will be released to host H for agent A.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The tracking id.
    pub event: EventId,
    /// When it was decided.
    pub at: Timestamp,
    /// For whom.
    pub agent: AgentId,
    /// By which grant.
    pub grant: GrantId,
    /// What.
    pub credential: CredentialId,
    /// To which service.
    pub service: ServiceId,
    /// Request method.
    pub method: String,
    /// Host and port, as dialled.
    pub host: String,
    /// Path at the service, without the query; at most 256 bytes.
    pub path: String,
}

/// What became of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// The release's tracking id.
    pub event: EventId,
    /// When it ended.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// The upstream's status, or the refusal's; 0 when none was sent.
    pub status: u16,
    /// Bytes of the request's body.
    pub bytes_up: u64,
    /// Bytes of the answer's body.
    pub bytes_down: u64,
    /// Microseconds from the request's arrival to the head of the upstream's answer.
    pub head_us: u32,
    /// Microseconds from the request's arrival to the end.
    pub total_us: u32,
    /// Of `total_us`: spent in Claviger before the request was handed to the upstream connection.
    pub own_us: u32,
    /// The model that answered, as the answer says; at most 64 bytes.
    pub model: Option<String>,
    /// Token counts, as the answer says.
    pub usage: Option<TokenUsage>,
}

/// How a released request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// The answer was passed on to its end.
    Done,
    /// The agent went away first.
    AgentGone,
    /// The upstream failed; the code that the agent was given.
    Failed(RefusalCode),
    /// Cut because the agent was revoked, the grant removed or the vault locked.
    Cut,
    /// The engine ended in between; found at the next start.
    Unknown,
}

/// A request that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The tracking id.
    pub event: EventId,
    /// When.
    pub at: Timestamp,
    /// The word that the agent was given.
    pub code: RefusalCode,
    /// More precisely why, for the user alone: a fixed phrase.
    pub reason: String,
    /// Who asked, if that is known.
    pub agent: Option<AgentId>,
    /// By which grant, if one was found.
    pub grant: Option<GrantId>,
    /// For which credential, if one was found.
    pub credential: Option<CredentialId>,
    /// For which service, if one was found.
    pub service: Option<ServiceId>,
    /// Request method, if it could be read.
    pub method: String,
    /// Path as sent, without the query and with the base path cut off; at most 256 bytes.
    pub path: String,
}

/// Something the human or the product did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// The tracking id.
    pub event: EventId,
    /// When.
    pub at: Timestamp,
    /// What, as `noun.verb`: `vault.unlock`, `credential.add`.
    pub what: String,
    /// To what.
    pub subject: Subject,
    /// The subject's name at that time, or other plain words.
    pub detail: String,
}

/// What an [`Act`] was done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// The vault as a whole.
    Vault,
    /// An agent.
    Agent(AgentId),
    /// A credential.
    Credential(CredentialId),
    /// A grant.
    Grant(GrantId),
    /// A service.
    Service(ServiceId),
}

impl Record {
    /// The tracking id.
    pub const fn event(&self) -> EventId {
        match self {
            Self::Release(r) => r.event,
            Self::Completion(r) => r.event,
            Self::Refusal(r) => r.event,
            Self::Act(r) => r.event,
        }
    }

    /// When it happened.
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Release(r) => r.at,
            Self::Completion(r) => r.at,
            Self::Refusal(r) => r.at,
            Self::Act(r) => r.at,
        }
    }
}
