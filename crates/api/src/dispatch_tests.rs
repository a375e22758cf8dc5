//! The door itself: every call in the contract is carried out, by its own verb alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use claviger_engine::{Engine, Options};
use claviger_platform::{Dirs, FakeKeychain};
use serde_json::{Value, json};

use super::dispatch;
use crate::schema::{CALLS, Code, Verb};

fn engine(home: &std::path::Path) -> Engine {
    let options = Options {
        dirs: Dirs::at(home),
        keychain: Arc::new(FakeKeychain::default()),
        proxy: claviger_engine::proxy_defaults(),
    };
    Engine::start(options).unwrap()
}

#[test]
fn every_call_of_the_contract_is_carried_out() {
    let home = tempfile::tempdir().unwrap();
    let engine = engine(home.path());
    for (name, verb) in CALLS {
        if let Err(why) = dispatch(&engine, *verb, name, Value::Null) {
            assert!(!why.message.contains("is not carried out"), "{name} has no arm in dispatch");
        }
    }
}

#[test]
fn a_call_by_another_verb_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let engine = engine(home.path());
    for (name, verb) in CALLS {
        for other in [Verb::Query, Verb::Mutate, Verb::Decide] {
            if other != *verb {
                let why = dispatch(&engine, other, name, Value::Null).unwrap_err();
                assert_eq!(why.code, Code::Usage, "{name} was let through as {other:?}");
            }
        }
    }
}

#[test]
fn nothing_but_status_and_creation_works_without_a_vault() {
    let home = tempfile::tempdir().unwrap();
    let engine = engine(home.path());
    let free = [
        "vault.status",
        "vault.create",
        "credential.kinds",
        "credential.recognise",
        "token.inspect",
        "settings.show",
        "settings.set",
        "vault.lock",
        "vault.unlock",
    ];
    for (name, verb) in CALLS {
        if free.contains(name) {
            continue;
        }
        let params = json!({
            "name": "x", "password": "correct horse", "new_password": "correct horse 2", "service": "openai", "secret": "s",
            "base_url": "https://a.example", "auth": "bearer", "agent": "x", "credential": "x", "grant": "x",
            "proposal": "x", "token": "x", "why": "x", "event": "x", "method": "GET", "url": "https://a.example/",
            "range": "24h", "flow": "code", "id": "x",
        });
        let why = dispatch(&engine, *verb, name, params).unwrap_err();
        assert_eq!(why.code, Code::VaultAbsent, "{name} answered {why:?}");
    }
}

#[test]
fn an_error_never_repeats_what_was_sent() {
    let home = tempfile::tempdir().unwrap();
    let engine = engine(home.path());
    let canary = "sk-canary-51c0ffee";
    for params in [json!({"password": {"deep": canary}}), json!({"password": [canary]}), json!({ canary: 1 })]
    {
        let why = dispatch(&engine, Verb::Mutate, "vault.create", params.clone()).unwrap_err();
        assert!(!format!("{why:?}").contains("canary"), "{params} came back in {why:?}");
    }
}
