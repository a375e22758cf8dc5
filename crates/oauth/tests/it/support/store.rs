//! A token store in memory that counts and can be told to fail, and a watcher that listens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use claviger_oauth::{Connection, Facts, Hold, Shown, StoreError, TokenStore, Watcher};
use claviger_secret::Secret;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

/// What two processes share: the bytes, and the right to renew.
#[derive(Clone)]
pub(crate) struct Memory {
    bytes: Arc<Mutex<Secret>>,
    right: Arc<tokio::sync::Mutex<()>>,
    pub(crate) commits: Arc<AtomicU32>,
    pub(crate) refuses: Arc<Mutex<Option<StoreError>>>,
}

impl Memory {
    pub(crate) fn holding(connection: &Connection) -> Self {
        Self {
            bytes: Arc::new(Mutex::new(connection.encode())),
            right: Arc::default(),
            commits: Arc::default(),
            refuses: Arc::default(),
        }
    }

    pub(crate) fn stored(&self) -> Connection {
        Connection::decode(&self.bytes.lock()).expect("what was stored is whole")
    }

    pub(crate) fn put(&self, connection: &Connection) {
        *self.bytes.lock() = connection.encode();
    }
}

impl TokenStore for Memory {
    fn hold(&self) -> BoxFuture<'_, Result<Hold, StoreError>> {
        Box::pin(async move {
            let guard: Hold = Box::new(Arc::clone(&self.right).lock_owned().await);
            Ok(guard)
        })
    }

    fn load(&self) -> BoxFuture<'_, Result<Connection, StoreError>> {
        Box::pin(async move { Ok(self.stored()) })
    }

    fn commit<'a>(&'a self, connection: &'a Connection) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            if let Some(error) = self.refuses.lock().clone() {
                return Err(error);
            }
            self.put(connection);
            self.commits.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
    }
}

/// Counts what is said.
#[derive(Default)]
pub(crate) struct Ears {
    pub(crate) broke: AtomicU32,
    pub(crate) renewed: AtomicU32,
    pub(crate) heard: Mutex<Vec<String>>,
}

impl Watcher for Ears {
    fn broke(&self, facts: &Facts, why: &Shown) {
        self.broke.fetch_add(1, Ordering::SeqCst);
        self.heard.lock().push(format!("{facts:?} {why}"));
    }

    fn renewed(&self, facts: &Facts) {
        self.renewed.fetch_add(1, Ordering::SeqCst);
        self.heard.lock().push(format!("{facts:?}"));
    }
}
