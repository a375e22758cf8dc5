//! What an authorization server says about itself (RFC 8414, OpenID Connect Discovery), checked before it is believed.
//!
//! Must not know how a flow uses it.

use std::sync::Arc;

use crate::http::{Http, HttpError, Request, Response};
use crate::json::{Fault, Object, fault};
use crate::{Endpoint, EndpointError, Issuer, Reach};

/// An authorization server: who it is and where its doors are.
#[derive(Clone, Debug)]
pub struct Server {
    /// Who.
    pub issuer: Issuer,
    /// At which addresses it may live.
    pub reach: Reach,
    /// Where people consent.
    pub authorization_endpoint: Option<Endpoint>,
    /// Where tokens come from.
    pub token_endpoint: Endpoint,
    /// RFC 8628.
    pub device_authorization_endpoint: Option<Endpoint>,
    /// RFC 7009.
    pub revocation_endpoint: Option<Endpoint>,
    /// RFC 7662.
    pub introspection_endpoint: Option<Endpoint>,
    /// RFC 7591.
    pub registration_endpoint: Option<Endpoint>,
    /// RFC 9126.
    pub pushed_authorization_request_endpoint: Option<Endpoint>,
    /// RFC 9126: the front channel alone is refused.
    pub requires_pushed_requests: bool,
    /// The keys that id tokens are signed with.
    pub jwks_uri: Option<Endpoint>,
    /// RFC 9207: its authorization responses say who it is.
    pub names_itself: bool,
    /// PKCE methods; `None` when it does not say.
    pub code_challenge_methods: Option<Vec<String>>,
    /// How clients may authenticate; `None` when it does not say.
    pub client_authentication: Option<Vec<String>>,
    /// Grant types; `None` when it does not say.
    pub grant_types: Option<Vec<String>>,
    /// Scopes that it names.
    pub scopes: Vec<String>,
    /// RFC 9449: algorithms of DPoP proofs; empty when it does not offer DPoP.
    pub dpop_algorithms: Vec<String>,
    /// A client id may be the https URL of a document about the client.
    pub takes_client_documents: bool,
    /// Where it departs from the specifications.
    pub quirks: Quirks,
}

/// Where a service departs from the specifications. Everything is off unless the service's entry says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Quirks {
    /// It does PKCE without saying so, or ignores it: the flow goes on. PKCE is sent all the same.
    pub pkce_unadvertised: bool,
    /// Token types that mean `Bearer`; an empty text stands for a missing type.
    pub bearer_means: Vec<String>,
    /// Scopes in answers are separated by commas.
    pub comma_scopes: bool,
}

/// Why a server's description is not believed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// No well-known place has a description.
    #[error("the server publishes no OAuth metadata")]
    NotPublished,
    /// It cannot be fetched.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It describes somebody else (RFC 8414 §3.3).
    #[error("the metadata is about another issuer")]
    OtherIssuer,
    /// Its JSON is not what it must be.
    #[error("the metadata is malformed: {0}")]
    Malformed(#[from] Fault),
    /// One of its URLs is not acceptable.
    #[error("{field} in the metadata is unacceptable: {why}")]
    Endpoint {
        /// Which.
        field: &'static str,
        /// Why.
        why: EndpointError,
    },
}

// === impl Server ===

impl Server {
    /// Looks in the well-known places (RFC 8414 §3.1, OpenID Connect Discovery, in the order that MCP gives) and takes
    /// the first description, which must be about exactly this issuer.
    pub async fn discover(
        http: &Arc<dyn Http>,
        issuer: &Issuer,
        reach: Reach,
    ) -> Result<Self, MetadataError> {
        for place in well_known(issuer) {
            let url = Endpoint::parse(&place, reach)
                .map_err(|why| MetadataError::Endpoint { field: "issuer", why })?;
            let response = http.send(Request::get(url, reach)).await?;
            // Anything else is a missing page, or a server that answers every unknown path with its sign-in page.
            if response.status == 200 && response.is_json() {
                return Self::read(&response, issuer, reach);
            }
        }
        Err(MetadataError::NotPublished)
    }

