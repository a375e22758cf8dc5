//! Bad input and bad circumstances: a clear error that says what happened and what to do, and nothing is lost.

use std::net::TcpListener;

use claviger_testkit::{Home, Ran};
use serde_json::json;

use super::BIN;

#[track_caller]
fn fails(ran: &Ran, code: i32, word: &str) {
    let error = ran.error();
    assert_eq!((ran.code, &error["code"]), (code, &json!(word)), "{ran:?}");
    assert!(error["message"].as_str().is_some_and(|m| m.len() > 10), "what happened is missing: {ran:?}");
    assert!(error["hint"].as_str().is_some_and(|h| h.len() > 10), "what to do is missing: {ran:?}");
    assert_eq!(ran.stdout, "", "stdout carries results and nothing else");
}

/// The vault's file in a home.
fn vault_file(home: &Home) -> std::path::PathBuf {
    let mut files: Vec<_> = std::fs::read_dir(home.path()).unwrap().flatten().map(|e| e.path()).collect();
    files.retain(|path| std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0")));
    assert_eq!(files.len(), 1, "one vault file: {files:?}");
    files.remove(0)
}

#[test]
fn a_second_engine_in_the_same_home_is_a_conflict() {
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    fails(&home.run(&["--json", "serve", "--port", "0"], ""), 5, "conflict");
    assert_eq!(home.json(&["status"], "")["vault"], "unlocked", "the first one is not disturbed");
}

#[test]
fn a_busy_port_is_unavailable() {
    let home = Home::with_vault(BIN);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    fails(&home.run(&["--json", "serve", "--port", &port], ""), 7, "unavailable");
    drop(taken);
    let engine = home.serve_with(&["--port", &port], &[], "");
    assert_eq!(engine.terminate(), 0, "with the port free it starts");
}

#[test]
fn a_file_that_is_no_vault_is_left_alone() {
    let home = Home::with_vault(BIN);
    let file = vault_file(&home);
    let password = format!("{}\n", home.password);
    for (what, content) in [
        ("text", b"dear diary".repeat(100)),
        ("nothing", Vec::new()),
        ("another database", [b"SQLite format 3\0".as_slice(), &[0; 4080]].concat()),
    ] {
        std::fs::write(&file, &content).unwrap();
        fails(&home.run(&["--json", "unlock", "--password-stdin"], &password), 8, "integrity");
        assert_eq!(std::fs::read(&file).unwrap(), content, "{what}: the file was changed");
    }
}

#[test]
fn a_vault_from_a_newer_version_is_left_alone() {
    let home = Home::with_vault(BIN);
    let file = vault_file(&home);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[60..64].copy_from_slice(&2u32.to_be_bytes());
    std::fs::write(&file, &bytes).unwrap();
    let ran = home.run(&["--json", "unlock", "--password-stdin"], &format!("{}\n", home.password));
    fails(&ran, 8, "integrity");
    assert!(ran.error()["hint"].as_str().unwrap().contains("newer"), "{ran:?}");
    assert_eq!(std::fs::read(&file).unwrap(), bytes, "the file was changed");
}

#[test]
fn a_vault_is_never_made_anew_over_another() {
    let home = Home::with_vault(BIN);
    let before = std::fs::read(vault_file(&home)).unwrap();
    fails(
        &home.run(&["--json", "init", "--no-keychain", "--password-stdin"], "another long password 1\n"),
        5,
        "conflict",
    );
    assert_eq!(std::fs::read(vault_file(&home)).unwrap(), before, "the vault was changed");
}

#[test]
fn every_use_of_an_absent_vault_says_how_to_make_one() {
    let home = Home::new(BIN);
    for command in [
        &["unlock", "--password-stdin"][..],
        &["lock"],
        &["serve", "--password-stdin"],
        &["credential", "list", "--password-stdin"],
        &["audit", "verify", "--password-stdin"],
        &["recovery", "renew", "--password-stdin"],
    ] {
        let ran = home.run(&[&["--json"], command].concat(), "some password of mine 5\n");
        fails(&ran, 3, "vault_absent");
    }
}

#[test]
fn a_wrong_password_is_told_from_everything_else() {
    let home = Home::with_vault(BIN);
    fails(&home.run(&["--json", "unlock", "--password-stdin"], "wrong\n"), 9, "wrong_password");
    fails(&home.run(&["--json", "serve", "--port", "0", "--password-stdin"], "wrong\n"), 9, "wrong_password");
    let _engine = home.serve_with(&["--port", "0"], &[], "");
    fails(&home.run(&["--json", "unlock", "--password-stdin"], "wrong\n"), 9, "wrong_password");
    fails(&home.run(&["--json", "credential", "list"], ""), 3, "vault_locked");
    home.json(&["unlock", "--password-stdin"], &format!("{}\n", home.password));
    assert_eq!(home.json(&["credential", "list"], ""), json!([]), "unlocked for everyone");
}

#[test]
fn names_that_exist_and_names_that_do_not_have_codes_of_their_own() {
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    let add = ["--json", "credential", "add", "key", "--service", "openai", "--secret-stdin"];
    assert_eq!(home.run(&add, super::KEY).code, 0, "the first time");
    assert_eq!(home.run(&add, super::KEY).code, 5, "the second time");
    for unknown in [
        &["credential", "show", "nope"][..],
        &["credential", "remove", "nope"],
        &["agent", "revoke", "nope"],
        &["grant", "remove", "nope"],
        &["service", "show", "nope"],
        &["grant", "add", "nope", "key"],
    ] {
        let ran = home.run(&[&["--json"], unknown].concat(), "");
        assert_eq!((ran.code, ran.error()["code"].as_str()), (4, Some("not_found")), "{unknown:?}: {ran:?}");
    }
    let dry = home.json(&["credential", "remove", "key", "--dry-run"], "");
    assert_eq!(dry["dry_run"], true, "{dry}");
    assert_eq!(home.json(&["credential", "show", "key"], "")["name"], "key", "a dry run changes nothing");
    home.json(&["credential", "remove", "key", "--yes"], "");
    assert_eq!(home.run(&["credential", "show", "key"], "").code, 4, "removed");
}

#[test]
fn two_commands_at_once_wait_for_each_other() {
    let home = Home::with_vault(BIN);
    let list =
        || home.run(&["--json", "credential", "list", "--password-stdin"], &format!("{}\n", home.password));
    std::thread::scope(|scope| {
        let (one, two) = (scope.spawn(list), scope.spawn(list));
        for ran in [one.join().unwrap(), two.join().unwrap()] {
            assert_eq!((ran.code, ran.stdout.trim()), (0, "[]"), "{ran:?}");
        }
    });
}
