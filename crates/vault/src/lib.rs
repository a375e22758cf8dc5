//! The vault: an encrypted file that holds agents, credentials, grants, services, settings and material.
//!
//! Format 1 is specified in `docs/vault-format.md`; this crate follows it. It must not know HTTP, agents' requests, the
//! keychain, the clock or any window: what it needs is passed in. Only ciphertext, ids and public values are ever handed
//! to SQLite.
//!
//! A [`Vault`] is a file that is held and locked: no keys. An [`Unlocked`] owns the keys until [`Unlocked::lock`] turns
//! it back.
#![deny(missing_docs)]

mod container;
mod create;
mod error;
mod file;
mod header;
mod item;
mod keys;
mod manifest;
mod opener;
mod slot;
mod stored;
mod unlocked;
mod vault;
mod writer;

pub use claviger_crypto::Kdf;
pub use error::{CreateError, LockError, OpenError, OpenMaterialError, ReadError, UnlockError, WriteError};
pub use keys::KeyPurpose;
pub use manifest::Anchor;
pub use opener::{MaterialOpener, SealedMaterial};
pub use stored::Stored;
pub use unlocked::{MaterialVersion, Unlocked};
pub use vault::Vault;
pub use writer::Writer;

/// The format that this crate writes, and the only one that it reads.
pub const FORMAT: u32 = 1;
