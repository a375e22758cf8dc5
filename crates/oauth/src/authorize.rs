//! The authorization request and the judgement on its answer (RFC 6749 §4.1, 7636, 8707, 9126, 9207).
//!
//! Must not know how the answer arrives, nor what happens to the code.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use claviger_model::Timestamp;
use claviger_secret::{CodeVerifier, Secret};
use oauth2::{AuthUrl, ClientId, CsrfToken, RedirectUrl, Scope};
use url::Url;

use crate::form::Form;
use crate::http::Http;
use crate::json::{Object, fault};
use crate::pkce::{as_text, derive_challenge, make_text, make_verifier};
use crate::token::{ErrorCode, TokenEndpoint, TokenError, described};
use crate::{Client, DpopKey, Issuer, Server, Shown};

/// The longest URL that a browser is given. Longer ones are pushed or refused.
const LONGEST_URL: usize = 8192;

/// A code is no longer.
const LONGEST_CODE: usize = 8192;

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Scopes.
    pub scopes: Vec<String>,
    /// The services that the token is for (RFC 8707).
    pub resources: Vec<String>,
    /// `authorization_details` (RFC 9396), sent only when the service's entry has it.
    pub details: Option<String>,
    /// Bind the tokens to a key (RFC 9449).
    pub dpop: bool,
    /// Push the request (RFC 9126) even where the server does not require it.
    pub pushed: bool,
    /// The service's own parameters, such as `access_type=offline`.
    pub extra: Vec<(String, String)>,
}

