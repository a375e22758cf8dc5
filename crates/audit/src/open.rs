//! Opening: where the log ends, what of its end is torn, whether anything is missing, and counting what came after the
//! saved roll-ups. Nothing is cut but a torn tail, and nothing is passed over in silence.
//!
//! Must not know how records are appended.

use std::io;
use std::path::Path;

use claviger_model::{Completion, EventId, Outcome, Record, Timestamp};

use crate::disk;
use crate::error::OpenError;
use crate::frame::{Fault, Place};
use crate::header::{Header, HeaderFault};
use crate::log::{Head, Opened, Shared};
use crate::seal::{Keys, genesis};
use crate::segments::{self, Segment};
use crate::views::Views;
use crate::writer::{MakeDisk, Writer};

/// An incomplete frame that is longer than this is no torn tail but damage, and stays where it is.
const TORN: u64 = 4 * 1024;

/// What opening found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenReport {
    /// The last record, after opening.
    pub head: Head,
    /// Bytes that were cut off the end: a record that was being written when the process or the machine ended.
    pub torn_tail: Option<TornTail>,
    /// The log does not reach the head that the vault noted, or has another record there.
    pub truncated: Option<Truncated>,
    /// The first part that does not open. It was left in place; verification will name it from now on.
    pub damage: Option<Damage>,
    /// Releases without completion that were closed as *unknown*.
    pub unfinished: u64,
    /// The roll-ups had to be counted anew from the first record.
    pub is_usage_rebuilt: bool,
}

/// Bytes that were cut off the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// How many.
    pub bytes: u64,
    /// The last whole record before them.
    pub after_seq: u64,
}

/// The log does not bear out the head that the vault noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncated {
    /// What the vault noted.
    pub expected: Head,
    /// The last record that is there.
    pub found: Head,
}

/// A part of the log that does not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The first record that is affected.
    pub seq: u64,
    /// What is wrong, in words.
    pub what: String,
}

// === impl OpenReport ===

impl OpenReport {
    /// Whether there is nothing to tell the user.
    pub const fn is_clean(&self) -> bool {
        self.torn_tail.is_none() && self.truncated.is_none() && self.damage.is_none()
    }
}

/// The scan in progress.
struct Scan<'a> {
    dir: &'a Path,
    keys: &'a Keys,
    views: Views,
    expected: Option<Head>,
    /// The hash at the expected sequence number, once it was passed.
    at_expected: Option<Head>,
    torn_tail: Option<TornTail>,
    damage: Option<Damage>,
    /// The last segment's bytes cannot be added to.
    is_end_bad: bool,
    /// Sequence numbers up to here are laid claim to, even if their records cannot be read.
    claimed: u64,
}

