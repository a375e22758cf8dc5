//! Signatures on JSON (RFC 7515) by keys that a server publishes (RFC 7517): asymmetric algorithms only, the key found in
//! the published set and nowhere else.
//!
//! Must not know what the signed claims mean.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use claviger_secret::Secret;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

use crate::json::{Fault, Object, fault};

/// No signed token is longer.
const LONGEST: usize = 16 * 1024;

/// No set has more keys.
const MOST_KEYS: usize = 100;

/// A modulus shorter than 2048 bits is no key.
const SHORTEST_MODULUS: usize = 256;

/// A server's published signing keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeySet(Vec<Jwk>);

/// Why a signed token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Not three parts of base64url, or JSON inside that is not what it must be.
    #[error("not a signed token")]
    Malformed,
    /// `none`, HMAC, or one that is not offered.
    #[error("signed with an algorithm that is not allowed")]
    Algorithm,
    /// The published keys have none that fits.
    #[error("signed with an unknown key")]
    UnknownKey,
    /// It does not verify.
    #[error("the signature is wrong")]
    Wrong,
}

// === impl KeySet ===

impl KeySet {
    /// Reads a JWK set. Keys of unknown kinds are passed over, as RFC 7517 §5 asks.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let object = Object::read(bytes)?;
        let list = object.value("keys").and_then(Value::as_array).filter(|l| l.len() <= MOST_KEYS);
        let list = list.ok_or(fault("not a list of keys", "keys"))?;
        let keys = list.iter().filter_map(|key| serde_json::from_value(key.clone()).ok());
        Ok(Self(keys.filter(is_usable).collect()))
    }

    /// The claims of a token, once its signature is right.
    pub(crate) fn open(&self, token: &Secret) -> Result<Object, SignatureError> {
        Object::read(&self.signed_by(token)?).map_err(|_| SignatureError::Malformed)
    }

    /// What is signed, once the signature is right.
    fn signed_by(&self, token: &Secret) -> Result<Vec<u8>, SignatureError> {
        let head = head(token)?;
        let key = self.find(&head).ok_or(SignatureError::UnknownKey)?;
        // EXPOSE: signed bytes, checked against a public key.
        let bytes = token.expose();
        let text = std::str::from_utf8(bytes).map_err(|_| SignatureError::Malformed)?;
        let (message, signature) = text.rsplit_once('.').ok_or(SignatureError::Malformed)?;
        check(key, head.algorithm, message.as_bytes(), signature)?;
        let (_, payload) = message.split_once('.').ok_or(SignatureError::Malformed)?;
        BASE64_URL_SAFE_NO_PAD.decode(payload).map_err(|_| SignatureError::Malformed)
    }

    /// The key that the head names; one that fits, if it names none and only one does.
    fn find(&self, head: &Head) -> Option<&Jwk> {
        let mut fitting = self.0.iter().filter(|key| fits(key, head.algorithm));
        match &head.key_id {
            Some(id) => fitting.find(|key| key.common.key_id.as_ref() == Some(id)),
            None => fitting.next().filter(|_| fitting.next().is_none()),
        }
    }
}

/// The protected header, as far as it counts.
struct Head {
    algorithm: Algorithm,
    key_id: Option<String>,
}

/// The algorithm that a token says it is signed with.
pub(crate) fn algorithm_of(token: &Secret) -> Result<Algorithm, SignatureError> {
    head(token).map(|head| head.algorithm)
}

fn head(token: &Secret) -> Result<Head, SignatureError> {
    // EXPOSE: the header is public.
    let bytes = token.expose();
    let mut parts = bytes.split(|b| *b == b'.');
    let (Some(first), Some(_), Some(_), None, true) =
        (parts.next(), parts.next(), parts.next(), parts.next(), bytes.len() <= LONGEST)
    else {
        return Err(SignatureError::Malformed);
    };
    let header = BASE64_URL_SAFE_NO_PAD.decode(first).map_err(|_| SignatureError::Malformed)?;
    let header = Object::read(&header).map_err(|_| SignatureError::Malformed)?;
    // Extensions that must be understood are not understood here, `b64` among them.
    if header.has("crit") || header.has("b64") || header.has("enc") || header.has("zip") {
        return Err(SignatureError::Algorithm);
    }
    let algorithm = match header.text("alg") {
        Ok(Some("RS256")) => Algorithm::RS256,
        Ok(Some("RS384")) => Algorithm::RS384,
        Ok(Some("RS512")) => Algorithm::RS512,
        Ok(Some("PS256")) => Algorithm::PS256,
        Ok(Some("PS384")) => Algorithm::PS384,
        Ok(Some("PS512")) => Algorithm::PS512,
        Ok(Some("ES256")) => Algorithm::ES256,
        Ok(Some("ES384")) => Algorithm::ES384,
        Ok(Some("EdDSA")) => Algorithm::EdDSA,
        _ => return Err(SignatureError::Algorithm),
    };
    // `jku`, `jwk`, `x5u` and `x5c` may stand there; nobody reads them.
    let key_id = header.text("kid").map_err(|_| SignatureError::Malformed)?.map(str::to_owned);
    Ok(Head { algorithm, key_id })
}

/// Whether this is the key's signature of the message. The signature is base64url.
fn check(key: &Jwk, algorithm: Algorithm, message: &[u8], signature: &str) -> Result<(), SignatureError> {
    let key = DecodingKey::from_jwk(key).map_err(|_| SignatureError::UnknownKey)?;
    match jsonwebtoken::crypto::verify(signature, message, &key, algorithm) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(SignatureError::Wrong),
    }
}

fn is_usable(key: &Jwk) -> bool {
    let common = &key.common;
    let is_for_signatures = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
    let may_verify = common.key_operations.as_ref().is_none_or(|ops| ops.contains(&KeyOperations::Verify));
    is_for_signatures && may_verify
}

fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let is_its_own = key.common.key_algorithm.is_none_or(|own| own.to_string() == format!("{algorithm:?}"));
    let is_its_kind = match (&key.algorithm, algorithm) {
        (AlgorithmParameters::EllipticCurve(p), Algorithm::ES256) => p.curve == EllipticCurve::P256,
        (AlgorithmParameters::EllipticCurve(p), Algorithm::ES384) => p.curve == EllipticCurve::P384,
        (AlgorithmParameters::OctetKeyPair(p), Algorithm::EdDSA) => p.curve == EllipticCurve::Ed25519,
        (
            AlgorithmParameters::RSA(p),
            Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512,
        ) => BASE64_URL_SAFE_NO_PAD
            .decode(&p.n)
            .is_ok_and(|n| n.iter().skip_while(|b| **b == 0).count() >= SHORTEST_MODULUS),
        _ => false,
    };
    is_its_own && is_its_kind
}

#[cfg(test)]
mod tests;
