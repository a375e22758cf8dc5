//! The room of the operating system: keychain, hardening, directories, files, processes. The only `unsafe` in the tree.
//!
//! Must not know credentials, HTTP, or what its bytes mean.
#![deny(missing_docs, unsafe_op_in_unsafe_fn)]

mod dirs;
mod fs;
mod harden;
mod keychain;
mod process;

pub use dirs::{Dirs, NoHome};
pub use fs::atomic_write;
pub use harden::{forbid_remote_control, harden};
pub use keychain::{FakeKeychain, Keychain, KeychainError, system_keychain};
pub use process::{own_uid, process_exists};
