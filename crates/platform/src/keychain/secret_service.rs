//! The Secret Service (GNOME Keyring, KWallet, KeePassXC) over D-Bus, on a thread of its own.
//!
//! A call may wait for a person who is asked to unlock the keychain, so nobody waits for it longer than the patience
//! allows; the thread goes on waiting, and calls in the meantime are told that the keychain does not answer. Values are
//! base64 text, because KWallet keeps nothing else. Must not know what they mean.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use claviger_secret::Secret;
use keyring_core::Entry;
use keyring_core::api::CredentialStoreApi;
use zbus_secret_service_keyring_store::Store;
use zeroize::Zeroizing;

use super::{Keychain, KeychainError, locked};

/// Under this name entries are found; it must never change.
const SERVICE: &str = "dev.claviger.app";

const PATIENCE: Duration = Duration::from_secs(5);

/// The Secret Service of this session.
pub(crate) struct SystemKeychain {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
}

enum Ask {
    Load,
    Store(Secret),
    Remove,
    Look,
}

struct Job {
    name: String,
    ask: Ask,
    /// Nobody waits for the answer any more; then it must not be carried out late.
    is_abandoned: Arc<AtomicBool>,
    answer: mpsc::SyncSender<Result<Option<Secret>, KeychainError>>,
}

// === impl SystemKeychain ===

impl SystemKeychain {
    pub(crate) fn new() -> Self {
        Self { jobs: Mutex::new(None) }
    }

    fn ask(&self, name: &str, ask: Ask) -> Result<Option<Secret>, KeychainError> {
        let (answer, answered) = mpsc::sync_channel(1);
        let is_abandoned = Arc::new(AtomicBool::new(false));
        let job = Job { name: name.to_owned(), ask, is_abandoned: is_abandoned.clone(), answer };
        self.worker()?.send(job).map_err(|_| KeychainError::Unavailable)?;
        match answered.recv_timeout(PATIENCE) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => {
                is_abandoned.store(true, Ordering::SeqCst);
                Err(KeychainError::TimedOut)
            }
            Err(RecvTimeoutError::Disconnected) => Err(KeychainError::Unavailable),
        }
    }

    fn worker(&self) -> Result<mpsc::Sender<Job>, KeychainError> {
        let mut jobs = locked(&self.jobs);
        if let Some(jobs) = &*jobs {
            return Ok(jobs.clone());
        }
        let (sender, queue) = mpsc::channel::<Job>();
        std::thread::Builder::new()
            .name("keychain".into())
            .spawn(move || work(&queue))
            .map_err(|_| KeychainError::Unavailable)?;
        *jobs = Some(sender.clone());
        Ok(sender)
    }
}

impl Keychain for SystemKeychain {
    fn load(&self, name: &str) -> Result<Secret, KeychainError> {
        self.ask(name, Ask::Load)?.ok_or(KeychainError::Absent)
    }

    fn store(&self, name: &str, secret: &Secret) -> Result<(), KeychainError> {
        self.ask(name, Ask::Store(secret.duplicate())).map(drop)
    }

    fn remove(&self, name: &str) -> Result<(), KeychainError> {
        self.ask(name, Ask::Remove).map(drop)
    }

    fn look(&self, name: &str) -> Result<(), KeychainError> {
        self.ask(name, Ask::Look).map(drop)
    }
}

fn work(queue: &mpsc::Receiver<Job>) {
    let mut store = None;
    while let Ok(job) = queue.recv() {
        if job.is_abandoned.load(Ordering::SeqCst) {
            continue;
        }
        let answer = carry_out(&mut store, &job.name, &job.ask);
        if answer.is_err_and_broken() {
            // The connection may be what is broken; the next call makes a new one.
            store = None;
        }
        // The one who asked may have gone.
        let _ = job.answer.send(answer);
    }
}

trait Broken {
    fn is_err_and_broken(&self) -> bool;
}

impl<T> Broken for Result<T, KeychainError> {
    fn is_err_and_broken(&self) -> bool {
        matches!(self, Err(KeychainError::Unavailable))
    }
}

fn carry_out(store: &mut Option<Arc<Store>>, name: &str, ask: &Ask) -> Result<Option<Secret>, KeychainError> {
    if store.is_none() {
        *store = Some(Store::new().map_err(|why| sorted(&why))?);
    }
    let Some(store) = store else { return Err(KeychainError::Unavailable) };
    let label = format!("Claviger {name}");
    let entry = store
        .build(SERVICE, name, Some(&HashMap::from([("label", label.as_str())])))
        .map_err(|why| sorted(&why))?;
    match ask {
        Ask::Load => load(&entry).map(Some),
        Ask::Look if default_is_locked() => Err(KeychainError::Locked),
        Ask::Look => load(&entry).map(|_| None),
        Ask::Remove => entry.delete_credential().map(|()| None).map_err(|why| sorted(&why)),
        Ask::Store(secret) => {
            // EXPOSE: handed to the keychain as text.
            let text = Zeroizing::new(STANDARD.encode(secret.expose()));
            entry.set_secret(text.as_bytes()).map(|()| None).map_err(|why| sorted(&why))
        }
    }
}

fn load(entry: &Entry) -> Result<Secret, KeychainError> {
    let text = Zeroizing::new(entry.get_secret().map_err(|why| sorted(&why))?);
    // An entry that is no text of ours is not absent: a new secret must not take its place.
    STANDARD.decode(text.as_slice()).map(Secret::from).map_err(|_| KeychainError::Unavailable)
}

/// Whether the collection that entries go to is locked. `false` when it cannot be told: reading then finds out.
fn default_is_locked() -> bool {
    let locked = || -> zbus::Result<bool> {
        let bus = zbus::blocking::Connection::session()?;
        let collection = zbus::blocking::Proxy::new(
            &bus,
            "org.freedesktop.secrets",
            "/org/freedesktop/secrets/aliases/default",
            "org.freedesktop.Secret.Collection",
        )?;
        collection.get_property("Locked")
    };
    locked().unwrap_or(false)
}

fn sorted(why: &keyring_core::Error) -> KeychainError {
    use keyring_core::Error;
    match why {
        Error::NoEntry => KeychainError::Absent,
        Error::NoStorageAccess(_) => KeychainError::Locked,
        other => {
            tracing::debug!("the keychain failed: {other}");
            KeychainError::Unavailable
        }
    }
}
