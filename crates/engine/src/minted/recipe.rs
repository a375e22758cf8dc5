//! What a `jwt-bearer` credential consists of: a private key and what the token that it signs shall say. Read from one
//! JSON document, which is the material; Google's service account files are taken as they are.
//!
//! Must not know the network, nor where the token goes.

use claviger_model::Timestamp;
use claviger_oauth::{SigningAlgorithm, SigningKey};
use claviger_secret::Secret;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::EngineError;

/// GitHub takes no longer ones, and clocks differ.
const LIFE_FOR_GITHUB: i64 = 540;
const LIFE_FOR_OAUTH: i64 = 3_600;
const LIFE_OF_ITS_OWN: i64 = 300;
const LONGEST_LIFE: i64 = 86_400;
/// How far we may be ahead of the reader's clock.
const BEFORE: i64 = 30;
/// A shared key below this can be guessed (RFC 7518 §3.2).
const SHORTEST_SHARED: usize = 32;

/// How to make a token.
pub(super) struct Recipe {
    signer: Signer,
    key_id: Option<String>,
    claims: Map<String, Value>,
    life: i64,
    pub(super) exchange: Option<Exchange>,
}

enum Signer {
    Key(SigningKey),
    Shared(Secret),
}

/// Where the signed token is given for the one that the service takes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "via", deny_unknown_fields)]
pub(super) enum Exchange {
    /// RFC 7523: at a token endpoint.
    Oauth {
        /// The token endpoint.
        token_url: String,
    },
    /// GitHub: an App's token for an installation's.
    GithubApp {
        /// The installation's number.
        installation: u64,
        /// The API's base URL, for GitHub Enterprise.
        #[serde(default = "github")]
        api: String,
    },
}

/// The document as it is typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    algorithm: String,
    key: String,
    key_id: Option<String>,
    issuer: Option<String>,
    subject: Option<String>,
    audience: Option<String>,
    scope: Option<String>,
    #[serde(default)]
    claims: Map<String, Value>,
    lifetime_s: Option<u32>,
    exchange: Option<Exchange>,
}

/// A service account as Google hands it out, with the scope and subject that its user adds.
#[derive(Deserialize)]
struct ServiceAccount {
    private_key: String,
    private_key_id: Option<String>,
    client_email: String,
    token_uri: String,
    scope: Option<String>,
    subject: Option<String>,
}

fn github() -> String {
    "https://api.github.com".to_owned()
}

fn invalid(why: impl Into<String>) -> EngineError {
    EngineError::Invalid(why.into())
}

// === impl Exchange ===

impl Exchange {
    /// Where the signed token is sent.
    pub(super) fn url(&self) -> String {
        match self {
            Self::Oauth { token_url } => token_url.clone(),
            Self::GithubApp { installation, api } => {
                format!("{}/app/installations/{installation}/access_tokens", api.trim_end_matches('/'))
            }
        }
    }
}

// === impl Recipe ===

impl Recipe {
    /// Reads a document. What would fail at the first request fails here.
    pub(super) fn read(document: &Secret) -> Result<Self, EngineError> {
        // EXPOSE: parsed; its key becomes a Secret again. The parser's message could quote it and is not passed on.
        let bytes = document.expose();
        let value: Value = serde_json::from_slice(bytes)
            .map_err(|_| invalid("the secret is not the JSON document that its kind asks for"))?;
        if value.get("type").and_then(Value::as_str) == Some("service_account") {
            let account = ServiceAccount::deserialize(value)
                .map_err(|_| invalid("this service account file lacks a field that is needed"))?;
            return Self::of_service_account(account);
        }
        let document = Document::deserialize(value).map_err(|why| {
            let why = why.to_string();
            let is_about_names = why.starts_with("missing field") || why.starts_with("unknown field");
            invalid(if is_about_names {
                why
            } else {
                "a field of the document is of the wrong kind".to_owned()
            })
        })?;
        Self::of_document(document)
    }

