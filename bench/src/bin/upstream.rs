//! The upstream of the streaming measurements: chat as JSON or as events, bulk down, bulk up; plain and TLS.
//!
//! `bench-upstream --port N --tls-port N --cert FILE --key FILE`. Must not know who stands before it: it confirms on
//! every answer whether the real key arrived.

use bytes::Bytes;
use claviger_bench::{CONFIRMATION, Outcome, REAL_KEY, args::Args, clock_ns, tls};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming, SizeHint},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    time::{Instant, Sleep},
};

const ANSWER: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}"#;
const LAST_EVENTS: &str = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"model\":\"bench\",\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":100,\"total_tokens\":111}}\n\ndata: [DONE]\n\n";
const EVENTS: u32 = 100;
const BETWEEN_EVENTS: Duration = Duration::from_millis(10);
const BULK: u64 = 100 << 20;

/// A hundred events, ten milliseconds apart, each saying when it was sent.
struct Events {
    left: u32,
    next: Pin<Box<Sleep>>,
}

/// As many bytes as asked for, from one piece of memory.
struct Bulk {
    left: u64,
    piece: Bytes,
}

type Reply = Response<BoxBody<Bytes, Infallible>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let args = Args::of_process();
    let plain = TcpListener::bind(("127.0.0.1", args.value("port", 0)?)).await?;
    let encrypted = TcpListener::bind(("127.0.0.1", args.value("tls-port", 0)?)).await?;
    let acceptor = tokio_rustls::TlsAcceptor::from(tls::server(args.text("cert")?, args.text("key")?)?);
    loop {
        tokio::select! {
            accepted = plain.accept() => {
                let (socket, _) = accepted?;
                socket.set_nodelay(true)?;
                tokio::spawn(serve(socket));
            }
            accepted = encrypted.accept() => {
                let (socket, _) = accepted?;
                socket.set_nodelay(true)?;
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(socket).await {
                        serve(stream).await;
                    }
                });
            }
        }
    }
}

async fn serve(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    // A peer that goes away is the measurement's business, not ours.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(io), service_fn(answer))
        .await;
}

async fn answer(request: Request<Incoming>) -> Result<Reply, hyper::Error> {
    let expected = format!("Bearer {REAL_KEY}");
    let confirmed =
        request.headers().get("authorization").is_some_and(|v| v.as_bytes() == expected.as_bytes());
    let path = request.uri().path().to_owned();
    let body: (&str, BoxBody<Bytes, Infallible>) = if path.ends_with("/bulk") {
        ("application/octet-stream", Bulk { left: BULK, piece: Bytes::from(vec![b'x'; 64 * 1024]) }.boxed())
    } else if path.ends_with("/sink") {
        let mut received = 0;
        let mut body = request.into_body();
        while let Some(frame) = body.frame().await {
            received += frame?.data_ref().map_or(0, Bytes::len);
        }
        ("application/json", Full::from(format!("{{\"received\":{received}}}")).boxed())
    } else {
        let asked = request.into_body().collect().await?.to_bytes();
        if asked.windows(13).any(|w| w == b"\"stream\":true") {
            let next = Box::pin(tokio::time::sleep(BETWEEN_EVENTS));
            ("text/event-stream", Events { left: EVENTS, next }.boxed())
        } else {
            ("application/json", Full::from(ANSWER).boxed())
        }
    };
    let mut reply = Response::new(body.1);
    let headers = reply.headers_mut();
    headers.insert("content-type", hyper::header::HeaderValue::from_static(body.0));
    headers.insert(CONFIRMATION, hyper::header::HeaderValue::from_static(if confirmed { "1" } else { "0" }));
    Ok(reply)
}

// === impl Events ===

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if self.next.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.left -= 1;
        if self.left == 0 {
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(LAST_EVENTS.as_bytes())))));
        }
        let next = Instant::now() + BETWEEN_EVENTS;
        self.next.as_mut().reset(next);
        let sent = clock_ns();
        let event = format!(
            "data: {{\"sent\":{sent},\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"model\":\"bench\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"token\"}}}}]}}\n\n"
        );
        Poll::Ready(Some(Ok(Frame::data(event.into()))))
    }
}

// === impl Bulk ===

impl Body for Bulk {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let n = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.piece.len());
        self.left -= n as u64;
        let piece = self.piece.slice(..n);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
