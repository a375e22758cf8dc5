//! A connection: the outcome of one consent, with its tokens, the client that they belong to, and what is known of them.
//!
//! Must not know where it is kept. [`Connection::encode`] gives one secret, which is what the vault seals.

use std::sync::Arc;

use claviger_crypto::sha256;
use claviger_model::{Duration, Timestamp};
use claviger_secret::{AccessToken, ClientSecret, RefreshToken, Secret};

use crate::metadata::Quirks;
use crate::token::{TokenEndpoint, Tokens};
use crate::{
    Account, Ask, Client, ClientAuthentication, DpopKey, Endpoint, EndpointError, Issuer, KeyError, Lifetime,
    Reach, Server, Shown, SigningAlgorithm, SigningKey, TokenKind,
};

/// What may be known about a connection by anybody who may see the vault's names: no secret is among it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// The authorization server.
    pub issuer: Issuer,
    /// At which addresses it may live.
    pub reach: Reach,
    /// Where tokens come from.
    pub token_endpoint: String,
    /// RFC 7009.
    pub revocation_endpoint: Option<String>,
    /// RFC 7662.
    pub introspection_endpoint: Option<String>,
    /// Where the server departs from the specifications.
    #[serde(default)]
    pub quirks: Quirks,
    /// Our public name there.
    pub client_id: String,
    /// Scopes that were asked for.
    pub requested: Vec<String>,
    /// Scopes that were granted.
    pub granted: Vec<String>,
    /// The services that the token is for (RFC 8707).
    pub resources: Vec<String>,
    /// How the access token is presented.
    pub kind: TokenKind,
    /// Whose it is, when the server says so under its signature.
    pub account: Option<Account>,
    /// When the user consented.
    pub connected_at: Timestamp,
    /// When the access token was asked for.
    pub obtained_at: Timestamp,
    /// How long the access token holds.
    pub lifetime: Lifetime,
    /// How the next access token comes.
    pub renewal: Renewal,
    /// Counts up with each access token, from 1.
    pub generation: u64,
    /// Whether it may be used.
    pub standing: Standing,
}

/// How the next access token comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Renewal {
    /// By refresh token.
    Refresh,
    /// By client credentials again.
    ClientCredentials,
    /// Not: when it is over, the user consents again.
    Consent,
}

/// Whether a connection may be used.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Standing {
    /// It works, as far as is known.
    Live,
    /// The server no longer takes its refresh token or client. Only a new consent helps.
    Broken {
        /// Since when.
        since: Timestamp,
        /// Why, in the server's words, cleaned.
        why: Shown,
    },
    /// It is being given back; the server has not confirmed yet.
    Revoking {
        /// How often it was tried.
        tries: u32,
        /// When it is tried next.
        next: Timestamp,
    },
}

/// One consent's outcome.
pub struct Connection {
    /// What is known about it.
    pub facts: Facts,
    pub(crate) access: Arc<AccessToken>,
    pub(crate) refresh: Option<RefreshToken>,
    pub(crate) client: Client,
    pub(crate) dpop: Option<Arc<DpopKey>>,
}

/// The bytes are no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Cut, of another version, or never one.
    #[error("the bytes are no connection")]
    Malformed,
    /// A key in it does not work.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The encoding's first bytes: what it is, and its version. One byte with the number of fields follows, then the fields.
const MAGIC: &[u8] = b"CVOA\x01";

/// The fields of the encoding. Numbers are never given anew.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Tag {
    Facts = 1,
    Access = 2,
    Refresh = 3,
    Dpop = 4,
    /// How the client proves itself: one byte, and what belongs to it.
    Client = 5,
    FormerClient = 6,
}

// === impl Facts ===

impl Facts {
    /// When the access token ends, if that is known.
    pub fn expires_at(&self) -> Option<Timestamp> {
        match self.lifetime {
            Lifetime::Stated(life) => Some(self.obtained_at.after(life)),
            Lifetime::NotStated => None,
        }
    }

