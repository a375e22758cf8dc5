//! Claviger as an MCP server: what an agent may ask of Claviger itself, over stdio and over streamable HTTP.
//!
//! Must not know the vault, other agents, or any call but those of one agent's [`Desk`]: nothing here can approve
//! anything, and nothing here ever holds material. Who asks was proved before, by the agent's token and nothing else.
#![deny(missing_docs)]

mod http;
mod server;
mod stdio;
mod tools;

pub use claviger_api::Desk;
pub use http::answer;
pub use stdio::serve_stdio;
