//! Answers of token endpoints, good and hostile, without a network.

use super::*;
use serde_json::json;

fn answer(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Response {
    let mut headers = http::HeaderMap::new();
    headers.insert("content-type", kind.parse().unwrap());
    Response { status, headers, body: Secret::from(body.into()) }
}

fn read(body: impl Into<Vec<u8>>) -> Result<Tokens, TokenError> {
    let response = answer(200, "application/json", body);
    refusal(&response)?;
    Tokens::read(&response, &Quirks::default())
}

#[test]
fn o34_unknown_members_are_ignored_and_unknown_types_refused() {
    let with =
        |kind: &str| read(json!({"access_token": "t", "token_type": kind, "extra": {"a": [1]}}).to_string());
    for kind in ["Bearer", "bearer", "BEARER"] {
        assert_eq!(with(kind).unwrap().kind, TokenKind::Bearer, "{kind}");
    }
    assert_eq!(with("dpop").unwrap().kind, TokenKind::Dpop, "dpop");
    for kind in ["mac", "", "bearer ", "N_A", "bot"] {
        assert!(matches!(with(kind), Err(TokenError::WrongKind)), "{kind:?} was used");
    }
    assert!(matches!(read(r#"{"access_token":"t"}"#), Err(TokenError::WrongKind)), "a missing type was used");
    let quirks = Quirks { bearer_means: vec!["bot".into(), String::new()], ..Quirks::default() };
    assert_eq!(token_kind("bot", &quirks).unwrap(), TokenKind::Bearer, "unless the service's entry says so");
    assert_eq!(token_kind("", &quirks).unwrap(), TokenKind::Bearer, "also for a missing one");
}

#[test]
fn o35_every_kind_of_expires_in_has_a_defined_result() {
    let stated = |s: i64| Ok(Lifetime::Stated(Duration(s * 1000)));
    let odd = Err(fault("not a lifetime in seconds", "expires_in"));
    let cases = [
        (json!(3600), stated(3600)),
        (json!("3600"), stated(3600)),
        (json!(3600.0), stated(3600)),
        (json!(3599.9), stated(3599)),
        (json!(1), stated(1)),
        (json!(0), Ok(Lifetime::NotStated)),
        (json!(null), Ok(Lifetime::NotStated)),
        (json!(-1), odd),
        (json!(1e99), odd),
        (json!(9_223_372_036_854_775_807_i64), odd),
        (json!(9_223_372_036_854_775_808_u64), odd),
        (json!("never"), odd),
        (json!("-5"), odd),
        (json!(""), odd),
        (json!(true), odd),
        (json!([3600]), odd),
        (json!({"s": 1}), odd),
        (json!("99999999999999999999"), odd),
        (json!(-0.5), odd),
    ];
    for (value, expected) in cases {
        let body = json!({"access_token": "t", "token_type": "Bearer", "expires_in": value}).to_string();
        let got = match read(body) {
            Ok(tokens) => Ok(tokens.lifetime),
            Err(TokenError::Malformed(fault)) => Err(fault),
            Err(other) => panic!("{value}: {other}"),
        };
        assert_eq!(got, expected, "expires_in: {value}");
    }
    assert_eq!(
        read(r#"{"access_token":"t","token_type":"bearer"}"#).unwrap().lifetime,
        Lifetime::NotStated,
        "missing"
    );
}

#[test]
fn o36_granted_scopes_are_read_and_missing_ones_are_said_to_be_missing() {
    let with =
        |scope: &str| read(json!({"access_token": "t", "token_type": "Bearer", "scope": scope}).to_string());
    assert_eq!(with("a b  a").unwrap().scopes.unwrap(), ["a", "b"], "each once");
    assert!(
        with("a\"b").is_err() && with("a\u{202e}").is_err() && with(&"x ".repeat(300_000)).is_ok(),
        "only scopes are scopes"
    );
    assert!(read(r#"{"access_token":"t","token_type":"Bearer"}"#).unwrap().scopes.is_none(), "missing");
    let quirks = Quirks { comma_scopes: true, ..Quirks::default() };
    assert_eq!(
        split_scopes("repo,gist", &quirks).unwrap(),
        ["repo", "gist"],
        "commas where the service's entry says so"
    );
}

#[test]
fn o37_garbage_gives_an_error_and_nothing_else() {
    let token =
        |value: Value| json!({"access_token": value, "token_type": "Bearer"}).to_string().into_bytes();
    let deep = format!(
        "{{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"x\":{}1{}}}",
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"<html></html>".to_vec(),
        br#"{"access_token":"t","token_type":"Bea"#.to_vec(),
        b"\xef\xbb\xbf{\"access_token\":\"t\",\"token_type\":\"Bearer\"}".to_vec(),
        br#"{"access_token":"a","access_token":"b","token_type":"Bearer"}"#.to_vec(),
        br#"{"access_token":"t","token_type":"Bearer","expires_in":NaN}"#.to_vec(),
        deep.into_bytes(),
        b"[]".to_vec(),
        b"null".to_vec(),
        token(Value::Null),
        token(json!(7)),
        token(json!("")),
        token(json!("a\r\nx: y")),
        token(json!("tökën")),
        token(json!("a b")),
        token(json!("\u{0}")),
        token(json!(["t"])),
        token(json!("x".repeat(100_000))),
        json!({"access_token": "t", "token_type": "Bearer", "refresh_token": 7}).to_string().into_bytes(),
        json!({"access_token": "t", "token_type": "Bearer", "refresh_token": "a\nb"})
            .to_string()
            .into_bytes(),
        json!({"access_token": "t", "token_type": ["Bearer"]}).to_string().into_bytes(),
    ];
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        assert!(read(body).is_err(), "{shown} gave tokens");
    }
    let fine = r#"{"access_token":"t","token_type":"Bearer"}"#;
    for kind in ["text/html", "text/plain", "application/jsonx", ""] {
        let response = answer(200, kind, fine);
        assert!(Tokens::read(&response, &Quirks::default()).is_err(), "{kind:?} was read as JSON");
    }
}

#[test]
fn o38_a_200_with_an_error_and_a_400_with_tokens_are_errors() {
    let github =
        r#"{"error":"bad_verification_code","error_description":"The code passed is incorrect or expired."}"#;
    let Err(TokenError::Refused { code, description, .. }) = read(github) else {
        panic!("an error was taken for tokens")
    };
    assert_eq!(code.to_string(), "bad_verification_code", "an unknown code is kept");
    assert!(description.unwrap().as_str().starts_with("The code"), "with its words");
    let response = answer(400, "application/json", r#"{"access_token":"t","token_type":"Bearer"}"#);
    assert!(matches!(refusal(&response), Err(TokenError::Status { status: 400, .. })), "a 400 is no success");
    let both = r#"{"access_token":"t","token_type":"Bearer","error":"x"}"#;
    assert!(read(both).is_err(), "an answer with both is an error");
}

#[test]
fn o22_codes_are_known_or_kept_cleaned() {
    assert_eq!(ErrorCode::read("invalid_grant"), ErrorCode::InvalidGrant, "a known one");
    assert_eq!(ErrorCode::read("invalid_grant").to_string(), "invalid_grant", "and back");
    let odd = ErrorCode::read(&format!("\u{1b}[31m{}", "x".repeat(1_000_000)));
    assert!(
        odd.to_string().chars().count() <= 65 && !odd.to_string().contains('\u{1b}'),
        "an odd one is cut and cleaned"
    );
}
