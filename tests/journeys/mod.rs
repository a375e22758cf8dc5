//! Journeys: the product's jobs from end to end, through the real binary, real sockets and the real clients.

/// The demo succeeds and shows both sides.
mod demo;
/// From an empty home to a recorded request, by command line alone.
mod first_use;
/// Restart, crash, lock, revoke, rotate: what must hold while requests are on their way.
mod lifecycle;
/// Claviger's own MCP server, and a remote one behind a grant, with the official clients.
mod mcp;
/// The providers' own clients in Python and Node, with only base URL and key changed.
mod official_clients;
/// The agent's token in every slot; the credential in its service's own.
mod slots;
/// Bad input and bad circumstances: what happened, what to do, and nothing lost.
mod trouble;
/// Exports and lists of hostile text, and the record as it comes.
mod views;
/// `env` and `run`: a program is wired by placeholders alone.
mod wiring;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use claviger_testkit::{Home, Reply, send_raw};

pub(crate) const BIN: &str = env!("CARGO_BIN_EXE_claviger");
pub(crate) const KEY: &str = "sk-real-7Qm2+Zr9/tX4=kP81cW";

/// A grant's base URL, taken apart.
pub(crate) struct Base {
    pub(crate) host: String,
    pub(crate) path: String,
}

impl Base {
    pub(crate) fn of(base_url: &str) -> Self {
        let rest = base_url.strip_prefix("http://").expect("a plain URL on the loopback address");
        let (host, path) = rest.split_once('/').expect("a path");
        Self { host: host.to_owned(), path: format!("/{path}") }
    }

    /// Sends one request below the base with this token as Bearer.
    pub(crate) fn send(&self, method: &str, path: &str, token: &str, body: &str) -> Reply {
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let request = format!(
            "{method} {}{path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: \
             application/json\r\n{length}Connection: close\r\n\r\n{body}",
            self.path, self.host,
        );
        send_raw(self.host.parse().unwrap(), request.as_bytes())
    }

    /// Opens the endless answer and returns once its first event is here.
    pub(crate) fn drip(&self, token: &str) -> OpenStream {
        let mut socket = TcpStream::connect(&self.host).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let request = format!(
            "GET {}/drip HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\r\n",
            self.path, self.host
        );
        socket.write_all(request.as_bytes()).unwrap();
        let mut seen = Vec::new();
        let mut piece = [0; 4096];
        while memchr_find(&seen, b"data:").is_none() {
            let n = socket.read(&mut piece).expect("the stream begins");
            assert!(n > 0, "the stream did not begin: {}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&piece[..n]);
        }
        assert!(seen.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&seen));
        OpenStream { socket }
    }
}

/// An answer that is still coming.
pub(crate) struct OpenStream {
    socket: TcpStream,
}

impl OpenStream {
    /// How long it takes, from now, until the stream is cut.
    pub(crate) fn time_to_cut(mut self) -> Duration {
        let start = Instant::now();
        let mut piece = [0; 4096];
        while start.elapsed() < Duration::from_secs(10) {
            match self.socket.read(&mut piece) {
                Ok(0) | Err(_) => return start.elapsed(),
                Ok(_) => {}
            }
        }
        start.elapsed()
    }

    /// Whether something still comes within a second.
    pub(crate) fn is_alive(&mut self) -> bool {
        let mut piece = [0; 4096];
        self.socket.read(&mut piece).is_ok_and(|n| n > 0)
    }
}

/// The one entry of the record with this tracking id.
#[track_caller]
pub(crate) fn entry(home: &Home, event: &str) -> serde_json::Value {
    let entries = home.json(&["audit", "list", "--event", event], "");
    let entries = entries.as_array().expect("an array of entries");
    assert_eq!(entries.len(), 1, "{event} stands in the record {} times: {entries:?}", entries.len());
    entries[0].clone()
}

/// The single row of the usage report over everything.
#[track_caller]
pub(crate) fn usage(home: &Home) -> serde_json::Value {
    let rows = home.json(&["usage"], "");
    rows.as_array().and_then(|rows| rows.first()).cloned().unwrap_or_default()
}

fn memchr_find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
