//! Every way in which a well-formed request must be refused: the contract's code, one refusal on record, and no
//! connection to the upstream.

use claviger_model::{AuthScheme, CredentialState, RefusalCode, Timestamp};
use claviger_proxy::ports::MaterialUnavailable;
use claviger_secret::Material;

use crate::support::*;

const AUTH: &str = "authorization: Bearer @T\r\n";

async fn is_refused(
    what: &str,
    wish: Wish,
    text: &str,
    status: u16,
    code: RefusalCode,
) -> claviger_model::Refusal {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig = Rig::new(&upstream, wish).await;
    let reply = rig.ask(text).await;
    assert_eq!((reply.status, reply.code().as_str()), (status, code.word()), "{what}: {reply:?}");
    assert!(!reply.headers.iter().any(|(n, _)| n.starts_with("access-control")), "{what}: CORS header");
    assert_eq!(upstream.connections(), 0, "{what}: the upstream was dialled");
    let refusal = rig.doors.only_refusal(what, code);
    assert!(!refusal.reason.is_empty(), "{what}: no reason on record");
    assert!(reply.text().contains(&refusal.event.to_string()), "{what}: the tracking id leads to the record");
    refusal
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: @H\r\n{headers}\r\n")
}

#[tokio::test]
async fn a_request_without_exactly_one_good_token_is_refused() {
    let cases = [
        ("no token", ""),
        ("an empty token", "authorization: Bearer \r\n"),
        ("a wrong token", "authorization: Bearer wrong\r\n"),
        ("an expired token", "authorization: Bearer tok-expired-0123456789abcdef\r\n"),
        ("a revoked token", "x-api-key: tok-revoked-0123456789abcdef\r\n"),
        ("a token of an agent that is gone", "x-api-key: tok-of-nobody-0123456789abcdef\r\n"),
        (
            "two different tokens",
            "authorization: Bearer @T\r\nx-api-key: tok-agent-two-0123456789abcdef0123456789abcdef\r\n",
        ),
        ("the same slot twice, differing", "x-api-key: @T\r\nx-api-key: other\r\n"),
        ("a token in a cookie", "cookie: token=@T\r\n"),
        ("a token in Proxy-Authorization alone", "proxy-authorization: Bearer @T\r\n"),
        ("another scheme", "authorization: AWS4-HMAC-SHA256 Credential=@T/x\r\n"),
        ("broken base64", "authorization: Basic !!!\r\n"),
        ("a token with a space in it", "authorization: Bearer @T x\r\n"),
        ("a truncated token", "authorization: Bearer tok-agent-one-0123456789abcdef\r\n"),
    ];
    for (what, headers) in cases {
        let text = get("@B/v1/x", headers);
        is_refused(what, Wish::default(), &text, 401, RefusalCode::Unauthenticated).await;
    }
    let text = get("@B/x?key=tok-agent-two-0123456789abcdef0123456789abcdef", AUTH);
    is_refused("another token in the query", Wish::default(), &text, 401, RefusalCode::Unauthenticated).await;
    let text = get("@B/x?key=@T&key=nonsense", "");
    is_refused("two values in the query", Wish::default(), &text, 401, RefusalCode::Unauthenticated).await;
}

#[tokio::test]
async fn data_that_happens_to_be_called_key_is_no_token() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    let reply = rig.request("GET", "/x?key=some-data&key=more", AUTH, "").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(upstream.only().target(), "/x?key=some-data&key=more", "left alone");
}

#[tokio::test]
async fn the_reason_goes_to_the_record_and_not_to_the_agent() {
    let text = get("@B/x", "authorization: Bearer tok-expired-0123456789abcdef\r\n");
    let refusal = is_refused("expired", Wish::default(), &text, 401, RefusalCode::Unauthenticated).await;
    assert_eq!((refusal.reason.as_str(), refusal.agent), ("expired", Some(AGENT)), "whose and why");
    assert_eq!((refusal.method.as_str(), refusal.path.as_str()), ("GET", "/x"), "what");
}

#[tokio::test]
async fn an_unknown_path_and_another_agents_grant_look_the_same() {
    let other = format!("/g/{OTHER_BASE}/x");
    let mut answers = Vec::new();
    for (what, path) in [
        ("another agent's grant", other.as_str()),
        ("no such grant", "/g/aaaaaaaaaaaaaaaaaaaaaaaaaa/x"),
        ("no base at all", "/v1/chat"),
        ("the root", "/"),
        ("a short base", "/g/abc/x"),
        ("a longer base", "@Bx/x"),
    ] {
        let upstream = Upstream::new(Scene::json("{}")).await;
        let rig = Rig::new(&upstream, Wish::default()).await;
        let mut reply = rig.ask(&get(path, AUTH)).await;
        assert_eq!((reply.status, reply.code().as_str()), (403, "grant_missing"), "{what}");
        assert_eq!(upstream.connections(), 0, "{what}: dialled");
        rig.doors.only_refusal(what, RefusalCode::GrantMissing);
        reply.headers.retain(|(name, _)| name != "date");
        answers.push((reply.headers, reply.body.len()));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "the answers differ: {answers:?}");
}

