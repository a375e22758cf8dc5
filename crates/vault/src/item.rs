//! One row of the table `item`: its key envelope and its body, and how they are sealed.
//!
//! Must not know what the content means, or SQLite.

use claviger_crypto::{Aad, AeadKey, CannotOpen, sealed_nonce, sealed_tag};
use claviger_model::{Timestamp, VaultId};
use claviger_secret::Secret;

use crate::container::MAX_CONTENT;

const BLOCK: usize = 64;
const ENVELOPE: usize = 32 + 8 + 8;

/// Which row: the primary key, in the order that the manifest has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ItemKey {
    pub(crate) class: u8,
    pub(crate) id: [u8; 16],
    pub(crate) version: u32,
}

/// What the manifest holds of a row. Its content hangs on these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tags {
    pub(crate) key_nonce: [u8; 12],
    pub(crate) key: [u8; 16],
    pub(crate) body: [u8; 16],
}

/// A row with the context that it was sealed in.
#[derive(Debug)]
pub(crate) struct SealedItem {
    pub(crate) key: ItemKey,
    key_aad: Aad,
    body_aad: Aad,
    pub(crate) wrapped: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

/// What the key envelope holds.
pub(crate) struct Envelope {
    content_key: AeadKey,
    pub(crate) stored_at: Timestamp,
    pub(crate) fingerprint: [u8; 8],
}

/// Content is too large for a row.
#[derive(Debug)]
pub(crate) struct TooLarge;

// === impl SealedItem ===

impl SealedItem {
    /// Seals content under a fresh key of its own.
    pub(crate) fn seal(
        (vault, epoch): (VaultId, u32),
        key: ItemKey,
        wrap: &AeadKey,
        (stored_at, fingerprint): (Timestamp, [u8; 8]),
        content: &Secret,
    ) -> Result<Self, TooLarge> {
        let padded = pad(content)?;
        let (key_aad, body_aad) = contexts(vault, epoch, key);
        let mut envelope = None;
        let content_key = AeadKey::make_with(|bytes| {
            envelope = Some(Secret::filled_by(ENVELOPE, |out| {
                out[..32].copy_from_slice(bytes);
                out[32..40].copy_from_slice(&stored_at.0.to_be_bytes());
                out[40..].copy_from_slice(&fingerprint);
            }));
        });
        let wrapped = envelope.map(|envelope| wrap.seal_secret(&key_aad, &envelope)).unwrap_or_default();
        let body = content_key.seal_secret(&body_aad, &padded);
        Ok(Self { key, key_aad, body_aad, wrapped, body })
    }

    /// A row as it was read.
    pub(crate) fn from_row(
        (vault, epoch): (VaultId, u32),
        key: ItemKey,
        wrapped: Vec<u8>,
        body: Vec<u8>,
    ) -> Self {
        let (key_aad, body_aad) = contexts(vault, epoch, key);
        Self { key, key_aad, body_aad, wrapped, body }
    }

    /// What the manifest holds of it.
    pub(crate) fn tags(&self) -> Option<Tags> {
        Tags::of(&self.wrapped, &self.body)
    }
}

// === impl Tags ===

impl Tags {
    /// The tags of a row's two blobs, if they have the lengths of such.
    pub(crate) fn of(wrapped: &[u8], body: &[u8]) -> Option<Self> {
        if wrapped.len() != ENVELOPE + claviger_crypto::SEALED_OVERHEAD {
            return None;
        }
        Some(Self {
            key_nonce: *sealed_nonce(wrapped)?,
            key: *sealed_tag(wrapped)?,
            body: *sealed_tag(body)?,
        })
    }
}

// === impl Envelope ===

impl Envelope {
    /// Opens the envelope, which opens no content yet.
    pub(crate) fn open(wrap: &AeadKey, item: &SealedItem) -> Result<Self, CannotOpen> {
        let plain = wrap.open(&item.key_aad, &item.wrapped)?;
        // EXPOSE: split into the content key's schedule and two values that are no secrets.
        let bytes = plain.expose();
        let (content_key, rest) = bytes.split_first_chunk::<32>().ok_or(CannotOpen)?;
        let (stored_at, rest) = rest.split_first_chunk::<8>().ok_or(CannotOpen)?;
        Ok(Self {
            content_key: AeadKey::from_bytes(content_key),
            stored_at: Timestamp(i64::from_be_bytes(*stored_at)),
            fingerprint: rest.try_into().map_err(|_| CannotOpen)?,
        })
    }

