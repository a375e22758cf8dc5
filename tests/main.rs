//! The whole product from outside, in one program. This file is the table of contents.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a test may say what it measured")]

/// The tree keeps its own rules: who may depend on whom, where secrets and `unsafe` may stand, how files begin.
mod tidy;

/// The command line's words, one case a file: what it says and how it exits.
mod cli;
/// The product's jobs from end to end.
mod journeys;
/// After a whole run no secret is in any file, log, process or, once locked, in memory.
mod leaks;
/// Consent, renewal, revocation: connections to a certified server, through the command line and the proxy.
mod oauth;
/// Every way in which a request must be refused: the code, the record, and no connection to the upstream.
mod refusals;
