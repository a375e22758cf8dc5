//! An agent as a raw socket: sends exactly the bytes it is given.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::PATIENCE;

pub(crate) struct Agent {
    pub(crate) socket: TcpStream,
    unread: Vec<u8>,
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// 0 when the connection closed without one.
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The body came to its declared end.
    pub(crate) is_whole: bool,
}

// === impl Agent ===

impl Agent {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.expect("the proxy accepts connections");
        socket.set_nodelay(true).unwrap();
        Self { socket, unread: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        // The proxy may have answered and closed already; the answer is what matters.
        let _ = self.socket.write_all(bytes).await;
    }

    /// More bytes, or none at the end.
    pub(crate) async fn read(&mut self) -> Vec<u8> {
        let mut buffer = vec![0; 64 * 1024];
        let read = tokio::time::timeout(PATIENCE, self.socket.read(&mut buffer));
        let count = read.await.expect("the proxy neither answers nor closes").unwrap_or(0);
        buffer.truncate(count);
        buffer
    }

    async fn more(&mut self) -> bool {
        let bytes = self.read().await;
        self.unread.extend_from_slice(&bytes);
        !bytes.is_empty()
    }

    /// What came beyond the last head.
    pub(crate) fn take_unread(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.unread)
    }

    /// The head of the next answer.
    pub(crate) async fn head(&mut self) -> Reply {
        loop {
            if let Some(end) = memchr::memmem::find(&self.unread, b"\r\n\r\n") {
                let head: Vec<u8> = self.unread.drain(..end + 4).collect();
                let head = String::from_utf8_lossy(&head).into_owned();
                let mut lines = head.trim_end().split("\r\n");
                let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
                if status == 100 {
                    continue;
                }
                let headers = lines
                    .map(|line| line.split_once(':').unwrap())
                    .map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()))
                    .collect();
                return Reply { status, headers, body: Vec::new(), is_whole: false };
            }
            if !self.more().await {
                return Reply {
                    status: 0,
                    headers: vec![],
                    body: std::mem::take(&mut self.unread),
                    is_whole: false,
                };
            }
        }
    }

    /// The next answer to its end.
    pub(crate) async fn reply(&mut self) -> Reply {
        self.reply_to("GET").await
    }

    pub(crate) async fn reply_to(&mut self, method: &str) -> Reply {
        let mut reply = self.head().await;
        if reply.status == 0 {
            return reply;
        }
        if method == "HEAD" || matches!(reply.status, 204 | 304) {
            reply.is_whole = true;
        } else if reply.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk().await {
                if chunk.is_empty() {
                    reply.is_whole = true;
                    break;
                }
                reply.body.extend(chunk);
            }
        } else if let Some(length) = reply.header("content-length") {
            let length: usize = length.parse().unwrap();
            while self.unread.len() < length && self.more().await {}
            reply.is_whole = self.unread.len() >= length;
            let take = length.min(self.unread.len());
            reply.body = self.unread.drain(..take).collect();
        } else {
            while self.more().await {}
            reply.body = std::mem::take(&mut self.unread);
        }
        reply
    }

    /// The next chunk; empty for the last one; none when the connection ended before.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(line) = memchr::memmem::find(&self.unread, b"\r\n") {
                let size = std::str::from_utf8(&self.unread[..line]).unwrap();
                let size = usize::from_str_radix(size, 16).unwrap();
                if self.unread.len() >= line + 2 + size + 2 {
                    let chunk = self.unread[line + 2..line + 2 + size].to_vec();
                    self.unread.drain(..line + 2 + size + 2);
                    return Some(chunk);
                }
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// Waits for the proxy to close; whatever still comes is thrown away.
    pub(crate) async fn closes(&mut self) {
        while !self.read().await.is_empty() {}
    }
}

// === impl Reply ===

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The contract's code, which must stand in header and body alike.
    pub(crate) fn code(&self) -> String {
        let code = self.header("x-claviger-error").unwrap_or_default().to_owned();
        if !code.is_empty() {
            let body: serde_json::Value = serde_json::from_slice(&self.body).expect("a refusal is JSON");
            assert_eq!(body["error"]["code"], code.as_str(), "code in header and body");
            let event = body["error"]["event"].as_str().expect("a refusal has a tracking id");
            assert!(event.starts_with("EVT-"), "tracking id: {event}");
            assert!(!body["error"]["message"].as_str().unwrap().is_empty(), "a refusal has a message");
        }
        code
    }
}
