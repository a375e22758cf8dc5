//! A vault's ordinary life: made, written, locked, opened again, with every way in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::{NOW, Place, again, credential, credential_id, device, key_of, material, password};
use claviger_model::{Agent, Credential};
use claviger_secret::{Passphrase, RecoveryKey};
use claviger_vault::{
    CreateError, Kdf, KeyPurpose, OpenError, OpenMaterialError, UnlockError, Vault, WriteError,
};

#[test]
fn what_was_written_is_there_after_lock_and_reopen() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let one = credential(1, "openai main");
    vault
        .write(NOW, |w| {
            w.put(&one)?;
            w.put_material(one.id, 1, &material("sk-first"))?;
            w.put_material(one.id, 2, &material("sk-second"))?;
            w.put_setting("paused", b"no")
        })
        .unwrap();
    let anchor = vault.anchor();
    let locked = vault.lock().unwrap();
    drop(locked);

    let vault = place.open().unlock(&password(), None).unwrap();
    assert_eq!(vault.anchor(), anchor, "the state is the one that was left");
    assert_eq!(vault.all::<Credential>().unwrap(), std::slice::from_ref(&one), "the credential is back");
    assert_eq!(vault.all::<Agent>().unwrap(), [], "nothing else is");
    let sealed = vault.sealed_material(one.id, 2).unwrap().expect("version 2 is there");
    assert_eq!(key_of(&vault.opener().open(&sealed).unwrap()), "sk-second", "its material opens");
    assert_eq!(vault.setting("paused").unwrap().unwrap().expose(), b"no", "the setting is back");
    assert!(vault.setting("other").unwrap().is_none(), "no setting is invented");
    let versions = vault.material_versions(one.id).unwrap();
    assert_eq!(versions.iter().map(|v| v.version).collect::<Vec<_>>(), [1, 2], "both versions are listed");
    assert_eq!(versions[1].fingerprint, vault.fingerprint(&material("sk-second")), "fingerprints agree");
    assert_eq!(versions[1].stored_at, NOW, "and say when");
}

#[test]
fn a_failed_transaction_leaves_nothing() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let before = vault.anchor();
    let result = vault.write(NOW, |w| {
        w.put(&credential(1, "x"))?;
        w.put_material(credential_id(1), 1, &material("sk"))?;
        Err::<(), _>(WriteError::Refused)
    });
    assert!(matches!(result, Err(WriteError::Refused)), "the caller's word is passed on");
    assert_eq!(vault.anchor(), before, "the counter did not move");
    assert_eq!(vault.all::<Credential>().unwrap(), [], "no row is left");
    vault.write(NOW, |w| w.put(&credential(1, "y"))).unwrap();
    let vault = vault.lock().unwrap().unlock(&password(), None).unwrap();
    assert_eq!(vault.all::<Credential>().unwrap()[0].name, "y", "writing goes on as if nothing had been");
}

#[test]
fn replacing_and_removing_take_effect_within_one_transaction() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    vault
        .write(NOW, |w| {
            w.put(&credential(1, "a"))?;
            w.put(&credential(1, "b"))?;
            w.put(&credential(2, "c"))?;
            w.remove::<Credential>(credential_id(2))?;
            w.put_material(credential_id(1), 1, &material("old"))?;
            w.put_material(credential_id(1), 1, &material("new"))?;
            w.put_material(credential_id(2), 1, &material("gone"))?;
            w.remove_material(credential_id(2))?;
            w.put_setting("s", b"1")?;
            w.put_setting("s", b"2")?;
            w.put_setting("t", b"1")?;
            w.remove_setting("t")
        })
        .unwrap();
    let vault = vault.lock().unwrap().unlock(&password(), None).unwrap();
    assert_eq!(vault.all::<Credential>().unwrap(), [credential(1, "b")], "the last word counts");
    let sealed = vault.sealed_material(credential_id(1), 1).unwrap().unwrap();
    assert_eq!(key_of(&vault.opener().open(&sealed).unwrap()), "new", "material was replaced");
    assert!(vault.sealed_material(credential_id(2), 1).unwrap().is_none(), "removed material is gone");
    assert_eq!(vault.setting("s").unwrap().unwrap().expose(), b"2", "the setting was replaced");
    assert!(vault.setting("t").unwrap().is_none(), "the removed setting is gone");
}

#[test]
fn locking_ends_every_opener() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    vault.write(NOW, |w| w.put_material(credential_id(1), 1, &material("sk"))).unwrap();
    let sealed = vault.sealed_material(credential_id(1), 1).unwrap().unwrap();
    let (opener, other) = (vault.opener(), vault.opener());
    assert!(opener.open(&sealed).is_ok(), "it opens while unlocked");
    let locked = vault.lock().unwrap();
    assert_eq!(
        opener.open(&sealed).unwrap_err(),
        OpenMaterialError::Locked,
        "a locked vault opened material"
    );
    assert!(other.is_dead(), "a clone lived on");
    let vault = locked.unlock(&password(), None).unwrap();
    assert_eq!(
        opener.open(&sealed).unwrap_err(),
        OpenMaterialError::Locked,
        "an old opener came back to life"
    );
    let opener = vault.opener();
    drop(vault);
    assert!(opener.is_dead(), "dropping the vault must end openers too");
}

