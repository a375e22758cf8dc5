//! From a password or recovery key to the root key, and back into a new slot.
//!
//! Must not know SQLite. Argon2id always runs before anything is compared, so that time tells nothing.

use claviger_crypto::{
    AeadKey, CannotOpen, Kdf, RecoverySeed, derive_from_passphrase, derive_secret, random_bytes, random_id,
};
use claviger_model::{Timestamp, VaultId};
use claviger_secret::{DeviceSecret, Passphrase, Secret};

use crate::header::{Header, Slot, SlotKind};
use crate::keys::{SLOT_COMMITMENT, SLOT_PASSWORD, SLOT_PASSWORD_DEVICE, SLOT_RECOVERY};

/// Why a slot did not open.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SlotError {
    /// The key is not this slot's.
    WrongKey,
    /// A device secret is needed and none was given.
    NeedsDeviceSecret,
    /// The key is right and the slot's content is not.
    Tampered,
}

/// Opens a slot with a password, and a device secret where the slot wants one.
pub(crate) fn open_by_password(
    header: &Header,
    slot: &Slot,
    passphrase: &Passphrase,
    device: Option<&DeviceSecret>,
) -> Result<Secret, SlotError> {
    let kek = match (slot.kind, device) {
        (SlotKind::Password(kdf), _) => password_kek(header.vault, slot, passphrase, None, kdf),
        (SlotKind::PasswordAndDevice(kdf), Some(device)) => {
            password_kek(header.vault, slot, passphrase, Some(device), kdf)
        }
        (SlotKind::PasswordAndDevice(_), None) => return Err(SlotError::NeedsDeviceSecret),
        (SlotKind::Recovery, _) => return Err(SlotError::WrongKey),
    };
    unwrap(header, slot, &kek.map_err(|_| SlotError::WrongKey)?)
}

/// Opens a slot with a recovery key.
pub(crate) fn open_by_recovery(
    header: &Header,
    slot: &Slot,
    seed: &RecoverySeed,
) -> Result<Secret, SlotError> {
    unwrap(header, slot, &recovery_kek(header.vault, slot, seed))
}

/// A slot for a password.
pub(crate) fn make_for_password(
    header: &Header,
    root: &Secret,
    passphrase: &Passphrase,
    device: Option<&DeviceSecret>,
    kdf: Kdf,
    now: Timestamp,
) -> Result<Slot, CannotOpen> {
    let kind = if device.is_some() { SlotKind::PasswordAndDevice(kdf) } else { SlotKind::Password(kdf) };
    let slot = empty(kind, random_bytes(), now);
    let kek = password_kek(header.vault, &slot, passphrase, device, kdf)?;
    wrap(header, slot, &kek, root)
}

/// A slot for a recovery key.
pub(crate) fn make_for_recovery(
    header: &Header,
    root: &Secret,
    seed: &RecoverySeed,
    now: Timestamp,
) -> Result<Slot, CannotOpen> {
    let slot = empty(SlotKind::Recovery, [0; 32], now);
    let kek = recovery_kek(header.vault, &slot, seed);
    wrap(header, slot, &kek, root)
}

fn empty(kind: SlotKind, salt: [u8; 32], now: Timestamp) -> Slot {
    Slot { id: random_id(), kind, created_at: now, salt, commitment: [0; 32], wrapped: Vec::new() }
}

fn password_kek(
    vault: VaultId,
    slot: &Slot,
    passphrase: &Passphrase,
    device: Option<&DeviceSecret>,
    kdf: Kdf,
) -> Result<Secret, CannotOpen> {
    let stretched = derive_from_passphrase(passphrase, &slot.salt, kdf)?;
    let Some(device) = device else {
        return Ok(derive_secret(&stretched, vault.bytes(), SLOT_PASSWORD, &slot.id));
    };
    let both = Secret::filled_by(stretched.len() + device.secret().len(), |out| {
        let (first, second) = out.split_at_mut(stretched.len());
        // EXPOSE: joined into the input of the key derivation, which is itself a Secret.
        first.copy_from_slice(stretched.expose());
        // EXPOSE: as above.
        second.copy_from_slice(device.secret().expose());
    });
    Ok(derive_secret(&both, vault.bytes(), SLOT_PASSWORD_DEVICE, &slot.id))
}

fn recovery_kek(vault: VaultId, slot: &Slot, seed: &RecoverySeed) -> Secret {
    derive_secret(seed.secret(), vault.bytes(), SLOT_RECOVERY, &slot.id)
}

fn commitment(vault: VaultId, slot: &Slot, kek: &Secret) -> Secret {
    derive_secret(kek, vault.bytes(), SLOT_COMMITMENT, &slot.id)
}

fn wrap(header: &Header, mut slot: Slot, kek: &Secret, root: &Secret) -> Result<Slot, CannotOpen> {
    // EXPOSE: the commitment is public; it says nothing about the key.
    slot.commitment = commitment(header.vault, &slot, kek).expose().try_into().map_err(|_| CannotOpen)?;
    slot.wrapped = AeadKey::from_secret(kek)?.seal_secret(&header.slot_context(&slot), root);
    Ok(slot)
}

fn unwrap(header: &Header, slot: &Slot, kek: &Secret) -> Result<Secret, SlotError> {
    // Secrets are compared in constant time.
    if commitment(header.vault, slot, kek) != Secret::from(slot.commitment.to_vec()) {
        return Err(SlotError::WrongKey);
    }
    let key = AeadKey::from_secret(kek).map_err(|_| SlotError::Tampered)?;
    key.open(&header.slot_context(slot), &slot.wrapped).map_err(|_| SlotError::Tampered)
}