#[tokio::test]
async fn a_request_that_is_not_from_a_program_on_this_machine_is_refused() {
    for host in [
        "evil.com",
        "127.0.0.1.evil.com:1",
        "localhost.evil.com",
        "127.0.0.1:1",
        "127.0.0.1",
        "[::1",
        "0.0.0.0:80",
        "a@127.0.0.1",
        "127.0.0.1:",
        "localhost",
        "127.0.0.1:1, 127.0.0.1:2",
        "2130706433",
        "",
    ] {
        let text = format!("GET @B/x HTTP/1.1\r\nhost: {host}\r\n{AUTH}\r\n");
        is_refused(&format!("Host {host:?}"), Wish::default(), &text, 400, RefusalCode::RequestMalformed)
            .await;
    }
    for header in [
        "origin: null",
        "origin: http://127.0.0.1:1",
        "Origin: https://evil.com",
        "origin:",
        "sec-fetch-site: cross-site",
        "sec-fetch-site: same-site",
        "sec-fetch-site: same-origin",
        "Sec-Fetch-Site: none\r\nsec-fetch-site: x",
        "origin: x\r\naccess-control-request-method: POST\r\naccess-control-request-private-network: true",
    ] {
        let text = get("@B/x", &format!("{AUTH}{header}\r\n"));
        is_refused(header, Wish::default(), &text, 403, RefusalCode::PolicyDenied).await;
        let text = text.replace("GET", "OPTIONS");
        is_refused(header, Wish::default(), &text, 403, RefusalCode::PolicyDenied).await;
    }
}

#[tokio::test]
async fn every_spelling_of_our_own_address_is_taken() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    for host in ["127.0.0.1", "localhost", "LocalHost", "[::1]"] {
        let port = rig.address.port();
        let reply = rig.ask(&format!("GET @B/x HTTP/1.1\r\nhost: {host}:{port}\r\n{AUTH}\r\n")).await;
        assert_eq!(reply.status, 200, "{host}: {reply:?}");
    }
}

#[tokio::test]
async fn a_locked_vault_refuses_everything() {
    let locked = || Wish { is_locked: true, ..Wish::default() };
    for headers in [AUTH, "", "x-api-key: wrong\r\n"] {
        is_refused("locked", locked(), &get("@B/x", headers), 503, RefusalCode::VaultLocked).await;
    }
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    rig.doors.material_is(MaterialUnavailable::Locked);
    let reply = rig.request("GET", "/x", AUTH, "").await;
    assert_eq!((reply.status, reply.code().as_str()), (503, "vault_locked"), "locked in between");
    assert_eq!(upstream.connections(), 0, "dialled");
    rig.doors.only_refusal("locked in between", RefusalCode::VaultLocked);
}

#[tokio::test]
async fn the_grants_rules_are_kept() {
    let x = get("@B/v1/x", AUTH);
    let post = "POST @B/v1/x HTTP/1.1\r\nhost: @H\r\nx-api-key: @T\r\ncontent-length: 2\r\n\r\nhi";
    let denied = RefusalCode::PolicyDenied;
    let refusal = is_refused(
        "method",
        Wish { grant: |g| g.methods = vec!["GET".into()], ..Wish::default() },
        post,
        403,
        denied,
    )
    .await;
    assert_eq!(refusal.reason, "method POST is not among GET", "the rule is named");
    assert_eq!(refusal.grant, Some(GRANT), "the grant is named");
    is_refused(
        "path",
        Wish { grant: |g| g.paths = vec!["/v2/**".into()], ..Wish::default() },
        &x,
        403,
        denied,
    )
    .await;
    is_refused("paused", Wish { paused: true, ..Wish::default() }, &x, 403, denied).await;
    let ended = Wish { grant: |g| g.expires_at = Some(Timestamp(NOW.0)), ..Wish::default() };
    is_refused("grant expired", ended, &x, 403, RefusalCode::GrantMissing).await;
    let expired = Wish { credential: |c| c.expires_at = Some(Timestamp(NOW.0 - 1)), ..Wish::default() };
    is_refused("credential expired", expired, &x, 502, RefusalCode::CredentialExpired).await;
    for state in [CredentialState::Frozen, CredentialState::Revoked] {
        let credential: fn(&mut claviger_model::Credential) = match state {
            CredentialState::Frozen => |c| c.state = CredentialState::Frozen,
            _ => |c| c.state = CredentialState::Revoked,
        };
        let wish = Wish { credential, ..Wish::default() };
        is_refused(&format!("{state:?}"), wish, &x, 403, RefusalCode::CredentialFrozen).await;
    }
}

