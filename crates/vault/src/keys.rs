//! The keys under the root key, each with its one purpose.
//!
//! Must not know rows or files. Everything here is wiped when dropped.

use claviger_crypto::{AeadKey, BoxSecret, CannotOpen, Label, MacKey, derive_secret};
use claviger_model::VaultId;
use claviger_secret::Secret;

use crate::opener::Latch;

/// What a key that leaves the vault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPurpose {
    /// Sealing and chaining the audit log.
    Audit,
    /// Signing agent tokens.
    Token,
    /// Opening records that were sealed while the vault was locked (X25519, secret half).
    LockedRecords,
}

/// Every label under which this crate derives a key.
pub(crate) const SLOT_PASSWORD: Label = Label::new("clav1/slot/password/");
pub(crate) const SLOT_PASSWORD_DEVICE: Label = Label::new("clav1/slot/password-device/");
pub(crate) const SLOT_RECOVERY: Label = Label::new("clav1/slot/recovery/");
pub(crate) const SLOT_COMMITMENT: Label = Label::new("clav1/slot/commitment/");
const WRAP: Label = Label::new("clav1/root/wrap/");
const MANIFEST: Label = Label::new("clav1/root/manifest/");
const INDEX: Label = Label::new("clav1/root/index/");
const AUDIT: Label = Label::new("clav1/root/audit/");
const TOKEN: Label = Label::new("clav1/root/token/");
const LOCKED_RECORDS: Label = Label::new("clav1/root/locked-records/");

/// The root key and what is derived from it, while the vault is unlocked.
pub(crate) struct Keys {
    vault: VaultId,
    epoch: u32,
    root: Secret,
    /// Shared with openers, which die with it.
    pub(crate) wrap: Latch,
    pub(crate) manifest: MacKey,
    pub(crate) index: MacKey,
}

// === impl Keys ===

impl Keys {
    pub(crate) fn derive(vault: VaultId, epoch: u32, root: Secret) -> Result<Self, CannotOpen> {
        let key = |label| derive(&root, vault, epoch, label);
        let wrap = Latch::holding(AeadKey::from_secret(&key(WRAP))?);
        let (manifest, index) = (MacKey::from_secret(key(MANIFEST)), MacKey::from_secret(key(INDEX)));
        Ok(Self { vault, epoch, root, wrap, manifest, index })
    }

    pub(crate) fn vault(&self) -> VaultId {
        self.vault
    }

    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    pub(crate) fn root(&self) -> &Secret {
        &self.root
    }

    /// A key that leaves the vault.
    pub(crate) fn outward(&self, purpose: KeyPurpose) -> Secret {
        let label = match purpose {
            KeyPurpose::Audit => AUDIT,
            KeyPurpose::Token => TOKEN,
            KeyPurpose::LockedRecords => LOCKED_RECORDS,
        };
        derive(&self.root, self.vault, self.epoch, label)
    }
}

/// The public half of the key for records while locked, for a root key of the first epoch.
pub(crate) fn record_key(vault: VaultId, epoch: u32, root: &Secret) -> Result<[u8; 32], CannotOpen> {
    Ok(BoxSecret::from_secret(&derive(root, vault, epoch, LOCKED_RECORDS))?.public())
}

fn derive(root: &Secret, vault: VaultId, epoch: u32, label: Label) -> Secret {
    derive_secret(root, vault.bytes(), label, &epoch.to_be_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn no_two_labels_are_equal_or_run_into_each_other() {
        let labels = [
            SLOT_PASSWORD,
            SLOT_PASSWORD_DEVICE,
            SLOT_RECOVERY,
            SLOT_COMMITMENT,
            WRAP,
            MANIFEST,
            INDEX,
            AUDIT,
            TOKEN,
            LOCKED_RECORDS,
            Label::new("clav1/box"),
        ];
        for (i, one) in labels.iter().enumerate() {
            assert!(one.text().starts_with("clav1/"), "{one:?} does not begin like a label");
            for other in &labels[i + 1..] {
                let (one, other) = (one.text(), other.text());
                assert!(
                    !one.starts_with(other) && !other.starts_with(one),
                    "{one} and {other} run into each other"
                );
            }
        }
    }

    #[test]
    fn purposes_vaults_and_epochs_have_their_own_keys() {
        let keys = |vault: u8, epoch| {
            Keys::derive(VaultId::from_bytes([vault; 16]), epoch, Secret::from(vec![7; 32])).unwrap()
        };
        let key = keys(1, 1).outward(KeyPurpose::Audit);
        assert_eq!(key, keys(1, 1).outward(KeyPurpose::Audit), "the same key every time");
        assert_ne!(key, keys(1, 1).outward(KeyPurpose::Token), "another purpose, another key");
        assert_ne!(key, keys(2, 1).outward(KeyPurpose::Audit), "another vault, another key");
        assert_ne!(key, keys(1, 2).outward(KeyPurpose::Audit), "another epoch, another key");
    }
}
