//! Path patterns: `*` stands for any run of characters within a segment, `**` for any run across segments.
//!
//! Must not know what a path means. Matching reads the path once, whatever the pattern: a bit per pattern position is
//! carried along (shift-and), so no pattern can make it back-track.

/// A compiled path pattern.
#[derive(Debug, Clone)]
pub struct Glob {
    text: Box<str>,
    kind: Shape,
}

#[derive(Debug, Clone)]
enum Shape {
    /// No star at all.
    Exact,
    /// `PREFIX**`: the commonest pattern.
    Prefix,
    /// Anything else.
    Stars(Box<Machine>),
}

/// One bit per position between the pattern's pieces. A piece is a literal byte, `*` or `**`.
#[derive(Debug, Clone)]
struct Machine {
    words: usize,
    /// For each byte: 1 + the row of `literal` that holds its positions; 0 for a byte that the pattern lacks.
    row_of: [u8; 256],
    literal: Vec<u64>,
    within: Vec<u64>,
    across: Vec<u64>,
    last: usize,
}

/// Longer patterns are refused: nobody means them, and the bound keeps matching cheap.
const MAX_LEN: usize = 512;

// === impl Glob ===

impl Glob {
    /// Compiles a pattern; the error says in words what is wrong with it.
    pub fn compile(text: &str) -> Result<Self, &'static str> {
        let bytes = text.as_bytes();
        if !text.starts_with('/') && text != "**" {
            return Err("a path pattern begins with /");
        }
        if bytes.len() > MAX_LEN {
            return Err("a path pattern has at most 512 characters");
        }
        if text.contains("***") {
            return Err("three stars in a row mean nothing; write * or **");
        }
        if !bytes.iter().all(|b| b.is_ascii_graphic()) {
            return Err(
                "a path pattern consists of visible ASCII; write others percent-encoded, as on the wire",
            );
        }
        if bytes.iter().any(|b| matches!(b, b'?' | b'#' | b'\\')) {
            return Err("a path pattern has no query, no fragment and no backslash");
        }
        if text.split('/').any(|segment| segment == "." || segment == "..") {
            return Err("a path pattern has no . or .. segment, since such paths are always refused");
        }
        let kind = match text.find('*') {
            None => Shape::Exact,
            Some(at) if &text[at..] == "**" => Shape::Prefix,
            Some(_) => Shape::Stars(Box::new(Machine::build(bytes))),
        };
        Ok(Self { text: text.into(), kind })
    }

    /// Whether the whole path matches.
    pub fn matches(&self, path: &str) -> bool {
        match &self.kind {
            Shape::Exact => *self.text == *path,
            Shape::Prefix => path.as_bytes().starts_with(&self.text.as_bytes()[..self.text.len() - 2]),
            Shape::Stars(machine) => machine.matches(path.as_bytes()),
        }
    }

    /// The pattern as written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

// === impl Machine ===

impl Machine {
    fn build(pattern: &[u8]) -> Self {
        enum Piece {
            Literal(u8),
            Within,
            Across,
        }
        let mut pieces = Vec::with_capacity(pattern.len());
        let mut at = 0;
        while let Some(&byte) = pattern.get(at) {
            if byte == b'*' && pattern.get(at + 1) == Some(&b'*') {
                pieces.push(Piece::Across);
                at += 2;
            } else if byte == b'*' {
                pieces.push(Piece::Within);
                at += 1;
            } else {
                pieces.push(Piece::Literal(byte));
                at += 1;
            }
        }
        let words = pieces.len() / 64 + 1;
        let mut machine = Self {
            words,
            row_of: [0; 256],
            literal: Vec::new(),
            within: vec![0; words],
            across: vec![0; words],
            last: pieces.len(),
        };
        for (i, piece) in pieces.iter().enumerate() {
            let bit = 1u64 << (i % 64);
            match piece {
                Piece::Within => machine.within[i / 64] |= bit,
                Piece::Across => machine.across[i / 64] |= bit,
                Piece::Literal(byte) => {
                    let row = match machine.row_of[usize::from(*byte)] {
                        0 => {
                            machine.literal.resize(machine.literal.len() + words, 0);
                            // At most 94 visible characters, so the number fits.
                            let row = machine.literal.len() / words;
                            machine.row_of[usize::from(*byte)] = row as u8;
                            row
                        }
                        row => usize::from(row),
                    };
                    machine.literal[(row - 1) * words + i / 64] |= bit;
                }
            }
        }
        machine
    }

