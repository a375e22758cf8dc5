//! Follows a chunked body in passing, to know where it ends. Strict: no extensions, no spaces, no bare line feeds.
//!
//! Must not know sockets or keep any bytes (RFC 9112 §7.1).

use super::scan::{Fault, FaultKind, is_token, is_value};

/// Where in a chunked body the next byte stands.
#[derive(Debug)]
pub(super) struct Chunks {
    at: At,
    total: u64,
    limit: u64,
    trailer_bytes: u32,
}

#[derive(Debug, Clone, Copy)]
enum At {
    Size { digits: u8, value: u64 },
    SizeLf { value: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
}

const MAX_TRAILER_BYTES: u32 = 8 * 1024;

// === impl Chunks ===

impl Chunks {
    pub(super) const fn new(limit: u64) -> Self {
        Self { at: At::Size { digits: 0, value: 0 }, total: 0, limit, trailer_bytes: 0 }
    }

    /// Reads on; says how many of the bytes belong to this body and whether it ended.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(usize, bool), Fault> {
        let mut i = 0;
        while i < bytes.len() {
            let byte = bytes[i];
            self.at = match self.at {
                At::Data { left } => {
                    let take = left.min((bytes.len() - i) as u64);
                    i += take as usize;
                    self.at = if take == left { At::DataCr } else { At::Data { left: left - take } };
                    continue;
                }
                At::Size { digits, value } => match (byte, (byte as char).to_digit(16)) {
                    (_, Some(digit)) if digits < 15 => {
                        At::Size { digits: digits + 1, value: value << 4 | u64::from(digit) }
                    }
                    (b'\r', _) if digits > 0 => At::SizeLf { value },
                    _ => return Err(malformed("a chunk's size is not a plain hexadecimal number")),
                },
                At::SizeLf { value } => {
                    expect(byte, b'\n', "a chunk's size does not end in CR LF")?;
                    self.total = self.total.saturating_add(value);
                    if self.total > self.limit {
                        return Err(Fault {
                            kind: FaultKind::BodyTooLarge,
                            reason: "the body is above the limit",
                        });
                    }
                    if value == 0 { At::TrailerStart } else { At::Data { left: value } }
                }
                At::DataCr => {
                    expect(byte, b'\r', "a chunk is longer than its size")?;
                    At::DataLf
                }
                At::DataLf => {
                    expect(byte, b'\n', "a chunk does not end in CR LF")?;
                    At::Size { digits: 0, value: 0 }
                }
                At::TrailerStart if byte == b'\r' => At::EndLf,
                At::TrailerStart if is_token(byte) => self.trailer(At::TrailerName)?,
                At::TrailerName if byte == b':' => self.trailer(At::TrailerValue)?,
                At::TrailerName if is_token(byte) => self.trailer(At::TrailerName)?,
                At::TrailerValue if byte == b'\r' => At::TrailerLf,
                At::TrailerValue if is_value(byte) => self.trailer(At::TrailerValue)?,
                At::TrailerLf if byte == b'\n' => At::TrailerStart,
                At::TrailerStart | At::TrailerName | At::TrailerValue | At::TrailerLf => {
                    return Err(malformed("a trailer field is not well formed"));
                }
                At::EndLf => {
                    expect(byte, b'\n', "the body does not end in CR LF")?;
                    return Ok((i + 1, true));
                }
            };
            i += 1;
        }
        Ok((i, false))
    }

    fn trailer(&mut self, next: At) -> Result<At, Fault> {
        self.trailer_bytes += 1;
        if self.trailer_bytes > MAX_TRAILER_BYTES {
            return Err(malformed("the trailer is larger than the limit"));
        }
        Ok(next)
    }
}

const fn malformed(reason: &'static str) -> Fault {
    Fault { kind: FaultKind::Malformed, reason }
}

const fn expect(byte: u8, wanted: u8, reason: &'static str) -> Result<(), Fault> {
    if byte == wanted { Ok(()) } else { Err(malformed(reason)) }
}
