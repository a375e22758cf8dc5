//! Tokens stay fresh: one renewal at a time per connection whatever the load, the new token stored before it is used, a
//! dead connection said once.
//!
//! Must not know the vault: it loads and commits through [`TokenStore`]. It reads no clock; every call brings `now`.

mod renew;

use std::sync::Arc;

use claviger_model::Timestamp;
use claviger_secret::{AccessToken, Secret};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::connection::{Connection, Facts, Standing};
use crate::http::Http;
use crate::{DpopKey, Endpoint, KeyError, Shown, TokenKind};

/// A token refused by its service this soon after it was obtained is not renewed: the next would be refused as well.
const FRESH: i64 = 10_000;

/// Where a connection is kept.
pub trait TokenStore: Send + Sync + 'static {
    /// Takes the right to renew this connection, among tasks and processes. Dropping the hold gives it back.
    fn hold(&self) -> BoxFuture<'_, Result<Hold, StoreError>>;
    /// The connection as it is stored now, perhaps by another process.
    fn load(&self) -> BoxFuture<'_, Result<Connection, StoreError>>;
    /// Stores it. When this returns, it survives a power cut.
    fn commit<'a>(&'a self, connection: &'a Connection) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// The right to renew, until it is dropped.
pub type Hold = Box<dyn Send>;

/// The store does not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The vault is locked.
    #[error("the vault is locked")]
    Locked,
    /// The connection was removed.
    #[error("the connection is gone")]
    Gone,
    /// It cannot be read or written.
    #[error("the vault cannot be read or written")]
    Unavailable,
}

/// Hears what happens to a connection. Each is said once.
pub trait Watcher: Send + Sync + 'static {
    /// The server no longer takes it; only a new consent helps.
    fn broke(&self, facts: &Facts, why: &Shown);
    /// It has new tokens, which are stored.
    fn renewed(&self, facts: &Facts);
}

/// Why there is no token to use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeeperError {
    /// Only a new consent helps.
    #[error("the connection must be consented to again: {0}")]
    Broken(Shown),
    /// It is being given back.
    #[error("the connection is being given back")]
    Revoking,
    /// It ended, and it has no way of renewal.
    #[error("the access token ended, and the server gave none to renew it with")]
    Ended,
    /// The server cannot be asked right now.
    #[error("the token cannot be renewed right now: {why}")]
    Unavailable {
        /// Why, in a line.
        why: Shown,
        /// Nothing is tried before.
        retry_at: Timestamp,
    },
    /// The service refuses a token that is fresh.
    #[error("the service refuses a fresh token")]
    FreshRefused,
    /// The new token is not stored, so it is not used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keeper was closed: the vault is being locked.
    #[error("the vault is locked")]
    Closed,
}

/// A token to use now.
#[derive(Clone)]
pub struct Lease {
    token: Arc<AccessToken>,
    kind: TokenKind,
    dpop: Option<Arc<DpopKey>>,
    /// Which access token of its connection it is.
    pub generation: u64,
}

/// Keeps one connection.
pub struct TokenKeeper {
    inner: Arc<Inner>,
}

struct Inner {
    http: Arc<dyn Http>,
    store: Arc<dyn TokenStore>,
    watcher: Arc<dyn Watcher>,
    state: Mutex<State>,
}

struct State {
    connection: Arc<Connection>,
    /// Obtained but not stored yet: stored first, and used only then.
    unstored: Option<Arc<Connection>>,
    /// The renewal under way.
    flight: Option<Flight>,
    /// Nothing is asked before this moment, after that many failures.
    pause: Option<(Timestamp, u32, Shown)>,
    is_closed: bool,
}

/// How a renewal ends.
type Landing = Option<Result<(), KeeperError>>;
type Flight = watch::Receiver<Landing>;

/// What a caller does next.
enum Plan {
    Use(Lease),
    Wait(Flight),
    Refuse(KeeperError),
}

// === impl Lease ===

impl Lease {
    /// The token. It goes into `Authorization` and nowhere else.
    pub fn token(&self) -> &Secret {
        self.token.secret()
    }

    /// The scheme that goes before it.
    pub fn kind(&self) -> TokenKind {
        self.kind
    }

    /// The proof that goes beside it (RFC 9449), for a token that is bound to a key.
    pub fn proof(&self, method: &str, url: &Endpoint, now: Timestamp) -> Result<Option<Secret>, KeyError> {
        self.dpop.as_ref().map(|key| key.proof(method, url, Some(&self.token), now)).transpose()
    }

    /// Keeps a nonce that the service asked for. Says whether the request is worth one more try.
    pub fn learn_nonce(&self, url: &Endpoint, nonce: &str) -> bool {
        self.dpop.as_ref().is_some_and(|key| key.learn_nonce(url, nonce))
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lease(generation {})", self.generation)
    }
}

// === impl TokenKeeper ===

impl TokenKeeper {
    /// Keeps a connection that is stored already.
    pub fn new(
        connection: Connection,
        http: Arc<dyn Http>,
        store: Arc<dyn TokenStore>,
        watcher: Arc<dyn Watcher>,
    ) -> Self {
        let state = State {
            connection: Arc::new(connection),
            unstored: None,
            flight: None,
            pause: None,
            is_closed: false,
        };
        Self { inner: Arc::new(Inner { http, store, watcher, state: Mutex::new(state) }) }
    }

