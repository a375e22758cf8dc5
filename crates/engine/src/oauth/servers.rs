//! Which authorization server belongs to a service, and what it offers: from the catalogue, by URL, or by what the
//! service says about itself.
//!
//! Must not know flows.

use std::sync::Arc;

use claviger_catalog::{Consent, Endpoints, Scope, Way};
use claviger_model::{AuthScheme, Protocol, Service};
use claviger_oauth::http::Http;
use claviger_oauth::{Endpoint, Issuer, ProtectedResource, Quirks, Reach, Server};

use super::faults::{Fault, FaultCode};
use super::flow::FlowKind;
use super::notes;
use crate::engine::{Change, Done, Engine};
use crate::error::EngineError;
use crate::services::Target as BaseUrl;

/// What a server names is shown up to here.
const MOST_SCOPES: usize = 200;

/// How our app becomes known to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppRegistration {
    /// By itself.
    Automatic,
    /// By the user.
    ByHand,
    /// Not known before the server is asked.
    Unknown,
}

/// A service that can be connected.
pub struct Target {
    /// The service.
    pub service: Service,
    /// Flows that may work, the usual one first.
    pub flows: Vec<FlowKind>,
    /// The authorization server, where it is known before anybody asked.
    pub issuer: Option<String>,
    /// Scopes that are known.
    pub scopes: Vec<Scope>,
    /// How our app becomes known there.
    pub registration: AppRegistration,
    /// Page where an app is registered.
    pub console_url: Option<String>,
}

/// What a server offers.
pub struct Discovered {
    /// Who it is.
    pub issuer: String,
    /// Other servers that the service names.
    pub other_issuers: Vec<String>,
    /// Flows that it offers.
    pub flows: Vec<FlowKind>,
    /// How our app becomes known there.
    pub registration: AppRegistration,
    /// Scopes that it names, and those of the service's entry.
    pub scopes: Vec<Scope>,
    /// It requires pushed requests.
    pub pushed_requests: bool,
    /// It offers tokens that are bound to a key.
    pub dpop: bool,
    /// Tokens can be given back.
    pub supports_revocation: bool,
}

/// A server with what a flow needs to know beside it.
pub(super) struct Found {
    pub(super) server: Server,
    pub(super) others: Vec<Issuer>,
    /// What the token is for (RFC 8707), where the service says so.
    pub(super) resources: Vec<String>,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) scopes: Vec<Scope>,
}

// === impl Engine ===

impl Engine {
    /// Every service that can be connected, those of the catalogue that offer it and the user's own.
    pub fn oauth_targets(&self) -> Result<Vec<Target>, EngineError> {
        let book = self.book()?;
        let targets = book.services.into_iter().filter(|s| !matches!(s.auth, AuthScheme::Query(_)));
        let targets = targets.filter_map(|service| {
            let consent = consent_of(&service);
            // A remote MCP server says itself who gives tokens for it.
            let is_mcp = service.protocol == Protocol::Mcp;
            if service.built_in && consent.is_none() && !is_mcp {
                return None;
            }
            Some(Target {
                flows: match consent {
                    Some(consent) => consent.flows.iter().map(|way| FlowKind::from(*way)).collect(),
                    None if is_mcp => vec![FlowKind::Code],
                    None => vec![FlowKind::Code, FlowKind::Device, FlowKind::ClientCredentials],
                },
                issuer: consent.map(|consent| consent.issuer.clone()),
                scopes: consent.map(|consent| consent.scopes.clone()).unwrap_or_default(),
                registration: match consent {
                    Some(consent) if consent.app_url.is_some() => AppRegistration::ByHand,
                    Some(_) => AppRegistration::Automatic,
                    None => AppRegistration::Unknown,
                },
                console_url: consent.and_then(|consent| consent.app_url.clone()),
                service,
            })
        });
        Ok(targets.collect())
    }

    /// Asks a server what it offers. Waits for the network.
    pub fn oauth_discover(
        &self,
        service: Option<&str>,
        issuer: Option<&str>,
        allow_private: bool,
    ) -> Result<Discovered, EngineError> {
        let book = self.book()?;
        let service = service.map(|name| book.service(name).cloned()).transpose()?;
        if service.is_none() && issuer.is_none() {
            return Err(EngineError::Invalid("name a service or the server's URL".into()));
        }
        let reach = match &service {
            // The service's own mark decides, so that what is found here can be connected afterwards.
            Some(service) => reach_of(service),
            None if allow_private => Reach::Private,
            None => Reach::Public,
        };
        let (http, issuer) = (self.net_of(service.as_ref()), issuer.map(str::to_owned));
        let found =
            self.wait_for(async move { find(&http, service.as_ref(), issuer.as_deref(), reach).await })?;
        found.map(|found| found.discovered()).map_err(EngineError::Consent)
    }

