//! An unlocked vault: reading, one way of writing, and the way back to locked.
//!
//! Must not know what the nouns mean, or who is asking.

use std::sync::Arc;

use claviger_crypto::{Aad, Kdf, make_recovery_key};
use claviger_model::{CredentialId, Timestamp, VaultId};
use claviger_secret::{DeviceSecret, Material, Passphrase, RecoveryKey, Secret};
use rusqlite::OptionalExtension;

use crate::container;
use crate::error::{LockError, ReadError, UnlockError, WriteError};
use crate::header::Header;
use crate::item::{Envelope, ItemKey, SealedItem};
use crate::keys::{self, KeyPurpose, Keys};
use crate::manifest::{Anchor, Index, Manifest};
use crate::opener::{MaterialOpener, SealedMaterial};
use crate::slot;
use crate::stored::{MATERIAL, SETTING, Stored};
use crate::vault::{Held, Vault};
use crate::writer::Writer;

/// An unlocked vault. Dropping it, or [`Unlocked::lock`], wipes the keys and ends every opener.
pub struct Unlocked {
    held: Box<Held>,
    keys: Keys,
    index: Index,
    manifest: Manifest,
}

/// One version of a credential's material, as a history shows it. No material is opened for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaterialVersion {
    /// Counts up from 1.
    pub version: u32,
    /// When it was stored.
    pub stored_at: Timestamp,
    /// Keyed hash of the material: 16 hex digits.
    pub fingerprint: String,
}

// === impl Unlocked: reading ===

impl Unlocked {
    /// Checks everything that hangs on the root key.
    pub(crate) fn begin(held: Box<Held>, root: Secret) -> Result<Self, (Box<Held>, UnlockError)> {
        match verify(&held, root) {
            Ok((keys, index, manifest)) => Ok(Self { held, keys, index, manifest }),
            Err(error) => Err((held, error)),
        }
    }

    /// Its id.
    pub fn id(&self) -> VaultId {
        self.held.header.vault
    }

    /// Whether the password opens it only together with the keychain's secret.
    pub fn needs_device_secret(&self) -> bool {
        self.held.header.needs_device_secret()
    }

    /// Whether this password, with this device secret, opens the vault. Takes as long as unlocking.
    pub fn password_is(&self, passphrase: &Passphrase, device: Option<&DeviceSecret>) -> bool {
        let header = &self.held.header;
        header
            .password_slot()
            .is_some_and(|slot| slot::open_by_password(header, slot, passphrase, device).is_ok())
    }

    /// X25519 public key to which records are sealed while the vault is locked.
    pub fn locked_record_key(&self) -> [u8; 32] {
        self.held.header.record_key
    }

    /// Everything of one noun.
    pub fn all<T: Stored>(&self) -> Result<Vec<T>, ReadError> {
        const WHAT: &str = "a row";
        let tampered = || ReadError::Tampered { what: WHAT };
        let expected = self.index.of_class(T::CLASS).count();
        let mut statement = self
            .held
            .connection
            .prepare_cached("SELECT id, version, key, body FROM item WHERE class=?1 ORDER BY id, version")
            .map_err(ReadError::sqlite(WHAT))?;
        let mut rows = statement.query([T::CLASS]).map_err(ReadError::sqlite(WHAT))?;
        let mut all = Vec::with_capacity(expected);
        while let Some(row) = rows.next().map_err(ReadError::sqlite(WHAT))? {
            let fields = || -> Result<_, rusqlite::Error> {
                let key = ItemKey { class: T::CLASS, id: row.get(0)?, version: row.get(1)? };
                Ok((key, row.get(2)?, row.get(3)?))
            };
            let (key, wrapped, body) = fields().map_err(ReadError::sqlite(WHAT))?;
            let content = self.content(&self.checked(key, wrapped, body)?)?;
            // EXPOSE: parsed into a noun, which holds no material.
            let noun: T = serde_json::from_slice(content.expose()).map_err(|_| tampered())?;
            if T::id_bytes(noun.id()) != key.id {
                return Err(tampered());
            }
            all.push(noun);
        }
        if all.len() == expected { Ok(all) } else { Err(tampered()) }
    }

    /// A setting's value.
    pub fn setting(&self, name: &str) -> Result<Option<Secret>, ReadError> {
        let id = setting_id(&self.keys, name);
        let Some(key) = self.index.versions(SETTING, id).last() else {
            return Ok(None);
        };
        let content = self.content(&self.row(*key)?)?;
        // EXPOSE: the value is copied out from behind the name into a Secret.
        let bytes = content.expose();
        let prefix = setting_prefix(name);
        let value = bytes.strip_prefix(prefix.as_slice()).ok_or(ReadError::Tampered { what: "a setting" })?;
        Ok(Some(Secret::filled_by(value.len(), |out| out.copy_from_slice(value))))
    }

