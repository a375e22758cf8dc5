//! The contract between the engine and whoever drives it: window, command line, tests.
//!
//! Must not know Tauri, terminals, or how anything is stored.
#![deny(missing_docs)]

pub mod schema;