    fn matches(&self, path: &[u8]) -> bool {
        let mut here = [0u64; MAX_LEN / 64 + 1];
        let here = &mut here[..self.words];
        here[0] = 1;
        self.pass_stars(here);
        for &byte in path {
            let row = usize::from(self.row_of[usize::from(byte)]);
            let mut carry = 0;
            let mut alive = 0;
            for (w, word) in here.iter_mut().enumerate() {
                let literal = if row == 0 { 0 } else { self.literal[(row - 1) * self.words + w] };
                let moved = *word & literal;
                let mut stayed = *word & self.across[w];
                if byte != b'/' {
                    stayed |= *word & self.within[w];
                }
                *word = stayed | (moved << 1) | carry;
                carry = moved >> 63;
                alive |= *word;
            }
            if alive == 0 {
                return false;
            }
            self.pass_stars(here);
        }
        here[self.last / 64] & (1 << (self.last % 64)) != 0
    }

    /// A star may stand for nothing: whoever is before a star is also behind it. `*` and `**` never stand side by
    /// side, so one step is enough.
    fn pass_stars(&self, here: &mut [u64]) {
        let mut carry = 0;
        for (w, word) in here.iter_mut().enumerate() {
            let before_star = *word & (self.within[w] | self.across[w]);
            *word |= (before_star << 1) | carry;
            carry = before_star >> 63;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn stars_mean_what_the_manual_says() {
        let cases = [
            ("/v1/models", "/v1/models", true),
            ("/v1/models", "/v1/models/", false),
            ("/v1/models", "/v1/Models", false),
            ("/v1/*", "/v1/models", true),
            ("/v1/*", "/v1/", true),
            ("/v1/*", "/v1/a/b", false),
            ("/v1/**", "/v1/a/b", true),
            ("/v1/**", "/v1/", true),
            ("/v1/**", "/v1", false),
            ("/v1/**", "/v12/a", false),
            ("**", "/anything/at/all", true),
            ("/**", "/", true),
            ("/repos/*/*/issues", "/repos/a/b/issues", true),
            ("/repos/*/*/issues", "/repos/a/issues", false),
            ("/repos/*/*/issues", "/repos/a/b/c/issues", false),
            ("/repos/**/issues", "/repos/a/b/c/issues", true),
            ("/repos/**/issues", "/repos/issues", false),
            ("/a*b*c", "/aXbYbZc", true),
            ("/a*b*c", "/aXbYbZ", false),
            ("/a*b*c", "/aX/bYc", false),
            ("/**/x*", "/a/b/xyz", true),
            ("/**/x*", "/a/b/xy/z", false),
            ("/*", "/", true),
            ("/x/*/**", "/x/a/", true),
        ];
        for (pattern, path, wanted) in cases {
            let glob = Glob::compile(pattern).unwrap();
            assert_eq!(glob.matches(path), wanted, "{pattern} on {path}");
        }
    }

    #[test]
    fn unreadable_patterns_are_errors_and_not_rules_that_never_match() {
        for bad in ["", "v1/*", "/a***", "/a b", "/a?b", "/a#b", "/../x", "/a/./b", "/é", "/a\\b", "/a\nb"] {
            assert!(Glob::compile(bad).is_err(), "{bad:?} was accepted");
        }
        let long = format!("/{}", "a".repeat(MAX_LEN));
        assert!(Glob::compile(&long).is_err(), "an overlong pattern was accepted");
    }

    #[test]
    fn a_hostile_pattern_on_a_hostile_path_reads_the_path_once() {
        let pattern: String =
            std::iter::once('/').chain("a*".chars().cycle().take(500)).chain(['b']).collect();
        let glob = Glob::compile(&pattern).unwrap();
        let path = format!("/{}", "a".repeat(64 * 1024));
        let started = std::time::Instant::now();
        assert!(!glob.matches(&path), "there is no b");
        // A back-tracking matcher would not come back before the sun is cold.
        assert!(started.elapsed().as_millis() < 2_000, "took {:?}", started.elapsed());
    }
}