    /// Reads a description.
    pub(crate) fn read(response: &Response, issuer: &Issuer, reach: Reach) -> Result<Self, MetadataError> {
        if !response.is_json() {
            return Err(fault("not called JSON", "content-type").into());
        }
        // EXPOSE: public metadata; it is read, not kept.
        let object = Object::read(response.body.expose())?;
        if object.required_text("issuer")? != issuer.as_str() {
            return Err(MetadataError::OtherIssuer);
        }
        let url = |field: &'static str| -> Result<Option<Endpoint>, MetadataError> {
            let Some(text) = object.text(field)? else { return Ok(None) };
            Endpoint::parse(text, reach).map(Some).map_err(|why| MetadataError::Endpoint { field, why })
        };
        Ok(Self {
            issuer: issuer.clone(),
            reach,
            authorization_endpoint: url("authorization_endpoint")?,
            token_endpoint: url("token_endpoint")?.ok_or(fault("missing", "token_endpoint"))?,
            device_authorization_endpoint: url("device_authorization_endpoint")?,
            revocation_endpoint: url("revocation_endpoint")?,
            introspection_endpoint: url("introspection_endpoint")?,
            registration_endpoint: url("registration_endpoint")?,
            pushed_authorization_request_endpoint: url("pushed_authorization_request_endpoint")?,
            requires_pushed_requests: object.flag("require_pushed_authorization_requests")?,
            jwks_uri: url("jwks_uri")?,
            names_itself: object.flag("authorization_response_iss_parameter_supported")?,
            code_challenge_methods: object.texts("code_challenge_methods_supported")?,
            client_authentication: object.texts("token_endpoint_auth_methods_supported")?,
            grant_types: object.texts("grant_types_supported")?,
            scopes: object.texts("scopes_supported")?.unwrap_or_default(),
            dpop_algorithms: object.texts("dpop_signing_alg_values_supported")?.unwrap_or_default(),
            takes_client_documents: object.flag("client_id_metadata_document_supported")?,
            quirks: Quirks::default(),
        })
    }

    /// A server that publishes nothing, described by the catalogue: only what is given exists.
    pub fn described(issuer: Issuer, reach: Reach, authorization: Option<Endpoint>, token: Endpoint) -> Self {
        Self {
            issuer,
            reach,
            authorization_endpoint: authorization,
            token_endpoint: token,
            device_authorization_endpoint: None,
            revocation_endpoint: None,
            introspection_endpoint: None,
            registration_endpoint: None,
            pushed_authorization_request_endpoint: None,
            requires_pushed_requests: false,
            jwks_uri: None,
            names_itself: false,
            code_challenge_methods: None,
            client_authentication: None,
            grant_types: None,
            scopes: Vec::new(),
            dpop_algorithms: Vec::new(),
            takes_client_documents: false,
            quirks: Quirks::default(),
        }
    }

    /// With the service's known departures.
    pub fn with_quirks(mut self, quirks: Quirks) -> Self {
        self.quirks = quirks;
        self
    }

    /// Whether it says that it does PKCE with S256.
    pub fn says_s256(&self) -> bool {
        self.code_challenge_methods.as_ref().is_some_and(|methods| methods.iter().any(|m| m == "S256"))
    }

    /// The host whose token endpoint is no longer where it was when the user consented (O-67): new consent is due.
    pub fn moved_from(&self, token_endpoint: &str) -> Option<&str> {
        let before = Endpoint::parse(token_endpoint, self.reach).ok();
        let stays = before.is_some_and(|b| b.origin() == self.token_endpoint.origin());
        if stays { None } else { Some(self.token_endpoint.host()) }
    }
}

/// Where the description may lie: three places for an issuer with a path, two for one without.
pub fn well_known(issuer: &Issuer) -> Vec<String> {
    let text = issuer.as_str();
    let origin_end = text.find("://").map_or(0, |i| i + 3);
    let path_at = text[origin_end..].find('/').map(|i| origin_end + i);
    let (origin, path) = match path_at {
        Some(at) => (&text[..at], text[at..].trim_end_matches('/')),
        None => (text, ""),
    };
    if path.is_empty() {
        return vec![
            format!("{origin}/.well-known/oauth-authorization-server"),
            format!("{origin}/.well-known/openid-configuration"),
        ];
    }
    vec![
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{origin}/.well-known/openid-configuration{path}"),
        format!("{origin}{path}/.well-known/openid-configuration"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_secret::Secret;

    fn issuer(text: &str) -> Issuer {
        Issuer::parse(text, Reach::Public).unwrap()
    }

    fn read(body: &str) -> Result<Server, MetadataError> {
        let mut headers = http::HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        let response = Response { status: 200, headers, body: Secret::from(body.to_owned()) };
        Server::read(&response, &issuer("https://as.example"), Reach::Public)
    }

    #[test]
    fn o65_well_known_places_in_order() {
        let with_path = well_known(&issuer("https://as.example/tenant1"));
        let expected = [
            "https://as.example/.well-known/oauth-authorization-server/tenant1",
            "https://as.example/.well-known/openid-configuration/tenant1",
            "https://as.example/tenant1/.well-known/openid-configuration",
        ];
        assert_eq!(with_path, expected, "an issuer with a path");
        for text in ["https://as.example", "https://as.example/"] {
            let expected = [
                "https://as.example/.well-known/oauth-authorization-server",
                "https://as.example/.well-known/openid-configuration",
            ];
            assert_eq!(well_known(&issuer(text)), expected, "{text}");
        }
    }

    #[test]
    fn o64_metadata_about_another_issuer_is_refused() {
        let about = |issuer: &str| {
            read(&format!(r#"{{"issuer":"{issuer}","token_endpoint":"https://as.example/token"}}"#))
        };
        assert!(about("https://as.example").is_ok(), "the very issuer");
        for other in [
            "https://as.example/",
            "http://as.example",
            "https://as.example:443",
            "https://evil.example",
            "HTTPS://as.example",
        ] {
            assert!(matches!(about(other), Err(MetadataError::OtherIssuer)), "{other} was believed");
        }
    }

    #[test]
    fn o68_metadata_of_the_wrong_kind_is_refused() {
        let fields = [
            r#""authorization_endpoint":"javascript:alert(1)""#,
            r#""authorization_endpoint":7"#,
            r#""jwks_uri":"http://as.example/jwks""#,
            r#""revocation_endpoint":"https://169.254.169.254/""#,
            r#""code_challenge_methods_supported":"S256""#,
            r#""scopes_supported":[1]"#,
            r#""require_pushed_authorization_requests":"true""#,
        ];
        for field in fields {
            let body = format!(
                r#"{{"issuer":"https://as.example","token_endpoint":"https://as.example/token",{field}}}"#
            );
            assert!(read(&body).is_err(), "{field} was believed");
        }
        assert!(read(r#"{"issuer":"https://as.example"}"#).is_err(), "a token endpoint is needed");
    }

    #[test]
    fn o67_a_moved_token_endpoint_is_noticed() {
        let server =
            read(r#"{"issuer":"https://as.example","token_endpoint":"https://as.example/token"}"#).unwrap();
        assert_eq!(
            server.moved_from("https://as.example/old/token"),
            None,
            "another path on the same host is no move"
        );
        assert_eq!(server.moved_from("https://tokens.example/token"), Some("as.example"), "another host is");
    }
}
