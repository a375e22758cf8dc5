//! The log as others see it: append, read, verify, close.
//!
//! Appends are combined: whoever gets to the writer first writes everything that waits. Must not know how segments are
//! laid out, nor what becomes of records once they are written.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use claviger_model::{AgentId, CredentialId, Duration, Record, Timestamp, VaultId};
use claviger_secret::Secret;
use parking_lot::{Mutex, RwLock};

use crate::background::{self, Wake};
use crate::body;
use crate::entries::{self, Filter, Page};
use crate::error::{AppendError, OpenError, ReadError};
use crate::open::{self, OpenReport};
use crate::seal::{Hash, Keys};
use crate::usage::{SeriesStep, UsageBy, UsageTotals};
use crate::verify::{self, VerifyReport};
use crate::views::{self, Inbox, Views};
use crate::writer::{self, Job, MakeDisk, Writer};

/// How many written records may wait for being counted before an append counts them itself.
const INBOX: usize = 32_768;

/// When the disk is told to keep what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// At most 50 ms later. A power cut can lose that much; ending the process loses nothing.
    Relaxed,
    /// At once; [`Log::append_durable`] tells when.
    Strict,
}

/// The last record: its sequence number and its hash, which stands for everything before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its sequence number; 0 for an empty log.
    pub seq: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// The open log. Clones are the same log; it closes with the last one.
