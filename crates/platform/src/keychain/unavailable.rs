//! The keychain of systems that Claviger does not know yet: it says so.
//!
//! Must not pretend: a vault made here is opened by its password alone.

use claviger_secret::Secret;

use super::{Keychain, KeychainError};

/// No keychain.
pub(crate) struct SystemKeychain;

// === impl SystemKeychain ===

impl SystemKeychain {
    pub(crate) fn new() -> Self {
        Self
    }
}

impl Keychain for SystemKeychain {
    fn load(&self, _: &str) -> Result<Secret, KeychainError> {
        Err(KeychainError::Unavailable)
    }

    fn store(&self, _: &str, _: &Secret) -> Result<(), KeychainError> {
        Err(KeychainError::Unavailable)
    }

    fn remove(&self, _: &str) -> Result<(), KeychainError> {
        Err(KeychainError::Unavailable)
    }

    fn look(&self, _: &str) -> Result<(), KeychainError> {
        Err(KeychainError::Unavailable)
    }
}
