//! The loopback proxy: accept → authenticate → route → decide → inject → forward → record, one room each. The types
//! change at each step, so that a step cannot be skipped.
//!
//! Must not know the vault, the log's format, the clock, or the window. It reads a [`ports::Snapshot`] and speaks
//! through the doors in [`ports`].
//!
//! ```text
//! bytes ─ head ─▶ RawRequest ─ authenticate ─▶ AgentRequest ─ route ─▶ RoutedRequest ─ decide ─▶ PermittedRequest
//!       ─ inject ─▶ InjectedRequest ─ record ─▶ ReleasedRequest ─ forward ─▶ the upstream
//! ```
//!
//! Whatever goes wrong on the way becomes a [`rescue::Stop`], and `rescue` alone turns that into an answer. What an
//! agent sees is listed in `docs/proxy-behaviour.md`.

mod accept;
mod authenticate;
mod body;
mod challenge;
mod config;
mod conn;
mod decide;
mod forward;
mod head;
mod inject;
mod own;
mod path;
pub mod ports;
mod proxy;
mod record;
mod rescue;
mod route;
mod strip;
mod sweep;
mod upstream;

pub use config::{Config, StartError};
pub use path::join as path_at_service;
pub use proxy::Proxy;
