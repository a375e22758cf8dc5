//! The token endpoint: one request with client authentication and proof, one answer read without trust.
//!
//! Must not know which grant asks, nor how tokens are kept.

use std::sync::Arc;

use claviger_model::{Duration, Timestamp};
use claviger_secret::{AccessToken, RefreshToken, Secret};
use serde_json::Value;

use crate::form::Form;
use crate::http::{Http, HttpError, Request, Response};
use crate::json::{Fault, Object, fault};
use crate::metadata::Quirks;
use crate::signing::KeyError;
use crate::text::is_token;
use crate::{Client, DpopKey, Endpoint, Issuer, Reach, Server, Shown};

/// No token is longer.
const LONGEST_TOKEN: usize = 16 * 1024;

/// No lifetime is believed beyond this: ten years.
const LONGEST_LIFE: i64 = 10 * 366 * 86_400;

/// Everything about a server that a request for tokens needs.
#[derive(Clone, Debug)]
pub struct TokenEndpoint {
    /// Whose.
    pub issuer: Issuer,
    /// Where.
    pub url: Endpoint,
    /// At which addresses it may live.
    pub reach: Reach,
    /// Where it departs from the specifications.
    pub quirks: Quirks,
}

/// What a token endpoint gave.
#[derive(Debug)]
pub struct Tokens {
    /// For the service.
    pub access: AccessToken,
    /// For more of them.
    pub refresh: Option<RefreshToken>,
    /// Who consented, signed; not yet checked.
    pub(crate) id_token: Option<Secret>,
    /// How the access token is presented.
    pub kind: TokenKind,
    /// How long it holds.
    pub lifetime: Lifetime,
    /// What was granted, when the server says so; otherwise what was asked for (RFC 6749 §5.1).
    pub scopes: Option<Vec<String>>,
}

/// How an access token is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenKind {
    /// RFC 6750.
    Bearer,
    /// RFC 9449.
    Dpop,
}

/// How long an access token holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lifetime {
    /// The server said so.
    Stated(Duration),
    /// It did not, or said zero. That is not "for ever": the service will say when it is over.
    NotStated,
}

/// What a server answers instead (RFC 6749 §5.2 and its extensions).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are the specifications'")]
pub enum ErrorCode {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    UnauthorizedClient,
    UnsupportedGrantType,
    UnsupportedResponseType,
    UnsupportedTokenType,
    InvalidScope,
    InvalidTarget,
    AccessDenied,
    ServerError,
    TemporarilyUnavailable,
    AuthorizationPending,
    SlowDown,
    ExpiredToken,
    UseDpopNonce,
    InvalidDpopProof,
    LoginRequired,
    ConsentRequired,
    InteractionRequired,
    /// One that we do not know.
    Other(Shown),
}