    /// Whether the access token is known to have ended.
    pub(crate) fn has_ended(&self, now: Timestamp) -> bool {
        self.expires_at().is_some_and(|end| now >= end)
    }

    /// When the access token is due for renewal: at 75 to 80 % of its life, spread by what the token is, so that many
    /// connections made together are not renewed together.
    pub fn due_at(&self) -> Option<Timestamp> {
        let Lifetime::Stated(Duration(life)) = self.lifetime else { return None };
        if self.renewal == Renewal::Consent {
            return None;
        }
        let seed = format!("{}|{}|{}|{}", self.issuer, self.client_id, self.generation, self.obtained_at.0);
        let spread = i64::from(sha256(seed.as_bytes())[0]);
        // 80 % less up to 5 %, in parts of 256.
        Some(self.obtained_at.after(Duration(life / 100 * 80 - life / 20 * spread / 256)))
    }

    /// Scopes that were asked for and not granted.
    pub fn withheld(&self) -> Vec<&str> {
        self.requested.iter().filter(|s| !self.granted.contains(s)).map(String::as_str).collect()
    }

    /// Scopes that were granted without having been asked for.
    pub fn unasked(&self) -> Vec<&str> {
        self.granted.iter().filter(|s| !self.requested.contains(s)).map(String::as_str).collect()
    }
}

// === impl Connection ===

impl Connection {
    /// What a flow's tokens become.
    #[expect(clippy::too_many_arguments, reason = "the parts of a flow, consumed at its end")]
    pub(crate) fn new(
        server: &Server,
        client: Client,
        ask: &Ask,
        tokens: Tokens,
        dpop: Option<Arc<DpopKey>>,
        renewal: Renewal,
        account: Option<Account>,
        now: Timestamp,
    ) -> Self {
        let text = |endpoint: &Option<Endpoint>| endpoint.as_ref().map(|e| e.as_str().to_owned());
        let renewal =
            if renewal == Renewal::Refresh && tokens.refresh.is_none() { Renewal::Consent } else { renewal };
        let facts = Facts {
            issuer: server.issuer.clone(),
            reach: server.reach,
            token_endpoint: server.token_endpoint.as_str().to_owned(),
            revocation_endpoint: text(&server.revocation_endpoint),
            introspection_endpoint: text(&server.introspection_endpoint),
            quirks: server.quirks.clone(),
            client_id: client.id.clone(),
            requested: ask.scopes.clone(),
            granted: tokens.scopes.unwrap_or_else(|| ask.scopes.clone()),
            resources: ask.resources.clone(),
            kind: tokens.kind,
            account,
            connected_at: now,
            obtained_at: now,
            lifetime: learned(tokens.lifetime, &tokens.access, now),
            renewal,
            generation: 1,
            standing: Standing::Live,
        };
        Self { facts, access: Arc::new(tokens.access), refresh: tokens.refresh, client, dpop }
    }

    /// The same connection with newer tokens. Without a new refresh token the old one stays (RFC 6749 §6).
    pub(crate) fn renewed(&self, tokens: Tokens, now: Timestamp) -> Self {
        let mut facts = self.facts.clone();
        facts.obtained_at = now;
        facts.lifetime = learned(tokens.lifetime, &tokens.access, now);
        facts.generation += 1;
        facts.granted = tokens.scopes.unwrap_or(facts.granted);
        let refresh = tokens.refresh.or_else(|| self.refresh.as_ref().map(copy_refresh));
        let (client, dpop) = (self.client.duplicate(), self.dpop.clone());
        Self { facts, access: Arc::new(tokens.access), refresh, client, dpop }
    }

    /// The same connection in another standing.
    pub(crate) fn standing(&self, standing: Standing) -> Self {
        let mut facts = self.facts.clone();
        facts.standing = standing;
        let refresh = self.refresh.as_ref().map(copy_refresh);
        let (client, dpop) = (self.client.duplicate(), self.dpop.clone());
        Self { facts, access: Arc::clone(&self.access), refresh, client, dpop }
    }

