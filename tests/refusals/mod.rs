//! Every way in which a request must be refused, through the real `serve` and raw sockets: the contract's code, one
//! entry of the record under the answer's tracking id, and no connection to the upstream.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use claviger_testkit::{Engine, FakeProvider, Home, Reply, eventually, send_raw};
use serde_json::json;

use crate::journeys::{BIN, Base, KEY};

/// A granted agent, a second one without a grant, and an upstream that must see nothing.
struct Scene {
    upstream: FakeProvider,
    home: Home,
    engine: Engine,
    token: String,
    base: Base,
}

impl Scene {
    fn new() -> Self {
        let upstream = FakeProvider::plain();
        let home = Home::with_vault(BIN);
        let engine = home.serve();
        let (token, base_url) = home.wire("local", &upstream.url(), "bearer", "open-ai", KEY);
        Self { upstream, home, engine, token, base: Base::of(&base_url) }
    }

    fn addr(&self) -> SocketAddr {
        self.engine.proxy
    }

    /// A request with exactly this head and body; `HOST`, `BASE` and `TOKEN` stand for the real ones.
    fn raw(&self, text: &str) -> Vec<u8> {
        text.replace("HOST", &self.base.host)
            .replace("BASE", &self.base.path)
            .replace("TOKEN", &self.token)
            .into_bytes()
    }

    /// Sends it and checks everything that a refusal promises.
    #[track_caller]
    fn refused(&self, what: &str, request: &[u8], status: u16, code: &str) -> Reply {
        let before = self.upstream.connections();
        let reply = send_raw(self.addr(), request);
        self.check(what, &reply, status, code);
        assert_eq!(self.upstream.connections(), before, "{what}: the upstream was connected to");
        reply
    }

    #[track_caller]
    fn check(&self, what: &str, reply: &Reply, status: u16, code: &str) {
        let raw = String::from_utf8_lossy(&reply.raw).into_owned();
        assert_eq!((reply.status, reply.header("x-claviger-error")), (status, Some(code)), "{what}: {raw}");
        let error = &reply.json()["error"];
        assert_eq!(error["code"], code, "{what}: {raw}");
        assert!(error["message"].as_str().is_some_and(|m| !m.is_empty()), "{what}: {raw}");
        assert!(!reply.headers.iter().any(|(name, _)| name.starts_with("access-control-")), "{what}: {raw}");
        assert!(!raw.contains(KEY) && !raw.contains(&self.token), "{what}: a secret in the answer: {raw}");
        let event = error["event"].as_str().unwrap_or_else(|| panic!("{what}: no tracking id: {raw}"));
        // Records of refusals are on their way for up to 10 ms.
        let entry = eventually(&format!("{what}: {event} is in the record"), || {
            let entries = self.home.json(&["audit", "list", "--event", event], "");
            entries.as_array().filter(|entries| !entries.is_empty()).cloned()
        });
        assert_eq!(entry.len(), 1, "{what}: {entry:?}");
        assert_eq!(
            (&entry[0]["result"], &entry[0]["code"]),
            (&json!("refused"), &json!(code)),
            "{what}: {entry:?}"
        );
        assert!(
            entry[0]["reason"].as_str().is_some_and(|r| !r.is_empty()),
            "{what}: the record says why: {entry:?}"
        );
    }

    /// The plain request that works.
    fn plain(&self, token: &str) -> Vec<u8> {
        self.raw(&format!("GET BASE/v1/models HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"))
    }

