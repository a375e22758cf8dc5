//! Who asks: tokens, agents, grants, a locked vault.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use claviger_testkit::{eventually, send_raw};

use super::Scene;
use crate::journeys::entry;

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
    let entry = entry(&scene.home, &event);
    assert_eq!(entry["code"], "vault_locked", "what was refused while locked is in the record: {entry}");
    scene.works(&scene.token);
    assert_eq!(scene.home.json(&["audit", "verify"], "")["ok"], true, "one chain");
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
