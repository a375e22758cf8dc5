//! Restart, crash, lock, revoke, rotate: what must hold while requests are on their way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use claviger_testkit::{FakeProvider, Home, eventually};

use super::{BIN, Base, KEY, usage};

const CHAT: &str = r#"{"model":"gpt-test","messages":[]}"#;

struct Wired {
    upstream: FakeProvider,
    home: Home,
    token: String,
}

fn wired() -> (Wired, claviger_testkit::Engine, Base) {
    let upstream = FakeProvider::plain();
    let home = Home::with_vault(BIN);
    let engine = home.serve();
    let (token, base_url) = home.wire("local", &upstream.url(), "bearer", "open-ai", KEY);
    let base = Base::of(&base_url);
    (Wired { upstream, home, token }, engine, base)
}

/// The grant's base URL as it is now: a restarted engine may listen elsewhere.
fn base_now(home: &Home) -> Base {
    Base::of(home.json(&["grant", "list"], "")[0]["base_url"].as_str().unwrap())
}

#[test]
fn a_restart_keeps_everything() {
    let (wired, engine, base) = wired();
    for _ in 0..5 {
        assert_eq!(base.send("POST", "/v1/chat/completions", &wired.token, CHAT).status, 200, "before");
    }
    assert_eq!(engine.terminate(), 0, "it drains");
    let engine = wired.home.serve();
    let base = base_now(&wired.home);
    assert_eq!(
        base.send("POST", "/v1/chat/completions", &wired.token, CHAT).status,
        200,
        "the same token after"
    );
    let billed = wired.upstream.billed();
    eventually("six requests with their tokens are counted", || {
        let used = usage(&wired.home);
        (used["requests"] == 6 && used["tokens_in"] == billed.input).then_some(())
    });
    assert_eq!(wired.home.json(&["audit", "verify"], "")["ok"], true, "one chain over both runs");
    drop(engine);
}

#[test]
fn kill_9_loses_no_recorded_request() {
    let (wired, engine, base) = wired();
    for _ in 0..20 {
        assert_eq!(
            base.send("POST", "/v1/chat/completions", &wired.token, CHAT).status,
            200,
            "before the crash"
        );
    }
    let stream = base.drip(&wired.token);
    engine.kill9();
    drop(stream);
    let _engine = wired.home.serve();
    let verified = wired.home.json(&["audit", "verify"], "");
    assert_eq!(verified["ok"], true, "{verified}");
    let entries = wired.home.json(&["audit", "list", "--agent", "local-agent"], "");
    let results: Vec<&str> = entries
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["host"].is_string())
        .map(|e| e["result"].as_str().unwrap())
        .collect();
    assert_eq!(results.len(), 21, "every release survives: {results:?}");
    assert!(!results.contains(&"open"), "what was cut short is told so: {results:?}");
    assert_eq!(usage(&wired.home)["requests"], 21, "and is counted");
    let base = base_now(&wired.home);
    assert_eq!(base.send("GET", "/v1/models", &wired.token, "").status, 200, "and it works again");
}

#[test]
fn locking_cuts_an_open_stream_within_a_second() {
    let (wired, _engine) = cut_by(&["lock"], "vault_locked");
    wired.home.json(&["unlock", "--password-stdin"], &format!("{}\n", wired.home.password));
    let entries = wired.home.json(&["audit", "list", "--agent", "local-agent"], "");
    let codes: Vec<&str> =
        entries.as_array().unwrap().iter().filter_map(|entry| entry["code"].as_str()).collect();
    assert!(
        codes.contains(&"cut") && !codes.contains(&"unknown"),
        "its end is on record as what it was: {codes:?}"
    );
}

#[test]
fn revoking_the_agent_cuts_an_open_stream_within_a_second() {
    cut_by(&["agent", "revoke", "local-agent", "--yes"], "unauthenticated");
}

#[test]
fn renewing_the_token_cuts_streams_of_the_old_one_within_a_second() {
    cut_by(&["agent", "renew", "local-agent"], "unauthenticated");
}

#[test]
fn freezing_the_credential_cuts_an_open_stream_within_a_second() {
    cut_by(&["credential", "freeze", "local-key"], "credential_frozen");
}

