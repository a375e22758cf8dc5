//! The cryptography of Claviger behind an interface that is hard to misuse: typed keys, AAD that cannot collide, one
//! opaque failure, one random source.
//!
//! Must not know files, clocks, the network, or what any of the bytes mean. Keys never leave the types here except into
//! [`Secret`]. `derive_*` is deterministic, `make_*` draws random bytes, `seal` and `open` belong together.
//!
//! ```
//! use claviger_crypto::{Aad, AeadKey};
//! let key = AeadKey::make();
//! let aad = Aad::new("doc|example").field(b"id").number(1);
//! let sealed = key.seal(&aad, b"material");
//! assert_eq!(key.open(&aad, &sealed).map(|plain| plain.len()), Ok(8));
//! assert!(key.open(&Aad::new("doc|example").field(b"id").number(2), &sealed).is_err());
//! ```
#![deny(missing_docs)]

mod aad;
mod aead;
mod derive;
mod digest;
mod kdf;
mod random;
mod recovery;
mod sealed_box;

pub use aad::Aad;
pub use aead::{AeadKey, SEALED_OVERHEAD, sealed_nonce, sealed_tag};
pub use derive::{Label, derive_secret};
pub use digest::{MacKey, MacStream, sha256, sha256_of, sha256_with};
pub use kdf::{Kdf, KdfOutOfBounds, derive_from_passphrase};
pub use random::{make_secret, random_bytes, random_id};
pub use recovery::{NotARecoveryKey, RecoverySeed, make_recovery_key, parse_recovery_key};
pub use sealed_box::{BoxSecret, seal_to};

pub use claviger_secret::Secret;

/// It does not open: wrong key, changed bytes, other context, or no such thing at all. Which of them is not said, so
/// that nobody can ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot be opened")]
pub struct CannotOpen;