#[derive(Clone)]
pub struct Log(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the log's users and its background thread share.
pub(crate) struct Shared {
    pub(crate) dir: PathBuf,
    pub(crate) durability: Durability,
    /// What the vault expected when the log was opened.
    pub(crate) expected: Option<Head>,
    /// Gone after close.
    pub(crate) keys: RwLock<Option<Keys>>,
    queue: Mutex<Queue>,
    writer: Mutex<Writer>,
    /// Number and first sequence number of each segment, in order.
    pub(crate) segments: RwLock<Vec<(u64, u64)>>,
    inbox: Mutex<Inbox>,
    views: Mutex<Views>,
    pub(crate) wake: Wake,
    synced_seq: AtomicU64,
    has_sync_failed: AtomicBool,
}

/// Records that wait for the writer. Their sequence numbers are already theirs.
struct Queue {
    next_seq: u64,
    jobs: Vec<Job>,
    is_stopped: bool,
}

/// What opening found, to go on from.
pub(crate) struct Opened {
    pub(crate) keys: Keys,
    pub(crate) writer: Writer,
    pub(crate) views: Views,
    pub(crate) segments: Vec<(u64, u64)>,
    pub(crate) report: OpenReport,
}

// === impl Log ===

impl Log {
    /// Opens the log in `dir`, making it if there is none. `key` is the vault's audit key; `expected` is the head that
    /// the vault noted last. Releases that no completion follows are closed as *unknown*.
    pub fn open(
        dir: &Path,
        vault: VaultId,
        key: &Secret,
        durability: Durability,
        expected: Option<Head>,
    ) -> Result<(Self, OpenReport), OpenError> {
        Self::open_on(
            dir,
            Keys::new(vault, key),
            durability,
            expected,
            &(Arc::new(writer::real_disk) as MakeDisk),
        )
    }

    pub(crate) fn open_on(
        dir: &Path,
        keys: Keys,
        durability: Durability,
        expected: Option<Head>,
        make_disk: &MakeDisk,
    ) -> Result<(Self, OpenReport), OpenError> {
        let Opened { keys, writer, views, segments, mut report } =
            open::open(dir, keys, expected, make_disk)?;
        let place = writer.place();
        let unfinished = views.usage.pending();
        let at = views.usage.latest().unwrap_or(Timestamp(0));
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            durability,
            expected,
            keys: RwLock::new(Some(keys)),
            queue: Mutex::new(Queue { next_seq: place.seq + 1, jobs: Vec::new(), is_stopped: false }),
            writer: Mutex::new(writer),
            segments: RwLock::new(segments),
            inbox: Mutex::new(Inbox { jobs: Vec::new(), place }),
            views: Mutex::new(views),
            wake: Wake::default(),
            synced_seq: AtomicU64::new(0),
            has_sync_failed: AtomicBool::new(false),
        });
        report.unfinished = unfinished.len() as u64;
        open::close_unfinished(&shared, &unfinished, at);
        report.head = shared.head();
        let thread = background::start(Arc::clone(&shared)).map_err(OpenError::Thread)?;
        Ok((Self(Arc::new(Handle { shared, thread: Mutex::new(Some(thread)) })), report))
    }

    /// Adds a record. When this returns, the record is with the operating system and outlives the process.
    pub fn append(&self, record: &Record) -> Result<u64, AppendError> {
        self.0.shared.append(record)
    }

    /// Adds a record as [`Log::append`] does, and calls `done(true)` once it is on the disk, or `done(false)` if that
    /// failed. When this returns an error, `done` is not called. `done` runs on the log's thread and must be short.
    pub fn append_durable(
        &self,
        record: &Record,
        done: impl FnOnce(bool) + Send + 'static,
    ) -> Result<u64, AppendError> {
        let seq = self.0.shared.append(record)?;
        self.0.shared.wake.when_synced(Box::new(done));
        Ok(seq)
    }

    /// Adds a record that is with the operating system within 10 ms. Never waits for another append.
    pub fn append_soon(&self, record: &Record) -> Result<(), AppendError> {
        self.0.shared.append_soon(record)
    }

    /// Returns when everything that was added is on the disk.
    pub fn flush(&self) -> Result<(), AppendError> {
        let shared = &self.0.shared;
        shared.lead();
        if shared.sync() && !shared.writer.lock().is_poisoned() {
            Ok(())
        } else {
            Err(AppendError::Unavailable)
        }
    }

    /// The last record that is with the operating system. Whoever notes it elsewhere flushes first: a noted head that a
    /// power cut takes back looks like a log that was cut.
    pub fn head(&self) -> Head {
        self.0.shared.head()
    }

    /// Entries, newest first; at most `limit` (of 10,000 at most), and only those older than `before`.
    pub fn entries(&self, filter: &Filter, limit: usize, before: Option<u64>) -> Result<Page, ReadError> {
        self.0.shared.lead();
        entries::page(&self.0.shared, filter, limit, before)
    }

    /// Checks every record from the first on, and the head against what the vault expected at open.
    pub fn verify(&self) -> Result<VerifyReport, ReadError> {
        self.0.shared.lead();
        verify::online(&self.0.shared)
    }

    /// Totals over a range, in whole minutes, hours or days according to age.
    pub fn usage(&self, since: Option<Timestamp>, until: Option<Timestamp>, by: UsageBy) -> Vec<UsageTotals> {
        self.0.shared.with_views(|views| views.usage.totals(since, until, by))
    }

    /// Even steps over a range, oldest first, none left out.
    pub fn series(&self, since: Timestamp, step: Duration, until: Timestamp) -> Vec<SeriesStep> {
        self.0.shared.with_views(|views| views.usage.series(since, step, until))
    }

    /// When the credential was last released.
    pub fn last_used(&self, credential: CredentialId) -> Option<Timestamp> {
        self.0.shared.with_views(|views| views.usage.last_used(credential))
    }

    /// When the agent last made a request, refused or not.
    pub fn last_seen(&self, agent: AgentId) -> Option<Timestamp> {
        self.0.shared.with_views(|views| views.usage.last_seen(agent))
    }

    /// Writes out everything, saves the roll-ups, and wipes the keys. Nothing can be added or read afterwards.
    pub fn close(&self) {
        self.0.close();
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0.shared
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("seq", &self.head().seq).finish_non_exhaustive()
    }
}

// === impl Handle ===

