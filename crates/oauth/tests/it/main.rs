//! OAuth from outside, in one program, against real and hostile servers. This file is the table of contents; test names
//! carry the numbers of the checklist in `docs/oauth.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a test may say what it measured")]

/// A scripted server, a store, a clock, a browser, and the certified server.
mod support;

/// The document that maps the checklist to these tests.
mod checklist;
/// The device flow's patience.
mod device;
/// Every door to a server, and every hostile answer behind it.
mod gauntlet;
/// What a hostile server does to the one HTTP client and to the flows.
mod hostile;
/// One renewal at a time, stored before it is used.
mod keeper;
/// Eight capabilities at five servers, written down.
mod matrix;
/// Proofs and assertions as they arrive at a server.
mod proofs;
/// Every flow against a certified server.
mod provider;
/// Pushed requests, as they are sent and refused.
mod pushed;
/// The loopback listener under stray and hostile requests.
mod redirect;
/// Registration and the metadata of resources.
mod register;
/// Giving tokens back, also when the server is away.
mod revoke;
/// The starred lines of the checklist at three servers.
mod stars;
/// Storms of callers, and a process killed between answer and store.
mod storm;
/// A renewed token that cannot be stored.
mod unstored;
