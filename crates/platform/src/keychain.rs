//! The system keychain behind a small trait: store, load, remove, each bounded in time.
//!
//! Must not know what is stored. Its errors are told apart, because "not there" and "locked" must never be confused:
//! only the former may lead to a new secret.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use claviger_secret::Secret;

/// The name under which all entries are filed.
const SERVICE: &str = "dev.claviger";
/// A keychain may wait for its own prompt; nobody waits longer for it than this.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the keychain did not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeychainError {
    /// It answers, and there is no such entry.
    #[error("the keychain has no such entry")]
    Absent,
    /// It is there and locked.
    #[error("the keychain is locked")]
    Locked,
    /// No keychain answers on this machine.
    #[error("no keychain answers")]
    Unavailable,
    /// It did not answer in time.
    #[error("the keychain did not answer in time")]
    TimedOut,
    /// The entry is there and is not what was stored.
    #[error("the keychain's entry is damaged or not the only one")]
    Damaged,
}

/// A place for a few small secrets, guarded by the user's session.
pub trait Keychain: Send + Sync + 'static {
    /// Stores, replacing what was there.
    fn store(&self, entry: &str, secret: &Secret) -> Result<(), KeychainError>;
    /// Loads.
    fn load(&self, entry: &str) -> Result<Secret, KeychainError>;
    /// Removes; removing what is not there is fine.
    fn remove(&self, entry: &str) -> Result<(), KeychainError>;
}

/// The keychain of this platform. Without one, every call says [`KeychainError::Unavailable`].
pub fn system_keychain() -> Arc<dyn Keychain> {
    Arc::new(SystemKeychain)
}

/// Secret Service on Linux. A connection is made per call: calls are rare, and the service may come and go.
struct SystemKeychain;

// === impl SystemKeychain ===

impl Keychain for SystemKeychain {
    fn store(&self, entry: &str, secret: &Secret) -> Result<(), KeychainError> {
        // KDE Wallet stores text only, so bytes go in as base64.
        // EXPOSE: handed to the keychain, whose purpose it is to keep it.
        let text = zeroize::Zeroizing::new(base64::Engine::encode(
            &base64::prelude::BASE64_STANDARD,
            secret.expose(),
        ));
        bounded(entry, move |entry| entry.set_password(&text))
    }

    fn load(&self, entry: &str) -> Result<Secret, KeychainError> {
        let text = zeroize::Zeroizing::new(bounded(entry, |entry| entry.get_password())?);
        let bytes = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, text.as_bytes());
        bytes.map(Secret::from).map_err(|_| KeychainError::Damaged)
    }

    fn remove(&self, entry: &str) -> Result<(), KeychainError> {
        match bounded(entry, |entry| entry.delete_credential()) {
            Err(KeychainError::Absent) => Ok(()),
            other => other,
        }
    }
}

/// Runs one call on a thread of its own. A call that never returns costs that thread, nothing else.
fn bounded<R: Send + 'static>(
    entry: &str,
    call: impl FnOnce(&keyring_core::Entry) -> keyring_core::Result<R> + Send + 'static,
) -> Result<R, KeychainError> {
    let entry = entry.to_owned();
    let (answer, wait) = mpsc::channel();
    let started = std::thread::Builder::new().name("keychain".into()).spawn(move || {
        let _ = answer.send(open(&entry).and_then(|entry| call(&entry)));
    });
    if started.is_err() {
        return Err(KeychainError::Unavailable);
    }
    match wait.recv_timeout(PATIENCE) {
        Ok(answered) => answered.map_err(|why| in_our_words(&why)),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(KeychainError::TimedOut),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(KeychainError::Unavailable),
    }
}

#[cfg(target_os = "linux")]
fn open(entry: &str) -> keyring_core::Result<keyring_core::Entry> {
    use keyring_core::api::CredentialStoreApi;
    // Without a session bus the library would try to start one.
    if std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_none() && std::env::var_os("XDG_RUNTIME_DIR").is_none()
    {
        return Err(keyring_core::Error::NoDefaultStore);
    }
    let store = zbus_secret_service_keyring_store::Store::new()?;
    let label = format!("Claviger ({entry})");
    store.build(SERVICE, entry, Some(&HashMap::from([("label", label.as_str())])))
}

#[cfg(not(target_os = "linux"))]
fn open(_entry: &str) -> keyring_core::Result<keyring_core::Entry> {
    Err(keyring_core::Error::NoDefaultStore)
}

fn in_our_words(why: &keyring_core::Error) -> KeychainError {
    use keyring_core::Error as E;
    match why {
        E::NoEntry => KeychainError::Absent,
        E::NoStorageAccess(_) => KeychainError::Locked,
        E::BadEncoding(_) | E::BadDataFormat(..) | E::Ambiguous(_) => KeychainError::Damaged,
        _ => KeychainError::Unavailable,
    }
}

/// A keychain in memory, for tests: it can be put into every bad state.
#[derive(Default)]
pub struct FakeKeychain {
    entries: Mutex<HashMap<String, Secret>>,
    broken: Mutex<Option<KeychainError>>,
}

// === impl FakeKeychain ===

impl FakeKeychain {
    /// Every call fails like this from now on; `None` heals it.
    pub fn fail_with(&self, why: Option<KeychainError>) {
        *self.broken.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Forgets everything, as a new login or another backend would.
    pub fn forget(&self) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// How many entries it holds.
    pub fn len(&self) -> usize {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn check(&self) -> Result<(), KeychainError> {
        match *self.broken.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(why) => Err(why),
            None => Ok(()),
        }
    }
}

impl Keychain for FakeKeychain {
    fn store(&self, entry: &str, secret: &Secret) -> Result<(), KeychainError> {
        self.check()?;
        self.entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(entry.to_owned(), secret.duplicate());
        Ok(())
    }

    fn load(&self, entry: &str) -> Result<Secret, KeychainError> {
        self.check()?;
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(entry).map(Secret::duplicate).ok_or(KeychainError::Absent)
    }

    fn remove(&self, entry: &str) -> Result<(), KeychainError> {
        self.check()?;
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(entry);
        Ok(())
    }
}
