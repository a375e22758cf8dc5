//! The proxy as a whole: its snapshot, its doors, its pool and its connections.
//!
//! Must not know how a request is carried.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::accept;
use crate::config::{Config, StartError};
use crate::conn::Conn;
use crate::ports::{OwnService, Ports, Snapshot};
use crate::upstream::Pool;

/// The loopback proxy. Clones are handles to the same proxy.
#[derive(Clone)]
pub struct Proxy(Arc<Shared>);

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) ports: Ports,
    pub(crate) snapshot: ArcSwapOption<Snapshot>,
    /// Counts the locks of the vault. What was released before the last one is cut.
    pub(crate) epoch: AtomicU64,
    pub(crate) pool: Pool,
    pub(crate) ticks: Arc<AtomicU32>,
    pub(crate) conns: Mutex<HashMap<u64, Arc<Conn>>>,
    /// Wakes the sweep: a first connection came, or everything must be looked at now.
    pub(crate) sweep_now: Notify,
    /// Wakes whoever waits for the last connection to go.
    pub(crate) conn_gone: Notify,
    /// Ports that this proxy listens on; it never dials them.
    pub(crate) own_ports: Mutex<Vec<u16>>,
    /// Releases whose completion is not on record yet.
    pub(crate) releases: AtomicUsize,
    /// Who answers what agents ask of Claviger itself.
    pub(crate) own_service: Mutex<Option<Arc<dyn OwnService>>>,
    latency: Latency,
}

/// The last requests' time in our own part.
struct Latency {
    slots: Box<[AtomicU32]>,
    next: AtomicUsize,
}

// === impl Proxy ===

impl Proxy {
    /// A proxy without a snapshot: every request is answered "locked".
    pub fn new(config: Config, ports: Ports) -> Result<Self, StartError> {
        config.check()?;
        Ok(Self(Arc::new(Shared {
            pool: Pool::new(&config),
            config,
            ports,
            snapshot: ArcSwapOption::empty(),
            epoch: AtomicU64::new(0),
            ticks: Arc::new(AtomicU32::new(0)),
            conns: Mutex::new(HashMap::new()),
            sweep_now: Notify::new(),
            conn_gone: Notify::new(),
            own_ports: Mutex::new(Vec::new()),
            releases: AtomicUsize::new(0),
            own_service: Mutex::new(None),
            latency: Latency::new(),
        })))
    }

    /// Puts a new snapshot in force. `None` means locked: idle upstream connections are dropped and open streams cut.
    pub fn install(&self, snapshot: Option<Arc<Snapshot>>) {
        match snapshot {
            Some(snapshot) => {
                self.0.pool.keep_only(&snapshot);
                self.0.snapshot.store(Some(snapshot));
            }
            None => {
                self.0.snapshot.store(None);
                // After the snapshot is gone: whoever still read it is caught by the epoch.
                self.0.epoch.fetch_add(1, Ordering::AcqRel);
                self.0.pool.clear();
            }
        }
        self.0.sweep_now.notify_one();
    }

    /// Waits until every release has its completion on record, for at most `within`. For use after
    /// [`install`](Self::install)`(None)`, which cuts them; blocks, so never on a thread that carries requests.
    pub fn settle(&self, within: Duration) -> bool {
        let until = Instant::now() + within;
        while self.0.releases.load(Ordering::Acquire) != 0 {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }

    /// Says who answers what agents ask of Claviger itself. Without anybody, there is nothing at `/mcp`.
    pub fn answer_agents(&self, service: Option<Arc<dyn OwnService>>) {
        *self.0.own_service.lock() = service;
    }

    /// Accepts connections until `stop`, then lets open requests end for a few seconds.
    pub async fn serve(&self, listener: TcpListener, stop: CancellationToken) {
        accept::serve(self.0.clone(), listener, stop).await;
    }

    /// Median and 99th percentile of our own part, in microseconds, over the last requests.
    pub fn added_latency(&self) -> Option<(u64, u64)> {
        self.0.latency.percentiles()
    }
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proxy")
    }
}

// === impl Shared ===

impl Shared {
    pub(crate) fn took(&self, own_us: u32) {
        self.latency.push(own_us);
    }
}

// === impl Latency ===

impl Latency {
    const SLOTS: usize = 1024;
    const UNUSED: u32 = u32::MAX;

    fn new() -> Self {
        let slots = (0..Self::SLOTS).map(|_| AtomicU32::new(Self::UNUSED)).collect();
        Self { slots, next: AtomicUsize::new(0) }
    }

    fn push(&self, us: u32) {
        let slot = self.next.fetch_add(1, Ordering::Relaxed) % Self::SLOTS;
        self.slots[slot].store(us.min(Self::UNUSED - 1), Ordering::Relaxed);
    }

    fn percentiles(&self) -> Option<(u64, u64)> {
        let mut seen: Vec<u32> = self
            .slots
            .iter()
            .map(|slot| slot.load(Ordering::Relaxed))
            .filter(|us| *us != Self::UNUSED)
            .collect();
        seen.sort_unstable();
        let at = |percent: usize| {
            seen.get((seen.len() * percent).div_ceil(100).max(1) - 1).copied().map(u64::from)
        };
        Some((at(50)?, at(99)?))
    }
}
