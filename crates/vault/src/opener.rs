//! Opening material on the request path: no database, no copy of the key, and an end at lock.
//!
//! Must not know where sealed material came from.

use std::sync::{Arc, PoisonError, RwLock};

use claviger_crypto::AeadKey;
use claviger_model::CredentialId;
use claviger_secret::Material;

use crate::error::OpenMaterialError;
use crate::item::{Envelope, SealedItem};

/// Opens [`SealedMaterial`] while the vault is unlocked. Cheap to clone; every clone dies at lock.
#[derive(Clone, Debug)]
pub struct MaterialOpener(Arc<RwLock<Option<AeadKey>>>);

/// One version of a credential's material as it lies in the vault: ciphertext, cheap to clone.
#[derive(Clone, Debug)]
pub struct SealedMaterial(pub(crate) Arc<SealedItem>);

/// The owner of the wrapping key. When it goes, the key goes, whoever still holds an opener.
pub(crate) struct Latch(Arc<RwLock<Option<AeadKey>>>);

// === impl MaterialOpener ===

impl MaterialOpener {
    /// Opens material. The result is wiped when dropped; nothing is kept here.
    pub fn open(&self, sealed: &SealedMaterial) -> Result<Material, OpenMaterialError> {
        let key = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let key = key.as_ref().ok_or(OpenMaterialError::Locked)?;
        let content = Envelope::open(key, &sealed.0)
            .and_then(|envelope| envelope.open_body(&sealed.0))
            .map_err(|_| OpenMaterialError::Unreadable)?;
        Material::decode(&content).map_err(|_| OpenMaterialError::Unreadable)
    }

    /// Whether the vault was locked.
    pub fn is_dead(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

// === impl SealedMaterial ===

impl SealedMaterial {
    /// Whose material it is.
    pub fn credential(&self) -> CredentialId {
        CredentialId::from_bytes(self.0.key.id)
    }

    /// Which version.
    pub fn version(&self) -> u32 {
        self.0.key.version
    }
}

// === impl Latch ===

impl Latch {
    pub(crate) fn holding(key: AeadKey) -> Self {
        Self(Arc::new(RwLock::new(Some(key))))
    }

    pub(crate) fn opener(&self) -> MaterialOpener {
        MaterialOpener(self.0.clone())
    }

    /// Runs `work` with the key. The owner is alive, so the key is there.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&AeadKey) -> R) -> Option<R> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(work)
    }
}

impl Drop for Latch {
    /// Waits for openings in progress, then wipes the key.
    fn drop(&mut self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