    /// The redirect URI for an app that is registered by hand. The same name gets the same port again, since some
    /// providers compare it.
    pub fn oauth_prepare(&self, name: &str) -> Result<u16, EngineError> {
        let mut redirects = self.read(|open| notes::redirects(&open.vault))?;
        if let Some(port) = redirects.get(name) {
            return Ok(*port);
        }
        let is_free =
            |port: &u16| std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, *port)).is_ok();
        let port = (0..64)
            .map(|_| crate::random_port(20_000..60_000))
            .find(|port| is_free(port) && !redirects.values().any(|taken| taken == port))
            .ok_or_else(|| EngineError::Unavailable("no free port was found on 127.0.0.1".into()))?;
        redirects.insert(name.to_owned(), port);
        self.change(Change::Oauth, |_, writer, _| {
            notes::put_redirects(writer, &redirects)?;
            Ok(((), Done::new("oauth.prepare", claviger_model::Subject::Vault, name)))
        })?;
        Ok(port)
    }
}

/// A service's addresses are its server's, too.
pub(super) fn reach_of(service: &Service) -> Reach {
    if service.allow_private { Reach::Private } else { Reach::Public }
}

fn consent_of(service: &Service) -> Option<&'static Consent> {
    if !service.built_in {
        return None;
    }
    crate::catalogue_entry(service.id).and_then(|entry| entry.oauth.as_ref())
}

/// Finds the server: the one that was named, else the catalogue's, else the one that the service names itself.
pub(super) async fn find(
    http: &Arc<dyn Http>,
    service: Option<&Service>,
    issuer: Option<&str>,
    reach: Reach,
) -> Result<Found, Fault> {
    let consent = service.and_then(consent_of).filter(|c| issuer.is_none_or(|issuer| issuer == c.issuer));
    if let Some(consent) = consent {
        return from_catalogue(http, consent, reach).await;
    }
    let plain = |server| Found {
        server,
        others: Vec::new(),
        resources: Vec::new(),
        parameters: Vec::new(),
        scopes: Vec::new(),
    };
    let named = issuer.map(|issuer| Issuer::parse(issuer, reach)).transpose()?;
    // A remote MCP server's own word is needed also where the user names the issuer: a token is for one server alone.
    let asks_service = named.is_none() || service.is_some_and(|service| service.protocol == Protocol::Mcp);
    if let Some(issuer) = named.as_ref().filter(|_| !asks_service) {
        return Ok(plain(Server::discover(http, issuer, reach).await?));
    }
    let Some(service) = service else {
        return Err(Fault::new(FaultCode::Unsupported, "no server was named", "give its URL"));
    };
    let url = Endpoint::parse(&service.base_url, reach)?;
    let resource = ProtectedResource::discover(http, &url, reach).await?;
    let mut issuers = resource.authorization_servers;
    let chosen = match &named {
        None => (!issuers.is_empty()).then_some(0),
        Some(named) => issuers.iter().position(|issuer| issuer == named),
    };
    let Some(chosen) = chosen else {
        let hint = "leave the issuer out, or take one of those that `claviger oauth discover` shows";
        return Err(Fault::new(FaultCode::Unsupported, "the service takes no tokens of this issuer", hint));
    };
    let issuer = issuers.remove(chosen);
    let mut found = plain(Server::discover(http, &issuer, reach).await?);
    found.others = issuers;
    found.resources = vec![resource.resource];
    let asked = resource.asked_scopes.iter().map(|name| Scope { preselected: true, ..Scope::guess(name) });
    found.scopes = asked.collect();
    found.scopes.extend(resource.scopes.iter().map(|name| Scope::guess(name)));
    Ok(found)
}

async fn from_catalogue(http: &Arc<dyn Http>, consent: &Consent, reach: Reach) -> Result<Found, Fault> {
    let issuer = Issuer::parse(&consent.issuer, reach)?;
    let server = match &consent.endpoints {
        Some(endpoints) => described(issuer, endpoints, reach)?,
        None => Server::discover(http, &issuer, reach).await?,
    };
    let quirks = Quirks {
        pkce_unadvertised: consent.pkce_unadvertised,
        bearer_means: consent.bearer_means.clone(),
        comma_scopes: consent.comma_scopes,
    };
    Ok(Found {
        server: server.with_quirks(quirks),
        others: Vec::new(),
        resources: Vec::new(),
        parameters: consent.parameters.clone().into_iter().collect(),
        scopes: consent.scopes.clone(),
    })
}

fn described(issuer: Issuer, endpoints: &Endpoints, reach: Reach) -> Result<Server, Fault> {
    let url = |text: &Option<String>| text.as_deref().map(|t| Endpoint::parse(t, reach)).transpose();
    let token = Endpoint::parse(&endpoints.token, reach)?;
    let mut server = Server::described(issuer, reach, url(&endpoints.authorize)?, token);
    server.device_authorization_endpoint = url(&endpoints.device)?;
    server.revocation_endpoint = url(&endpoints.revoke)?;
    Ok(server)
}