pub(crate) fn open(
    dir: &Path,
    keys: Keys,
    expected: Option<Head>,
    make_disk: &MakeDisk,
) -> Result<Opened, OpenError> {
    disk::ensure_dir(dir).map_err(|error| match error.kind() {
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            OpenError::NotADirectory(dir.to_owned())
        }
        _ => OpenError::io("make the directory", dir)(error),
    })?;
    segments::sweep(dir).map_err(OpenError::io("clear", dir))?;
    let expected = expected.filter(|head| head.seq > 0);
    let numbers = segments::list(dir).map_err(OpenError::io("list", dir))?;
    let headers = read_headers(dir, &keys, &numbers)?;

    let origin = Place { segment: 0, offset: 0, seq: 0, hash: genesis(keys.vault) };
    let loaded = Views::load(dir, &keys).filter(|views| views.place().seq > 0);
    let is_usage_rebuilt = loaded.is_none() && !numbers.is_empty();
    let mut scan = Scan {
        dir,
        keys: &keys,
        views: loaded.unwrap_or_else(|| Views::new(origin)),
        expected,
        at_expected: None,
        torn_tail: None,
        damage: None,
        is_end_bad: false,
        claimed: 0,
    };
    scan.run(&numbers, &headers)?;

    let found: Head = { scan.views.place() }.into();
    let truncated = expected
        .filter(|expected| match scan.at_expected {
            Some(at) => at.hash != expected.hash,
            None => expected.seq > found.seq,
        })
        .map(|expected| Truncated { expected, found });
    let Scan { mut views, torn_tail, damage, is_end_bad, claimed, .. } = scan;

    let mut segments: Vec<(u64, u64)> = headers.iter().flatten().map(|h| (h.number, h.first_seq)).collect();
    let last = numbers.last().copied().unwrap_or(0);
    let is_cut = truncated.is_some_and(|t| t.expected.seq > t.found.seq);
    let resumable = headers.last().and_then(Option::as_ref).filter(|_| !is_end_bad && !is_cut);
    let place = views.place();
    let writer = match resumable {
        Some(header) => Writer::resume(dir, &keys, header, place, make_disk)
            .map_err(OpenError::io("open for writing", segments::path(dir, header.number)))?,
        None => {
            // Numbers that somebody may have noted are not given out again.
            let seq = place.seq.max(claimed).max(expected.map_or(0, |head| head.seq));
            let after = Place { segment: last, offset: 0, seq, hash: place.hash };
            let is_after_damage = is_end_bad || is_cut;
            let (writer, header) = Writer::begin(dir, &keys, after, is_after_damage, make_disk)
                .map_err(OpenError::io("begin", segments::path(dir, last + 1)))?;
            segments.push((header.number, header.first_seq));
            writer
        }
    };
    views.skip_to(writer.place());
    let report = OpenReport {
        head: { writer.place() }.into(),
        torn_tail,
        truncated,
        damage,
        unfinished: 0,
        is_usage_rebuilt,
    };
    Ok(Opened { keys, writer, views, segments, report })
}

/// The headers, with nothing in place of those that do not open.
fn read_headers(dir: &Path, keys: &Keys, numbers: &[u64]) -> Result<Vec<Option<Header>>, OpenError> {
    let mut headers = Vec::with_capacity(numbers.len());
    let mut faults = 0;
    for &number in numbers {
        let path = || segments::path(dir, number);
        match segments::header(dir, number, keys).map_err(|e| OpenError::io("read", path())(e))? {
            Ok(header) => headers.push(Some(header)),
            Err(HeaderFault::Newer) => return Err(OpenError::NewerFormat),
            Err(HeaderFault::OtherVault) => return Err(OpenError::OtherVault(dir.to_owned())),
            Err(fault) => {
                tracing::warn!(number, ?fault, "the header of a segment of the audit log does not open");
                faults += usize::from(fault == HeaderFault::Unauthentic);
                headers.push(None);
            }
        }
    }
    if faults > 0 && faults == numbers.len() { Err(OpenError::WrongKey) } else { Ok(headers) }
}

// === impl Scan ===

