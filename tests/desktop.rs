//! The real window, end to end: WebKitWebDriver clicks through the app that users get, on a private desktop with a real
//! keychain. Needs Xvfb, dbus-daemon, gnome-keyring and webkit2gtk-driver; `cargo xtask test` installs them.
//!
//! - `journey`  first run → credential → agent → a real request → the Overview shows it; lock, unlock, quit
//! - `clipboard` a copied secret is gone after a minute, anything else stays
//! - `consent`  connect by OAuth in a real browser → grant → requests → the token ends and is renewed → disconnect
//! - `tray`     without a window: menu, closing, a second start, memory given back
//! - `bridge`   what the page cannot do, whatever is injected into it
//! - `faults`   an engine that cannot start, a desktop without tray, notifications or keychain
//! - `driven`   a build for users cannot be driven from outside
//! - `shots`    every screen, light and dark; `CLAVIGER_SHOTS=1` writes them to `docs/screenshots`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "tests tell what they saw")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "desktop/app.rs"]
mod app;
#[path = "desktop/bridge.rs"]
mod bridge;
#[path = "desktop/clipboard.rs"]
mod clipboard;
#[path = "desktop/consent.rs"]
mod consent;
#[path = "desktop/driven.rs"]
mod driven;
#[path = "desktop/faults.rs"]
mod faults;
#[path = "desktop/journey.rs"]
mod journey;
#[path = "desktop/shots.rs"]
mod shots;
#[path = "desktop/tray.rs"]
mod tray;
