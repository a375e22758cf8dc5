//! Grants, and why a request would be decided as it is.

use serde::{Deserialize, Serialize};

/// A grant, in lists and alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct GrantView {
    /// Id.
    pub grant: String,
    /// The agent's name.
    pub agent: String,
    /// The credential's name.
    pub credential: String,
    /// The service's name.
    pub service: String,
    /// The base URL that the agent's SDK is given.
    pub base_url: String,
    /// Allowed methods; empty means all.
    pub methods: Vec<String>,
    /// Allowed path globs; empty means all.
    pub paths: Vec<String>,
    /// As in `60/min`.
    pub rate: Option<String>,
    /// As in `09:00-18:00`, UTC.
    pub hours: Option<String>,
    /// RFC 3339.
    pub created: String,
    /// RFC 3339.
    pub expires: Option<String>,
    /// The whole grant as one sentence.
    pub sentence: String,
}

/// `grant.add`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct AddGrantRequest {
    /// The agent's name or id.
    pub agent: String,
    /// The credential's name or id.
    pub credential: String,
    /// Allowed methods; empty means all.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Allowed path globs; empty means all.
    #[serde(default)]
    pub paths: Vec<String>,
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

/// `grant.set`: each field that is present replaces what stood there; an empty text clears it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct SetGrantRequest {
    /// Id.
    pub grant: String,
    /// Allowed methods.
    #[serde(default)]
    pub methods: Option<Vec<String>>,
    /// Allowed path globs.
    #[serde(default)]
    pub paths: Option<Vec<String>>,
    /// As in `60/min`.
    #[serde(default)]
    pub rate: Option<String>,
    /// As in `09-18`, UTC.
    #[serde(default)]
    pub hours: Option<String>,
    /// Life from now as in `30d`, or RFC 3339.
    #[serde(default)]
    pub expires: Option<String>,
}

/// `policy.explain`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ExplainRequest {
    /// The agent's name or id.
    pub agent: String,
    /// Request method.
    pub method: String,
    /// The URL at the service, as in `https://api.openai.com/v1/models`.
    pub url: String,
}

/// Answer to `policy.explain`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ExplainView {
    /// Whether it would be let through.
    pub allowed: bool,
    /// The refusal's code, if not.
    pub code: Option<String>,
    /// The rule that decides, in words.
    pub rule: String,
    /// The grant that decides, if one matched.
    pub grant: Option<String>,
    /// The credential that would be released.
    pub credential: Option<String>,
}
