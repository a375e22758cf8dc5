//! Judges one request head: a pure function from bytes to "go on", "more bytes" or "refuse, because".
//!
//! Must not know sockets. Everything that two HTTP readers could read differently is refused (RFC 9112 §2–6).

use memchr::{memchr, memmem};

/// The limits that a head is held to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    pub(crate) bytes: usize,
    pub(crate) headers: usize,
    pub(crate) target: usize,
    pub(crate) body: u64,
}

/// What the bytes are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// The beginning of a head, so far without fault.
    Partial,
    /// A whole head of this length, and how its body is delimited.
    Complete { len: usize, framing: Framing },
    /// Nothing that is let through.
    Refused(Fault),
}

/// How a body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none.
    None,
    /// So many bytes follow; more than none.
    Length(u64),
    /// Chunks follow.
    Chunked,
}

/// Why bytes are refused: a fixed phrase for the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) reason: &'static str,
}

/// What the agent is told about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    Malformed,
    HeadTooLarge,
    BodyTooLarge,
}

/// What a byte may be part of.
const TOKEN: u8 = 1;
const VALUE: u8 = 2;
const PATH: u8 = 4;
const QUERY: u8 = 8;

static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut i = 0;
    while i < 256 {
        let byte = i as u8;
        let mut class = 0;
        if byte.is_ascii_alphanumeric() || in_set(byte, b"!#$%&'*+-.^_`|~") {
            class |= TOKEN;
        }
        if byte == b'\t' || (byte >= 0x20 && byte < 0x7f) {
            class |= VALUE;
        }
        if byte.is_ascii_alphanumeric() || in_set(byte, b"!$&'()*+,-./:;=@_~%[]|^") {
            class |= PATH;
        }
        if byte.is_ascii_alphanumeric() || in_set(byte, b"!$&'()*+,-./:;=?@_~%[]|^{}`") {
            class |= QUERY;
        }
        table[i] = class;
        i += 1;
    }
    table
}

const fn in_set(byte: u8, set: &[u8]) -> bool {
    let mut i = 0;
    while i < set.len() {
        if set[i] == byte {
            return true;
        }
        i += 1;
    }
    false
}

fn all(bytes: &[u8], class: u8) -> bool {
    bytes.iter().all(|b| CLASS[usize::from(*b)] & class != 0)
}

/// Whether these bytes can stand in a field's name.
pub(super) fn is_token(byte: u8) -> bool {
    CLASS[usize::from(byte)] & TOKEN != 0
}

/// Whether this byte can stand in a field's value.
pub(super) fn is_value(byte: u8) -> bool {
    CLASS[usize::from(byte)] & VALUE != 0
}

const fn malformed(reason: &'static str) -> Fault {
    Fault { kind: FaultKind::Malformed, reason }
}

const fn too_large(reason: &'static str) -> Fault {
    Fault { kind: FaultKind::HeadTooLarge, reason }
}

/// Judges the head at the start of `bytes`, of which the first `seen` were looked at before and found partial.
pub(crate) fn scan(bytes: &[u8], seen: usize, limits: &HeadLimits) -> Scan {
    let from = seen.saturating_sub(3);
    let Some(end) = memmem::find(&bytes[from..], b"\r\n\r\n").map(|at| from + at) else {
        return match judge_partial(bytes, from, limits) {
            Ok(()) => Scan::Partial,
            Err(fault) => Scan::Refused(fault),
        };
    };
    let len = end + 4;
    if len > limits.bytes {
        return Scan::Refused(too_large("the head is larger than the limit"));
    }
    match judge(&bytes[..end + 2], limits) {
        Ok(framing) => Scan::Complete { len, framing },
        Err(fault) => Scan::Refused(fault),
    }
}

/// What can be said before the end is there: no need to wait for it when the rest cannot save the head.
fn judge_partial(bytes: &[u8], from: usize, limits: &HeadLimits) -> Result<(), Fault> {
    if bytes.len() > limits.bytes {
        return Err(too_large("the head is larger than the limit"));
    }
    if bytes.first().is_some_and(|b| !b.is_ascii_uppercase()) {
        return Err(malformed("the request line does not begin with a method"));
    }
    let mut at = from;
    while let Some(lf) = memchr(b'\n', &bytes[at..]) {
        let lf = at + lf;
        if lf == 0 || bytes[lf - 1] != b'\r' {
            return Err(malformed("a line ends in a bare line feed"));
        }
        at = lf + 1;
    }
    if bytes.len() > limits.target + 64 && memchr(b'\n', &bytes[..limits.target + 64]).is_none() {
        return Err(too_large("the request line is longer than the limit"));
    }
    Ok(())
}

