//! What tests need and the product must not hold: a fake upstream in the providers' own shapes, a Claviger home driven
//! through the real binary, and a search for leaked secrets.
//!
//! A dev-dependency only. It may know every boundary from outside; it must not reach into the product's insides.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failing double must fail the test"
)]

pub mod clients;
pub mod desktop;
pub mod home;
pub mod http;
pub mod leaks;
pub mod mcp;
pub mod provider;

mod eventually;

pub use eventually::eventually;
pub use home::{Engine, Home, Ran};
pub use http::{Reply, send_raw};
pub use leaks::{Find, Needles};
pub use provider::{FakeProvider, Seen};
