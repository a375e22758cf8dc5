//! The end of the log where records are added: one writer, whole frames only, rotation, and the end after a failure.
//!
//! Must not know who waits, nor what records mean.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use claviger_crypto::{AeadKey, random_bytes};
use claviger_model::VaultId;

use crate::disk::{self, Disk};
use crate::frame::{self, Place};
use crate::header::Header;
use crate::seal::Keys;
use crate::segments::{self, SEGMENT_BYTES};

/// Frames are handed to the operating system in pieces of about this size.
const CHUNK: usize = 256 * 1024;

/// A record that waits for being written.
pub(crate) struct Job {
    pub(crate) seq: u64,
    pub(crate) body: Box<[u8]>,
}

/// Makes the file of a new segment. Tests put one in place that runs full.
pub(crate) type MakeDisk = Arc<dyn Fn(&Path) -> io::Result<Arc<dyn Disk>> + Send + Sync>;

/// The log's end.
pub(crate) struct Writer {
    dir: PathBuf,
    vault: VaultId,
    disk: Arc<dyn Disk>,
    make_disk: MakeDisk,
    /// After the last record that is with the operating system.
    place: Place,
    /// Wiped at close.
    key: Option<AeadKey>,
    /// A write or sync failed. Nothing is added any more.
    is_poisoned: bool,
    buffer: Vec<u8>,
    /// Segments that were begun since they were last asked for.
    begun: Vec<Header>,
}

/// Opens a segment's file.
pub(crate) fn real_disk(path: &Path) -> io::Result<Arc<dyn Disk>> {
    Ok(Arc::new(disk::open_to_append(path)?))
}

// === impl Writer ===

impl Writer {
    /// Goes on at the end of an existing segment.
    pub(crate) fn resume(
        dir: &Path,
        keys: &Keys,
        header: &Header,
        place: Place,
        make_disk: &MakeDisk,
    ) -> io::Result<Self> {
        let key = keys.segment(header.number, &header.salt).map_err(|_| io::ErrorKind::InvalidData)?;
        let path = segments::path(dir, header.number);
        Ok(Self {
            dir: dir.to_owned(),
            vault: keys.vault,
            disk: make_disk(&path)?,
            make_disk: Arc::clone(make_disk),
            place,
            key: Some(key),
            is_poisoned: false,
            buffer: Vec::new(),
            begun: Vec::new(),
        })
    }

    /// Begins a segment and goes on there.
    pub(crate) fn begin(
        dir: &Path,
        keys: &Keys,
        after: Place,
        is_after_damage: bool,
        make_disk: &MakeDisk,
    ) -> io::Result<(Self, Header)> {
        let header = make_segment(dir, keys, after, is_after_damage)?;
        Self::resume(dir, keys, &header, segments::start(&header), make_disk).map(|writer| (writer, header))
    }

    /// After the last record that is with the operating system.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// The file as of now, to be synced without holding the writer.
    pub(crate) fn disk(&self) -> Arc<dyn Disk> {
        Arc::clone(&self.disk)
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        self.is_poisoned
    }

    /// Ends appending.
    pub(crate) fn poison(&mut self) {
        self.is_poisoned = true;
    }

    /// Wipes the key; nothing can be added any more.
    pub(crate) fn drop_key(&mut self) {
        self.key = None;
        self.is_poisoned = true;
    }

    /// Segments that were begun since this was last asked.
    pub(crate) fn take_begun(&mut self) -> Vec<Header> {
        std::mem::take(&mut self.begun)
    }

    /// Writes the records in order. After an error, those up to [`Writer::place`] are written and the rest are not.
    pub(crate) fn write(&mut self, jobs: &[Job], keys: &Keys) -> io::Result<()> {
        let mut rest = jobs;
        while !rest.is_empty() {
            if self.is_poisoned {
                return Err(io::ErrorKind::Other.into());
            }
            if self.place.offset >= SEGMENT_BYTES {
                self.rotate(keys).inspect_err(|_| self.is_poisoned = true)?;
            }
            rest = self.write_chunk(rest)?;
        }
        Ok(())
    }

    /// Writes as many records as make one piece; gives those that are left.
    fn write_chunk<'a>(&mut self, jobs: &'a [Job]) -> io::Result<&'a [Job]> {
        let key = self.key.as_ref().ok_or(io::ErrorKind::Other)?;
        self.buffer.clear();
        let mut end = self.place;
        let mut taken = 0;
        for job in jobs {
            debug_assert_eq!(job.seq, end.seq + 1, "records are numbered in the order of writing");
            end.hash = frame::write(key, self.vault, job.seq, &end.hash, &job.body, &mut self.buffer);
            end.seq = job.seq;
            taken += 1;
            let len = self.buffer.len();
            if len >= CHUNK || self.place.offset + len as u64 >= SEGMENT_BYTES {
                break;
            }
        }
        end.offset = self.place.offset + self.buffer.len() as u64;
        if let Err(error) = self.disk.append(&self.buffer) {
            // Whatever part was written goes away again. Should that fail too, the next open cuts it.
            self.is_poisoned = true;
            if let Err(second) = self.disk.cut(self.place.offset) {
                tracing::error!(error = %second, "cannot cut the audit log back after a failed write");
            }
            return Err(error);
        }
        if self.buffer.capacity() > 2 * CHUNK {
            self.buffer = Vec::new();
        }
        self.place = end;
        Ok(&jobs[taken..])
    }

    /// Closes the segment and begins the next. The old one is on the disk first, so that a power cut cannot leave a
    /// segment whose predecessor lacks its end.
    fn rotate(&mut self, keys: &Keys) -> io::Result<()> {
        self.disk.sync()?;
        let (mut next, header) = Self::begin(&self.dir, keys, self.place, false, &self.make_disk)?;
        next.buffer = std::mem::take(&mut self.buffer);
        next.begun = std::mem::take(&mut self.begun);
        next.begun.push(header);
        *self = next;
        Ok(())
    }
}

fn make_segment(dir: &Path, keys: &Keys, after: Place, is_after_damage: bool) -> io::Result<Header> {
    let header = Header {
        vault: keys.vault,
        number: after.segment + 1,
        first_seq: after.seq + 1,
        prev: after.hash,
        is_after_damage,
        salt: random_bytes(),
    };
    let key = keys.segment(header.number, &header.salt).map_err(|_| io::ErrorKind::InvalidData)?;
    disk::put(&segments::path(dir, header.number), &header.encode(&key))?;
    Ok(header)
}
