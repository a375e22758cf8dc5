//! Proposals: what agents ask for, and the human's answers.

use serde::{Deserialize, Serialize};

/// A proposal, in lists and alone. Service, agent and credentials are named; the reason is the agent's own text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ProposalView {
    /// Id.
    pub proposal: String,
    /// The agent's name.
    pub agent: String,
    /// The service's name.
    pub service: String,
    /// The service's name for people.
    pub title: String,
    /// What for, in the agent's words: cleaned, one line, at most 500 characters.
    pub why: String,
    /// Wanted methods; empty means all.
    pub methods: Vec<String>,
    /// Wanted path globs; empty means all.
    pub paths: Vec<String>,
    /// `open`, `allowed` or `denied`.
    pub state: String,
    /// RFC 3339.
    pub created: String,
    /// When it was answered, RFC 3339.
    pub answered: Option<String>,
    /// The grant that allows it, if one does.
    pub grant: Option<String>,
    /// Names of the credentials that fit; one must be named when there are several.
    pub credentials: Vec<String>,
    /// What plainly allowing it would leave, as one sentence; `None` when that is not possible.
    pub would: Option<String>,
}

/// `proposal.allow`: what is left out stays as asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct AllowProposalRequest {
    /// The proposal's id.
    pub proposal: String,
    /// The credential's name or id; needed when several fit.
    #[serde(default)]
    pub credential: Option<String>,
    /// Fewer methods than asked.
    #[serde(default)]
    pub methods: Option<Vec<String>>,
    /// Narrower path globs than asked.
    #[serde(default)]
    pub paths: Option<Vec<String>>,
    /// As in `60/min`.
    #[serde(default)]
    pub rate: Option<String>,
    /// As in `09-18`, UTC.
    #[serde(default)]
    pub hours: Option<String>,
    /// Life of the grant as in `30d`, or RFC 3339.
    #[serde(default)]
    pub expires: Option<String>,
}

/// `proposal.deny`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct DenyProposalRequest {
    /// The proposal's id.
    pub proposal: String,
}
