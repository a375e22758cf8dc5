//! Giving tokens back (RFC 7009), also when the server is away just then, and asking about them (RFC 7662).
//!
//! Must not know where a connection is kept while its revocation waits.

use std::sync::Arc;

use claviger_model::{Duration, Timestamp};
use claviger_secret::Secret;

use crate::connection::{Connection, Standing};
use crate::form::Form;
use crate::http::Http;
use crate::json::{Object, fault};
use crate::token::{ErrorCode, TokenError};
use crate::{Endpoint, Shown};

/// A revocation is tried this often, over about three days.
const MOST_TRIES: u32 = 20;

/// The first pause between two tries; each further one doubles it, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: i64 = 30_000;
const LONGEST_PAUSE: i64 = 6 * 3_600_000;

/// How a revocation stands.
#[derive(Debug)]
pub enum Revocation {
    /// The server confirmed, or never knew the token: it is dead.
    Done,
    /// The server offers no revocation. The tokens live until they end there; the user is told.
    NotOffered,
    /// The server will not do it. The tokens live until they end there; the user is told.
    Refused(Shown),
    /// The server cannot be asked right now. This connection, which is no longer used, is stored and tried again.
    Pending(Box<Connection>),
}

/// What a server says about a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introspection {
    /// Whether it still works.
    pub is_active: bool,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// What it may do.
    pub scopes: Option<Vec<String>>,
    /// The user's name there.
    pub username: Option<Shown>,
}

// === impl Connection ===

impl Connection {
    /// Marks the connection as one that is being given back: it is not used again, whatever the server does. Store what
    /// this returns before [`Connection::revoke`] is called; after a restart the call is simply made again.
    pub fn begin_revocation(&self, now: Timestamp) -> Self {
        match self.facts.standing {
            Standing::Revoking { .. } => self.standing(self.facts.standing.clone()),
            _ => self.standing(Standing::Revoking { tries: 0, next: now }),
        }
    }

    /// One try to give the tokens back: the refresh token first, because that ends what it could still bring, then the
    /// access token.
    pub async fn revoke(&self, http: &Arc<dyn Http>, now: Timestamp) -> Revocation {
        let place =
            self.facts.revocation_endpoint.as_deref().map(|url| Endpoint::parse(url, self.facts.reach));
        let Some(Ok(url)) = place else { return Revocation::NotOffered };
        let tokens = [
            self.refresh.as_ref().map(|t| ("refresh_token", t.secret())),
            Some(("access_token", self.access.secret())),
        ];
        let mut refused = None;
        for (hint, token) in tokens.into_iter().flatten() {
            match self.revoke_one(http, &url, hint, token, now).await {
                Ok(()) => {}
                // A server that revokes no access tokens takes the refresh token all the same (RFC 7009 §2.2.1).
                Err(TokenError::Refused { code: ErrorCode::UnsupportedTokenType, .. })
                    if self.refresh.is_some() && hint == "access_token" => {}
                Err(error) if error.is_passing() => return self.later(&error, now),
                Err(error) => refused = refused.or_else(|| Some(Shown::clean(&error.to_string()))),
            }
        }
        refused.map_or(Revocation::Done, Revocation::Refused)
    }

    async fn revoke_one(
        &self,
        http: &Arc<dyn Http>,
        url: &Endpoint,
        hint: &str,
        token: &Secret,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        let form = || Form::new().with_secret("token", token).with("token_type_hint", hint);
        let endpoint =
            self.token_endpoint().map_err(|_| TokenError::Status { status: 0, retry_after: None })?;
        let response = endpoint.post(http, url, &self.client, None, form, now).await?;
        if response.status == 200 || response.status == 204 { Ok(()) } else { Err(status(&response)) }
    }

    fn later(&self, error: &TokenError, now: Timestamp) -> Revocation {
        let tries = match self.facts.standing {
            Standing::Revoking { tries, .. } => tries + 1,
            _ => 1,
        };
        if tries >= MOST_TRIES {
            return Revocation::Refused(Shown::clean(&error.to_string()));
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << (tries - 1).min(20)).min(LONGEST_PAUSE);
        let asked_for = error.retry_after().map_or(0, |s| i64::from(s) * 1000);
        let next = now.after(Duration(pause.max(asked_for)));
        Revocation::Pending(Box::new(self.standing(Standing::Revoking { tries, next })))
    }

    /// Asks the server about the access token. `None`: it offers no introspection.
    pub async fn introspect(
        &self,
        http: &Arc<dyn Http>,
        now: Timestamp,
    ) -> Result<Option<Introspection>, TokenError> {
        let place =
            self.facts.introspection_endpoint.as_deref().map(|url| Endpoint::parse(url, self.facts.reach));
        let (Some(Ok(url)), Ok(endpoint)) = (place, self.token_endpoint()) else { return Ok(None) };
        let form =
            || Form::new().with_secret("token", self.access.secret()).with("token_type_hint", "access_token");
        let response = endpoint.post(http, &url, &self.client, None, form, now).await?;
        if response.status != 200 || !response.is_json() {
            return Err(status(&response));
        }
        // EXPOSE: facts about the token, not the token.
        let object = Object::read(response.body.expose())?;
        let scopes =
            object.text("scope")?.map(|t| crate::token::split_scopes(t, &self.facts.quirks)).transpose()?;
        Ok(Some(Introspection {
            // RFC 7662 §2.2: the one field that must be there.
            is_active: object
                .value("active")
                .map_or(Err(fault("missing", "active")), |_| object.flag("active"))?,
            expires_at: object
                .value("exp")
                .and_then(serde_json::Value::as_i64)
                .and_then(|s| s.checked_mul(1000))
                .map(Timestamp),
            scopes,
            username: object.text("username")?.map(|t| Shown::clean_to(t, 120)),
        }))
    }
}

fn status(response: &crate::http::Response) -> TokenError {
    TokenError::Status { status: response.status, retry_after: response.retry_after() }
}
