//! A streaming JSON scanner that looks at two places only: the members of the top-level object, and those of one object
//! right below it. It hands out the usage object and the model string it finds there.
//!
//! Must not know what usage means. Strings, nesting and escapes are tracked everywhere, so that text inside an answer
//! can never pass for usage; nothing but the wanted values is kept, and of those at most [`KEPT`] bytes.

use claviger_model::UsageShape;

/// A wanted value, as raw JSON.
pub(crate) enum Found<'a> {
    /// The usage object.
    Usage(&'a [u8]),
    /// The model string, with its quotes.
    Model(&'a [u8]),
}

/// At most this many bytes of a usage object are kept; a larger one is not counted.
const KEPT: usize = 8 * 1024;
/// At most this many raw bytes of a model string or a member name are kept.
const KEPT_STRING: usize = 512;
const KEPT_NAME: usize = 24;

/// The scanner's whole state between two pieces.
pub(crate) struct Scanner {
    shape: UsageShape,
    /// Open brackets. An array around all documents is not counted, see `in_array`.
    depth: u32,
    /// Gemini streams without `alt=sse` are one array of documents.
    in_array: bool,
    /// The bracket at depth 1 opened an object.
    top_is_object: bool,
    /// The bracket at depth 2 opened the one object below the top that is looked into.
    inner: bool,
    /// What comes next, in an object that is looked into.
    expect: Expect,
    /// The member whose value comes next.
    member: Member,
    string: Option<Text>,
    /// The byte before was a backslash in a string.
    escaped: bool,
    /// The usage object is open since this depth.
    usage_since: Option<u32>,
    kept: Vec<u8>,
    name: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Name,
    Colon,
    Value,
    Comma,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Member {
    Usage,
    Model,
    /// An object to look into.
    Inner,
    Other,
}

/// What an open string is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    Name,
    Model,
    Other,
}

/// Bytes that mean something outside strings when the object is not looked into.
const STRUCTURAL: [bool; 256] = {
    let mut table = [false; 256];
    table[b'"' as usize] = true;
    table[b'{' as usize] = true;
    table[b'}' as usize] = true;
    table[b'[' as usize] = true;
    table[b']' as usize] = true;
    table
};

/// Bytes that mean something outside strings where members are looked at.
const MEMBERS: [bool; 256] = {
    let mut table = STRUCTURAL;
    table[b':' as usize] = true;
    table[b',' as usize] = true;
    table
};

// === impl Scanner ===

impl Scanner {
    pub(crate) fn new(shape: UsageShape) -> Self {
        Self {
            shape,
            depth: 0,
            in_array: false,
            top_is_object: false,
            inner: false,
            expect: Expect::Comma,
            member: Member::Other,
            string: None,
            escaped: false,
            usage_since: None,
            kept: Vec::new(),
            name: Vec::new(),
        }
    }

    /// Forgets the place; the next byte starts a document.
    pub(crate) fn reset(&mut self) {
        self.depth = 0;
        self.in_array = false;
        self.inner = false;
        self.string = None;
        self.escaped = false;
        self.usage_since = None;
        self.kept.clear();
    }

    pub(crate) fn feed(&mut self, bytes: &[u8], found: &mut impl FnMut(Found<'_>)) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = if self.string.is_some() {
                self.in_string(rest, found)
            } else {
                let is_wanted = self.usage_since.is_some();
                let table = if is_wanted || !self.is_looking() { &STRUCTURAL } else { &MEMBERS };
                let skip = rest.iter().position(|b| table[*b as usize]).unwrap_or(rest.len());
                // With the byte that means something: a quote or a bracket belongs to the object.
                let run = &rest[..rest.len().min(skip + 1)];
                if is_wanted {
                    self.keep_usage(run);
                }
                match rest.get(skip) {
                    Some(b':') if self.expect == Expect::Colon => self.expect = Expect::Value,
                    Some(b':') => {}
                    Some(b',') => self.expect = Expect::Name,
                    Some(&byte) => self.structural(byte, found),
                    None => return,
                }
                &rest[run.len()..]
            };
        }
    }

    /// Whether the innermost open object is one whose members are looked at.
    fn is_looking(&self) -> bool {
        match self.depth {
            1 => self.top_is_object,
            2 => self.inner,
            _ => false,
        }
    }

    /// Goes to the end of the open string, or of the piece.
    fn in_string<'a>(&mut self, bytes: &'a [u8], found: &mut impl FnMut(Found<'_>)) -> &'a [u8] {
        if self.escaped {
            self.escaped = false;
            self.keep_string(&bytes[..1]);
            return &bytes[1..];
        }
        let Some(at) = memchr::memchr2(b'"', b'\\', bytes) else {
            self.keep_string(bytes);
            return &[];
        };
        if bytes[at] == b'\\' {
            self.escaped = true;
            self.keep_string(&bytes[..=at]);
        } else {
            self.keep_string(&bytes[..at]);
            self.end_string(found);
        }
        &bytes[at + 1..]
    }

    fn keep_string(&mut self, bytes: &[u8]) {
        if self.usage_since.is_some() {
            self.keep_usage(bytes);
            return;
        }
        let (into, most) = match self.string {
            Some(Text::Name) => (&mut self.name, KEPT_NAME),
            Some(Text::Model) => (&mut self.kept, KEPT_STRING),
            _ => return,
        };
        // One byte beyond the limit marks it as too long.
        let room = (most + 1).saturating_sub(into.len());
        into.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn keep_usage(&mut self, bytes: &[u8]) {
        let room = (KEPT + 1).saturating_sub(self.kept.len());
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_string(&mut self, found: &mut impl FnMut(Found<'_>)) {
        let text = self.string.take();
        if self.usage_since.is_some() {
            self.keep_usage(b"\"");
            return;
        }
        match text {
            Some(Text::Name) => {
                self.member = self.member_of(&self.name);
                self.expect = Expect::Colon;
            }
            Some(Text::Model) => {
                self.expect = Expect::Comma;
                if self.kept.len() <= KEPT_STRING {
                    self.kept.push(b'"');
                    found(Found::Model(&self.kept));
                }
                self.kept.clear();
            }
            _ => {}
        }
    }

    fn member_of(&self, name: &[u8]) -> Member {
        match (self.shape, name) {
            (UsageShape::OpenAi | UsageShape::Anthropic | UsageShape::Detect, b"usage") => Member::Usage,
            (UsageShape::OpenAi | UsageShape::Anthropic | UsageShape::Detect, b"model") => Member::Model,
            (UsageShape::Gemini | UsageShape::Detect, b"usageMetadata") => Member::Usage,
            (UsageShape::Gemini | UsageShape::Detect, b"modelVersion") => Member::Model,
            // The responses API wraps the answer in its events; Groq's streams carry usage in `x_groq`.
            (UsageShape::OpenAi | UsageShape::Detect, b"response" | b"x_groq") if self.depth == 1 => {
                Member::Inner
            }
            (UsageShape::Anthropic | UsageShape::Detect, b"message") if self.depth == 1 => Member::Inner,
            _ => Member::Other,
        }
    }

    /// A quote or a bracket outside strings.
    fn structural(&mut self, byte: u8, found: &mut impl FnMut(Found<'_>)) {
        match byte {
            b'"' => self.start_string(),
            b'{' | b'[' => self.open(byte == b'{'),
            _ => self.close(found),
        }
    }

    fn start_string(&mut self) {
        let looking = self.is_looking() && self.usage_since.is_none();
        self.string = Some(match self.expect {
            Expect::Name if looking => {
                self.name.clear();
                Text::Name
            }
            Expect::Value if looking && self.member == Member::Model => {
                self.kept.clear();
                self.kept.push(b'"');
                Text::Model
            }
            _ => Text::Other,
        });
        if looking && self.expect == Expect::Value {
            self.expect = Expect::Comma;
        }
    }

    fn open(&mut self, is_object: bool) {
        if self.depth == 0 {
            if !is_object && !self.in_array {
                self.in_array = true;
                return;
            }
            self.top_is_object = is_object;
            self.expect = Expect::Name;
        } else if self.usage_since.is_none() && self.is_looking() {
            let value = self.expect == Expect::Value && is_object;
            self.expect = Expect::Comma;
            match self.member {
                Member::Usage if value => {
                    self.usage_since = Some(self.depth + 1);
                    self.kept.clear();
                    self.kept.push(b'{');
                }
                Member::Inner if value && self.depth == 1 => {
                    self.inner = true;
                    self.expect = Expect::Name;
                }
                _ => {}
            }
        }
        self.depth = self.depth.saturating_add(1);
    }

    fn close(&mut self, found: &mut impl FnMut(Found<'_>)) {
        if self.usage_since == Some(self.depth) {
            self.usage_since = None;
            if self.kept.len() <= KEPT {
                found(Found::Usage(&self.kept));
            }
            self.kept.clear();
        }
        if self.depth == 2 {
            self.inner = false;
        }
        if self.depth <= 2 {
            self.expect = Expect::Comma;
        }
        match self.depth {
            0 => self.in_array = false,
            _ => self.depth -= 1,
        }
    }
}

#[cfg(test)]
impl Scanner {
    /// Bytes of memory held between pieces.
    pub(crate) fn held(&self) -> usize {
        self.kept.capacity() + self.name.capacity()
    }
}
