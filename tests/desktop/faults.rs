//! When something is missing or in the way, the window says what and what to do, loses nothing, and goes on by itself
//! once the cause is gone.

use crate::app::{App, CLI, DESKTOP};
use claviger_testkit::desktop::{Desktop, Parts, wait_for};
use claviger_testkit::home::finish;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PASSWORD: &str = "plain oak river lantern";

#[test]
fn a_vault_in_use_elsewhere_is_said_and_opens_once_it_is_free() {
    let mut desktop = Desktop::start();
    cli(&desktop, &["init", "--password-stdin"]);
    let mut command = Command::new(CLI);
    desktop.env(&mut command).args(["serve", "--port", "0"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut serve = command.spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(serve.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    assert!(ready.contains("ready"), "serve did not start: {ready}");
    let serve = desktop.keep(serve);

    let app = App::start_on(desktop, &[]);
    let refused = app.call("query", "vault.status", json!({})).expect_err("two engines opened one vault");
    assert_eq!(refused["code"], "conflict", "the page is told in the contract's words: {refused}");
    assert!(!refused["hint"].as_str().unwrap_or_default().is_empty(), "nothing says what to do: {refused}");
    app.wait_for_page(refused["message"].as_str().unwrap());

    end(serve);
    let status = wait_for("the vault to be free", || app.call("query", "vault.status", json!({})).ok());
    assert_eq!(status["vault"], "locked", "the vault was not found as it was: {status}");
}

#[test]
fn a_busy_port_is_said_and_taken_once_it_is_free() {
    let app = App::start();
    let status = wait_for("the engine", || app.call("query", "vault.status", json!({})).ok());
    let base = status["proxy"]["base"].as_str().unwrap_or_else(|| panic!("no proxy: {status}")).to_owned();
    let desktop = app.quit();
    let address = base.trim_start_matches("http://");
    let squatter = wait_for("the port to be given up", || TcpListener::bind(address).ok());

    let app = App::start_on(desktop, &[]);
    let refused = app.call("query", "vault.status", json!({})).expect_err("the port was taken");
    assert_eq!(refused["code"], "unavailable", "the page is told in the contract's words: {refused}");
    let port = base.rsplit(':').next().unwrap();
    assert!(
        refused["message"].as_str().unwrap_or_default().contains(port),
        "the port is not named: {refused}"
    );

    drop(squatter);
    let status = wait_for("the port to be free", || app.call("query", "vault.status", json!({})).ok());
    assert_eq!(status["proxy"]["base"], base.as_str(), "the installation's port was not kept");
}

#[test]
fn a_file_that_is_no_vault_is_said_and_left_alone() {
    let desktop = Desktop::start();
    cli(&desktop, &["init", "--password-stdin"]);
    let vault = vault_file(desktop.folder());
    std::fs::write(&vault, b"this is no vault at all").unwrap();

    let app = App::start_on(desktop, &[]);
    let refused = app.call("query", "vault.status", json!({})).expect_err("something was opened");
    assert_eq!(refused["code"], "integrity", "the page is told in the contract's words: {refused}");
    app.wait_for_page(refused["message"].as_str().unwrap());
    assert_eq!(std::fs::read(&vault).unwrap(), b"this is no vault at all", "the file was touched");
}

#[test]
fn without_tray_notifications_and_keychain_everything_else_works() {
    let parts = Parts { tray: false, notifications: false, keychain: false, ..Parts::default() };
    let app = App::start_on(Desktop::with(parts), &[]);
    let status = wait_for("the engine", || app.call("query", "vault.status", json!({})).ok());
    assert_eq!(status["keychain"], "unavailable", "the missing keychain is not said: {status}");
    let made =
        app.call("mutate", "vault.create", json!({ "password": PASSWORD })).expect("no vault was made");
    assert_ne!(made["keychain"], "used", "a keychain that is not there cannot be used");
    let locked = app.call("mutate", "vault.lock", json!({})).expect("it cannot be locked");
    assert_eq!(locked["vault"], "locked", "it does not say so: {locked}");
    let opened =
        app.call("mutate", "vault.unlock", json!({ "password": PASSWORD })).expect("it cannot be opened");
    assert_eq!(opened["vault"], "unlocked", "the password alone does not open it: {opened}");
}

#[test]
fn without_a_display_it_says_so_and_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(DESKTOP);
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env("HOME", home.path());
    let ran = finish(command, "");
    assert_eq!(ran.code, 7, "the exit code of the contract: {}", ran.stderr);
    assert!(ran.stderr.contains("no display"), "it does not say what is missing: {}", ran.stderr);
    assert!(ran.stderr.contains("claviger serve"), "it does not say what to do: {}", ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "it broke off: {}", ran.stderr);
}

fn cli(desktop: &Desktop, arguments: &[&str]) -> Value {
    let mut command = Command::new(CLI);
    desktop.env(&mut command).arg("--json").args(arguments);
    let ran = finish(command, PASSWORD);
    assert_eq!(ran.code, 0, "claviger {arguments:?}: {}", ran.stderr);
    serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|_| panic!("claviger {arguments:?} said {:?}", ran.stdout))
}

fn end(process: u32) {
    let sent = Command::new("kill").arg(process.to_string()).status().expect("kill is there");
    assert!(sent.success(), "{process} could not be told to end");
}

/// The only large file that a new installation has.
fn vault_file(folder: &Path) -> PathBuf {
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vault")) {
                return path;
            }
        }
    }
    panic!("there is no vault below the home");
}
