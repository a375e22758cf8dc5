//! Looks into a JSON Web Token (RFC 7519) as anybody could who holds it. Nothing in it is believed: the signature is not
//! checked, and nothing is stored.
//!
//! Must not know what the token is for.

use claviger_model::Timestamp;
use claviger_oauth::Shown;
use claviger_secret::Secret;
use serde_json::{Map, Value};

/// No token that anybody uses is longer.
const LONGEST: usize = 64 * 1024;
/// More fields than a person reads.
const MOST_FIELDS: usize = 100;
/// Ten thousand years; no clock says more.
const LATEST: i64 = 253_402_300_799;

/// What can be read from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspected {
    /// It is a JSON Web Token; otherwise all else is empty.
    pub is_jwt: bool,
    /// The header's fields.
    pub header: Vec<Claim>,
    /// The claims.
    pub claims: Vec<Claim>,
    /// Scopes that it names.
    pub scopes: Vec<String>,
    /// Who made it.
    pub issuer: Option<String>,
    /// About whom it speaks.
    pub subject: Option<String>,
    /// For whom it is.
    pub audience: Vec<String>,
    /// When it was made.
    pub issued: Option<Timestamp>,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// Algorithm, and the key's id if there is one.
    pub signed_by: Option<String>,
}

/// One field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// As in `exp`.
    pub name: String,
    /// As it stands there, cleaned and cut.
    pub value: String,
    /// What it means, where that is known.
    pub words: Option<String>,
}

/// Looks into a token.
pub fn inspect(token: &Secret) -> Inspected {
    // EXPOSE: decoded into fields that are shown to whoever pasted it; the signature is not among them.
    let Some((header, claims)) = parts(token.expose()) else { return Inspected::default() };
    let text = |from: &Map<String, Value>, name: &str| from.get(name).and_then(Value::as_str).map(shown);
    let audience = match claims.get("aud") {
        Some(Value::String(one)) => vec![shown(one)],
        Some(Value::Array(many)) => {
            many.iter().filter_map(Value::as_str).take(MOST_FIELDS).map(shown).collect()
        }
        _ => Vec::new(),
    };
    let scopes =
        ["scope", "scp", "scopes", "permissions"].iter().find_map(|name| match claims.get(*name)? {
            Value::String(text) => {
                Some(text.split(' ').filter(|s| !s.is_empty()).take(500).map(shown).collect())
            }
            Value::Array(many) => Some(many.iter().filter_map(Value::as_str).take(500).map(shown).collect()),
            _ => None,
        });
    let signed_by = text(&header, "alg").map(|alg| match text(&header, "kid") {
        Some(kid) => format!("{alg}, key {kid}"),
        None => alg,
    });
    Inspected {
        is_jwt: true,
        scopes: scopes.unwrap_or_default(),
        issuer: text(&claims, "iss"),
        subject: text(&claims, "sub"),
        audience,
        issued: moment(&claims, "iat"),
        expires: moment(&claims, "exp"),
        signed_by,
        header: fields(&header),
        claims: fields(&claims),
    }
}

/// When a pasted token says that it ends.
pub fn expiry_of(token: &Secret) -> Option<Timestamp> {
    // EXPOSE: looked into for its `exp`.
    parts(token.expose()).and_then(|(_, claims)| moment(&claims, "exp"))
}

/// Header and claims of something that is a JSON Web Token; an encrypted one has no claims to read.
fn parts(token: &[u8]) -> Option<(Map<String, Value>, Map<String, Value>)> {
    if token.len() > LONGEST {
        return None;
    }
    let text = std::str::from_utf8(token).ok()?.trim();
    let text = text.strip_prefix("Bearer ").unwrap_or(text).trim_start();
    let parts: Vec<&str> = text.split('.').collect();
    let object = |part: &str| {
        let bytes = data_encoding::BASE64URL_NOPAD.decode(part.as_bytes()).ok()?;
        serde_json::from_slice::<Map<String, Value>>(&bytes).ok()
    };
    let header = object(parts.first()?)?;
    if !header.get("alg").is_some_and(Value::is_string) {
        return None;
    }
    match parts.len() {
        3 => Some((header, object(parts[1])?)),
        5 => Some((header, Map::new())),
        _ => None,
    }
}

fn fields(of: &Map<String, Value>) -> Vec<Claim> {
    of.iter()
        .take(MOST_FIELDS)
        .map(|(name, value)| Claim {
            name: shown(name),
            value: match value {
                Value::String(text) => shown(text),
                other => shown(&other.to_string()),
            },
            words: words(name, of),
        })
        .collect()
}

