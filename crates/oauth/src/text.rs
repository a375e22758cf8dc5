//! Words that a server chose, made safe to show. Must not know where they are shown.

/// Text from a server without anything that moves a cursor, turns writing around or hides; at most 240 characters.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Shown(String);

/// The longest text that is shown.
const LONGEST: usize = 240;

// === impl Shown ===

impl Shown {
    /// Cleans a server's text.
    pub fn clean(text: &str) -> Self {
        Self::clean_to(text, LONGEST)
    }

    /// Cleans a server's text to at most `longest` characters.
    pub(crate) fn clean_to(text: &str, longest: usize) -> Self {
        let mut out = String::new();
        let mut count = 0;
        for c in text.chars() {
            let c = if c.is_whitespace() { ' ' } else { c };
            if is_invisible(c) || (c == ' ' && out.ends_with(' ')) {
                continue;
            }
            if count == longest {
                out.push('…');
                break;
            }
            out.push(c);
            count += 1;
        }
        Self(out.trim().to_owned())
    }

    /// The text. It may still hold `<` and `&`: escape it where it becomes markup.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Control, format, bidirectional, zero-width, variation and private characters.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c),
            0xad | 0x34f | 0x61c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f | 0x202a..=0x202e
            | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb | 0xe000..=0xf8ff | 0x1bca0..=0x1bca3
            | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff | 0xf0000..=0x10ffff)
}

/// Whether every byte may stand in a token (RFC 6749 appendix A: VSCHAR without space).
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_graphic)
}

/// Whether every byte may stand in a client id or secret (VSCHAR).
pub(crate) fn is_vschar(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| (0x20..=0x7e).contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o22_o56_server_text_cannot_move_hide_or_flood() {
        let cases = [
            ("plain words", "plain words"),
            ("a\u{202e}b\u{2066}c\u{200b}d", "abcd"),
            ("\u{1b}[31mred\u{7}", "[31mred"),
            ("a\r\n\r\nb\t c", "a b c"),
            ("\u{feff}x\u{e0041}", "x"),
            ("<b>&amp;</b>", "<b>&amp;</b>"),
        ];
        for (given, expected) in cases {
            assert_eq!(Shown::clean(given).as_str(), expected, "{given:?}");
        }
        let long = Shown::clean(&"x".repeat(1_000_000));
        assert_eq!(long.as_str().chars().count(), LONGEST + 1, "a megabyte is cut, and the cut is marked");
    }
}
