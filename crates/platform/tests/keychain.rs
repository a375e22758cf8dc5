//! The real keychain: GNOME Keyring in a D-Bus session of its own, with a home of its own.
//!
//! Needs `dbus-run-session`, `gnome-keyring-daemon` and `gdbus`; without them the tests say that they were skipped.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use claviger_platform::{KeychainError, system_keychain};
use claviger_secret::Secret;

const COLLECTION: &str = "/org/freedesktop/secrets/aliases/default";

/// Runs one of the ignored tests below in a session of its own.
fn in_a_session(case: &str) {
    let have = |tool: &str| {
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .any(|dir| dir.join(tool).is_file())
    };
    if !["dbus-run-session", "gnome-keyring-daemon", "gdbus"].iter().all(|tool| have(tool)) {
        println!("skipped: no GNOME Keyring on this machine");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let ended = Command::new("dbus-run-session")
        .arg("--")
        .arg(std::env::current_exe().unwrap())
        .args([case, "--exact", "--ignored", "--nocapture"])
        .env("HOME", home.path())
        .env("XDG_RUNTIME_DIR", home.path())
        .env("XDG_DATA_HOME", home.path().join("data"))
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{case}: {said}\n{}", String::from_utf8_lossy(&ended.stderr));
    assert!(said.contains("1 passed"), "{case} did not run: {said}");
}

/// Starts the daemon with an open keychain. It ends with the session.
fn start_daemon() {
    let mut daemon = Command::new("gnome-keyring-daemon")
        .args(["--unlock", "--components=secrets", "--daemonize"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    daemon.stdin.take().unwrap().write_all(b"keychain password").unwrap();
    assert!(daemon.wait().unwrap().success(), "the daemon does not start");
}

fn lock_keychain() {
    let done = Command::new("gdbus")
        .args(["call", "--session", "--dest", "org.freedesktop.secrets"])
        .args([
            "--object-path",
            "/org/freedesktop/secrets",
            "--method",
            "org.freedesktop.Secret.Service.Lock",
        ])
        .arg(format!("[objectpath \"{COLLECTION}\"]"))
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "the keychain cannot be locked: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

#[test]
fn a_keychain_keeps_and_forgets() {
    in_a_session("keeps_and_forgets");
}

#[test]
#[ignore = "run by the test above, in a session of its own"]
fn keeps_and_forgets() {
    start_daemon();
    let keychain = system_keychain();
    let secret = Secret::from((0..=255).collect::<Vec<u8>>());
    assert_eq!(keychain.look("device:x"), Err(KeychainError::Absent), "looking finds nothing at first");
    assert_eq!(keychain.load("device:x"), Err(KeychainError::Absent), "nothing is there at first");
    keychain.store("device:x", &secret).unwrap();
    assert_eq!(keychain.load("device:x").unwrap(), secret, "bytes of every value come back");
    assert_eq!(system_keychain().load("device:x").unwrap(), secret, "also over another connection");
    keychain.store("device:x", &Secret::from(vec![1])).unwrap();
    assert_eq!(keychain.load("device:x").unwrap(), Secret::from(vec![1]), "storing again replaces");
    assert_eq!(keychain.load("device:y"), Err(KeychainError::Absent), "another name is another entry");
    assert_eq!(keychain.look("device:x"), Ok(()), "looking finds it");
    keychain.remove("device:x").unwrap();
    assert_eq!(keychain.load("device:x"), Err(KeychainError::Absent), "it is gone");
    assert_eq!(keychain.remove("device:x"), Err(KeychainError::Absent), "and cannot be removed twice");
}

#[test]
fn a_locked_keychain_is_not_an_empty_one() {
    in_a_session("locked_is_not_empty");
}

#[test]
#[ignore = "run by the test above, in a session of its own"]
fn locked_is_not_empty() {
    start_daemon();
    let keychain = system_keychain();
    keychain.store("device:x", &Secret::from(vec![7; 32])).unwrap();
    lock_keychain();
    assert_eq!(keychain.look("device:x"), Err(KeychainError::Locked), "looking says that it is locked");
    assert_eq!(keychain.look("device:y"), Err(KeychainError::Locked), "also of what is not there");
    // Nobody can be asked here, so the keychain stays locked.
    assert_eq!(keychain.load("device:x"), Err(KeychainError::Locked), "a locked entry is not absent");
}

#[test]
fn a_keychain_that_never_answers_is_not_waited_for() {
    in_a_session("never_answers");
}

#[test]
#[ignore = "run by the test above, in a session of its own"]
fn never_answers() {
    start_daemon();
    let keychain = system_keychain();
    keychain.store("device:x", &Secret::from(vec![7; 32])).unwrap();
    lock_keychain();
    // Whoever should ask the user for the password takes the question and is silent.
    let bus = zbus::blocking::Connection::session().unwrap();
    bus.request_name("org.gnome.keyring.SystemPrompter").unwrap();
    let start = Instant::now();
    assert_eq!(keychain.load("device:x"), Err(KeychainError::TimedOut), "it was waited for");
    assert!(start.elapsed() < Duration::from_secs(8), "patience lasted {:?}", start.elapsed());
    assert_eq!(
        keychain.look("device:x"),
        Err(KeychainError::TimedOut),
        "while the question is open nothing is said"
    );
}

#[test]
fn no_keychain_is_told_as_such() {
    let home = tempfile::tempdir().unwrap();
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["no_bus", "--exact", "--ignored", "--nocapture"])
        .env("HOME", home.path())
        .env("XDG_RUNTIME_DIR", home.path())
        .env_remove("DISPLAY")
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .output()
        .unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
}

#[test]
#[ignore = "run by the test above, without a session"]
fn no_bus() {
    let keychain = system_keychain();
    assert_eq!(keychain.load("device:x"), Err(KeychainError::Unavailable), "no keychain must not look empty");
    assert_eq!(
        keychain.store("device:x", &Secret::from(vec![1])),
        Err(KeychainError::Unavailable),
        "nor take things"
    );
    assert_eq!(keychain.look("device:x"), Err(KeychainError::Unavailable), "nor be looked into");
}
