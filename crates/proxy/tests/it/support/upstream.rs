//! An upstream over raw TCP: counts connections, remembers every byte, answers by scene.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// What the upstream does with a request.
#[derive(Clone)]
pub(crate) enum Scene {
    /// Gives these bytes.
    Say(Vec<u8>),
    /// Gives these bytes, then closes.
    SayAndClose(Vec<u8>),
    /// Gives a chunked head, then a chunk for each message, until the sender is dropped.
    Chunks(Arc<Mutex<Option<mpsc::UnboundedReceiver<Vec<u8>>>>>),
    /// Gives so many bytes with a length.
    Big(u64),
    /// Reads the request and says nothing.
    Silence,
    /// Closes without a word.
    Close,
    /// One scene a request, from the last to the first.
    InTurn(Arc<Mutex<Vec<Self>>>),
}

#[derive(Clone)]
pub(crate) struct Upstream(Arc<Inner>);

struct Inner {
    port: u16,
    connections: AtomicUsize,
    open: AtomicUsize,
    seen: Mutex<Vec<Request>>,
    body_bytes: AtomicUsize,
    scene: Mutex<Scene>,
}

/// A request as its bytes were.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

// === impl Scene ===

impl Scene {
    pub(crate) fn json(text: &str) -> Self {
        Self::Say(
            format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{text}",
                text.len()
            )
            .into_bytes(),
        )
    }

    /// A stream of events, and the end that feeds it.
    pub(crate) fn events() -> (mpsc::UnboundedSender<Vec<u8>>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self::Chunks(Arc::new(Mutex::new(Some(receiver)))))
    }
}

// === impl Upstream ===

impl Upstream {
    pub(crate) async fn new(scene: Scene) -> Self {
        let (upstream, listener) = Self::bind(scene).await;
        let inner = upstream.0.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let _ = socket.set_nodelay(true);
                inner.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(inner.clone().converse(socket));
            }
        });
        upstream
    }

    /// The same behind TLS.
    pub(crate) async fn tls(scene: Scene, config: rustls::ServerConfig) -> Self {
        let (upstream, listener) = Self::bind(scene).await;
        let inner = upstream.0.clone();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                inner.connections.fetch_add(1, Ordering::SeqCst);
                let (inner, acceptor) = (inner.clone(), acceptor.clone());
                tokio::spawn(async move {
                    if let Ok(socket) = acceptor.accept(socket).await {
                        inner.converse(socket).await;
                    }
                });
            }
        });
        upstream
    }

    async fn bind(scene: Scene) -> (Self, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let inner = Inner {
            port: listener.local_addr().unwrap().port(),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            seen: Mutex::new(Vec::new()),
            body_bytes: AtomicUsize::new(0),
            scene: Mutex::new(scene),
        };
        (Self(Arc::new(inner)), listener)
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.port
    }

    /// How many connections were ever made.
    pub(crate) fn connections(&self) -> usize {
        self.0.connections.load(Ordering::SeqCst)
    }

    /// How many are open now.
    pub(crate) fn open(&self) -> usize {
        self.0.open.load(Ordering::SeqCst)
    }

    pub(crate) fn body_bytes(&self) -> usize {
        self.0.body_bytes.load(Ordering::SeqCst)
    }

    pub(crate) fn seen(&self) -> Vec<Request> {
        self.0.seen.lock().clone()
    }

    /// The one request that came.
    pub(crate) fn only(&self) -> Request {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "requests at the upstream: {seen:#?}");
        seen.into_iter().next().unwrap()
    }

    pub(crate) fn play(&self, scene: Scene) {
        *self.0.scene.lock() = scene;
    }
}