    /// The same connection with another client secret; the present one stays as the former one (O-59).
    pub fn with_client_secret(&self, secret: ClientSecret) -> Self {
        let mut next = self.standing(self.facts.standing.clone());
        let authentication = match &next.client.authentication {
            ClientAuthentication::Post(_) => ClientAuthentication::Post(secret),
            _ => ClientAuthentication::Basic(secret),
        };
        next.client.former = Some(std::mem::replace(&mut next.client.authentication, authentication));
        next
    }

    /// Who we are at its server, for a new consent. A second copy, because it holds material.
    pub fn client(&self) -> Client {
        self.client.duplicate()
    }

    pub(crate) fn token_endpoint(&self) -> Result<TokenEndpoint, EndpointError> {
        Ok(TokenEndpoint {
            issuer: self.facts.issuer.clone(),
            url: Endpoint::parse(&self.facts.token_endpoint, self.facts.reach)?,
            reach: self.facts.reach,
            quirks: self.facts.quirks.clone(),
        })
    }

    /// Everything, as one secret.
    pub fn encode(&self) -> Secret {
        let facts = Secret::from(serde_json::to_vec(&self.facts).unwrap_or_default());
        let client = client_bytes(&self.client.authentication);
        let former = self.client.former.as_ref().map(client_bytes);
        let mut fields =
            vec![(Tag::Facts, &facts), (Tag::Access, self.access.secret()), (Tag::Client, &client)];
        fields.extend(self.refresh.as_ref().map(|t| (Tag::Refresh, t.secret())));
        fields.extend(self.dpop.as_ref().map(|k| (Tag::Dpop, k.der())));
        fields.extend(former.as_ref().map(|f| (Tag::FormerClient, f)));
        let len = MAGIC.len() + 1 + fields.iter().map(|(_, s)| 5 + s.len()).sum::<usize>();
        Secret::filled_by(len, |out| {
            let (head, mut rest) = out.split_at_mut(MAGIC.len() + 1);
            head[..MAGIC.len()].copy_from_slice(MAGIC);
            head[MAGIC.len()] = fields.len() as u8;
            for (tag, secret) in &fields {
                let (field, after) = std::mem::take(&mut rest).split_at_mut(5 + secret.len());
                field[0] = *tag as u8;
                field[1..5].copy_from_slice(&(secret.len() as u32).to_be_bytes());
                // EXPOSE: copied into the encoding, which is itself a Secret.
                field[5..].copy_from_slice(secret.expose());
                rest = after;
            }
        })
    }

    /// Reads what [`Connection::encode`] wrote.
    pub fn decode(encoded: &Secret) -> Result<Self, DecodeError> {
        use DecodeError::Malformed;
        // EXPOSE: parsed into fields, each of which is a Secret again.
        let rest = encoded.expose().strip_prefix(MAGIC).ok_or(Malformed)?;
        let (&count, mut rest) = rest.split_first().ok_or(Malformed)?;
        let mut fields: Vec<(u8, Secret)> = Vec::new();
        while let Some((&tag, after)) = rest.split_first() {
            let (len, after) = after.split_first_chunk::<4>().ok_or(Malformed)?;
            let (bytes, after) =
                after.split_at_checked(u32::from_be_bytes(*len) as usize).ok_or(Malformed)?;
            if fields.iter().any(|(t, _)| *t == tag) {
                return Err(Malformed);
            }
            fields.push((tag, Secret::from(bytes.to_vec())));
            rest = after;
        }
        if fields.len() != usize::from(count) {
            return Err(Malformed);
        }
        let mut take =
            |tag: Tag| fields.iter().position(|(t, _)| *t == tag as u8).map(|at| fields.swap_remove(at).1);
        let facts = take(Tag::Facts).ok_or(Malformed)?;
        // EXPOSE: the facts are no secret; they travel in the same envelope.
        let facts: Facts = serde_json::from_slice(facts.expose()).map_err(|_| Malformed)?;
        let access = AccessToken::from(take(Tag::Access).ok_or(Malformed)?);
        let authentication = client_from(&take(Tag::Client).ok_or(Malformed)?)?;
        let former = take(Tag::FormerClient).map(|f| client_from(&f)).transpose()?;
        let refresh = take(Tag::Refresh).map(RefreshToken::from);
        let dpop = take(Tag::Dpop).map(DpopKey::from_der).transpose()?.map(Arc::new);
        let client =
            Client { issuer: facts.issuer.clone(), id: facts.client_id.clone(), authentication, former };
        if !fields.is_empty() {
            return Err(Malformed);
        }
        Ok(Self { facts, access: Arc::new(access), refresh, client, dpop })
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({}, generation {})", self.facts.issuer, self.facts.generation)
    }
}