    #[track_caller]
    fn works(&self, token: &str) {
        let reply = send_raw(self.addr(), &self.plain(token));
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
}

#[test]
fn whoever_is_not_a_known_agent_is_refused() {
    let scene = Scene::new();
    let no_token = scene.raw("GET BASE/v1/models HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n");
    scene.refused("no token", &no_token, 401, "unauthenticated");
    scene.refused("a wrong token", &scene.plain("wrong"), 401, "unauthenticated");
    scene.refused("an empty token", &scene.plain(""), 401, "unauthenticated");
    let token = &scene.token;
    let mut forged = token.clone().into_bytes();
    let middle = forged.len() / 2;
    forged[middle] = if forged[middle] == b'A' { b'B' } else { b'A' };
    scene.refused(
        "a changed token",
        &scene.plain(std::str::from_utf8(&forged).unwrap()),
        401,
        "unauthenticated",
    );
    scene.refused("a token cut short", &scene.plain(&token[..token.len() - 1]), 401, "unauthenticated");
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts.len(), 3, "a JWT has three parts");
    // {"alg":"none","typ":"JWT"}
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", parts[1]);
    scene.refused("a token with the algorithm none", &scene.plain(&none), 401, "unauthenticated");
    for slot in [
        format!(
            "GET BASE/v1/models HTTP/1.1\r\nHost: HOST\r\nCookie: token={token}\r\nConnection: close\r\n\r\n"
        ),
        format!("GET BASE/v1/models?token={token} HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n"),
        format!("GET BASE/v1/models HTTP/1.1\r\nHost: HOST\r\nX-Token: {token}\r\nConnection: close\r\n\r\n"),
    ] {
        scene.refused("a token in a place that is none", &scene.raw(&slot), 401, "unauthenticated");
    }
    let other = scene.home.json(&["agent", "add", "other"], "")["token"].as_str().unwrap().to_owned();
    let two = scene.raw(&format!(
        "GET BASE/v1/models HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer {token}\r\nx-api-key: {other}\r\nConnection: close\r\n\r\n"
    ));
    scene.refused("two different tokens", &two, 401, "unauthenticated");
    assert_eq!(scene.upstream.connections(), 0, "nothing was sent in all of this");
    scene.works(token);
}

#[test]
fn a_token_that_has_ended_is_refused() {
    let scene = Scene::new();
    let short = scene.home.json(&["agent", "renew", "local-agent", "--ttl", "1s"], "");
    let short = short["token"].as_str().unwrap().to_owned();
    scene.refused("a renewed agent's old token", &scene.plain(&scene.token), 401, "unauthenticated");
    eventually("the token of one second ends", || {
        (send_raw(scene.addr(), &scene.plain(&short)).status == 401).then_some(())
    });
    scene.refused("an expired token", &scene.plain(&short), 401, "unauthenticated");
    let renewed =
        scene.home.json(&["agent", "renew", "local-agent"], "")["token"].as_str().unwrap().to_owned();
    scene.works(&renewed);
    scene.home.json(&["agent", "revoke", "local-agent"], "");
    scene.refused("a revoked agent's token", &scene.plain(&renewed), 401, "unauthenticated");
    scene.home.json(&["agent", "remove", "local-agent"], "");
    scene.refused("a removed agent's token", &scene.plain(&renewed), 401, "unauthenticated");
    let again = scene.home.json(&["agent", "add", "local-agent"], "");
    assert!(again["token"].is_string(), "the name is free again");
    scene.refused(
        "the token of an agent of the same name that is gone",
        &scene.plain(&renewed),
        401,
        "unauthenticated",
    );
}

#[test]
fn an_agent_reaches_only_its_own_grants() {
    let scene = Scene::new();
    let other = scene.home.json(&["agent", "add", "other"], "")["token"].as_str().unwrap().to_owned();
    let foreign = scene.refused("another agent's grant", &scene.plain(&other), 403, "grant_missing");
    let unknown = scene.raw(
        "GET /g/aaaaaaaaaaaaaaaaaaaaaaaaaa/v1/models HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nConnection: close\r\n\r\n",
    );
    let unknown = scene.refused("a grant that is none", &unknown, 403, "grant_missing");
    assert_eq!(
        foreign.json()["error"]["message"],
        unknown.json()["error"]["message"],
        "the answer tells nobody which grants exist"
    );
    for path in ["/", "/v1/models", "/g", "/g/", "/g/x", "/favicon.ico", "/status", "/api/vault.status"] {
        let request = scene.raw(&format!(
            "GET {path} HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nConnection: close\r\n\r\n"
        ));
        scene.refused(path, &request, 403, "grant_missing");
    }
    let grant = scene.home.json(&["grant", "list"], "")[0]["grant"].as_str().unwrap().to_owned();
    scene.home.json(&["grant", "remove", &grant], "");
    scene.refused("a removed grant", &scene.plain(&scene.token), 403, "grant_missing");
}