#[tokio::test]
async fn the_rate_is_kept_and_says_when_to_come_back() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig =
        Rig::new(&upstream, Wish { grant: |g| g.rate = Some("3/min".parse().unwrap()), ..Wish::default() })
            .await;
    for i in 0..3 {
        assert_eq!(rig.request("GET", "/x", AUTH, "").await.status, 200, "request {i}");
    }
    let reply = rig.request("GET", "/x", AUTH, "").await;
    assert_eq!((reply.status, reply.code().as_str()), (429, "rate_limited"), "{reply:?}");
    let wait: i64 = reply.header("retry-after").expect("says when to come back").parse().unwrap();
    assert!((1..=62).contains(&wait), "{wait} s");
    assert_eq!(reply.header("x-should-retry"), None, "waiting helps");
    assert_eq!(upstream.seen().len(), 3, "requests at the upstream");
}

#[tokio::test]
async fn a_path_that_two_readers_could_understand_differently_is_refused() {
    for path in [
        "/../x",
        "/a/../../x",
        "/a/..",
        "/./a",
        "/%2e%2e/x",
        "/a/%2E./x",
        "/.%2e/x",
        "/a/..;/x",
        "/a/..%3b/x",
        "/a%5c..%5cx",
        "/a/..%2fx",
        "/a%2fb",
        "//x",
        "/a//b",
        "/a%00",
        "/a%0d%0aX:y",
        "/a%252e%252e/x",
        "/a%252fx",
        "/a%c0%af",
        "/a%",
        "/a%zz",
        "/%2e%2e%2f%2e%2e%2fx",
        "/a/%2e",
    ] {
        let text = get(&format!("@B{path}"), AUTH);
        is_refused(path, Wish::default(), &text, 400, RefusalCode::RequestMalformed).await;
    }
    let slash = Wish { encoded_slash: true, ..Wish::default() };
    is_refused("dots", slash, &get("@B/a%2f..%2fb", AUTH), 400, RefusalCode::RequestMalformed).await;
}

#[tokio::test]
async fn the_token_anywhere_else_on_the_request_is_refused() {
    for (what, path, headers) in [
        ("another header", "@B/x", "authorization: Bearer @T\r\nx-custom: @T\r\n"),
        ("part of a header", "@B/x", "authorization: Bearer @T\r\nreferer: http://x/?t=@T&y\r\n"),
        ("a cookie", "@B/x", "authorization: Bearer @T\r\ncookie: a=1; t=@T\r\n"),
        ("the query", "@B/x?token=@T", "authorization: Bearer @T\r\n"),
        ("the path", "@B/x/@T", "authorization: Bearer @T\r\n"),
    ] {
        let text = get(path, headers);
        let refusal = is_refused(what, Wish::default(), &text, 400, RefusalCode::RequestMalformed).await;
        assert!(!refusal.path.contains("tok-"), "{what}: the token is on record: {refusal:?}");
    }
}

#[tokio::test]
async fn material_that_would_split_a_header_is_never_placed() {
    let materials: [fn() -> Material; 7] = [
        || Material::key("sk\r\nx-evil: 1".to_owned()),
        || Material::key("sk\n".to_owned()),
        || Material::key("sk\0".to_owned()),
        || Material::key("sk key".to_owned()),
        || Material::key("ské".to_owned()),
        || Material::key(String::new()),
        || Material::basic("user".to_owned(), "pass".to_owned()),
    ];
    for material in materials {
        for auth in [AuthScheme::Bearer, AuthScheme::Header("x-key".into()), AuthScheme::Query("k".into())] {
            let wish = Wish { auth, material, ..Wish::default() };
            is_refused("material", wish, &get("@B/x", AUTH), 403, RefusalCode::CredentialFrozen).await;
        }
    }
    let wish = Wish {
        auth: AuthScheme::Basic,
        material: || Material::basic("a:b".to_owned(), "c".to_owned()),
        ..Wish::default()
    };
    is_refused("a colon in the user name", wish, &get("@B/x", AUTH), 403, RefusalCode::CredentialFrozen)
        .await;
}

#[tokio::test]
async fn a_web_socket_is_declined_at_once_so_that_the_agent_falls_back() {
    for upgrade in ["websocket", "WebSocket", "h2c, websocket", "websocket/13"] {
        let text = get("@B/v1/responses", &format!("{AUTH}connection: upgrade\r\nupgrade: {upgrade}\r\n"));
        is_refused(upgrade, Wish::default(), &text, 426, RefusalCode::RequestMalformed).await;
    }
}

