//! A remote MCP server behind a grant, and what agents ask of Claviger itself.

use std::sync::Arc;

use bytes::Bytes;
use claviger_model::{AgentId, AuthScheme, Outcome, Protocol, RefusalCode};
use claviger_proxy::ports::{OwnAnswer, OwnService};
use http::{Request, Response};
use parking_lot::Mutex;

use crate::support::*;

fn wish() -> Wish {
    Wish { protocol: Protocol::Mcp, prefix: "/deep/mcp", ..Wish::default() }
}

fn says(status: &str, headers: &str, body: &str) -> Scene {
    let length = body.len();
    Scene::Say(format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes())
}

#[tokio::test]
async fn every_spelling_of_the_endpoint_leads_to_the_one_endpoint() {
    for (asked, target) in [
        ("", "/deep/mcp"),
        ("/mcp", "/deep/mcp"),
        ("/", "/deep/mcp/"),
        ("/mcp/", "/deep/mcp/"),
        ("/mcp?a=1", "/deep/mcp?a=1"),
    ] {
        let upstream = Upstream::new(Scene::json("{}")).await;
        let rig = Rig::new(&upstream, wish()).await;
        let reply = rig.request("POST", asked, "authorization: Bearer @T\r\n", "{}").await;
        assert_eq!(reply.status, 200, "{asked:?}: {reply:?}");
        let seen = upstream.only();
        assert_eq!(seen.target(), target, "{asked:?}");
        assert_eq!(seen.headers("authorization"), [format!("Bearer {KEY}")], "{asked:?}");
    }
}

#[tokio::test]
async fn nothing_but_the_endpoint_is_reached() {
    for (method, path) in [
        ("POST", "/mcp/admin"),
        ("POST", "/other"),
        ("GET", "/.well-known/oauth-protected-resource"),
        ("GET", "/deep/mcp"),
        ("PUT", "/mcp"),
        ("PATCH", "/mcp"),
        ("OPTIONS", "/mcp"),
    ] {
        let upstream = Upstream::new(Scene::json("{}")).await;
        let rig = Rig::new(&upstream, wish()).await;
        let reply = rig.request(method, path, "authorization: Bearer @T\r\n", "").await;
        let what = format!("{method} {path}");
        assert_eq!((reply.status, reply.code().as_str()), (403, "policy_denied"), "{what}: {reply:?}");
        assert_eq!(upstream.connections(), 0, "{what}: the upstream was dialled");
        rig.doors.only_refusal(&what, RefusalCode::PolicyDenied);
    }
}

#[tokio::test]
async fn session_version_and_resumption_pass_both_ways() {
    let scene = says("200 OK", "mcp-session-id: s-1\r\nmcp-protocol-version: 2025-11-25\r\n", "{}");
    let upstream = Upstream::new(scene).await;
    let rig = Rig::new(&upstream, wish()).await;
    for method in ["POST", "GET", "DELETE"] {
        let headers = "authorization: Bearer @T\r\nmcp-session-id: s-1\r\nmcp-protocol-version: 2025-11-25\r\n\
                       last-event-id: e/7\r\naccept: application/json, text/event-stream\r\n";
        let reply = rig.request(method, "/mcp", headers, if method == "POST" { "{}" } else { "" }).await;
        assert_eq!(reply.header("mcp-session-id"), Some("s-1"), "{method}: down");
        assert_eq!(reply.header("mcp-protocol-version"), Some("2025-11-25"), "{method}: down");
        let seen = upstream.seen().pop().unwrap();
        for (name, value) in [
            ("mcp-session-id", "s-1"),
            ("mcp-protocol-version", "2025-11-25"),
            ("last-event-id", "e/7"),
            ("accept", "application/json, text/event-stream"),
        ] {
            assert_eq!(seen.headers(name), [value], "{method}: up");
        }
        assert!(!seen.head.contains("tok-agent"), "{method}: the agent's token went up: {}", seen.head);
    }
}