pub(crate) fn copy_refresh(token: &RefreshToken) -> RefreshToken {
    RefreshToken::from(token.secret().duplicate())
}

/// The lifetime that the server states, or the one that the token itself shows when it is a JWT. That is a hint for
/// when to renew, so nobody's signature is needed for it.
fn learned(stated: Lifetime, access: &AccessToken, now: Timestamp) -> Lifetime {
    if stated != Lifetime::NotStated {
        return stated;
    }
    // EXPOSE: looked into for its `exp`.
    let claims =
        jsonwebtoken::dangerous::insecure_decode_claims::<serde_json::Value>(access.secret().expose());
    let exp = claims.ok().and_then(|claims| claims.get("exp").and_then(serde_json::Value::as_i64));
    let left = exp.and_then(|exp| exp.checked_mul(1000)).map(|exp| exp.saturating_sub(now.0));
    left.filter(|left| (1..=10 * 366 * 86_400_000).contains(left))
        .map_or(Lifetime::NotStated, |left| Lifetime::Stated(Duration(left)))
}

fn client_bytes(authentication: &ClientAuthentication) -> Secret {
    let with = |kind: u8, name: &[u8], secret: &Secret| {
        Secret::filled_by(2 + name.len() + secret.len(), |out| {
            out[0] = kind;
            out[1] = name.len() as u8;
            out[2..2 + name.len()].copy_from_slice(name);
            // EXPOSE: copied into the encoding, which is itself a Secret.
            out[2 + name.len()..].copy_from_slice(secret.expose());
        })
    };
    match authentication {
        ClientAuthentication::None => Secret::from(vec![0, 0]),
        ClientAuthentication::Basic(secret) => with(1, b"", secret.secret()),
        ClientAuthentication::Post(secret) => with(2, b"", secret.secret()),
        ClientAuthentication::PrivateKeyJwt(key) => {
            let name = serde_json::to_vec(&(key.algorithm(), key.key_id())).unwrap_or_default();
            with(3, name.get(..255).unwrap_or(&name), key.der())
        }
    }
}

fn client_from(bytes: &Secret) -> Result<ClientAuthentication, DecodeError> {
    // EXPOSE: parsed into the credential that it is.
    let bytes = bytes.expose();
    let (&[kind, len], rest) = bytes.split_first_chunk::<2>().ok_or(DecodeError::Malformed)?;
    let (name, secret) = rest.split_at_checked(usize::from(len)).ok_or(DecodeError::Malformed)?;
    let secret = Secret::from(secret.to_vec());
    Ok(match kind {
        0 => ClientAuthentication::None,
        1 => ClientAuthentication::Basic(ClientSecret::from(secret)),
        2 => ClientAuthentication::Post(ClientSecret::from(secret)),
        3 => {
            let (algorithm, key_id): (SigningAlgorithm, Option<String>) =
                serde_json::from_slice(name).map_err(|_| DecodeError::Malformed)?;
            ClientAuthentication::PrivateKeyJwt(SigningKey::from_der(algorithm, secret, key_id)?)
        }
        _ => return Err(DecodeError::Malformed),
    })
}

#[cfg(test)]
mod tests;
