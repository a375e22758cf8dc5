//! Services: named external APIs.

use serde::{Deserialize, Serialize};

/// A service, in lists and alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ServiceView {
    /// Short unique word.
    pub name: String,
    /// Id.
    pub id: String,
    /// Name for people.
    pub title: String,
    /// Where its requests go.
    pub base_url: String,
    /// `bearer`, `basic`, `header:NAME`, `query:NAME`.
    pub auth: String,
    /// May be loopback or private.
    pub allow_private: bool,
    /// Has its own trusted certificates.
    pub own_ca: bool,
    /// Comes from the catalogue.
    pub built_in: bool,
    /// Token usage can be read from its answers.
    pub metered: bool,
    /// The base URL is the endpoint of a remote MCP server; left out when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub mcp: Option<bool>,
    /// Page where its keys are made; empty if unknown.
    pub console_url: String,
}

/// `service.add`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct AddServiceRequest {
    /// Short unique word.
    pub name: String,
    /// Where its requests go.
    pub base_url: String,
    /// `bearer`, `basic`, `header:NAME`, `query:NAME`.
    pub auth: String,
    /// The explicit word that this upstream may be loopback or private.
    #[serde(default)]
    pub allow_private: bool,
    /// PEM certificates to trust for this service alone.
    #[serde(default)]
    pub ca_pem: Option<String>,
    /// Whether `%2F` may stand inside a path segment.
    #[serde(default)]
    pub encoded_slash: bool,
    /// How token usage stands in its answers: `detect` (by default), `open-ai`, `anthropic`, `gemini` or `none`.
    #[serde(default)]
    pub usage: Option<String>,
    /// The base URL is the endpoint of a remote MCP server (streamable HTTP).
    #[serde(default)]
    #[cfg_attr(test, ts(optional))]
    pub mcp: Option<bool>,
}
