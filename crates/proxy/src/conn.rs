//! One connection from an agent: what the gate found, what is under way on it, and how it is to end.
//!
//! Must not know HTTP. Times here are ticks of the sweep, so that the request path reads no clock for them.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

use claviger_model::RefusalCode;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::accept::Hosts;
use crate::head::{Fault, Violation};
use crate::ports::{AgentEntry, Route};
use crate::proxy::Shared;

/// The part of a connection that the gate writes and the sweep reads.
pub(crate) struct Wire {
    ticks: Arc<AtomicU32>,
    last: AtomicU32,
    has_partial_head: AtomicBool,
    heads: AtomicU32,
    done: AtomicU32,
    violation: Mutex<Option<Violation>>,
    body_fault: OnceLock<Fault>,
}

/// One connection from an agent.
pub(crate) struct Conn {
    pub(crate) shared: Arc<Shared>,
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) wire: Arc<Wire>,
    live: Mutex<Option<Live>>,
    ending: AtomicU8,
    pub(crate) ended: Notify,
}

/// A release under way, and what would cut it.
struct Live {
    agent: Arc<AgentEntry>,
    route: Arc<Route>,
    epoch: u64,
}

/// How a connection is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Ending {
    /// Not at all.
    Open = 0,
    /// After the answer under way.
    Drain = 1,
    /// At once: nothing moved for too long.
    Stalled = 2,
    /// At once: what was granted ended.
    Cut = 3,
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Waiting for a request.
    Nothing,
    /// Receiving a head.
    Head,
    /// Carrying a request.
    Request,
}

// === impl Wire ===

impl Wire {
    pub(crate) fn new(ticks: Arc<AtomicU32>) -> Self {
        let last = AtomicU32::new(ticks.load(Ordering::Relaxed));
        Self {
            ticks,
            last,
            has_partial_head: AtomicBool::new(false),
            heads: AtomicU32::new(0),
            done: AtomicU32::new(0),
            violation: Mutex::new(None),
            body_fault: OnceLock::new(),
        }
    }

    /// Something moved.
    pub(crate) fn progress(&self) {
        self.last.store(self.ticks.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    pub(crate) fn heads_passed(&self, count: u32) {
        if count > 0 {
            self.heads.fetch_add(count, Ordering::Relaxed);
            self.has_partial_head.store(false, Ordering::Relaxed);
        }
    }

    pub(crate) fn head_is_partial(&self, is_partial: bool) {
        self.has_partial_head.store(is_partial, Ordering::Relaxed);
    }

    pub(crate) fn request_done(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.progress();
    }

    pub(crate) fn refuse_head(&self, violation: Violation) {
        *self.violation.lock() = Some(violation);
    }

    pub(crate) fn violation(&self) -> Option<Violation> {
        self.violation.lock().take()
    }

    pub(crate) fn break_body(&self, fault: Fault) {
        // A second fault cannot come: nothing is read after the first.
        let _ = self.body_fault.set(fault);
    }

    pub(crate) fn body_fault(&self) -> Option<Fault> {
        self.body_fault.get().copied()
    }

    /// What is going on and since how many ticks nothing has moved.
    pub(crate) fn doing(&self) -> (Doing, u32) {
        let still = self.ticks.load(Ordering::Relaxed).wrapping_sub(self.last.load(Ordering::Relaxed));
        let (heads, done) = (self.heads.load(Ordering::Relaxed), self.done.load(Ordering::Relaxed));
        let doing = if heads != done {
            Doing::Request
        } else if heads == 0 || self.has_partial_head.load(Ordering::Relaxed) {
            // The first head is awaited as if it had begun: a connection without a request is no use.
            Doing::Head
        } else {
            Doing::Nothing
        };
        (doing, still)
    }
}

// === impl Conn ===

impl Conn {
    pub(crate) fn new(shared: Arc<Shared>, hosts: Arc<Hosts>) -> Self {
        let wire = Arc::new(Wire::new(shared.ticks.clone()));
        Self { shared, hosts, wire, live: Mutex::new(None), ending: AtomicU8::new(0), ended: Notify::new() }
    }

    /// A credential is about to be released on this connection.
    pub(crate) fn release_begins(&self, agent: Arc<AgentEntry>, route: Arc<Route>, epoch: u64) {
        *self.live.lock() = Some(Live { agent, route, epoch });
    }

    /// The release is over, one way or another.
    pub(crate) fn release_ends(&self) {
        *self.live.lock() = None;
    }

    /// Whether what the release under way rests on has ended, as the refusal that it would now get.
    pub(crate) fn must_be_cut(&self) -> Option<RefusalCode> {
        let live = self.live.lock();
        let live = live.as_ref()?;
        if live.epoch != self.shared.epoch.load(Ordering::Acquire) {
            Some(RefusalCode::VaultLocked)
        } else if live.agent.cut.is_cancelled() {
            Some(RefusalCode::Unauthenticated)
        } else if live.route.cut.is_cancelled() {
            Some(RefusalCode::GrantMissing)
        } else {
            None
        }
    }

    /// Asks the connection to end. A harder ending overrides a softer one.
    pub(crate) fn end(&self, how: Ending) {
        self.ending.fetch_max(how as u8, Ordering::AcqRel);
        self.ended.notify_one();
    }

    pub(crate) fn ending(&self) -> Ending {
        match self.ending.load(Ordering::Acquire) {
            0 => Ending::Open,
            1 => Ending::Drain,
            2 => Ending::Stalled,
            _ => Ending::Cut,
        }
    }
}
