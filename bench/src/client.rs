//! An HTTP/1.1 client on a blocking socket: little code between the clock and the wire. Must not know proxies.

use crate::{CONFIRMATION, Outcome, tls};
use rustls::pki_types::ServerName;
use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

/// Where requests go and what they say.
#[derive(Clone)]
pub struct Target {
    tls: Option<Arc<rustls::ClientConfig>>,
    host: String,
    port: u16,
    path: String,
    headers: Vec<String>,
}

/// An open connection.
pub struct Connection {
    stream: Box<dyn ReadWrite>,
    buffer: Vec<u8>,
    filled: usize,
    /// How many reads brought something.
    pub reads: u64,
}

/// The head of an answer.
pub struct Head {
    /// Its status.
    pub status: u16,
    /// Whether the upstream confirmed the real key.
    pub confirmed: bool,
    length: Option<u64>,
    chunked: bool,
}

trait ReadWrite: Read + Write + Send {}
impl<T: Read + Write + Send> ReadWrite for T {}

// === impl Target ===

impl Target {
    /// Reads `http://host:port/path` or `https://…`; `ca` is the file to trust for the latter.
    pub fn parse(url: &str, headers: &[String], ca: Option<&str>) -> Outcome<Self> {
        let (https, rest) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(format!("{url}: not an http or https address").into()),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = authority.split_once(':').ok_or("the address needs a port")?;
        let tls =
            if https { Some(tls::client(ca.ok_or("--ca is missing for an https address")?)?) } else { None };
        let path = format!("/{path}");
        Ok(Self { tls, host: host.to_owned(), port: port.parse()?, path, headers: headers.to_vec() })
    }

    /// The bytes of a request's head; a body of `length` bytes follows it.
    pub fn request(&self, method: &str, length: Option<u64>) -> Vec<u8> {
        let Self { host, port, path, .. } = self;
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: bench/1\r\nAccept: */*\r\n"
        );
        for header in &self.headers {
            head += &format!("{header}\r\n");
        }
        if let Some(length) = length {
            head += &format!("Content-Length: {length}\r\n");
        }
        head += "\r\n";
        head.into_bytes()
    }

    /// Connects, with the TLS handshake done.
    pub fn connect(&self) -> Outcome<Connection> {
        let mut socket = TcpStream::connect((self.host.as_str(), self.port))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(30)))?;
        let stream: Box<dyn ReadWrite> = match &self.tls {
            None => Box::new(socket),
            Some(config) => {
                let name = ServerName::try_from(self.host.clone())?;
                let mut session = rustls::ClientConnection::new(config.clone(), name)?;
                while session.is_handshaking() {
                    session.complete_io(&mut socket)?;
                }
                Box::new(rustls::StreamOwned::new(session, socket))
            }
        };
        Ok(Connection { stream, buffer: vec![0; 256 * 1024], filled: 0, reads: 0 })
    }
}

// === impl Connection ===

impl Connection {
    /// Writes and flushes.
    pub fn send(&mut self, bytes: &[u8]) -> Outcome {
        self.stream.write_all(bytes)?;
        Ok(self.stream.flush()?)
    }

    /// What was read and not yet taken.
    pub fn unread(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    /// Reads some more; the end of the connection is an error.
    pub fn read_more(&mut self) -> Outcome {
        if self.filled == self.buffer.len() {
            return Err("an answer's head or line does not fit the buffer".into());
        }
        let n = self.stream.read(&mut self.buffer[self.filled..])?;
        if n == 0 {
            return Err("the connection ended".into());
        }
        self.filled += n;
        self.reads += 1;
        Ok(())
    }

    /// Takes the first `n` bytes away.
    pub fn take(&mut self, n: usize) {
        self.buffer.copy_within(n..self.filled, 0);
        self.filled -= n;
    }

    /// Reads the head of an answer, and takes it away.
    pub fn head(&mut self) -> Outcome<Head> {
        let end = loop {
            if let Some(at) = find(self.unread(), b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more()?;
        };
        let text = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        let status = text.split(' ').nth(1).unwrap_or_default().parse()?;
        let mut head = Head { status, confirmed: false, length: None, chunked: false };
        for (name, value) in text.lines().skip(1).filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                head.length = value.parse().ok();
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                head.chunked = value.eq_ignore_ascii_case("chunked");
            } else if name.eq_ignore_ascii_case(CONFIRMATION) {
                head.confirmed = value == "1";
            }
        }
        self.take(end);
        Ok(head)
    }

    /// Reads a whole answer and says how long its body was.
    pub fn answer(&mut self) -> Outcome<(Head, u64)> {
        let head = self.head()?;
        let length = match (head.chunked, head.length) {
            (true, _) => self.skip_chunks()?,
            (false, Some(length)) => self.skip(length).map(|()| length)?,
            (false, None) => return Err("an answer without a length".into()),
        };
        Ok((head, length))
    }

    fn skip(&mut self, mut left: u64) -> Outcome {
        loop {
            let n = usize::try_from(left).unwrap_or(usize::MAX).min(self.filled);
            self.take(n);
            left -= n as u64;
            if left == 0 {
                return Ok(());
            }
            self.read_more()?;
        }
    }

    fn skip_chunks(&mut self) -> Outcome<u64> {
        let mut total = 0;
        loop {
            let end = loop {
                if let Some(at) = find(self.unread(), b"\r\n") {
                    break at;
                }
                self.read_more()?;
            };
            let size = u64::from_str_radix(std::str::from_utf8(&self.buffer[..end])?.trim(), 16)?;
            self.take(end + 2);
            self.skip(size + 2)?;
            total += size;
            if size == 0 {
                return Ok(total);
            }
        }
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}