/// Why an authorization request cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The server does not say that it does PKCE with S256.
    #[error("the server does not offer PKCE with S256")]
    NoPkce,
    /// The server has no endpoint for this flow.
    #[error("the server does not offer this flow")]
    NotOffered,
    /// A scope, resource or parameter that cannot be sent.
    #[error("{0} cannot be sent to this server")]
    BadParameter(&'static str),
    /// The server requires a pushed request and did not take it, or its answer is malformed.
    #[error("the server did not take the pushed request: {0}")]
    Push(#[source] TokenError),
    /// No key can be made.
    #[error(transparent)]
    Key(#[from] crate::KeyError),
    /// The client is registered elsewhere.
    #[error("this client belongs to another issuer")]
    OtherIssuer,
}

/// Why an answer that belongs to the flow ends it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The server, or the person at it, said no.
    #[error("the server refused: {code}{}", described(.description))]
    Refused {
        /// Its code.
        code: ErrorCode,
        /// Its words, cleaned.
        description: Option<Shown>,
    },
    /// RFC 9207: the answer is from another issuer, or does not say from which although the server always does. What it
    /// says is not shown.
    #[error("the answer came from another server; nothing was sent to it")]
    OtherIssuer,
    /// Neither a code nor an error, both, or one of them twice.
    #[error("the answer is malformed")]
    Malformed,
}

/// A request that waits for its answer.
pub(crate) struct Pending {
    /// What the browser opens.
    pub(crate) url: String,
    pub(crate) verifier: CodeVerifier,
    pub(crate) nonce: Option<Secret>,
    state: Secret,
    issuer: Issuer,
    names_itself: bool,
    was_answered: AtomicBool,
}

// === impl Ask ===

impl Ask {
    /// Refuses what would not arrive as it was meant.
    pub(crate) fn check(&self) -> Result<(), AskError> {
        let is_scope =
            |s: &String| !s.is_empty() && s.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
        if !self.scopes.iter().all(is_scope) {
            return Err(AskError::BadParameter("scope"));
        }
        let is_resource = |r: &String| !r.contains('#') && Url::parse(r).is_ok();
        if !self.resources.iter().all(is_resource) {
            return Err(AskError::BadParameter("resource"));
        }
        let is_ours = |name: &str| {
            matches!(
                name,
                "response_type"
                    | "client_id"
                    | "client_secret"
                    | "redirect_uri"
                    | "scope"
                    | "state"
                    | "nonce"
                    | "code_challenge"
                    | "code_challenge_method"
                    | "resource"
                    | "authorization_details"
                    | "dpop_jkt"
                    | "request"
                    | "request_uri"
                    | "response_mode"
                    | "grant_type"
                    | "code"
                    | "code_verifier"
                    | "refresh_token"
                    | "device_code"
            )
        };
        if self.extra.iter().any(|(name, _)| is_ours(name)) {
            return Err(AskError::BadParameter("an extra parameter"));
        }
        Ok(())
    }

    /// The scopes as one text, if there are any.
    pub(crate) fn scope(&self) -> Option<String> {
        if self.scopes.is_empty() { None } else { Some(self.scopes.join(" ")) }
    }
}

// === impl Pending ===

impl Pending {
    /// Makes the request, pushing it where the server requires that.
    pub(crate) async fn begin(
        http: &Arc<dyn Http>,
        server: &Server,
        client: &Client,
        ask: &Ask,
        redirect_uri: &str,
        dpop: Option<&DpopKey>,
        now: Timestamp,
    ) -> Result<Self, AskError> {
        ask.check()?;
        if client.issuer != server.issuer {
            return Err(AskError::OtherIssuer);
        }
        if !server.says_s256() && !server.quirks.pkce_unadvertised {
            return Err(AskError::NoPkce);
        }
        let endpoint = server.authorization_endpoint.as_ref().ok_or(AskError::NotOffered)?;
        let verifier = make_verifier();
        let state = make_text();
        let nonce = ask.scopes.iter().any(|s| s == "openid").then(make_text);

        let at = AuthUrl::new(endpoint.as_str().to_owned()).map_err(|_| AskError::NotOffered)?;
        let back =
            RedirectUrl::new(redirect_uri.to_owned()).map_err(|_| AskError::BadParameter("redirect_uri"))?;
        let maker = oauth2::basic::BasicClient::new(ClientId::new(client.id.clone()))
            .set_auth_uri(at)
            .set_redirect_uri(back);
        let mut request = maker
            .authorize_url(|| CsrfToken::new(as_text(&state)))
            .set_pkce_challenge(derive_challenge(&verifier))
            .add_scopes(ask.scopes.iter().cloned().map(Scope::new));
        if let Some(nonce) = &nonce {
            request = request.add_extra_param("nonce", as_text(nonce));
        }
        for resource in &ask.resources {
            request = request.add_extra_param("resource", resource.clone());
        }
        if let Some(details) = &ask.details {
            request = request.add_extra_param("authorization_details", details.clone());
        }
        if let Some(dpop) = dpop {
            request = request.add_extra_param("dpop_jkt", dpop.thumbprint()?);
        }
        for (name, value) in &ask.extra {
            request = request.add_extra_param(name.clone(), value.clone());
        }
        let (mut url, _) = request.url();
        if has_a_name_twice(&url) {
            return Err(AskError::BadParameter("a parameter of its authorization endpoint"));
        }
        if server.requires_pushed_requests || ask.pushed || url.as_str().len() > LONGEST_URL {
            let own = endpoint.url().query_pairs().count();
            let pairs: Vec<(String, String)> = url.query_pairs().into_owned().skip(own).collect();
            let request_uri = push(http, server, client, &pairs, dpop, now).await?;
            url = endpoint.url().clone();
            url.query_pairs_mut()
                .append_pair("client_id", &client.id)
                .append_pair("request_uri", &request_uri);
        }
        Ok(Self {
            url: url.into(),
            verifier,
            nonce,
            state,
            issuer: server.issuer.clone(),
            names_itself: server.names_itself,
            was_answered: AtomicBool::new(false),
        })
    }

    /// Judges a query that arrived. `None`: not of this flow, or the flow had its answer; it changes nothing.
    pub(crate) fn judge(&self, query: &str) -> Option<Result<Secret, AnswerError>> {
        let mut answer = Answer::default();
        let mut is_doubled = false;
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let slot = match name.as_ref() {
                "state" => &mut answer.state,
                "code" => &mut answer.code,
                "iss" => &mut answer.iss,
                "error" => &mut answer.error,
                "error_description" => &mut answer.error_description,
                _ => continue,
            };
            is_doubled |= slot.replace(Secret::from(value.into_owned())).is_some();
        }
        let is_ours = !is_doubled && answer.state.as_ref() == Some(&self.state);
        if !is_ours || self.was_answered.swap(true, Ordering::SeqCst) {
            return None;
        }
        Some(answer.read(&self.issuer, self.names_itself))
    }
}