#[test]
fn a_locked_vault_releases_nothing() {
    let scene = Scene::new();
    scene.works(&scene.token);
    scene.home.json(&["lock"], "");
    let before = scene.upstream.connections();
    let reply = send_raw(scene.addr(), &scene.plain(&scene.token));
    assert_eq!(
        (reply.status, reply.header("x-claviger-error")),
        (503, Some("vault_locked")),
        "{}",
        reply.text()
    );
    let event = reply.json()["error"]["event"].as_str().expect("a tracking id").to_owned();
    assert_eq!(scene.upstream.connections(), before, "the upstream was connected to");
    scene.home.json(&["unlock", "--password-stdin"], &format!("{}\n", scene.home.password));
    let entry = crate::journeys::entry(&scene.home, &event);
    assert_eq!(entry["code"], "vault_locked", "what was refused while locked is in the record: {entry}");
    scene.works(&scene.token);
    assert_eq!(scene.home.json(&["audit", "verify"], "")["ok"], true, "one chain");
}

#[test]
fn browsers_and_other_hosts_are_refused() {
    let scene = Scene::new();
    let port = scene.addr().port();
    for host in [
        "evil.com",
        "127.0.0.1.evil.com",
        "localhost.evil.com",
        "127.0.0.1:1",
        "127.0.0.1",
        "[::1",
        "",
        "a b",
        "user@127.0.0.1",
        "127.0.0.1/",
        "2130706433",
        "0.0.0.0",
    ] {
        for host in [host.to_owned(), format!("{host}:{port}")] {
            if host == format!("127.0.0.1:{port}") {
                continue;
            }
            let request = scene.raw(&format!(
                "GET BASE/v1/models HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer TOKEN\r\nConnection: close\r\n\r\n"
            ));
            scene.refused(&format!("Host: {host:?}"), &request, 400, "request_malformed");
        }
    }
    let no_host =
        scene.raw("GET BASE/v1/models HTTP/1.1\r\nAuthorization: Bearer TOKEN\r\nConnection: close\r\n\r\n");
    scene.refused("no Host", &no_host, 400, "request_malformed");
    for line in [
        "Origin: null",
        "Origin: https://evil.com",
        "Origin: http://127.0.0.1",
        "Origin: http://HOST",
        "Origin:",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Sec-Fetch-Site: same-origin",
    ] {
        let request = scene.raw(&format!(
            "GET BASE/v1/models HTTP/1.1\r\nHost: HOST\r\n{line}\r\nAuthorization: Bearer TOKEN\r\nConnection: close\r\n\r\n"
        ));
        scene.refused(line, &request, 403, "policy_denied");
    }
    let preflight = scene.raw(
        "OPTIONS BASE/v1/models HTTP/1.1\r\nHost: HOST\r\nOrigin: https://evil.com\r\nAccess-Control-Request-Method: POST\r\n\
         Access-Control-Request-Private-Network: true\r\nConnection: close\r\n\r\n",
    );
    scene.refused("a browser's preflight", &preflight, 403, "policy_denied");
    assert_eq!(scene.upstream.connections(), 0, "nothing was sent in all of this");
    for host in [format!("127.0.0.1:{port}"), format!("localhost:{port}")] {
        let request = scene.raw(&format!(
            "GET BASE/v1/models HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer TOKEN\r\nConnection: close\r\n\r\n"
        ));
        assert_eq!(send_raw(scene.addr(), &request).status, 200, "{host} is this machine");
    }
}

