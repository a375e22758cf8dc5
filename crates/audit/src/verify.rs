//! Verification: every record of every segment, from the first on, and the head against what the vault noted.
//!
//! Must not know what records mean. It stops at the first thing that is wrong.

use std::io;
use std::path::Path;

use claviger_model::VaultId;
use claviger_secret::Secret;

use crate::error::ReadError;
use crate::frame::{Fault, Place};
use crate::header::HeaderFault;
use crate::log::{Head, Shared};
use crate::seal::{Keys, genesis};
use crate::segments::{self, Segment};

/// What verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// Whole and in order.
    pub ok: bool,
    /// How many records were checked.
    pub records: u64,
    /// The last good record.
    pub head: Head,
    /// The first bad record, if any.
    pub first_bad: Option<u64>,
    /// What is wrong with it, in words.
    pub problem: Option<String>,
}

/// Verifies a log that no process has open. A log without files is good unless a head is expected.
pub fn verify_offline(dir: &Path, vault: VaultId, key: &Secret) -> VerifyReport {
    verify_offline_expecting(dir, vault, key, None)
}

/// Verifies a log that no process has open, against the head that the vault noted.
pub fn verify_offline_expecting(
    dir: &Path,
    vault: VaultId,
    key: &Secret,
    expected: Option<Head>,
) -> VerifyReport {
    let keys = Keys::new(vault, key);
    let mut check = Check::new(vault, expected);
    let numbers = match segments::list(dir) {
        Ok(numbers) => numbers,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return check.bad(format!("the log's directory cannot be listed: {error}")),
    };
    for number in numbers {
        let read = match Segment::read(dir, number, &keys, None) {
            Ok(read) => read,
            Err(error) => return check.bad(format!("segment {number} cannot be read: {error}")),
        };
        if let Err(problem) = check.segment(number, &read) {
            return check.bad(problem);
        }
    }
    check.finish()
}

/// Verifies an open log up to what is written now.
pub(crate) fn online(shared: &Shared) -> Result<VerifyReport, ReadError> {
    let end = shared.place();
    let mut check = Check::new(shared.keys.read().as_ref().ok_or(ReadError::Closed)?.vault, shared.expected);
    let list = |source| ReadError::Io { path: shared.dir.clone(), source };
    for number in segments::list(&shared.dir).map_err(list)? {
        if number > end.segment {
            break;
        }
        let len = (number == end.segment).then_some(end.offset);
        // The keys are held for one segment at a time, so that locking the vault need not wait for all of them.
        let read = match shared.keys.read().as_ref() {
            None => return Err(ReadError::Closed),
            Some(keys) => Segment::read(&shared.dir, number, keys, len),
        };
        let read = match read {
            Ok(read) => read,
            Err(error) => return Ok(check.bad(format!("segment {number} cannot be read: {error}"))),
        };
        if let Err(problem) = check.segment(number, &read) {
            return Ok(check.bad(problem));
        }
    }
    if check.place != end {
        return Ok(check.bad(format!("records up to {} were written and are not there", end.seq)));
    }
    Ok(check.finish())
}

struct Check {
    place: Place,
    records: u64,
    expected: Option<Head>,
}

// === impl Check ===

impl Check {
    fn new(vault: VaultId, expected: Option<Head>) -> Self {
        let place = Place { segment: 0, offset: 0, seq: 0, hash: genesis(vault) };
        Self { place, records: 0, expected: expected.filter(|head| head.seq > 0) }
    }

    fn bad(&self, problem: String) -> VerifyReport {
        VerifyReport {
            ok: false,
            records: self.records,
            head: self.place.into(),
            first_bad: Some(self.place.seq + 1),
            problem: Some(problem),
        }
    }

    fn finish(self) -> VerifyReport {
        match self.expected {
            Some(expected) if expected.seq > self.place.seq => self.bad(format!(
                "the vault knows of {} records; the last {} are missing",
                expected.seq,
                expected.seq - self.place.seq
            )),
            _ => VerifyReport {
                ok: true,
                records: self.records,
                head: self.place.into(),
                first_bad: None,
                problem: None,
            },
        }
    }

    /// Checks one segment as the next one. The error says what is wrong with the record after the place.
    fn segment(&mut self, number: u64, read: &Result<Segment, HeaderFault>) -> Result<(), String> {
        if number != self.place.segment + 1 {
            return Err(format!("segment {} is missing", self.place.segment + 1));
        }
        let segment = read.as_ref().map_err(|fault| match fault {
            HeaderFault::Short => format!("segment {number} is shorter than its header"),
            HeaderFault::NotALog => format!("segment {number} is no segment of an audit log"),
            HeaderFault::Newer => format!("segment {number} was written by a newer version of Claviger"),
            HeaderFault::OtherVault => format!("segment {number} belongs to another vault"),
            HeaderFault::Unauthentic => format!("the header of segment {number} was changed or moved"),
        })?;
        if segment.header.is_after_damage {
            return Err(format!(
                "records {} to {} were damaged or missing when the log was opened",
                self.place.seq + 1,
                segment.header.first_seq.saturating_sub(1).max(self.place.seq + 1)
            ));
        }
        let start = segments::start(&segment.header);
        if start.seq != self.place.seq || start.hash != self.place.hash {
            return Err(format!(
                "segment {number} does not follow the one before; records between them are missing"
            ));
        }
        let mut walk = segment.walk();
        self.place = walk.place();
        while let Some(next) = walk.next() {
            match next {
                Ok((seq, _)) => {
                    let place = walk.place();
                    if self.expected.is_some_and(|head| head.seq == seq && head.hash != place.hash) {
                        return Err(format!("record {seq} is not the one that the vault noted"));
                    }
                    self.place = place;
                    self.records += 1;
                }
                Err(Fault::Incomplete) => return Err(format!("segment {number} ends within a record")),
                Err(Fault::Zeros) => return Err(format!("segment {number} ends in zeros")),
                Err(Fault::BadLast | Fault::Bad) => {
                    return Err(format!("a record in segment {number} was changed, removed or moved"));
                }
            }
        }
        Ok(())
    }
}
