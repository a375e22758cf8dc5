//! Private keys that sign short statements about ourselves: client assertions (RFC 7523) and DPoP proofs (RFC 9449).
//!
//! Must not know what a statement says.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use claviger_secret::Secret;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[allow(missing_docs)]
pub enum SigningAlgorithm {
    ES256,
    ES384,
    RS256,
    PS256,
    EdDSA,
}

/// A private key. Its bytes are PKCS#8, except RSA, which is PKCS#1.
pub struct SigningKey {
    algorithm: SigningAlgorithm,
    der: Secret,
    /// Named in each header, so that the server finds the public half.
    key_id: Option<String>,
}

/// A key that cannot be used, or that does not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not a PEM private key of the kind that the algorithm needs.
    #[error("not a private key for this algorithm")]
    NotAKey,
    /// The signature failed.
    #[error("the key does not sign")]
    DoesNotSign,
}

// === impl SigningAlgorithm ===

impl SigningAlgorithm {
    fn algorithm(self) -> Algorithm {
        match self {
            Self::ES256 => Algorithm::ES256,
            Self::ES384 => Algorithm::ES384,
            Self::RS256 => Algorithm::RS256,
            Self::PS256 => Algorithm::PS256,
            Self::EdDSA => Algorithm::EdDSA,
        }
    }
}

// === impl SigningKey ===

impl SigningKey {
    /// A fresh P-256 key.
    pub fn make() -> Result<Self, KeyError> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let der = document.map_err(|_| KeyError::NotAKey)?;
        Ok(Self {
            algorithm: SigningAlgorithm::ES256,
            der: Secret::from(der.as_ref().to_vec()),
            key_id: None,
        })
    }

    /// A key from PEM: PKCS#8, PKCS#1 or SEC1.
    pub fn from_pem(
        pem: &Secret,
        algorithm: SigningAlgorithm,
        key_id: Option<String>,
    ) -> Result<Self, KeyError> {
        // EXPOSE: parsed into the key that it is.
        let der = PrivateKeyDer::from_pem_slice(pem.expose()).map_err(|_| KeyError::NotAKey)?;
        let is_rsa = matches!(algorithm, SigningAlgorithm::RS256 | SigningAlgorithm::PS256);
        let bytes = match (&der, is_rsa) {
            (PrivateKeyDer::Pkcs1(der), true) => der.secret_pkcs1_der().to_vec(),
            (PrivateKeyDer::Pkcs8(der), true) => {
                pkcs1_inside(der.secret_pkcs8_der()).ok_or(KeyError::NotAKey)?.to_vec()
            }
            (PrivateKeyDer::Pkcs8(der), false) => der.secret_pkcs8_der().to_vec(),
            (PrivateKeyDer::Sec1(der), false) => pkcs8_around(der.secret_sec1_der(), algorithm)?,
            _ => return Err(KeyError::NotAKey),
        };
        Self::checked(algorithm, Secret::from(bytes), key_id)
    }

    /// The key that [`SigningKey::der`] gave.
    pub(crate) fn from_der(
        algorithm: SigningAlgorithm,
        der: Secret,
        key_id: Option<String>,
    ) -> Result<Self, KeyError> {
        Self::checked(algorithm, der, key_id)
    }

    fn checked(algorithm: SigningAlgorithm, der: Secret, key_id: Option<String>) -> Result<Self, KeyError> {
        let key = Self { algorithm, der, key_id };
        // A key of the wrong kind or curve is found here, not at the first refresh weeks later.
        key.sign("JWT", None, &serde_json::json!({})).map_err(|_| KeyError::NotAKey)?;
        Ok(key)
    }

    /// How it signs.
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    pub(crate) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The private key's bytes.
    pub(crate) fn der(&self) -> &Secret {
        &self.der
    }

    pub(crate) fn duplicate(&self) -> Self {
        Self { algorithm: self.algorithm, der: self.der.duplicate(), key_id: self.key_id.clone() }
    }

    /// The public half.
    pub fn public(&self) -> Result<Jwk, KeyError> {
        let mut jwk = Jwk::from_encoding_key(&self.encoding_key(), self.algorithm.algorithm())
            .map_err(|_| KeyError::NotAKey)?;
        jwk.common.key_algorithm = None;
        Ok(jwk)
    }

    /// A signed statement of this type; with the public key in its header where the reader needs it.
    pub fn sign(
        &self,
        kind: &str,
        public: Option<Jwk>,
        claims: &serde_json::Value,
    ) -> Result<Secret, KeyError> {
        let mut header = Header::new(self.algorithm.algorithm());
        header.typ = Some(kind.to_owned());
        header.kid = if public.is_some() { None } else { self.key_id.clone() };
        header.jwk = public;
        let signed =
            jsonwebtoken::encode(&header, claims, &self.encoding_key()).map_err(|_| KeyError::DoesNotSign)?;
        Ok(Secret::from(signed))
    }

    fn encoding_key(&self) -> EncodingKey {
        // EXPOSE: handed to the signer, whose copy is wiped when dropped.
        let der = self.der.expose();
        match self.algorithm {
            SigningAlgorithm::ES256 | SigningAlgorithm::ES384 => EncodingKey::from_ec_der(der),
            SigningAlgorithm::RS256 | SigningAlgorithm::PS256 => EncodingKey::from_rsa_der(der),
            SigningAlgorithm::EdDSA => EncodingKey::from_ed_der(der),
        }
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({:?})", self.algorithm)
    }
}

