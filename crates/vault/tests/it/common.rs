//! What the vault's tests share: a vault in a directory of its own, and nouns to put into it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};

use claviger_model::{Credential, CredentialId, CredentialState, Kind, ServiceId, Timestamp};
use claviger_secret::{DeviceSecret, Field, Material, Passphrase, RecoveryKey};
use claviger_vault::{Kdf, Unlocked, Vault};

/// A moment; the vault does not know the clock.
pub const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// A vault file in a directory that goes with it.
pub struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    /// A place in memory where there is one: the tests write a great deal.
    pub fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let builder = tempfile::Builder::new().prefix("claviger-vault-").to_owned();
        let dir = if memory.is_dir() { builder.tempdir_in(memory) } else { builder.tempdir() };
        Self { dir: dir.unwrap() }
    }

    /// A place on the disk.
    pub fn on_disk() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn vault(&self) -> PathBuf {
        self.dir.path().join("vault.db")
    }

    pub fn beside(&self, suffix: &str) -> PathBuf {
        self.dir.path().join(format!("vault.db{suffix}"))
    }

    /// A vault with the password `correct horse`.
    pub fn create(&self) -> (Unlocked, RecoveryKey) {
        Vault::create(&self.vault(), &password(), None, Kdf::floor(), NOW).unwrap()
    }

    pub fn open(&self) -> Vault {
        Vault::open(&self.vault()).unwrap()
    }
}

pub fn password() -> Passphrase {
    Passphrase::from("correct horse".to_owned())
}

pub fn device(byte: u8) -> DeviceSecret {
    DeviceSecret::from(vec![byte; 32])
}

pub fn again(key: &RecoveryKey) -> RecoveryKey {
    RecoveryKey::from(key.secret().duplicate())
}

pub fn material(text: &str) -> Material {
    Material::key(text.to_owned())
}

pub fn key_of(material: &Material) -> String {
    String::from_utf8(material.field(Field::Key).unwrap().expose().to_vec()).unwrap()
}

/// An id that is `n`.
pub fn credential_id(n: u64) -> CredentialId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    CredentialId::from_bytes(bytes)
}

pub fn credential(n: u64, name: &str) -> Credential {
    Credential {
        id: credential_id(n),
        name: name.to_owned(),
        service: ServiceId::from_bytes([3; 16]),
        kind: Kind::ApiKey,
        fingerprint: "0123456789abcdef".to_owned(),
        version: 1,
        state: CredentialState::Active,
        created_at: NOW,
        rotated_at: None,
        expires_at: None,
    }
}
