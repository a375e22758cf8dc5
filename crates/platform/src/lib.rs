//! The operating system's room: hardening, the keychain, directories, peers, processes. Each has a plain interface and,
//! where tests need one, a fake.
//!
//! Must not know vaults, agents or HTTP. The only crate where `unsafe` and `cfg(target_os)` may stand.
#![deny(missing_docs)]

mod dirs;
mod display;
mod files;
mod fresh;
mod harden;
mod keychain;
mod locale;
mod peer;
mod process;
mod stdin;

pub use dirs::{Dirs, DirsError};
pub use display::{display_is_missing, url_opener};
pub use files::atomic_write;
pub use fresh::start_clean;
pub use harden::{forbid_remote_control, harden};
pub use keychain::{FakeKeychain, FakeState, Keychain, KeychainError, system_keychain};
pub use peer::{Peer, own_uid, peer_credentials};
pub use process::{ProcessExit, become_program, wait_for_exit};
pub use stdin::raw_stdin;
