//! The floor: a reverse proxy that is nothing but hyper and one header. What Claviger costs more than this is the price
//! of authentication, policy, the record and metering.
//!
//! `bench-floor --port N --upstream http://127.0.0.1:N [--ca FILE]`. Must not know agents, policy or records.

use claviger_bench::{Outcome, REAL_KEY, args::Args, tls};
use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use hyper::{
    Request, Response, StatusCode, Uri,
    body::Incoming,
    header::{AUTHORIZATION, CONNECTION, HOST, HeaderValue},
    service::service_fn,
};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connected, Connection},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

type Reply = Response<BoxBody<bytes::Bytes, hyper::Error>>;

/// The one upstream, plain or encrypted.
#[derive(Clone)]
struct Dial {
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
}

/// A connection to it.
enum Stream {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

struct Floor {
    client: Client<Dial, Incoming>,
    upstream: Uri,
    key: HeaderValue,
}

#[tokio::main]
async fn main() -> Outcome {
    let args = Args::of_process();
    let upstream: Uri = args.text("upstream")?.parse()?;
    let host = upstream.host().ok_or("the upstream has no host")?.to_owned();
    let port = upstream.port_u16().ok_or("the upstream has no port")?;
    let is_encrypted = upstream.scheme_str() == Some("https");
    let tls = if is_encrypted { Some(TlsConnector::from(tls::client(args.text("ca")?)?)) } else { None };
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(256)
        .build(Dial { host, port, tls });
    let key = HeaderValue::from_str(&format!("Bearer {REAL_KEY}"))?;
    let floor = Arc::new(Floor { client, upstream, key });

    let listener = TcpListener::bind(("127.0.0.1", args.value("port", 0)?)).await?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let floor = floor.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let floor = floor.clone();
                async move { Ok::<Reply, std::convert::Infallible>(floor.forward(request).await) }
            });
            // A peer that goes away is the measurement's business, not ours.
            let _ = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}

// === impl Floor ===

impl Floor {
    async fn forward(&self, mut request: Request<Incoming>) -> Reply {
        let mut parts = self.upstream.clone().into_parts();
        parts.path_and_query = request.uri().path_and_query().cloned();
        let authority = parts.authority.as_ref().and_then(|a| HeaderValue::from_str(a.as_str()).ok());
        let (Ok(uri), Some(authority)) = (Uri::from_parts(parts), authority) else {
            return refused(StatusCode::BAD_REQUEST);
        };
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.remove(CONNECTION);
        headers.insert(HOST, authority);
        headers.insert(AUTHORIZATION, self.key.clone());
        match self.client.request(request).await {
            Ok(answer) => {
                let (mut head, body) = answer.into_parts();
                head.headers.remove(CONNECTION);
                Response::from_parts(head, body.boxed())
            }
            Err(_) => refused(StatusCode::BAD_GATEWAY),
        }
    }
}

fn refused(status: StatusCode) -> Reply {
    let mut reply = Response::new(Empty::new().map_err(|never| match never {}).boxed());
    *reply.status_mut() = status;
    reply
}

// === impl Dial ===

impl tower_service::Service<Uri> for Dial {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Stream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let Self { host, port, tls } = self.clone();
        Box::pin(async move {
            let socket = TcpStream::connect((host.as_str(), port)).await?;
            socket.set_nodelay(true)?;
            let stream = match tls {
                None => Stream::Plain(socket),
                Some(connector) => {
                    let name = rustls::pki_types::ServerName::try_from(host).map_err(io::Error::other)?;
                    Stream::Encrypted(Box::new(connector.connect(name, socket).await?))
                }
            };
            Ok(TokioIo::new(stream))
        })
    }
}

// === impl Stream ===

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Self::Encrypted(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_write(cx, bytes),
            Self::Encrypted(s) => Pin::new(s).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_flush(cx),
            Self::Encrypted(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Self::Encrypted(s) => Pin::new(s).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_write_vectored(cx, bufs),
            Self::Encrypted(s) => Pin::new(s).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(s) => s.is_write_vectored(),
            Self::Encrypted(s) => s.is_write_vectored(),
        }
    }
}