/// Judges a whole head, from the request line to the last field's line end.
fn judge(head: &[u8], limits: &HeadLimits) -> Result<Framing, Fault> {
    let (line, mut rest) = next_line(head)?;
    request_line(line, limits)?;
    let mut fields = Fields::default();
    let mut count = 0;
    while !rest.is_empty() {
        let (line, after) = next_line(rest)?;
        rest = after;
        count += 1;
        if count > limits.headers {
            return Err(too_large("there are more header fields than the limit"));
        }
        fields.take(line)?;
    }
    fields.framing(limits)
}

fn next_line(bytes: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let lf = memchr(b'\n', bytes).ok_or(malformed("a line has no end"))?;
    if lf == 0 || bytes[lf - 1] != b'\r' {
        return Err(malformed("a line ends in a bare line feed"));
    }
    Ok((&bytes[..lf - 1], &bytes[lf + 1..]))
}

fn request_line(line: &[u8], limits: &HeadLimits) -> Result<(), Fault> {
    let method_end = memchr(b' ', line).ok_or(malformed("the request line is incomplete"))?;
    let (method, rest) = (&line[..method_end], &line[method_end + 1..]);
    let named = !method.is_empty()
        && method.len() <= 20
        && method[0].is_ascii_uppercase()
        && method.iter().all(|b| b.is_ascii_uppercase() || *b == b'-');
    if !named {
        return Err(malformed("the method is not a name in upper case"));
    }
    let target_end = memchr(b' ', rest).ok_or(malformed("the request line has no version"))?;
    let (target, version) = (&rest[..target_end], &rest[target_end + 1..]);
    if version != b"HTTP/1.1" {
        return Err(malformed("the version is not HTTP/1.1"));
    }
    if method == b"CONNECT" {
        return Err(malformed("CONNECT is not carried here"));
    }
    if method == b"TRACE" {
        return Err(malformed("TRACE is never carried"));
    }
    if target.len() > limits.target {
        return Err(too_large("the request target is longer than the limit"));
    }
    if target.first() != Some(&b'/') {
        return Err(malformed("the request target does not begin with /"));
    }
    let (path, query) = match memchr(b'?', target) {
        Some(at) => (&target[..at], &target[at + 1..]),
        None => (target, &[][..]),
    };
    if !all(path, PATH) {
        return Err(malformed("the path holds a character that must be percent-encoded"));
    }
    if !all(query, QUERY) {
        return Err(malformed("the query holds a character that must be percent-encoded"));
    }
    Ok(())
}

/// The fields that decide where the request ends and whom it is for.
#[derive(Default)]
struct Fields {
    hosts: u32,
    length: Option<u64>,
    is_chunked: bool,
}

// === impl Fields ===

impl Fields {
    fn take(&mut self, line: &[u8]) -> Result<(), Fault> {
        let colon = memchr(b':', line).ok_or(malformed("a header field has no colon"))?;
        let (name, value) = (&line[..colon], trim(&line[colon + 1..]));
        if name.is_empty() || !all(name, TOKEN) {
            return Err(malformed("a header field's name is not a token"));
        }
        if !all(value, VALUE) {
            return Err(malformed("a header field's value holds a control or non-ASCII character"));
        }
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                self.hosts += 1;
                if self.hosts > 1 {
                    return Err(malformed("there is more than one Host"));
                }
            }
            6 if name.eq_ignore_ascii_case(b"expect") && !value.eq_ignore_ascii_case(b"100-continue") => {
                return Err(malformed("Expect asks for something unknown"));
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                if self.length.is_some() {
                    return Err(malformed("there is more than one Content-Length"));
                }
                self.length = Some(length(value)?);
            }
            14 if name.eq_ignore_ascii_case(b"content_length") => {
                return Err(malformed("Content-Length is written with an underscore"));
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if self.is_chunked {
                    return Err(malformed("there is more than one Transfer-Encoding"));
                }
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(malformed("Transfer-Encoding is not chunked alone"));
                }
                self.is_chunked = true;
            }
            17 if name.eq_ignore_ascii_case(b"transfer_encoding") => {
                return Err(malformed("Transfer-Encoding is written with an underscore"));
            }
            _ => {}
        }
        Ok(())
    }

    fn framing(self, limits: &HeadLimits) -> Result<Framing, Fault> {
        if self.hosts == 0 {
            return Err(malformed("there is no Host"));
        }
        match (self.length, self.is_chunked) {
            (Some(_), true) => Err(malformed("Content-Length stands beside Transfer-Encoding")),
            (None, true) => Ok(Framing::Chunked),
            (None | Some(0), false) => Ok(Framing::None),
            (Some(n), false) if n > limits.body => {
                Err(Fault { kind: FaultKind::BodyTooLarge, reason: "Content-Length is above the limit" })
            }
            (Some(n), false) => Ok(Framing::Length(n)),
        }
    }
}

fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn length(value: &[u8]) -> Result<u64, Fault> {
    if value.is_empty() || value.len() > 18 || !value.iter().all(u8::is_ascii_digit) {
        return Err(malformed("Content-Length is not a plain number"));
    }
    Ok(value.iter().fold(0, |n, digit| n * 10 + u64::from(digit - b'0')))
}
