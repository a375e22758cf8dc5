//! Vaults of released formats, kept for ever: they open, and say what they said on the day they were made.
//!
//! `CLAVIGER_NEW_VECTOR=1` writes the file of the current format if there is none; a file that is there never changes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::fs;
use std::path::PathBuf;

use claviger_model::{Agent, Credential, Grant, Service};
use claviger_secret::{Passphrase, RecoveryKey};
use claviger_vault::{FORMAT, Kdf, KeyPurpose, Vault};

use crate::common::{NOW, Place, credential, credential_id, device, key_of, material};

const PASSWORD: &str = "Grüße aus Format eins";

fn vector(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)
}

#[test]
fn format_1_reads_as_it_was_written() {
    let (file, key) = (vector("format-1.db"), vector("format-1.recovery-key.txt"));
    if !file.exists() && std::env::var_os("CLAVIGER_NEW_VECTOR").is_some() {
        make(&file, &key);
    }
    let recovery = || RecoveryKey::from(fs::read_to_string(&key).unwrap());
    let bytes = fs::read(&file).expect("the frozen vault is part of the repository");
    let place = Place::new();
    fs::write(place.vault(), &bytes).unwrap();
    let vault = place.open();
    assert!(vault.needs_device_secret(), "it was made with a device secret");
    let passphrase = Passphrase::from(PASSWORD.to_owned());
    let vault =
        vault.unlock(&passphrase, Some(&device(0x42))).map_err(|(_, e)| e).expect("the password opens it");
    let one = credential(1, "frozen credential");
    assert_eq!(vault.all::<Credential>().unwrap(), std::slice::from_ref(&one), "the credential");
    assert_eq!(vault.all::<Agent>().unwrap().len(), 0, "no agents");
    assert_eq!(vault.all::<Grant>().unwrap().len(), 0, "no grants");
    assert_eq!(vault.all::<Service>().unwrap().len(), 0, "no services");
    assert_eq!(vault.setting("frozen setting").unwrap().unwrap().expose(), b"frozen value", "the setting");
    assert_eq!(vault.log_head(), Some((1234, [0x5a; 32])), "the log's head");
    let opener = vault.opener();
    for version in 1..=2 {
        let sealed = vault.sealed_material(one.id, version).unwrap().expect("the version is there");
        assert_eq!(key_of(&opener.open(&sealed).unwrap()), format!("sk-frozen-{version}"), "its material");
    }
    let versions = vault.material_versions(one.id).unwrap();
    assert_eq!(
        versions[0].fingerprint,
        vault.fingerprint(&material("sk-frozen-1")),
        "fingerprints are stable"
    );
    assert_eq!(versions[0].stored_at, NOW, "the time is stable");
    let keys = [KeyPurpose::Audit, KeyPurpose::Token, KeyPurpose::LockedRecords].map(|p| vault.key(p));
    let vault = vault.lock().unwrap().unlock_with_recovery(&recovery()).map_err(|(_, e)| e);
    let vault = vault.expect("the recovery key opens it");
    let again = [KeyPurpose::Audit, KeyPurpose::Token, KeyPurpose::LockedRecords].map(|p| vault.key(p));
    assert_eq!(keys, again, "both ways lead to the same keys");
}

fn make(file: &PathBuf, key: &PathBuf) {
    assert_eq!(FORMAT, 1, "this vector is of format 1; a later format gets a file of its own");
    let place = Place::new();
    let passphrase = Passphrase::from(PASSWORD.to_owned());
    let made = Vault::create(&place.vault(), &passphrase, Some(&device(0x42)), Kdf::floor(), NOW);
    let (mut vault, recovery) = made.unwrap();
    vault
        .write(NOW, |w| {
            w.put(&credential(1, "frozen credential"))?;
            w.put_material(credential_id(1), 1, &material("sk-frozen-1"))?;
            w.put_material(credential_id(1), 2, &material("sk-frozen-2"))?;
            w.put_setting("frozen setting", b"frozen value")
        })
        .unwrap();
    vault.set_log_head(1234, [0x5a; 32]).unwrap();
    drop(
        vault
            .lock()
            .unwrap()
            .unlock_with_recovery(&RecoveryKey::from(recovery.secret().duplicate()))
            .unwrap(),
    );
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::copy(place.vault(), file).unwrap();
    fs::write(key, recovery.secret().expose()).unwrap();
}
