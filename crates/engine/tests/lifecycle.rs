//! The vault's life through the engine, with a keychain that misbehaves in every way. Names are sentences.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use claviger_engine::{
    Engine, EngineError, KeychainStanding, NewAgent, NewService, Options, UnlockBy, VaultStanding,
};
use claviger_model::{AuthScheme, Protocol};
use claviger_platform::{Dirs, FakeKeychain, FakeState};
use claviger_secret::{Passphrase, RecoveryKey};

const PASSWORD: &str = "four random words here";

fn start(home: &Path, keychain: &Arc<FakeKeychain>) -> Result<Engine, EngineError> {
    Engine::start(Options {
        dirs: Dirs::at(home),
        keychain: keychain.clone(),
        proxy: claviger_engine::proxy_defaults(),
    })
}

fn password() -> Passphrase {
    Passphrase::from(PASSWORD.to_owned())
}

fn unlock(engine: &Engine) -> Result<(), EngineError> {
    engine.unlock(UnlockBy::Password(password()), false).map(|_| ())
}

fn service(name: &str) -> NewService {
    NewService {
        name: name.into(),
        base_url: "https://api.example".into(),
        auth: AuthScheme::Bearer,
        allow_private: false,
        ca_pem: None,
        encoded_slash: false,
        usage: None,
        protocol: Protocol::Http,
    }
}

#[test]
fn what_was_added_is_there_after_lock_and_restart() {
    let home = tempfile::tempdir().unwrap();
    let keychain = Arc::new(FakeKeychain::default());
    let engine = start(home.path(), &keychain).unwrap();
    engine.create(password(), true).unwrap();
    engine.add_service(service("mine")).unwrap();
    engine.add_agent(NewAgent { name: "codex".into(), ttl: None }).unwrap();
    engine.lock().unwrap();
    assert!(matches!(engine.book(), Err(EngineError::Locked)), "locked means gone");
    drop(engine);
    let engine = start(home.path(), &keychain).unwrap();
    unlock(&engine).unwrap();
    let book = engine.book().unwrap();
    assert!(book.service("mine").is_ok() && book.agent("codex").is_ok(), "both are back");
    assert!(engine.verify_log().unwrap().ok, "and the log is whole");
}

#[test]
fn a_keychain_in_any_bad_state_never_leads_to_a_new_key_or_a_lost_vault() {
    let home = tempfile::tempdir().unwrap();
    let keychain = Arc::new(FakeKeychain::default());
    let engine = start(home.path(), &keychain).unwrap();
    engine.create(password(), true).unwrap();
    engine.lock().unwrap();
    assert_eq!(engine.standing().keychain, KeychainStanding::Used, "the vault uses the keychain");
    let names = keychain.names();
    let before = std::fs::read(home.path().join("vault.db")).unwrap();
    for (state, standing) in [
        (FakeState::Locked, KeychainStanding::Locked),
        (FakeState::Unavailable, KeychainStanding::Unavailable),
        (FakeState::Silent, KeychainStanding::Unavailable),
    ] {
        keychain.set_state(state);
        let why = unlock(&engine).unwrap_err();
        assert!(matches!(why, EngineError::KeychainMissing(_)), "{state:?} gave {why}");
        assert_eq!(engine.standing().keychain, standing, "{state:?} is told as it is");
        assert_eq!(engine.standing().vault, VaultStanding::Locked, "{state:?} leaves it locked");
        keychain.set_state(FakeState::Working);
        assert_eq!(keychain.names(), names, "{state:?} changed the keychain");
    }
    assert_eq!(std::fs::read(home.path().join("vault.db")).unwrap(), before, "the file was touched");
    unlock(&engine).expect("once the keychain is well, the vault opens");
}

#[test]
fn without_a_keychain_the_vault_opens_by_password_and_says_so() {
    let home = tempfile::tempdir().unwrap();
    let keychain = Arc::new(FakeKeychain::default());
    keychain.set_state(FakeState::Unavailable);
    let engine = start(home.path(), &keychain).unwrap();
    engine.create(password(), true).unwrap();
    assert!(engine.standing().warnings.iter().any(|w| w.contains("password alone")), "it is said plainly");
    engine.lock().unwrap();
    unlock(&engine).unwrap();
    assert_eq!(engine.standing().keychain, KeychainStanding::NotUsed, "and the keychain is not asked");
}

