//! What comes out of a decision: a permit that only this crate can make, or a denial with its reason.
//!
//! Must not know how the decision is made.

use claviger_model::{AgentId, CredentialId, GrantId, RefusalCode};

/// The answer to one request.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision<P = Permit> {
    /// It may be carried out, once.
    Allow(P),
    /// It may not.
    Deny(Denial),
}

/// The right to release one credential for one request. Made by [`crate::decide`] alone, spent by value.
#[derive(Debug, PartialEq, Eq)]
pub struct Permit {
    grant: GrantId,
    agent: AgentId,
    credential: CredentialId,
}

/// Why a request was denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The rule that denies.
    pub reason: Reason,
    /// When it is worth asking again, if waiting helps.
    pub retry_after_ms: Option<i64>,
}

/// The rule that denies, in words for the user. The agent is told the code alone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The credential was revoked.
    CredentialRevoked,
    /// The credential is frozen.
    CredentialFrozen,
    /// The credential's expiry has passed.
    CredentialExpired,
    /// The grant belongs to another agent.
    OtherAgent,
    /// The grant's expiry has passed.
    GrantExpired,
    /// `CONNECT` and `TRACE` are never carried.
    MethodNeverAllowed(String),
    /// The method is not among the grant's methods.
    MethodNotAmong {
        /// What was asked, cut to a readable length.
        method: String,
        /// What is allowed, as one phrase.
        allowed: String,
    },
    /// The path matches none of the grant's patterns.
    PathNotAmong {
        /// What is allowed, as one phrase.
        allowed: String,
    },
    /// The time of day is outside the grant's hours.
    OutsideHours {
        /// What is allowed, as one phrase.
        allowed: String,
    },
    /// The grant's number of requests in its unit of time is used up.
    RateUsedUp {
        /// What is allowed, as one phrase.
        allowed: String,
    },
}

// === impl Permit ===

impl Permit {
    pub(crate) const fn new(grant: GrantId, agent: AgentId, credential: CredentialId) -> Self {
        Self { grant, agent, credential }
    }

    /// By which grant.
    pub const fn grant(&self) -> GrantId {
        self.grant
    }

    /// For whom.
    pub const fn agent(&self) -> AgentId {
        self.agent
    }

    /// What may be released.
    pub const fn credential(&self) -> CredentialId {
        self.credential
    }
}

// === impl Reason ===

impl Reason {
    /// The word that the agent is given.
    pub const fn code(&self) -> RefusalCode {
        match self {
            Self::CredentialRevoked | Self::CredentialFrozen => RefusalCode::CredentialFrozen,
            Self::CredentialExpired => RefusalCode::CredentialExpired,
            Self::OtherAgent | Self::GrantExpired => RefusalCode::GrantMissing,
            Self::MethodNeverAllowed(_)
            | Self::MethodNotAmong { .. }
            | Self::PathNotAmong { .. }
            | Self::OutsideHours { .. } => RefusalCode::PolicyDenied,
            Self::RateUsedUp { .. } => RefusalCode::RateLimited,
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CredentialRevoked => f.write_str("the credential is revoked"),
            Self::CredentialFrozen => f.write_str("the credential is frozen"),
            Self::CredentialExpired => f.write_str("the credential has expired"),
            Self::OtherAgent => f.write_str("the grant belongs to another agent"),
            Self::GrantExpired => f.write_str("the grant has expired"),
            Self::MethodNeverAllowed(method) => write!(f, "method {method} is never carried"),
            Self::MethodNotAmong { method, allowed } => write!(f, "method {method} is not among {allowed}"),
            Self::PathNotAmong { allowed } => write!(f, "the path matches none of {allowed}"),
            Self::OutsideHours { allowed } => write!(f, "the time of day is outside {allowed}"),
            Self::RateUsedUp { allowed } => write!(f, "the rate of {allowed} is used up"),
        }
    }
}
