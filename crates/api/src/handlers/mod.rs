//! Handlers: a request into an engine operation, its result into a view. One file per noun; no logic of their own.

pub(crate) mod activity;
pub(crate) mod agent;
pub(crate) mod credential;
pub(crate) mod grant;
pub(crate) mod oauth;
pub(crate) mod own;
pub(crate) mod proposal;
pub(crate) mod service;
pub(crate) mod settings;
pub(crate) mod token;
pub(crate) mod usage;
pub(crate) mod vault;

use claviger_model::{Duration, Timestamp};

use crate::schema::{ApiError, Code};

/// Reads a duration of the contract, as in `30d`.
fn duration(text: &str) -> Result<Duration, ApiError> {
    text.parse().map_err(|why: claviger_model::DurationError| {
        ApiError::new(Code::Usage, format!("{text:?}: {why}"), "")
    })
}

/// Reads a moment of the contract: RFC 3339 or a date.
fn moment(text: &str) -> Result<Timestamp, ApiError> {
    Timestamp::parse(text).ok_or_else(|| {
        ApiError::new(
            Code::Usage,
            format!("{text:?} is no time"),
            "write RFC 3339 or a date, as in 2027-01-31",
        )
    })
}

fn now() -> Timestamp {
    Timestamp(chrono::Utc::now().timestamp_millis())
}