/// Why there are no tokens.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The server said no.
    #[error("the server refused: {code}{}", described(.description))]
    Refused {
        /// Its code.
        code: ErrorCode,
        /// Its words, cleaned.
        description: Option<Shown>,
        /// When it may be asked again, in seconds.
        retry_after: Option<u32>,
    },
    /// An answer that is neither tokens nor a refusal.
    #[error("the server answered with status {status}")]
    Status {
        /// Which.
        status: u16,
        /// When it may be asked again, in seconds.
        retry_after: Option<u32>,
    },
    /// It points elsewhere. Secrets are not sent there.
    #[error("the token endpoint redirects, which is not followed")]
    Redirected,
    /// The answer is not what it must be. Nothing of it was kept.
    #[error("the server's answer is malformed: {0}")]
    Malformed(#[from] Fault),
    /// A token of a kind that was not asked for or that we cannot present.
    #[error("the server gave a token of the wrong type")]
    WrongKind,
    /// This client is registered elsewhere; its credentials are not sent here.
    #[error("this client belongs to another issuer")]
    OtherIssuer,
    /// Our own key fails.
    #[error(transparent)]
    Key(#[from] KeyError),
}

// === impl TokenEndpoint ===

impl TokenEndpoint {
    /// A server's.
    pub fn of(server: &Server) -> Self {
        Self {
            issuer: server.issuer.clone(),
            url: server.token_endpoint.clone(),
            reach: server.reach,
            quirks: server.quirks.clone(),
        }
    }

    /// Asks for tokens. The form is made anew for each of at most three tries: a second for a nonce or a clock that the
    /// server asks for, a second with the client's former secret.
    pub(crate) async fn ask(
        &self,
        http: &Arc<dyn Http>,
        client: &Client,
        dpop: Option<&DpopKey>,
        form: impl Fn() -> Form,
        now: Timestamp,
    ) -> Result<Tokens, TokenError> {
        let response = self.post(http, &self.url, client, dpop, form, now).await?;
        let mut tokens = Tokens::read(&response, &self.quirks)?;
        let expected = if dpop.is_some() { TokenKind::Dpop } else { TokenKind::Bearer };
        if tokens.kind != expected {
            return Err(TokenError::WrongKind);
        }
        tokens.scopes = tokens.scopes.filter(|s| !s.is_empty());
        Ok(tokens)
    }

    /// Posts a form to one of the server's endpoints as this client, and returns the answer unless it is a refusal.
    pub(crate) async fn post(
        &self,
        http: &Arc<dyn Http>,
        url: &Endpoint,
        client: &Client,
        dpop: Option<&DpopKey>,
        form: impl Fn() -> Form,
        now: Timestamp,
    ) -> Result<Response, TokenError> {
        if client.issuer != self.issuer {
            return Err(TokenError::OtherIssuer);
        }
        let mut authentication = &client.authentication;
        let mut former = client.former.as_ref();
        let mut may_prove_again = true;
        loop {
            let (form, header) = authentication.prove(&client.id, &self.issuer, form(), now)?;
            let mut request = Request::form(url.clone(), self.reach, form);
            if let Some(header) = header {
                request = request.with("authorization", header);
            }
            if let Some(dpop) = dpop {
                request = request.with("dpop", dpop.proof("POST", url, None, now)?);
            }
            let response = http.send(request).await?;
            let has_new_nonce = match (dpop, response.header("dpop-nonce")) {
                (Some(dpop), Some(nonce)) => dpop.learn_nonce(url, nonce),
                _ => false,
            };
            let Err(error) = refusal(&response) else { return Ok(response) };
            let TokenError::Refused { code, .. } = &error else { return Err(error) };
            match (code, dpop) {
                (ErrorCode::InvalidClient, _) if former.is_some() => {
                    authentication = former.take().unwrap_or(authentication);
                }
                (ErrorCode::UseDpopNonce, Some(_)) if may_prove_again && has_new_nonce => {
                    may_prove_again = false
                }
                (ErrorCode::InvalidDpopProof, Some(dpop))
                    if may_prove_again && dpop.learn_clock(response.header("date"), now) =>
                {
                    may_prove_again = false;
                }
                _ => return Err(error),
            }
        }
    }
}

/// Whether an answer is anything but a success.
fn refusal(response: &Response) -> Result<(), TokenError> {
    let retry_after = response.retry_after();
    match response.status {
        300..=399 => return Err(TokenError::Redirected),
        200..=299 if !response.is_json() => return Ok(()),
        _ => {}
    }
    // EXPOSE: looked at for an error; nothing of it is kept but cleaned words.
    let object = Object::read(response.body.expose());
    match object {
        Ok(object) if object.has("error") => {
            let code = ErrorCode::read(object.text("error")?.unwrap_or_default());
            let description = object.text("error_description").ok().flatten().map(Shown::clean);
            Err(TokenError::Refused { code, description, retry_after })
        }
        _ if matches!(response.status, 200..=299) => Ok(()),
        _ => Err(TokenError::Status { status: response.status, retry_after }),
    }
}

// === impl Tokens ===

impl Tokens {
    fn read(response: &Response, quirks: &Quirks) -> Result<Self, TokenError> {
        if response.status != 200 {
            return Err(TokenError::Status { status: response.status, retry_after: response.retry_after() });
        }
        if !response.is_json() {
            return Err(fault("not called JSON", "content-type").into());
        }
        // EXPOSE: parsed into tokens, each of which is a Secret again.
        let mut object = Object::read(response.body.expose())?;
        let kind = token_kind(object.text("token_type")?.unwrap_or_default(), quirks)?;
        let lifetime = Lifetime::read(object.value("expires_in"))?;
        let scopes = object.text("scope")?.map(|text| split_scopes(text, quirks)).transpose()?;
        let access = object.take_secret("access_token")?.ok_or(fault("missing", "access_token"))?;
        let access = AccessToken::from(checked(access, "access_token")?);
        let refresh = object.take_secret("refresh_token")?.filter(|t| !t.is_empty());
        let refresh = refresh.map(|t| checked(t, "refresh_token").map(RefreshToken::from)).transpose()?;
        let id_token = object.take_secret("id_token")?.filter(|t| !t.is_empty());
        let id_token = id_token.map(|t| checked(t, "id_token")).transpose()?;
        Ok(Self { access, refresh, id_token, kind, lifetime, scopes })
    }
}

fn checked(token: Secret, field: &'static str) -> Result<Secret, Fault> {
    // EXPOSE: looked at for characters that would break a header.
    let bytes = token.expose();
    match bytes.len() {
        0 => Err(fault("empty", field)),
        n if n > LONGEST_TOKEN => Err(fault("too long", field)),
        _ if !is_token(bytes) => Err(fault("holds characters that no token has", field)),
        _ => Ok(token),
    }
}

fn token_kind(text: &str, quirks: &Quirks) -> Result<TokenKind, TokenError> {
    if text.eq_ignore_ascii_case("bearer") || quirks.bearer_means.iter().any(|t| t.eq_ignore_ascii_case(text))
    {
        Ok(TokenKind::Bearer)
    } else if text.eq_ignore_ascii_case("dpop") {
        Ok(TokenKind::Dpop)
    } else {
        Err(TokenError::WrongKind)
    }
}

/// Scopes as a list, each one once. More than 500, or ones that are no scope, are no answer.
pub(crate) fn split_scopes(text: &str, quirks: &Quirks) -> Result<Vec<String>, Fault> {
    let mut scopes: Vec<String> = Vec::new();
    for scope in text.split(|c: char| c == ' ' || (quirks.comma_scopes && c == ',')).filter(|s| !s.is_empty())
    {
        let is_scope =
            scope.len() <= 512 && scope.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
        if !is_scope || scopes.len() >= 500 {
            return Err(fault("not a list of scopes", "scope"));
        }
        if !scopes.iter().any(|s| s == scope) {
            scopes.push(scope.to_owned());
        }
    }
    Ok(scopes)
}

// === impl Lifetime ===

impl Lifetime {
    /// Reads `expires_in`. Absent, `null` and zero are [`Lifetime::NotStated`]; a number or a text of digits is a
    /// lifetime; everything else is refused, as is a number beyond ten years.
    pub(crate) fn read(value: Option<&Value>) -> Result<Self, Fault> {
        const ODD: Fault = fault("not a lifetime in seconds", "expires_in");
        let seconds = match value {
            None => return Ok(Self::NotStated),
            Some(Value::String(text)) if text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit()) => {
                text.parse().ok()
            }
            Some(Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Some(whole),
                (None, Some(float)) if (0.0..=LONGEST_LIFE as f64).contains(&float) => Some(float as i64),
                _ => None,
            },
            Some(_) => None,
        };
        match seconds {
            Some(0) => Ok(Self::NotStated),
            Some(s) if (1..=LONGEST_LIFE).contains(&s) => Ok(Self::Stated(Duration(s * 1000))),
            _ => Err(ODD),
        }
    }
}