fn shown(text: &str) -> String {
    Shown::clean(text).to_string()
}

fn moment(of: &Map<String, Value>, name: &str) -> Option<Timestamp> {
    let value = of.get(name)?;
    // RFC 7519 §2: seconds, perhaps with a fraction.
    #[expect(clippy::cast_possible_truncation, reason = "a fraction of a second is cut off")]
    let seconds = value.as_i64().or_else(|| value.as_f64().filter(|s| s.abs() < 1e12).map(|s| s as i64))?;
    (0..=LATEST).contains(&seconds).then(|| Timestamp(seconds * 1000))
}

fn words(name: &str, of: &Map<String, Value>) -> Option<String> {
    let known = match name {
        "iss" => "who made it",
        "sub" => "about whom it speaks",
        "aud" => "for whom it is",
        "jti" => "its own number",
        "scope" | "scp" | "scopes" => "what it allows",
        "azp" | "client_id" | "cid" => "the app that it was given to",
        "cnf" => "the key that it is bound to",
        "alg" => "how it is signed",
        "kid" => "which key signed it",
        "typ" => "what kind of token it is",
        "exp" | "nbf" | "iat" | "auth_time" => {
            let what = match name {
                "exp" => "it ends",
                "nbf" => "not good before",
                "iat" => "it was made",
                _ => "the person signed in",
            };
            return moment(of, name).map(|at| format!("{what}: {}", at.to_rfc3339()));
        }
        _ => return None,
    };
    Some(known.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn token(header: &str, claims: &str) -> Secret {
        let encode = |text: &str| data_encoding::BASE64URL_NOPAD.encode(text.as_bytes());
        Secret::from(format!("{}.{}.c2lnbmF0dXJl", encode(header), encode(claims)))
    }

    #[test]
    fn what_stands_in_a_token_is_read_in_words() {
        let found = inspect(&token(
            r#"{"alg":"RS256","kid":"k1","typ":"at+jwt"}"#,
            r#"{"iss":"https://as.example","sub":"alice","aud":["a","b"],"exp":1795000000.7,"iat":1794996400,"scope":"read write"}"#,
        ));
        assert!(found.is_jwt, "it is one");
        assert_eq!(
            (found.issuer.as_deref(), found.subject.as_deref()),
            (Some("https://as.example"), Some("alice")),
            "who"
        );
        assert_eq!(found.audience, ["a", "b"], "for whom");
        assert_eq!(found.scopes, ["read", "write"], "what for");
        assert_eq!(found.expires, Some(Timestamp(1_795_000_000_000)), "until when");
        assert_eq!(found.signed_by.as_deref(), Some("RS256, key k1"), "by what");
        let exp = found.claims.iter().find(|claim| claim.name == "exp").unwrap();
        assert!(exp.words.as_ref().unwrap().starts_with("it ends: 2026-"), "{exp:?}");
        let all = format!("{found:?}");
        assert!(!all.contains("c2lnbmF0dXJl"), "the signature is not shown: {all}");
    }

    #[test]
    fn what_is_none_or_hostile_is_opaque_and_nothing_breaks() {
        let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
        for odd in [
            Secret::from(b"sk-live-0123456789".to_vec()),
            Secret::from(b"".to_vec()),
            Secret::from(b"a.b.c".to_vec()),
            Secret::from(vec![0xff; 100]),
            Secret::from(vec![b'a'; LONGEST + 1]),
            token("[]", "{}"),
            token("{}", "{}"),
            token(r#"{"alg":7}"#, "{}"),
            token(r#"{"alg":"none"}"#, "7"),
            token(r#"{"alg":"none"}"#, &format!(r#"{{"a":{deep}}}"#)),
        ] {
            assert_eq!(inspect(&odd), Inspected::default(), "{odd:?}");
        }
        for exp in [r#""1795000000""#, "-1", "1e300", "9007199254740993", "null", "true"] {
            let found = inspect(&token(r#"{"alg":"none"}"#, &format!(r#"{{"exp":{exp}}}"#)));
            assert_eq!(found.expires, None, "exp {exp}");
        }
        let found = inspect(&token(r#"{"alg":"none"}"#, "{\"n\":\"a\\u202eb\\u001b[31mc\"}"));
        assert_eq!(found.claims[0].value, "ab[31mc", "nothing moves the cursor or turns the writing");
        let long = inspect(&token(r#"{"alg":"none"}"#, &format!(r#"{{"n":"{}"}}"#, "x".repeat(10_000))));
        assert!(long.claims[0].value.chars().count() <= 241, "a long value is cut");
    }
}