    fn of_document(document: Document) -> Result<Self, EngineError> {
        let Document {
            algorithm,
            key,
            key_id,
            issuer,
            subject,
            audience,
            scope,
            claims,
            lifetime_s,
            exchange,
        } = document;
        let key = Secret::from(key);
        let asymmetric = match algorithm.as_str() {
            "HS256" if key.len() < SHORTEST_SHARED => {
                return Err(invalid("a shared key for HS256 has at least 32 characters"));
            }
            "HS256" => None,
            "RS256" => Some(SigningAlgorithm::RS256),
            "PS256" => Some(SigningAlgorithm::PS256),
            "ES256" => Some(SigningAlgorithm::ES256),
            "ES384" => Some(SigningAlgorithm::ES384),
            "EdDSA" => Some(SigningAlgorithm::EdDSA),
            _ => return Err(invalid("the algorithm is RS256, PS256, ES256, ES384, EdDSA or HS256")),
        };
        let signer = match asymmetric {
            None => Signer::Shared(key),
            Some(algorithm) => {
                Signer::Key(SigningKey::from_pem(&key, algorithm, key_id.clone()).map_err(|why| {
                    invalid(format!("the key is {why}; give it in PEM, line breaks as \\n"))
                })?)
            }
        };
        let mut all = claims;
        let named = [("iss", issuer), ("sub", subject), ("aud", audience), ("scope", scope)];
        for (name, value) in named {
            if let Some(value) = value
                && all.insert(name.to_owned(), value.into()).is_some()
            {
                return Err(invalid(format!("the claim {name} is said twice")));
            }
        }
        if ["exp", "iat", "nbf", "jti"].iter().any(|ours| all.contains_key(*ours)) {
            return Err(invalid("exp, iat, nbf and jti are set for each token; leave them out"));
        }
        let usual = match &exchange {
            None => LIFE_OF_ITS_OWN,
            Some(Exchange::Oauth { .. }) => LIFE_FOR_OAUTH,
            Some(Exchange::GithubApp { .. }) => LIFE_FOR_GITHUB,
        };
        let life = lifetime_s.map_or(usual, i64::from);
        if !(10..=LONGEST_LIFE).contains(&life) {
            return Err(invalid("a token lives between ten seconds and a day"));
        }
        Ok(Self { signer, key_id, claims: all, life, exchange })
    }

    fn of_service_account(account: ServiceAccount) -> Result<Self, EngineError> {
        if account.scope.is_none() {
            return Err(invalid(
                "add a field \"scope\" to the service account's document: what its token is for",
            ));
        }
        Self::of_document(Document {
            algorithm: "RS256".to_owned(),
            key: account.private_key,
            key_id: account.private_key_id,
            issuer: Some(account.client_email),
            subject: account.subject,
            audience: Some(account.token_uri.clone()),
            scope: account.scope,
            claims: Map::new(),
            lifetime_s: None,
            exchange: Some(Exchange::Oauth { token_url: account.token_uri }),
        })
    }

    /// A token of its own number, signed now, and when it ends.
    pub(super) fn mint(&self, now: Timestamp) -> Result<(Secret, Timestamp), EngineError> {
        let seconds = now.0.div_euclid(1000);
        let end = seconds + self.life;
        let mut claims = self.claims.clone();
        claims.insert("iat".into(), json!(seconds - BEFORE));
        claims.insert("exp".into(), json!(end));
        claims.insert("jti".into(), data_encoding::HEXLOWER.encode(&claviger_crypto::random_id()).into());
        let claims = Value::Object(claims);
        let failed = || invalid("the key does not sign");
        let token = match &self.signer {
            Signer::Key(key) => key.sign("JWT", None, &claims).map_err(|_| failed())?,
            Signer::Shared(key) => {
                let header = Header { kid: self.key_id.clone(), ..Header::new(Algorithm::HS256) };
                // EXPOSE: handed to the signer, whose copy is wiped when dropped.
                let key = EncodingKey::from_secret(key.expose());
                Secret::from(jsonwebtoken::encode(&header, &claims, &key).map_err(|_| failed())?)
            }
        };
        Ok((token, Timestamp(end * 1000)))
    }
}

#[cfg(test)]
#[path = "recipe_tests.rs"]
mod tests;