// === impl ErrorCode ===

impl ErrorCode {
    /// Reads a code; unknown ones are kept, cleaned.
    pub(crate) fn read(text: &str) -> Self {
        let value = Value::String(text.to_owned());
        serde_json::from_value(value).unwrap_or_else(|_| Self::Other(Shown::clean_to(text, 64)))
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Other(text) => text.fmt(f),
            known => f.write_str(
                serde_json::to_value(known).ok().as_ref().and_then(Value::as_str).unwrap_or("error"),
            ),
        }
    }
}

// === impl TokenError ===

impl TokenError {
    /// Whether the same request may succeed later without anybody doing anything.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Http(error) => !matches!(error, HttpError::AddressRefused | HttpError::Unsendable),
            Self::Refused { code, .. } => matches!(
                code,
                ErrorCode::ServerError | ErrorCode::TemporarilyUnavailable | ErrorCode::SlowDown
            ),
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500..=599),
            Self::Malformed(_) | Self::Redirected | Self::WrongKind => true,
            Self::OtherIssuer | Self::Key(_) => false,
        }
    }

    /// When the server wants to be asked again, in seconds.
    pub fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Refused { retry_after, .. } | Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

pub(crate) fn described(description: &Option<Shown>) -> String {
    description.as_ref().map(|d| format!(" ({d})")).unwrap_or_default()
}

#[cfg(test)]
mod tests;
