//! Tokens that end, that are refused, and that the server no longer takes.

use claviger_testkit::Home;
use serde_json::Value;

use super::{Provider, Upstream, add_service, connect, grant, holds_none, status, until_over, within};
use crate::journeys::{BIN, entry};

#[test]
fn an_ended_token_is_renewed_with_the_next_request_and_a_refused_connection_is_said_once() {
    let (provider, upstream) = (Provider::start(5), Upstream::start());
    let home = Home::with_vault(BIN);
    let engine = home.serve();
    add_service(&home, &upstream);
    connect(&home, &provider, "conn");
    let (token, base) = grant(&home, "conn");
    assert_eq!(base.send("GET", "/v1/x", &token, "").status, 200, "the first token");
    let first = upstream.last_token();
    within(10, "the first token is due", || (status(&home, "conn")["state"] == "due").then_some(()));
    until_over(&provider, &first);
    let asked = provider.times_asked();
    let replies: Vec<_> = std::thread::scope(|scope| {
        let callers: Vec<_> =
            (0..8).map(|_| scope.spawn(|| base.send("GET", "/v1/x", &token, "").status)).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    assert_eq!(replies, [200; 8], "every call of a crowd has a token");
    let second = upstream.last_token();
    assert_ne!(second, first, "a new one");
    assert_eq!(provider.times_asked(), asked + 1, "the server was asked once for all of them");
    assert!(upstream.tokens()[1..].iter().all(|sent| *sent == second), "the old one was not sent any more");

    // Renewed on demand, also while the token is good.
    let renewed = home.json(&["oauth", "refresh", "conn"], "");
    assert_eq!(renewed["credential"], "conn", "{renewed}");

    // The server forgets the consent: said once, stored, not asked again; a restart changes nothing about it.
    let again = provider.stop();
    let provider = Provider::start_again(3, &again);
    let broken = within(15, "the connection breaks", || {
        let reply = base.send("GET", "/v1/x", &token, "");
        (reply.status != 200).then_some(reply)
    });
    assert_eq!(
        (broken.status, broken.header("x-claviger-error")),
        (502, Some("credential_expired")),
        "{}",
        broken.text()
    );
    holds_none(&broken, &upstream.tokens());
    let event = broken.json()["error"]["event"].as_str().unwrap().to_owned();
    let recorded = entry(&home, &event);
    assert_eq!(
        (&recorded["result"], &recorded["credential"]),
        (&"refused".into(), &"conn".into()),
        "{recorded}"
    );
    let sent = upstream.heads().len();
    assert_eq!(base.send("GET", "/v1/x", &token, "").status, 502, "and it stays so");
    assert_eq!(upstream.heads().len(), sent, "nothing goes upstream");
    let now = status(&home, "conn");
    assert_eq!(now["state"], "broken", "{now}");
    assert!(now["reason"].as_str().unwrap().contains("invalid_grant"), "in the server's word: {now}");
    let warnings = home.json(&["status"], "")["warnings"].to_string();
    assert!(warnings.contains("conn") && warnings.contains("consented to again"), "{warnings}");
    let acts = home.json(&["audit", "list", "--result", "act"], "");
    let breaks = acts.as_array().unwrap().iter().filter(|act| act["code"] == "oauth.break").count();
    assert_eq!(breaks, 1, "said once: {acts}");
    engine.kill9();
    let _engine = home.serve();
    assert_eq!(status(&home, "conn")["state"], "broken", "a restart does not ask again");
    let refused = home.run(&["--json", "oauth", "refresh", "conn"], "");
    assert_eq!(refused.code, 6, "{refused:?}");
    assert!(refused.error()["hint"].as_str().unwrap().contains("reconnect"), "{refused:?}");
    assert_eq!(provider.times_asked(), 0, "the server gave nothing");
}

#[test]
fn a_token_that_its_service_refuses_is_renewed_and_the_request_sent_again() {
    let (provider, upstream) = (Provider::start(120), Upstream::start());
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    add_service(&home, &upstream);
    connect(&home, &provider, "conn");
    let (token, base) = grant(&home, "conn");
    assert_eq!(base.send("GET", "/v1/x", &token, "").status, 200, "the first token");
    let first = upstream.last_token();
    upstream.refuse(&first);
    // A token that is seconds old is not renewed: the next would be refused as well.
    assert_eq!(base.send("GET", "/v1/x", &token, "").status, 401, "the service's own answer");
    let asked = provider.times_asked();
    within(20, "the token is old enough to be renewed", || {
        (base.send("GET", "/v1/x", &token, "").status == 200).then_some(())
    });
    assert_ne!(upstream.last_token(), first, "with a new token");
    assert_eq!(provider.times_asked(), asked + 1, "one renewal");
    let errors = home.json(&["usage"], "")[0]["errors"].as_u64().unwrap();
    assert!(errors >= 1, "the 401s that were passed on are counted: {errors}");
}

#[test]
fn a_server_that_is_away_costs_nothing_while_the_token_is_good_and_is_said_afterwards() {
    let (provider, upstream) = (Provider::start(12), Upstream::start());
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    add_service(&home, &upstream);
    connect(&home, &provider, "conn");
    let (token, base) = grant(&home, "conn");
    let address = provider.stop();
    assert_eq!(base.send("GET", "/v1/x", &token, "").status, 200, "the token is still good");
    let refused = within(30, "the token is over", || {
        let reply = base.send("GET", "/v1/x", &token, "");
        (reply.status != 200).then_some(reply)
    });
    assert_eq!(
        (refused.status, refused.header("x-claviger-error")),
        (502, Some("credential_expired")),
        "{refused:?}"
    );
    assert!(refused.header("retry-after").is_some(), "asking again may help: {refused:?}");
    let now = status(&home, "conn");
    assert_eq!(now["state"], "due", "not broken: {now}");
    assert!(now["reason"].as_str().is_some_and(|why| why.contains("reached")), "{now}");
    drop(address);
}

#[test]
fn locking_ends_everything_and_unlocking_goes_on() {
    let (provider, upstream) = (Provider::start(3), Upstream::start());
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    add_service(&home, &upstream);
    connect(&home, &provider, "conn");
    let (token, base) = grant(&home, "conn");
    assert_eq!(base.send("GET", "/v1/x", &token, "").status, 200, "it works");
    let first = upstream.last_token();
    home.json(&["lock"], "");
    let reply = base.send("GET", "/v1/x", &token, "");
    assert_eq!((reply.status, reply.header("x-claviger-error")), (503, Some("vault_locked")), "locked");
    until_over(&provider, &first);
    let asked = provider.times_asked();
    home.json(&["unlock", "--password-stdin"], &format!("{}\n", home.password));
    assert_eq!(provider.times_asked(), asked, "nothing was renewed while locked, nor by unlocking");
    assert_eq!(base.send("GET", "/v1/x", &token, "").status, 200, "it goes on");
    assert_ne!(upstream.last_token(), first, "with a new token");
}

#[test]
fn a_pasted_token_says_itself_when_it_ends() {
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    home.json(&["service", "add", "api", "--base-url", "https://api.example.com", "--auth", "bearer"], "");
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSIsImV4cCI6NDEwMjQ0NDgwMH0.c2ln";
    let seen = home.json(&["token", "inspect"], jwt);
    assert_eq!((&seen["kind"], &seen["subject"]), (&"jwt".into(), &"alice".into()), "{seen}");
    assert_eq!(seen["expires"], "2100-01-01T00:00:00.000Z", "{seen}");
    assert_eq!(home.json(&["token", "inspect"], "sk-no-jwt")["kind"], "opaque", "what is none is none");
    home.json(&["credential", "add", "jwt", "--service", "api", "--secret-stdin"], jwt);
    let shown = home.json(&["credential", "show", "jwt"], "");
    assert_eq!(shown["expires"], "2100-01-01T00:00:00.000Z", "learned: {shown}");
    let given =
        ["credential", "add", "given", "--service", "api", "--secret-stdin", "--expires", "2030-01-01"];
    home.json(&given, jwt);
    let shown = home.json(&["credential", "show", "given"], "");
    assert_eq!(shown["expires"], "2030-01-01T00:00:00.000Z", "what was said counts: {shown}");
    let vault: Value = home.json(&["audit", "list"], "");
    assert!(!vault.to_string().contains(jwt), "an inspected token is nowhere");
}
