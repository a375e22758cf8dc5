//! Frames: one sealed record each, chained by hash. Must not know files, nor what records mean.

use claviger_crypto::{AeadKey, SEALED_OVERHEAD};
use claviger_model::VaultId;

use crate::body;
use crate::seal::{Hash, link, record_aad};

const LEN: usize = 4;
const SEALED_MAX: usize = 64 * 1024;

/// Seals a body as the record `seq` after `prev` and adds the frame to `out`. Gives the frame's hash.
pub(crate) fn write(
    key: &AeadKey,
    vault: VaultId,
    seq: u64,
    prev: &Hash,
    body: &[u8],
    out: &mut Vec<u8>,
) -> Hash {
    let start = out.len();
    out.extend_from_slice(&[0; LEN]);
    key.seal_onto(&record_aad(vault, seq, prev), &body::pad(body), out);
    let sealed = (out.len() - start - LEN) as u32;
    out[start..start + LEN].copy_from_slice(&sealed.to_be_bytes());
    link(prev, &out[start..])
}

/// A record's sequence number and body.
pub(crate) type Numbered = (u64, Box<[u8]>);

/// A walk over the frames of a segment, in order, opening each.
pub(crate) struct Walk<'a> {
    key: &'a AeadKey,
    vault: VaultId,
    bytes: &'a [u8],
    at: Place,
}

/// Where a walk stands: after the record `seq`, whose frame ends at `offset` and has this hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Place {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
    pub(crate) seq: u64,
    pub(crate) hash: Hash,
}

/// Why the next frame cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The bytes end within the frame.
    Incomplete,
    /// The frame is whole but does not open, and is the last.
    BadLast,
    /// Zeros up to the end.
    Zeros,
    /// It does not open, and more follows.
    Bad,
}

// === impl Walk ===

impl<'a> Walk<'a> {
    /// Goes on from `at` in the bytes of a whole segment.
    pub(crate) fn new(key: &'a AeadKey, vault: VaultId, bytes: &'a [u8], at: Place) -> Self {
        Self { key, vault, bytes, at }
    }

    /// After the last record that was given.
    pub(crate) fn place(&self) -> Place {
        self.at
    }

    /// The next record's body; nothing at the end.
    pub(crate) fn next(&mut self) -> Option<Result<Numbered, Fault>> {
        let rest =
            usize::try_from(self.at.offset).ok().and_then(|at| self.bytes.get(at..)).unwrap_or_default();
        if rest.is_empty() {
            return None;
        }
        Some(self.open(rest))
    }

    fn open(&mut self, rest: &[u8]) -> Result<Numbered, Fault> {
        if rest.iter().all(|b| *b == 0) {
            return Err(Fault::Zeros);
        }
        let (len, after) = rest.split_first_chunk::<LEN>().ok_or(Fault::Incomplete)?;
        let len = u32::from_be_bytes(*len) as usize;
        if !(SEALED_OVERHEAD..=SEALED_MAX).contains(&len) {
            return Err(Fault::Bad);
        }
        let sealed = after.get(..len).ok_or(Fault::Incomplete)?;
        let seq = self.at.seq + 1;
        let frame = &rest[..LEN + len];
        // After a power cut, zeros can stand for what followed.
        let is_last = || rest[frame.len()..].iter().all(|b| *b == 0);
        let bad = || if is_last() { Fault::BadLast } else { Fault::Bad };
        let content =
            self.key.open(&record_aad(self.vault, seq, &self.at.hash), sealed).map_err(|_| bad())?;
        // EXPOSE: a record holds no material; `Secret` is merely what the cipher gives.
        let body: Box<[u8]> = body::unpad(content.expose()).ok_or_else(bad)?.into();
        self.at = Place {
            seq,
            hash: link(&self.at.hash, frame),
            offset: self.at.offset + frame.len() as u64,
            segment: self.at.segment,
        };
        Ok((seq, body))
    }

    /// How many frames the rest of the bytes claims to hold, by the lengths alone.
    pub(crate) fn claimed(&self) -> u64 {
        let mut rest =
            usize::try_from(self.at.offset).ok().and_then(|at| self.bytes.get(at..)).unwrap_or_default();
        let mut frames = 0;
        while let Some((len, after)) = rest.split_first_chunk::<LEN>() {
            frames += 1;
            rest = match u32::from_be_bytes(*len) as usize {
                len if (SEALED_OVERHEAD..=SEALED_MAX).contains(&len) => after.get(len..).unwrap_or_default(),
                _ => &[],
            };
        }
        frames
    }
}
