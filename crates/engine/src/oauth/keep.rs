//! One keeper for each connection while the vault is unlocked, and the proxy's way to a token that is fresh.
//!
//! Must stay cheap where the token is good: a look into a map.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use claviger_model::{CredentialId, CredentialState, Kind, Timestamp};
use claviger_oauth::http::Http;
use claviger_oauth::{
    Connection, Facts, KeeperError, Lease, Shown, StoreError, TokenKeeper, TokenKind, Watcher,
};
use claviger_proxy::ports::{InForce, MaterialUnavailable, Opened, Term};
use claviger_secret::Material;
use claviger_vault::Unlocked;
use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::store::{VaultStore, read_connection};
use crate::Book;
use crate::engine::{Change, Engine, Inner};
use crate::error::EngineError;
use crate::live::wall_clock;

/// Locking waits no longer for a renewal that is under way.
const LONGEST_FAREWELL: Duration = Duration::from_secs(5);

/// A service that refuses a token which was just renewed refuses something else: its 401s renew nothing for so long.
const FUTILE: claviger_model::Duration = claviger_model::Duration(300_000);

/// All connections that can be used.
#[derive(Default)]
pub(crate) struct Keepers(ArcSwap<HashMap<CredentialId, Arc<Kept>>>);

/// One connection.
pub(crate) struct Kept {
    keeper: TokenKeeper,
    /// Why the last renewal came to nothing for now, and when that was.
    trouble: Mutex<Option<(Timestamp, String)>>,
    refusals: Mutex<Refusals>,
}

/// What the service's 401s have come to.
#[derive(Default)]
struct Refusals {
    /// The token that took the place of one that was refused.
    successor: Option<u64>,
    /// Until then a 401 renews nothing.
    futile_until: Option<Timestamp>,
}

/// Hears of each connection's fate.
struct Ears(Weak<Inner>);

// === impl Keepers ===

impl Keepers {
    pub(crate) fn find(&self, credential: CredentialId) -> Option<Arc<Kept>> {
        self.0.load().get(&credential).cloned()
    }

    pub(super) fn put(&self, credential: CredentialId, kept: &Arc<Kept>) {
        self.0.rcu(|all| {
            let mut all = HashMap::clone(all);
            all.insert(credential, Arc::clone(kept));
            all
        });
    }

    pub(super) fn take(&self, credential: CredentialId) -> Option<Arc<Kept>> {
        let before = self.0.rcu(|all| {
            let mut all = HashMap::clone(all);
            all.remove(&credential);
            all
        });
        before.get(&credential).cloned()
    }

    /// Forgets what the book no longer has.
    pub(crate) fn keep_only(&self, book: &Book) {
        let is_there = |id: &CredentialId| {
            book.credential_by_id(*id).is_some_and(|c| c.state != CredentialState::Revoked)
        };
        if self.0.load().keys().all(is_there) {
            return;
        }
        self.0.rcu(|all| {
            let mut all = HashMap::clone(all);
            all.retain(|id, _| is_there(id));
            all
        });
    }

    fn take_all(&self) -> Vec<Arc<Kept>> {
        self.0.swap(Arc::default()).values().cloned().collect()
    }

    fn all(&self) -> Vec<Arc<Kept>> {
        self.0.load().values().cloned().collect()
    }

    /// Connections that only a person can bring back: credential ids.
    pub(crate) fn broken(&self) -> Vec<CredentialId> {
        let all = self.0.load();
        let is_broken =
            |kept: &Kept| matches!(kept.keeper.facts().standing, claviger_oauth::Standing::Broken { .. });
        all.iter().filter(|(_, kept)| is_broken(kept)).map(|(id, _)| *id).collect()
    }
}

/// Keepers for every connection of an unlocked vault. One that cannot be read has none: its requests are refused.
pub(crate) fn keepers_of(engine: &Engine, vault: &Unlocked, book: &Book) -> Keepers {
    let mut all = HashMap::new();
    for credential in &book.credentials {
        if credential.kind != Kind::Oauth || credential.state == CredentialState::Revoked {
            continue;
        }
        match read_connection(vault, credential.id, credential.version) {
            Ok(Some(connection)) => {
                let http = engine.net_of(book.service_by_id(credential.service));
                all.insert(credential.id, engine.keeper(credential.id, connection, http));
            }
            Ok(None) => tracing::error!(credential = %credential.id, "a connection is not in the vault"),
            Err(why) => tracing::error!(credential = %credential.id, %why, "a connection cannot be read"),
        }
    }
    Keepers(ArcSwap::from_pointee(all))
}

