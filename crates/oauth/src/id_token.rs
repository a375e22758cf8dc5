//! Who consented: the id token, checked as OpenID Connect Core §3.1.3.7 asks, and then only read for a name.
//!
//! Must not know the flow that brought it. An id token never opens anything here.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use claviger_crypto::sha256;
use claviger_model::Timestamp;
use claviger_secret::{AccessToken, Secret};
use jsonwebtoken::Algorithm;
use serde_json::Value;

use crate::http::{Http, HttpError, Request};
use crate::json::{Fault, Object};
use crate::jws::{KeySet, SignatureError, algorithm_of};
use crate::{Server, Shown};

/// How far two clocks may differ, in seconds.
const LEEWAY: i64 = 120;

/// The person, or the thing, that a connection belongs to at its server.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Account {
    /// Stable at this issuer.
    pub subject: Shown,
    /// A name to show.
    pub name: Option<Shown>,
    /// An address to show.
    pub email: Option<Shown>,
}

/// Why an id token is not believed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdTokenError {
    /// The keys cannot be fetched.
    #[error("the server's signing keys cannot be fetched: {0}")]
    Http(#[from] HttpError),
    /// The keys, or the claims, are malformed.
    #[error("malformed: {0}")]
    Malformed(#[from] Fault),
    /// The signature.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// A claim is missing or says something else.
    #[error("its {0} is wrong")]
    Claim(&'static str),
}

/// Checks an id token and says whose it is.
pub(crate) async fn check(
    http: &Arc<dyn Http>,
    server: &Server,
    client_id: &str,
    nonce: Option<&Secret>,
    token: &Secret,
    access: &AccessToken,
    now: Timestamp,
) -> Result<Option<Account>, IdTokenError> {
    // A server whose keys are nowhere published cannot be believed about anybody.
    let Some(jwks_uri) = &server.jwks_uri else { return Ok(None) };
    let response = http.send(Request::get(jwks_uri.clone(), server.reach)).await?;
    if response.status != 200 {
        return Err(SignatureError::UnknownKey.into());
    }
    // EXPOSE: published keys.
    let keys = KeySet::read(response.body.expose())?;
    let claims = keys.open(token)?;
    let expected = Expected {
        issuer: server.issuer.as_str(),
        client_id,
        nonce,
        access,
        algorithm: algorithm_of(token)?,
    };
    expected.check(&claims, now)?;
    let shown = |field| claims.text(field).ok().flatten().map(|t| Shown::clean_to(t, 120));
    let subject = shown("sub").ok_or(IdTokenError::Claim("sub"))?;
    Ok(Some(Account {
        subject,
        name: shown("name").or_else(|| shown("preferred_username")),
        email: shown("email"),
    }))
}

/// What the claims must say.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) nonce: Option<&'a Secret>,
    pub(crate) access: &'a AccessToken,
    pub(crate) algorithm: Algorithm,
}

// === impl Expected ===

impl Expected<'_> {
    pub(crate) fn check(&self, claims: &Object, now: Timestamp) -> Result<(), IdTokenError> {
        let wrong = IdTokenError::Claim;
        if claims.text("iss")? != Some(self.issuer) {
            return Err(wrong("iss"));
        }
        let audience: Vec<&str> = match claims.value("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => return Err(wrong("aud")),
        };
        if !audience.contains(&self.client_id) {
            return Err(wrong("aud"));
        }
        match claims.text("azp")? {
            Some(azp) if azp != self.client_id => return Err(wrong("azp")),
            None if audience.len() > 1 => return Err(wrong("azp")),
            _ => {}
        }
        let second = |field: &str| claims.value(field).and_then(Value::as_f64).map(|s| s as i64);
        let at = now.0.div_euclid(1000);
        if second("exp").is_none_or(|exp| exp.saturating_add(LEEWAY) <= at) {
            return Err(wrong("exp"));
        }
        if second("iat").is_none_or(|iat| iat > at.saturating_add(LEEWAY))
            || second("nbf").is_some_and(|nbf| nbf > at.saturating_add(LEEWAY))
        {
            return Err(wrong("iat"));
        }
        let nonce = claims.text("nonce")?.map(|n| Secret::from(n.to_owned()));
        if let Some(expected) = self.nonce
            && nonce.as_ref() != Some(expected)
        {
            return Err(wrong("nonce"));
        }
        // Only where the hash is SHA-256; for the others the signature and the direct answer are what counts.
        let is_sha256 = matches!(self.algorithm, Algorithm::RS256 | Algorithm::PS256 | Algorithm::ES256);
        if let (Some(at_hash), true) = (claims.text("at_hash")?, is_sha256) {
            // EXPOSE: hashed, to compare with what the server signed about it.
            let half = &sha256(self.access.secret().expose())[..16];
            if at_hash != BASE64_URL_SAFE_NO_PAD.encode(half) {
                return Err(wrong("at_hash"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
