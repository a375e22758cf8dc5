//! Proposals in a whole engine: they live in the vault, survive a lock, and go with their agent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use claviger_engine::{Engine, EngineError, NewAgent, NewProposal, Options, Terms, UnlockBy};
use claviger_model::AgentId;
use claviger_platform::{Dirs, FakeKeychain};
use claviger_secret::Passphrase;

const PASSWORD: &str = "correct horse battery staple";

fn start(home: &Path) -> Engine {
    let dirs = Dirs::at(home);
    let keychain = Arc::new(FakeKeychain::default());
    Engine::start(Options { dirs, keychain, proxy: claviger_engine::proxy_defaults() }).unwrap()
}

fn asks(path: &str) -> NewProposal {
    NewProposal {
        service: "github".into(),
        why: "canary-why".into(),
        methods: vec![],
        paths: vec![path.into()],
    }
}

fn agent(engine: &Engine, name: &str) -> (AgentId, Vec<u8>) {
    let issued = engine.add_agent(NewAgent { name: name.into(), ttl: None }).unwrap();
    // EXPOSE: a test's own token.
    (issued.agent.id, issued.token.secret().expose().to_vec())
}

#[test]
fn a_question_survives_lock_and_restart_and_lies_sealed() {
    let home = tempfile::tempdir().unwrap();
    let engine = start(home.path());
    engine.create(Passphrase::from(PASSWORD.to_owned()), false).unwrap();
    let (id, token) = agent(&engine, "coder");
    assert_eq!(engine.agent_of(&token).unwrap(), id, "the token says who");
    let asked = engine.propose(id, asks("/user")).unwrap();
    assert_eq!(engine.propose(id, asks("/user")).unwrap().id, asked.id, "asked twice is asked once");
    engine.lock().unwrap();
    assert!(matches!(engine.agent_of(&token), Err(EngineError::Locked)), "nobody is known while locked");
    assert!(
        matches!(engine.propose(id, asks("/x")), Err(EngineError::Locked)),
        "nothing is filed while locked"
    );
    drop(engine);
    for file in std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path()) {
        if let Ok(bytes) = std::fs::read(&file) {
            assert!(
                !bytes.windows(10).any(|w| w == b"canary-why"),
                "{} tells what was asked",
                file.display()
            );
        }
    }
    let engine = start(home.path());
    engine.unlock(UnlockBy::Password(Passphrase::from(PASSWORD.to_owned())), false).unwrap();
    assert_eq!(engine.book().unwrap().proposals, std::slice::from_ref(&asked), "as it was");
    engine.deny_proposal(&asked.id.to_string()).unwrap();
    let again = engine.deny_proposal(&asked.id.to_string());
    assert!(matches!(again, Err(EngineError::InUse(_))), "answered once: {again:?}");
    let allowed = engine.allow_proposal(&asked.id.to_string(), Terms::default());
    assert!(matches!(allowed, Err(EngineError::InUse(_))), "a denied one is not allowed later");
    assert_eq!(engine.book().unwrap().grants.len(), 0, "nothing was given");
}

#[test]
fn what_an_agent_asked_goes_with_it() {
    let home = tempfile::tempdir().unwrap();
    let engine = start(home.path());
    engine.create(Passphrase::from(PASSWORD.to_owned()), false).unwrap();
    let (one, token) = agent(&engine, "one");
    let (two, _) = agent(&engine, "two");
    engine.propose(one, asks("/a")).unwrap();
    let kept = engine.propose(two, asks("/b")).unwrap();
    engine.remove_agent("one").unwrap();
    assert_eq!(engine.book().unwrap().proposals, [kept], "the other's stays");
    assert!(matches!(engine.agent_of(&token), Err(EngineError::Refused(_))), "its token is nobody's");
    assert!(engine.propose(one, asks("/c")).is_err(), "an agent that is gone asks nothing");
    engine.pause_agent("two").unwrap();
    let (three, token) = agent(&engine, "three");
    engine.pause_all(true).unwrap();
    assert!(matches!(engine.agent_of(&token), Err(EngineError::Refused(_))), "paused {three}");
}
