//! Paths and queries byte by byte: what is canonical enough to be forwarded, and how a parameter is taken out without
//! touching the rest.
//!
//! Must not know grants or services. Nothing here rewrites a path: a path is passed on as it came, or refused.

use crate::rescue::Stop;

/// Length of a grant's base, without `/g/`.
const BASE_LEN: usize = 26;

/// Splits `/g/BASE/rest` into the base and the rest, which is empty or begins with `/`.
pub(crate) fn split_base(path: &str) -> Option<(&str, &str)> {
    let after = path.strip_prefix("/g/")?;
    let (base, rest) = after.split_at_checked(BASE_LEN)?;
    let is_base = base.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    (is_base && (rest.is_empty() || rest.starts_with('/'))).then_some((base, rest))
}

/// The path as it may be shown: without the base, which is as good as half a secret.
pub(crate) fn without_base(path: &[u8]) -> &[u8] {
    match path.strip_prefix(b"/g/") {
        Some(after) => memchr::memchr(b'/', after).map_or(&[][..], |at| &after[at..]),
        None => path,
    }
}

/// Refuses every path that two readers could understand differently.
pub(crate) fn check(path: &str, encoded_slash: bool) -> Result<(), Stop> {
    let bytes = path.as_bytes();
    let mut previous = 0;
    let mut is_plain = true;
    for &byte in bytes {
        match byte {
            b'/' if previous == b'/' => return Err(malformed("the path holds an empty segment")),
            b'.' if previous == b'/' => is_plain = false,
            b'%' | b';' => is_plain = false,
            0x21..=0x7e if byte != b'\\' => {}
            b'\\' => return Err(malformed("the path holds a backslash")),
            _ => return Err(malformed("the path holds a control or non-ASCII character")),
        }
        previous = byte;
    }
    if is_plain {
        return Ok(());
    }
    path.split('/').try_for_each(|segment| check_segment(segment, encoded_slash))
}

/// Judges one segment that holds a percent sign, a semicolon or a leading dot, by what it decodes to.
fn check_segment(segment: &str, encoded_slash: bool) -> Result<(), Stop> {
    let decoded = decode(segment.as_bytes())?;
    if decoded.iter().any(|b| *b < 0x20 || *b == 0x7f) {
        return Err(malformed("the path holds an encoded control character"));
    }
    if decoded.contains(&b'\\') {
        return Err(malformed("the path holds an encoded backslash"));
    }
    if decoded.contains(&b'/') && !encoded_slash {
        return Err(malformed("the path holds an encoded slash, which this service does not take"));
    }
    if decoded.windows(3).any(|w| w[0] == b'%' && w[1].is_ascii_hexdigit() && w[2].is_ascii_hexdigit()) {
        return Err(malformed("the path is percent-encoded twice"));
    }
    if std::str::from_utf8(&decoded).is_err() {
        return Err(malformed("the path does not decode to UTF-8"));
    }
    // `..;x` and `.. ` are `..` to some servers.
    for piece in decoded.split(|b| *b == b'/') {
        let name = piece.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
        if name == b"." || name == b".." {
            return Err(malformed("the path holds a dot segment"));
        }
        if decoded.len() != piece.len() && piece.is_empty() {
            return Err(malformed("the path holds an encoded slash at the edge of a segment"));
        }
    }
    Ok(())
}

fn decode(bytes: &[u8]) -> Result<Vec<u8>, Stop> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let hex = |i: usize| after.get(i).and_then(|b| (*b as char).to_digit(16));
        match (hex(0), hex(1)) {
            (Some(high), Some(low)) => {
                // Two hexadecimal digits are at most 255.
                decoded.push((high << 4 | low) as u8);
                rest = &after[2..];
            }
            _ => return Err(malformed("a percent sign is not followed by two hexadecimal digits")),
        }
    }
    Ok(decoded)
}

