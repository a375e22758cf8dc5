//! Agent tokens: JWTs (RFC 7519) whose stored row is the authority. Must not know HTTP or where tokens are stored.
//!
//! A token is accepted only if its SHA-256 is that of a row in force, its signature verifies, and every claim is as
//! it was issued. The signature of the very same bytes cannot change, so it is verified once per installed set of
//! rows; row and expiry are checked on every request.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use claviger_crypto::sha256;
use claviger_model::{Agent, AgentId, Timestamp, TokenHash, TokenInfo, VaultId};
use claviger_proxy::ports::TokenRefusal;
use claviger_secret::{AgentToken, Secret};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::EngineError;

/// Longest token that is looked at; ours are about 400 bytes.
const MAX_TOKEN: usize = 4096;
const ISSUER: &str = "claviger";
/// One signing key per vault epoch; looked up by equality only.
const KEY_ID: &str = "1";

/// Claims of an agent token. All are required.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    jti: String,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// Mints tokens and verifies their signature and claims.
pub(crate) struct TokenKeys {
    audience: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

/// The rows in force, keyed by the token's hash.
pub(crate) struct TokenRows {
    rows: HashMap<[u8; 32], Row>,
}

struct Row {
    agent: AgentId,
    jti: String,
    expires_at: Timestamp,
    signature_verified: AtomicBool,
}

// === impl TokenKeys ===

impl TokenKeys {
    pub(crate) fn new(vault: VaultId, key: &Secret) -> Self {
        // EXPOSE: the JWT library keeps the signing key; it is dropped, and its memory wiped, at lock.
        let bytes = key.expose();
        Self {
            audience: format!("claviger:{vault}"),
            encoding: EncodingKey::from_secret(bytes),
            decoding: DecodingKey::from_secret(bytes),
        }
    }

    /// A new token for `agent` and the row that stands for it.
    pub(crate) fn mint(
        &self,
        agent: AgentId,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(AgentToken, TokenInfo), EngineError> {
        let jti = data_encoding::HEXLOWER.encode(&claviger_crypto::random_id());
        let seconds = now.0.div_euclid(1000);
        let claims = Claims {
            iss: ISSUER.into(),
            aud: self.audience.clone(),
            sub: agent.to_string(),
            jti: jti.clone(),
            iat: seconds,
            nbf: seconds,
            exp: expires_at.0.div_euclid(1000),
        };
        let header = Header { kid: Some(KEY_ID.into()), ..Header::new(Algorithm::HS256) };
        let token = jsonwebtoken::encode(&header, &claims, &self.encoding)
            .map_err(|why| EngineError::Invalid(format!("the token could not be made: {why}")))?;
        let hash = TokenHash(sha256(token.as_bytes()));
        Ok((AgentToken::from(token), TokenInfo { jti, hash, issued_at: now, expires_at }))
    }

    /// Verifies signature, header and every claim but time, which the row decides.
    fn verify(&self, token: &str) -> Option<Claims> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        let plain = header.alg == Algorithm::HS256
            && header.typ.as_deref() == Some("JWT")
            && header.kid.as_deref() == Some(KEY_ID)
            && header.jwk.is_none()
            && header.jku.is_none()
            && header.x5u.is_none()
            && header.x5c.is_none()
            && header.crit.is_none();
        if !plain {
            return None;
        }
        let mut rules = Validation::new(Algorithm::HS256);
        rules.leeway = 0;
        // Time is checked against the row and our own clock on every request, also after the signature was.
        rules.validate_exp = false;
        rules.validate_nbf = false;
        rules.set_audience(&[&self.audience]);
        rules.set_issuer(&[ISSUER]);
        rules.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
        jsonwebtoken::decode::<Claims>(token, &self.decoding, &rules).ok().map(|data| data.claims)
    }
}

// === impl TokenRows ===

impl TokenRows {
    pub(crate) fn new(agents: &[Agent]) -> Self {
        let rows = agents
            .iter()
            .flat_map(|agent| agent.token.iter().chain(&agent.run_tokens).map(move |info| (agent.id, info)))
            .map(|(agent, info)| {
                let row = Row {
                    agent,
                    jti: info.jti.clone(),
                    expires_at: info.expires_at,
                    signature_verified: AtomicBool::new(false),
                };
                (info.hash.0, row)
            })
            .collect();
        Self { rows }
    }

    /// Whose token this is, or why it is none.
    pub(crate) fn check(
        &self,
        keys: &TokenKeys,
        token: &[u8],
        now: Timestamp,
    ) -> Result<AgentId, TokenRefusal> {
        let refuse = |reason, agent| Err(TokenRefusal { reason, agent });
        if token.len() > MAX_TOKEN {
            return refuse("token too long", None);
        }
        let Ok(text) = std::str::from_utf8(token) else { return refuse("not a token", None) };
        let Some(row) = self.rows.get(&sha256(token)) else {
            // Whose it was is worth knowing: a token of ours that has no row any more was revoked or replaced.
            return match keys.verify(text) {
                Some(claims) => refuse("revoked token", claims.sub.parse().ok()),
                None => refuse("unknown token", None),
            };
        };
        if !row.signature_verified.load(Ordering::Relaxed) {
            let genuine = keys.verify(text).is_some_and(|claims| {
                claims.jti == row.jti
                    && claims.sub == row.agent.to_string()
                    && claims.exp == row.expires_at.0.div_euclid(1000)
                    && claims.nbf.saturating_mul(1000) <= now.0
            });
            if !genuine {
                return refuse("bad signature or claims", Some(row.agent));
            }
            row.signature_verified.store(true, Ordering::Relaxed);
        }
        if now >= row.expires_at {
            return refuse("expired token", Some(row.agent));
        }
        Ok(row.agent)
    }
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
