//! Reading entries: releases joined with their completions, newest first, from memory and then from the segments.
//!
//! Must not know names: a text search brings the ids whose names match.

use std::collections::HashMap;

use claviger_model::{
    Act, AgentId, Completion, CredentialId, EventId, GrantId, Record, Refusal, Release, ServiceId, Timestamp,
};

use crate::body::{self, Sort};
use crate::error::ReadError;
use crate::frame::Numbered;
use crate::log::Shared;
use crate::segments::{self, Segment};

/// At most this many segments are read for one page.
const SEGMENTS: usize = 16;
/// A completion is looked for in this many segments after its release.
const AHEAD: u64 = 4;
const LIMIT: usize = 10_000;

/// Which entries are wanted. All of its conditions must hold; the default wants all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Not before this.
    pub since: Option<Timestamp>,
    /// Before this.
    pub until: Option<Timestamp>,
    /// Of this agent.
    pub agent: Option<AgentId>,
    /// Of this credential.
    pub credential: Option<CredentialId>,
    /// Of this service.
    pub service: Option<ServiceId>,
    /// Of this grant.
    pub grant: Option<GrantId>,
    /// With this result.
    pub result: Option<EntryResult>,
    /// With this tracking id.
    pub event: Option<EventId>,
    /// In which this occurs.
    pub text: Option<Text>,
}

/// A text to look for: in what the log holds, or by ids of things whose names match.
#[derive(Clone, Debug, Default)]
pub struct Text {
    /// Looked for without regard to case in host, path, method, model, code, reason and acts.
    pub needle: String,
    /// Agents whose names match.
    pub agents: Vec<AgentId>,
    /// Credentials whose names match.
    pub credentials: Vec<CredentialId>,
    /// Services whose names match.
    pub services: Vec<ServiceId>,
}

/// How an entry ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryResult {
    /// Released, and not completed yet.
    Open,
    /// Completed without error.
    Done,
    /// Completed with an error, as [`crate::is_error`] says.
    Error,
    /// Refused.
    Refused,
    /// Not a request, but an act.
    Act,
}

/// One entry: a request with its end, a refusal, or an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Sequence number of its first record.
    pub seq: u64,
    /// What it is.
    pub what: What,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A request that was released, and its end if there is one yet.
    Request {
        /// The release.
        release: Release,
        /// Its end.
        completion: Option<Completion>,
    },
    /// A request that was refused.
    Refusal(Refusal),
    /// An act.
    Act(Act),
}

/// Some entries, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Where to go on: pass it as `before`. There can be more even if this page is not full (a search looks through
    /// some 600,000 records at a time); `None` means that there is no more.
    pub next: Option<u64>,
}

/// A walk from new to old.
struct Search<'a> {
    filter: &'a Filter,
    needle: String,
    limit: usize,
    before: u64,
    /// Completions whose releases were not met yet.
    completions: HashMap<EventId, Box<[u8]>>,
    entries: Vec<Entry>,
    /// The last chunk was not all too old.
    is_young: bool,
}

/// A completion that may stand further ahead than where the walk began.
type Ahead<'a> = dyn FnMut(EventId) -> Option<Box<[u8]>> + 'a;

pub(crate) fn page(
    shared: &Shared,
    filter: &Filter,
    limit: usize,
    before: Option<u64>,
) -> Result<Page, ReadError> {
    let place = shared.place();
    let list: Vec<(u64, u64)> = shared.segments.read().clone();
    let mut search = Search {
        filter,
        needle: filter.text.as_ref().map(|text| text.needle.to_lowercase()).unwrap_or_default(),
        limit: limit.clamp(1, LIMIT),
        before: before.unwrap_or(u64::MAX),
        completions: HashMap::new(),
        entries: Vec::new(),
        is_young: true,
    };
    // The newest records, from memory.
    let ring_first = shared.with_views(|views| {
        let first = views.ring.first_seq().unwrap_or(views.place().seq + 1);
        if first < search.before {
            search.chunk(views.ring.newest_first(), &mut |_| None);
        }
        first
    });
    if search.is_full() || !search.is_young || ring_first <= 1 {
        return Ok(search.page(ring_first));
    }
    // Older ones, from the segments.
    let began_in_ring = ring_first < search.before;
    let below = search.before.min(ring_first);
    let mut scanned_down_to = below;
    let older = list.iter().enumerate().rev().filter(|(_, (_, first))| *first < below);
    for (index, &(number, first_seq)) in older.take(SEGMENTS) {
        let Some(records) = read(shared, number, (number == place.segment).then_some(place.offset))? else {
            scanned_down_to = first_seq;
            continue;
        };
        let mut ahead = Lookahead::new(shared, &list[index + 1..], place, !began_in_ring);
        let newest_first = records
            .iter()
            .rev()
            .filter(|(seq, _)| *seq < ring_first || !began_in_ring)
            .map(|(seq, body)| (*seq, body.as_ref()));
        search.chunk(newest_first, &mut |event| ahead.find(event));
        scanned_down_to = first_seq;
        if search.is_full() || !search.is_young {
            break;
        }
    }
    Ok(search.page(scanned_down_to))
}

