//! From an empty home to a recorded request, by command line alone.

use claviger_testkit::{FakeProvider, Home, eventually};
use serde_json::json;

use super::{BIN, Base, KEY, entry, usage};

#[test]
fn an_empty_home_becomes_a_recorded_request() {
    let upstream = FakeProvider::plain();
    upstream.accept_only(&[KEY]);
    let home = Home::new(BIN);
    assert_eq!(home.json(&["status"], "")["vault"], "absent", "nothing is there yet");
    let recovery_key = home.init();
    assert!(recovery_key.len() >= 32, "a recovery key of 160 bits, not {recovery_key:?}");
    let status = home.json(&["status"], "");
    assert_eq!((&status["vault"], &status["engine"]), (&json!("locked"), &json!("stopped")), "{status}");

    let engine = home.serve();
    assert_eq!(engine.ready["pid"], engine.pid(), "serve tells its own process");
    let status = home.json(&["status"], "");
    assert_eq!((&status["vault"], &status["engine"]), (&json!("unlocked"), &json!("running")), "{status}");
    assert_eq!(status["proxy"]["base"], engine.ready["proxy"], "status and serve name the same proxy");

    let service = home.json(
        &[
            "service",
            "add",
            "local",
            "--base-url",
            &format!("{}/v1", upstream.url()),
            "--auth",
            "bearer",
            "--allow-private",
            "--usage",
            "open-ai",
        ],
        "",
    );
    assert_eq!(service["auth"], "bearer", "{service}");
    let added =
        home.json(&["credential", "add", "key", "--service", "local", "--secret-stdin"], &format!("{KEY}\n"));
    assert_eq!((&added["credential"], &added["kind"]), (&json!("key"), &json!("api-key")), "{added}");
    assert_eq!(added["fingerprint"].as_str().map(str::len), Some(16), "16 hex digits");
    let agent = home.json(&["agent", "add", "bot"], "");
    let token = agent["token"].as_str().expect("a token, shown once");
    let grant = home.json(&["grant", "add", "bot", "key", "--method", "POST", "--path", "/v1/chat/**"], "");
    let base = Base::of(grant["base_url"].as_str().expect("a base URL"));

    let reply = base.send("POST", "/chat/completions", token, r#"{"model":"gpt-test","messages":[]}"#);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["choices"][0]["message"]["content"], "pong", "the upstream's own answer");
    upstream.assert_key_once_and_never(KEY, &[token]);
    assert_eq!(upstream.requests()[0].target, "/v1/chat/completions", "the path that was granted");

    // The completion is on its way for up to 10 ms.
    let done = eventually("the request is recorded as done", || {
        let entries = home.json(&["audit", "list", "--result", "done"], "");
        entries.as_array().and_then(|entries| entries.first().cloned())
    });
    assert_eq!(done["agent"], "bot", "{done}");
    assert_eq!(done["credential"], "key", "{done}");
    assert_eq!((&done["method"], &done["path"]), (&json!("POST"), &json!("/v1/chat/completions")), "{done}");
    assert_eq!(done["host"], upstream.addr().to_string(), "{done}");
    assert_eq!((&done["status"], &done["model"]), (&json!(200), &json!("gpt-test")), "{done}");
    let billed = upstream.billed();
    assert_eq!(done["tokens_in"], billed.input, "{done}");
    assert_eq!(done["tokens_out"], billed.output, "{done}");
    assert_eq!(done["tokens_cached"], billed.cached, "{done}");

    let used = usage(&home);
    assert_eq!(
        (&used["requests"], &used["denied"], &used["errors"]),
        (&json!(1), &json!(0), &json!(0)),
        "{used}"
    );
    assert_eq!(used["tokens_in"], billed.input, "{used}");
    let refused = base.send("GET", "/models", token, "");
    assert_eq!(refused.header("x-claviger-error"), Some("policy_denied"), "{}", refused.text());
    let why = entry(&home, refused.json()["error"]["event"].as_str().expect("a tracking id"));
    assert_eq!((&why["result"], &why["code"]), (&json!("refused"), &json!("policy_denied")), "{why}");
    assert_eq!(usage(&home)["denied"], 1, "the refusal is counted");
    let explained =
        home.json(&["policy", "explain", "bot", "GET", &format!("{}/v1/models", upstream.url())], "");
    assert_eq!(explained["allowed"], false, "{explained}");

    let shown = home.json(&["credential", "show", "key"], "");
    assert!(shown["last_used"].is_string(), "{shown}");
    assert_eq!(shown["grants"][0]["agent"], "bot", "{shown}");
    assert!(home.json(&["agent", "show", "bot"], "")["last_seen"].is_string(), "the agent was seen");
    let verified = home.json(&["audit", "verify"], "");
    assert_eq!(verified["ok"], true, "{verified}");
    assert_eq!(engine.terminate(), 0, "SIGTERM drains and ends with 0");
    assert_eq!(home.json(&["status"], "")["engine"], "stopped", "and it is gone");
}

#[test]
fn without_an_engine_commands_open_the_vault_themselves() {
    let home = Home::with_vault(BIN);
    let locked = home.run(&["--json", "credential", "list"], "");
    assert_eq!((locked.code, &locked.error()["code"]), (3, &json!("vault_locked")), "{locked:?}");
    let password = format!("{}\n", home.password);
    let both = format!("{password}{KEY}");
    home.json(
        &["--password-stdin", "credential", "add", "key", "--service", "openai", "--secret-stdin"],
        &both,
    );
    let file = home.root().join("password");
    std::fs::write(&file, &password).unwrap();
    let listed = home.json(&["credential", "list", "--password-file", file.to_str().unwrap()], "");
    assert_eq!(listed[0]["name"], "key", "{listed}");
    let wrong = home.run(&["--json", "credential", "list", "--password-stdin"], "not it\n");
    assert_eq!((wrong.code, &wrong.error()["code"]), (9, &json!("wrong_password")), "{wrong:?}");
    assert_eq!(home.json(&["status"], "")["vault"], "locked", "nothing stays open");
}

#[test]
fn a_forgotten_password_is_replaced_by_recovery_key() {
    let home = Home::new(BIN);
    let key = home.init();
    let wrong = home.run(
        &["unlock", "--recovery-key-stdin", "--new-password-stdin"],
        "0000-not-a-key\nbrand new words 9 here\n",
    );
    assert_eq!(wrong.code, 9, "{wrong:?}");
    let renewed = home.json(
        &["unlock", "--recovery-key-stdin", "--new-password-stdin"],
        &format!("{key}\nbrand new words 9 here\n"),
    );
    let next = renewed["recovery_key"].as_str().expect("the used key is replaced").to_owned();
    assert_ne!(next, key, "a new one");
    let old = home.run(&["credential", "list", "--password-stdin"], &format!("{}\n", home.password));
    assert_eq!(old.code, 9, "the old password no longer opens it: {old:?}");
    home.json(&["credential", "list", "--password-stdin"], "brand new words 9 here\n");
    let used = home.run(
        &["unlock", "--recovery-key-stdin", "--new-password-stdin"],
        &format!("{key}\nand one more password 3\n"),
    );
    assert_eq!(used.code, 9, "the used recovery key no longer opens it: {used:?}");
    home.json(
        &["password", "change", "--password-stdin", "--new-password-stdin"],
        "brand new words 9 here\nyet another phrase 4 you\n",
    );
    home.json(&["credential", "list", "--password-stdin"], "yet another phrase 4 you\n");
}