    /// One version of a credential's material as ciphertext.
    pub fn sealed_material(
        &self,
        credential: CredentialId,
        version: u32,
    ) -> Result<Option<SealedMaterial>, ReadError> {
        let key = ItemKey { class: MATERIAL, id: *credential.bytes(), version };
        match self.index.tags(&key) {
            Some(_) => Ok(Some(SealedMaterial(Arc::new(self.row(key)?)))),
            None => Ok(None),
        }
    }

    /// Which versions of a credential's material there are, oldest first.
    pub fn material_versions(&self, credential: CredentialId) -> Result<Vec<MaterialVersion>, ReadError> {
        self.index
            .versions(MATERIAL, *credential.bytes())
            .map(|key| {
                let envelope = self.envelope(&self.row(*key)?)?;
                Ok(MaterialVersion {
                    version: key.version,
                    stored_at: envelope.stored_at,
                    fingerprint: hex(&envelope.fingerprint),
                })
            })
            .collect()
    }

    /// Opens material without this vault's connection, from any thread, until the vault is locked.
    pub fn opener(&self) -> MaterialOpener {
        self.keys.wrap.opener()
    }

    /// Keyed hash of material, by which people can tell keys apart: 16 hex digits.
    pub fn fingerprint(&self, material: &Material) -> String {
        hex(&fingerprint(&self.keys, &material.encode()))
    }

    /// A key for another part of Claviger: 32 bytes.
    pub fn key(&self, purpose: KeyPurpose) -> Secret {
        self.keys.outward(purpose)
    }

    /// What identifies this state of the vault.
    pub fn anchor(&self) -> Anchor {
        Anchor { vault: self.id(), counter: self.manifest.counter, manifest: self.manifest.mac }
    }

    /// The audit log's head as last told by [`Unlocked::set_log_head`].
    pub fn log_head(&self) -> Option<(u64, [u8; 32])> {
        self.manifest.log_head
    }
}

// === impl Unlocked: writing ===

