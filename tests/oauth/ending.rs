//! Tokens given back, at once and later, and the engine killed in between.

use claviger_testkit::Home;
use serde_json::json;

use super::{
    Connecting, Provider, SCOPES, Upstream, Walker, add_service, connect, grant, status, until_over, within,
};
use crate::journeys::BIN;

#[test]
fn a_disconnected_connection_is_dead_at_its_server_and_refused_here() {
    let (provider, upstream) = (Provider::start(120), Upstream::start());
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    add_service(&home, &upstream);
    connect(&home, &provider, "conn");
    let (token, base) = grant(&home, "conn");
    assert_eq!(base.send("GET", "/v1/x", &token, "").status, 200, "it works");
    let sent = upstream.last_token();
    assert!(provider.is_active(&sent), "the server takes it");
    let dry = home.json(&["oauth", "disconnect", "conn", "--dry-run"], "");
    assert_eq!(dry["dry_run"], true, "{dry}");
    assert!(provider.is_active(&sent), "a dry run changes nothing");
    let done = home.json(&["oauth", "disconnect", "conn"], "");
    assert_eq!(done, json!({"credential": "conn", "state": "disconnected", "revocation": "done"}), "told");
    assert!(!provider.is_active(&sent), "the server no longer takes it");
    let reply = base.send("GET", "/v1/x", &token, "");
    assert_eq!((reply.status, reply.header("x-claviger-error")), (403, Some("credential_frozen")), "refused");
    assert_eq!(upstream.heads().len(), 1, "nothing was sent");
    let now = status(&home, "conn");
    assert_eq!(now["state"], "ended", "{now}");
    assert_eq!(home.json(&["oauth", "disconnect", "conn"], "")["revocation"], "done", "twice is fine");
    let again = home.run(&["--json", "oauth", "reconnect", "conn", "--no-browser"], "");
    assert_eq!(again.code, 6, "what was destroyed does not come back: {again:?}");
    home.json(&["credential", "remove", "conn"], "");
    assert_eq!(home.json(&["oauth", "status"], ""), json!([]), "gone");
    connect(&home, &provider, "conn");
}

#[test]
fn a_removed_or_revoked_credential_gives_its_tokens_back_too() {
    let (provider, upstream) = (Provider::start(120), Upstream::start());
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    add_service(&home, &upstream);
    for verb in ["remove", "revoke"] {
        connect(&home, &provider, verb);
        let (token, base) = grant(&home, verb);
        assert_eq!(base.send("GET", "/v1/x", &token, "").status, 200, "it works");
        let sent = upstream.last_token();
        home.json(&["credential", verb, verb], "");
        within(10, "the server has the token back", || (!provider.is_active(&sent)).then_some(()));
        assert_ne!(base.send("GET", "/v1/x", &token, "").status, 200, "{verb}: refused here at once");
    }
}

#[test]
fn a_server_that_is_away_gets_its_tokens_back_later_also_after_kill_9() {
    let (provider, upstream) = (Provider::start(120), Upstream::start());
    let home = Home::with_vault(BIN);
    let engine = home.serve();
    add_service(&home, &upstream);
    connect(&home, &provider, "conn");
    connect(&home, &provider, "gone");
    let address = provider.stop();
    let done = home.json(&["oauth", "disconnect", "conn"], "");
    assert_eq!(done["revocation"], "pending", "{done}");
    home.json(&["credential", "remove", "gone"], "");
    let now = status(&home, "conn");
    assert_eq!(now["state"], "revoking", "{now}");
    engine.kill9();
    let engine = home.serve();
    assert_eq!(status(&home, "conn")["state"], "revoking", "it still waits");
    let provider = Provider::start_again(120, &address);
    engine.kill9();
    let _engine = home.serve();
    // The first pause is half a minute long.
    let now = within(60, "the server took it back", || {
        let now = status(&home, "conn");
        (now["state"] == "ended").then_some(now)
    });
    assert!(now["reason"].as_str().unwrap().contains("given back"), "{now}");
    let acts = home.json(&["audit", "list", "--result", "act"], "");
    within(60, "both were given back", || {
        let acts = home.json(&["audit", "list", "--result", "act"], "");
        let given = acts.as_array().unwrap().iter().filter(|act| act["code"] == "oauth.given_back").count();
        (given == 2).then_some(())
    });
    assert!(acts.to_string().contains("oauth.give_back_later"), "{acts}");
    drop(provider);
}

#[test]
fn kill_9_in_the_middle_of_a_consent_stores_nothing_and_afterwards_everything_works() {
    let (provider, upstream) = (Provider::start(3), Upstream::start());
    let home = Home::with_vault(BIN);
    let engine = home.serve();
    add_service(&home, &upstream);
    let args = ["connect", "api", "conn", "--issuer", &provider.issuer, "--client-id", "native", "--scope"];
    let mut connecting = Connecting::start(&home, &[&args[..], &[SCOPES, "--no-browser"]].concat(), "");
    let open = connecting.line()["open"].as_str().unwrap().to_owned();
    engine.kill9();
    let (code, errors) = connecting.end();
    assert_eq!(code, 7, "the command says that the engine is gone: {errors}");
    let engine = home.serve();
    assert_eq!(home.json(&["oauth", "status"], ""), json!([]), "nothing is stored");
    // The answer comes to nobody: the listener died with the engine.
    let nobody = std::panic::catch_unwind(|| Walker::new().consent(&open));
    assert!(nobody.is_err(), "somebody listened: {nobody:?}");
    connect(&home, &provider, "conn");
    let (token, base) = grant(&home, "conn");
    assert_eq!(base.send("GET", "/v1/x", &token, "").status, 200, "connected anew");
    engine.kill9();
    // A killed engine comes back with the connection as it was last stored, renewals included.
    for _ in 0..3 {
        let engine = home.serve();
        let base = crate::journeys::Base::of(
            home.json(&["grant", "list"], "")[0]["base_url"].as_str().expect("a base URL"),
        );
        let first = upstream.last_token();
        until_over(&provider, &first);
        assert_eq!(base.send("GET", "/v1/x", &token, "").status, 200, "renewed after a crash");
        assert_ne!(upstream.last_token(), first, "with a new token");
        engine.kill9();
    }
}