// === impl Engine ===

impl Engine {
    pub(super) fn keeper(
        &self,
        credential: CredentialId,
        connection: Connection,
        http: Arc<dyn Http>,
    ) -> Arc<Kept> {
        let store = VaultStore { engine: Arc::downgrade(&self.inner), credential };
        let ears = Ears(Arc::downgrade(&self.inner));
        let keeper = TokenKeeper::new(connection, http, Arc::new(store), Arc::new(ears));
        Arc::new(Kept { keeper, trouble: Mutex::new(None), refusals: Mutex::default() })
    }

    /// Keeps a connection that was just stored, in the place of another that was closed.
    pub(super) fn keep(&self, credential: CredentialId, connection: Connection) -> Result<(), EngineError> {
        let service = self.read(|open| {
            let service = open.book.credential_by_id(credential).map(|c| c.service);
            Ok(service.and_then(|id| open.book.service_by_id(id)).cloned())
        })?;
        let kept = self.keeper(credential, connection, self.net_of(service.as_ref()));
        self.read(|open| {
            open.live.keepers.put(credential, &kept);
            Ok(())
        })
    }

    /// Keeps what the vault has. One that cannot be read is refused to requests.
    pub(super) fn keep_stored(&self, credential: CredentialId) {
        let kept = self.stored_connection(credential).and_then(|connection| match connection {
            Some(connection) => self.keep(credential, connection),
            None => Ok(()),
        });
        if let Err(why) = kept {
            tracing::error!(%credential, %why, "a connection that was stored cannot be used");
        }
    }

    /// Takes a connection out of use and waits for its renewal under way, so that what the server gave is stored.
    pub(super) fn close_keeper(&self, credential: CredentialId) -> Result<(), EngineError> {
        let kept = self.read(|open| Ok(open.live.keepers.take(credential)))?;
        match kept {
            Some(kept) => self.wait_for(async move { kept.keeper.close().await }),
            None => Ok(()),
        }
    }

    /// Ends all keepers. Whoever waits for one hears that the vault is locked.
    pub(super) fn close_keepers(&self) {
        // They stay where renewals can find the vault until they are closed.
        let Ok(all) = self.read(|open| Ok(open.live.keepers.all())) else { return };
        if all.is_empty() {
            return;
        }
        let closing = futures_util::future::join_all(all.into_iter().map(|kept| async move {
            kept.keeper.close().await;
        }));
        let closed =
            self.wait_for(async move { tokio::time::timeout(LONGEST_FAREWELL, closing).await.is_ok() });
        if !matches!(closed, Ok(true)) {
            tracing::warn!("a token server is slow; the vault is locked without its answer");
        }
        let _ = self.read(|open| Ok(open.live.keepers.take_all()));
    }

    /// Renews a connection's token now, although the old one may still be good. Waits for the network.
    pub fn oauth_refresh(&self, name: &str) -> Result<(), EngineError> {
        let kept = self.read(|open| {
            let credential = open.book.credential(name)?;
            if credential.kind != Kind::Oauth {
                return Err(EngineError::Invalid(format!("credential {name:?} is no OAuth connection")));
            }
            open.live.keepers.find(credential.id).ok_or_else(|| {
                EngineError::NeedsConsent(format!("credential {name:?} was disconnected; connect it anew"))
            })
        })?;
        let outcome = self.wait_for(async move {
            let now = wall_clock();
            let lease = kept.heard(kept.keeper.lease(now).await)?;
            match kept.keeper.refused(&lease, now).await {
                // It is a few seconds old; that is fresh enough.
                Err(KeeperError::FreshRefused) => Ok(()),
                other => kept.heard(other).map(|_| ()),
            }
        })?;
        outcome.map_err(|why| match why {
            KeeperError::Broken(_) | KeeperError::Revoking => {
                EngineError::NeedsConsent(format!("credential {name:?}: {why}"))
            }
            KeeperError::Ended => EngineError::NeedsConsent(format!(
                "credential {name:?} cannot be renewed: the server gave nothing to renew it with"
            )),
            KeeperError::Closed | KeeperError::Store(StoreError::Locked) => EngineError::Locked,
            KeeperError::Store(why) => EngineError::RecordUnavailable(why.to_string()),
            other => EngineError::Unavailable(format!("credential {name:?}: {other}")),
        })
    }
}

// === impl Kept ===

impl Kept {
    /// What is known about the connection, and why it could not be renewed just now.
    pub(super) fn standing(&self) -> (Facts, Option<String>) {
        let facts = self.keeper.facts();
        let trouble = self.trouble.lock().clone();
        let trouble = trouble.filter(|(at, _)| *at >= facts.obtained_at).map(|(_, why)| why);
        (facts, trouble)
    }