#[test]
fn wrong_keys_are_told_apart_and_hand_the_vault_back() {
    let place = Place::new();
    let (vault, recovery) = place.create();
    let other = { Place::new().create().1 };
    let vault = vault.lock().unwrap();
    let (vault, error) = vault.unlock(&Passphrase::from("wrong".to_owned()), None).unwrap_err();
    assert!(matches!(error, UnlockError::WrongPassword), "a wrong password: {error:?}");
    let (vault, error) = vault.unlock_with_recovery(&other).unwrap_err();
    assert!(matches!(error, UnlockError::WrongRecoveryKey), "another vault's recovery key: {error:?}");
    let (vault, error) = vault.unlock_with_recovery(&RecoveryKey::from("CV12".to_owned())).unwrap_err();
    assert!(matches!(error, UnlockError::NotARecoveryKey(_)), "no recovery key at all: {error:?}");
    let vault = vault.unlock_with_recovery(&again(&recovery)).unwrap();
    drop(vault);
    assert!(place.open().unlock(&password(), None).is_ok(), "the right password still opens");
}

#[test]
fn with_a_device_secret_the_password_alone_opens_nothing() {
    let place = Place::new();
    let (vault, recovery) =
        Vault::create(&place.vault(), &password(), Some(&device(1)), Kdf::floor(), NOW).unwrap();
    assert!(vault.needs_device_secret(), "it says what it needs");
    let vault = vault.lock().unwrap();
    let (vault, error) = vault.unlock(&password(), None).unwrap_err();
    assert!(matches!(error, UnlockError::NeedsDeviceSecret), "no device secret: {error:?}");
    let (vault, error) = vault.unlock(&password(), Some(&device(2))).unwrap_err();
    assert!(matches!(error, UnlockError::WrongPassword), "another device secret: {error:?}");
    let mut vault = vault.unlock(&password(), Some(&device(1))).unwrap();
    vault.set_passphrase(&password(), None, Kdf::floor(), NOW).unwrap();
    let vault = vault.lock().unwrap();
    assert!(!vault.needs_device_secret(), "it no longer needs one");
    let vault = vault.unlock(&password(), None).unwrap().lock().unwrap();
    assert!(vault.unlock_with_recovery(&recovery).is_ok(), "the recovery key never needed one");
}

#[test]
fn a_new_password_and_recovery_key_end_the_old_ones() {
    let place = Place::new();
    let (mut vault, old_recovery) = place.create();
    vault.write(NOW, |w| w.put(&credential(1, "kept"))).unwrap();
    let new = Passphrase::from("battery staple".to_owned());
    vault.set_passphrase(&new, None, Kdf::floor(), NOW).unwrap();
    let recovery = vault.renew_recovery(NOW).unwrap();
    assert!(
        matches!(
            vault.set_passphrase(&Passphrase::from(Vec::new()), None, Kdf::floor(), NOW),
            Err(WriteError::EmptyPassphrase)
        ),
        "an empty password was taken"
    );
    drop(vault);
    let (vault, error) = place.open().unlock(&password(), None).unwrap_err();
    assert!(matches!(error, UnlockError::WrongPassword), "the old password still opens: {error:?}");
    let (vault, error) = vault.unlock_with_recovery(&old_recovery).unwrap_err();
    assert!(matches!(error, UnlockError::WrongRecoveryKey), "the old recovery key still opens: {error:?}");
    let vault = vault.unlock(&new, None).unwrap().lock().unwrap();
    let vault = vault.unlock_with_recovery(&recovery).unwrap();
    assert_eq!(vault.all::<Credential>().unwrap().len(), 1, "the content is untouched");
}

#[test]
fn keys_for_others_outlive_lock_and_password() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let purposes = [KeyPurpose::Audit, KeyPurpose::Token, KeyPurpose::LockedRecords];
    let before = purposes.map(|p| vault.key(p));
    vault.set_passphrase(&Passphrase::from("new".to_owned()), None, Kdf::floor(), NOW).unwrap();
    vault.set_log_head(7, [9; 32]).unwrap();
    let public = vault.locked_record_key();
    let vault = vault.lock().unwrap();
    assert_eq!(vault.locked_record_key(), public, "the public key is known while locked");
    let vault = vault.unlock(&Passphrase::from("new".to_owned()), None).unwrap();
    assert_eq!(purposes.map(|p| vault.key(p)), before, "the keys are the same");
    assert_eq!(vault.log_head(), Some((7, [9; 32])), "the log's head is kept");
    let secret = claviger_crypto::BoxSecret::from_secret(&vault.key(KeyPurpose::LockedRecords)).unwrap();
    assert_eq!(secret.public(), public, "the two halves belong together");
}

#[test]
fn creating_never_replaces_anything() {
    let place = Place::new();
    let (vault, _) = place.create();
    let again =
        |place: &Place| Vault::create(&place.vault(), &password(), None, Kdf::floor(), NOW).map(|_| ());
    assert!(matches!(again(&place), Err(CreateError::Exists)), "a vault was replaced");
    drop(vault);
    assert!(matches!(again(&place), Err(CreateError::Exists)), "a vault was replaced");

    let place = Place::new();
    std::fs::write(place.beside("-wal"), b"somebody's data").unwrap();
    assert!(matches!(again(&place), Err(CreateError::LeftOver(_))), "a left-over log was overwritten");
    assert_eq!(std::fs::read(place.beside("-wal")).unwrap(), b"somebody's data", "it was touched");
    std::fs::write(place.beside("-wal"), b"").unwrap();
    assert!(again(&place).is_ok(), "an empty log holds nothing and must not stand in the way");

    let place = Place::new();
    let empty = Vault::create(&place.vault(), &Passphrase::from(Vec::new()), None, Kdf::floor(), NOW);
    assert!(matches!(empty, Err(CreateError::EmptyPassphrase)), "an empty password was taken");
    assert!(matches!(Vault::open(&place.vault()), Err(OpenError::Absent)), "and nothing was made");
}
