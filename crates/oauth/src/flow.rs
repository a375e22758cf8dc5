//! The flows, driven step by step: begin, show, wait with a cancel, connected.
//!
//! Must not know windows, terminals or vaults. Each flow gives a [`Connection`]; storing it is the caller's next step.

use std::sync::Arc;
use std::time::Duration;

use claviger_model::Timestamp;
use claviger_secret::Secret;
use tokio_util::sync::CancellationToken;

use crate::authorize::{AnswerError, Ask, AskError, Pending};
use crate::connection::{Connection, Renewal};
use crate::form::Form;
use crate::http::Http;
use crate::id_token::{self, IdTokenError};
use crate::listener::Listener;
use crate::pkce::make_verifier;
use crate::token::{TokenEndpoint, TokenError, Tokens};
use crate::{Client, DpopKey, Server};

/// How long the browser's answer is waited for.
pub const LONGEST_CONSENT: Duration = Duration::from_secs(300);

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Timestamp;
}

/// Why a flow ended without a connection. Nothing was stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlowError {
    /// The caller cancelled.
    #[error("cancelled")]
    Cancelled,
    /// No answer came in time.
    #[error("no answer came in time")]
    TimedOut,
    /// The request cannot be made.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The server refused, or somebody else answered.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// No tokens.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The id token is not believed, so the tokens beside it are not either.
    #[error("the id token is not believed: {0}")]
    IdToken(#[from] IdTokenError),
}

/// The authorization code flow with PKCE on a loopback redirect.
pub struct CodeFlow {
    http: Arc<dyn Http>,
    server: Server,
    client: Client,
    ask: Ask,
    dpop: Option<Arc<DpopKey>>,
    listener: Listener,
    redirect_uri: String,
    pending: Pending,
}

// === impl CodeFlow ===

impl CodeFlow {
    /// Makes the request. The listener is open already, because its address may have had to be registered first.
    pub async fn begin(
        http: Arc<dyn Http>,
        server: Server,
        client: Client,
        ask: Ask,
        listener: Listener,
        now: Timestamp,
    ) -> Result<Self, AskError> {
        let dpop = dpop_for(&ask)?;
        let redirect_uri = listener.redirect_uri();
        let pending =
            Pending::begin(&http, &server, &client, &ask, &redirect_uri, dpop.as_deref(), now).await?;
        Ok(Self { http, server, client, ask, dpop, listener, redirect_uri, pending })
    }

    /// What to open in the user's browser.
    pub fn url(&self) -> &str {
        &self.pending.url
    }

    /// Where the answer arrives.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Makes the exchange prove PKCE with a wrong verifier, to find out whether the server looks at it: one that does
    /// refuses with `invalid_grant`, and the consent is spent.
    pub fn with_wrong_verifier(mut self) -> Self {
        self.pending.verifier = make_verifier();
        self
    }

    /// Waits for the browser, redeems the code once, checks who consented.
    pub async fn wait(self, clock: &dyn Clock, cancel: &CancellationToken) -> Result<Connection, FlowError> {
        let Self { http, server, client, ask, dpop, listener, redirect_uri, pending } = self;
        let pending = Arc::new(pending);
        let judge = Arc::clone(&pending);
        let answer = tokio::select! {
            () = cancel.cancelled() => return Err(FlowError::Cancelled),
            () = tokio::time::sleep(LONGEST_CONSENT) => return Err(FlowError::TimedOut),
            answer = listener.first(Arc::new(move |query: &str| judge.judge(query))) => answer,
        };
        let code = answer?;
        let now = clock.now();
        let form = || {
            Form::new()
                .with("grant_type", "authorization_code")
                .with_secret("code", &code)
                .with("redirect_uri", &redirect_uri)
                .with_secret("code_verifier", pending.verifier.secret())
                .with_each("resource", ask.resources.iter().map(String::as_str))
        };
        let endpoint = TokenEndpoint::of(&server);
        let tokens = endpoint.ask(&http, &client, dpop.as_deref(), form, now).await?;
        finish(&http, server, client, &ask, tokens, dpop, pending.nonce.as_ref(), now).await
    }
}

/// Checks who consented, and makes the connection.
#[expect(clippy::too_many_arguments, reason = "the parts of a flow, consumed at its end")]
pub(crate) async fn finish(
    http: &Arc<dyn Http>,
    server: Server,
    client: Client,
    ask: &Ask,
    tokens: Tokens,
    dpop: Option<Arc<DpopKey>>,
    nonce: Option<&Secret>,
    now: Timestamp,
) -> Result<Connection, FlowError> {
    let account = match &tokens.id_token {
        Some(token) => id_token::check(http, &server, &client.id, nonce, token, &tokens.access, now).await?,
        None => None,
    };
    Ok(Connection::new(&server, client, ask, tokens, dpop, Renewal::Refresh, account, now))
}

/// A connection for ourselves, without anybody's consent (RFC 6749 §4.4).
pub async fn client_credentials(
    http: &Arc<dyn Http>,
    server: &Server,
    client: Client,
    ask: &Ask,
    now: Timestamp,
) -> Result<Connection, FlowError> {
    ask.check()?;
    let dpop = dpop_for(ask)?;
    let form = || credentials_form(ask.scope().as_deref(), &ask.resources);
    let mut tokens = TokenEndpoint::of(server).ask(http, &client, dpop.as_deref(), form, now).await?;
    // RFC 6749 §4.4.3: a refresh token has no place here; the client asks again with its own credentials.
    tokens.refresh = None;
    Ok(Connection::new(server, client, ask, tokens, dpop, Renewal::ClientCredentials, None, now))
}

pub(crate) fn credentials_form(scope: Option<&str>, resources: &[String]) -> Form {
    let form = Form::new().with("grant_type", "client_credentials");
    let form = scope.iter().fold(form, |form, scope| form.with("scope", scope));
    form.with_each("resource", resources.iter().map(String::as_str))
}

pub(crate) fn dpop_for(ask: &Ask) -> Result<Option<Arc<DpopKey>>, AskError> {
    if ask.dpop { Ok(Some(Arc::new(DpopKey::make()?))) } else { Ok(None) }
}
