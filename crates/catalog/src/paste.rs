//! Takes a key out of what people paste: quotes, `NAME=`, `export`, a header line, white space.
//!
//! Must not know what keys look like. The key is borrowed from the paste and never copied.

/// A pasted key without what stood around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paste<'a> {
    /// The key.
    pub text: &'a str,
    /// Whether anything but the key was pasted.
    pub trimmed: bool,
    /// The name it was pasted with, as a word to call the credential by: `openai` for `OPENAI_API_KEY=…`.
    pub name_hint: Option<String>,
    /// The name it was pasted with, as it stood there.
    pub variable: Option<&'a str>,
}

/// Names of assignments in shells, before the variable.
const ASSIGNMENTS: [&str; 6] = ["export ", "set ", "setx ", "declare -x ", "$env:", "$Env:"];
/// Names of headers and schemes that may stand before a key.
const SCHEMES: [&str; 4] = ["Bearer ", "bearer ", "token ", "Token "];
/// Ends of variable names that say nothing about whose key it is.
const SUFFIXES: [&str; 9] = [
    "_api_key",
    "_api_token",
    "_access_token",
    "_auth_token",
    "_secret_key",
    "_bot_token",
    "_token",
    "_key",
    "_secret",
];

/// Takes the key out of pasted text.
pub fn clean_paste(pasted: &str) -> Paste<'_> {
    let mut rest = strip(pasted);
    for assignment in ASSIGNMENTS {
        rest = rest.strip_prefix(assignment).map_or(rest, str::trim_start);
    }
    let (variable, mut text) = split_name(rest).map_or((None, rest), |(name, value)| (Some(name), value));
    // A statement's end, then quotes, which may stand around a scheme as well.
    text = text.trim_end_matches([';', ',']);
    text = unquote(strip(text));
    for scheme in SCHEMES {
        text = text.strip_prefix(scheme).map_or(text, str::trim_start);
    }
    text = unquote(text);
    Paste { text, trimmed: text.len() != pasted.len(), name_hint: variable.and_then(hint), variable }
}

/// White space of all kinds, and the marks without width that come along with copying from pages.
fn strip(text: &str) -> &str {
    text.trim_matches(|c: char| {
        c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
    })
}

/// `NAME=value`, `NAME: value`, `"NAME": "value"`. A key may itself hold `=` and `:`, so the name must look like one.
fn split_name(text: &str) -> Option<(&str, &str)> {
    let at = text.find(['=', ':'])?;
    let (name, value) = (text.get(..at)?, text.get(at + 1..)?);
    let name = unquote(strip(name));
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    // Lower-case names are taken in lines that only a configuration has, with a space or a quote after them.
    let is_upper = !name.bytes().any(|b| b.is_ascii_lowercase());
    let is_spaced = value.starts_with([' ', '"', '\'']);
    let value = strip(value);
    (is_name && (is_upper && name.contains('_') || is_spaced) && !value.is_empty()).then_some((name, value))
}

fn unquote(text: &str) -> &str {
    for quote in ['"', '\'', '`'] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote)) {
            return strip(inner);
        }
    }
    text
}

fn hint(variable: &str) -> Option<String> {
    let lower = variable.to_ascii_lowercase().replace('-', "_");
    // The name of a header says nothing.
    if lower == "authorization" {
        return None;
    }
    let stem = SUFFIXES.iter().find_map(|suffix| lower.strip_suffix(suffix)).unwrap_or(&lower);
    let word = stem.trim_matches('_').replace('_', "-");
    (!word.is_empty()).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_out_of_what_stands_around_it() {
        let key = "sk-proj-abc_DEF-123=";
        let cases = [
            ("sk-proj-abc_DEF-123=", None),
            ("  sk-proj-abc_DEF-123=\n", None),
            ("\u{feff}sk-proj-abc_DEF-123=\u{200b}", None),
            ("\"sk-proj-abc_DEF-123=\"", None),
            ("'sk-proj-abc_DEF-123='", None),
            ("`sk-proj-abc_DEF-123=`", None),
            ("OPENAI_API_KEY=sk-proj-abc_DEF-123=", Some("openai")),
            ("OPENAI_API_KEY=\"sk-proj-abc_DEF-123=\"", Some("openai")),
            ("export OPENAI_API_KEY=sk-proj-abc_DEF-123=", Some("openai")),
            ("export OPENAI_API_KEY='sk-proj-abc_DEF-123=';\n", Some("openai")),
            ("set OPENAI_API_KEY=sk-proj-abc_DEF-123=\r\n", Some("openai")),
            ("$env:OPENAI_API_KEY = \"sk-proj-abc_DEF-123=\"", Some("openai")),
            ("OPENAI_API_KEY: sk-proj-abc_DEF-123=", Some("openai")),
            ("  \"OPENAI_API_KEY\": \"sk-proj-abc_DEF-123=\",", Some("openai")),
            ("openai_key: \"sk-proj-abc_DEF-123=\"", Some("openai")),
            ("Authorization: Bearer sk-proj-abc_DEF-123=", None),
            ("Bearer sk-proj-abc_DEF-123=", None),
            ("MY_OTHER_SECRET=sk-proj-abc_DEF-123=", Some("my-other")),
        ];
        for (pasted, name) in cases {
            let paste = clean_paste(pasted);
            assert_eq!(paste.text, key, "from {pasted:?}");
            assert_eq!(paste.name_hint.as_deref(), name, "name in {pasted:?}");
            assert_eq!(paste.trimmed, pasted != key, "whether {pasted:?} was trimmed");
        }
    }

    #[test]
    fn keys_with_signs_in_them_stay_whole() {
        for key in [
            "1/1204:0123456789abcdef",
            "abc=def",
            "12345:AAE_x",
            "a:b",
            "fm2_lJPE/+=",
            "key=",
            "=",
            "",
            "é=x",
        ] {
            assert_eq!(clean_paste(key).text, key, "{key:?} was cut");
            assert!(!clean_paste(key).trimmed, "{key:?} was trimmed");
        }
    }
}
