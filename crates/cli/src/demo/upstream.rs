//! The demo's upstream: answers chat completions as a provider would and remembers what it saw. Must not know Claviger.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Tokens that each of its answers says were used.
pub(super) const TOKENS_IN: u64 = 21;
pub(super) const TOKENS_OUT: u64 = 7;

/// A running upstream; it ends with the runtime.
pub(super) struct Upstream {
    pub(super) addr: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

// === impl Upstream ===

impl Upstream {
    pub(super) async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = seen.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let shared = shared.clone();
                let service = service_fn(move |request| one(request, shared.clone()));
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(socket), service));
            }
        });
        Ok(Self { addr, seen })
    }

    /// Every request so far as text: request line, headers, body.
    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn one(
    request: Request<Incoming>,
    seen: Arc<Mutex<Vec<String>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let mut text = format!("{} {} {:?}\n", head.method, head.uri, head.version);
    for (name, value) in &head.headers {
        text.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    }
    text.push_str(&format!("\n{}", String::from_utf8_lossy(&body)));
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    Ok(answer(head.uri.path(), asked["stream"] == true))
}

fn answer(path: &str, streamed: bool) -> Response<Full<Bytes>> {
    let usage = json!({"prompt_tokens": TOKENS_IN, "completion_tokens": TOKENS_OUT,
        "total_tokens": TOKENS_IN + TOKENS_OUT, "prompt_tokens_details": {"cached_tokens": 5}});
    let (content_type, body) = if path.ends_with("/chat/completions") && streamed {
        let chunk = |choices: Value, usage: Value| {
            let chunk = json!({"id": "demo", "object": "chat.completion.chunk", "created": 0, "model": "demo-model",
                "choices": choices, "usage": usage});
            format!("data: {chunk}\n\n")
        };
        let said =
            chunk(json!([{"index": 0, "delta": {"content": "pong"}, "finish_reason": "stop"}]), Value::Null);
        ("text/event-stream", format!("{said}{}data: [DONE]\n\n", chunk(json!([]), usage)))
    } else if path.ends_with("/chat/completions") {
        let body = json!({"id": "demo", "object": "chat.completion", "created": 0, "model": "demo-model",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "pong"}}],
            "usage": usage});
        ("application/json", body.to_string())
    } else {
        let models = json!({"object": "list", "data": [{"id": "demo-model", "object": "model"}]});
        ("application/json", models.to_string())
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static(content_type));
    response
}