#[test]
fn removing_the_agent_cuts_an_open_stream_within_a_second() {
    cut_by(&["agent", "remove", "local-agent"], "unauthenticated");
}

fn cut_by(command: &[&str], code_afterwards: &str) -> (Wired, claviger_testkit::Engine) {
    let (wired, engine, base) = wired();
    let mut stream = base.drip(&wired.token);
    assert!(stream.is_alive(), "it streams");
    wired.home.json(command, "");
    let cut_after = stream.time_to_cut();
    assert!(cut_after < Duration::from_secs(1), "cut only {cut_after:?} after {command:?}");
    eventually("the upstream's side is closed too", || (wired.upstream.open_streams() == 0).then_some(()));
    let refused = base.send("GET", "/v1/models", &wired.token, "");
    assert_eq!(refused.header("x-claviger-error"), Some(code_afterwards), "{}", refused.text());
    (wired, engine)
}

#[test]
fn an_agent_that_goes_away_ends_the_upstreams_work() {
    let (wired, _engine, base) = wired();
    let mut stream = base.drip(&wired.token);
    assert!(stream.is_alive(), "it streams");
    drop(stream);
    eventually("the upstream's side is closed too", || (wired.upstream.open_streams() == 0).then_some(()));
    eventually("the record says that the agent went away", || {
        let entries = wired.home.json(&["audit", "list", "--agent", "local-agent"], "");
        entries.as_array().unwrap().iter().any(|e| e["code"] == "agent_gone").then_some(())
    });
}

#[test]
fn rotation_fails_no_request_and_the_new_key_is_used_at_once() {
    const NEW: &str = "sk-next-3Lw8+Vb6/yN2=jH57eD";
    let (wired, _engine, base) = wired();
    wired.upstream.accept_only(&[KEY, NEW]);
    let stop = AtomicBool::new(false);
    let statuses = std::thread::scope(|scope| {
        let work = || {
            let mut statuses = Vec::new();
            while !stop.load(Ordering::SeqCst) {
                statuses.push(base.send("POST", "/v1/chat/completions", &wired.token, CHAT).status);
            }
            statuses
        };
        let (one, two) = (scope.spawn(work), scope.spawn(work));
        eventually("requests are under way", || (wired.upstream.requests().len() > 20).then_some(()));
        let before = wired.upstream.requests().len();
        wired.home.json(&["credential", "rotate", "local-key", "--secret-stdin"], NEW);
        eventually("requests go on", || (wired.upstream.requests().len() > before + 20).then_some(()));
        wired.upstream.accept_only(&[NEW]);
        let after = wired.upstream.requests().len();
        eventually("requests go on with the old key gone", || {
            (wired.upstream.requests().len() > after + 20).then_some(())
        });
        stop.store(true, Ordering::SeqCst);
        [one.join().unwrap(), two.join().unwrap()].concat()
    });
    assert!(statuses.len() > 40, "only {} requests were made", statuses.len());
    assert!(statuses.iter().all(|status| *status == 200), "some failed: {statuses:?}");
    let keys: Vec<bool> = wired.upstream.requests().iter().map(|r| r.count(NEW.as_bytes()) == 1).collect();
    assert!(!keys[0] && keys[keys.len() - 1], "the key in force changed from the old to the new one");
    let history = wired.home.json(&["credential", "history", "local-key"], "");
    assert_eq!(history.as_array().map(Vec::len), Some(2), "{history}");
    assert_eq!(
        wired.home.json(&["credential", "show", "local-key"], "")["version"],
        2,
        "the version counts up"
    );
}

#[test]
fn an_engine_ends_with_the_process_that_it_was_started_for() {
    let home = Home::with_vault(BIN);
    let mut parent = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    let pid = parent.id().to_string();
    let mut engine = home.serve_with(&["--port", "0", "--parent-pid", &pid], &[], "");
    assert!(engine.runs(), "it runs while its parent does");
    parent.kill().unwrap();
    parent.wait().unwrap();
    eventually("the engine ends by itself", || (!engine.runs()).then_some(()));
}