    /// Opens the body of the item whose envelope this is.
    pub(crate) fn open_body(&self, item: &SealedItem) -> Result<Secret, CannotOpen> {
        unpad(&self.content_key.open(&item.body_aad, &item.body)?)
    }
}

fn contexts(vault: VaultId, epoch: u32, key: ItemKey) -> (Aad, Aad) {
    let context = |tag| {
        Aad::new(tag)
            .field(vault.bytes())
            .number(epoch.into())
            .number(key.class.into())
            .field(&key.id)
            .number(key.version.into())
    };
    (context("clav1|key"), context("clav1|item"))
}

/// Four length bytes, the content, zeros up to a multiple of 64: the size says little about the content.
fn pad(content: &Secret) -> Result<Secret, TooLarge> {
    if content.len() > MAX_CONTENT {
        return Err(TooLarge);
    }
    let len = u32::try_from(content.len()).map_err(|_| TooLarge)?;
    Ok(Secret::filled_by((4 + content.len()).next_multiple_of(BLOCK), |out| {
        out[..4].copy_from_slice(&len.to_be_bytes());
        // EXPOSE: copied into the padded form, which is itself a Secret.
        out[4..4 + content.len()].copy_from_slice(content.expose());
    }))
}

fn unpad(padded: &Secret) -> Result<Secret, CannotOpen> {
    // EXPOSE: the content is copied out of its padding into a Secret.
    let (len, rest) = padded.expose().split_first_chunk::<4>().ok_or(CannotOpen)?;
    let len = u32::from_be_bytes(*len) as usize;
    let content = rest.get(..len).ok_or(CannotOpen)?;
    let is_as_written =
        padded.len() == (4 + len).next_multiple_of(BLOCK) && rest[len..].iter().all(|b| *b == 0);
    if !is_as_written {
        return Err(CannotOpen);
    }
    Ok(Secret::filled_by(len, |out| out.copy_from_slice(content)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn padding_is_strict_and_hides_the_length() {
        for len in [0, 1, 59, 60, 61, 124, 1000] {
            let content = Secret::from(vec![7; len]);
            let padded = pad(&content).unwrap();
            assert_eq!(padded.len() % BLOCK, 0, "{len} bytes are padded to blocks");
            assert_eq!(unpad(&padded), Ok(content), "{len} bytes survive");
        }
        let mut dirty = pad(&Secret::from(vec![7; 10])).unwrap().expose().to_vec();
        dirty[63] = 1;
        assert!(unpad(&Secret::from(dirty)).is_err(), "non-zero padding was accepted");
        let mut long = pad(&Secret::from(vec![7; 10])).unwrap().expose().to_vec();
        long.extend([0; 64]);
        assert!(unpad(&Secret::from(long)).is_err(), "a block too many was accepted");
        let mut lying = vec![0; 64];
        lying[3] = 61;
        assert!(unpad(&Secret::from(lying)).is_err(), "a length beyond the end was accepted");
        assert!(
            pad(&Secret::from(vec![0; MAX_CONTENT + 1])).is_err(),
            "content beyond the limit was accepted"
        );
    }

    #[test]
    fn every_part_of_the_context_counts() {
        let wrap = AeadKey::make();
        let vault = VaultId::from_bytes([1; 16]);
        let key = ItemKey { class: 5, id: [2; 16], version: 3 };
        let content = Secret::from(b"material".to_vec());
        let item = SealedItem::seal((vault, 1), key, &wrap, (Timestamp(9), [4; 8]), &content).unwrap();
        let envelope = Envelope::open(&wrap, &item).unwrap();
        assert_eq!(envelope.open_body(&item), Ok(content), "in its own context it opens");
        assert_eq!((envelope.stored_at, envelope.fingerprint), (Timestamp(9), [4; 8]), "the notes survive");
        for (vault, epoch, key) in [
            (VaultId::from_bytes([9; 16]), 1, key),
            (vault, 2, key),
            (vault, 1, ItemKey { class: 6, ..key }),
            (vault, 1, ItemKey { id: [3; 16], ..key }),
            (vault, 1, ItemKey { version: 4, ..key }),
        ] {
            let moved = SealedItem::from_row((vault, epoch), key, item.wrapped.clone(), item.body.clone());
            assert!(Envelope::open(&wrap, &moved).is_err(), "opened as {vault} epoch {epoch} {key:?}");
            assert!(envelope.open_body(&moved).is_err(), "body opened as {vault} epoch {epoch} {key:?}");
        }
    }
}