/// A segment's records; nothing of a segment that does not open. What follows damage is left out: `verify` tells of it.
fn read(shared: &Shared, number: u64, len: Option<u64>) -> Result<Option<Vec<Numbered>>, ReadError> {
    let segment = match shared.keys.read().as_ref() {
        None => return Err(ReadError::Closed),
        Some(keys) => Segment::read(&shared.dir, number, keys, len)
            .map_err(|source| ReadError::Io { path: segments::path(&shared.dir, number), source })?,
    };
    let Ok(segment) = segment else { return Ok(None) };
    let mut walk = segment.walk();
    let mut records = Vec::new();
    while let Some(Ok(record)) = walk.next() {
        records.push(record);
    }
    Ok(Some(records))
}

/// Looks for completions in the segments after the one where a walk began, as far as that is needed.
struct Lookahead<'a> {
    shared: &'a Shared,
    later: &'a [(u64, u64)],
    place: crate::frame::Place,
    is_needed: bool,
    found: HashMap<EventId, Box<[u8]>>,
    read: u64,
}

// === impl Lookahead ===

impl<'a> Lookahead<'a> {
    fn new(shared: &'a Shared, later: &'a [(u64, u64)], place: crate::frame::Place, is_needed: bool) -> Self {
        Self { shared, later, place, is_needed, found: HashMap::new(), read: 0 }
    }

    fn find(&mut self, event: EventId) -> Option<Box<[u8]>> {
        if !self.is_needed || self.shared.with_views(|views| views.usage.is_pending(&event)) {
            return None;
        }
        loop {
            if let Some(body) = self.found.remove(&event) {
                return Some(body);
            }
            let &(number, _) = self.later.first().filter(|_| self.read < AHEAD)?;
            self.later = &self.later[1..];
            self.read += 1;
            let len = (number == self.place.segment).then_some(self.place.offset);
            // A segment that cannot be read has no completions to give.
            let records = read(self.shared, number, len).ok().flatten().unwrap_or_default();
            self.found.extend(records.into_iter().filter_map(|(_, body)| match body::peek(&body) {
                Some((Sort::Completion, event)) => Some((event, body)),
                _ => None,
            }));
        }
    }
}

// === impl Search ===

impl Search<'_> {
    fn is_full(&self) -> bool {
        self.entries.len() >= self.limit
    }

    fn page(self, scanned_down_to: u64) -> Page {
        let last = self.entries.last().map(|entry| entry.seq);
        let next = match last {
            Some(seq) if self.is_full() => Some(seq),
            _ if !self.is_young => None,
            _ => Some(scanned_down_to),
        };
        Page { entries: self.entries, next: next.filter(|next| *next > 1) }
    }

    /// Takes in a run of records, newest first.
    fn chunk<'b>(&mut self, newest_first: impl Iterator<Item = (u64, &'b [u8])>, ahead: &mut Ahead<'_>) {
        let (mut any_young, mut any_old) = (false, false);
        for (seq, body) in newest_first {
            let Some((sort, event)) = body::peek(body) else { continue };
            if sort == Sort::Completion {
                self.completions.insert(event, body.into());
                continue;
            }
            let completion = self.completions.remove(&event);
            // What lies before is the newer part of the chunk in which the walk begins.
            if seq >= self.before || self.filter.event.is_some_and(|wanted| wanted != event) {
                any_young = true;
                continue;
            }
            let completion = match sort {
                Sort::Release => completion.or_else(|| ahead(event)),
                _ => None,
            };
            let Some(entry) = Entry::decode(seq, body, completion.as_deref()) else { continue };
            match self.filter.since {
                Some(since) if entry.at() < since => any_old = true,
                _ => any_young = true,
            }
            if entry.matches(self.filter, &self.needle) {
                self.entries.push(entry);
                if self.is_full() {
                    return;
                }
            }
        }
        self.is_young = any_young || !any_old;
    }
}

