//! What is asked, and where it would go: rules of the grant, the credential's standing, the upstream's address.

use claviger_testkit::{FakeProvider, Home, Reply, eventually, send_raw};

use super::Scene;
use crate::journeys::{BIN, Base, KEY};

#[test]
fn what_the_grant_does_not_allow_is_refused() {
    let scene = Scene::new();
    let grant = scene.home.json(&["grant", "list"], "")[0]["grant"].as_str().unwrap().to_owned();
    let set = |args: &[&str]| scene.home.json(&[&["grant", "set", &grant], args].concat(), "");
    let request = |method: &str, path: &str| {
        scene.raw(&format!(
            "{method} BASE{path} HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nConnection: close\r\n\r\n"
        ))
    };
    set(&["--method", "GET,POST"]);
    scene.refused("another method", &request("DELETE", "/v1/models"), 403, "policy_denied");
    scene.refused("a method in lower case", &request("get", "/v1/models"), 400, "request_malformed");
    set(&["--method", "", "--path", "/v1/chat/**"]);
    scene.refused("another path", &request("GET", "/v1/models"), 403, "policy_denied");
    scene.refused("a path that only begins so", &request("GET", "/v1/chatx"), 403, "policy_denied");
    set(&["--path", "", "--rate", "2/hour"]);
    let before = scene.upstream.requests().len();
    let replies: Vec<Reply> = (0..6).map(|_| send_raw(scene.addr(), &request("GET", "/v1/models"))).collect();
    let passed = replies.iter().filter(|reply| reply.status == 200).count();
    assert!((1..=2).contains(&passed), "{passed} of 6 passed at 2 an hour");
    assert_eq!(scene.upstream.requests().len(), before + passed, "and no more were sent");
    let limited = replies.last().unwrap();
    scene.check("over the rate", limited, 429, "rate_limited");
    let wait: u64 =
        limited.header("retry-after").and_then(|s| s.parse().ok()).expect("a retry-after in seconds");
    assert!(wait > 60, "at 2 an hour the next is not due in {wait} s");
    set(&["--rate", "", "--expires", "1s"]);
    eventually("the grant of one second ends", || {
        (send_raw(scene.addr(), &request("GET", "/v1/models")).status != 200).then_some(())
    });
    let ended = send_raw(scene.addr(), &request("GET", "/v1/models"));
    assert!(
        matches!(ended.header("x-claviger-error"), Some("grant_missing" | "policy_denied")),
        "{}",
        ended.text()
    );
    set(&["--expires", ""]);
    scene.works(&scene.token);
}

#[test]
fn a_credential_that_is_not_in_force_is_not_released() {
    let scene = Scene::new();
    let before = scene.upstream.connections();
    scene.home.json(&["credential", "freeze", "local-key"], "");
    scene.refused("a frozen credential", &scene.plain(&scene.token), 403, "credential_frozen");
    scene.home.json(&["credential", "unfreeze", "local-key"], "");
    scene.works(&scene.token);
    let soon = "2020-01-01";
    let rotated = scene.home.run(
        &["credential", "rotate", "local-key", "--secret-stdin", "--expires", soon],
        "sk-expired-0123456789abcdef",
    );
    if rotated.code == 0 {
        scene.refused("an expired credential", &scene.plain(&scene.token), 502, "credential_expired");
    } else {
        assert_eq!(rotated.code, 2, "a date in the past is either taken or a usage error: {rotated:?}");
    }
    scene.home.json(&["credential", "revoke", "local-key"], "");
    scene.refused("a revoked credential", &scene.plain(&scene.token), 403, "credential_frozen");
    assert!(scene.upstream.connections() > before, "it did work in between");
}

#[test]
fn an_upstream_that_is_private_without_the_explicit_word_is_never_dialled() {
    let upstream = FakeProvider::plain();
    let home = Home::with_vault(BIN);
    let engine = home.serve();
    let port = upstream.addr().port();
    for (i, host) in
        ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0.0.0.0"].iter().enumerate()
    {
        let name = format!("private{i}");
        let url = format!("https://{host}:{port}/v1");
        let added =
            home.run(&["--json", "service", "add", &name, "--base-url", &url, "--auth", "bearer"], "");
        if added.code == 2 {
            continue; // Refused where it was written is as good.
        }
        assert_eq!(added.code, 0, "{added:?}");
        home.json(&["credential", "add", &name, "--service", &name, "--secret-stdin"], KEY);
        let token = home.json(&["agent", "add", &name], "")["token"].as_str().unwrap().to_owned();
        let base = Base::of(home.json(&["grant", "add", &name, &name], "")["base_url"].as_str().unwrap());
        let reply = base.send("GET", "/models", &token, "");
        assert_eq!(
            (reply.status, reply.header("x-claviger-error")),
            (502, Some("upstream_refused")),
            "{host}: {}",
            reply.text()
        );
    }
    assert_eq!(upstream.connections(), 0, "it was dialled");
    let plain =
        home.run(&["service", "add", "plain", "--base-url", "http://example.com/", "--auth", "bearer"], "");
    assert_eq!(plain.code, 2, "plain HTTP needs the explicit word, too: {plain:?}");
    // Metadata addresses stay closed even with it.
    let metadata = [
        "service",
        "add",
        "meta",
        "--base-url",
        "http://169.254.169.254/",
        "--auth",
        "bearer",
        "--allow-private",
    ];
    if home.run(&metadata, "").code == 0 {
        home.json(&["credential", "add", "meta", "--service", "meta", "--secret-stdin"], KEY);
        let token = home.json(&["agent", "add", "meta"], "")["token"].as_str().unwrap().to_owned();
        let base = Base::of(home.json(&["grant", "add", "meta", "meta"], "")["base_url"].as_str().unwrap());
        let reply = base.send("GET", "/latest/meta-data", &token, "");
        assert_eq!(reply.header("x-claviger-error"), Some("upstream_refused"), "{}", reply.text());
    }
    drop(engine);
}

#[test]
fn redirects_and_errors_of_the_upstream_are_passed_on_and_not_followed() {
    let scene = Scene::new();
    let redirect = scene.base.send("GET", "/v1/redirect", &scene.token, "");
    assert_eq!(
        (redirect.status, redirect.header("location")),
        (302, Some("https://elsewhere.invalid/")),
        "as it came"
    );
    let failed = scene.base.send("GET", "/v1/status/500", &scene.token, "");
    assert_eq!((failed.status, failed.header("x-claviger-error")), (500, None), "the upstream's own error");
    assert_eq!(scene.upstream.requests().len(), 2, "one request each, no retry");
}

#[test]
fn the_proxy_listens_on_the_loopback_address_alone() {
    let scene = Scene::new();
    let port = format!("{:04X}", scene.addr().port());
    let mut listeners = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in std::fs::read_to_string(table).unwrap_or_default().lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            if words[3] == "0A" && words[1].ends_with(&format!(":{port}")) {
                listeners.push(words[1].to_owned());
            }
        }
    }
    assert_eq!(listeners, [format!("0100007F:{port}")], "127.0.0.1 and nothing else");
}
