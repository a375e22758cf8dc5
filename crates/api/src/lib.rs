//! The contract between the engine and whoever drives it: window, command line, tests.
//!
//! Must not know Tauri, terminals, or how anything is stored.
#![deny(missing_docs)]

mod desk;
mod dispatch;
mod handlers;
mod host;
mod remote;
pub mod schema;
mod serve;
mod session;
mod socket;

pub use claviger_engine::own::OwnAnswer;
pub use desk::{Answerer, Desk};
pub use dispatch::dispatch;
pub use host::{Host, HostOptions};
pub use schema::{ApiError, Code, Tag, Verb};
pub use serve::{Ready, ServeOptions, serve};
pub use session::{Followed, Session};
