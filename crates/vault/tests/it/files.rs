//! The files around a vault: formats, links, logs of strangers, permissions, and what lies on the disk.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use claviger_model::Credential;
use claviger_vault::{CreateError, Kdf, OpenError, Vault};

use crate::common::{NOW, Place, again, credential, credential_id, key_of, material, password};
use crate::outside::{edit, sql};

/// Name, size, mode, time of change and content of everything in the vault's directory.
fn everything(place: &Place) -> Vec<(String, u32, std::time::SystemTime, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(place.vault().parent().unwrap())
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let facts = entry.metadata().unwrap();
            let content = if facts.is_file() { fs::read(entry.path()).unwrap() } else { Vec::new() };
            (
                entry.file_name().into_string().unwrap(),
                facts.permissions().mode(),
                facts.modified().unwrap(),
                content,
            )
        })
        .collect();
    all.sort();
    all
}

#[test]
fn what_is_no_vault_is_refused_and_not_touched() {
    type Make = fn(&Path);
    let strangers: [(&str, Make); 7] = [
        ("an empty file", |path| fs::write(path, b"").unwrap()),
        ("a text", |path| fs::write(path, "not a vault\n".repeat(500)).unwrap()),
        ("zeros", |path| fs::write(path, vec![0; 8192]).unwrap()),
        ("another program's database", |path| {
            rusqlite::Connection::open(path)
                .unwrap()
                .execute_batch("CREATE TABLE t(a); PRAGMA user_version=1")
                .unwrap();
        }),
        ("a directory", |path| fs::create_dir(path).unwrap()),
        ("a link to nothing", |path| symlink("nothing", path).unwrap()),
        ("half a header", |path| fs::write(path, b"SQLite format 3\0").unwrap()),
    ];
    for (name, make) in strangers {
        let place = Place::new();
        make(&place.vault());
        let before = everything_or_names(&place);
        let opened = Vault::open(&place.vault());
        assert!(matches!(opened, Err(OpenError::NotAVault)), "{name}: {opened:?}");
        let created = Vault::create(&place.vault(), &password(), None, Kdf::floor(), NOW).map(|_| ());
        assert!(matches!(created, Err(CreateError::Exists)), "{name} was replaced: {created:?}");
        assert_eq!(everything_or_names(&place), before, "{name} was touched");
    }
}

/// As [`everything`], for directories with things in them that cannot be read.
fn everything_or_names(place: &Place) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(place.vault().parent().unwrap())
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            format!("{} {:?}", path.display(), fs::read(&path).map_err(|e| e.kind()))
        })
        .collect();
    names.sort();
    names
}

#[test]
fn a_newer_format_is_refused_and_not_touched() {
    let place = Place::new();
    drop(place.create());
    edit(&place.vault(), |c| c.execute_batch("PRAGMA user_version=2").unwrap());
    fs::remove_file(place.beside(".lock")).unwrap();
    let before = everything(&place);
    let opened = Vault::open(&place.vault());
    assert!(matches!(opened, Err(OpenError::NewerVersion { found: 2 })), "{opened:?}");
    assert_eq!(everything(&place), before, "a newer vault was touched");
    edit(&place.vault(), |c| c.execute_batch("PRAGMA user_version=0").unwrap());
    assert!(matches!(Vault::open(&place.vault()), Err(OpenError::NotAVault)), "format 0 was read");
}

#[test]
fn a_schema_with_anything_of_its_own_is_refused() {
    let place = Place::new();
    let (vault, _) = place.create();
    drop(vault);
    let kept = fs::read(place.vault()).unwrap();
    for change in [
        "CREATE TRIGGER t AFTER UPDATE ON manifest BEGIN DELETE FROM item; END",
        "CREATE VIEW v AS SELECT * FROM item",
        "CREATE TABLE extra(a)",
        "CREATE INDEX i ON item(version)",
        "ALTER TABLE item ADD COLUMN note BLOB",
        "ALTER TABLE slot RENAME COLUMN salt TO pepper",
        "DROP TABLE item",
    ] {
        fs::write(place.vault(), &kept).unwrap();
        edit(&place.vault(), |c| c.execute_batch(change).unwrap());
        let opened = Vault::open(&place.vault());
        assert!(matches!(opened, Err(OpenError::Damaged { what: "its schema" })), "{change}: {opened:?}");
    }
    fs::write(place.vault(), &kept).unwrap();
    edit(&place.vault(), |c| {
        c.query_row("PRAGMA journal_mode=DELETE", [], |_| Ok(())).unwrap();
    });
    assert!(
        matches!(Vault::open(&place.vault()), Err(OpenError::Damaged { .. })),
        "another journal mode was taken"
    );
}

