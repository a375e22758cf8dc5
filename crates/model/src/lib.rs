//! The nouns of Claviger and their ids: pure data that holds no material.
//!
//! Must not know storage, HTTP, the clock, or how anything is shown. Words are those of the glossary in
//! `ARCHITECTURE.md`.
#![deny(missing_docs)]

pub mod address;
mod agent;
mod credential;
mod grant;
mod id;
mod proposal;
mod record;
mod refusal;
mod service;
mod time;
mod usage;

pub use agent::{Agent, TokenHash, TokenInfo};
pub use credential::{Credential, CredentialState, Kind};
pub use grant::{BasePath, Grant, Hours, Rate, RatePer};
pub use id::{AgentId, CredentialId, EventId, GrantId, IdError, ProposalId, ServiceId, VaultId};
pub use proposal::{Proposal, ProposalState};
pub use record::{Act, Completion, Outcome, Record, Refusal, Release, Subject};
pub use refusal::RefusalCode;
pub use service::{AuthScheme, AuthSchemeError, Protocol, Service, UsageShape};
pub use time::{Duration, DurationError, Timestamp};
pub use usage::TokenUsage;
