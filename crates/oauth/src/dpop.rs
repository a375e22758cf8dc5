//! DPoP (RFC 9449): each request proves that we hold the key which the token is bound to.
//!
//! Must not know how requests are sent.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use claviger_crypto::sha256;
use claviger_model::Timestamp;
use claviger_secret::{AccessToken, Secret};
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use parking_lot::Mutex;

use crate::Endpoint;
use crate::pkce::{as_text, make_text};
use crate::signing::{KeyError, SigningAlgorithm, SigningKey};

/// Nonces are kept for this many origins.
const MOST_ORIGINS: usize = 16;

/// A larger difference between two clocks is no skew but an error.
const LARGEST_SKEW: i64 = 12 * 3600;

/// A connection's own key, with the nonces that servers gave for it.
pub struct DpopKey {
    key: SigningKey,
    public: Jwk,
    nonces: Mutex<HashMap<String, String>>,
    /// Seconds that the server's clock is ahead of ours, once it complained.
    skew: AtomicI64,
}

// === impl DpopKey ===

impl DpopKey {
    /// A fresh ES256 key.
    pub fn make() -> Result<Self, KeyError> {
        Self::holding(SigningKey::make()?)
    }

    pub(crate) fn from_der(der: Secret) -> Result<Self, KeyError> {
        Self::holding(SigningKey::from_der(SigningAlgorithm::ES256, der, None)?)
    }

    fn holding(key: SigningKey) -> Result<Self, KeyError> {
        let public = key.public()?;
        Ok(Self { key, public, nonces: Mutex::default(), skew: AtomicI64::new(0) })
    }

    pub(crate) fn der(&self) -> &Secret {
        self.key.der()
    }

    /// The key's thumbprint (RFC 7638), as `dpop_jkt` and `cnf.jkt` carry it.
    pub fn thumbprint(&self) -> Result<String, KeyError> {
        self.public.thumbprint(ThumbprintHash::SHA256).map_err(|_| KeyError::NotAKey)
    }

    /// A proof for one request: fresh, for this method and URL, and for this token where one is sent along.
    pub fn proof(
        &self,
        method: &str,
        url: &Endpoint,
        token: Option<&AccessToken>,
        now: Timestamp,
    ) -> Result<Secret, KeyError> {
        let skew = self.skew.load(Ordering::Relaxed);
        let mut claims = serde_json::json!({
            "jti": as_text(&make_text()),
            "htm": method,
            "htu": url.without_query(),
            "iat": now.0.div_euclid(1000) + skew,
        });
        if let Some(token) = token {
            // EXPOSE: hashed into the proof (RFC 9449 §4.2, `ath`).
            let hash = sha256(token.secret().expose());
            claims["ath"] = BASE64_URL_SAFE_NO_PAD.encode(hash).into();
        }
        if let Some(nonce) = self.nonces.lock().get(&url.origin()) {
            claims["nonce"] = nonce.as_str().into();
        }
        self.key.sign("dpop+jwt", Some(self.public.clone()), &claims)
    }

    /// Keeps the nonce that a server gave with an answer. Says whether it is a new one.
    pub fn learn_nonce(&self, url: &Endpoint, nonce: &str) -> bool {
        let is_nonce = !nonce.is_empty()
            && nonce.len() <= 512
            && nonce.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
        let mut nonces = self.nonces.lock();
        if !is_nonce || (nonces.len() >= MOST_ORIGINS && !nonces.contains_key(&url.origin())) {
            return false;
        }
        nonces.insert(url.origin(), nonce.to_owned()).as_deref() != Some(nonce)
    }

    /// Learns from the `Date` of an answer how far the server's clock is from ours. Says whether that changes anything.
    pub(crate) fn learn_clock(&self, date: Option<&str>, now: Timestamp) -> bool {
        let Some(date) = date.and_then(|d| httpdate::parse_http_date(d).ok()) else { return false };
        let Ok(theirs) = date.duration_since(std::time::UNIX_EPOCH) else { return false };
        let skew = theirs.as_secs() as i64 - now.0.div_euclid(1000);
        if skew.abs() > LARGEST_SKEW {
            return false;
        }
        let before = self.skew.swap(skew, Ordering::Relaxed);
        (before - skew).abs() > 2
    }
}

