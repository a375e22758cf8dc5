//! Stands between the socket and the HTTP library and lets through only heads that were judged.
//!
//! Must not know what requests mean. Bytes are judged where they lie in the library's own buffer; only a head that
//! arrives in pieces is held back and copied. A refused head is replaced by a harmless one with a method that no agent
//! can send, so that the refusal takes the ordinary way: answer, record, close.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::Violation;
use super::chunks::Chunks;
use super::scan::{Fault, FaultKind, Framing, HeadLimits, Scan, scan};
use crate::conn::Wire;

/// The method of the head that stands in for a refused one. Lower case, so the gate itself never passes it.
pub(crate) const REFUSED_METHOD: &str = "refused";
const STAND_IN: &[u8] = b"refused / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";

/// What is still read and thrown away after the last answer, so that closing does not reset the connection before the
/// agent has read it.
const LINGER_BYTES: usize = 32 * 1024 * 1024;
const LINGER_TIME: Duration = Duration::from_secs(2);

/// A socket whose reads hold judged heads only.
pub(crate) struct Gate<S> {
    socket: S,
    wire: Arc<Wire>,
    limits: HeadLimits,
    place: Place,
    /// Bytes that were read but may not go on yet; the first `cleared` of them may.
    held: Vec<u8>,
    cleared: usize,
    /// How much of `held` was judged as partial already.
    seen: usize,
    mode: Mode,
    linger: Option<Pin<Box<Sleep>>>,
    lingered: usize,
    is_shut: bool,
}

/// Where in the stream of messages the next unjudged byte stands.
#[derive(Debug)]
enum Place {
    Head,
    Length(u64),
    Chunked(Chunks),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Open,
    /// The stand-in follows, of which so many bytes were given.
    Refused(usize),
    /// A body that was under way broke the rules: reading fails.
    Broken,
}

// === impl Gate ===

impl<S> Gate<S> {
    pub(crate) const fn new(socket: S, wire: Arc<Wire>, limits: HeadLimits) -> Self {
        Self {
            socket,
            wire,
            limits,
            place: Place::Head,
            held: Vec::new(),
            cleared: 0,
            seen: 0,
            mode: Mode::Open,
            linger: None,
            lingered: 0,
            is_shut: false,
        }
    }

    /// Judges `bytes`, which follow on everything cleared so far. Says how many of them may go on.
    fn clear(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        let mut heads = 0;
        // Where the message under way begins, while all of it still lies in `bytes`.
        let mut begun = None;
        let fault_at = loop {
            if at == bytes.len() {
                break None;
            }
            match &mut self.place {
                Place::Head => match scan(&bytes[at..], if at == 0 { self.seen } else { 0 }, &self.limits) {
                    Scan::Partial => break None,
                    Scan::Refused(fault) => break Some((at, fault)),
                    Scan::Complete { len, framing } => {
                        begun = Some(at);
                        at += len;
                        heads += 1;
                        self.place = match framing {
                            Framing::None => Place::Head,
                            Framing::Length(n) => Place::Length(n),
                            Framing::Chunked => Place::Chunked(Chunks::new(self.limits.body)),
                        };
                    }
                },
                Place::Length(left) => {
                    let take = (*left).min((bytes.len() - at) as u64);
                    at += take as usize;
                    *left -= take;
                    if *left == 0 {
                        self.place = Place::Head;
                    }
                }
                Place::Chunked(chunks) => match chunks.read(&bytes[at..]) {
                    Ok((read, is_over)) => {
                        at += read;
                        if is_over {
                            self.place = Place::Head;
                        }
                    }
                    Err(fault) => match begun {
                        // Nobody has seen this request yet: it is refused as a whole.
                        Some(start) => {
                            heads -= 1;
                            break Some((start, fault));
                        }
                        None => {
                            self.wire.break_body(fault);
                            self.mode = Mode::Broken;
                            return at;
                        }
                    },
                },
            }
        };
        self.wire.heads_passed(heads);
        if let Some((start, fault)) = fault_at {
            self.refuse(fault, &bytes[start..]);
            return start;
        }
        at
    }

