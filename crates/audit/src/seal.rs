//! The log's keys, hashes and associated data, as `docs/log-format.md` spells them. Must not know files.

use claviger_crypto::{Aad, AeadKey, CannotOpen, Label, derive_secret, sha256_of, sha256_with};
use claviger_model::VaultId;
use claviger_secret::Secret;

/// SHA-256 of a record's place in the chain.
pub(crate) type Hash = [u8; 32];

const SEGMENT_KEY: Label = Label::new("clav1/log/segment/");
const USAGE_KEY: Label = Label::new("clav1/log/usage");

/// What everything in one log is sealed under.
pub(crate) struct Keys {
    pub(crate) vault: VaultId,
    audit: Secret,
}

// === impl Keys ===

impl Keys {
    pub(crate) fn new(vault: VaultId, audit: &Secret) -> Self {
        Self { vault, audit: audit.duplicate() }
    }

    pub(crate) fn segment(&self, number: u64, salt: &[u8; 32]) -> Result<AeadKey, CannotOpen> {
        let mut context = self.vault.bytes().to_vec();
        context.extend_from_slice(&number.to_be_bytes());
        AeadKey::from_secret(&derive_secret(&self.audit, salt, SEGMENT_KEY, &context))
    }

    pub(crate) fn usage(&self) -> Result<AeadKey, CannotOpen> {
        AeadKey::from_secret(&derive_secret(&self.audit, self.vault.bytes(), USAGE_KEY, b""))
    }
}

/// The hash before the first record.
pub(crate) fn genesis(vault: VaultId) -> Hash {
    sha256_of(&Aad::new("clav1|log-genesis").field(vault.bytes()))
}

/// The hash of a frame that follows `prev`.
pub(crate) fn link(prev: &Hash, frame: &[u8]) -> Hash {
    sha256_with(&Aad::new("clav1|log-link").field(prev), frame)
}

pub(crate) fn record_aad(vault: VaultId, seq: u64, prev: &Hash) -> Aad {
    Aad::new("clav1|log-record").field(vault.bytes()).number(seq).field(prev)
}

pub(crate) fn header_aad(header: &[u8]) -> Aad {
    Aad::new("clav1|log-segment").field(header)
}

pub(crate) fn usage_aad(vault: VaultId) -> Aad {
    Aad::new("clav1|log-usage").field(vault.bytes())
}

/// The hash before the first record of the locked time.
pub(crate) fn locked_genesis(vault: VaultId) -> Hash {
    sha256_of(&Aad::new("clav1|log-locked-genesis").field(vault.bytes()))
}

pub(crate) fn locked_link(prev: &Hash, frame: &[u8]) -> Hash {
    sha256_of(&Aad::new("clav1|log-locked-link").field(prev).field(frame))
}

pub(crate) fn locked_aad(vault: VaultId, index: u64, prev: &Hash) -> Aad {
    Aad::new("clav1|log-locked").field(vault.bytes()).number(index).field(prev)
}
