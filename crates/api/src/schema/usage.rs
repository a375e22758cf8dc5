//! Usage roll-ups.

use serde::{Deserialize, Serialize};

/// `usage.report`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct UsageRequest {
    /// As in `24h`; everything by default.
    #[serde(default)]
    pub since: Option<String>,
    /// `agent`, `credential`, `service`, `model`, `hour` or `day`; one row in all by default.
    #[serde(default)]
    pub by: Option<String>,
}

/// One row of a usage report.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct UsageRow {
    /// What the row is of: a name, a model, an hour or day in RFC 3339; `all` without `by`.
    pub key: String,
    /// Requests that were released.
    #[cfg_attr(test, ts(type = "number"))]
    pub requests: u64,
    /// Of those: failed, or answered with 400 and above.
    #[cfg_attr(test, ts(type = "number"))]
    pub errors: u64,
    /// Requests that were refused.
    #[cfg_attr(test, ts(type = "number"))]
    pub denied: u64,
    /// Tokens in prompts, cached ones included.
    #[cfg_attr(test, ts(type = "number"))]
    pub tokens_in: u64,
    /// Tokens in answers.
    #[cfg_attr(test, ts(type = "number"))]
    pub tokens_out: u64,
    /// Of `tokens_in`: read from the provider's cache.
    #[cfg_attr(test, ts(type = "number"))]
    pub tokens_cached: u64,
    /// Money, six decimals; `None` as long as no price is known.
    pub cost_usd: Option<f64>,
    /// Bytes of request bodies.
    #[cfg_attr(test, ts(type = "number"))]
    pub bytes_in: u64,
    /// Bytes of answers' bodies.
    #[cfg_attr(test, ts(type = "number"))]
    pub bytes_out: u64,
    /// Median milliseconds to the end of the answer.
    pub p50_ms: f64,
    /// 99th percentile of the same.
    pub p99_ms: f64,
}

/// `usage.overview`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct OverviewRequest {
    /// `1h`, `24h`, `7d` or `30d`.
    pub range: String,
}

/// Answer to `usage.overview`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct OverviewView {
    /// Totals over the range.
    pub total: UsageRow,
    /// Totals over the range before, of the same length.
    pub before: UsageRow,
    /// Even steps over the range, oldest first, none left out.
    pub series: Vec<SeriesPoint>,
    /// By agent, most requests first.
    pub by_agent: Vec<UsageRow>,
    /// By credential, most requests first.
    pub by_credential: Vec<UsageRow>,
    /// By model, most tokens first.
    pub by_model: Vec<UsageRow>,
}

/// One step of the overview's series.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct SeriesPoint {
    /// Start of the step, RFC 3339.
    pub at: String,
    /// Requests that were released.
    #[cfg_attr(test, ts(type = "number"))]
    pub requests: u64,
    /// Of those: errors.
    #[cfg_attr(test, ts(type = "number"))]
    pub errors: u64,
    /// Requests that were refused.
    #[cfg_attr(test, ts(type = "number"))]
    pub denied: u64,
    /// Tokens in and out.
    #[cfg_attr(test, ts(type = "number"))]
    pub tokens: u64,
}
