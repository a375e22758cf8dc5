//! Usage, from outside.

use claviger_engine::Engine;
use claviger_engine::log::{UsageBy, UsageTotals};
use claviger_model::{Duration, Timestamp};

use super::{duration, moment, now};
use crate::schema::usage::{OverviewRequest, OverviewView, SeriesPoint, UsageRequest, UsageRow};
use crate::schema::{ApiError, Code};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

pub(crate) fn report(engine: &Engine, request: UsageRequest) -> Result<Vec<UsageRow>, ApiError> {
    let since = match request.since.as_deref() {
        None | Some("") => None,
        Some(text) => Some(match duration(text) {
            Ok(span) => Timestamp(now().0.saturating_sub(span.0)),
            Err(_) => moment(text)?,
        }),
    };
    let by = match request.by.as_deref() {
        None | Some("") => UsageBy::All,
        Some("agent") => UsageBy::Agent,
        Some("credential") => UsageBy::Credential,
        Some("service") => UsageBy::Service,
        Some("model") => UsageBy::Model,
        Some("hour") => UsageBy::Hour,
        Some("day") => UsageBy::Day,
        Some(other) => {
            let hint = "write agent, credential, service, model, hour or day";
            return Err(ApiError::new(Code::Usage, format!("usage cannot be told by {other:?}"), hint));
        }
    };
    let book = engine.book()?;
    let rows = engine.usage(since, None, by)?;
    Ok(rows.iter().map(|totals| row(book.usage_key(&totals.key), totals)).collect())
}

pub(crate) fn overview(engine: &Engine, request: OverviewRequest) -> Result<OverviewView, ApiError> {
    let (step, steps) = match request.range.as_str() {
        "1h" => (MINUTE, 60),
        "24h" => (HOUR, 24),
        "7d" => (6 * HOUR, 28),
        "30d" => (DAY, 30),
        other => {
            return Err(ApiError::new(
                Code::Usage,
                format!("{other:?} is no range"),
                "write 1h, 24h, 7d or 30d",
            ));
        }
    };
    // The last step is the one that is going on.
    let until = Timestamp((now().0.div_euclid(step) + 1) * step);
    let since = Timestamp(until.0 - step * steps);
    let before = Timestamp(since.0 - step * steps);
    let book = engine.book()?;
    let total = |from, to| -> Result<UsageRow, ApiError> {
        let rows = engine.usage(Some(from), Some(to), UsageBy::All)?;
        Ok(rows.first().map_or_else(|| empty("all"), |totals| row("all".to_owned(), totals)))
    };
    let by = |by| -> Result<Vec<UsageRow>, ApiError> {
        let rows = engine.usage(Some(since), Some(until), by)?;
        Ok(rows.iter().map(|totals| row(book.usage_key(&totals.key), totals)).collect())
    };
    let most_requests = |mut rows: Vec<UsageRow>| {
        rows.sort_by_key(|row| std::cmp::Reverse(row.requests + row.denied));
        rows
    };
    let mut by_model = by(UsageBy::Model)?;
    by_model.retain(|row| row.tokens_in + row.tokens_out > 0);
    by_model.sort_by_key(|row| std::cmp::Reverse(row.tokens_in + row.tokens_out));
    let series = engine.usage_series(since, Duration(step), until)?;
    Ok(OverviewView {
        total: total(since, until)?,
        before: total(before, since)?,
        series: series
            .iter()
            .map(|point| SeriesPoint {
                at: point.at.to_rfc3339(),
                requests: point.requests,
                errors: point.errors,
                denied: point.denied,
                tokens: point.tokens_in.saturating_add(point.tokens_out),
            })
            .collect(),
        by_agent: most_requests(by(UsageBy::Agent)?),
        by_credential: most_requests(by(UsageBy::Credential)?),
        by_model,
    })
}

fn row(key: String, totals: &UsageTotals) -> UsageRow {
    UsageRow {
        requests: totals.requests,
        errors: totals.errors,
        denied: totals.denied,
        tokens_in: totals.tokens_in,
        tokens_out: totals.tokens_out,
        tokens_cached: totals.tokens_cached,
        bytes_in: totals.bytes_up,
        bytes_out: totals.bytes_down,
        p50_ms: totals.p50_ms,
        p99_ms: totals.p99_ms,
        ..empty(&key)
    }
}

/// Nothing used. No prices are known yet, so no row has a cost.
fn empty(key: &str) -> UsageRow {
    UsageRow {
        key: key.to_owned(),
        requests: 0,
        errors: 0,
        denied: 0,
        tokens_in: 0,
        tokens_out: 0,
        tokens_cached: 0,
        cost_usd: None,
        bytes_in: 0,
        bytes_out: 0,
        p50_ms: 0.0,
        p99_ms: 0.0,
    }
}