impl Handle {
    fn close(&self) {
        // Held until the end, so that whoever closes second returns when it is closed.
        let mut thread = self.thread.lock();
        let Some(thread) = thread.take() else { return };
        self.shared.queue.lock().is_stopped = true;
        self.shared.wake.close();
        if thread.join().is_err() {
            tracing::error!("the audit log's thread ended early; the last records may not be on the disk");
        }
        *self.shared.keys.write() = None;
        self.shared.writer.lock().drop_key();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

// === impl Shared ===

impl Shared {
    pub(crate) fn append(&self, record: &Record) -> Result<u64, AppendError> {
        let seq = self.enqueue(record)?;
        let mut writer = self.writer.lock();
        if writer.place().seq < seq {
            self.lead_with(&mut writer);
        }
        if writer.place().seq >= seq { Ok(seq) } else { Err(AppendError::Unavailable) }
    }

    fn append_soon(&self, record: &Record) -> Result<(), AppendError> {
        self.enqueue(record)?;
        // When little happens, writing at once costs less than waking a thread for it. When much happens, the next
        // append takes this record along.
        match self.writer.try_lock() {
            Some(mut writer) if self.wake.is_quiet() => self.lead_with(&mut writer),
            _ => self.wake.soon(),
        }
        Ok(())
    }

    fn enqueue(&self, record: &Record) -> Result<u64, AppendError> {
        let body = body::encode(record)?;
        let mut queue = self.queue.lock();
        if queue.is_stopped {
            return Err(AppendError::Unavailable);
        }
        let seq = queue.next_seq;
        queue.next_seq += 1;
        queue.jobs.push(Job { seq, body });
        Ok(seq)
    }

    /// Writes everything that waits.
    pub(crate) fn lead(&self) {
        self.lead_with(&mut self.writer.lock());
    }

    fn lead_with(&self, writer: &mut Writer) {
        self.wake.soon_is_done();
        let mut jobs = std::mem::take(&mut self.queue.lock().jobs);
        if jobs.is_empty() {
            return;
        }
        let written = match self.keys.read().as_ref() {
            Some(keys) => writer.write(&jobs, keys),
            None => Err(std::io::ErrorKind::Other.into()),
        };
        if let Err(error) = written {
            tracing::error!(%error, "the audit log cannot be written; nothing is released until it is opened again");
            self.queue.lock().is_stopped = true;
        }
        let begun = writer.take_begun();
        if !begun.is_empty() {
            self.segments.write().extend(begun.iter().map(|header| (header.number, header.first_seq)));
        }
        let place = writer.place();
        jobs.retain(|job| job.seq <= place.seq);
        let waiting = {
            let mut inbox = self.inbox.lock();
            inbox.jobs.append(&mut jobs);
            inbox.place = place;
            inbox.jobs.len()
        };
        if waiting > INBOX {
            self.with_views(|_| ());
        }
        self.wake.wrote();
    }

    /// Tells the disk to keep everything that was written so far. Says whether it does.
    pub(crate) fn sync(&self) -> bool {
        let (disk, place) = {
            let writer = self.writer.lock();
            (writer.disk(), writer.place())
        };
        if self.has_sync_failed.load(Ordering::Acquire) {
            return false;
        }
        if place.seq <= self.synced_seq.load(Ordering::Acquire) {
            return true;
        }
        match disk.sync() {
            Ok(()) => {
                self.synced_seq.fetch_max(place.seq, Ordering::AcqRel);
                true
            }
            Err(error) => {
                // After a failed sync nobody knows what the disk has; a second try could claim success (fsyncgate).
                tracing::error!(%error, "the disk did not keep the audit log; nothing is released until it is opened again");
                self.has_sync_failed.store(true, Ordering::Release);
                self.queue.lock().is_stopped = true;
                self.writer.lock().poison();
                false
            }
        }
    }

    /// Saves the roll-ups; gives the size of what was written.
    pub(crate) fn save_usage(&self) -> Option<usize> {
        let (seq, content) = self.with_views(|views| views.snapshot())?;
        if self.synced_seq.load(Ordering::Acquire) < seq && !self.sync() {
            return None;
        }
        let saved = views::save(&self.dir, self.keys.read().as_ref()?, &content);
        if let Err(error) = saved {
            tracing::warn!(%error, "cannot save the usage roll-ups; they will be counted anew");
            return None;
        }
        self.views.lock().mark_saved(seq);
        Some(content.len())
    }

    /// The views, with everything that was written in them.
    pub(crate) fn with_views<R>(&self, work: impl FnOnce(&mut Views) -> R) -> R {
        let mut views = self.views.lock();
        // Never the other way round: the inbox is taken by whoever writes.
        let mut inbox = self.inbox.lock();
        let mut waiting = Inbox { jobs: std::mem::take(&mut inbox.jobs), place: inbox.place };
        drop(inbox);
        views.drain(&mut waiting);
        work(&mut views)
    }

    /// After the last record that is with the operating system.
    pub(crate) fn place(&self) -> crate::frame::Place {
        self.writer.lock().place()
    }

    fn head(&self) -> Head {
        let place = self.place();
        Head { seq: place.seq, hash: place.hash }
    }
}

impl From<(u64, Hash)> for Head {
    fn from((seq, hash): (u64, Hash)) -> Self {
        Self { seq, hash }
    }
}
