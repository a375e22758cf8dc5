//! Agent tokens against what an attacker would present. Names are sentences.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout, reason = "a test may say what it measured")]

use claviger_model::{Agent, AgentId, Timestamp, TokenHash, TokenInfo, VaultId};
use claviger_secret::Secret;
use data_encoding::BASE64URL_NOPAD;

use super::{TokenKeys, TokenRows};
use claviger_crypto::sha256;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const LATER: Timestamp = Timestamp(NOW.0 + 3_600_000);

fn keys() -> TokenKeys {
    TokenKeys::new(VaultId::from_bytes([1; 16]), &Secret::from(vec![7; 32]))
}

fn agent(token: Option<TokenInfo>) -> Agent {
    Agent {
        id: AgentId::from_bytes([2; 16]),
        name: "codex".into(),
        created_at: NOW,
        token,
        run_tokens: Vec::new(),
        paused: false,
    }
}

/// A genuine token as text, with the rows that make it valid.
fn issued() -> (String, TokenRows) {
    let (token, info) = keys().mint(AgentId::from_bytes([2; 16]), NOW, LATER).unwrap();
    let text = String::from_utf8(token.secret().expose().to_vec()).unwrap();
    (text, TokenRows::new(&[agent(Some(info))]))
}

/// Rows that hold exactly this text, so that only signature and claims stand between it and success.
fn rows_for(text: &str, jti: &str) -> TokenRows {
    let info = TokenInfo {
        jti: jti.into(),
        hash: TokenHash(sha256(text.as_bytes())),
        issued_at: NOW,
        expires_at: LATER,
    };
    TokenRows::new(&[agent(Some(info))])
}

fn forged(header: &str, claims: &str, key: &[u8]) -> String {
    let signed = format!(
        "{}.{}",
        BASE64URL_NOPAD.encode(header.as_bytes()),
        BASE64URL_NOPAD.encode(claims.as_bytes())
    );
    let mac = claviger_crypto::Secret::from(key.to_vec());
    let signature = jsonwebtoken::crypto::sign(
        signed.as_bytes(),
        &jsonwebtoken::EncodingKey::from_secret(mac.expose()),
        jsonwebtoken::Algorithm::HS256,
    )
    .unwrap();
    format!("{signed}.{signature}")
}

fn claims() -> String {
    let agent = AgentId::from_bytes([2; 16]);
    let audience = format!("claviger:{}", VaultId::from_bytes([1; 16]));
    let (now, later) = (NOW.0 / 1000, LATER.0 / 1000);
    format!(
        r#"{{"iss":"claviger","aud":"{audience}","sub":"{agent}","jti":"j","iat":{now},"nbf":{now},"exp":{later}}}"#
    )
}

const HEADER: &str = r#"{"typ":"JWT","alg":"HS256","kid":"1"}"#;

#[test]
fn a_genuine_token_is_its_agents() {
    let (text, rows) = issued();
    assert_eq!(rows.check(&keys(), text.as_bytes(), NOW), Ok(AgentId::from_bytes([2; 16])), "first check");
    assert_eq!(rows.check(&keys(), text.as_bytes(), NOW), Ok(AgentId::from_bytes([2; 16])), "second check");
}

#[test]
fn the_forging_helper_makes_tokens_that_would_pass() {
    let text = forged(HEADER, &claims(), &[7; 32]);
    assert!(
        rows_for(&text, "j").check(&keys(), text.as_bytes(), NOW).is_ok(),
        "else the tests below prove nothing"
    );
}

#[test]
fn an_expired_token_is_refused_to_the_millisecond() {
    let (text, rows) = issued();
    let at = |ms| rows.check(&keys(), text.as_bytes(), Timestamp(ms));
    assert!(at(LATER.0 - 1).is_ok(), "the last millisecond counts");
    assert_eq!(at(LATER.0).unwrap_err().reason, "expired token", "the end does not");
}

#[test]
fn a_token_whose_row_is_gone_is_refused_and_still_named() {
    let (text, _) = issued();
    let refusal = TokenRows::new(&[agent(None)]).check(&keys(), text.as_bytes(), NOW).unwrap_err();
    assert_eq!(refusal.reason, "revoked token", "the reason for the record");
    assert_eq!(refusal.agent, Some(AgentId::from_bytes([2; 16])), "whose it was");
}

