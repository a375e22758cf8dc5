//! One renewal: hold, read again, ask, store, and only then use.
//!
//! Must not know who waits for it.

use std::sync::Arc;

use claviger_model::{Duration, Timestamp};

use super::{Inner, KeeperError};
use crate::Shown;
use crate::connection::{Connection, Renewal, Standing};
use crate::flow::credentials_form;
use crate::form::Form;
use crate::token::{TokenError, Tokens};

/// The first pause after a failure that passes; each further one doubles it.
const FIRST_PAUSE: i64 = 5_000;

/// No pause is longer.
const LONGEST_PAUSE: i64 = 300_000;

// === impl Inner ===

impl Inner {
    /// Renews, and leaves the outcome in the state.
    pub(super) async fn renew(self: &Arc<Self>, now: Timestamp) -> Result<(), KeeperError> {
        // Until the hold is dropped, no other process asks for this connection.
        let _hold = self.store.hold().await?;
        let unstored = self.state.lock().unstored.clone();
        if let Some(connection) = unstored {
            // The server gave this one already; asking again would give up what the old refresh token still is worth.
            let has_ended = connection.facts.has_ended(now);
            self.settle(connection, now).await?;
            if !has_ended {
                return Ok(());
            }
            // It ended while it could not be stored. Its refresh token is in the store now, so it may be spent.
        }
        let known = Arc::clone(&self.state.lock().connection);
        let mut stored = Arc::new(self.store.load().await?);
        if stored.facts.generation > known.facts.generation || stored.facts.standing != Standing::Live {
            // Another process was here first. What it left is taken; if that has ended too, the next call renews it.
            let has_ended = stored.facts.has_ended(now);
            let is_live = stored.facts.standing == Standing::Live;
            if !is_live || !has_ended {
                self.take(stored);
                return Ok(());
            }
        } else if stored.facts.generation < known.facts.generation {
            // The store was set back under us. Its refresh token is spent; ours is not.
            stored = known;
        }
        match ask(self, &stored, now).await {
            Ok(tokens) => self.settle(Arc::new(stored.renewed(tokens, now)), now).await,
            Err(Failure::Ended) => Err(KeeperError::Ended),
            Err(Failure::Server(error)) if error.is_passing() => Err(self.pause(&error, now)),
            Err(Failure::Server(error)) => self.give_up(&stored, &error, now).await,
        }
    }

    /// Stores the new tokens, and only then uses them.
    async fn settle(&self, connection: Arc<Connection>, now: Timestamp) -> Result<(), KeeperError> {
        self.state.lock().unstored = Some(Arc::clone(&connection));
        if let Err(error) = self.store.commit(&connection).await {
            let why = Shown::clean(&error.to_string());
            self.state.lock().pause = Some((now.after(Duration(1_000)), 0, why));
            return Err(error.into());
        }
        let facts = connection.facts.clone();
        self.take(connection);
        self.watcher.renewed(&facts);
        Ok(())
    }

    fn take(&self, connection: Arc<Connection>) {
        let mut state = self.state.lock();
        state.connection = connection;
        state.unstored = None;
        state.pause = None;
    }

    /// A failure that passes: the next attempt comes later, and later still after the next failure.
    fn pause(&self, error: &TokenError, now: Timestamp) -> KeeperError {
        let why = Shown::clean(&error.to_string());
        let mut state = self.state.lock();
        let failures = state.pause.as_ref().map_or(0, |(_, n, _)| *n).saturating_add(1);
        let pause = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
        let asked_for = error.retry_after().map_or(0, |s| i64::from(s) * 1000);
        let retry_at = now.after(Duration(pause.max(asked_for)));
        state.pause = Some((retry_at, failures, why.clone()));
        KeeperError::Unavailable { why, retry_at }
    }

    /// The server no longer takes what we have. That is stored, so that no restart asks again, and said once.
    async fn give_up(
        &self,
        stored: &Connection,
        error: &TokenError,
        now: Timestamp,
    ) -> Result<(), KeeperError> {
        let why = Shown::clean(&error.to_string());
        let broken = Arc::new(stored.standing(Standing::Broken { since: now, why: why.clone() }));
        // Broken is broken, also when that cannot be written down.
        let committed = self.store.commit(&broken).await;
        let facts = broken.facts.clone();
        self.take(broken);
        self.watcher.broke(&facts, &why);
        committed?;
        Err(KeeperError::Broken(why))
    }
}

enum Failure {
    Ended,
    Server(TokenError),
}

async fn ask(inner: &Inner, stored: &Connection, now: Timestamp) -> Result<Tokens, Failure> {
    let facts = &stored.facts;
    let endpoint = stored.token_endpoint().map_err(|_| Failure::Ended)?;
    let scope = Some(facts.requested.join(" ")).filter(|s| !s.is_empty());
    let dpop = stored.dpop.as_deref();
    let answer = match (facts.renewal, &stored.refresh) {
        (Renewal::Refresh, Some(refresh)) => {
            // No `scope`: a refresh asks for what was granted, never for more (RFC 6749 §6).
            let form = || {
                Form::new()
                    .with("grant_type", "refresh_token")
                    .with_secret("refresh_token", refresh.secret())
                    .with_each("resource", facts.resources.iter().map(String::as_str))
            };
            endpoint.ask(&inner.http, &stored.client, dpop, form, now).await
        }
        (Renewal::ClientCredentials, _) => {
            let form = || credentials_form(scope.as_deref(), &facts.resources);
            endpoint.ask(&inner.http, &stored.client, dpop, form, now).await
        }
        _ => return Err(Failure::Ended),
    };
    answer.map_err(Failure::Server)
}
