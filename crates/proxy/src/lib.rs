//! The loopback proxy: accept → authenticate → route → decide → inject → forward → record, one room each. The types
//! change at each step, so that a step cannot be skipped.
//!
//! Must not know the vault, the log's format, the clock, or the window. It reads a [`ports::Snapshot`] and speaks
//! through the doors in [`ports`].

pub mod ports;
