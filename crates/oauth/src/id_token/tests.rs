//! Id tokens as an attacker would make them.

use super::*;
use crate::signing::{SigningAlgorithm, SigningKey};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;

const NOW: Timestamp = Timestamp(1_795_000_000_000);
const ISSUER: &str = "https://as.example";

struct World {
    key: SigningKey,
    keys: KeySet,
    nonce: Secret,
    access: AccessToken,
}

fn world() -> World {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let pem = Secret::from(pair.serialize_pem());
    let key = SigningKey::from_pem(&pem, SigningAlgorithm::ES256, Some("k1".into())).unwrap();
    let keys = KeySet::read(&published(&key, "k1")).unwrap();
    World { key, keys, nonce: Secret::from(b"n0nce".to_vec()), access: AccessToken::from("at".to_owned()) }
}

fn published(key: &SigningKey, id: &str) -> Vec<u8> {
    let mut jwk = serde_json::to_value(key.public().unwrap()).unwrap();
    jwk["kid"] = id.into();
    json!({"keys": [jwk, {"kty": "unheard-of"}, {"kty": "oct", "k": "AAAA", "kid": "hmac"}]})
        .to_string()
        .into_bytes()
}

fn claims() -> Value {
    let at = NOW.0 / 1000;
    json!({"iss": ISSUER, "sub": "alice", "aud": "c", "exp": at + 300, "iat": at, "nonce": "n0nce"})
}

impl World {
    fn check(&self, token: &Secret) -> Result<(), IdTokenError> {
        let claims = self.keys.open(token)?;
        let algorithm = algorithm_of(token)?;
        let expected = Expected {
            issuer: ISSUER,
            client_id: "c",
            nonce: Some(&self.nonce),
            access: &self.access,
            algorithm,
        };
        expected.check(&claims, NOW)
    }

    fn with(&self, change: impl Fn(&mut Value)) -> Result<(), IdTokenError> {
        let mut claims = claims();
        change(&mut claims);
        self.check(&self.key.sign("JWT", None, &claims).unwrap())
    }

    fn with_header(&self, header: Value, signature: &str) -> Secret {
        let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        Secret::from(format!("{}.{}.{signature}", encode(&header), encode(&claims())))
    }
}

#[test]
fn o42_a_genuine_token_passes() {
    let world = world();
    world.with(|_| {}).expect("genuine");
    world.with(|c| c["aud"] = json!(["c"])).expect("an audience of one in a list");
    world
        .with(|c| (c["aud"], c["azp"]) = (json!(["c", "d"]), "c".into()))
        .expect("several audiences, and we are the presenter");
    let half = &sha256(b"at")[..16];
    world
        .with(|c| c["at_hash"] = BASE64_URL_SAFE_NO_PAD.encode(half).into())
        .expect("the hash of the token beside it");
}

#[test]
fn o42_a_claim_that_says_something_else_refuses_it() {
    let world = world();
    let at = NOW.0 / 1000;
    let changes: Vec<(&str, Value)> = vec![
        ("iss", "https://as.example/".into()),
        ("iss", Value::Null),
        ("aud", "d".into()),
        ("aud", json!(["d"])),
        ("aud", json!([])),
        ("aud", json!(["c", "d"])),
        ("aud", Value::Null),
        ("azp", "d".into()),
        ("exp", json!(at - 121)),
        ("exp", Value::Null),
        ("exp", json!("9999999999")),
        ("iat", json!(at + 600)),
        ("iat", Value::Null),
        ("nbf", json!(at + 600)),
        ("nonce", "other".into()),
        ("nonce", Value::Null),
        ("at_hash", "AAAA".into()),
    ];
    for (name, value) in changes {
        let result = world.with(|c| c[name] = value.clone());
        assert!(result.is_err(), "{name} = {value} passed");
    }
}

#[test]
fn o42_no_algorithm_but_the_published_keys_own_is_believed() {
    let world = world();
    for name in ["none", "None", "nOnE", "", "HS256", "HS512", "ES512", "RS1"] {
        for signature in ["", "AAAA"] {
            let token = world.with_header(json!({"alg": name, "kid": "k1"}), signature);
            assert!(matches!(world.check(&token), Err(IdTokenError::Signature(_))), "{name:?} passed");
        }
    }
    // The public key as an HMAC secret, in every form an attacker can guess.
    let public = serde_json::to_vec(&world.key.public().unwrap()).unwrap();
    for secret in [public, published(&world.key, "k1"), b"AAAA".to_vec(), vec![0, 0, 0]] {
        let mut header = Header::new(jsonwebtoken::Algorithm::HS256);
        header.kid = Some("k1".into());
        let forged = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(&secret)).unwrap();
        assert!(world.check(&Secret::from(forged)).is_err(), "an HMAC with the public key passed");
    }
    let other = SigningKey::make().unwrap();
    let foreign = other.sign("JWT", Some(other.public().unwrap()), &claims()).unwrap();
    assert!(world.check(&foreign).is_err(), "a key that the token brings along passed");
}

#[test]
fn o42_unknown_keys_and_extensions_are_refused() {
    let world = world();
    let good = world.key.sign("JWT", None, &claims()).unwrap();
    let text = String::from_utf8(good.expose().to_vec()).unwrap();
    let (message, signature) = text.rsplit_once('.').unwrap();
    for header in [
        json!({"alg": "ES256", "kid": "k2"}),
        json!({"alg": "ES256", "kid": "k1", "crit": ["b64"], "b64": false}),
        json!({"alg": "RS256", "kid": "k1"}),
        json!({"alg": ["ES256"]}),
    ] {
        assert!(world.check(&world.with_header(header.clone(), signature)).is_err(), "{header} passed");
    }
    let odd =
        ["", ".", "..", "a.b.c", "a.b.c.d", &format!("{message}."), &format!("{text}."), &format!("{text}=")];
    for token in odd {
        assert!(
            world.check(&Secret::from(token.to_owned())).is_err(),
            "{:?} passed",
            &token[..token.len().min(30)]
        );
    }
    let long = Secret::from(format!("{message}{}.{signature}", "A".repeat(100_000)));
    assert!(world.check(&long).is_err(), "100 KB passed");
    for at in 0..signature.len() {
        let mut bytes = signature.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = format!("{message}.{}", String::from_utf8(bytes).unwrap());
        assert!(
            world.check(&Secret::from(changed)).is_err(),
            "with another character {at} of the signature it passed"
        );
    }
}

#[test]
fn o42_a_key_set_is_bounded_and_may_hold_strangers() {
    let many = json!({"keys": vec![json!({"kty": "RSA"}); 101]}).to_string();
    for bad in ["{}", "{\"keys\":{}}", "[]", "", many.as_str()] {
        assert!(KeySet::read(bad.as_bytes()).is_err(), "{:?} was read", &bad[..bad.len().min(20)]);
    }
    let short =
        json!({"keys": [{"kty": "RSA", "n": BASE64_URL_SAFE_NO_PAD.encode([0xff; 128]), "e": "AQAB"}]})
            .to_string();
    let set = KeySet::read(short.as_bytes()).unwrap();
    let token = world().with_header(json!({"alg": "RS256"}), "AAAA");
    assert_eq!(set.open(&token).err(), Some(SignatureError::UnknownKey), "1024 bits are no key");
}
