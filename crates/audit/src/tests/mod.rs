//! Tests of the log as a whole. This file holds what they share: a home, a key, and records to write.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::print_stdout)]

mod concurrency;
mod crash;
mod disk_full;
mod labels;
mod locked_time;
mod reading;
mod recovery;
mod tampering;
mod totals;

use std::path::PathBuf;

use claviger_model::{
    Act, AgentId, Completion, CredentialId, EventId, GrantId, Outcome, Record, Refusal, RefusalCode, Release,
    ServiceId, Subject, Timestamp, TokenUsage, VaultId,
};
use claviger_secret::Secret;

use crate::{Durability, Head, Log, OpenReport};

pub(crate) const VAULT: VaultId = VaultId::from_bytes([9; 16]);
/// 2026-11-21T00:00:00Z.
pub(crate) const START: i64 = 1_795_219_200_000;

/// A directory for a log, and its key.
pub(crate) struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn log_dir(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    pub(crate) fn open(&self) -> (Log, OpenReport) {
        self.open_expecting(None)
    }

    pub(crate) fn open_expecting(&self, expected: Option<Head>) -> (Log, OpenReport) {
        Log::open(&self.log_dir(), VAULT, &key(), Durability::Relaxed, expected).unwrap()
    }

    pub(crate) fn segment(&self, number: u64) -> PathBuf {
        crate::segments::path(&self.log_dir(), number)
    }
}

pub(crate) fn key() -> Secret {
    Secret::from(vec![0x42; 32])
}

/// Repeatable numbers.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % sides.max(1)
    }
}

fn id(kind: u8, n: u64) -> [u8; 16] {
    let mut bytes = [kind; 16];
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    bytes
}

pub(crate) fn event(n: u64) -> EventId {
    EventId::from_bytes(id(1, n))
}

pub(crate) fn agent(n: u64) -> AgentId {
    AgentId::from_bytes(id(2, n))
}

pub(crate) fn credential(n: u64) -> CredentialId {
    CredentialId::from_bytes(id(3, n))
}

pub(crate) fn release(n: u64) -> Record {
    Record::Release(Release {
        event: event(n),
        at: Timestamp(START + n as i64 * 10),
        agent: agent(n % 5),
        grant: GrantId::from_bytes(id(5, n % 7)),
        credential: credential(n % 7),
        service: ServiceId::from_bytes(id(4, n % 3)),
        method: "POST".to_owned(),
        host: "api.openai.com:443".to_owned(),
        path: format!("/v1/chat/completions/{n}"),
    })
}

pub(crate) fn completion(n: u64) -> Record {
    Record::Completion(Completion {
        event: event(n),
        at: Timestamp(START + n as i64 * 10 + 500),
        outcome: Outcome::Done,
        status: if n.is_multiple_of(10) { 429 } else { 200 },
        bytes_up: 100 + n,
        bytes_down: 1000 + n,
        head_us: 1500,
        total_us: 2000 + (n as u32 % 1000),
        own_us: 40,
        model: Some(format!("model-{}", n % 4)),
        usage: Some(TokenUsage { input: 10 + n, output: 5, cached_read: 3, cached_write: 0, reasoning: 1 }),
    })
}

pub(crate) fn refusal(n: u64) -> Record {
    Record::Refusal(Refusal {
        event: event(n),
        at: Timestamp(START + n as i64 * 10),
        code: RefusalCode::PolicyDenied,
        reason: "method not allowed".to_owned(),
        agent: (n.is_multiple_of(2)).then(|| agent(n % 5)),
        grant: None,
        credential: None,
        service: None,
        method: "DELETE".to_owned(),
        path: "/v1/models".to_owned(),
    })
}

pub(crate) fn act(n: u64) -> Record {
    Record::Act(Act {
        event: event(n),
        at: Timestamp(START + n as i64 * 10),
        what: "credential.add".to_owned(),
        subject: Subject::Credential(credential(n % 7)),
        detail: format!("credential {n}"),
    })
}

/// Releases and completions in turn, so that `n` records are `n / 2` finished requests.
pub(crate) fn fill(log: &Log, n: u64) {
    for i in 0..n / 2 {
        log.append(&release(i)).unwrap();
        log.append(&completion(i)).unwrap();
    }
}
