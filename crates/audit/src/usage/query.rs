//! Questions to the roll-ups: totals by something, and even steps of time. Must not know how counts come in.

use std::collections::HashMap;

use claviger_model::{AgentId, CredentialId, Duration, ServiceId, Timestamp};

use super::cells::{Counts, Minute, Who};
use super::{Usage, minute_of};

/// More steps than this are not made.
const STEPS: i64 = 10_000;

/// What a report is by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageBy {
    /// One row in all.
    All,
    /// A row for each agent.
    Agent,
    /// A row for each credential.
    Credential,
    /// A row for each service.
    Service,
    /// A row for each model.
    Model,
    /// A row for each UTC hour in which anything happened.
    Hour,
    /// A row for each UTC day in which anything happened.
    Day,
}

/// What a row of a report is of. `None` where a request was refused before that was known, or the answer named no
/// model.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UsageKey {
    /// Everything.
    All,
    /// One agent.
    Agent(Option<AgentId>),
    /// One credential.
    Credential(Option<CredentialId>),
    /// One service.
    Service(Option<ServiceId>),
    /// One model.
    Model(Option<String>),
    /// One hour, by its start. Counts older than 35 days stand at the start of their day.
    Hour(Timestamp),
    /// One day, by its start. Counts older than 400 days stand at the start of a span of 30 days.
    Day(Timestamp),
}

/// One row of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageTotals {
    /// What it is of.
    pub key: UsageKey,
    /// Requests that were released.
    pub requests: u64,
    /// Of those: errors, as [`crate::is_error`] says.
    pub errors: u64,
    /// Requests that were refused.
    pub denied: u64,
    /// Tokens in prompts, cached ones included.
    pub tokens_in: u64,
    /// Tokens in answers.
    pub tokens_out: u64,
    /// Of `tokens_in`: read from the provider's cache.
    pub tokens_cached: u64,
    /// Bytes of request bodies.
    pub bytes_up: u64,
    /// Bytes of answers' bodies.
    pub bytes_down: u64,
    /// Median milliseconds to the end of the answer.
    pub p50_ms: f64,
    /// 99th percentile of the same.
    pub p99_ms: f64,
}

/// One of several even steps of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesStep {
    /// Its start.
    pub at: Timestamp,
    /// Requests that were released.
    pub requests: u64,
    /// Of those: errors.
    pub errors: u64,
    /// Requests that were refused.
    pub denied: u64,
    /// Tokens in prompts.
    pub tokens_in: u64,
    /// Tokens in answers.
    pub tokens_out: u64,
}

// === impl UsageTotals ===

impl UsageTotals {
    fn new(key: UsageKey, counts: &Counts) -> Self {
        Self {
            key,
            requests: counts.requests,
            errors: counts.errors,
            denied: counts.denied,
            tokens_in: counts.tokens_in,
            tokens_out: counts.tokens_out,
            tokens_cached: counts.tokens_cached,
            bytes_up: counts.bytes_up,
            bytes_down: counts.bytes_down,
            p50_ms: counts.latency.quantile(0.5) / 1000.0,
            p99_ms: counts.latency.quantile(0.99) / 1000.0,
        }
    }
}

// === impl Usage ===

impl Usage {
    /// Totals over a range, by something; most requests first, times in order.
    pub(crate) fn totals(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        by: UsageBy,
    ) -> Vec<UsageTotals> {
        let mut rows: HashMap<i64, Counts> = HashMap::new();
        let group = |start: Minute, who: Who| match by {
            UsageBy::All => 0,
            UsageBy::Agent => i64::from(who.agent),
            UsageBy::Credential => i64::from(who.credential),
            UsageBy::Service => i64::from(who.service),
            UsageBy::Model => i64::from(who.model),
            UsageBy::Hour => start.div_euclid(60),
            UsageBy::Day => start.div_euclid(60 * 24),
        };
        for (start, who, counts) in self.cells.between(since.map(minute_of), until.map(up)) {
            rows.entry(group(start, who)).or_default().merge(counts);
        }
        for (minute, who) in self.pending_between(since, until) {
            let row = rows.entry(group(minute, who)).or_default();
            row.requests = row.requests.saturating_add(1);
        }
        if by == UsageBy::All {
            rows.entry(0).or_default();
        }
        let mut totals: Vec<_> =
            rows.iter().map(|(group, counts)| UsageTotals::new(self.key(by, *group), counts)).collect();
        match by {
            UsageBy::Hour | UsageBy::Day => totals.sort_by(|a, b| a.key.cmp(&b.key)),
            _ => totals.sort_by(|a, b| {
                (b.requests, b.denied).cmp(&(a.requests, a.denied)).then_with(|| a.key.cmp(&b.key))
            }),
        }
        totals
    }

    fn key(&self, by: UsageBy, group: i64) -> UsageKey {
        let number = group as u32;
        match by {
            UsageBy::All => UsageKey::All,
            UsageBy::Agent => UsageKey::Agent(self.agents.value(number)),
            UsageBy::Credential => UsageKey::Credential(self.credentials.value(number)),
            UsageBy::Service => UsageKey::Service(self.services.value(number)),
            UsageBy::Model => UsageKey::Model(self.models.value(number)),
            UsageBy::Hour => UsageKey::Hour(Timestamp(group * 3_600_000)),
            UsageBy::Day => UsageKey::Day(Timestamp(group * 86_400_000)),
        }
    }

    /// Even steps from `since` on, oldest first, none left out. What is only known by the hour or day stands in the
    /// step in which that begins.
    pub(crate) fn series(&self, since: Timestamp, step: Duration, until: Timestamp) -> Vec<SeriesStep> {
        let width = step.0.max(1);
        let span = until.0.saturating_sub(since.0).max(0);
        let count = (span / width + i64::from(span % width != 0)).min(STEPS);
        let mut steps: Vec<_> = (0..count)
            .map(|i| SeriesStep {
                at: Timestamp(since.0.saturating_add(i.saturating_mul(width))),
                requests: 0,
                errors: 0,
                denied: 0,
                tokens_in: 0,
                tokens_out: 0,
            })
            .collect();
        let index =
            |minute: Minute| (minute.saturating_mul(60_000).saturating_sub(since.0).max(0) / width) as usize;
        for (start, _, counts) in self.cells.between(Some(minute_of(since)), Some(up(until))) {
            let Some(step) = steps.get_mut(index(start)) else { continue };
            step.requests = step.requests.saturating_add(counts.requests);
            step.errors = step.errors.saturating_add(counts.errors);
            step.denied = step.denied.saturating_add(counts.denied);
            step.tokens_in = step.tokens_in.saturating_add(counts.tokens_in);
            step.tokens_out = step.tokens_out.saturating_add(counts.tokens_out);
        }
        for (minute, _) in self.pending_between(Some(since), Some(until)) {
            if let Some(step) = steps.get_mut(index(minute)) {
                step.requests = step.requests.saturating_add(1);
            }
        }
        steps
    }

    /// Requests in flight count too.
    fn pending_between(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> impl Iterator<Item = (Minute, Who)> {
        let (since, until) = (since.map(minute_of), until.map(up));
        self.pending.values().map(|pending| (pending.minute, pending.who)).filter(move |(minute, _)| {
            since.is_none_or(|s| *minute >= s) && until.is_none_or(|u| *minute < u)
        })
    }
}

/// The first minute that begins at or after this time.
fn up(at: Timestamp) -> Minute {
    at.0.div_euclid(60_000).saturating_add(i64::from(at.0.rem_euclid(60_000) != 0))
}
