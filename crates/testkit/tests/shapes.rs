//! The fake upstream answers as the providers do: their own clients, asked straight, find nothing to complain about.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use claviger_testkit::clients::Client;
use claviger_testkit::{FakeProvider, send_raw};

const KEY: &str = "sk-test-0123456789abcdef";

fn straight(client: Client) {
    let upstream = FakeProvider::plain();
    upstream.accept_only(&[KEY]);
    let openai = format!("{}/v1", upstream.url());
    let calls = client.journey(&[
        ("OPENAI_BASE_URL", &openai),
        ("OPENAI_API_KEY", KEY),
        ("ANTHROPIC_BASE_URL", &upstream.url()),
        ("ANTHROPIC_API_KEY", KEY),
    ]);
    let sum = |field: &str| calls.iter().map(|c| c[field].as_u64().unwrap()).sum::<u64>();
    let billed = upstream.billed();
    assert_eq!(
        (sum("in"), sum("out"), sum("cached")),
        (billed.input, billed.output, billed.cached),
        "{calls:?}"
    );
    assert_eq!(calls.len(), upstream.requests().len(), "one request a call");
    upstream.assert_key_once_and_never(KEY, &["clv_some-other-token"]);
    let upload = calls.iter().find(|c| c["call"] == "upload").expect("the upload is made");
    assert!(upload["size"].as_u64().unwrap() >= 20 << 20, "20 MB are sent");
}

#[test]
fn the_python_clients_accept_every_answer() {
    straight(Client::Python);
}

#[test]
fn the_node_clients_accept_every_answer() {
    straight(Client::Node);
}

#[test]
fn a_request_without_a_known_key_is_answered_as_a_provider_would() {
    let upstream = FakeProvider::plain();
    upstream.accept_only(&[KEY]);
    let reply = send_raw(upstream.addr(), b"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_eq!(
        (reply.status, reply.json()["error"]["code"].as_str()),
        (401, Some("invalid_api_key")),
        "{}",
        reply.text()
    );
    let with = format!(
        "GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {KEY}\r\n\r\n"
    );
    assert_eq!(send_raw(upstream.addr(), with.as_bytes()).status, 200, "with the key it answers");
    assert_eq!(upstream.connections(), 2, "both connections are counted");
}