#[test]
fn an_older_copy_of_the_vault_is_noticed_and_opened_only_on_purpose() {
    let home = tempfile::tempdir().unwrap();
    let keychain = Arc::new(FakeKeychain::default());
    let engine = start(home.path(), &keychain).unwrap();
    engine.create(password(), true).unwrap();
    engine.lock().unwrap();
    drop(engine);
    let old = std::fs::read(home.path().join("vault.db")).unwrap();
    let engine = start(home.path(), &keychain).unwrap();
    unlock(&engine).unwrap();
    for n in 0..3 {
        engine.add_agent(NewAgent { name: format!("agent-{n}"), ttl: None }).unwrap();
    }
    engine.lock().unwrap();
    // Dropping the engine waits for the anchor to be written.
    drop(engine);
    for ending in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(home.path().join(format!("vault.db{ending}")));
    }
    std::fs::write(home.path().join("vault.db"), old).unwrap();
    let engine = start(home.path(), &keychain).unwrap();
    let why = unlock(&engine).unwrap_err();
    assert!(matches!(why, EngineError::OlderVault { found, seen } if found < seen), "gave {why}");
    assert_eq!(engine.standing().vault, VaultStanding::Locked, "it stays locked");
    engine.unlock(UnlockBy::Password(password()), true).expect("accepted on purpose");
    assert!(!engine.standing().warnings.is_empty(), "and the user is told what is missing");
}

#[test]
fn the_recovery_key_opens_sets_a_password_and_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    let keychain = Arc::new(FakeKeychain::default());
    let engine = start(home.path(), &keychain).unwrap();
    let key = engine.create(password(), true).unwrap();
    engine.lock().unwrap();
    // The keychain is gone with the old machine.
    let keychain = Arc::new(FakeKeychain::default());
    drop(engine);
    let engine = start(home.path(), &keychain).unwrap();
    assert!(
        matches!(unlock(&engine), Err(EngineError::KeychainMissing(_))),
        "the password alone is not enough"
    );
    let by = |key: &RecoveryKey| UnlockBy::Recovery {
        key: RecoveryKey::from(key.secret().duplicate()),
        new_password: Passphrase::from("another four words".to_owned()),
    };
    let renewed = engine.unlock(by(&key), false).unwrap().expect("a new recovery key");
    engine.lock().unwrap();
    assert!(matches!(unlock(&engine), Err(EngineError::WrongPassword)), "the old password is over");
    assert!(
        matches!(engine.unlock(by(&key), false), Err(EngineError::WrongRecoveryKey)),
        "so is the used key"
    );
    engine.unlock(by(&renewed), false).expect("the new recovery key opens");
}

#[test]
fn a_wrong_password_leaves_everything_as_it_was() {
    let home = tempfile::tempdir().unwrap();
    let keychain = Arc::new(FakeKeychain::default());
    let engine = start(home.path(), &keychain).unwrap();
    engine.create(password(), false).unwrap();
    engine.lock().unwrap();
    let wrong = || UnlockBy::Password(Passphrase::from("four random words hers".to_owned()));
    for _ in 0..2 {
        assert!(matches!(engine.unlock(wrong(), false), Err(EngineError::WrongPassword)), "refused");
        assert_eq!(engine.standing().vault, VaultStanding::Locked, "still locked");
    }
    unlock(&engine).expect("the right one opens");
}

#[test]
fn a_second_engine_on_the_same_home_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let keychain = Arc::new(FakeKeychain::default());
    let engine = start(home.path(), &keychain).unwrap();
    engine.create(password(), false).unwrap();
    let why = start(home.path(), &keychain).err().expect("a second one must not start");
    assert!(matches!(why, EngineError::HeldByAnother), "gave {why}");
}
