//! A build for users cannot be driven from outside. The check needs such a build, so it does not run by itself:
//!
//! ```text
//! cargo build --release --features desktop
//! CLAVIGER_RELEASE_BINARY=$PWD/target/release/claviger-desktop \
//!     cargo test --features desktop,e2e --test desktop -- --ignored driven
//! ```

use claviger_testkit::desktop::{Desktop, wait_for};
use fantoccini::ClientBuilder;
use serde_json::json;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
#[ignore = "needs a release build; the command stands at the top of this file"]
fn a_release_build_refuses_webdriver_and_the_inspector() {
    let binary = std::env::var("CLAVIGER_RELEASE_BINARY").expect("CLAVIGER_RELEASE_BINARY names no binary");
    let mut desktop = Desktop::start();
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (port, inspector) = (free(), free());
    let driver = desktop
        .env(Command::new("WebKitWebDriver").arg(format!("--port={port}")))
        .env("TAURI_WEBVIEW_AUTOMATION", "true")
        .env("WEBKIT_INSPECTOR_SERVER", format!("127.0.0.1:{inspector}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("WebKitWebDriver is not installed");
    desktop.keep(driver);
    wait_for("the driver", || TcpStream::connect(("127.0.0.1", port)).ok());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let wanted = json!({ "webkitgtk:browserOptions": { "binary": binary, "args": [] } });
    let session = runtime.block_on(async {
        let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        let builder = builder.capabilities(serde_json::from_value(wanted).unwrap());
        let url = format!("http://127.0.0.1:{port}");
        tokio::time::timeout(Duration::from_secs(15), builder.connect(&url)).await
    });
    // Whether the driver gives up or waits for ever for an answer, it must not get a session.
    assert!(!matches!(session, Ok(Ok(_))), "WebDriver drives the release build");
    assert!(!desktop.windows("Claviger").is_empty(), "the release build did not open its window at all");
    assert!(
        TcpStream::connect(("127.0.0.1", inspector)).is_err(),
        "the inspector listens in the release build"
    );
}
