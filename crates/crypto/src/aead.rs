//! AES-256-GCM (NIST SP 800-38D) with random nonces that the caller never chooses.
//!
//! A sealed blob is `nonce(12) ‖ ciphertext ‖ tag(16)`. Must not know what is sealed.

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, Nonce, Tag, aead::inout::InOutBuf};
use claviger_secret::Secret;
use zeroize::Zeroizing;

use crate::{Aad, CannotOpen, random};

const NONCE: usize = 12;
const TAG: usize = 16;

/// How much longer a sealed blob is than its content.
pub const SEALED_OVERHEAD: usize = NONCE + TAG;

/// A key for sealing, with its schedule. Boxed, so that moving it leaves no copy behind; wiped when dropped.
pub struct AeadKey(Box<Aes256Gcm>);

/// The nonce of a sealed blob.
pub fn sealed_nonce(sealed: &[u8]) -> Option<&[u8; NONCE]> {
    sealed.first_chunk()
}

/// The tag of a sealed blob.
pub fn sealed_tag(sealed: &[u8]) -> Option<&[u8; TAG]> {
    if sealed.len() < SEALED_OVERHEAD { None } else { sealed.last_chunk() }
}

// === impl AeadKey ===

impl AeadKey {
    /// A fresh key that is never seen outside.
    pub fn make() -> Self {
        Self::make_with(|_| ())
    }

    /// A fresh key whose bytes `keep` sees once, to wrap them.
    pub fn make_with<R>(keep: impl FnOnce(&[u8; 32]) -> R) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        random::fill(&mut bytes[..]);
        keep(&bytes);
        Self::from_bytes(&bytes)
    }

    /// The key with these 32 bytes.
    pub fn from_secret(key: &Secret) -> Result<Self, CannotOpen> {
        // EXPOSE: expanded into the cipher's key schedule.
        key.expose().try_into().map(Self::from_bytes).map_err(|_| CannotOpen)
    }

    /// The key with these bytes, which the caller holds inside a [`Secret`].
    pub fn from_bytes(key: &[u8; 32]) -> Self {
        Self(Box::new(Aes256Gcm::new(key.into())))
    }

    /// Seals `content` under a random nonce.
    pub fn seal(&self, aad: &Aad, content: &[u8]) -> Vec<u8> {
        self.seal_under(random::random_bytes(), aad.as_bytes(), content)
    }

    /// Seals `content` and adds the sealed blob to `out`, for writers of many small blobs.
    pub fn seal_onto(&self, aad: &Aad, content: &[u8], out: &mut Vec<u8>) {
        self.seal_onto_under(random::random_bytes(), aad.as_bytes(), content, out);
    }

    /// Seals a secret.
    pub fn seal_secret(&self, aad: &Aad, content: &Secret) -> Vec<u8> {
        // EXPOSE: encrypted in a buffer that holds nothing else.
        self.seal(aad, content.expose())
    }

    /// Opens what [`AeadKey::seal`] made under the same `aad`. Nothing is decrypted before the tag was checked.
    pub fn open(&self, aad: &Aad, sealed: &[u8]) -> Result<Secret, CannotOpen> {
        self.open_under(aad.as_bytes(), sealed)
    }

    fn open_under(&self, aad: &[u8], sealed: &[u8]) -> Result<Secret, CannotOpen> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE>().ok_or(CannotOpen)?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG>().ok_or(CannotOpen)?;
        let mut opened = Ok(());
        let content = Secret::filled_by(ciphertext.len(), |out| {
            opened = InOutBuf::new(ciphertext, out).map_err(|_| CannotOpen).and_then(|buffer| {
                self.0
                    .decrypt_inout_detached(&Nonce::from(*nonce), aad, buffer, &Tag::from(*tag))
                    .map_err(|_| CannotOpen)
            });
        });
        opened.map(|()| content)
    }

    #[expect(
        clippy::expect_used,
        reason = "GCM takes up to 64 GiB, and no such content can be in memory here"
    )]
    fn seal_onto_under(&self, nonce: [u8; NONCE], aad: &[u8], content: &[u8], out: &mut Vec<u8>) {
        out.reserve(content.len() + SEALED_OVERHEAD);
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(content);
        let tag = self
            .0
            .encrypt_inout_detached(&Nonce::from(nonce), aad, (&mut out[start..]).into())
            .expect("the content is far below GCM's bound");
        out.extend_from_slice(&tag);
    }

    fn seal_under(&self, nonce: [u8; NONCE], aad: &[u8], content: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::new();
        self.seal_onto_under(nonce, aad, content, &mut sealed);
        sealed
    }
}

impl std::fmt::Debug for AeadKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AeadKey")
    }
}

#[cfg(test)]
#[path = "aead/tests.rs"]
mod tests;