#[test]
fn one_holder_at_a_time() {
    let place = Place::new();
    let (vault, _) = place.create();
    assert!(
        matches!(Vault::open(&place.vault()), Err(OpenError::HeldByAnother)),
        "two held an unlocked vault"
    );
    let vault = vault.lock().unwrap();
    assert!(matches!(Vault::open(&place.vault()), Err(OpenError::HeldByAnother)), "two held a locked vault");
    drop(vault);
    let vault = Vault::open(&place.vault()).unwrap();
    let other = rusqlite::Connection::open(place.vault()).unwrap();
    let read = other.query_row("SELECT count(*) FROM item", [], |r| r.get::<_, i64>(0));
    assert!(read.is_err(), "another program reads a vault that is held");
    drop(vault);
}

#[test]
fn files_are_private_and_links_are_not_followed() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    vault.write(NOW, |w| w.put(&credential(1, "x"))).unwrap();
    for (name, mode, ..) in everything(&place) {
        assert_eq!(mode & 0o777, 0o600, "{name} can be read by others");
    }
    assert!(!place.beside("-shm").exists(), "there is a shared index that others could write");
    drop(vault);

    fs::set_permissions(place.vault(), fs::Permissions::from_mode(0o644)).unwrap();
    drop(place.open());
    let mode = fs::metadata(place.vault()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "a vault that was open to others stays so");

    let link = Place::new();
    symlink(place.vault(), link.vault()).unwrap();
    assert!(matches!(Vault::open(&link.vault()), Err(OpenError::NotAVault)), "a link was followed");
    let target = link.beside(".elsewhere");
    fs::remove_file(place.beside("-wal")).unwrap();
    symlink(&target, place.beside("-wal")).unwrap();
    assert!(matches!(Vault::open(&place.vault()), Err(OpenError::Damaged { .. })), "a linked log was taken");
    fs::remove_file(place.beside("-wal")).unwrap();
    fs::remove_file(place.beside(".lock")).unwrap();
    symlink(&target, place.beside(".lock")).unwrap();
    assert!(Vault::open(&place.vault()).is_err(), "a linked lock was taken");
    assert!(!target.exists(), "something was written through a link");
}

/// A vault as it lies there when its process is killed: a log that was not yet moved into the file.
fn killed() -> (Place, claviger_secret::RecoveryKey, u64) {
    let place = Place::new();
    let (mut vault, recovery) = place.create();
    for n in 1..=20 {
        vault
            .write(NOW, |w| {
                w.put(&credential(n, "logged"))?;
                w.put_material(credential_id(n), 1, &material("sk"))
            })
            .unwrap();
    }
    let counter = vault.anchor().counter;
    let left = Place::new();
    for suffix in ["", "-wal"] {
        fs::copy(place.beside(suffix), left.beside(suffix)).unwrap();
    }
    drop(vault);
    (left, recovery, counter)
}

