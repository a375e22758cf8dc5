//! Registering ourselves with a server that allows it (RFC 7591), and client-id documents where it takes them.
//!
//! Must not know what is done with the registration. A registration is for one issuer and never sent to another.

use std::sync::Arc;

use claviger_model::Timestamp;
use claviger_secret::{ClientSecret, Secret};
use serde_json::json;

use crate::http::{Http, HttpError, Method, Request};
use crate::json::{Fault, Object};
use crate::token::{ErrorCode, described};
use crate::{Client, ClientAuthentication, ClientError, Endpoint, Server, Shown};

/// What is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Shown to the user by the server.
    pub client_name: String,
    /// The loopback redirect, if a browser brings the answer.
    pub redirect_uri: Option<String>,
    /// Grant types, as the specifications name them.
    pub grant_types: Vec<String>,
    /// Scopes.
    pub scopes: Vec<String>,
}

/// What came of it.
#[derive(Debug)]
pub struct Registered {
    /// We, there.
    pub client: Client,
    /// When the client secret ends, if it does.
    pub secret_expires_at: Option<Timestamp>,
    /// Where the registration can be changed or ended, and the token for that (RFC 7592).
    pub management: Option<(Endpoint, Secret)>,
}

/// Why there is no registration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The server offers none.
    #[error("the server does not register clients by itself")]
    NotOffered,
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
    },
    /// Another status.
    #[error("the server answered with status {0}")]
    Status(u16),
    /// The answer is not what it must be.
    #[error("the server's answer is malformed: {0}")]
    Malformed(#[from] Fault),
    /// It registered something that would be less safe than what was asked for.
    #[error("the server changed {0} in the registration")]
    Changed(&'static str),
    /// The credentials in the answer cannot be used.
    #[error(transparent)]
    Client(#[from] ClientError),
}

// === impl Registration ===

impl Registration {
    /// What the code flow needs.
    pub fn for_code_flow(client_name: &str, redirect_uri: String, scopes: &[String]) -> Self {
        Self {
            client_name: client_name.to_owned(),
            redirect_uri: Some(redirect_uri),
            grant_types: vec!["authorization_code".into(), "refresh_token".into()],
            scopes: scopes.to_vec(),
        }
    }

    /// Registers. `access_token` is the initial access token that some servers ask for.
    pub async fn send(
        &self,
        http: &Arc<dyn Http>,
        server: &Server,
        access_token: Option<&Secret>,
    ) -> Result<Registered, RegisterError> {
        let url = server.registration_endpoint.clone().ok_or(RegisterError::NotOffered)?;
        let mut asked = json!({
            "client_name": self.client_name,
            "application_type": "native",
            "token_endpoint_auth_method": "none",
            "grant_types": self.grant_types,
            "response_types": if self.redirect_uri.is_some() { vec!["code"] } else { vec![] },
            "redirect_uris": self.redirect_uri.iter().collect::<Vec<_>>(),
        });
        if !self.scopes.is_empty() {
            asked["scope"] = self.scopes.join(" ").into();
        }
        let mut request = Request::get(url, server.reach);
        request.method = Method::Post;
        request.body = Some(("application/json", Secret::from(asked.to_string())));
        if let Some(token) = access_token {
            let mut header = b"Bearer ".to_vec();
            // EXPOSE: sent to the registration endpoint that it is for.
            header.extend_from_slice(token.expose());
            request = request.with("authorization", header);
        }
        let response = http.send(request).await?;
        // EXPOSE: parsed; secrets in it become Secrets again.
        let object = Object::read(response.body.expose());
        match (response.status, object) {
            (200 | 201, Ok(object)) if !object.has("error") => self.registered(object, server),
            (200 | 201, Err(fault)) => Err(fault.into()),
            (300..=399, _) | (_, Err(_)) => Err(RegisterError::Status(response.status)),
            (status, Ok(object)) => match object.text("error") {
                Ok(Some(code)) => Err(RegisterError::Refused {
                    code: ErrorCode::read(code),
                    description: object.text("error_description").ok().flatten().map(Shown::clean),
                }),
                _ => Err(RegisterError::Status(status)),
            },
        }
    }

    fn registered(&self, mut object: Object, server: &Server) -> Result<Registered, RegisterError> {
        // RFC 7591 §3.2.1: the server may change what was asked for. Some changes would be for the worse.
        if let Some(uris) = object.texts("redirect_uris")?
            && uris.iter().ne(self.redirect_uri.iter())
        {
            return Err(RegisterError::Changed("the redirect URI"));
        }
        if let Some(grants) = object.texts("grant_types")?
            && grants.iter().any(|g| matches!(g.as_str(), "implicit" | "password"))
        {
            return Err(RegisterError::Changed("the grant types"));
        }
        if let Some(responses) = object.texts("response_types")?
            && responses.iter().any(|r| r.split(' ').any(|part| part.ends_with("token")))
        {
            return Err(RegisterError::Changed("the response types"));
        }
        let id = object.required_text("client_id")?.to_owned();
        let way = object.text("token_endpoint_auth_method")?.map(str::to_owned);
        let secret_expires_at = object.value("client_secret_expires_at").and_then(serde_json::Value::as_i64);
        let manage_at =
            object.text("registration_client_uri")?.and_then(|url| Endpoint::parse(url, server.reach).ok());
        let secret = object.take_secret("client_secret")?.filter(|s| !s.is_empty()).map(ClientSecret::from);
        let manage_with = object.take_secret("registration_access_token")?.filter(|s| !s.is_empty());
        let authentication = match (way.as_deref(), secret) {
            (None | Some("none"), None) | (Some("none"), Some(_)) => ClientAuthentication::None,
            (None | Some("client_secret_basic"), Some(secret)) => ClientAuthentication::Basic(secret),
            (Some("client_secret_post"), Some(secret)) => ClientAuthentication::Post(secret),
            _ => return Err(RegisterError::Changed("how the client proves itself")),
        };
        Ok(Registered {
            client: Client::checked(server.issuer.clone(), id, authentication)?,
            // RFC 7591 §3.2.1: zero is never.
            secret_expires_at: secret_expires_at
                .filter(|s| *s > 0)
                .and_then(|s| s.checked_mul(1000))
                .map(Timestamp),
            management: manage_at.zip(manage_with),
        })
    }
}

// === impl Client ===

impl Client {
    /// A client whose id is the https URL of a document about it, at a server that says it takes those.
    pub fn by_document(server: &Server, url: &Endpoint) -> Result<Self, ClientError> {
        let has_path = url.url().path().len() > 1;
        if !server.takes_client_documents || !url.is_https() || !has_path {
            return Err(ClientError::NoCommonWay);
        }
        Self::public(server.issuer.clone(), url.as_str())
    }
}
