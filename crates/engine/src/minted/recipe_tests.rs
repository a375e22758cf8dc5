//! Documents as people type them, and as nobody should. Names are sentences.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use claviger_model::Timestamp;
use claviger_secret::Secret;
use serde_json::{Value, json};

use super::{Exchange, Recipe};

const NOW: Timestamp = Timestamp(1_795_000_000_500);
const SHARED: &str = "a shared key that is long enough";
/// P-256, made for this test.
const ES256: &str = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2\nOF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r\n1RTwjmYSi9R/zpBnuQ4EiMnCqfMPWiZqB4QdbAd0E7oH50VpuZ1P087G\n-----END PRIVATE KEY-----\n";

fn read(document: &Value) -> Result<Recipe, String> {
    Recipe::read(&Secret::from(document.to_string())).map_err(|why| why.to_string())
}

fn refused(document: &Value) -> String {
    match read(document) {
        Ok(_) => panic!("{document} was accepted"),
        Err(why) => why,
    }
}

fn claims(token: &Secret) -> Value {
    jsonwebtoken::dangerous::insecure_decode_claims(token.expose()).unwrap()
}

#[test]
fn a_token_says_what_was_asked_for_and_ends_in_time() {
    let document = json!({"algorithm": "HS256", "key": SHARED, "key_id": "k1", "issuer": "me", "audience": "them",
        "claims": {"role": "reader"}, "lifetime_s": 60});
    let recipe = read(&document).unwrap();
    let (token, end) = recipe.mint(NOW).unwrap();
    let said = claims(&token);
    assert_eq!(
        (&said["iss"], &said["aud"], &said["role"]),
        (&"me".into(), &"them".into(), &"reader".into()),
        "{said}"
    );
    assert_eq!((&said["iat"], &said["exp"]), (&json!(1_794_999_970), &json!(1_795_000_060)), "{said}");
    assert_eq!(end, Timestamp(1_795_000_060_000), "when it ends");
    let header = jsonwebtoken::decode_header(token.expose()).unwrap();
    assert_eq!(
        (header.alg, header.kid.as_deref()),
        (jsonwebtoken::Algorithm::HS256, Some("k1")),
        "its header"
    );
    let (again, _) = recipe.mint(NOW).unwrap();
    assert_ne!(claims(&again)["jti"], said["jti"], "no number comes twice");
    let key = jsonwebtoken::DecodingKey::from_secret(SHARED.as_bytes());
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    rules.set_audience(&["them"]);
    rules.validate_exp = false;
    assert!(jsonwebtoken::decode::<Value>(token.expose(), &key, &rules).is_ok(), "the signature holds");
}

#[test]
fn a_key_of_another_kind_signs_too_and_a_wrong_one_is_refused_when_it_is_stored() {
    let with = |algorithm: &str| json!({"algorithm": algorithm, "key": ES256, "issuer": "me"});
    let (token, end) = read(&with("ES256")).unwrap().mint(NOW).unwrap();
    assert_eq!(
        jsonwebtoken::decode_header(token.expose()).unwrap().alg,
        jsonwebtoken::Algorithm::ES256,
        "signed"
    );
    assert_eq!(end, Timestamp(1_795_000_300_000), "five minutes by default");
    for wrong in ["RS256", "PS256", "ES384", "EdDSA", "none", "HS512", "es256"] {
        let why = refused(&with(wrong));
        assert!(!why.contains("MIGH"), "{wrong}: the key was quoted: {why}");
    }
}

#[test]
fn a_service_account_file_is_taken_as_it_is_with_a_scope() {
    let rsa_less = json!({"type": "service_account", "private_key": ES256, "private_key_id": "k",
        "client_email": "a@b.example", "token_uri": "https://oauth2.example/token", "project_id": "p"});
    assert!(refused(&rsa_less).contains("scope"), "what the token is for has to be said");
    let mut with_scope = rsa_less;
    with_scope["scope"] = "read".into();
    assert!(refused(&with_scope).contains("private key"), "Google signs with RSA alone");
}

#[test]
fn exchanges_are_read_and_unknown_ones_refused() {
    let with =
        |exchange: Value| json!({"algorithm": "HS256", "key": SHARED, "issuer": "7", "exchange": exchange});
    let github = read(&with(json!({"via": "github-app", "installation": 42}))).unwrap();
    let expected = Exchange::GithubApp { installation: 42, api: "https://api.github.com".into() };
    assert_eq!(github.exchange, Some(expected), "GitHub's own API by default");
    assert_eq!(
        github.mint(NOW).unwrap().1,
        Timestamp(1_795_000_540_000),
        "nine minutes, of ten that GitHub takes"
    );
    assert!(
        read(&with(json!({"via": "oauth", "token_url": "https://as.example/token"}))).is_ok(),
        "RFC 7523"
    );
    for odd in
        [json!({"via": "magic"}), json!({"via": "oauth"}), json!({"via": "github-app", "installation": "x"})]
    {
        refused(&with(odd));
    }
}

#[test]
fn what_would_fail_or_mislead_later_is_refused_and_never_quoted() {
    let canary = "canary-51c0ffee-canary-51c0ffee-";
    let good = json!({"algorithm": "HS256", "key": canary, "issuer": "me"});
    assert!(read(&good).is_ok(), "else the cases below prove nothing");
    for (field, value) in [
        ("key", json!("canary-short")),
        ("key", json!(["canary"])),
        ("algorithm", json!(7)),
        ("lifetime_s", json!(0)),
        ("lifetime_s", json!(86_401)),
        ("lifetime_s", json!(-5)),
        ("claims", json!({"exp": 1})),
        ("claims", json!({"jti": "x"})),
        ("claims", json!({"iss": "other"})),
        ("claims", json!("canary")),
        ("keyy", json!("canary")),
    ] {
        let mut document = good.clone();
        document[field] = value.clone();
        let why = refused(&document);
        assert!(!why.contains("canary"), "{field} {value}: quoted in {why:?}");
    }
    for text in ["", "canary", "[]", "{}", "{\"algorithm\":\"HS256\""] {
        let why = Recipe::read(&Secret::from(text.to_owned())).err().expect("refused").to_string();
        assert!(!why.contains("canary"), "quoted in {why:?}");
    }
}
