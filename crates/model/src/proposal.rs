//! Proposals: what an agent asks to be allowed, until a human allows or denies it. Gives nothing by itself.

use crate::{AgentId, GrantId, ProposalId, ServiceId, Timestamp};
use serde::{Deserialize, Serialize};

/// An agent's request for a grant. Its texts are the agent's own, cleaned and cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Its id.
    pub id: ProposalId,
    /// Who asks.
    pub agent: AgentId,
    /// For which service. Which of its credentials, the human says.
    pub service: ServiceId,
    /// What for, in the agent's words.
    pub why: String,
    /// Wanted methods, upper case; empty means all.
    pub methods: Vec<String>,
    /// Wanted paths as globs over the path at the service; empty means all.
    pub paths: Vec<String>,
    /// When it was asked.
    pub created_at: Timestamp,
    /// What became of it.
    pub state: ProposalState,
}

/// What became of a [`Proposal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProposalState {
    /// Nobody answered yet.
    Open,
    /// Allowed, by this grant.
    Allowed {
        /// The grant that was given or widened.
        grant: GrantId,
        /// When.
        at: Timestamp,
    },
    /// Denied.
    Denied {
        /// When.
        at: Timestamp,
    },
}

// === impl Proposal ===

impl Proposal {
    /// Whether it waits for an answer.
    pub fn is_open(&self) -> bool {
        self.state == ProposalState::Open
    }

    /// Whether it asks for the same.
    pub fn asks_as(&self, other: &Self) -> bool {
        (self.agent, self.service, &self.methods, &self.paths)
            == (other.agent, other.service, &other.methods, &other.paths)
    }
}