// === impl Entry ===

impl Entry {
    fn decode(seq: u64, body: &[u8], completion: Option<&[u8]>) -> Option<Self> {
        let what = match body::decode(body)? {
            Record::Release(release) => {
                let completion = completion.and_then(body::decode).and_then(|record| match record {
                    Record::Completion(completion) => Some(completion),
                    _ => None,
                });
                What::Request { release, completion }
            }
            Record::Refusal(refusal) => What::Refusal(refusal),
            Record::Act(act) => What::Act(act),
            Record::Completion(_) => return None,
        };
        Some(Self { seq, what })
    }

    /// When it began.
    pub fn at(&self) -> Timestamp {
        match &self.what {
            What::Request { release, .. } => release.at,
            What::Refusal(refusal) => refusal.at,
            What::Act(act) => act.at,
        }
    }

    /// How it ended.
    pub fn result(&self) -> EntryResult {
        match &self.what {
            What::Request { completion: None, .. } => EntryResult::Open,
            What::Request { completion: Some(end), .. } if crate::is_error(end) => EntryResult::Error,
            What::Request { .. } => EntryResult::Done,
            What::Refusal(_) => EntryResult::Refused,
            What::Act(_) => EntryResult::Act,
        }
    }

    /// Agent, credential, service and grant, as far as they are known. An act is of none of them: it has a subject.
    fn ids(&self) -> (Option<AgentId>, Option<CredentialId>, Option<ServiceId>, Option<GrantId>) {
        use claviger_model::Subject;
        match &self.what {
            What::Request { release: r, .. } => {
                (Some(r.agent), Some(r.credential), Some(r.service), Some(r.grant))
            }
            What::Refusal(r) => (r.agent, r.credential, r.service, r.grant),
            What::Act(act) => match act.subject {
                Subject::Vault => (None, None, None, None),
                Subject::Agent(id) => (Some(id), None, None, None),
                Subject::Credential(id) => (None, Some(id), None, None),
                Subject::Service(id) => (None, None, Some(id), None),
                Subject::Grant(id) => (None, None, None, Some(id)),
            },
        }
    }

    fn matches(&self, filter: &Filter, needle: &str) -> bool {
        let (agent, credential, service, grant) = self.ids();
        let at = self.at();
        filter.since.is_none_or(|since| at >= since)
            && filter.until.is_none_or(|until| at < until)
            && (filter.agent.is_none() || filter.agent == agent)
            && (filter.credential.is_none() || filter.credential == credential)
            && (filter.service.is_none() || filter.service == service)
            && (filter.grant.is_none() || filter.grant == grant)
            && filter.result.is_none_or(|result| result == self.result())
            && filter.text.as_ref().is_none_or(|text| {
                agent.is_some_and(|id| text.agents.contains(&id))
                    || credential.is_some_and(|id| text.credentials.contains(&id))
                    || service.is_some_and(|id| text.services.contains(&id))
                    || self.words().iter().any(|word| word.to_lowercase().contains(needle))
            })
    }

    /// Everything in it that is text.
    fn words(&self) -> Vec<&str> {
        use claviger_model::Outcome;
        match &self.what {
            What::Request { release, completion } => {
                let mut words = vec![release.method.as_str(), &release.host, &release.path];
                if let Some(end) = completion {
                    words.extend(end.model.as_deref());
                    words.push(match end.outcome {
                        Outcome::Done => "done",
                        Outcome::AgentGone => "agent_gone",
                        Outcome::Failed(code) => code.word(),
                        Outcome::Cut => "cut",
                        Outcome::Unknown => "unknown",
                    });
                }
                words
            }
            What::Refusal(refusal) => {
                vec![refusal.code.word(), &refusal.reason, &refusal.method, &refusal.path]
            }
            What::Act(act) => vec![&act.what, &act.detail],
        }
    }
}
