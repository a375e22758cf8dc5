//! Credentials that are a key: short-lived tokens are made here, or given for the ones that a service takes.

use base64::Engine as _;
use claviger_testkit::Home;
use serde_json::{Value, json};

use super::{Upstream, add_service, grant, within};
use crate::journeys::BIN;

const SHARED: &str = "canary-shared-key-0123456789abcdef";

/// The claims of a token, as anybody reads them.
fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).expect("three parts");
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn add(home: &Home, name: &str, document: &Value) -> claviger_testkit::Ran {
    let args =
        ["--json", "credential", "add", name, "--service", "api", "--kind", "jwt-bearer", "--secret-stdin"];
    home.run(&args, &document.to_string())
}

#[test]
fn a_token_is_made_for_a_while_and_made_anew_when_it_ends_or_is_refused() {
    let upstream = Upstream::start();
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    add_service(&home, &upstream);
    let document =
        json!({"algorithm": "HS256", "key": SHARED, "issuer": "me", "audience": "them", "lifetime_s": 10});
    let added = add(&home, "signer", &document);
    assert_eq!(added.code, 0, "{added:?}");
    let (token, base) = grant(&home, "signer");
    for _ in 0..3 {
        assert_eq!(base.send("GET", "/v1/x", &token, "").status, 200, "it works");
    }
    let sent = upstream.tokens();
    assert!(sent.iter().all(|one| *one == sent[0]), "one token serves while it is good");
    let said = claims(&sent[0]);
    assert_eq!((&said["iss"], &said["aud"]), (&"me".into(), &"them".into()), "{said}");
    within(15, "it is made anew before it ends", || {
        assert_eq!(base.send("GET", "/v1/x", &token, "").status, 200, "it works");
        (upstream.last_token() != sent[0]).then_some(())
    });
    let files = claviger_testkit::Needles::new([("shared key", SHARED.as_bytes())]).in_tree(home.root());
    assert_eq!(files.1, [], "the key stands in a file");
    let shown = home.json(&["credential", "show", "signer"], "");
    assert_eq!((&shown["kind"], &shown["expires"]), (&"jwt-bearer".into(), &Value::Null), "{shown}");
    let other = json!({"algorithm": "HS256", "key": SHARED, "issuer": "another", "lifetime_s": 60});
    home.json(&["credential", "rotate", "signer", "--secret-stdin"], &other.to_string());
    assert_eq!(base.send("GET", "/v1/x", &token, "").status, 200, "it works");
    assert_eq!(claims(&upstream.last_token())["iss"], "another", "the next request has the new document's");
    home.json(&["lock"], "");
    assert_eq!(base.send("GET", "/v1/x", &token, "").status, 503, "locked means gone");
}

#[test]
fn a_signed_token_is_given_for_the_one_that_the_service_takes() {
    let (upstream, tokens) = (Upstream::start(), Upstream::start());
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    add_service(&home, &upstream);
    let url = format!("{}/token", tokens.url());
    let document = json!({"algorithm": "HS256", "key": SHARED, "issuer": "robot", "audience": url, "scope": "read",
        "exchange": {"via": "oauth", "token_url": url}});
    assert_eq!(add(&home, "robot", &document).code, 0, "added");
    let (token, base) = grant(&home, "robot");
    tokens.says("503 Service Unavailable", "{}");
    let reply = base.send("GET", "/v1/x", &token, "");
    assert_eq!(
        (reply.status, reply.header("x-claviger-error")),
        (502, Some("credential_expired")),
        "{reply:?}"
    );
    assert_eq!(upstream.heads().len(), 0, "nothing goes upstream without a token");
    tokens.says(
        "200 OK",
        r#"{"access_token":"at-exchanged-0123456789","token_type":"Bearer","expires_in":3600}"#,
    );
    within(15, "the token server is asked again", || {
        (base.send("GET", "/v1/x", &token, "").status == 200).then_some(())
    });
    assert_eq!(upstream.last_token(), "at-exchanged-0123456789", "the exchanged token");
    let asked = tokens.bodies();
    let assertion = asked.last().unwrap().split("assertion=").nth(1).expect("an assertion");
    assert_eq!(claims(assertion)["scope"], "read", "what it asks for");
    assert!(
        asked.last().unwrap().starts_with("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"),
        "RFC 7523"
    );
    for _ in 0..3 {
        assert_eq!(base.send("GET", "/v1/x", &token, "").status, 200, "it works");
    }
    assert_eq!(tokens.bodies().len(), asked.len(), "and is not asked for again");

    // GitHub's way: an App's token for an installation's, which says itself when it ends.
    let document = json!({"algorithm": "HS256", "key": SHARED, "issuer": "12345",
        "exchange": {"via": "github-app", "installation": 42, "api": tokens.url()}});
    assert_eq!(add(&home, "app", &document).code, 0, "added");
    let (token, base) = grant(&home, "app");
    let date = std::process::Command::new("date").args(["-u", "-d", "+1 hour", "+%FT%TZ"]).output().unwrap();
    let end = String::from_utf8(date.stdout).unwrap();
    tokens.says("201 Created", &json!({"token": "ghs_exchanged", "expires_at": end.trim()}).to_string());
    assert_eq!(base.send("GET", "/v1/x", &token, "").status, 200, "it works");
    assert_eq!(upstream.last_token(), "ghs_exchanged", "the installation's token");
    let head = tokens.heads().pop().unwrap();
    assert!(head.starts_with("POST /app/installations/42/access_tokens "), "{head}");
    assert_eq!(claims(&tokens.last_token())["iss"], "12345", "as the App");
}

#[test]
fn a_document_that_cannot_work_is_refused_and_never_quoted() {
    let upstream = Upstream::start();
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    add_service(&home, &upstream);
    for document in [
        json!({"algorithm": "HS256", "key": "canary-too-short"}),
        json!({"algorithm": "RS256", "key": SHARED}),
        json!({"algorithm": "none", "key": SHARED}),
        json!({"key": SHARED}),
        json!({"algorithm": "HS256", "key": SHARED, "exchange": {"via": "oauth", "token_url": "javascript:canary"}}),
        json!({"algorithm": "HS256", "key": SHARED, "exchange": {"via": "oauth", "token_url": "http://169.254.169.254/"}}),
        json!("canary"),
    ] {
        let ran = add(&home, "bad", &document);
        assert_eq!(ran.code, 2, "{document}: {ran:?}");
        assert!(!format!("{ran:?}").contains("canary"), "the key was quoted: {ran:?}");
    }
    home.json(
        &["service", "add", "query", "--base-url", "https://api.example.com", "--auth", "query:key"],
        "",
    );
    let args =
        ["--json", "credential", "add", "q", "--service", "query", "--kind", "jwt-bearer", "--secret-stdin"];
    let ran = home.run(&args, &json!({"algorithm": "HS256", "key": SHARED}).to_string());
    assert_eq!(ran.code, 2, "not in the query: {ran:?}");
}
