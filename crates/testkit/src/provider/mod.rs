//! A fake upstream on 127.0.0.1 that answers in the providers' real shapes and remembers every request as it came.
//!
//! It runs on a thread of its own, so that plain tests can use it. Must not know Claviger.

mod answers;
mod tls;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use sha2::Digest;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A running fake upstream; it ends when dropped.
pub struct FakeProvider {
    addr: SocketAddr,
    ca_pem: Option<String>,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// One request as the upstream saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Counts up from 1 over all connections.
    pub number: usize,
    /// The connection it came on, from 1.
    pub connection: usize,
    /// Request method.
    pub method: String,
    /// Path and query as on the wire.
    pub target: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// Every header, none joined or left out.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Bytes,
    /// SHA-256 of the body, hex.
    pub sha256: String,
}

/// Tokens that the fake upstream said it used, counted as Claviger counts: cached inside input, reasoning inside
/// output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Billed {
    /// Prompt tokens, cached ones included.
    pub input: u64,
    /// Answer tokens, reasoning included.
    pub output: u64,
    /// Of the input: read from the cache.
    pub cached: u64,
}

#[derive(Default)]
pub(crate) struct State {
    connections: AtomicUsize,
    open_streams: AtomicUsize,
    seen: Mutex<Vec<Seen>>,
    billed: Mutex<Billed>,
    serial: AtomicUsize,
    accepted_keys: Mutex<Option<Vec<String>>>,
}

// === impl FakeProvider ===

impl FakeProvider {
    /// Over plain HTTP/1.1.
    pub fn plain() -> Self {
        Self::start(None)
    }

    /// Over TLS with HTTP/2 and HTTP/1.1, under a CA of its own ([`FakeProvider::ca_pem`]).
    pub fn tls() -> Self {
        Self::start(Some(tls::Identity::make()))
    }

    fn start(identity: Option<tls::Identity>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let addr = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let (stop, stopped) = oneshot::channel();
        let ca_pem = identity.as_ref().map(|i| i.ca_pem.clone());
        let shared = state.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = accept(listener, identity, shared) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { addr, ca_pem, state, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its base URL without a trailing slash, as in `https://127.0.0.1:4711`.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.ca_pem.is_some() { "https" } else { "http" }, self.addr)
    }

    /// The certificate to trust, when it speaks TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// From now on a request that carries none of these keys where a provider looks for it is answered with 401.
    pub fn accept_only(&self, keys: &[&str]) {
        *self.state.accepted_keys.lock() = Some(keys.iter().map(|k| (*k).to_owned()).collect());
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Endless answers (`/drip`) that are being read at this moment.
    pub fn open_streams(&self) -> usize {
        self.state.open_streams.load(Ordering::SeqCst)
    }

    /// Every request that has arrived whole, in order.
    pub fn requests(&self) -> Vec<Seen> {
        self.state.seen.lock().clone()
    }

    /// What it said it used.
    pub fn billed(&self) -> Billed {
        *self.state.billed.lock()
    }

    /// Fails unless every request so far carried `key` exactly once, in any header or the query, and `never` nowhere.
    #[track_caller]
    pub fn assert_key_once_and_never(&self, key: &str, never: &[&str]) {
        let seen = self.requests();
        assert!(!seen.is_empty(), "the upstream saw no request at all");
        for request in seen {
            let times = request.count(key.as_bytes());
            assert_eq!(times, 1, "the real key stands {times} times in {request:?}");
            let needles = crate::Needles::new(never.iter().map(|n| ("agent token", n.as_bytes())));
            let found = needles.in_bytes("the upstream's request", &request.as_bytes());
            assert!(found.is_empty(), "{found:?} reached the upstream: {request:?}");
        }
    }
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

// === impl Seen ===

impl Seen {
    /// The first header of this name, as text.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| String::from_utf8_lossy(v).into_owned())
    }

    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// How often these bytes occur in the target, the headers and the body together.
    pub fn count(&self, needle: &[u8]) -> usize {
        memchr::memmem::find_iter(&self.as_bytes(), needle).count()
    }

    fn as_bytes(&self) -> Vec<u8> {
        let mut all = format!("{} {}\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            all.extend_from_slice(name.as_bytes());
            all.extend_from_slice(b": ");
            all.extend_from_slice(value);
            all.push(b'\n');
        }
        all.extend_from_slice(&self.body);
        all
    }
}

// === impl State ===

impl State {
    /// The next answer's serial number, from 1: every answer has its own token counts.
    fn next(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::SeqCst) as u64 + 1
    }

    fn bill(&self, input: u64, output: u64, cached: u64) {
        let mut billed = self.billed.lock();
        billed.input += input;
        billed.output += output;
        billed.cached += cached;
    }

    fn accepts(&self, seen: &Seen) -> bool {
        let keys = self.accepted_keys.lock();
        let Some(keys) = keys.as_ref() else { return true };
        keys.iter().any(|key| {
            ["authorization", "x-api-key", "x-goog-api-key", "api-key"]
                .iter()
                .any(|name| seen.header(name).is_some_and(|v| v.strip_prefix("Bearer ").unwrap_or(&v) == key))
                || seen.target.contains(key.as_str())
        })
    }
}

async fn accept(listener: TcpListener, identity: Option<tls::Identity>, state: Arc<State>) {
    let acceptor = identity.map(|i| tokio_rustls::TlsAcceptor::from(Arc::new(i.config)));
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let _ = socket.set_nodelay(true);
        let connection = state.connections.fetch_add(1, Ordering::SeqCst) + 1;
        let (state, acceptor) = (state.clone(), acceptor.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| one(request, connection, state.clone()));
            // A peer that hangs up is a peer's right; the test looks at what was recorded.
            match acceptor {
                None => {
                    let io = TokioIo::new(socket);
                    let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
                }
                Some(acceptor) => {
                    let Ok(socket) = acceptor.accept(socket).await else { return };
                    let h2 = socket.get_ref().1.alpn_protocol() == Some(b"h2");
                    let io = TokioIo::new(socket);
                    if h2 {
                        let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                            .serve_connection(io, service)
                            .await;
                    } else {
                        let _ =
                            hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
                    }
                }
            }
        });
    }
}

async fn one(
    request: Request<Incoming>,
    connection: usize,
    state: Arc<State>,
) -> Result<answers::Answer, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let seen = {
        let mut all = state.seen.lock();
        let number = all.len() + 1;
        all.push(Seen {
            number,
            connection,
            method: head.method.to_string(),
            target: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            version: format!("{:?}", head.version),
            headers: head.headers.iter().map(|(n, v)| (n.to_string(), v.as_bytes().to_vec())).collect(),
            sha256: data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(&body)),
            body,
        });
        all.last().unwrap().clone()
    };
    Ok(if state.accepts(&seen) { answers::answer(&seen, &state) } else { answers::no_such_key() })
}

/// Nothing that is streamed here can fail.
pub(crate) type Never = Infallible;
