//! Services: the catalogue's and the user's own.

use claviger_model::{AuthScheme, Protocol, Service, ServiceId, Subject, UsageShape};

use crate::engine::{Change, Done, Engine};
use crate::error::EngineError;

/// A service to be added.
pub struct NewService {
    /// Short unique word.
    pub name: String,
    /// Where its requests go.
    pub base_url: String,
    /// Where material goes.
    pub auth: AuthScheme,
    /// May be loopback or private.
    pub allow_private: bool,
    /// Certificates trusted for it alone.
    pub ca_pem: Option<String>,
    /// `%2F` may stand inside a path segment.
    pub encoded_slash: bool,
    /// How token usage stands in its answers.
    pub usage: Option<UsageShape>,
    /// What is spoken at the base URL.
    pub protocol: Protocol,
}

/// A base URL taken apart.
pub(crate) struct Target {
    pub(crate) https: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) prefix: String,
}

impl Engine {
    /// Adds a service of the user's own.
    pub fn add_service(&self, new: NewService) -> Result<Service, EngineError> {
        let name_fits = !new.name.is_empty()
            && new.name.len() <= 40
            && new
                .name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.'));
        if !name_fits {
            return Err(EngineError::Invalid(
                "a service's name is a short word of lower-case letters, digits, dashes".into(),
            ));
        }
        Target::parse(&new.base_url, new.allow_private)?;
        if new.ca_pem.as_ref().is_some_and(|pem| !pem.contains("-----BEGIN CERTIFICATE-----")) {
            return Err(EngineError::Invalid("the CA file holds no PEM certificate".into()));
        }
        self.change(Change::Services, |book, writer, _| {
            if book.services.iter().any(|service| service.name == new.name) {
                return Err(EngineError::Exists { noun: "service", name: new.name });
            }
            let service = Service {
                id: ServiceId::from_bytes(claviger_crypto::random_id()),
                title: new.name.clone(),
                name: new.name,
                base_url: new.base_url,
                auth: new.auth,
                allow_private: new.allow_private,
                ca_pem: new.ca_pem,
                encoded_slash: new.encoded_slash,
                usage: new.usage,
                built_in: false,
                protocol: new.protocol,
            };
            writer.put(&service)?;
            book.services.insert(0, service.clone());
            let done = Done::new("service.add", Subject::Service(service.id), &service.name);
            Ok((service, done))
        })
    }

    /// Removes a service of the user's own that no credential needs.
    pub fn remove_service(&self, name: &str) -> Result<(), EngineError> {
        self.change(Change::Services, |book, writer, _| {
            let service = book.service(name)?.clone();
            if service.built_in {
                return Err(EngineError::Invalid(format!(
                    "{} belongs to the catalogue and stays",
                    service.name
                )));
            }
            if let Some(user) = book.credentials.iter().find(|credential| credential.service == service.id) {
                return Err(EngineError::InUse(format!(
                    "credential {:?} belongs to service {:?}; remove it first",
                    user.name, service.name
                )));
            }
            writer.remove::<Service>(service.id)?;
            crate::proposals::forget(book, writer, |proposal| proposal.service == service.id)?;
            book.services.retain(|other| other.id != service.id);
            Ok(((), Done::new("service.remove", Subject::Service(service.id), service.name)))
        })
    }
}

// === impl Target ===

impl Target {
    /// Takes a base URL apart and refuses what could mean two things.
    pub(crate) fn parse(base_url: &str, allow_private: bool) -> Result<Self, EngineError> {
        let refuse = |why: &str| EngineError::Invalid(format!("{base_url:?} is no base URL: {why}"));
        let url: http::Uri = base_url.parse().map_err(|_| refuse("it does not parse"))?;
        let https = match url.scheme_str() {
            Some("https") => true,
            Some("http") if allow_private => false,
            Some("http") => return Err(refuse("plain http is only for services marked --allow-private")),
            _ => return Err(refuse("it must begin with https://")),
        };
        let authority = url.authority().ok_or_else(|| refuse("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(refuse("a user name or password has no place in it"));
        }
        let host = authority.host().trim_end_matches('.').to_ascii_lowercase();
        if host.is_empty() || host.contains('%') {
            return Err(refuse("it names no host"));
        }
        if url.query().is_some() || base_url.contains('#') {
            return Err(refuse("it must not have a query or fragment"));
        }
        let prefix = url.path().trim_end_matches('/');
        let canonical = prefix.is_ascii()
            && !prefix.contains(['%', '\\', ';'])
            && !prefix.split('/').skip(1).any(|segment| matches!(segment, "" | "." | ".."));
        if !canonical {
            return Err(refuse("its path is not in canonical form"));
        }
        let port = match authority.port() {
            Some(port) => Some(port.as_u16()).filter(|port| *port != 0).ok_or_else(|| refuse("port 0"))?,
            None if https => 443,
            None => 80,
        };
        Ok(Self { https, host, port, prefix: prefix.to_owned() })
    }
}
