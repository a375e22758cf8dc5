//! A build for users cannot be driven or looked into from outside, and hands nothing injected on to the page's process.
//!
//! The build under test is told to behave like one for users. For the real one, run this file against a release build:
//!
//! ```text
//! cargo build --release --features desktop
//! CLAVIGER_RELEASE_BINARY=$PWD/target/release/claviger-desktop \
//!     cargo test --features desktop,e2e --test desktop driven
//! ```

use crate::app::DESKTOP;
use claviger_testkit::desktop::{Desktop, wait_at_most, wait_for};
use fantoccini::ClientBuilder;
use serde_json::json;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Long enough for a driver to get hold of an app that lets itself be driven, which takes less than a second.
const ATTEMPT: Duration = Duration::from_secs(8);

#[test]
fn webdriver_gets_no_hold() {
    assert!(webdriver_drives(DESKTOP, false), "the check is blind: not even the build for tests is driven");
    assert!(!webdriver_drives(&binary(), true), "WebDriver drives the window");
}

#[test]
fn the_inspector_does_not_listen() {
    assert!(
        inspector_listens(DESKTOP, false),
        "the check is blind: not even the build for tests is inspected"
    );
    assert!(!inspector_listens(&binary(), true), "the inspector listens");
}

#[test]
fn nothing_injected_reaches_the_page() {
    let mut desktop = Desktop::start();
    let mut command = Command::new(binary());
    desktop.env(&mut command).env("LD_BIND_NOW", "1").env("SSLKEYLOGFILE", desktop.folder().join("keys"));
    command.env("GTK_MODULES", "nothing-of-ours").stdin(Stdio::null());
    let app = desktop.keep(command.spawn().expect("the app does not start"));
    let page = wait_for("the page's process", || crate::tray::web_processes(app).first().copied());
    let variables =
        std::fs::read(format!("/proc/{page}/environ")).expect("a child's environment can be read");
    let variables = String::from_utf8_lossy(&variables).into_owned();
    assert!(variables.contains("DISPLAY="), "the search is blind: {variables}");
    for name in ["LD_BIND_NOW", "SSLKEYLOGFILE", "GTK_MODULES"] {
        assert!(!variables.contains(name), "{name} reached the page's process");
    }
}

/// The build for users if there is one, else the one for tests.
fn binary() -> String {
    std::env::var("CLAVIGER_RELEASE_BINARY").unwrap_or_else(|_| DESKTOP.to_owned())
}

fn webdriver_drives(binary: &str, like_a_real_one: bool) -> bool {
    let mut desktop = Desktop::start();
    let port = free_port();
    let mut command = Command::new("WebKitWebDriver");
    desktop.env(command.arg(format!("--port={port}"))).env("TAURI_WEBVIEW_AUTOMATION", "true");
    if like_a_real_one {
        command.env("CLAVIGER_E2E_UNDRIVEN", "1");
    }
    let driver =
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("WebKitWebDriver is not installed");
    desktop.keep(driver);
    wait_for("the driver", || TcpStream::connect(("127.0.0.1", port)).ok());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let wanted = json!({ "webkitgtk:browserOptions": { "binary": binary, "args": [] } });
    let is_driven = runtime.block_on(async {
        let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        let builder = builder.capabilities(serde_json::from_value(wanted).unwrap());
        let url = format!("http://127.0.0.1:{port}");
        match tokio::time::timeout(ATTEMPT, builder.connect(&url)).await {
            Ok(Ok(client)) => client.close().await.is_ok(),
            // The driver gave up, or waits for an answer that does not come.
            Ok(Err(_)) | Err(_) => false,
        }
    });
    if like_a_real_one {
        assert!(!desktop.windows("Claviger").is_empty(), "the app did not open its window at all");
    }
    is_driven
}

fn inspector_listens(binary: &str, like_a_real_one: bool) -> bool {
    let mut desktop = Desktop::start();
    let port = free_port();
    let mut command = Command::new(binary);
    desktop
        .env(&mut command)
        .env("WEBKIT_INSPECTOR_SERVER", format!("127.0.0.1:{port}"))
        .stdin(Stdio::null());
    if like_a_real_one {
        command.env("CLAVIGER_E2E_UNDRIVEN", "1");
    }
    let app = desktop.keep(command.spawn().expect("the app does not start"));
    wait_for("the page's process", || (!crate::tray::web_processes(app).is_empty()).then_some(()));
    wait_at_most(ATTEMPT, "the window", || (!desktop.windows("Claviger").is_empty()).then_some(()));
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