/// The path at the service: the base URL's prefix and the rest, with a version segment that both name written once.
pub fn join(prefix: &str, rest: &str) -> String {
    let version = prefix.rfind('/').map(|at| &prefix[at..]).filter(|segment| is_version(segment));
    let doubled =
        version.is_some_and(|v| rest.strip_prefix(v).is_some_and(|r| r.is_empty() || r.starts_with('/')));
    let keep = if doubled { prefix.len() - version.map_or(0, str::len) } else { prefix.len() };
    let mut joined = String::with_capacity(keep + rest.len() + 1);
    joined.push_str(&prefix[..keep]);
    joined.push_str(rest);
    if joined.is_empty() {
        joined.push('/');
    }
    joined
}

/// `/v1`, `/v2`, `/v1beta`, `/v1beta2`: a version as the last segment of a base URL.
fn is_version(segment: &str) -> bool {
    let Some(rest) = segment.strip_prefix("/v") else { return false };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let tail = &rest[digits..];
    let tail = tail.strip_prefix("alpha").or_else(|| tail.strip_prefix("beta")).unwrap_or(tail);
    digits > 0 && digits < 4 && tail.bytes().all(|b| b.is_ascii_digit())
}

/// The non-empty values of a query parameter.
pub(crate) fn values<'q>(query: &'q str, name: &'q str) -> impl Iterator<Item = &'q str> {
    query.split('&').filter_map(move |pair| {
        let (key, value) = pair.split_once('=')?;
        (is_named(key, name) && !value.is_empty()).then_some(value)
    })
}

/// Appends the query without these parameters, the rest byte for byte.
pub(crate) fn push_query_without(target: &mut String, query: &str, without: &[&str]) {
    let mut lead = '?';
    for pair in query.split('&') {
        let key = pair.split_once('=').map_or(pair, |(key, _)| key);
        if without.iter().any(|name| is_named(key, name)) {
            continue;
        }
        target.push(lead);
        target.push_str(pair);
        lead = '&';
    }
}

/// Whether a parameter's name, decoded, is this one. Without regard to case: some servers have none.
fn is_named(key: &str, name: &str) -> bool {
    if key.len() == name.len() {
        return key.eq_ignore_ascii_case(name);
    }
    key.contains('%') && decode(key.as_bytes()).is_ok_and(|key| key.eq_ignore_ascii_case(name.as_bytes()))
}

