//! The decision: (grant rules, request facts, now) → `Allow(Permit)` or `Deny(Denial)`. Pure and total.
//!
//! Must not know IO, clocks, async, HTTP types, or material. Only this crate can make a [`Permit`].

use claviger_model::{AgentId, Credential, Grant, GrantId};

/// A grant with its rules compiled, and the standing of its credential.
pub struct GrantRules {
    grant: GrantId,
    agent: AgentId,
}

/// A path glob that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a path pattern: {0}")]
pub struct RuleError(pub String);

impl GrantRules {
    /// Compiles a grant. An unreadable rule is an error, never a rule that does not match.
    pub fn compile(grant: &Grant, _credential: &Credential) -> Result<Self, RuleError> {
        Ok(Self { grant: grant.id, agent: grant.agent })
    }

    /// Which grant.
    pub fn grant(&self) -> GrantId {
        self.grant
    }

    /// Whose.
    pub fn agent(&self) -> AgentId {
        self.agent
    }
}
