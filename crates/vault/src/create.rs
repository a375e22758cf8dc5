//! Making a vault: it is there whole or not at all.
//!
//! Must not know where the path comes from.

use std::fs;
use std::io;
use std::path::Path;

use claviger_crypto::{Kdf, make_recovery_key, make_secret, random_id};
use claviger_model::{Timestamp, VaultId};
use claviger_secret::{DeviceSecret, Passphrase, RecoveryKey};

use crate::container;
use crate::error::{CreateError, Fault, OpenError, UnlockError};
use crate::file::{self, HeldFile, HoldError};
use crate::header::Header;
use crate::keys::{self, Keys};
use crate::manifest::{Index, Manifest};
use crate::slot;
use crate::unlocked::Unlocked;
use crate::vault::Vault;

impl Vault {
    /// Makes a new vault at `path`, in a directory that is made if it is missing, and unlocks it. The recovery key is
    /// given out this once. An existing file is never replaced.
    pub fn create(
        path: &Path,
        passphrase: &Passphrase,
        device: Option<&DeviceSecret>,
        kdf: Kdf,
        now: Timestamp,
    ) -> Result<(Unlocked, RecoveryKey), CreateError> {
        if passphrase.secret().is_empty() {
            return Err(CreateError::EmptyPassphrase);
        }
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            file::create_private_dir(dir).map_err(CreateError::Io)?;
        }
        if file::is_there(path).map_err(CreateError::Io)? {
            return Err(CreateError::Exists);
        }
        let held = HeldFile::hold(path).map_err(|error| match error {
            HoldError::HeldByAnother => CreateError::HeldByAnother,
            HoldError::NotRegular(lock) => CreateError::LeftOver(lock),
            HoldError::Io(error) => CreateError::Io(error),
        })?;
        if file::is_there(held.path()).map_err(CreateError::Io)? {
            return Err(CreateError::Exists);
        }
        for suffix in ["-wal", "-journal"] {
            let left = held.beside(suffix);
            if file::is_there(&left).map_err(CreateError::Io)? {
                // An empty log is what a vault leaves that was moved away while locked.
                if !file::is_empty(&left).map_err(CreateError::Io)? {
                    return Err(CreateError::LeftOver(left));
                }
                fs::remove_file(&left).map_err(CreateError::Io)?;
            }
        }

        let draft = held.beside(".creating");
        for left in ["", "-wal", "-journal"].map(|suffix| held.beside(&format!(".creating{suffix}"))) {
            if file::is_there(&left).map_err(CreateError::Io)? {
                fs::remove_file(&left).map_err(CreateError::Io)?;
            }
        }
        let root = make_secret(32);
        let (recovery, seed) = make_recovery_key();
        let unsealable = |_| CreateError::Io(io::Error::other("the keys could not be made"));
        let vault = VaultId::from_bytes(random_id());
        let manifest = Manifest::first();
        let record_key = keys::record_key(vault, manifest.epoch, &root).map_err(unsealable)?;
        let bare = Header { vault, created_at: now, record_key, slots: Vec::new() };
        let password =
            slot::make_for_password(&bare, &root, passphrase, device, kdf, now).map_err(unsealable)?;
        let header = bare
            .with_slot(password)
            .with_slot(slot::make_for_recovery(&bare, &root, &seed, now).map_err(unsealable)?);

        file::create_private(&draft).map_err(CreateError::Io)?;
        write_draft(&draft, &header, manifest, &root).map_err(told)?;
        file::rename_durably(&draft, held.path()).map_err(CreateError::Io)?;
        let opened = Self::open_held(held).map_err(|error| match error {
            OpenError::Io(error) => CreateError::Io(error),
            other => CreateError::Io(io::Error::other(other)),
        })?;
        let unlocked = Unlocked::begin(opened.0, root).map_err(|(_, error)| match error {
            UnlockError::Io(error) => CreateError::Io(error),
            other => CreateError::Io(io::Error::other(other)),
        })?;
        Ok((unlocked, recovery))
    }
}

fn write_draft(
    path: &Path,
    header: &Header,
    mut manifest: Manifest,
    root: &claviger_secret::Secret,
) -> Result<(), Fault> {
    let keys = Keys::derive(header.vault, manifest.epoch, root.duplicate()).map_err(|_| Fault::Corrupt)?;
    manifest.mac = manifest.compute(&keys.manifest, &header.digest(), &Index::default());
    let connection = container::lay_out(path)?;
    let transaction = connection.unchecked_transaction()?;
    header.write(&transaction)?;
    manifest.insert(&transaction)?;
    transaction.commit()?;
    container::empty_log(&connection)?;
    container::keep_log_on_close(&connection, false)?;
    connection.close().map_err(|(_, error)| error.into())
}

fn told(fault: Fault) -> CreateError {
    CreateError::Io(match fault {
        Fault::Io(error) => error,
        Fault::Busy => io::Error::new(io::ErrorKind::ResourceBusy, "another program has the file open"),
        Fault::Corrupt => io::Error::other("the new file does not read back"),
    })
}
