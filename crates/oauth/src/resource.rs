//! What a protected resource says about itself (RFC 9728): which authorization servers may give tokens for it.
//!
//! Must not know how a token is then obtained. The user chooses among the servers; none is chosen silently.

use std::sync::Arc;

use crate::challenge::Challenge;
use crate::http::{Http, HttpError, Request, Response};
use crate::json::{Fault, Object, fault};
use crate::{Endpoint, EndpointError, Issuer, Reach, Shown};

/// A protected resource, such as a remote MCP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectedResource {
    /// Its identifier, which goes into `resource` (RFC 8707).
    pub resource: String,
    /// Who may give tokens for it, in its own order.
    pub authorization_servers: Vec<Issuer>,
    /// Scopes that it names.
    pub scopes: Vec<String>,
    /// Scopes that its challenge asked for.
    pub asked_scopes: Vec<String>,
    /// What it calls itself.
    pub name: Option<Shown>,
}

/// Why a resource's description is not believed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResourceError {
    /// It publishes none.
    #[error("the service publishes no resource metadata")]
    NotPublished,
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It describes something else (RFC 9728 §3.3).
    #[error("the resource metadata is about another service")]
    OtherResource,
    /// A URL in it, or in the challenge, is not acceptable.
    #[error("a URL of the service is unacceptable: {0}")]
    Endpoint(#[from] EndpointError),
    /// Its JSON is not what it must be.
    #[error("the resource metadata is malformed: {0}")]
    Malformed(#[from] Fault),
}

// === impl ProtectedResource ===

impl ProtectedResource {
    /// Asks the resource without a token, and follows what its challenge says; without a challenge, looks in the
    /// well-known places.
    pub async fn discover(http: &Arc<dyn Http>, url: &Endpoint, reach: Reach) -> Result<Self, ResourceError> {
        let response = http.send(Request::get(url.clone(), reach)).await?;
        let challenges: Vec<Challenge> = response
            .headers
            .get_all("www-authenticate")
            .iter()
            .filter_map(|v| v.to_str().ok())
            .flat_map(Challenge::read)
            .collect();
        Self::from_challenges(http, url, &challenges, reach).await
    }

    /// As [`ProtectedResource::discover`], with the challenges of a 401 that somebody already has.
    pub async fn from_challenges(
        http: &Arc<dyn Http>,
        url: &Endpoint,
        challenges: &[Challenge],
        reach: Reach,
    ) -> Result<Self, ResourceError> {
        let asked = challenges.iter().filter(|c| matches!(c.scheme.as_str(), "bearer" | "dpop"));
        let asked: Vec<&Challenge> = asked.collect();
        let scope = asked.iter().find_map(|c| c.parameter("scope")).unwrap_or_default();
        let asked_scopes = crate::token::split_scopes(scope, &crate::Quirks::default()).unwrap_or_default();
        let named = asked.iter().find_map(|c| c.parameter("resource_metadata"));
        let places: Vec<(String, String)> = match named {
            Some(place) => vec![(place.to_owned(), url.as_str().to_owned())],
            None => well_known(url),
        };
        for (place, expected) in places {
            let place = Endpoint::parse(&place, reach)?;
            let response = http.send(Request::get(place, reach)).await?;
            if response.status == 200 && response.is_json() {
                let mut found = Self::read(&response, &expected, reach)?;
                found.asked_scopes = asked_scopes;
                return Ok(found);
            }
        }
        Err(ResourceError::NotPublished)
    }

    fn read(response: &Response, expected: &str, reach: Reach) -> Result<Self, ResourceError> {
        // EXPOSE: public metadata.
        let object = Object::read(response.body.expose())?;
        let resource = object.required_text("resource")?;
        // Byte for byte, but that an empty path and `/` are one (RFC 3986 §6.2.3).
        let is_origin = |text: &str| text.split_once("://").is_some_and(|(_, rest)| !rest.contains('/'));
        let bare = |text: &str| text.strip_suffix('/').filter(|t| is_origin(t)).unwrap_or(text).to_owned();
        if bare(resource) != bare(expected) {
            return Err(ResourceError::OtherResource);
        }
        let servers = object.texts("authorization_servers")?.unwrap_or_default();
        let authorization_servers: Vec<Issuer> =
            servers.iter().take(20).map(|s| Issuer::parse(s, reach)).collect::<Result<_, _>>()?;
        if authorization_servers.is_empty() {
            return Err(fault("missing", "authorization_servers").into());
        }
        Ok(Self {
            resource: resource.to_owned(),
            authorization_servers,
            scopes: object.texts("scopes_supported")?.unwrap_or_default(),
            asked_scopes: Vec::new(),
            name: object.text("resource_name")?.map(|t| Shown::clean_to(t, 120)),
        })
    }
}

/// Where the description may lie, and which resource it must then be about.
fn well_known(url: &Endpoint) -> Vec<(String, String)> {
    let origin = url.origin();
    let path = url.url().path();
    let mut places = Vec::new();
    if path != "/" {
        places
            .push((format!("{origin}/.well-known/oauth-protected-resource{path}"), url.as_str().to_owned()));
    }
    places.push((format!("{origin}/.well-known/oauth-protected-resource"), origin));
    places
}