impl Inner {
    async fn converse(self: Arc<Self>, mut socket: impl AsyncRead + AsyncWrite + Unpin) {
        struct Open(Arc<Inner>);
        impl Drop for Open {
            fn drop(&mut self) {
                self.0.open.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.open.fetch_add(1, Ordering::SeqCst);
        let open = Open(self.clone());
        let mut unread = Vec::new();
        while let Some(request) = self.request(&mut socket, &mut unread).await {
            self.seen.lock().push(request);
            let mut scene = self.scene.lock().clone();
            if let Scene::InTurn(scenes) = &scene {
                let next = scenes.lock().pop().expect("a scene for each request");
                scene = next;
            }
            match scene {
                Scene::Say(bytes) => {
                    if socket.write_all(&bytes).await.is_err() {
                        break;
                    }
                }
                Scene::SayAndClose(bytes) => {
                    let _ = socket.write_all(&bytes).await;
                    break;
                }
                Scene::Big(size) => {
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n");
                    let _ = socket.write_all(head.as_bytes()).await;
                    let block = vec![b'x'; 64 * 1024];
                    let mut left = size;
                    while left > 0 {
                        let take = left.min(block.len() as u64) as usize;
                        if socket.write_all(&block[..take]).await.is_err() {
                            return;
                        }
                        left -= take as u64;
                    }
                }
                Scene::Chunks(receiver) => {
                    let mut receiver = receiver.lock().take().expect("one request for one stream of events");
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
                    let _ = socket.write_all(head.as_bytes()).await;
                    let mut nothing = [0; 1];
                    loop {
                        tokio::select! {
                            chunk = receiver.recv() => match chunk {
                                Some(chunk) => {
                                    let mut framed = format!("{:x}\r\n", chunk.len()).into_bytes();
                                    framed.extend(chunk);
                                    framed.extend(b"\r\n");
                                    if socket.write_all(&framed).await.is_err() { return; }
                                }
                                None => {
                                    let _ = socket.write_all(b"0\r\n\r\n").await;
                                    break;
                                }
                            },
                            // The proxy went away.
                            _ = socket.read(&mut nothing) => return,
                        }
                    }
                }
                Scene::Silence => {
                    let mut nothing = [0; 1];
                    let _ = socket.read(&mut nothing).await;
                    return;
                }
                Scene::Close | Scene::InTurn(_) => return,
            }
        }
        let _ = socket.shutdown().await;
        drop(open);
    }

    async fn request(&self, socket: &mut (impl AsyncRead + Unpin), unread: &mut Vec<u8>) -> Option<Request> {
        let mut buffer = vec![0; 64 * 1024];
        let end = loop {
            if let Some(end) = memchr::memmem::find(unread, b"\r\n\r\n") {
                break end + 4;
            }
            let count = socket.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
            unread.extend_from_slice(&buffer[..count]);
        };
        let head: Vec<u8> = unread.drain(..end).collect();
        let head = String::from_utf8(head).expect("what is forwarded is ASCII");
        let lower = head.to_ascii_lowercase();
        let mut body = Vec::new();
        if let Some(length) = lower.split("\r\ncontent-length: ").nth(1) {
            let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
            let keep = length <= 1024 * 1024;
            let mut got = 0;
            loop {
                let take = unread.len().min(length - got);
                if keep {
                    body.extend_from_slice(&unread[..take]);
                }
                unread.drain(..take);
                got += take;
                self.body_bytes.fetch_add(take, Ordering::SeqCst);
                if got == length {
                    break;
                }
                let count = socket.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
                unread.extend_from_slice(&buffer[..count]);
            }
        } else if lower.contains("\r\ntransfer-encoding: chunked\r\n") {
            loop {
                let line = loop {
                    if let Some(line) = memchr::memmem::find(unread, b"\r\n") {
                        break line;
                    }
                    let count = socket.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
                    unread.extend_from_slice(&buffer[..count]);
                };
                let size = usize::from_str_radix(std::str::from_utf8(&unread[..line]).unwrap(), 16).unwrap();
                while unread.len() < line + 2 + size + 2 {
                    let count = socket.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
                    unread.extend_from_slice(&buffer[..count]);
                }
                body.extend_from_slice(&unread[line + 2..line + 2 + size]);
                self.body_bytes.fetch_add(size, Ordering::SeqCst);
                unread.drain(..line + 2 + size + 2);
                if size == 0 {
                    break;
                }
            }
        }
        Some(Request { head, body })
    }
}

impl Request {
    /// Every value of a header, in order.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        self.head
            .split("\r\n")
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .filter(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v)
            .collect()
    }

    /// The request line's target.
    pub(crate) fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }
}
