//! What is made of the records for reading: the ring and the roll-ups, with the place they are up to.
//!
//! Appending does not wait for any of this: written records wait in an inbox until somebody asks or the background
//! thread comes by. Must not know how records are written.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::body;
use crate::disk;
use crate::frame::Place;
use crate::ring::Ring;
use crate::seal::{Keys, usage_aad};
use crate::usage::Usage;
use crate::writer::Job;

const MAGIC: &[u8; 8] = b"CLAVUSE1";

/// Written records that are not yet in the views.
pub(crate) struct Inbox {
    pub(crate) jobs: Vec<Job>,
    /// After the last of them.
    pub(crate) place: Place,
}

/// The ring and the roll-ups.
pub(crate) struct Views {
    pub(crate) ring: Ring,
    pub(crate) usage: Usage,
    /// After the last record that is in them.
    place: Place,
    saved_seq: u64,
}

/// The content of `usage.bin`.
#[derive(Serialize, Deserialize)]
struct Saved<U> {
    place: Place,
    usage: U,
}

fn path(dir: &Path) -> PathBuf {
    dir.join("usage.bin")
}

// === impl Views ===

impl Views {
    /// Nothing counted yet.
    pub(crate) fn new(place: Place) -> Self {
        Self { ring: Ring::default(), usage: Usage::default(), place, saved_seq: 0 }
    }

    /// Reads `usage.bin`. Nothing if it is missing or does not open: then everything is counted anew.
    pub(crate) fn load(dir: &Path, keys: &Keys) -> Option<Self> {
        let bytes = disk::read(&path(dir)).ok()?;
        let sealed = bytes.strip_prefix(MAGIC)?;
        let content = keys.usage().ok()?.open(&usage_aad(keys.vault), sealed).ok()?;
        // EXPOSE: counts and ids, no material; `Secret` is merely what the cipher gives.
        let saved: Saved<Usage> = postcard::from_bytes(content.expose()).ok()?;
        let saved_seq = saved.place.seq;
        Some(Self { ring: Ring::default(), usage: saved.usage, place: saved.place, saved_seq })
    }

    /// After the last record that is counted.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Goes on at another place: records in between are lost.
    pub(crate) fn skip_to(&mut self, place: Place) {
        self.place = place;
    }

    /// Takes in one record that was read from a segment.
    pub(crate) fn apply(&mut self, seq: u64, body: Box<[u8]>, place: Place) {
        self.count(seq, body);
        self.place = place;
    }

    /// Takes in what waits.
    pub(crate) fn drain(&mut self, inbox: &mut Inbox) {
        for job in inbox.jobs.drain(..) {
            self.count(job.seq, job.body);
        }
        self.place = inbox.place;
    }

    fn count(&mut self, seq: u64, body: Box<[u8]>) {
        match body::decode(&body) {
            Some(record) => self.usage.apply(seq, &record),
            None => {
                tracing::warn!(seq, "a record of the audit log is of a kind that this version cannot read")
            }
        }
        self.ring.push(seq, body);
    }

    /// Whether there is anything that `usage.bin` lacks.
    pub(crate) fn is_unsaved(&self) -> bool {
        self.place.seq != self.saved_seq
    }

    /// The content for `usage.bin`, with the sequence number it covers.
    pub(crate) fn snapshot(&self) -> Option<(u64, Vec<u8>)> {
        let saved = Saved { place: self.place, usage: &self.usage };
        Some((self.place.seq, postcard::to_allocvec(&saved).ok()?))
    }

    /// Notes that what was taken up to `seq` is in the file.
    pub(crate) fn mark_saved(&mut self, seq: u64) {
        self.saved_seq = seq;
    }
}

/// Puts `usage.bin` in place. The log must be on the disk up to where this reaches.
pub(crate) fn save(dir: &Path, keys: &Keys, content: &[u8]) -> io::Result<()> {
    let key = keys.usage().map_err(|_| io::ErrorKind::InvalidData)?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&key.seal(&usage_aad(keys.vault), content));
    disk::put(&path(dir), &bytes)
}