#[tokio::test]
async fn events_pass_one_by_one() {
    let (events, scene) = Scene::events();
    let upstream = Upstream::new(scene).await;
    let rig = Rig::new(&upstream, wish()).await;
    let mut agent = rig.agent().await;
    let text =
        "GET @B/mcp HTTP/1.1\r\nhost: @H\r\nauthorization: Bearer @T\r\naccept: text/event-stream\r\n\r\n";
    agent.send(rig.fill(text).as_bytes()).await;
    assert_eq!(agent.head().await.status, 200, "the head comes before any event");
    for id in 0..5 {
        let event = format!("id: {id}\ndata: {{}}\n\n").into_bytes();
        events.send(event.clone()).unwrap();
        assert_eq!(agent.chunk().await, Some(event), "event {id} came while the stream is open");
    }
    drop(events);
}

#[tokio::test]
async fn no_challenge_reaches_the_agent() {
    let challenge = "www-authenticate: Bearer resource_metadata=\"https://as.example/x\"\r\n";
    let more = "www-authenticate: Bearer error=\"insufficient_scope\", scope=\"files:write\", \
                resource_metadata=\"https://as.example/x\"\r\n";
    let two = "www-authenticate: Basic realm=\"x\"\r\nwww-authenticate: bearer ERROR=insufficient_scope\r\n";
    for (status, header, answered, code) in [
        ("401 Unauthorized", challenge, 502, "credential_expired"),
        ("401 Unauthorized", "", 502, "credential_expired"),
        ("401 Unauthorized", more, 403, "insufficient_scope"),
        ("403 Forbidden", more, 403, "insufficient_scope"),
        ("403 Forbidden", two, 403, "insufficient_scope"),
        ("403 Forbidden", challenge, 403, ""),
        ("200 OK", challenge, 200, ""),
    ] {
        let upstream = Upstream::new(says(status, header, "upstream's words")).await;
        let rig = Rig::new(&upstream, wish()).await;
        let reply = rig.request("POST", "/mcp", "authorization: Bearer @T\r\n", "{}").await;
        let what = format!("{status} {header}");
        assert_eq!(reply.status, answered, "{what}: {reply:?}");
        assert_eq!(reply.header("www-authenticate"), None, "{what}: a challenge came through");
        if code.is_empty() {
            assert_eq!(reply.text(), "upstream's words", "{what}: the answer passes");
        } else {
            assert_eq!(reply.code(), code, "{what}");
            assert!(!reply.text().contains("upstream"), "{what}: the upstream's words came through");
        }
        let done = rig.doors.completions(1).await.remove(0);
        let book = rig.doors.take();
        if code == "insufficient_scope" {
            assert_eq!(done.outcome, Outcome::Failed(RefusalCode::InsufficientScope), "{what}");
            let (key, said) = &book.shortfalls[0];
            assert_eq!((key.agent, key.credential), (AGENT, CREDENTIAL), "{what}: whose");
            assert!(said.to_lowercase().contains("insufficient_scope"), "{what}: told {said}");
        } else {
            assert_eq!(book.shortfalls, [], "{what}: nothing lacks");
        }
    }
}

#[tokio::test]
async fn other_services_keep_their_challenges() {
    let scene = says("401 Unauthorized", "www-authenticate: Basic realm=\"git\"\r\n", "");
    let upstream = Upstream::new(scene).await;
    let rig = Rig::new(&upstream, Wish { auth: AuthScheme::Basic, ..wish_http() }).await;
    let reply = rig.request("GET", "/x", "authorization: Bearer @T\r\n", "").await;
    assert_eq!(
        (reply.status, reply.header("www-authenticate")),
        (401, Some("Basic realm=\"git\"")),
        "as it came"
    );
}

fn wish_http() -> Wish {
    let material = || claviger_secret::Material::basic("user".to_owned(), KEY.to_owned());
    Wish { material, ..Wish::default() }
}

/// Remembers who asked what.
#[derive(Default)]
struct Own(Mutex<Vec<(AgentId, String, String)>>);