fn malformed(reason: &'static str) -> Stop {
    Stop::malformed(reason)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn paths_that_two_readers_could_understand_differently_are_refused() {
        let bad = [
            "/a/../b",
            "/..",
            "/a/..",
            "/./a",
            "/a/.",
            "/a/%2e%2e/b",
            "/a/%2E./b",
            "/a/.%2e/b",
            "/a/%2e",
            "/a/..;/b",
            "/a/..;x=1/b",
            "/a/.;/b",
            "/a/..%3bx/b",
            "/a/..%20/b",
            "/a/%20../b",
            "/a\\b",
            "/a%5cb",
            "/a%5Cb",
            "/a%2fb",
            "/a%2Fb",
            "/a/..%2fb",
            "/a/%2e%2e%2fb",
            "//a",
            "/a//b",
            "//",
            "/a%00b",
            "/a%0d%0ab",
            "/a%09b",
            "/a%7fb",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%2g",
            "/a%252e%252e/b",
            "/a%252fb",
            "/a%25%32%65",
            "/a%c0%af",
            "/a%ff",
            "/a%c3",
            "/é",
            "/a\tb",
            "/a b",
            "/a\u{7f}",
            "/a/%2e%2e",
            "/%2e/a",
            "/a%c0%ae%c0%ae/b",
        ];
        for path in bad {
            assert!(check(path, false).is_err(), "{path:?} was let through");
        }
        let good = [
            "/",
            "/a",
            "/a/",
            "/a/b.c",
            "/.well-known/x",
            "/a/...",
            "/a/..b",
            "/a/b..",
            "/v1/models/x:generate",
            "/a%20b",
            "/caf%C3%A9",
            "/a;b=c/d",
            "/a@b,c",
            "/~u/(x)!*'$&+=",
            "/a%3Ab",
            "/a%25b%25",
            "/v1/ch%61t",
        ];
        for path in good {
            assert!(check(path, false).is_ok(), "{path:?} was refused");
        }
    }

    #[test]
    fn an_encoded_slash_passes_only_inside_a_segment_of_a_service_that_takes_it() {
        assert!(check("/projects/group%2Fproject/issues", true).is_ok(), "GitLab's project path");
        for path in [
            "/a%2f..%2fb",
            "/a/..%2fb",
            "/a%2f..",
            "/a/%2e%2e%2fb",
            "/%2f",
            "/%2fa",
            "/a%2f",
            "/a%2f%2fb",
            "/a%2f.%2fb",
        ] {
            assert!(check(path, true).is_err(), "{path:?} was let through");
        }
    }

    #[test]
    fn a_version_that_prefix_and_path_both_name_is_written_once() {
        let cases = [
            ("", "/v1/chat", "/v1/chat"),
            ("", "", "/"),
            ("", "/", "/"),
            ("/v1", "/chat", "/v1/chat"),
            ("/v1", "/v1/chat", "/v1/chat"),
            ("/v1", "/v1", "/v1"),
            ("/v1", "", "/v1"),
            ("/v1", "/v10/chat", "/v1/v10/chat"),
            ("/v1", "/v2/chat", "/v1/v2/chat"),
            ("/openai/v1", "/v1/chat", "/openai/v1/chat"),
            ("/openai/v1", "/openai/v1/chat", "/openai/v1/openai/v1/chat"),
            ("/v1beta", "/v1beta/models", "/v1beta/models"),
            ("/api", "/api/x", "/api/api/x"),
            ("/v1", "/v1/v1/x", "/v1/v1/x"),
        ];
        for (prefix, rest, wanted) in cases {
            assert_eq!(join(prefix, rest), wanted, "{prefix:?} + {rest:?}");
        }
    }

    #[test]
    fn a_parameter_is_taken_out_and_the_rest_stays_byte_for_byte() {
        let cases = [
            ("key=T", ""),
            ("key=T&a=1", "?a=1"),
            ("a=1&key=T&b=%2f+x", "?a=1&b=%2f+x"),
            ("a=1&KEY=T", "?a=1"),
            ("k%65y=T&a=1", "?a=1"),
            ("monkey=1&keys=2&key", "?monkey=1&keys=2"),
            ("a=key=T&&b", "?a=key=T&&b"),
            ("", "?"),
        ];
        for (query, wanted) in cases {
            let mut target = String::new();
            push_query_without(&mut target, query, &["key"]);
            assert_eq!(target, wanted, "{query:?}");
        }
        let all: Vec<_> = values("a=1&key=T&k%65y=U&key=&key&monkey=V", "key").collect();
        assert_eq!(all, ["T", "U"], "every value that is one, however the name is written");
    }

    #[test]
    fn a_base_is_recognised_exactly() {
        let base = "abcdefghijklmnopqrstuvwxyz";
        assert_eq!(split_base(&format!("/g/{base}")), Some((base, "")), "bare");
        assert_eq!(split_base(&format!("/g/{base}/v1/x")), Some((base, "/v1/x")), "with a rest");
        for bad in ["/g/", "/g/short/x", "/x", "", "/G/abcdefghijklmnopqrstuvwxyz"] {
            assert_eq!(split_base(bad), None, "{bad:?}");
        }
        assert_eq!(split_base(&format!("/g/{base}x/y")), None, "longer");
        assert_eq!(split_base("/g/ABCDEFGHIJKLMNOPQRSTUVWXYZ/x"), None, "upper case");
        assert_eq!(split_base("/g/aaaaaaaaaaaaaaaaaaaaaaaaaé/x"), None, "a character across the end");
    }
}
