//! A raw HTTP/1.1 client over a socket: sends exactly the bytes it is given. Must not correct anything.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What came back, taken apart as far as it could be.
#[derive(Debug, Clone)]
pub struct Reply {
    /// 0 when the peer closed without an answer.
    pub status: u16,
    /// In the order they came, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body with its chunks joined.
    pub body: Vec<u8>,
    /// Every byte that came.
    pub raw: Vec<u8>,
}

// === impl Reply ===

impl Reply {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Reads one answer from bytes that came until the peer closed.
    pub fn parse(raw: Vec<u8>) -> Self {
        let Some(end) = memchr::memmem::find(&raw, b"\r\n\r\n") else {
            return Self { status: 0, headers: Vec::new(), body: Vec::new(), raw };
        };
        let head = String::from_utf8_lossy(&raw[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|l| l.split(' ').nth(1)).and_then(|s| s.parse().ok()).unwrap_or(0);
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(n, v)| (n.trim().to_ascii_lowercase(), v.trim().to_owned()))
            .collect();
        let rest = &raw[end + 4..];
        let chunked =
            headers.iter().any(|(n, v)| n == "transfer-encoding" && v.eq_ignore_ascii_case("chunked"));
        let length = headers.iter().find(|(n, _)| n == "content-length").and_then(|(_, v)| v.parse().ok());
        let body = if chunked {
            unchunk(rest)
        } else {
            rest[..length.unwrap_or(rest.len()).min(rest.len())].to_vec()
        };
        Self { status, headers, body, raw }
    }
}

/// Sends the bytes and reads until the peer closes or has been silent for five seconds.
pub fn send_raw(to: SocketAddr, bytes: &[u8]) -> Reply {
    let mut socket = TcpStream::connect(to).expect("the proxy listens");
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    // The peer may refuse and close before everything is written: what it said still counts.
    let _ = socket.write_all(bytes);
    let mut raw = Vec::new();
    let mut piece = [0u8; 16 * 1024];
    loop {
        match socket.read(&mut piece) {
            Ok(n) if n > 0 => raw.extend_from_slice(&piece[..n]),
            // A socket with a time limit is interrupted by any signal, such as that of a child that ended (signal(7)).
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => break,
        }
    }
    Reply::parse(raw)
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line_end) = memchr::memmem::find(rest, b"\r\n") {
        let size = std::str::from_utf8(&rest[..line_end])
            .ok()
            .and_then(|s| usize::from_str_radix(s.trim(), 16).ok());
        let Some(size) = size.filter(|size| *size > 0) else { break };
        let from = line_end + 2;
        body.extend_from_slice(&rest[from.min(rest.len())..(from + size).min(rest.len())]);
        rest = rest.get(from + size + 2..).unwrap_or_default();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined() {
        let reply = Reply::parse(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n".to_vec(),
        );
        assert_eq!((reply.status, reply.text().as_str()), (200, "abcde"), "the whole body");
        assert_eq!(reply.header("x-a"), Some("b"), "headers are found by lower-case name");
    }
}