impl OwnService for Own {
    fn answer(&self, agent: AgentId, request: Request<Bytes>) -> OwnAnswer {
        let head = format!("{} {} {:?}", request.method(), request.uri(), request.headers());
        self.0.lock().push((agent, head, String::from_utf8_lossy(request.body()).into_owned()));
        Box::pin(async { Response::new(Bytes::from_static(b"own")) })
    }
}

async fn own_rig(wish: Wish) -> (Upstream, Rig, Arc<Own>) {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig = Rig::new(&upstream, wish).await;
    let own = Arc::new(Own::default());
    rig.proxy.answer_agents(Some(own.clone()));
    (upstream, rig, own)
}

fn post(path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: @H\r\n{headers}content-length: {length}\r\n\r\n{body}")
}

#[tokio::test]
async fn claviger_itself_is_asked_by_whom_the_token_names() {
    for (token, agent) in [(TOKEN, AGENT), (OTHER_TOKEN, OTHER_AGENT)] {
        let (upstream, rig, own) = own_rig(Wish::default()).await;
        let headers = format!("authorization: Bearer {token}\r\nx-agent: agt_somebody_else\r\n");
        let reply = rig.ask(&post("/mcp", &headers, "{\"q\":1}")).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, "own"), "{reply:?}");
        let asked = own.0.lock();
        let (who, head, body) = &asked[0];
        assert_eq!(*who, agent, "the token says who");
        assert!(!head.contains("tok-agent"), "the token was passed on: {head}");
        assert_eq!(body, "{\"q\":1}", "the question");
        assert_eq!(upstream.connections(), 0, "nothing goes upstream");
        let book = rig.doors.take();
        assert_eq!((book.releases.len(), book.refusals.len()), (0, 0), "nothing was released or refused");
    }
}

#[tokio::test]
async fn claviger_itself_is_not_asked_without_a_good_token_or_by_a_page() {
    for (headers, status, code) in [
        ("", 401, RefusalCode::Unauthenticated),
        ("authorization: Bearer nobody\r\n", 401, RefusalCode::Unauthenticated),
        ("authorization: Bearer tok-revoked-0123456789abcdef\r\n", 401, RefusalCode::Unauthenticated),
        ("authorization: Bearer @T\r\norigin: http://127.0.0.1\r\n", 403, RefusalCode::PolicyDenied),
        ("authorization: Bearer @T\r\nsec-fetch-site: same-origin\r\n", 403, RefusalCode::PolicyDenied),
    ] {
        let (_upstream, rig, own) = own_rig(Wish::default()).await;
        let reply = rig.ask(&post("/mcp", headers, "{}")).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code.word()), "{headers}: {reply:?}");
        assert!(own.0.lock().is_empty(), "{headers}: it was asked");
        rig.doors.only_refusal(headers, code);
    }
    let (_upstream, rig, own) = own_rig(Wish { is_locked: true, ..Wish::default() }).await;
    let reply = rig.ask(&post("/mcp", "authorization: Bearer @T\r\n", "{}")).await;
    assert_eq!((reply.status, reply.code().as_str()), (503, "vault_locked"), "{reply:?}");
    let text = post("/mcp", "authorization: Bearer @T\r\n", "{}").replace("@H", "evil.example");
    let reply = rig.ask(&text).await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "request_malformed"), "{reply:?}");
    assert!(own.0.lock().is_empty(), "it was asked");
}

#[tokio::test]
async fn a_question_to_claviger_is_bounded_and_needs_an_answerer() {
    let (_upstream, rig, own) = own_rig(Wish::default()).await;
    let body = "x".repeat(300 * 1024);
    let reply = rig.ask(&post("/mcp", "authorization: Bearer @T\r\n", &body)).await;
    assert_eq!((reply.status, reply.code().as_str()), (413, "too_large"), "{reply:?}");
    assert!(own.0.lock().is_empty(), "it was asked");
    rig.doors.only_refusal("a long question", RefusalCode::TooLarge);
    rig.proxy.answer_agents(None);
    let reply = rig.ask(&post("/mcp", "authorization: Bearer @T\r\n", "{}")).await;
    assert_eq!((reply.status, reply.code().as_str()), (403, "grant_missing"), "{reply:?}");
}