#[test]
fn a_log_that_was_cut_gives_an_older_state_or_a_refusal() {
    let (place, recovery, counter) = killed();
    let (file, log) = (fs::read(place.vault()).unwrap(), fs::read(place.beside("-wal")).unwrap());
    let (mut whole, mut older, mut refused) = (0, 0, 0);
    for cut in (0..=log.len()).step_by(512).chain([log.len()]) {
        fs::write(place.vault(), &file).unwrap();
        fs::write(place.beside("-wal"), &log[..cut]).unwrap();
        match Vault::open(&place.vault()).map(|v| v.unlock_with_recovery(&again(&recovery))) {
            Ok(Ok(vault)) => {
                let credentials = vault.all::<Credential>().unwrap().len() as u64;
                assert_eq!(vault.anchor().counter, credentials + 1, "cut at {cut}: a state that never was");
                if vault.anchor().counter == counter { whole += 1 } else { older += 1 }
            }
            Ok(Err(_)) | Err(_) => refused += 1,
        }
    }
    println!(
        "log cut every 512 bytes: {whole} whole, {older} older (the anchor shows it), {refused} refused, 0 mixed"
    );
    assert!(
        whole >= 1 && older > 10,
        "the cuts did not cut: {whole} whole, {older} older, {refused} refused"
    );
}

#[test]
fn a_strangers_log_is_refused_and_the_file_survives_it() {
    let (place, recovery, _) = killed();
    let (other, _, _) = killed();
    let (file, log) = (fs::read(place.vault()).unwrap(), fs::read(place.beside("-wal")).unwrap());
    fs::copy(other.beside("-wal"), place.beside("-wal")).unwrap();
    let result = Vault::open(&place.vault()).map(|v| v.unlock_with_recovery(&again(&recovery)).is_ok());
    assert!(!matches!(result, Ok(true)), "another vault's log was taken");
    assert_eq!(fs::read(place.vault()).unwrap(), file, "another vault's log was written into the file");
    fs::write(place.beside("-wal"), &log).unwrap();
    fs::write(place.beside("-shm"), vec![0xa5; 32768]).unwrap();
    let vault = place.open().unlock_with_recovery(&again(&recovery)).unwrap();
    assert_eq!(
        vault.all::<Credential>().unwrap().len(),
        20,
        "with its own log it is whole, whatever -shm says"
    );
    drop(vault);

    let (place, ..) = killed();
    let file = fs::read(place.vault()).unwrap();
    fs::write(place.beside("-journal"), vec![0xd9; 4096]).unwrap();
    assert!(
        matches!(Vault::open(&place.vault()), Err(OpenError::Damaged { .. })),
        "a stranger's journal was taken"
    );
    assert_eq!(fs::read(place.vault()).unwrap(), file, "it was played back");
}

#[test]
fn a_wrong_password_does_not_move_the_log() {
    let (place, recovery, counter) = killed();
    let before = (fs::read(place.vault()).unwrap(), fs::read(place.beside("-wal")).unwrap());
    drop(place.open().unlock_with_recovery(&{ Place::new().create().1 }));
    drop(place.open());
    let after = (fs::read(place.vault()).unwrap(), fs::read(place.beside("-wal")).unwrap());
    assert!(before == after, "a vault that was not unlocked was written");
    let vault = place.open().unlock_with_recovery(&recovery).unwrap();
    assert_eq!(vault.anchor().counter, counter, "nothing is lost");
}

#[test]
fn nothing_readable_lies_on_the_disk() {
    let place = Place::new();
    let (mut vault, recovery) = place.create();
    let mut named = credential(1, "CANARY-NAME");
    named.fingerprint = "CANARY-FINGERPRINT".to_owned();
    vault
        .write(NOW, |w| {
            w.put(&named)?;
            w.put_material(named.id, 1, &material("CANARY-MATERIAL"))?;
            w.put_setting("CANARY-SETTING", b"CANARY-VALUE")
        })
        .unwrap();
    let look = |when: &str| {
        for (name, _, _, content) in everything(&place) {
            for canary in ["CANARY", "correct horse", "api-key", "created_at"] {
                let found = content.windows(canary.len()).any(|w| w.eq_ignore_ascii_case(canary.as_bytes()));
                assert!(!found, "{canary} lies in {name} {when}");
            }
            let key = recovery.secret().expose();
            assert!(
                !content.windows(10).any(|w| key.windows(10).any(|k| k == w)),
                "the recovery key lies in {name}"
            );
        }
    };
    look("while unlocked");
    drop(vault.lock().unwrap());
    look("after lock");
}