    fn refuse(&mut self, fault: Fault, head: &[u8]) {
        self.wire.refuse_head(Violation::new(fault, head));
        self.wire.heads_passed(1);
        self.mode = Mode::Refused(0);
    }

    fn broken() -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, "the body is not well formed")
    }
}

impl<S: AsyncRead + Unpin> Gate<S> {
    /// The common case: nothing is held, and what arrives is whole heads or bodies.
    fn read_through(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        let new = &buf.filled()[before..];
        let count = new.len();
        if count == 0 {
            return Poll::Ready(Ok(0));
        }
        self.wire.progress();
        self.seen = 0;
        let cleared = self.clear(new);
        if cleared < count {
            if self.mode == Mode::Open {
                self.held.extend_from_slice(&new[cleared..]);
                self.seen = self.held.len();
                self.wire.head_is_partial(true);
            }
            buf.set_filled(before + cleared);
        }
        Poll::Ready(Ok(count))
    }

    /// A head came in pieces: collect until it can be judged.
    fn read_more(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        let count = buf.filled().len() - before;
        if count == 0 {
            return Poll::Ready(Ok(0));
        }
        self.held.extend_from_slice(&buf.filled()[before..]);
        buf.set_filled(before);
        let held = std::mem::take(&mut self.held);
        self.cleared = self.clear(&held);
        self.held = held;
        if self.mode == Mode::Open {
            self.seen = self.held.len() - self.cleared;
        } else {
            self.held.truncate(self.cleared);
        }
        if self.cleared > 0 {
            self.wire.progress();
            self.wire.head_is_partial(self.seen > 0 && self.held.len() > self.cleared);
        }
        Poll::Ready(Ok(count))
    }

    /// Passes on what was cleared of the held bytes.
    fn give(&mut self, buf: &mut ReadBuf<'_>) {
        let count = self.cleared.min(buf.remaining());
        buf.put_slice(&self.held[..count]);
        self.held.drain(..count);
        self.cleared -= count;
        if self.held.is_empty() && self.held.capacity() > 4096 {
            self.held = Vec::new();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gate<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            if this.cleared > 0 {
                this.give(buf);
                return Poll::Ready(Ok(()));
            }
            match this.mode {
                Mode::Open => {}
                Mode::Broken => return Poll::Ready(Err(Self::broken())),
                Mode::Refused(given) if given < STAND_IN.len() => {
                    let rest = &STAND_IN[given..];
                    let count = rest.len().min(buf.remaining());
                    buf.put_slice(&rest[..count]);
                    this.mode = Mode::Refused(given + count);
                    return Poll::Ready(Ok(()));
                }
                // Nothing more is read; the library closes after the answer, which asks for it.
                Mode::Refused(_) => return Poll::Pending,
            }
            let before = buf.filled().len();
            let count = if this.held.is_empty() {
                ready!(this.read_through(cx, buf))?
            } else {
                ready!(this.read_more(cx, buf))?
            };
            if count == 0 || buf.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gate<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    /// Closes our side, then reads on for a moment: a socket closed with unread bytes resets the connection, and the
    /// agent might never see the answer.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.is_shut {
            ready!(Pin::new(&mut this.socket).poll_shutdown(cx))?;
            this.is_shut = true;
        }
        let linger = this
            .linger
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + LINGER_TIME)));
        let mut scratch = [0u8; 8 * 1024];
        loop {
            let mut buf = ReadBuf::new(&mut scratch);
            match Pin::new(&mut this.socket).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() && this.lingered < LINGER_BYTES => {
                    this.lingered += buf.filled().len();
                }
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return linger.as_mut().poll(cx).map(Ok),
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

// === impl FaultKind ===

impl FaultKind {
    /// The status that goes with a `too_large`.
    pub(crate) const fn status(self) -> Option<http::StatusCode> {
        match self {
            Self::Malformed => None,
            Self::HeadTooLarge => Some(http::StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
            Self::BodyTooLarge => Some(http::StatusCode::PAYLOAD_TOO_LARGE),
        }
    }
}
