//! The log's own thread: tells the disk to keep what was written, writes what nobody else wrote, saves the roll-ups.
//!
//! It sleeps for good while nothing happens. Must not know what records mean.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::log::{Durability, Shared};

/// A record that was put off is written after this, counted from the tick that found it.
const SOON: Duration = Duration::from_millis(4);
/// While things happen, the thread looks this often by itself: waking it for each record would cost more than the record.
const TICK: Duration = Duration::from_millis(4);
/// What was written is on the disk after this.
const SYNC: Duration = Duration::from_millis(50);
/// The roll-ups are saved this often while they change, and less often when they are large.
const SAVE: Duration = Duration::from_secs(30);
const SAVE_BYTES: usize = 256 * 1024;
/// Two writes within this are company for one another.
const QUIET: Duration = Duration::from_millis(1);

/// How others reach the thread.
pub(crate) struct Wake {
    state: Mutex<State>,
    condvar: Condvar,
    /// Something was written and not synced.
    is_dirty: AtomicBool,
    /// Something waits for being written, and nobody is about to.
    is_soon: AtomicBool,
    /// The thread looks by itself within a tick; nobody needs to wake it.
    is_ticking: AtomicBool,
    began: Instant,
    /// Nanoseconds since `began`.
    last_write: AtomicU64,
}

#[derive(Default)]
struct State {
    waiters: Vec<Done>,
    is_closing: bool,
}

/// Told whether a record is on the disk.
pub(crate) type Done = Box<dyn FnOnce(bool) + Send>;

pub(crate) fn start(shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("claviger-audit".to_owned()).spawn(move || run(&shared))
}

/// When the thread last did what.
struct Times {
    soon_since: Option<Instant>,
    dirty_since: Option<Instant>,
    saved: Instant,
    save_every: Duration,
    is_unsaved: bool,
}

fn run(shared: &Shared) {
    let wake = &shared.wake;
    let mut times = Times {
        soon_since: None,
        dirty_since: None,
        saved: Instant::now(),
        save_every: SAVE,
        is_unsaved: shared.with_views(|views| views.is_unsaved()),
    };
    loop {
        let (waiters, is_closing) = wake.wait(&mut times, shared.durability);
        let now = Instant::now();
        shared.lead();
        times.soon_since = None;
        if is_closing || !waiters.is_empty() || times.is_sync_due(now, shared.durability) {
            wake.is_dirty.store(false, Ordering::Release);
            times.dirty_since = None;
            let is_kept = shared.sync();
            for done in waiters {
                done(is_kept);
            }
        }
        times.is_unsaved = shared.with_views(|views| views.is_unsaved());
        if times.is_unsaved && (is_closing || now >= times.saved + times.save_every) {
            if let Some(size) = shared.save_usage() {
                times.save_every = SAVE * u32::try_from(1 + size / SAVE_BYTES).unwrap_or(u32::MAX);
                times.is_unsaved = false;
            }
            times.saved = now;
        }
        if is_closing {
            return;
        }
    }
}

// === impl Times ===

impl Times {
    fn sync_due(&self, durability: Durability) -> Option<Instant> {
        let after = if durability == Durability::Strict { Duration::ZERO } else { SYNC };
        self.dirty_since.map(|since| since + after)
    }

    fn is_sync_due(&self, now: Instant, durability: Durability) -> bool {
        self.sync_due(durability).is_some_and(|due| due <= now)
    }

    fn next(&self, durability: Durability) -> Option<Instant> {
        let soon = self.soon_since.map(|since| since + SOON);
        let save = self.is_unsaved.then(|| self.saved + self.save_every);
        [soon, self.sync_due(durability), save].into_iter().flatten().min()
    }
}

// === impl Wake ===

impl Wake {
    /// Sleeps until there is something to do.
    fn wait(&self, times: &mut Times, durability: Durability) -> (Vec<Done>, bool) {
        let mut state = self.state.lock();
        loop {
            let now = Instant::now();
            // Whoever sets a flag looks at this one afterwards, and here it is the other way round: with one order over
            // all four, either the flag is seen here or the thread is woken there.
            self.is_ticking.store(false, Ordering::SeqCst);
            times.soon_since = self.is_soon.load(Ordering::SeqCst).then(|| times.soon_since.unwrap_or(now));
            times.dirty_since =
                self.is_dirty.load(Ordering::SeqCst).then(|| times.dirty_since.unwrap_or(now));
            let due = times.next(durability);
            if state.is_closing || !state.waiters.is_empty() || due.is_some_and(|due| due <= now) {
                // Until the work is done and this is called again.
                self.is_ticking.store(true, Ordering::SeqCst);
                return (std::mem::take(&mut state.waiters), state.is_closing);
            }
            let is_ticking = times.soon_since.is_some() || times.dirty_since.is_some();
            self.is_ticking.store(is_ticking, Ordering::SeqCst);
            let due = if is_ticking { due.map(|due| due.min(now + TICK)) } else { due };
            match due {
                Some(due) => {
                    self.condvar.wait_until(&mut state, due);
                }
                None => self.condvar.wait(&mut state),
            }
        }
    }

    fn poke(&self) {
        if self.is_ticking.load(Ordering::SeqCst) {
            return;
        }
        // Taken so that the thread is either before its look at the flags or asleep.
        drop(self.state.lock());
        self.condvar.notify_one();
    }

    /// Something was written.
    pub(crate) fn wrote(&self) {
        self.last_write.store(self.elapsed(), Ordering::Relaxed);
        if !self.is_dirty.swap(true, Ordering::SeqCst) {
            self.poke();
        }
    }

    /// Something waits and should be written soon.
    pub(crate) fn soon(&self) {
        if !self.is_soon.swap(true, Ordering::SeqCst) {
            self.poke();
        }
    }

    /// Whoever says this is about to write everything that waits.
    pub(crate) fn soon_is_done(&self) {
        self.is_soon.store(false, Ordering::Release);
    }

    /// Calls `done` after the next sync, which is now. The record was written before.
    pub(crate) fn when_synced(&self, done: Done) {
        self.state.lock().waiters.push(done);
        self.condvar.notify_one();
    }

    pub(crate) fn close(&self) {
        self.state.lock().is_closing = true;
        self.condvar.notify_one();
    }

    /// Whether the last write is a while ago.
    pub(crate) fn is_quiet(&self) -> bool {
        let since = self.elapsed().saturating_sub(self.last_write.load(Ordering::Relaxed));
        since >= QUIET.as_nanos() as u64
    }

    fn elapsed(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }
}

impl Default for Wake {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            condvar: Condvar::new(),
            is_dirty: AtomicBool::new(false),
            is_soon: AtomicBool::new(false),
            is_ticking: AtomicBool::new(false),
            began: Instant::now(),
            last_write: AtomicU64::new(0),
        }
    }
}