#[test]
fn removed_material_and_old_slots_are_gone_from_the_disk() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    vault.write(NOW, |w| w.put_material(credential_id(1), 1, &material("sk"))).unwrap();
    drop(vault);
    let read = |sql: &str| -> (Vec<u8>, Vec<u8>) {
        let connection = rusqlite::Connection::open(place.vault()).unwrap();
        connection.query_row(sql, [], |r| Ok((r.get(0)?, r.get(1)?))).unwrap()
    };
    let (key, body) = read("SELECT key, body FROM item WHERE class=5");
    let (wrapped, salt) = read("SELECT wrapped, salt FROM slot WHERE kind=1");
    let mut vault = place.open().unlock(&password(), None).unwrap();
    vault.write(NOW, |w| w.remove_material(credential_id(1))).unwrap();
    vault.set_passphrase(&password(), None, Kdf::floor(), NOW).unwrap();
    for (name, _, _, content) in everything(&place) {
        for (what, bytes) in [("key", &key), ("body", &body), ("slot", &wrapped), ("salt", &salt)] {
            assert!(!content.windows(16).any(|w| w == &bytes[..16]), "the old {what} still lies in {name}");
        }
    }
}

#[test]
fn a_crash_while_creating_leaves_no_vault_and_blocks_none() {
    let place = Place::new();
    fs::write(place.beside(".creating"), b"half a vault").unwrap();
    fs::write(place.beside(".creating-wal"), b"and its log").unwrap();
    assert!(matches!(Vault::open(&place.vault()), Err(OpenError::Absent)), "half a vault was opened");
    let (vault, _) = place.create();
    drop(vault);
    assert!(
        !place.beside(".creating").exists() && !place.beside(".creating-wal").exists(),
        "the rest was left"
    );
    assert!(place.open().unlock(&password(), None).is_ok(), "the new vault opens");
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    // A file system of one MiB. Where it cannot be mounted there is nothing to fill.
    let dir = tempfile::tempdir().unwrap();
    let mount = |command: &str, more: &[&str]| {
        std::process::Command::new(command)
            .args(more)
            .arg(dir.path())
            .output()
            .is_ok_and(|out| out.status.success())
    };
    if !mount("mount", &["-t", "tmpfs", "-o", "size=1m", "tmpfs"]) {
        println!("skipped: no file system can be mounted here");
        return;
    }
    let outcome = std::panic::catch_unwind(|| {
        let path = dir.path().join("vault.db");
        let (mut vault, recovery) = Vault::create(&path, &password(), None, Kdf::floor(), NOW).unwrap();
        let text = "k".repeat(4000);
        let mut acknowledged = 0;
        let error = loop {
            let n = acknowledged + 1;
            let result = vault.write(NOW, |w| {
                w.put(&credential(n, "x"))?;
                w.put_material(credential_id(n), 1, &material(&text))
            });
            match result {
                Ok(()) => acknowledged = n,
                Err(error) => break error,
            }
            assert!(n < 10_000, "the disk never filled");
        };
        let is_full = matches!(&error, claviger_vault::WriteError::Io(e) if e.kind() == std::io::ErrorKind::StorageFull);
        assert!(is_full, "a full disk is said to be something else: {error:?}");
        assert_eq!(vault.all::<Credential>().unwrap().len() as u64, acknowledged, "reading goes on");
        drop(vault);
        let vault = Vault::open(&path).unwrap().unlock_with_recovery(&recovery).unwrap();
        assert_eq!(vault.all::<Credential>().unwrap().len() as u64, acknowledged, "something was lost");
        let sealed = vault.sealed_material(credential_id(acknowledged), 1).unwrap().unwrap();
        assert_eq!(key_of(&vault.opener().open(&sealed).unwrap()), text, "the last material opens");
        println!("disk full after {acknowledged} acknowledged changes, all there");
    });
    assert!(mount("umount", &[]), "the file system is still mounted");
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn sql_that_changes_nothing_is_noticed_by_these_tests() {
    let place = Place::new();
    drop(place.create());
    let quiet = std::panic::catch_unwind(|| sql(&place.vault(), "DELETE FROM item WHERE class=77"));
    assert!(quiet.is_err(), "an attack without effect passed for one");
}
