//! A server that does exactly what a test tells it, byte by byte where that matters, and remembers what it saw.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// What the server does.
pub(crate) enum Reply {
    Json(u16, Value),
    /// Status, further head lines, body.
    With(u16, Vec<String>, Vec<u8>),
    /// These bytes, whatever they are.
    Raw(Vec<u8>),
    /// A head that promises, and then this many bytes of `x`.
    Flood(usize),
    /// One byte of this each time the pause is over.
    Drip(Vec<u8>, Duration),
    /// Nothing at all, but the connection stays.
    Silence,
    /// The connection ends without a word.
    HangUp,
}

/// The server.
pub(crate) struct Script {
    pub(crate) base: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    flooded: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

type Handler = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

impl Script {
    /// Starts on a free port.
    pub(crate) async fn start(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", socket.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let flooded = Arc::new(AtomicUsize::new(0));
        let (handler, all, flood): (Handler, _, _) =
            (Arc::new(handler), Arc::clone(&seen), Arc::clone(&flooded));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&handler), Arc::clone(&all), Arc::clone(&flood)));
            }
        });
        Self { base, seen, flooded, task }
    }

    /// Every request so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }

    /// How much of a flood went out.
    pub(crate) fn flooded(&self) -> usize {
        self.flooded.load(Ordering::SeqCst)
    }

    /// The requests to one path.
    pub(crate) fn seen_at(&self, path: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|s| s.path == path).collect()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Every value of a form field.
    pub(crate) fn fields(&self, name: &str) -> Vec<String> {
        url::form_urlencoded::parse(self.body.as_bytes())
            .filter(|(n, _)| n == name)
            .map(|(_, v)| v.into_owned())
            .collect()
    }

    /// The one value of a form field.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> String {
        let mut values = self.fields(name);
        assert_eq!(values.len(), 1, "{name} stands {} times in the form", values.len());
        values.remove(0)
    }
}

/// An answer with tokens.
pub(crate) fn tokens(access: &str, refresh: Option<&str>, expires_in: i64) -> Reply {
    let mut body =
        serde_json::json!({"access_token": access, "token_type": "Bearer", "expires_in": expires_in});
    if let Some(refresh) = refresh {
        body["refresh_token"] = refresh.into();
    }
    Reply::Json(200, body)
}

/// An answer with an error.
pub(crate) fn error(status: u16, code: &str) -> Reply {
    Reply::Json(status, serde_json::json!({ "error": code }))
}

async fn serve(
    mut stream: TcpStream,
    handler: Handler,
    all: Arc<Mutex<Vec<Seen>>>,
    flooded: Arc<AtomicUsize>,
) -> std::io::Result<()> {
    let Some(seen) = read(&mut stream).await? else { return Ok(()) };
    all.lock().push(seen.clone());
    match handler(&seen) {
        Reply::Json(status, value) => {
            let head = ["content-type: application/json".to_owned()];
            stream.write_all(&whole(status, &head, value.to_string().as_bytes())).await?;
        }
        Reply::With(status, head, body) => stream.write_all(&whole(status, &head, &body)).await?,
        Reply::Raw(bytes) => stream.write_all(&bytes).await?,
        Reply::Flood(len) => {
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len}\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            let chunk = vec![b'x'; 64 * 1024];
            let mut left = len;
            while left > 0 {
                let n = left.min(chunk.len());
                stream.write_all(&chunk[..n]).await?;
                left -= n;
                flooded.fetch_add(n, Ordering::SeqCst);
            }
        }
        Reply::Drip(bytes, pause) => {
            for byte in bytes {
                stream.write_all(&[byte]).await?;
                tokio::time::sleep(pause).await;
            }
        }
        Reply::Silence => {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await?;
        }
        Reply::HangUp => {}
    }
    stream.shutdown().await
}

fn whole(status: u16, head: &[String], body: &[u8]) -> Vec<u8> {
    let lines: String = head.iter().map(|line| format!("{line}\r\n")).collect();
    let mut bytes = format!(
        "HTTP/1.1 {status} Scripted\r\n{lines}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

async fn read(stream: &mut TcpStream) -> std::io::Result<Option<Seen>> {
    let mut bytes = Vec::new();
    let mut chunk = [0u8; 8192];
    loop {
        let n = stream.read(&mut chunk).await?;
        if n == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk[..n]);
        let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
        let headers: Vec<(String, String)> = head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()))
            .collect();
        let length = headers
            .iter()
            .find(|(n, _)| n == "content-length")
            .and_then(|(_, v)| v.parse().ok())
            .unwrap_or(0);
        if bytes.len() < at + 4 + length {
            continue;
        }
        let mut first = head.lines().next().unwrap_or_default().split(' ');
        let method = first.next().unwrap_or_default().to_owned();
        let target = first.next().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let body = String::from_utf8_lossy(&bytes[at + 4..at + 4 + length]).into_owned();
        return Ok(Some(Seen { method, path: path.to_owned(), query: query.to_owned(), headers, body }));
    }
}
