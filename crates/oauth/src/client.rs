//! Who we are at one issuer, and how we prove it. Credentials of a client are for that issuer and nobody else.
//!
//! Must not know which flow asks.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use claviger_model::Timestamp;
use claviger_secret::{ClientSecret, Secret};
use zeroize::Zeroizing;

use crate::form::{Form, encode_into};
use crate::pkce::{as_text, make_text};
use crate::signing::{KeyError, SigningKey};
use crate::text::is_vschar;
use crate::{Issuer, Server};

/// How long a client assertion holds.
const ASSERTION_SECONDS: i64 = 60;

/// The assertion type of RFC 7523.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client registration.
#[derive(Debug)]
pub struct Client {
    /// Where it is registered.
    pub issuer: Issuer,
    /// Its public name there.
    pub id: String,
    /// How it proves itself.
    pub authentication: ClientAuthentication,
    /// The secret before the last change, tried once when the server does not know the new one yet.
    pub former: Option<ClientAuthentication>,
}

/// How a client proves itself at the token endpoint (RFC 6749 §2.3, RFC 7523).
#[derive(Debug)]
pub enum ClientAuthentication {
    /// A public client: only its id.
    None,
    /// Id and secret in `Authorization: Basic`, each form-encoded first.
    Basic(ClientSecret),
    /// Id and secret in the form.
    Post(ClientSecret),
    /// A signed assertion.
    PrivateKeyJwt(SigningKey),
}

/// A client that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Empty, too long, or characters that no client id has.
    #[error("not a client id")]
    BadId,
    /// Empty, too long, or characters that no client secret has.
    #[error("not a client secret")]
    BadSecret,
    /// The server takes none of the ways that we know.
    #[error("the server takes no way of client authentication that we know")]
    NoCommonWay,
}

// === impl Client ===

impl Client {
    /// A public client.
    pub fn public(issuer: Issuer, id: impl Into<String>) -> Result<Self, ClientError> {
        Self::checked(issuer, id.into(), ClientAuthentication::None)
    }

    /// A client with a secret, which goes where the server says it takes it: the header unless it takes only the form.
    pub fn with_secret(
        server: &Server,
        id: impl Into<String>,
        secret: ClientSecret,
    ) -> Result<Self, ClientError> {
        let takes = |way: &str| {
            server.client_authentication.as_ref().is_some_and(|ways| ways.iter().any(|w| w == way))
        };
        // RFC 8414 §2: a server that does not say takes the header.
        let authentication = if server.client_authentication.is_none() || takes("client_secret_basic") {
            ClientAuthentication::Basic(secret)
        } else if takes("client_secret_post") {
            ClientAuthentication::Post(secret)
        } else {
            return Err(ClientError::NoCommonWay);
        };
        Self::checked(server.issuer.clone(), id.into(), authentication)
    }

    /// A client that signs assertions.
    pub fn with_key(issuer: Issuer, id: impl Into<String>, key: SigningKey) -> Result<Self, ClientError> {
        Self::checked(issuer, id.into(), ClientAuthentication::PrivateKeyJwt(key))
    }

    /// A client with this authentication.
    pub fn checked(
        issuer: Issuer,
        id: String,
        authentication: ClientAuthentication,
    ) -> Result<Self, ClientError> {
        if id.is_empty() || id.len() > 1024 || id.chars().any(char::is_control) {
            return Err(ClientError::BadId);
        }
        if let ClientAuthentication::Basic(secret) | ClientAuthentication::Post(secret) = &authentication {
            // EXPOSE: looked at for characters that cannot be sent.
            let bytes = secret.secret().expose();
            let is_text = is_vschar(bytes)
                || std::str::from_utf8(bytes).is_ok_and(|t| !t.chars().any(char::is_control));
            if bytes.is_empty() || bytes.len() > 4096 || !is_text {
                return Err(ClientError::BadSecret);
            }
        }
        Ok(Self { issuer, id, authentication, former: None })
    }

    /// With the secret that was in force before, for the time in which servers know only one of them.
    pub fn with_former(mut self, former: ClientAuthentication) -> Self {
        self.former = Some(former);
        self
    }

    /// A second copy. Spelled out, because it holds material.
    pub fn duplicate(&self) -> Self {
        Self {
            issuer: self.issuer.clone(),
            id: self.id.clone(),
            authentication: self.authentication.duplicate(),
            former: self.former.as_ref().map(ClientAuthentication::duplicate),
        }
    }
}

// === impl ClientAuthentication ===

impl ClientAuthentication {
    fn duplicate(&self) -> Self {
        let copy = |secret: &ClientSecret| ClientSecret::from(secret.secret().duplicate());
        match self {
            Self::None => Self::None,
            Self::Basic(secret) => Self::Basic(copy(secret)),
            Self::Post(secret) => Self::Post(copy(secret)),
            Self::PrivateKeyJwt(key) => Self::PrivateKeyJwt(key.duplicate()),
        }
    }