impl Unlocked {
    /// One transaction. All that `work` did is on the disk when this returns `Ok`, and none of it otherwise.
    pub fn write<R>(
        &mut self,
        now: Timestamp,
        work: impl FnOnce(&mut Writer<'_>) -> Result<R, WriteError>,
    ) -> Result<R, WriteError> {
        self.transact(now, None, work)
    }

    /// Changes the password, and whether it is mixed with a device secret. Copies of the file made before still open
    /// with the old one.
    pub fn set_passphrase(
        &mut self,
        passphrase: &Passphrase,
        device: Option<&DeviceSecret>,
        kdf: Kdf,
        now: Timestamp,
    ) -> Result<(), WriteError> {
        if passphrase.secret().is_empty() {
            return Err(WriteError::EmptyPassphrase);
        }
        let header = &self.held.header;
        let slot = slot::make_for_password(header, self.keys.root(), passphrase, device, kdf, now)
            .map_err(|_| WriteError::Tampered { what: "its header" })?;
        let next = header.with_slot(slot);
        self.transact(now, Some(next), |_| Ok(()))
    }

    /// Makes a new recovery key; the old one opens nothing any more.
    pub fn renew_recovery(&mut self, now: Timestamp) -> Result<RecoveryKey, WriteError> {
        let (key, seed) = make_recovery_key();
        let header = &self.held.header;
        let slot = slot::make_for_recovery(header, self.keys.root(), &seed, now)
            .map_err(|_| WriteError::Tampered { what: "its header" })?;
        let next = header.with_slot(slot);
        self.transact(now, Some(next), |_| Ok(()))?;
        Ok(key)
    }

    /// Takes the audit log's head under the manifest.
    pub fn set_log_head(&mut self, seq: u64, hash: [u8; 32]) -> Result<(), WriteError> {
        if i64::try_from(seq).is_err() {
            return Err(WriteError::TooLarge);
        }
        self.transact(Timestamp(0), None, |writer| {
            writer.log_head = Some((seq, hash));
            Ok(())
        })
    }

    /// Wipes the keys, ends every opener, and keeps hold of the file.
    pub fn lock(self) -> Result<Vault, LockError> {
        let Self { mut held, keys, index, manifest: _ } = self;
        drop(keys);
        drop(index);
        held.connection.flush_prepared_statement_cache();
        if container::empty_log(&held.connection).is_err() {
            tracing::warn!("the vault's write-ahead log could not be emptied at lock");
        }
        held.header = Header::read(&held.connection).map_err(LockError)?;
        Ok(Vault(held))
    }

    /// The one way in which anything is written: rows, header, then the manifest over all of it, then the commit.
    fn transact<R>(
        &mut self,
        now: Timestamp,
        new_header: Option<Header>,
        work: impl FnOnce(&mut Writer<'_>) -> Result<R, WriteError>,
    ) -> Result<R, WriteError> {
        const WHAT: &str = "its container";
        let Held { connection, header, .. } = &mut *self.held;
        let transaction = connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .map_err(WriteError::sqlite(WHAT))?;
        let mut writer = Writer::new(&transaction, &self.keys, &self.index, now);
        let result = work(&mut writer)?;
        let outcome = writer.finish();
        let mut next = self.manifest.next(outcome.wraps)?;
        next.log_head = outcome.log_head.or(next.log_head);
        if let Some(new_header) = &new_header {
            new_header.write(&transaction).map_err(WriteError::sqlite("its header"))?;
        }
        let digest = new_header.as_ref().unwrap_or(header).digest();

        let undo = self.index.apply(&outcome.changes)?;
        next.mac = next.compute(&self.keys.manifest, &digest, &self.index);
        let committed = next
            .replace(&self.manifest, &transaction)
            .and_then(|()| transaction.commit().map_err(WriteError::sqlite(WHAT)));
        if let Err(error) = committed {
            self.index.undo(&undo);
            return Err(error);
        }
        self.manifest = next;
        let slots_went = new_header.is_some();
        if let Some(new_header) = new_header {
            *header = new_header;
        }
        // Old slots and old material must not survive in the log. The change itself is safe already.
        if (slots_went || outcome.material_went) && container::empty_log(connection).is_err() {
            tracing::warn!(
                "the vault's write-ahead log could not be emptied; deleted rows may still be in it"
            );
        }
        Ok(result)
    }
}

// === impl Unlocked: rows ===

impl Unlocked {
    fn row(&self, key: ItemKey) -> Result<SealedItem, ReadError> {
        const WHAT: &str = "a row";
        let (wrapped, body) = self
            .held
            .connection
            .prepare_cached("SELECT key, body FROM item WHERE class=?1 AND id=?2 AND version=?3")
            .and_then(|mut statement| {
                statement
                    .query_row((key.class, key.id, key.version), |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()
            })
            .map_err(ReadError::sqlite(WHAT))?
            .ok_or(ReadError::Tampered { what: WHAT })?;
        self.checked(key, wrapped, body)
    }

    /// The row, if it is the one that the manifest vouches for.
    fn checked(&self, key: ItemKey, wrapped: Vec<u8>, body: Vec<u8>) -> Result<SealedItem, ReadError> {
        let item = SealedItem::from_row((self.id(), self.keys.epoch()), key, wrapped, body);
        if item.tags().as_ref() == self.index.tags(&key) && self.index.tags(&key).is_some() {
            Ok(item)
        } else {
            Err(ReadError::Tampered { what: "a row" })
        }
    }

    fn envelope(&self, item: &SealedItem) -> Result<Envelope, ReadError> {
        let opened = self.keys.wrap.with(|wrap| Envelope::open(wrap, item));
        opened.unwrap_or(Err(claviger_crypto::CannotOpen)).map_err(ReadError::tampered("a row"))
    }

    fn content(&self, item: &SealedItem) -> Result<Secret, ReadError> {
        self.envelope(item)?.open_body(item).map_err(ReadError::tampered("a row"))
    }
}

impl std::fmt::Debug for Unlocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unlocked").field("id", &self.id()).field("counter", &self.manifest.counter).finish()
    }
}

fn verify(held: &Held, root: Secret) -> Result<(Keys, Index, Manifest), UnlockError> {
    let header = &held.header;
    let broken = |_| UnlockError::Tampered { what: "its keys" };
    let manifest = Manifest::read(&held.connection)?;
    if keys::record_key(header.vault, manifest.epoch, &root).map_err(broken)? != header.record_key {
        return Err(UnlockError::Tampered { what: "its record key" });
    }
    let keys = Keys::derive(header.vault, manifest.epoch, root).map_err(broken)?;
    let index = Index::read(&held.connection)?;
    manifest.verify(&keys.manifest, &header.digest(), &index)?;
    // From here on the write-ahead log is known to be ours.
    container::keep_log_on_close(&held.connection, false).map_err(UnlockError::sqlite("its container"))?;
    Ok((keys, index, manifest))
}

/// The row id of a setting: keyed, so that names are not guessed from it.
pub(crate) fn setting_id(keys: &Keys, name: &str) -> [u8; 16] {
    let mac = keys.index.mac(&Aad::new("clav1|setting").field(name.as_bytes()));
    let mut id = [0; 16];
    id.copy_from_slice(&mac[..16]);
    id
}

/// What stands before a setting's value: the name as a field.
pub(crate) fn setting_prefix(name: &str) -> Vec<u8> {
    let len = u32::try_from(name.len()).unwrap_or(u32::MAX);
    [len.to_be_bytes().as_slice(), name.as_bytes()].concat()
}

/// Keyed hash of encoded material.
pub(crate) fn fingerprint(keys: &Keys, encoded: &Secret) -> [u8; 8] {
    // EXPOSE: goes into a keyed hash.
    let mac = keys.index.mac(&Aad::new("clav1|fingerprint").field(encoded.expose()));
    let mut short = [0; 8];
    short.copy_from_slice(&mac[..8]);
    short
}

fn hex(bytes: &[u8; 8]) -> String {
    format!("{:016x}", u64::from_be_bytes(*bytes))
}