#[test]
fn a_head_that_two_readers_could_read_differently_is_refused() {
    let scene = Scene::new();
    let auth = "Authorization: Bearer TOKEN";
    let close = "Connection: close";
    let cases: Vec<(&str, String)> = vec![
        (
            "two Hosts, the same",
            format!("GET BASE/x HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n{auth}\r\n{close}\r\n\r\n"),
        ),
        (
            "two Hosts, different",
            format!("GET BASE/x HTTP/1.1\r\nHost: HOST\r\nHost: evil.com\r\n{auth}\r\n{close}\r\n\r\n"),
        ),
        (
            "CL and TE",
            format!(
                "POST BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
        ),
        (
            "TE and CL",
            format!(
                "POST BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
            ),
        ),
        (
            "two CL, different",
            format!(
                "POST BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"
            ),
        ),
        (
            "CL with a sign",
            format!("POST BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nContent-Length: +1\r\n\r\na"),
        ),
        (
            "CL in hex",
            format!("POST BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nContent-Length: 0x1\r\n\r\na"),
        ),
        (
            "CL negative",
            format!("POST BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nContent-Length: -1\r\n\r\na"),
        ),
        (
            "CL of 2^64+1",
            format!(
                "POST BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nContent-Length: 18446744073709551617\r\n\r\na"
            ),
        ),
        (
            "TE of gzip, chunked",
            format!(
                "POST BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
            ),
        ),
        (
            "TE twice",
            format!(
                "POST BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
        ),
        (
            "TE misspelt",
            format!(
                "POST BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"
            ),
        ),
        (
            "a space before the colon",
            format!("GET BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nX-A : b\r\n{close}\r\n\r\n"),
        ),
        (
            "a folded line",
            format!("GET BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nX-A: b\r\n c\r\n{close}\r\n\r\n"),
        ),
        ("a bare line feed", format!("GET BASE/x HTTP/1.1\r\nHost: HOST\n{auth}\r\n{close}\r\n\r\n")),
        (
            "a bare carriage return",
            format!("GET BASE/x HTTP/1.1\r\nHost: HOST\r\nX-A: b\rc\r\n{auth}\r\n{close}\r\n\r\n"),
        ),
        (
            "NUL in a value",
            format!("GET BASE/x HTTP/1.1\r\nHost: HOST\r\nX-A: b\0c\r\n{auth}\r\n{close}\r\n\r\n"),
        ),
        (
            "a name that is no token",
            format!("GET BASE/x HTTP/1.1\r\nHost: HOST\r\nX(A): b\r\n{auth}\r\n{close}\r\n\r\n"),
        ),
        (
            "an absolute target elsewhere",
            format!("GET http://evil.com/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\n{close}\r\n\r\n"),
        ),
        ("CONNECT", format!("CONNECT evil.com:443 HTTP/1.1\r\nHost: HOST\r\n{auth}\r\n{close}\r\n\r\n")),
        ("OPTIONS *", format!("OPTIONS * HTTP/1.1\r\nHost: HOST\r\n{auth}\r\n{close}\r\n\r\n")),
        (
            "two spaces in the request line",
            format!("GET  BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\n{close}\r\n\r\n"),
        ),
        ("HTTP/1.2", format!("GET BASE/x HTTP/1.2\r\nHost: HOST\r\n{auth}\r\n{close}\r\n\r\n")),
        ("HTTP/0.9", "GET BASE/x\r\n\r\n".to_owned()),
        ("HTTP/2 without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
    ];
    for (what, text) in &cases {
        scene.refused(what, &scene.raw(text), 400, "request_malformed");
    }
    assert_eq!(scene.upstream.connections(), 0, "nothing was sent in all of this");
    scene.works(&scene.token);
}

#[test]
fn a_path_that_is_not_canonical_is_refused() {
    let scene = Scene::new();
    for path in [
        "/../x",
        "/v1/../x",
        "/v1/./x",
        "/v1/..",
        "/v1/.",
        "/%2e%2e/x",
        "/%2E%2E/x",
        "/.%2e/x",
        "/%2e./x",
        "/v1\\x",
        "/v1%5cx",
        "/v1%5Cx",
        "/v1%2fx",
        "/v1%2Fx",
        "/..%2fx",
        "/v1//x",
        "/v1%00x",
        "/v1%0d%0aX",
        "/v1/%zz",
        "/v1/%",
        "/v1/%1",
        "/v1/größe",
        "/v1/..;/x",
        "/v1/%c0%ae%c0%ae/x",
    ] {
        let request = scene.raw(&format!(
            "GET BASE{path} HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nConnection: close\r\n\r\n"
        ));
        scene.refused(&format!("path {path}"), &request, 400, "request_malformed");
    }
    for query in ["?a=%0d%0a", "?a=\u{1}", "?a=ö"] {
        let request = scene.raw(&format!(
            "GET BASE/v1/models{query} HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nConnection: close\r\n\r\n"
        ));
        let reply = send_raw(scene.addr(), &request);
        let passed_unchanged = reply.status == 200
            && scene.upstream.requests().last().is_some_and(|seen| seen.target.ends_with(query));
        assert!(
            passed_unchanged || reply.header("x-claviger-error") == Some("request_malformed"),
            "{query:?} was neither refused nor passed on as it stands: {}",
            reply.text()
        );
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let scene = Scene::new();
    let long = "a".repeat(70 * 1024);
    let auth = "Authorization: Bearer TOKEN";
    for (what, text) in [
        (
            "a header of 70 KiB",
            format!(
                "GET BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nX-A: {long}\r\nConnection: close\r\n\r\n"
            ),
        ),
        (
            "a target of 70 KiB",
            format!("GET BASE/{long} HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nConnection: close\r\n\r\n"),
        ),
        (
            "a thousand headers",
            format!("GET BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\n{}\r\n", "X-A: b\r\n".repeat(1000)),
        ),
    ] {
        scene.refused(what, &scene.raw(&text), 431, "too_large");
    }
    let huge = scene.raw(&format!(
        "POST BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nContent-Length: 99999999999999\r\n\r\n"
    ));
    scene.refused("a body of 100 TB, announced", &huge, 413, "too_large");
    assert_eq!(scene.upstream.connections(), 0, "nothing was sent in all of this");
}

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
    scene.refused("a method in lower case", &request("get", "/v1/models"), 403, "policy_denied");
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
fn a_paused_agent_is_refused_until_it_is_resumed() {
    let scene = Scene::new();
    for (pause, resume) in [
        (&["agent", "pause", "local-agent"][..], &["agent", "resume", "local-agent"][..]),
        (&["agent", "pause", "--all"], &["agent", "resume", "--all"]),
    ] {
        scene.home.json(pause, "");
        let before = scene.upstream.connections();
        let reply = send_raw(scene.addr(), &scene.plain(&scene.token));
        assert!(matches!(reply.status, 401 | 403), "{}", reply.text());
        assert!(reply.json()["error"]["event"].is_string(), "{}", reply.text());
        assert_eq!(scene.upstream.connections(), before, "the upstream was connected to");
        scene.home.json(resume, "");
        scene.works(&scene.token);
    }
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
fn the_second_request_on_a_connection_stands_for_itself() {
    let scene = Scene::new();
    let mut socket = TcpStream::connect(scene.addr()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let first = scene.raw("GET BASE/v1/models HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\n\r\n");
    let second = scene.raw("GET BASE/v1/models HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n");
    socket.write_all(&[first, second].concat()).unwrap();
    let mut answers = Vec::new();
    let _ = socket.read_to_end(&mut answers);
    let text = String::from_utf8_lossy(&answers).into_owned();
    assert!(text.starts_with("HTTP/1.1 200"), "the first works: {text}");
    assert!(text.contains("HTTP/1.1 401"), "its identity is not inherited by the second: {text}");
    assert_eq!(scene.upstream.requests().len(), 1, "one request was sent");
}

#[test]
fn smuggled_requests_never_reach_the_upstream() {
    let scene = Scene::new();
    // The second head stands in the first one's body.
    let inner =
        scene.raw("GET BASE/v1/smuggled HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\n\r\n");
    let outer = scene.raw(&format!(
        "POST BASE/v1/echo HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        inner.len()
    ));
    let reply = send_raw(scene.addr(), &[outer, inner].concat());
    assert_eq!(reply.status, 200, "a body is a body: {}", reply.text());
    let targets: Vec<String> = scene.upstream.requests().iter().map(|seen| seen.target.clone()).collect();
    assert_eq!(targets, ["/v1/echo"], "and nothing but a body");
}

#[test]
fn headers_that_steer_and_every_token_slot_are_stripped() {
    let scene = Scene::new();
    let request = scene.raw(
        "GET BASE/v1/models?key=TOKEN&a=1 HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nx-api-key: TOKEN\r\n\
         x-goog-api-key: TOKEN\r\nProxy-Authorization: Bearer TOKEN\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n\
         X-HTTP-Method-Override: DELETE\r\nX-Original-URL: /admin\r\nX-Rewrite-URL: /admin\r\nConnection: close, X-Hop\r\n\
         X-Hop: 1\r\nTE: trailers\r\nX-Kept: yes\r\n\r\n",
    );
    let reply = send_raw(scene.addr(), &request);
    assert_eq!(reply.status, 200, "{}", reply.text());
    scene.upstream.assert_key_once_and_never(KEY, &[&scene.token]);
    let seen = &scene.upstream.requests()[0];
    assert_eq!(seen.target, "/v1/models?a=1", "the token's place in the query is gone, the rest stays");
    assert_eq!(seen.header("x-kept").as_deref(), Some("yes"), "what steers nothing stays");
    for gone in [
        "x-api-key",
        "x-goog-api-key",
        "proxy-authorization",
        "x-forwarded-for",
        "forwarded",
        "x-http-method-override",
        "x-original-url",
        "x-rewrite-url",
        "x-hop",
        "te",
    ] {
        assert_eq!(seen.header(gone), None, "{gone} reached the upstream");
    }
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
