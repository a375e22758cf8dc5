//! Usage: what records add up to, by agent, credential, service, model and time. Always equal to the sum of the rows.
//!
//! Must not know files, nor what anything is called.

mod cells;
mod query;
mod sketch;
mod table;

use std::collections::HashMap;

use claviger_model::{
    AgentId, Completion, CredentialId, EventId, Outcome, Record, Release, ServiceId, Timestamp,
};
use serde::{Deserialize, Serialize};

use self::cells::{Cells, Minute, Who};
use self::table::Table;

pub use self::query::{SeriesStep, UsageBy, UsageKey, UsageTotals};

/// Distinct models that are told apart; a hostile upstream could name a new one in each answer.
const MODELS: usize = 1_024;
/// Requests in flight that are remembered.
const PENDING: usize = 100_000;
/// What further models are counted as.
const OTHER_MODEL: &str = "other";

/// The roll-ups.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Usage {
    cells: Cells,
    agents: Table<AgentId>,
    credentials: Table<CredentialId>,
    services: Table<ServiceId>,
    models: Table<String>,
    /// Releases that have no completion yet. They count as requests as soon as they are here.
    pending: HashMap<EventId, Pending>,
    last_used: HashMap<CredentialId, Timestamp>,
    last_seen: HashMap<AgentId, Timestamp>,
    /// Time of the latest record.
    latest: Option<Timestamp>,
}

/// A release without its completion.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) seq: u64,
    minute: Minute,
    who: Who,
}

pub(crate) const fn minute_of(at: Timestamp) -> Minute {
    at.0.div_euclid(60_000)
}

// === impl Usage ===

impl Usage {
    /// Counts one record.
    pub(crate) fn apply(&mut self, seq: u64, record: &Record) {
        let at = record.at();
        self.latest = self.latest.max(Some(at));
        match record {
            Record::Release(release) => self.release(seq, release),
            Record::Completion(completion) => self.completion(completion),
            Record::Refusal(refusal) => {
                let who = Who {
                    agent: self.agents.number_of_opt(refusal.agent.as_ref()),
                    credential: self.credentials.number_of_opt(refusal.credential.as_ref()),
                    service: self.services.number_of_opt(refusal.service.as_ref()),
                    model: 0,
                };
                let counts = self.cells.at(minute_of(at), who);
                counts.denied = counts.denied.saturating_add(1);
                if let Some(agent) = refusal.agent {
                    later(&mut self.last_seen, agent, at);
                }
            }
            Record::Act(_) => {}
        }
    }

    fn release(&mut self, seq: u64, release: &Release) {
        let who = Who {
            agent: self.agents.number_of(&release.agent),
            credential: self.credentials.number_of(&release.credential),
            service: self.services.number_of(&release.service),
            model: 0,
        };
        later(&mut self.last_used, release.credential, release.at);
        later(&mut self.last_seen, release.agent, release.at);
        if self.pending.len() >= PENDING {
            self.forget_oldest();
        }
        self.pending.insert(release.event, Pending { seq, minute: minute_of(release.at), who });
    }

    fn completion(&mut self, completion: &Completion) {
        let Some(pending) = self.pending.remove(&completion.event) else { return };
        let model = match &completion.model {
            None => 0,
            Some(model) => self.model_number(model),
        };
        let counts = self.cells.at(pending.minute, Who { model, ..pending.who });
        let usage = completion.usage.unwrap_or_default();
        let adds = [
            (&mut counts.requests, 1),
            (&mut counts.errors, u64::from(crate::is_error(completion))),
            (&mut counts.tokens_in, usage.input),
            (&mut counts.tokens_out, usage.output),
            (&mut counts.tokens_cached, usage.cached_read),
            (&mut counts.bytes_up, completion.bytes_up),
            (&mut counts.bytes_down, completion.bytes_down),
        ];
        for (sum, add) in adds {
            *sum = sum.saturating_add(add);
        }
        if completion.outcome != Outcome::Unknown {
            counts.latency.add(completion.total_us);
        }
    }

    fn model_number(&mut self, model: &String) -> u32 {
        match self.models.find(model) {
            Some(number) => number,
            None if self.models.len() < MODELS => self.models.number_of(model),
            None => self.models.number_of(&OTHER_MODEL.to_owned()),
        }
    }

    /// Counts the oldest eighth of the requests in flight as if they had ended without telling, so that the bound
    /// holds. Many at once, so that it costs little for each.
    fn forget_oldest(&mut self) {
        for event in self.pending().into_iter().take(PENDING / 8) {
            let Some(pending) = self.pending.remove(&event) else { continue };
            let counts = self.cells.at(pending.minute, pending.who);
            counts.requests = counts.requests.saturating_add(1);
        }
    }

    /// Whether this release has no completion yet.
    pub(crate) fn is_pending(&self, event: &EventId) -> bool {
        self.pending.contains_key(event)
    }

    /// Releases without completion, oldest first.
    pub(crate) fn pending(&self) -> Vec<EventId> {
        let mut all: Vec<_> = self.pending.iter().map(|(event, pending)| (pending.seq, *event)).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, event)| event).collect()
    }

    /// Time of the latest record.
    pub(crate) fn latest(&self) -> Option<Timestamp> {
        self.latest
    }

    pub(crate) fn last_used(&self, credential: CredentialId) -> Option<Timestamp> {
        self.last_used.get(&credential).copied()
    }

    pub(crate) fn last_seen(&self, agent: AgentId) -> Option<Timestamp> {
        self.last_seen.get(&agent).copied()
    }
}

fn later<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Timestamp>, key: K, at: Timestamp) {
    let last = map.entry(key).or_insert(at);
    *last = (*last).max(at);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{completion, release};

    #[test]
    fn requests_that_never_end_are_bounded_and_counted_once() {
        let mut usage = Usage::default();
        let many = PENDING as u64 + 10_000;
        for n in 0..many {
            usage.apply(n + 1, &release(n));
        }
        assert!(usage.pending.len() <= PENDING, "{} requests in flight are remembered", usage.pending.len());
        let requests = |usage: &Usage| usage.totals(None, None, UsageBy::All)[0].requests;
        assert_eq!(requests(&usage), many, "none is lost");
        assert!(!usage.is_pending(&crate::tests::event(0)), "the oldest was forgotten");
        usage.apply(many + 1, &completion(0));
        usage.apply(many + 2, &completion(many - 1));
        assert_eq!(requests(&usage), many, "none is counted twice");
    }
}
