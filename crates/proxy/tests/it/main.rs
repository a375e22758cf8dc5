//! The proxy on real sockets: fake doors, a recording upstream, and raw bytes as agents and attackers send them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod carrying;
mod gate;
mod limits;
mod mcp;
mod refusals;
mod renewed;
mod streams;
mod support;
mod tls;
