//! The operating system's keychain: small secrets by name, with failures that are told apart.
//!
//! Must not know what the secrets are for. Whether something is *absent* or the keychain is merely locked decides whether
//! a new secret may be made, so nothing here ever turns the one into the other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use claviger_secret::Secret;

#[cfg(target_os = "linux")]
#[path = "keychain/secret_service.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "keychain/unavailable.rs"]
mod system;

/// Keeps small secrets by name.
pub trait Keychain: Send + Sync + 'static {
    /// Reads an entry. May make the keychain ask the user to unlock it.
    fn load(&self, name: &str) -> Result<Secret, KeychainError>;

    /// Writes an entry, replacing what was there.
    fn store(&self, name: &str, secret: &Secret) -> Result<(), KeychainError>;

    /// Removes an entry.
    fn remove(&self, name: &str) -> Result<(), KeychainError>;

    /// Whether the entry could be read, without making the keychain ask the user anything.
    fn look(&self, name: &str) -> Result<(), KeychainError>;
}

/// Why the keychain did not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeychainError {
    /// It answers, is open, and has no such entry.
    #[error("the keychain has no such entry")]
    Absent,
    /// It is locked, and the user did not unlock it.
    #[error("the keychain is locked")]
    Locked,
    /// There is none, or it fails.
    #[error("no keychain answers")]
    Unavailable,
    /// It did not answer in time; it may be waiting for the user.
    #[error("the keychain does not answer")]
    TimedOut,
}

/// The keychain of this machine. Nothing is asked of it before the first call.
pub fn system_keychain() -> Arc<dyn Keychain> {
    Arc::new(system::SystemKeychain::new())
}

/// A keychain in memory that can be put into every bad state.
#[derive(Debug, Default)]
pub struct FakeKeychain {
    entries: Mutex<HashMap<String, Secret>>,
    state: Mutex<FakeState>,
}

/// How a [`FakeKeychain`] behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FakeState {
    /// As it should.
    #[default]
    Working,
    /// Locked.
    Locked,
    /// As if there were none.
    Unavailable,
    /// Never answers.
    Silent,
    /// Reads, but takes nothing.
    ReadOnly,
}

// === impl FakeKeychain ===

impl FakeKeychain {
    /// Makes it behave so from now on.
    pub fn set_state(&self, state: FakeState) {
        *locked(&self.state) = state;
    }

    /// The names of all entries, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = locked(&self.entries).keys().cloned().collect();
        names.sort();
        names
    }

    fn check(&self, writing: bool) -> Result<(), KeychainError> {
        match *locked(&self.state) {
            FakeState::Working => Ok(()),
            FakeState::ReadOnly if !writing => Ok(()),
            FakeState::Locked => Err(KeychainError::Locked),
            FakeState::Unavailable | FakeState::ReadOnly => Err(KeychainError::Unavailable),
            FakeState::Silent => Err(KeychainError::TimedOut),
        }
    }
}

impl Keychain for FakeKeychain {
    fn load(&self, name: &str) -> Result<Secret, KeychainError> {
        self.check(false)?;
        locked(&self.entries).get(name).map(Secret::duplicate).ok_or(KeychainError::Absent)
    }

    fn store(&self, name: &str, secret: &Secret) -> Result<(), KeychainError> {
        self.check(true)?;
        locked(&self.entries).insert(name.to_owned(), secret.duplicate());
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), KeychainError> {
        self.check(true)?;
        locked(&self.entries).remove(name).map(drop).ok_or(KeychainError::Absent)
    }

    fn look(&self, name: &str) -> Result<(), KeychainError> {
        self.load(name).map(drop)
    }
}

/// A poisoned lock here guards plain values that are whole at every step.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_fake_keeps_and_fails_as_told() {
        let keychain = FakeKeychain::default();
        let secret = Secret::from(vec![7; 32]);
        assert_eq!(keychain.load("a"), Err(KeychainError::Absent), "nothing is there at first");
        keychain.store("a", &secret).unwrap();
        assert_eq!(keychain.load("a").unwrap(), secret, "what was stored is read");
        for (state, error) in [
            (FakeState::Locked, KeychainError::Locked),
            (FakeState::Unavailable, KeychainError::Unavailable),
            (FakeState::Silent, KeychainError::TimedOut),
        ] {
            keychain.set_state(state);
            assert_eq!(keychain.load("a"), Err(error), "{state:?} when reading");
            assert_eq!(keychain.load("b"), Err(error), "{state:?} must not look like absence");
            assert_eq!(keychain.store("a", &secret), Err(error), "{state:?} when writing");
        }
        keychain.set_state(FakeState::ReadOnly);
        assert_eq!(keychain.look("a"), Ok(()), "reading works");
        assert_eq!(keychain.store("a", &secret), Err(KeychainError::Unavailable), "writing does not");
        keychain.set_state(FakeState::Working);
        keychain.remove("a").unwrap();
        assert_eq!(keychain.remove("a"), Err(KeychainError::Absent), "it is gone");
    }
}