    /// Puts the proof on a request: into the form, and the `Authorization` header if there is one.
    pub(crate) fn prove(
        &self,
        id: &str,
        audience: &Issuer,
        form: Form,
        now: Timestamp,
    ) -> Result<(Form, Option<Secret>), KeyError> {
        Ok(match self {
            Self::None => (form.with("client_id", id), None),
            Self::Basic(secret) => (form, Some(basic(id, secret))),
            Self::Post(secret) => {
                (form.with("client_id", id).with_secret("client_secret", secret.secret()), None)
            }
            Self::PrivateKeyJwt(key) => {
                let assertion = assertion(key, id, audience, now)?;
                let form = form.with("client_id", id).with("client_assertion_type", JWT_BEARER);
                (form.with_secret("client_assertion", &assertion), None)
            }
        })
    }
}

/// `Basic …` with id and secret form-encoded before base64 (RFC 6749 §2.3.1).
fn basic(id: &str, secret: &ClientSecret) -> Secret {
    const SCHEME: &[u8] = b"Basic ";
    let mut pair = Zeroizing::new(String::with_capacity(id.len() * 3 + secret.secret().len() * 3 + 1));
    encode_into(&mut pair, id.as_bytes());
    pair.push(':');
    // EXPOSE: encoded into the header of the request that it is for; the buffer is wiped.
    encode_into(&mut pair, secret.secret().expose());
    // Straight into place: the library's way into a string leaves pieces on the stack.
    let encoded = base64::encoded_len(pair.len(), true).unwrap_or_default();
    Secret::filled_by(SCHEME.len() + encoded, |out| {
        out[..SCHEME.len()].copy_from_slice(SCHEME);
        // The buffer has the length that the encoding has.
        let _ = BASE64_STANDARD.encode_slice(pair.as_bytes(), &mut out[SCHEME.len()..]);
    })
}

/// An assertion about ourselves for one issuer, once, for a minute.
fn assertion(key: &SigningKey, id: &str, audience: &Issuer, now: Timestamp) -> Result<Secret, KeyError> {
    let at = now.0.div_euclid(1000);
    let claims = serde_json::json!({
        "iss": id, "sub": id, "aud": audience.as_str(), "jti": as_text(&make_text()),
        "iat": at, "nbf": at, "exp": at + ASSERTION_SECONDS,
    });
    key.sign("JWT", None, &claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reach;
    use crate::signing::SigningAlgorithm;
    use std::collections::HashSet;

    fn issuer() -> Issuer {
        Issuer::parse("https://as.example", Reach::Public).unwrap()
    }

    #[test]
    fn o32_basic_is_form_encoded_before_base64() {
        let secret = ClientSecret::from("p:%+ ü".to_owned());
        let header = basic("cli ent:1", &secret);
        let text = std::str::from_utf8(header.expose()).unwrap();
        let pair = BASE64_STANDARD.decode(text.strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(
            String::from_utf8(pair).unwrap(),
            "cli+ent%3A1:p%3A%25%2B+%C3%BC",
            "RFC 6749 §2.3.1 and appendix B"
        );
    }

    #[test]
    fn o32_a_secret_goes_into_one_place_only() {
        let secret = || ClientSecret::from("s3cr3t".to_owned());
        let (form, header) =
            ClientAuthentication::Basic(secret()).prove("c", &issuer(), Form::new(), Timestamp(0)).unwrap();
        let body = form.finish();
        assert!(header.is_some() && body.is_empty(), "in the header, nothing in the form");
        let (form, header) =
            ClientAuthentication::Post(secret()).prove("c", &issuer(), Form::new(), Timestamp(0)).unwrap();
        assert!(header.is_none(), "in the form, no header");
        assert_eq!(
            form.finish(),
            Secret::from("client_id=c&client_secret=s3cr3t".to_owned()),
            "id and secret"
        );
    }

    #[test]
    fn o33_an_assertion_is_for_one_issuer_once_for_a_minute() {
        let key = SigningKey::make().unwrap();
        assert_eq!(key.algorithm(), SigningAlgorithm::ES256, "a fresh key is P-256");
        let mut ids = HashSet::new();
        for _ in 0..100 {
            let assertion = assertion(&key, "client", &issuer(), Timestamp(1_000_000)).unwrap();
            let read: serde_json::Value =
                jsonwebtoken::dangerous::insecure_decode_claims(assertion.expose()).unwrap();
            assert_eq!(read["aud"], "https://as.example", "the audience is the issuer");
            assert_eq!(
                (&read["iss"], &read["sub"]),
                (&"client".into(), &"client".into()),
                "we speak about ourselves"
            );
            assert_eq!(read["exp"].as_i64().unwrap() - read["iat"].as_i64().unwrap(), 60, "a minute");
            assert!(ids.insert(read["jti"].as_str().unwrap().to_owned()), "a jti came twice");
        }
    }

    #[test]
    fn o70_bad_ids_and_secrets_are_no_client() {
        for id in ["", "a\nb", "a\u{0}b", &"x".repeat(2000)] {
            assert_eq!(Client::public(issuer(), id).err(), Some(ClientError::BadId), "{id:?}");
        }
        for secret in ["", "a\r\nx: y"] {
            let authentication = ClientAuthentication::Basic(ClientSecret::from(secret.to_owned()));
            assert!(Client::checked(issuer(), "c".into(), authentication).is_err(), "{secret:?}");
        }
    }
}