// === impl Found ===

impl Found {
    /// The least set that is useful, where nobody chose.
    pub(super) fn preselected(&self) -> Vec<String> {
        self.all_scopes().into_iter().filter(|scope| scope.preselected).map(|scope| scope.name).collect()
    }

    fn all_scopes(&self) -> Vec<Scope> {
        let mut scopes: Vec<Scope> = Vec::new();
        let named = self.server.scopes.iter().map(|name| Scope::guess(name));
        for scope in self.scopes.iter().cloned().chain(named).take(MOST_SCOPES) {
            let is_shown = scope.name.len() <= 512 && scope.name.bytes().all(|b| b.is_ascii_graphic());
            if is_shown && !scopes.iter().any(|known| known.name == scope.name) {
                scopes.push(scope);
            }
        }
        scopes
    }

    fn discovered(&self) -> Discovered {
        let server = &self.server;
        let grants = |name: &str| server.grant_types.as_ref().map(|grants| grants.iter().any(|g| g == name));
        let mut flows = Vec::new();
        // RFC 8414 §2: a server that does not say does the code flow.
        if server.authorization_endpoint.is_some() && grants("authorization_code") != Some(false) {
            flows.push(FlowKind::Code);
        }
        if server.device_authorization_endpoint.is_some() {
            flows.push(FlowKind::Device);
        }
        if grants("client_credentials") == Some(true) {
            flows.push(FlowKind::ClientCredentials);
        }
        Discovered {
            issuer: server.issuer.to_string(),
            other_issuers: self.others.iter().map(Issuer::to_string).collect(),
            flows,
            registration: match server.registration_endpoint {
                Some(_) => AppRegistration::Automatic,
                None => AppRegistration::ByHand,
            },
            scopes: self.all_scopes(),
            pushed_requests: server.requires_pushed_requests,
            dpop: !server.dpop_algorithms.is_empty(),
            supports_revocation: server.revocation_endpoint.is_some(),
        }
    }
}

// === impl FlowKind ===

impl From<Way> for FlowKind {
    fn from(way: Way) -> Self {
        match way {
            Way::Code => Self::Code,
            Way::Device => Self::Device,
            Way::ClientCredentials => Self::ClientCredentials,
        }
    }
}

/// A service that a connection's token can be placed for: in a header, to a base URL that stands.
pub(super) fn check_connectable(service: &Service) -> Result<(), EngineError> {
    BaseUrl::parse(&service.base_url, service.allow_private)?;
    if matches!(service.auth, AuthScheme::Query(_)) {
        return Err(EngineError::Invalid(format!(
            "service {:?} takes its credential in the query, where an OAuth token must not stand",
            service.name
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn every_server_of_the_catalogue_is_one_that_may_be_talked_to() {
        let mut count = 0;
        for entry in claviger_catalog::services() {
            let Some(consent) = &entry.oauth else { continue };
            count += 1;
            let name = &entry.service.name;
            let issuer = Issuer::parse(&consent.issuer, Reach::Public).expect("an issuer");
            let Some(endpoints) = &consent.endpoints else { continue };
            let server = described(issuer, endpoints, Reach::Public)
                .unwrap_or_else(|fault| panic!("{name}: {}", fault.message));
            assert!(
                server.registration_endpoint.is_none(),
                "{name}: nobody said that apps register themselves"
            );
            assert!(
                consent.pkce_unadvertised,
                "{name}: a server that is described cannot say that it does PKCE"
            );
        }
        assert!(count >= 5, "only {count} services");
    }

    #[test]
    fn what_a_server_names_is_bounded_and_shown_once() {
        let issuer = Issuer::parse("https://as.example", Reach::Public).unwrap();
        let token = Endpoint::parse("https://as.example/token", Reach::Public).unwrap();
        let mut server = Server::described(issuer, Reach::Public, None, token);
        server.scopes = (0..1_000).map(|n| format!("scope{n}")).collect();
        server.scopes.insert(0, "openid".into());
        server.scopes.insert(0, "bad scope\u{202e}".into());
        let found = Found {
            server,
            others: Vec::new(),
            resources: Vec::new(),
            parameters: Vec::new(),
            scopes: vec![Scope::guess("openid")],
        };
        let scopes = found.all_scopes();
        assert!(scopes.len() <= MOST_SCOPES, "{} are shown", scopes.len());
        assert_eq!(scopes.iter().filter(|scope| scope.name == "openid").count(), 1, "once");
        assert!(scopes.iter().all(|scope| scope.name.is_ascii()), "odd names are left out");
        assert_eq!(found.preselected(), ["openid"], "the least set");
        assert_eq!(found.discovered().registration, AppRegistration::ByHand, "it registers nobody");
    }
}
