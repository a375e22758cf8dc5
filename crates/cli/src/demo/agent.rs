//! The agent's side of the demo: a process of its own that holds two variables, as any SDK would, and nothing else.
//! Must not know the vault, the home or the secret: it is told nothing of them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use claviger_api::schema::{ApiError, Code};
use serde_json::{Value, json};

/// What it sends, in order: title, method, path at the service, body, and whether with a token of its own making.
const REQUESTS: &[(&str, &str, &str, &str, bool)] = &[
    (
        "a chat completion",
        "POST",
        "/chat/completions",
        r#"{"model":"demo-model","messages":[{"role":"user","content":"ping"}]}"#,
        false,
    ),
    (
        "the same, streamed",
        "POST",
        "/chat/completions",
        r#"{"model":"demo-model","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"ping"}]}"#,
        false,
    ),
    ("the list of models", "GET", "/models", "", false),
    ("something it was not granted", "DELETE", "/models/demo-model", "", false),
    ("with a token that is none", "GET", "/models", "", true),
];

/// Sends the requests and prints everything that this side held, sent and received: one JSON object a line.
pub(super) fn run() -> Result<(), ApiError> {
    let variable = |name: &str| {
        std::env::var(name)
            .map_err(|_| ApiError::new(Code::Usage, format!("{name} is not set"), "run `claviger demo`"))
    };
    let (base, token) = (variable("OPENAI_BASE_URL")?, variable("OPENAI_API_KEY")?);
    let held: Vec<String> =
        std::env::vars().map(|(name, value)| format!("{name}={value}")).chain(std::env::args()).collect();
    crate::output::line(&json!({"held": held}).to_string());
    let (host, prefix) = base
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .ok_or_else(|| ApiError::new(Code::Usage, "the base URL is not one of a local proxy", ""))?;
    for (title, method, path, body, forged) in REQUESTS {
        let token = if *forged { "not-a-token" } else { token.as_str() };
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let head = format!(
            "{method} /{prefix}{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\n{length}Connection: close\r\n\r\n"
        );
        let sent = format!("{head}{body}");
        let received = exchange(host, &sent).map_err(|why| {
            ApiError::new(Code::Unavailable, format!("the proxy cannot be reached: {why}"), "")
        })?;
        let line: Value = json!({"title": title, "sent": sent, "received": received});
        crate::output::line(&line.to_string());
    }
    Ok(())
}

fn exchange(host: &str, sent: &str) -> std::io::Result<String> {
    let mut socket = TcpStream::connect(host)?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    socket.write_all(sent.as_bytes())?;
    let mut received = Vec::new();
    socket.read_to_end(&mut received)?;
    Ok(String::from_utf8_lossy(&received).into_owned())
}