#[test]
fn a_token_of_another_vault_is_refused() {
    let other = TokenKeys::new(VaultId::from_bytes([9; 16]), &Secret::from(vec![7; 32]));
    let (token, info) = other.mint(AgentId::from_bytes([2; 16]), NOW, LATER).unwrap();
    let rows = TokenRows::new(&[agent(Some(info))]);
    assert!(rows.check(&keys(), token.secret().expose(), NOW).is_err(), "its audience is another vault");
}

#[test]
fn hostile_headers_are_refused_even_when_a_row_matches() {
    for header in [
        r#"{"typ":"JWT","alg":"none","kid":"1"}"#,
        r#"{"typ":"JWT","alg":"nOnE","kid":"1"}"#,
        r#"{"typ":"JWT","alg":"HS384","kid":"1"}"#,
        r#"{"typ":"JWT","alg":"RS256","kid":"1"}"#,
        r#"{"typ":"JWT","alg":null,"kid":"1"}"#,
        r#"{"typ":"JWT","alg":["HS256"],"kid":"1"}"#,
        r#"{"typ":"at+jwt","alg":"HS256","kid":"1"}"#,
        r#"{"alg":"HS256","kid":"1"}"#,
        r#"{"typ":"JWT","alg":"HS256"}"#,
        r#"{"typ":"JWT","alg":"HS256","kid":"2"}"#,
        r#"{"typ":"JWT","alg":"HS256","kid":"../../etc/passwd"}"#,
        r#"{"typ":"JWT","alg":"HS256","kid":"' OR 1=1--"}"#,
        r#"{"typ":"JWT","alg":"HS256","kid":"1","crit":["x"],"x":1}"#,
        r#"{"typ":"JWT","alg":"HS256","kid":"1","jku":"https://evil.example/k"}"#,
        r#"{"typ":"JWT","alg":"HS256","kid":"1","x5u":"https://evil.example/k"}"#,
        r#"{"typ":"JWT","alg":"HS256","kid":"1","jwk":{"kty":"oct","k":"AA"}}"#,
    ] {
        let text = forged(header, &claims(), &[7; 32]);
        assert!(
            rows_for(&text, "j").check(&keys(), text.as_bytes(), NOW).is_err(),
            "accepted header {header}"
        );
    }
}

#[test]
fn missing_or_odd_claims_are_refused_even_when_a_row_matches() {
    let good = claims();
    let mut bad = vec![good.replace("\"jti\":\"j\"", "\"jti\":\"other\"")];
    for claim in ["iss", "aud", "sub", "jti", "iat", "nbf", "exp"] {
        bad.push(good.replace(&format!("\"{claim}\":"), &format!("\"x{claim}\":")));
    }
    let exp = format!("\"exp\":{}", LATER.0 / 1000);
    for odd in
        ["\"exp\":\"9999999999\"", "\"exp\":-1", "\"exp\":1e308", "\"exp\":9007199254740993", "\"exp\":true"]
    {
        bad.push(good.replace(&exp, odd));
    }
    bad.push(good.replace(&format!("\"nbf\":{}", NOW.0 / 1000), &format!("\"nbf\":{}", NOW.0 / 1000 + 60)));
    bad.push(good.replace("\"claviger\"", "\"claviger2\""));
    bad.push(good.replace("{\"iss\"", "{\"extra\":1,\"iss\""));
    for claims in bad {
        let text = forged(HEADER, &claims, &[7; 32]);
        assert!(
            rows_for(&text, "j").check(&keys(), text.as_bytes(), NOW).is_err(),
            "accepted claims {claims}"
        );
    }
}

#[test]
fn a_wrong_signature_is_refused_even_when_a_row_matches() {
    let text = forged(HEADER, &claims(), &[8; 32]);
    assert!(rows_for(&text, "j").check(&keys(), text.as_bytes(), NOW).is_err(), "signed with another key");
    for odd in [format!("{}.", claims()), String::new(), "a.b.c".into(), "a".repeat(5000), "\u{0}".into()] {
        assert!(rows_for(&odd, "j").check(&keys(), odd.as_bytes(), NOW).is_err(), "accepted {odd:?}");
    }
}

#[test]
fn no_single_changed_byte_is_accepted() {
    let (text, rows) = issued();
    for at in 0..text.len() {
        for flip in [1u8, 0x20, 0x80] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= flip;
            assert!(rows.check(&keys(), &bytes, NOW).is_err(), "byte {at} xor {flip:#x} was accepted");
        }
    }
}

/// A million changed tokens.
#[path = "tokens_mutants.rs"]
mod mutants;
