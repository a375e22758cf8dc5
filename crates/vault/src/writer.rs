//! The inside of one transaction: rows are sealed, put and removed here and nowhere else.
//!
//! Must not know the manifest; it reports which rows changed.

use std::collections::HashSet;

use claviger_crypto::AeadKey;
use claviger_model::{CredentialId, Timestamp};
use claviger_secret::{Material, Secret};
use rusqlite::{Transaction, params};

use crate::error::WriteError;
use crate::item::{ItemKey, SealedItem};
use crate::keys::Keys;
use crate::manifest::{Changes, Index};
use crate::stored::{MATERIAL, SETTING, Stored};
use crate::unlocked::{fingerprint, setting_id, setting_prefix};

/// The longest name of a setting.
const MAX_SETTING_NAME: usize = 256;

/// One transaction in progress.
pub struct Writer<'a> {
    transaction: &'a Transaction<'a>,
    keys: &'a Keys,
    index: &'a Index,
    now: Timestamp,
    changes: Changes,
    nonces: HashSet<[u8; 12]>,
    wraps: u64,
    material_went: bool,
    pub(crate) log_head: Option<(u64, [u8; 32])>,
}

/// What a transaction did.
pub(crate) struct Outcome {
    pub(crate) changes: Changes,
    pub(crate) wraps: u64,
    pub(crate) material_went: bool,
    pub(crate) log_head: Option<(u64, [u8; 32])>,
}

// === impl Writer ===

impl<'a> Writer<'a> {
    pub(crate) fn new(
        transaction: &'a Transaction<'a>,
        keys: &'a Keys,
        index: &'a Index,
        now: Timestamp,
    ) -> Self {
        Self {
            transaction,
            keys,
            index,
            now,
            changes: Changes::new(),
            nonces: HashSet::new(),
            wraps: 0,
            material_went: false,
            log_head: None,
        }
    }

    pub(crate) fn finish(self) -> Outcome {
        let Self { changes, wraps, material_went, log_head, .. } = self;
        Outcome { changes, wraps, material_went, log_head }
    }

    /// Adds a noun, or puts it in the place of the one with its id.
    pub fn put<T: Stored>(&mut self, noun: &T) -> Result<(), WriteError> {
        let json = serde_json::to_vec(noun).map_err(|_| WriteError::TooLarge)?;
        self.put_newest(T::CLASS, T::id_bytes(noun.id()), &Secret::from(json))
    }

    /// Removes a noun. That it was not there is no error.
    pub fn remove<T: Stored>(&mut self, id: T::Id) -> Result<(), WriteError> {
        self.remove_all(T::CLASS, T::id_bytes(id))
    }

    /// Stores one version of a credential's material. Other versions stay.
    pub fn put_material(
        &mut self,
        credential: CredentialId,
        version: u32,
        material: &Material,
    ) -> Result<(), WriteError> {
        let key = ItemKey { class: MATERIAL, id: *credential.bytes(), version };
        if self.is_there(&key) {
            self.remove_row(key)?;
        }
        let content = material.encode();
        let fingerprint = fingerprint(self.keys, &content);
        self.insert(key, fingerprint, &content)
    }

    /// Removes every version of a credential's material.
    pub fn remove_material(&mut self, credential: CredentialId) -> Result<(), WriteError> {
        self.remove_all(MATERIAL, *credential.bytes())
    }

    /// Sets a setting.
    pub fn put_setting(&mut self, name: &str, value: &[u8]) -> Result<(), WriteError> {
        if name.len() > MAX_SETTING_NAME {
            return Err(WriteError::TooLarge);
        }
        let prefix = setting_prefix(name);
        let content = Secret::filled_by(prefix.len() + value.len(), |out| {
            out[..prefix.len()].copy_from_slice(&prefix);
            out[prefix.len()..].copy_from_slice(value);
        });
        self.put_newest(SETTING, setting_id(self.keys, name), &content)
    }

    /// Removes a setting. That it was not there is no error.
    pub fn remove_setting(&mut self, name: &str) -> Result<(), WriteError> {
        self.remove_all(SETTING, setting_id(self.keys, name))
    }

    /// Puts content as the one and newest version.
    fn put_newest(&mut self, class: u8, id: [u8; 16], content: &Secret) -> Result<(), WriteError> {
        let newest = self.versions(class, id).last().map_or(0, |key| key.version);
        let version = newest.checked_add(1).ok_or(WriteError::KeyWornOut)?;
        self.remove_all(class, id)?;
        self.insert(ItemKey { class, id, version }, [0; 8], content)
    }

    fn remove_all(&mut self, class: u8, id: [u8; 16]) -> Result<(), WriteError> {
        self.versions(class, id).into_iter().try_for_each(|key| self.remove_row(key))
    }

    fn remove_row(&mut self, key: ItemKey) -> Result<(), WriteError> {
        let removed = self
            .transaction
            .prepare_cached("DELETE FROM item WHERE class=?1 AND id=?2 AND version=?3")
            .and_then(|mut statement| statement.execute((key.class, key.id, key.version)))
            .map_err(WriteError::sqlite("a row"))?;
        if removed != 1 {
            return Err(WriteError::Tampered { what: "a row" });
        }
        self.material_went |= key.class == MATERIAL;
        self.changes.insert(key, None);
        Ok(())
    }

    fn insert(&mut self, key: ItemKey, fingerprint: [u8; 8], content: &Secret) -> Result<(), WriteError> {
        let context = (self.keys.vault(), self.keys.epoch());
        let notes = (self.now, fingerprint);
        let seal = |wrap: &AeadKey| SealedItem::seal(context, key, wrap, notes, content);
        let sealed =
            self.keys.wrap.with(seal).ok_or(WriteError::Refused)?.map_err(|_| WriteError::TooLarge)?;
        let tags = sealed.tags().ok_or(WriteError::TooLarge)?;
        if self.index.has_nonce(&tags.key_nonce) || !self.nonces.insert(tags.key_nonce) {
            return Err(WriteError::RandomRepeats);
        }
        self.transaction
            .prepare_cached("INSERT INTO item(class, id, version, key, body) VALUES(?1, ?2, ?3, ?4, ?5)")
            .and_then(|mut statement| {
                statement.execute(params![key.class, key.id, key.version, sealed.wrapped, sealed.body])
            })
            .map_err(WriteError::sqlite("a row"))?;
        self.changes.insert(key, Some(tags));
        self.wraps += 1;
        Ok(())
    }

    /// The versions that are there at this point of the transaction, oldest first.
    fn versions(&self, class: u8, id: [u8; 16]) -> Vec<ItemKey> {
        let mut keys: Vec<ItemKey> =
            self.index.versions(class, id).copied().filter(|key| !self.changes.contains_key(key)).collect();
        let low = ItemKey { class, id, version: 0 };
        let changed = self.changes.range(low..=ItemKey { version: u32::MAX, ..low });
        keys.extend(changed.filter(|(_, tags)| tags.is_some()).map(|(key, _)| *key));
        keys.sort();
        keys
    }

    fn is_there(&self, key: &ItemKey) -> bool {
        match self.changes.get(key) {
            Some(change) => change.is_some(),
            None => self.index.tags(key).is_some(),
        }
    }
}
