//! A vault that is held and locked: its file is open and nobody else's, its header is read, and there are no keys.
//!
//! Must not know where password and device secret come from.

use std::path::Path;

use claviger_crypto::parse_recovery_key;
use claviger_model::VaultId;
use claviger_secret::{DeviceSecret, Passphrase, RecoveryKey, Secret};
use rusqlite::Connection;

use crate::FORMAT;
use crate::container;
use crate::error::{OpenError, UnlockError};
use crate::file::{self, HeldFile, HoldError, Kind};
use crate::header::Header;
use crate::slot::{self, SlotError};
use crate::unlocked::Unlocked;

/// A vault that is held and locked.
pub struct Vault(pub(crate) Box<Held>);

/// What a vault is while it is held, locked or not. Fields drop in this order: the connection before the lock.
pub(crate) struct Held {
    pub(crate) connection: Connection,
    pub(crate) header: Header,
    /// Held for as long as the connection is.
    pub(crate) _file: HeldFile,
}

// === impl Vault ===

impl Vault {
    /// Takes hold of the vault at `path`. A file that is refused is not touched.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        if !file::is_there(path).map_err(OpenError::Io)? {
            return Err(OpenError::Absent);
        }
        if !file::is_regular(path).map_err(OpenError::Io)? {
            return Err(OpenError::NotAVault);
        }
        // Before the lock, so that a stranger's file gets no lock file beside it.
        check_format(path)?;
        let held = HeldFile::hold(path).map_err(|error| match error {
            HoldError::HeldByAnother => OpenError::HeldByAnother,
            HoldError::NotRegular(_) => OpenError::Damaged { what: "its lock file" },
            HoldError::Io(error) => OpenError::Io(error),
        })?;
        check_format(held.path())?;
        Self::open_held(held)
    }

    /// Opens the file whose lock is held.
    pub(crate) fn open_held(file: HeldFile) -> Result<Self, OpenError> {
        let log = file.beside("-wal");
        if file::is_there(&log).map_err(OpenError::Io)? && !file::is_regular(&log).map_err(OpenError::Io)? {
            return Err(OpenError::Damaged { what: "its write-ahead log" });
        }
        // A vault never has one; SQLite would play it back into the file.
        if file::is_there(&file.beside("-journal")).map_err(OpenError::Io)? {
            return Err(OpenError::Damaged { what: "a stranger's journal lies beside it" });
        }
        file::make_private(file.path()).map_err(OpenError::Io)?;
        let connection = container::open(file.path())?;
        let header = Header::read(&connection)?;
        Ok(Self(Box::new(Held { connection, header, _file: file })))
    }

    /// Its id.
    pub fn id(&self) -> VaultId {
        self.0.header.vault
    }

    /// Whether the password opens it only together with the keychain's secret.
    pub fn needs_device_secret(&self) -> bool {
        self.0.header.needs_device_secret()
    }

    /// X25519 public key to which records are sealed while the vault is locked. Its secret half is
    /// [`crate::KeyPurpose::LockedRecords`]; that the two belong together is checked at unlock.
    pub fn locked_record_key(&self) -> [u8; 32] {
        self.0.header.record_key
    }

    /// Unlocks by password. A device secret is used if the vault wants one. Takes most of a second.
    pub fn unlock(
        self,
        passphrase: &Passphrase,
        device: Option<&DeviceSecret>,
    ) -> Result<Unlocked, (Self, UnlockError)> {
        let root = match self.0.header.password_slot() {
            Some(slot) => slot::open_by_password(&self.0.header, slot, passphrase, device),
            None => Err(SlotError::WrongKey),
        };
        self.unlock_with(root.map_err(|error| told(error, UnlockError::WrongPassword)))
    }

    /// Unlocks by the recovery key alone.
    pub fn unlock_with_recovery(self, key: &RecoveryKey) -> Result<Unlocked, (Self, UnlockError)> {
        let root = match (parse_recovery_key(key), self.0.header.recovery_slot()) {
            (Err(error), _) => Err(UnlockError::NotARecoveryKey(error)),
            (Ok(_), None) => Err(UnlockError::WrongRecoveryKey),
            (Ok(seed), Some(slot)) => slot::open_by_recovery(&self.0.header, slot, &seed)
                .map_err(|error| told(error, UnlockError::WrongRecoveryKey)),
        };
        self.unlock_with(root)
    }

    fn unlock_with(self, root: Result<Secret, UnlockError>) -> Result<Unlocked, (Self, UnlockError)> {
        match root {
            Ok(root) => Unlocked::begin(self.0, root).map_err(|(held, error)| (Self(held), error)),
            Err(error) => Err((self, error)),
        }
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Vault").field(&self.id()).finish()
    }
}

fn check_format(path: &Path) -> Result<(), OpenError> {
    match file::kind(path).map_err(OpenError::Io)? {
        Kind::Vault { format } if format > FORMAT => Err(OpenError::NewerVersion { found: format }),
        Kind::Vault { .. } => Ok(()),
        Kind::Other => Err(OpenError::NotAVault),
    }
}

fn told(error: SlotError, wrong: UnlockError) -> UnlockError {
    match error {
        SlotError::WrongKey => wrong,
        SlotError::NeedsDeviceSecret => UnlockError::NeedsDeviceSecret,
        SlotError::Tampered => UnlockError::Tampered { what: "the slot of this key" },
    }
}
