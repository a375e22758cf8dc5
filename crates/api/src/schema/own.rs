//! What an agent may ask about itself, proved by its token and by nothing else. Nothing here can approve anything, and
//! no answer holds material or the name of a credential.

use serde::{Deserialize, Serialize};

use super::SecretInput;

/// `mcp.list_services`
#[derive(Debug, Deserialize)]
pub struct OwnRequest {
    /// The agent's token.
    pub token: SecretInput,
}

/// `mcp.request_access`
#[derive(Debug, Deserialize)]
pub struct OwnAskRequest {
    /// The agent's token.
    pub token: SecretInput,
    /// What is asked for.
    #[serde(flatten)]
    pub ask: Ask,
}

/// What an agent asks for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ask {
    /// The service's name.
    pub service: String,
    /// What for.
    pub why: String,
    /// Wanted methods; empty means all.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Wanted path globs over the path at the service; empty means all.
    #[serde(default)]
    pub paths: Vec<String>,
}

/// `mcp.explain_denial`
#[derive(Debug, Deserialize)]
pub struct OwnExplainRequest {
    /// The agent's token.
    pub token: SecretInput,
    /// The tracking id that the refusal named.
    pub event: String,
}

/// What an agent may use, and what became of its requests.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OwnAccessView {
    /// The agent's name.
    pub agent: String,
    /// One for each grant.
    pub services: Vec<OwnServiceView>,
    /// Its last requests for access, newest first.
    pub requests: Vec<OwnProposalView>,
    /// How a service is called, in words.
    pub how: String,
}

/// One grant, as the agent sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OwnServiceView {
    /// The service's name.
    pub service: String,
    /// The service's name for people.
    pub title: String,
    /// What stands in place of the service's own base URL.
    pub base_url: String,
    /// `http`, or `mcp` when the base URL is a remote MCP server.
    pub protocol: String,
    /// Allowed methods, paths, rate and hours in words.
    pub allowed: String,
    /// Allowed methods; empty means all.
    pub methods: Vec<String>,
    /// Allowed path globs over the path at the service; empty means all.
    pub paths: Vec<String>,
    /// RFC 3339.
    pub until: Option<String>,
    /// Whether a request would get through now.
    pub usable: bool,
    /// Why not, in words.
    pub note: Option<String>,
}

/// One request for access, as the agent sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OwnProposalView {
    /// Its id.
    pub request: String,
    /// The service's name.
    pub service: String,
    /// Wanted methods.
    pub methods: Vec<String>,
    /// Wanted paths.
    pub paths: Vec<String>,
    /// `open`, `allowed` or `denied`.
    pub state: String,
    /// RFC 3339.
    pub asked: String,
    /// What it means for the agent, in words.
    pub message: String,
}

/// Why a request of the agent was refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DenialView {
    /// The tracking id.
    pub event: String,
    /// RFC 3339.
    pub at: String,
    /// The code that the agent was given.
    pub code: String,
    /// The request, as in `POST /v1/models`.
    pub request: String,
    /// The service's name, if one was reached.
    pub service: Option<String>,
    /// Why, in words.
    pub why: String,
    /// What can be done, in words.
    pub next: String,
    /// What `request_access` could be given, when asking can help.
    pub ask_for: Option<Ask>,
}