    /// The token in force, for one request.
    pub(crate) fn open(self: &Arc<Self>) -> Result<Opened, MaterialUnavailable> {
        let now = wall_clock();
        if let Some(leased) = self.keeper.lease(now).now_or_never() {
            return self
                .heard(leased)
                .map_err(|why| unavailable(&why, now))
                .and_then(|lease| in_force(&lease))
                .map(Opened::Now);
        }
        // It has ended; the renewal is under way, and this request waits for it beside others.
        let kept = Arc::clone(self);
        Ok(later(async move {
            let leased = kept.keeper.lease(now).await;
            kept.heard(leased).map_err(|why| unavailable(&why, now)).and_then(|lease| in_force(&lease))
        }))
    }

    /// The service refused the token of this term.
    pub(crate) fn refused(self: &Arc<Self>, term: Term) -> Result<Opened, MaterialUnavailable> {
        let now = wall_clock();
        let kept = Arc::clone(self);
        Ok(later(async move {
            let leased = kept.keeper.lease(now).await;
            let lease = kept.heard(leased).map_err(|why| unavailable(&why, now))?;
            if lease.generation != term.0 {
                return in_force(&lease);
            }
            if kept.refusals.lock().futile_until.is_some_and(|until| now < until) {
                return Err(MaterialUnavailable::Passing(1_000));
            }
            match kept.heard(kept.keeper.refused(&lease, now).await) {
                Ok(lease) => {
                    kept.refusals.lock().successor = Some(lease.generation);
                    in_force(&lease)
                }
                Err(KeeperError::FreshRefused) => {
                    let mut refusals = kept.refusals.lock();
                    if refusals.successor == Some(lease.generation) {
                        refusals.futile_until = Some(now.after(FUTILE));
                    }
                    Err(MaterialUnavailable::Passing(1_000))
                }
                // The token cannot be renewed, which does not mean that it is over: the service's answer is passed on.
                Err(KeeperError::Ended) => Err(MaterialUnavailable::Passing(1_000)),
                Err(why) => Err(unavailable(&why, now)),
            }
        }))
    }

    /// Remembers what a person should know about a renewal that did not come about.
    fn heard(&self, leased: Result<Lease, KeeperError>) -> Result<Lease, KeeperError> {
        let trouble = match &leased {
            Err(KeeperError::Unavailable { why, .. }) => Some(why.to_string()),
            Err(why @ KeeperError::Ended) => Some(why.to_string()),
            _ => None,
        };
        if let Some(why) = trouble {
            *self.trouble.lock() = Some((wall_clock(), why));
        }
        leased
    }
}

/// Work that goes on whether or not the request is still there.
fn later(work: impl Future<Output = Result<InForce, MaterialUnavailable>> + Send + 'static) -> Opened {
    let (done, answer) = oneshot::channel();
    tokio::spawn(async move {
        let _ = done.send(work.await);
    });
    Opened::Later(answer)
}

fn in_force(lease: &Lease) -> Result<InForce, MaterialUnavailable> {
    // A token that is bound to a key is no Bearer token (RFC 9449 §7.1), and none was asked for.
    if lease.kind() != TokenKind::Bearer {
        return Err(MaterialUnavailable::Unreadable);
    }
    let material = Material::key(lease.token().duplicate());
    Ok(InForce { material, term: Some(Term(lease.generation)) })
}

fn unavailable(why: &KeeperError, now: Timestamp) -> MaterialUnavailable {
    match why {
        KeeperError::Closed | KeeperError::Store(StoreError::Locked) => MaterialUnavailable::Locked,
        KeeperError::Unavailable { retry_at, .. } => {
            MaterialUnavailable::Passing((retry_at.0 - now.0).max(1_000))
        }
        KeeperError::FreshRefused | KeeperError::Store(StoreError::Unavailable) => {
            MaterialUnavailable::Passing(1_000)
        }
        _ => MaterialUnavailable::Ended,
    }
}

// === impl Ears ===

impl Watcher for Ears {
    fn broke(&self, _: &Facts, _: &Shown) {
        if let Some(inner) = self.0.upgrade() {
            let engine = Engine { inner };
            engine.tell(Change::Oauth);
            // Requests are refused from now on: a person has to see to it.
            engine.tell(Change::Attention);
        }
    }

    fn renewed(&self, _: &Facts) {
        if let Some(inner) = self.0.upgrade() {
            Engine { inner }.tell(Change::Oauth);
        }
    }
}