/// The fields of an answer, each at most once.
#[derive(Default)]
struct Answer {
    state: Option<Secret>,
    code: Option<Secret>,
    iss: Option<Secret>,
    error: Option<Secret>,
    error_description: Option<Secret>,
}

// === impl Answer ===

impl Answer {
    fn read(self, issuer: &Issuer, names_itself: bool) -> Result<Secret, AnswerError> {
        // RFC 9207 §2.4: who says it stands before what it says.
        let is_from_issuer = match &self.iss {
            // EXPOSE: an issuer is public; compared byte for byte.
            Some(iss) => iss.expose() == issuer.as_str().as_bytes(),
            None => !names_itself,
        };
        if !is_from_issuer {
            return Err(AnswerError::OtherIssuer);
        }
        // EXPOSE: a server's error words are public; they are cleaned before anybody sees them.
        let words = |secret: &Secret| String::from_utf8_lossy(secret.expose()).into_owned();
        match (self.code, self.error) {
            (Some(code), None) if !code.is_empty() && code.len() <= LONGEST_CODE => Ok(code),
            (None, Some(error)) if !error.is_empty() => Err(AnswerError::Refused {
                code: ErrorCode::read(&words(&error)),
                description: self.error_description.as_ref().map(|d| Shown::clean(&words(d))),
            }),
            _ => Err(AnswerError::Malformed),
        }
    }
}

/// Every name but `resource` stands once, counting what the endpoint's own query brings along.
fn has_a_name_twice(url: &Url) -> bool {
    let mut names: Vec<String> =
        url.query_pairs().map(|(name, _)| name.into_owned()).filter(|n| n != "resource").collect();
    names.sort();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

/// RFC 9126 §2: the request goes to the server directly; the browser carries only a reference.
async fn push(
    http: &Arc<dyn Http>,
    server: &Server,
    client: &Client,
    pairs: &[(String, String)],
    dpop: Option<&DpopKey>,
    now: Timestamp,
) -> Result<String, AskError> {
    let url = server.pushed_authorization_request_endpoint.as_ref().ok_or(AskError::NotOffered)?;
    let form = || {
        pairs.iter().fold(Form::new(), |form, (name, value)| match name.as_str() {
            // The client puts itself there, as its way of authentication needs it.
            "client_id" => form,
            "resource" => form.with_each(name, [value.as_str()]),
            _ => form.with(name, value),
        })
    };
    let endpoint = TokenEndpoint::of(server);
    // RFC 9126 §2: the client id is a parameter of the request, also where the header authenticates.
    let form = || form().with("client_id", &client.id);
    let response = endpoint.post(http, url, client, dpop, form, now).await.map_err(AskError::Push)?;
    let read = || -> Result<String, TokenError> {
        // EXPOSE: the reference is of use only to this client.
        let object = Object::read(response.body.expose())?;
        let request_uri = object.required_text("request_uri")?;
        let is_uri = request_uri.len() <= 2048 && request_uri.bytes().all(|b| b.is_ascii_graphic());
        if !is_uri {
            return Err(fault("not a request URI", "request_uri").into());
        }
        Ok(request_uri.to_owned())
    };
    read().map_err(AskError::Push)
}

#[cfg(test)]
mod tests;