impl Scan<'_> {
    fn run(&mut self, numbers: &[u64], headers: &[Option<Header>]) -> Result<(), OpenError> {
        // Everything up to the saved place was checked when it was written there; verification checks it again.
        let from = self.views.place();
        if let Some(expected) = self.expected.filter(|head| head.seq == from.seq) {
            self.at_expected = Some(Head { seq: expected.seq, hash: from.hash });
        }
        let mut is_first = true;
        for (index, (&number, header)) in numbers.iter().zip(headers).enumerate() {
            let is_last = index + 1 == numbers.len();
            let wanted = index as u64 + 1;
            if number != wanted && numbers.get(index.wrapping_sub(1)) != Some(&(number - 1)) {
                self.damaged(format!("segment {} is missing", number - 1));
            }
            if number < from.segment {
                continue;
            }
            let Some(header) = header else {
                self.damaged(format!("the header of segment {number} does not open"));
                self.is_end_bad = is_last;
                continue;
            };
            self.segment(number, header, is_first && number == from.segment, is_last)?;
            is_first = false;
        }
        if numbers.last().is_none_or(|last| *last < from.segment) && from.segment > 0 {
            self.damaged(format!("segment {} is missing", from.segment));
            self.is_end_bad = true;
        }
        Ok(())
    }

    fn segment(
        &mut self,
        number: u64,
        header: &Header,
        resumes: bool,
        is_last: bool,
    ) -> Result<(), OpenError> {
        let path = segments::path(self.dir, number);
        let read = Segment::read(self.dir, number, self.keys, None).map_err(OpenError::io("read", &path))?;
        let Ok(segment) = read else {
            self.damaged(format!("the header of segment {number} does not open"));
            self.is_end_bad = is_last;
            return Ok(());
        };
        let place = self.views.place();
        let len = segment.bytes.len() as u64;
        if resumes && place.offset > len {
            // What is saved was on the disk before it was saved, so this is no crash.
            self.damaged(format!("segment {number} was cut below what is known of it"));
            self.is_end_bad = is_last;
            return Ok(());
        }
        let start = segments::start(header);
        if !resumes {
            let is_linked = start.seq == place.seq && start.hash == place.hash;
            if !is_linked && !header.is_after_damage {
                self.damaged(format!("segment {number} does not follow the one before"));
            }
            self.views.skip_to(start);
        }
        let mut walk = segment.walk_from(self.views.place());
        while let Some(next) = walk.next() {
            match next {
                Ok((seq, body)) => {
                    let place = walk.place();
                    self.views.apply(seq, body, place);
                    if self.expected.is_some_and(|head| head.seq == seq) {
                        self.at_expected = Some(place.into());
                    }
                }
                Err(fault) => {
                    let claimed = walk.place().seq.saturating_add(walk.claimed());
                    return self.fault(fault, len, claimed, is_last);
                }
            }
        }
        Ok(())
    }

    /// The walk cannot go on after the place of the views.
    fn fault(&mut self, fault: Fault, len: u64, claimed: u64, is_last: bool) -> Result<(), OpenError> {
        let place = self.views.place();
        let bytes = len - place.offset;
        let is_torn = match fault {
            Fault::Zeros | Fault::BadLast => true,
            Fault::Incomplete => bytes <= TORN,
            Fault::Bad => false,
        };
        if is_last && is_torn {
            let path = segments::path(self.dir, place.segment);
            let cut = || {
                use crate::disk::Disk;
                let file = disk::open_to_append(&path)?;
                file.cut(place.offset)?;
                file.sync()
            };
            cut().map_err(OpenError::io("cut the torn end of", &path))?;
            self.torn_tail = Some(TornTail { bytes, after_seq: place.seq });
            return Ok(());
        }
        self.claimed = self.claimed.max(claimed);
        self.damaged(format!("record {} in segment {} does not open", place.seq + 1, place.segment));
        self.is_end_bad = is_last;
        Ok(())
    }

    /// Notes the first damage; later damage may only follow from it.
    fn damaged(&mut self, what: String) {
        tracing::error!(what, "the audit log is damaged");
        let seq = self.views.place().seq + 1;
        self.damage.get_or_insert(Damage { seq, what });
    }
}

/// Closes the releases whose end is not known.
pub(crate) fn close_unfinished(shared: &Shared, events: &[EventId], at: Timestamp) {
    for &event in events {
        let completion = Completion {
            event,
            at,
            outcome: Outcome::Unknown,
            status: 0,
            bytes_up: 0,
            bytes_down: 0,
            head_us: 0,
            total_us: 0,
            own_us: 0,
            model: None,
            usage: None,
        };
        if shared.append(&Record::Completion(completion)).is_err() {
            // The next open tries again.
            return;
        }
    }
}

impl From<Place> for Head {
    fn from(place: Place) -> Self {
        Self { seq: place.seq, hash: place.hash }
    }
}
