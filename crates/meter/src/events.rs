//! Server-sent events: takes the data lines out of the stream and hands them to the JSON scanner.
//!
//! Must not know what the data means. Nothing is kept but the place in the line.

use crate::scanner::{Found, Scanner};

/// A reader of server-sent events.
pub(crate) struct Events {
    scanner: Scanner,
    line: Line,
    /// The byte before was a CR, so that an LF belongs to the same line end.
    after_cr: bool,
}

/// Where in a line the stream stands.
#[derive(Clone, Copy)]
enum Line {
    /// This many bytes of `data:` have matched.
    Field(usize),
    /// Just after `data:`, where one space does not belong to the data.
    DataStart,
    /// In the data.
    Data,
    /// In a line of another field, or a comment.
    Other,
}

const DATA: &[u8] = b"data:";
const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

// === impl Events ===

impl Events {
    pub(crate) fn new(scanner: Scanner) -> Self {
        Self { scanner, line: Line::Field(0), after_cr: false }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8], found: &mut impl FnMut(Found<'_>)) {
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            if self.after_cr && first == b'\n' {
                self.after_cr = false;
                rest = &rest[1..];
                continue;
            }
            self.after_cr = false;
            match self.line {
                Line::Field(_) | Line::DataStart if matches!(first, b'\n' | b'\r') => {
                    if matches!(self.line, Line::Field(0)) {
                        // A blank line ends the event; the next one starts a fresh document.
                        self.scanner.reset();
                    }
                    self.end_line(first);
                    rest = &rest[1..];
                }
                // A byte order mark may stand before the first line; anywhere else these bytes begin no field.
                Line::Field(0) if BOM.contains(&first) => rest = &rest[1..],
                Line::Field(at) => {
                    self.line = match DATA.get(at) {
                        Some(&wanted) if wanted == first && at + 1 == DATA.len() => Line::DataStart,
                        Some(&wanted) if wanted == first => Line::Field(at + 1),
                        _ => Line::Other,
                    };
                    rest = &rest[1..];
                }
                Line::DataStart => {
                    self.line = Line::Data;
                    if first == b' ' {
                        rest = &rest[1..];
                    }
                }
                Line::Data | Line::Other => {
                    let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
                    if matches!(self.line, Line::Data) {
                        self.scanner.feed(&rest[..end], found);
                    }
                    if let Some(&ending) = rest.get(end) {
                        self.end_line(ending);
                    }
                    rest = rest.get(end + 1..).unwrap_or_default();
                }
            }
        }
    }

    fn end_line(&mut self, ending: u8) {
        self.after_cr = ending == b'\r';
        self.line = Line::Field(0);
    }
}

#[cfg(test)]
impl Events {
    pub(crate) fn scanner(&self) -> &Scanner {
        &self.scanner
    }
}