    /// What is known about the connection.
    pub fn facts(&self) -> Facts {
        self.inner.state.lock().connection.facts.clone()
    }

    /// A token to use now. While it is still good but due, one renewal starts and nobody waits for it; when it has
    /// ended, all wait for the same one.
    pub async fn lease(&self, now: Timestamp) -> Result<Lease, KeeperError> {
        let plan = self.inner.plan(now);
        self.follow(plan).await
    }

    /// The service refused this token: renews it once, unless somebody did already.
    pub async fn refused(&self, lease: &Lease, now: Timestamp) -> Result<Lease, KeeperError> {
        let plan = self.inner.plan_refused(lease, now);
        self.follow(plan).await
    }

    /// Starts nothing more, and waits for the renewal under way, so that no token that the server gave is lost.
    pub async fn close(&self) {
        let flight = {
            let mut state = self.inner.state.lock();
            state.is_closed = true;
            state.flight.clone()
        };
        if let Some(flight) = flight {
            let _ = landed(flight).await;
        }
    }

    async fn follow(&self, plan: Plan) -> Result<Lease, KeeperError> {
        match plan {
            Plan::Use(lease) => Ok(lease),
            Plan::Refuse(error) => Err(error),
            Plan::Wait(flight) => {
                landed(flight).await?;
                // Whatever the renewal left is used, unless it left a connection that is broken.
                let state = self.inner.state.lock();
                state.may_be_used().map(|()| state.lease())
            }
        }
    }
}

async fn landed(mut flight: Flight) -> Result<(), KeeperError> {
    let lost = KeeperError::Store(StoreError::Unavailable);
    let landing = flight.wait_for(Option::is_some).await.map_err(|_| lost.clone())?;
    landing.clone().unwrap_or(Err(lost))
}

// === impl Inner ===

impl Inner {
    fn plan(self: &Arc<Self>, now: Timestamp) -> Plan {
        let mut state = self.state.lock();
        if let Err(error) = state.may_be_used() {
            return Plan::Refuse(error);
        }
        let facts = &state.connection.facts;
        let has_ended = facts.has_ended(now);
        // A token that waits for being stored is tried to be stored beside; until then the old one serves.
        let is_due = has_ended || state.unstored.is_some() || facts.due_at().is_some_and(|due| now >= due);
        if !is_due {
            return Plan::Use(state.lease());
        }
        let flight = self.take_off(&mut state, now);
        match (has_ended, flight) {
            (true, Ok(flight)) => Plan::Wait(flight),
            (true, Err(error)) => Plan::Refuse(error),
            // Still good: whether the renewal started does not matter to this request.
            (false, _) => Plan::Use(state.lease()),
        }
    }

    fn plan_refused(self: &Arc<Self>, lease: &Lease, now: Timestamp) -> Plan {
        let mut state = self.state.lock();
        if let Err(error) = state.may_be_used() {
            return Plan::Refuse(error);
        }
        let facts = &state.connection.facts;
        if facts.generation != lease.generation {
            return Plan::Use(state.lease());
        }
        if (0..FRESH).contains(&(now.0 - facts.obtained_at.0)) {
            return Plan::Refuse(KeeperError::FreshRefused);
        }
        match self.take_off(&mut state, now) {
            Ok(flight) => Plan::Wait(flight),
            Err(error) => Plan::Refuse(error),
        }
    }

    /// The renewal under way, or a new one. It runs on its own: no caller that goes away takes it along.
    fn take_off(self: &Arc<Self>, state: &mut State, now: Timestamp) -> Result<Flight, KeeperError> {
        if let Some(flight) = &state.flight
            && flight.has_changed().is_ok()
        {
            return Ok(flight.clone());
        }
        if state.is_closed {
            return Err(KeeperError::Closed);
        }
        if let Some((retry_at, _, why)) = &state.pause
            && now < *retry_at
        {
            return Err(KeeperError::Unavailable { why: why.clone(), retry_at: *retry_at });
        }
        let (landing, flight) = watch::channel(None);
        state.flight = Some(flight.clone());
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            let outcome = inner.renew(now).await;
            inner.state.lock().flight = None;
            let _ = landing.send(Some(outcome));
        });
        Ok(flight)
    }
}

// === impl State ===

impl State {
    fn may_be_used(&self) -> Result<(), KeeperError> {
        match &self.connection.facts.standing {
            _ if self.is_closed => Err(KeeperError::Closed),
            Standing::Live => Ok(()),
            Standing::Broken { why, .. } => Err(KeeperError::Broken(why.clone())),
            Standing::Revoking { .. } => Err(KeeperError::Revoking),
        }
    }

    fn lease(&self) -> Lease {
        let connection = &self.connection;
        Lease {
            token: Arc::clone(&connection.access),
            kind: connection.facts.kind,
            dpop: connection.dpop.clone(),
            generation: connection.facts.generation,
        }
    }
}
