//! The newest records in memory, so that the live view needs no disk. Must not know what records mean.

use std::collections::VecDeque;

/// Tests make do with less, so that they need not write so much.
const RECORDS: usize = if cfg!(test) { 500 } else { 20_000 };
const BYTES: usize = 8 * 1024 * 1024;

/// The newest records, as bodies; at most 20,000 and 8 MiB.
#[derive(Default)]
pub(crate) struct Ring {
    records: VecDeque<(u64, Box<[u8]>)>,
    bytes: usize,
}

// === impl Ring ===

impl Ring {
    pub(crate) fn push(&mut self, seq: u64, body: Box<[u8]>) {
        if self.records.back().is_some_and(|(last, _)| last + 1 != seq) {
            // A gap (after damage): what is kept must be without one.
            self.records.clear();
            self.bytes = 0;
        }
        self.bytes += body.len();
        self.records.push_back((seq, body));
        while self.records.len() > RECORDS || self.bytes > BYTES {
            match self.records.pop_front() {
                Some((_, body)) => self.bytes -= body.len(),
                None => break,
            }
        }
    }

    /// The oldest sequence number that is here.
    pub(crate) fn first_seq(&self) -> Option<u64> {
        self.records.front().map(|(seq, _)| *seq)
    }

    /// Newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.records.iter().rev().map(|(seq, body)| (*seq, body.as_ref()))
    }
}
