//! The loopback listener that a browser brings the answer to (RFC 8252 §7.3): bound to one address, open for one flow,
//! closed by its first genuine answer.
//!
//! Must not know what makes an answer genuine: it asks. It replies with fixed pages and sends nobody anywhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::pkce::{as_text, make_text};

/// A request's head is no longer. Browsers send along what cookies other local servers left.
const LARGEST_HEAD: usize = 32 * 1024;

/// How long one connection may take to send its head.
const LONGEST_HEAD: Duration = Duration::from_secs(10);

/// How long connections that were already there may take to hear that the answer was given.
const LINGER: Duration = Duration::from_secs(2);

/// No more connections at a time.
const MOST_CONNECTIONS: usize = 64;

/// Where the answer shall arrive. The default is 127.0.0.1, a free port and a random path; what was registered by hand
/// with a server may need a fixed one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirect {
    /// `[::1]` in place of `127.0.0.1`.
    pub over_ipv6: bool,
    /// The registered path, beginning with `/`.
    pub path: Option<String>,
    /// The registered port, for servers that compare it.
    pub port: Option<u16>,
}

/// An open listener for one flow.
pub struct Listener {
    socket: TcpListener,
    authority: String,
    path: String,
}

/// The listener cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Not a path that a browser sends back unchanged.
    #[error("not a redirect path")]
    Path,
    /// Somebody else has the port.
    #[error("port {0} is in use by another program")]
    PortInUse(u16),
    /// The system refuses.
    #[error("cannot listen for the browser's answer")]
    Listen(#[source] std::io::Error),
}

/// Judges a query. Nothing means that it is none of ours, and the flow stays open.
pub(crate) type Judge<T> = Arc<dyn Fn(&str) -> Option<T> + Send + Sync>;

// === impl Listener ===

impl Listener {
    /// Opens it. From now on the port is ours; nothing is released and taken again.
    pub async fn bind(redirect: &Redirect) -> Result<Self, ListenError> {
        let path = match &redirect.path {
            Some(path) => path.clone(),
            None => format!("/{}", as_text(&make_text())),
        };
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/-._~".contains(&b);
        if !path.starts_with('/')
            || !path.bytes().all(is_plain)
            || path.split('/').any(|s| s == "." || s == "..")
        {
            return Err(ListenError::Path);
        }
        let ip: IpAddr =
            if redirect.over_ipv6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
        let port = redirect.port.unwrap_or(0);
        let socket = TcpListener::bind(SocketAddr::new(ip, port)).await.map_err(|e| match e.kind() {
            std::io::ErrorKind::AddrInUse => ListenError::PortInUse(port),
            _ => ListenError::Listen(e),
        })?;
        let authority = socket.local_addr().map_err(ListenError::Listen)?.to_string();
        Ok(Self { socket, authority, path })
    }

    /// The redirect URI, the same text everywhere it is sent.
    pub fn redirect_uri(&self) -> String {
        format!("http://{}{}", self.authority, self.path)
    }

    /// Waits for the first query that is ours, then closes.
    pub(crate) async fn first<T: Send + 'static>(self, judge: Judge<T>) -> T {
        let place = Arc::new(Place { authority: self.authority, path: self.path });
        let mut connections = JoinSet::new();
        let answer = loop {
            tokio::select! {
                accepted = self.socket.accept(), if connections.len() < MOST_CONNECTIONS => {
                    if let Ok((stream, _)) = accepted {
                        connections.spawn(serve(stream, Arc::clone(&place), Arc::clone(&judge)));
                    }
                }
                Some(ended) = connections.join_next() => {
                    if let Ok(Some(answer)) = ended {
                        break answer;
                    }
                }
            }
        };
        drop(self.socket);
        // Whoever was already connected hears that the answer was given; nobody else gets in.
        tokio::spawn(tokio::time::timeout(LINGER, async move {
            while connections.join_next().await.is_some() {}
        }));
        answer
    }
}

/// Where the listener is.
struct Place {
    authority: String,
    path: String,
}

