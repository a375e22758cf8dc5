//! The whole product from outside, in one program. This file is the table of contents.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a test may say what it measured")]

/// The tree keeps its own rules: who may depend on whom, where secrets and `unsafe` may stand, how files begin.
mod tidy;
