//! The agent's token is taken wherever an SDK puts its key, and the credential goes where its service wants it.

use base64::Engine as _;
use claviger_testkit::{FakeProvider, Home, eventually, send_raw};

use super::{BIN, Base, KEY};

#[test]
fn the_token_is_taken_in_every_place_where_an_sdk_puts_its_key() {
    let upstream = FakeProvider::plain();
    upstream.accept_only(&[KEY]);
    let home = Home::with_vault(BIN);
    let engine = home.serve();
    let (token, base_url) = home.wire("local", &upstream.url(), "bearer", "", KEY);
    let base = Base::of(&base_url);
    let encode = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    let slots = [
        ("Bearer", String::new(), format!("Authorization: Bearer {token}\r\n")),
        ("token", String::new(), format!("Authorization: token {token}\r\n")),
        ("x-api-key", String::new(), format!("x-api-key: {token}\r\n")),
        ("x-goog-api-key", String::new(), format!("X-Goog-Api-Key: {token}\r\n")),
        ("api-key", String::new(), format!("api-key: {token}\r\n")),
        (
            "Basic password",
            String::new(),
            format!("Authorization: Basic {}\r\n", encode(format!("user:{token}"))),
        ),
        ("key= alone", format!("?key={token}"), String::new()),
        ("key= among others", format!("?a=1&key={token}&b=%20c"), String::new()),
        (
            "the same in two places",
            String::new(),
            format!("Authorization: Bearer {token}\r\nx-api-key: {token}\r\n"),
        ),
    ];
    for (what, query, header) in &slots {
        let request = format!(
            "GET {}/v1/models{query} HTTP/1.1\r\nHost: {}\r\n{header}Connection: close\r\n\r\n",
            base.path, base.host
        );
        let reply = send_raw(engine.proxy, request.as_bytes());
        assert_eq!(reply.status, 200, "{what}: {}", reply.text());
    }
    upstream.assert_key_once_and_never(KEY, &[&token]);
    let targets: Vec<String> = upstream.requests().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets.len(), slots.len(), "one request each");
    assert!(
        targets.contains(&"/v1/models?a=1&b=%20c".to_owned()),
        "the rest of the query is untouched: {targets:?}"
    );
}

#[test]
fn gemini_is_called_by_its_own_header_and_its_tokens_are_counted() {
    const GEMINI_KEY: &str = "AIzaSyTest-0123456789abcdefghijklmnopqr";
    let upstream = FakeProvider::plain();
    upstream.accept_only(&[GEMINI_KEY]);
    let home = Home::with_vault(BIN);
    let engine = home.serve();
    let (token, base_url) = home.wire("goog", &upstream.url(), "header:x-goog-api-key", "gemini", GEMINI_KEY);
    let base = Base::of(&base_url);
    let body = r#"{"contents":[{"parts":[{"text":"ping"}]}]}"#;
    for call in ["generateContent", "streamGenerateContent?alt=sse"] {
        let request = format!(
            "POST {}/v1beta/models/gemini-test:{call} HTTP/1.1\r\nHost: {}\r\nx-goog-api-key: {token}\r\nContent-Type: \
             application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            base.path,
            base.host,
            body.len()
        );
        assert_eq!(send_raw(engine.proxy, request.as_bytes()).status, 200, "{call}");
    }
    upstream.assert_key_once_and_never(GEMINI_KEY, &[&token]);
    let billed = upstream.billed();
    eventually("usage shows what was billed, thoughts and cached tokens too", || {
        let used = super::usage(&home);
        let same = used["tokens_in"] == billed.input
            && used["tokens_out"] == billed.output
            && used["tokens_cached"] == billed.cached;
        same.then_some(())
    });
    assert_eq!(
        home.json(&["usage", "--by", "model"], "")[0]["key"],
        "gemini-test",
        "under the model's own name"
    );
}