impl std::fmt::Debug for DpopKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DpopKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reach;
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};
    use serde_json::Value;

    fn url(text: &str) -> Endpoint {
        Endpoint::parse(text, Reach::Public).unwrap()
    }

    fn open(proof: &Secret) -> (jsonwebtoken::Header, Value) {
        let header = jsonwebtoken::decode_header(proof.expose()).unwrap();
        let key = DecodingKey::from_jwk(header.jwk.as_ref().unwrap()).unwrap();
        let mut rules = Validation::new(Algorithm::ES256);
        rules.required_spec_claims.clear();
        rules.validate_exp = false;
        let data = jsonwebtoken::decode(proof.expose(), &key, &rules).expect("its own key verifies it");
        (data.header, data.claims)
    }

    #[test]
    fn o75_a_proof_names_method_url_time_and_token_and_is_fresh() {
        let key = DpopKey::make().unwrap();
        let at = url("https://as.example/token?x=1");
        let (header, first) = open(&key.proof("POST", &at, None, Timestamp(5_000)).unwrap());
        assert_eq!(header.typ.as_deref(), Some("dpop+jwt"), "the type keeps it from being another JWT");
        assert_eq!(
            header.jwk.as_ref().unwrap().thumbprint(ThumbprintHash::SHA256).unwrap(),
            key.thumbprint().unwrap(),
            "our key"
        );
        let raw = std::str::from_utf8(
            &BASE64_URL_SAFE_NO_PAD
                .decode(
                    key.proof("POST", &at, None, Timestamp(0))
                        .unwrap()
                        .expose()
                        .split(|b| *b == b'.')
                        .next()
                        .unwrap(),
                )
                .unwrap(),
        )
        .unwrap()
        .to_owned();
        assert!(!raw.contains("\"d\""), "no private part stands in the header: {raw}");
        assert_eq!(
            (&first["htm"], &first["htu"], &first["iat"]),
            (&"POST".into(), &"https://as.example/token".into(), &5.into()),
            "without query"
        );
        assert!(first.get("ath").is_none() && first.get("nonce").is_none(), "nothing that was not asked for");
        let token = AccessToken::from("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU".to_owned());
        let (_, second) = open(&key.proof("GET", &at, Some(&token), Timestamp(5_000)).unwrap());
        assert_eq!(second["ath"], "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo", "RFC 9449 §7.1, example");
        assert_ne!(first["jti"], second["jti"], "a jti came twice");
    }

    #[test]
    fn o76_nonces_are_kept_for_their_origin() {
        let key = DpopKey::make().unwrap();
        let (a, b) = (url("https://as.example/token"), url("https://rs.example/x"));
        assert!(key.learn_nonce(&a, "n1"), "a first nonce is news");
        assert!(!key.learn_nonce(&a, "n1"), "the same again is not");
        assert_eq!(
            open(&key.proof("POST", &a, None, Timestamp(0)).unwrap()).1["nonce"],
            "n1",
            "there it is sent"
        );
        assert!(
            open(&key.proof("GET", &b, None, Timestamp(0)).unwrap()).1.get("nonce").is_none(),
            "elsewhere not"
        );
        for bad in ["", "a b", "a\"b", "ü", &"x".repeat(1000)] {
            assert!(!key.learn_nonce(&b, bad), "{bad:?} was taken");
        }
        for i in 0..1000 {
            key.learn_nonce(&url(&format!("https://{i}.example/")), "n");
        }
        assert!(key.nonces.lock().len() <= MOST_ORIGINS, "nonces do not pile up");
    }

    #[test]
    fn o78_a_skewed_clock_is_learned_from_the_server() {
        let key = DpopKey::make().unwrap();
        let now = Timestamp::parse("2026-11-21T12:00:00Z").unwrap();
        assert!(key.learn_clock(Some("Sat, 21 Nov 2026 12:05:00 GMT"), now), "five minutes are news");
        assert!(!key.learn_clock(Some("Sat, 21 Nov 2026 12:05:01 GMT"), now), "and then known");
        let (_, claims) = open(&key.proof("POST", &url("https://as.example/"), None, now).unwrap());
        assert_eq!(
            claims["iat"].as_i64().unwrap() - now.0 / 1000,
            301,
            "the proof is dated by the server's clock"
        );
        for bad in [None, Some("garbage"), Some("Sat, 21 Nov 2020 12:00:00 GMT")] {
            assert!(!key.learn_clock(bad, now), "{bad:?} was believed");
        }
    }
}
