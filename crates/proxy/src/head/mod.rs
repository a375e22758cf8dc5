//! The gate: every request head is judged here, on its raw bytes, before the HTTP library sees it.
//!
//! Must not know tokens, grants or upstreams. The HTTP library accepts far more than a credential proxy may (two
//! `Host` fields, `Content-Length` beside `Transfer-Encoding`, bare line feeds …); what passes here is the narrow form
//! that every server reads alike.

mod chunks;
mod gate;
mod scan;

pub(crate) use gate::{Gate, REFUSED_METHOD};
pub(crate) use scan::{Fault, FaultKind, HeadLimits};

/// A request head that was refused, and what of it may be recorded.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) fault: Fault,
    pub(crate) method: String,
    pub(crate) path: String,
}

// === impl Violation ===

impl Violation {
    /// Reads method and path from hostile bytes, as far as they are fit to be shown. No query: it may hold a token.
    pub(crate) fn new(fault: Fault, head: &[u8]) -> Self {
        let line = head.split(|b| matches!(b, b'\r' | b'\n')).next().unwrap_or_default();
        let mut words = line.split(|b| *b == b' ');
        let method = words.next().unwrap_or_default();
        let method =
            if method.len() <= 20 && method.iter().all(u8::is_ascii_uppercase) { method } else { b"" };
        let target = words.next().filter(|target| target.starts_with(b"/")).unwrap_or_default();
        let path = target.split(|b| *b == b'?').next().unwrap_or_default();
        let path = crate::path::without_base(path);
        let show = |bytes: &[u8]| {
            bytes.iter().take(256).filter(|b| b.is_ascii_graphic()).map(|b| *b as char).collect()
        };
        Self { fault, method: show(method), path: show(path) }
    }
}
