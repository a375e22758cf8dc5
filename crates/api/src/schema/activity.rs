//! The record: what every agent did with every credential, and what the human did.

use serde::{Deserialize, Serialize};

/// `audit.list`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct AuditRequest {
    /// As in `24h`; everything by default.
    #[serde(default)]
    pub since: Option<String>,
    /// At most this many entries, newest first; 500 by default, 10,000 at most.
    #[serde(default)]
    pub limit: Option<u32>,
    /// Only entries older than this sequence number: the next page.
    #[serde(default)]
    #[cfg_attr(test, ts(type = "number | null"))]
    pub before: Option<u64>,
    /// Only this agent's, by name or id.
    #[serde(default)]
    pub agent: Option<String>,
    /// Only this credential's, by name or id.
    #[serde(default)]
    pub credential: Option<String>,
    /// Only `done`, `error`, `refused` or `act`.
    #[serde(default)]
    pub result: Option<String>,
    /// Only the entry with this tracking id.
    #[serde(default)]
    pub event: Option<String>,
    /// Only entries in which this text occurs (agent, credential, service, host, path, model, code).
    #[serde(default)]
    pub text: Option<String>,
}

/// One entry: a request with its end, a refusal, or an act.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct AuditView {
    /// Sequence number of its first record.
    #[cfg_attr(test, ts(type = "number"))]
    pub seq: u64,
    /// Tracking id.
    pub event: String,
    /// RFC 3339.
    pub at: String,
    /// `open`, `done`, `error`, `refused` or `act`.
    pub result: String,
    /// The refusal's or failure's code, or how else it ended: `agent_gone`, `cut`, `unknown`; or an act's name.
    pub code: Option<String>,
    /// More precisely why, or an act's detail.
    pub reason: Option<String>,
    /// The agent's name.
    pub agent: Option<String>,
    /// The credential's name.
    pub credential: Option<String>,
    /// The service's name.
    pub service: Option<String>,
    /// The grant's id.
    pub grant: Option<String>,
    /// Request method.
    pub method: Option<String>,
    /// Host and port that were dialled.
    pub host: Option<String>,
    /// Path without the query.
    pub path: Option<String>,
    /// Status of the answer.
    pub status: Option<u16>,
    /// Bytes of the request's body.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub bytes_in: Option<u64>,
    /// Bytes of the answer's body.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub bytes_out: Option<u64>,
    /// The model that answered.
    pub model: Option<String>,
    /// Tokens in the prompt, cached ones included.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub tokens_in: Option<u64>,
    /// Tokens in the answer.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub tokens_out: Option<u64>,
    /// Of `tokens_in`: read from the provider's cache.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub tokens_cached: Option<u64>,
    /// Milliseconds to the head of the answer.
    pub head_ms: Option<f64>,
    /// Milliseconds to the end.
    pub total_ms: Option<f64>,
    /// Of those: spent in Claviger before the request left.
    pub own_ms: Option<f64>,
}

/// Answer to `audit.list`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct AuditPage {
    /// Newest first.
    pub entries: Vec<AuditView>,
    /// Pass as `before` for the next page; `None` at the end.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub next: Option<u64>,
}

/// Answer to `audit.verify`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct VerifyView {
    /// Whole and in order.
    pub ok: bool,
    /// How many records were checked.
    #[cfg_attr(test, ts(type = "number"))]
    pub records: u64,
    /// Hash of the last record, hex.
    pub head: String,
    /// The first bad record, if any.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub first_bad: Option<u64>,
    /// What is wrong with it, in words.
    pub problem: Option<String>,
}