#[tokio::test]
async fn nothing_is_sent_when_the_record_fails() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    rig.doors.record_fails();
    let reply = rig.request("GET", "/x", AUTH, "").await;
    assert_eq!((reply.status, reply.code().as_str()), (503, "audit_unavailable"), "{reply:?}");
    assert_eq!(upstream.connections(), 0, "dialled");
    rig.doors.only_refusal("record fails", RefusalCode::AuditUnavailable);
}

#[tokio::test]
async fn nothing_is_sent_before_a_strict_record_is_on_the_disk() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    let (done, later) = tokio::sync::oneshot::channel();
    rig.doors.record_later(later);
    let mut agent = rig.agent().await;
    agent.send(rig.fill(&get("@B/x", AUTH)).as_bytes()).await;
    // Another request goes all the way meanwhile, so the first one had its chance.
    assert_eq!(rig.request("GET", "/y", AUTH, "").await.status, 200, "another request");
    assert_eq!(upstream.seen().len(), 1, "the first was sent before its record was safe");
    done.send(true).unwrap();
    assert_eq!(agent.reply().await.status, 200, "once it is on the disk");
    for dropped in [false, true] {
        let (done, later) = tokio::sync::oneshot::channel();
        rig.doors.record_later(later);
        let mut agent = rig.agent().await;
        agent.send(rig.fill(&get("@B/z", AUTH)).as_bytes()).await;
        if dropped {
            drop(done)
        } else {
            done.send(false).unwrap()
        }
        let reply = agent.reply().await;
        assert_eq!((reply.status, reply.code().as_str()), (503, "audit_unavailable"), "{reply:?}");
    }
    assert!(upstream.seen().iter().all(|r| !r.target().contains('z')), "an unrecorded request was sent");
}

#[tokio::test]
async fn a_panic_leaves_one_refusal_and_nothing_sent() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    rig.doors.material_panics();
    let reply = rig.request("GET", "/x", AUTH, "").await;
    assert_eq!(reply.status, 0, "the connection closes without an answer: {reply:?}");
    assert_eq!(upstream.connections(), 0, "dialled");
    eventually("the refusal", || rig.doors.book().refusals.len() == 1).await;
    rig.doors.only_refusal("panic", RefusalCode::PolicyDenied);
}

#[tokio::test]
async fn an_upstream_that_leads_to_a_forbidden_address_is_not_dialled() {
    let cases: [(&str, Option<u16>, bool, bool); 12] = [
        ("127.0.0.1", None, false, true),
        ("127.0.0.1", None, false, false),
        ("localhost", None, false, true),
        ("2130706433", None, false, true),
        ("0x7f000001", None, false, true),
        ("127.1", None, false, true),
        ("[::1]", None, false, true),
        ("[::ffff:127.0.0.1]", None, false, true),
        ("169.254.169.254", Some(80), true, false),
        ("[fd00:ec2::254]", Some(80), true, false),
        ("0.0.0.0", None, true, false),
        ("8.8.8.8", Some(80), true, false),
    ];
    for (host, port, allow_private, https) in cases {
        let wish = Wish { host: Some(host), port, allow_private, https, ..Wish::default() };
        let upstream = Upstream::new(Scene::json("{}")).await;
        let rig = Rig::new(&upstream, wish).await;
        let reply = rig.request("GET", "/x", AUTH, "").await;
        let code = reply.code();
        assert!(reply.status == 502 && code == "upstream_refused", "{host}: {} {code}", reply.status);
        assert_eq!(upstream.connections(), 0, "{host}: dialled");
        let book = rig.doors.take();
        assert_eq!(
            (book.releases.len(), book.completions.len(), book.refusals.len()),
            (1, 1, 0),
            "{host}: {book:?}"
        );
    }
}

#[tokio::test]
async fn the_proxy_never_dials_itself() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let first = Rig::new(&upstream, Wish::default()).await;
    // A service whose port is this proxy's own: the listener's port is known only after it listens, so a second
    // proxy on a fixed free port is made.
    let port = {
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        free.local_addr().unwrap().port()
    };
    let rig = Rig::new(&upstream, Wish { port: Some(port), ..Wish::default() }).await;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let (proxy, stop) = (rig.proxy.clone(), rig.stop.clone());
    tokio::spawn(async move { proxy.serve(listener, stop).await });
    eventually("the second listener", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
    let reply = rig.request("GET", "/x", AUTH, "").await;
    assert_eq!((reply.status, reply.code().as_str()), (502, "upstream_refused"), "{reply:?}");
    drop(first);
}