/// What a request is.
enum Asked {
    /// The redirect, with its query.
    Redirect(String),
    /// Anything else.
    Stray(&'static Page),
}

async fn serve<T>(mut stream: TcpStream, place: Arc<Place>, judge: Judge<T>) -> Option<T> {
    let asked = match tokio::time::timeout(LONGEST_HEAD, read_head(&mut stream, &place)).await {
        Ok(Ok(asked)) => asked,
        // Nothing came, or too slowly: browsers open connections ahead of need.
        _ => return None,
    };
    let (page, answer) = match asked {
        Asked::Stray(page) => (page, None),
        Asked::Redirect(query) => match judge(&query) {
            Some(answer) => (&RECEIVED, Some(answer)),
            None => (&NOT_OURS, None),
        },
    };
    let reply = tokio::time::timeout(LONGEST_HEAD, async {
        stream.write_all(page.written().as_bytes()).await?;
        stream.shutdown().await
    });
    // The answer counts, whether or not the browser still reads the page.
    let _ = reply.await;
    answer
}

async fn read_head(stream: &mut TcpStream, place: &Place) -> std::io::Result<Asked> {
    let mut head = Vec::new();
    let mut chunk = [0u8; 4096];
    loop {
        let n = stream.read(&mut chunk).await?;
        if n == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(&chunk[..n]);
        if head.windows(4).any(|w| w == b"\r\n\r\n") {
            return Ok(classify(&head, place));
        }
        if head.len() > LARGEST_HEAD {
            return Ok(Asked::Stray(&TOO_LARGE));
        }
    }
}

fn classify(head: &[u8], place: &Place) -> Asked {
    let mut slots = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut slots);
    if !matches!(request.parse(head), Ok(httparse::Status::Complete(_))) || request.version != Some(1) {
        return Asked::Stray(&BAD);
    }
    let all = |name: &str| {
        request
            .headers
            .iter()
            .filter(|h| h.name.eq_ignore_ascii_case(name))
            .map(|h| h.value)
            .collect::<Vec<_>>()
    };
    let is_here = all("host") == [place.authority.as_bytes()];
    // A page that fetches is no browser that navigates.
    if !is_here || !all("origin").is_empty() {
        return Asked::Stray(&NOT_FOUND);
    }
    let target = request.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match (path == place.path, request.method) {
        (false, _) => Asked::Stray(&NOT_FOUND),
        (true, Some("GET")) => Asked::Redirect(query.to_owned()),
        (true, _) => Asked::Stray(&BAD_METHOD),
    }
}

/// A fixed page. Nothing from a request ever stands in it.
struct Page {
    status: &'static str,
    title: &'static str,
    words: &'static str,
}

static RECEIVED: Page = Page {
    status: "200 OK",
    title: "Claviger",
    words: "Claviger has the answer. You can close this page and go back to it.",
};
static NOT_OURS: Page = Page {
    status: "400 Bad Request",
    title: "Claviger",
    words: "This is not the answer that Claviger waits for, or it was already used. Nothing was changed.",
};
static NOT_FOUND: Page = Page { status: "404 Not Found", title: "Claviger", words: "There is nothing here." };
static BAD_METHOD: Page =
    Page { status: "405 Method Not Allowed", title: "Claviger", words: "There is nothing here." };
static BAD: Page = Page { status: "400 Bad Request", title: "Claviger", words: "There is nothing here." };
static TOO_LARGE: Page = Page {
    status: "431 Request Header Fields Too Large",
    title: "Claviger",
    words: "That request is too large.",
};

// === impl Page ===

impl Page {
    fn written(&self) -> String {
        let Self { status, title, words } = self;
        let body = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><p>{words}</p></html>\n"
        );
        let len = body.len();
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {len}\r\ncache-control: no-store\r\n\
             referrer-policy: no-referrer\r\ncontent-security-policy: default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'\r\n\
             x-content-type-options: nosniff\r\ncross-origin-opener-policy: same-origin\r\nallow: GET\r\nconnection: close\r\n\r\n{body}"
        )
    }
}