/// SEC1 as PKCS#8.
fn pkcs8_around(sec1: &[u8], algorithm: SigningAlgorithm) -> Result<Vec<u8>, KeyError> {
    let curve = match algorithm {
        SigningAlgorithm::ES256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
        SigningAlgorithm::ES384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
        _ => return Err(KeyError::NotAKey),
    };
    let pair = EcdsaKeyPair::from_private_key_der(curve, sec1).map_err(|_| KeyError::NotAKey)?;
    let pkcs8 = pair.to_pkcs8v1().map_err(|_| KeyError::NotAKey)?;
    Ok(pkcs8.as_ref().to_vec())
}

/// The PKCS#1 key inside a PKCS#8 one (RFC 5208 §5): SEQUENCE { version, algorithm, OCTET STRING }.
fn pkcs1_inside(pkcs8: &[u8]) -> Option<&[u8]> {
    let (inside, _) = der_value(pkcs8, 0x30)?;
    let (_, rest) = der_value(inside, 0x02)?;
    let (_, rest) = der_value(rest, 0x30)?;
    der_value(rest, 0x04).map(|(key, _)| key)
}

/// The value with this tag at the front, and what stands behind it.
fn der_value(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => rest.split_first().map(|(a, rest)| (usize::from(*a), rest))?,
        0x82 => rest.split_first_chunk::<2>().map(|(a, rest)| (usize::from(u16::from_be_bytes(*a)), rest))?,
        _ => return None,
    };
    if found != tag { None } else { rest.split_at_checked(len) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_every_form_sign_and_wrong_ones_are_refused_at_once() {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let pem = Secret::from(pair.serialize_pem());
        assert!(SigningKey::from_pem(&pem, SigningAlgorithm::ES256, None).is_ok(), "PKCS#8 P-256");
        for wrong in [
            SigningAlgorithm::ES384,
            SigningAlgorithm::RS256,
            SigningAlgorithm::PS256,
            SigningAlgorithm::EdDSA,
        ] {
            assert_eq!(
                SigningKey::from_pem(&pem, wrong, None).err(),
                Some(KeyError::NotAKey),
                "{wrong:?} with a P-256 key"
            );
        }
        let rsa = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let pem = Secret::from(rsa.serialize_pem());
        for algorithm in [SigningAlgorithm::RS256, SigningAlgorithm::PS256] {
            assert!(SigningKey::from_pem(&pem, algorithm, None).is_ok(), "{algorithm:?} from PKCS#8");
        }
        let junk = Secret::from(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_vec());
        assert_eq!(
            SigningKey::from_pem(&junk, SigningAlgorithm::RS256, None).err(),
            Some(KeyError::NotAKey),
            "junk"
        );
    }
}
