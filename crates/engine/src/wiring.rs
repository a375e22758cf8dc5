//! The variables that point an agent's SDKs at the proxy: base URLs and a stand-in for its token, never material.

use claviger_model::{Grant, Protocol, Service};

use crate::engine::Engine;
use crate::error::EngineError;

/// What an agent's environment must hold.
pub struct Wiring {
    /// The agent's name.
    pub agent: String,
    /// Variables in order.
    pub variables: Vec<Variable>,
    /// Grants whose service has no variables of its own.
    pub by_hand: Vec<ByHand>,
    /// What the catalogue says about clients of the services that have variables.
    pub notes: Vec<Note>,
}

/// A remark on the wiring of one service.
pub struct Note {
    /// The service's name.
    pub service: String,
    /// A sentence or two, with the grant's base URL in place.
    pub text: String,
}

/// One environment variable.
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value; `None` stands for the agent's token, which is stored only hashed.
    pub value: Option<String>,
}

/// A grant whose base URL is configured by hand.
pub struct ByHand {
    /// The service's name.
    pub service: String,
    /// The credential's name.
    pub credential: String,
    /// The base URL.
    pub base_url: String,
    /// Where it goes, if the catalogue knows; else empty.
    pub hint: String,
}

impl Engine {
    /// The base URL of a grant on this service. Without a listening proxy it is told with the port of the settings.
    pub fn base_url(&self, grant: &Grant, service: &Service) -> String {
        // MCP clients are used to an endpoint that is named so; the proxy takes it with and without.
        let endpoint = match service.protocol {
            Protocol::Http => "",
            Protocol::Mcp => "/mcp",
        };
        format!("{}/g/{}{endpoint}", self.origin(), grant.base.0)
    }

    /// `http://127.0.0.1:PORT`
    pub fn origin(&self) -> String {
        let listening = self.inner.listening.load(std::sync::atomic::Ordering::Relaxed);
        let port = if listening != 0 { listening } else { self.inner.settings.lock().port };
        format!("http://127.0.0.1:{port}")
    }

    /// The variables that wire an agent's granted services. The first grant on a service wins.
    pub fn wiring(&self, agent: &str) -> Result<Wiring, EngineError> {
        let book = self.book()?;
        let agent = book.agent(agent)?;
        let mut wiring =
            Wiring { agent: agent.name.clone(), variables: vec![], by_hand: vec![], notes: vec![] };
        for grant in book.grants_of(agent.id) {
            let Some(credential) = book.credential_by_id(grant.credential) else { continue };
            let Some(service) = book.service_by_id(credential.service) else { continue };
            let base_url = self.base_url(grant, service);
            let known = claviger_catalog::services().iter().find(|entry| entry.service.id == service.id);
            let variables = known.map(|entry| entry.wiring.as_slice()).unwrap_or_default();
            let hint = known.map(|entry| entry.by_hand.replace("${BASE}", &base_url)).unwrap_or_default();
            let taken = variables.iter().any(|new| wiring.variables.iter().any(|old| old.name == new.name));
            if variables.is_empty() || taken {
                wiring.by_hand.push(ByHand {
                    service: service.name.clone(),
                    credential: credential.name.clone(),
                    base_url,
                    hint,
                });
                continue;
            }
            if !hint.is_empty() {
                wiring.notes.push(Note { service: service.name.clone(), text: hint });
            }
            for variable in variables {
                let value =
                    (variable.value != "${TOKEN}").then(|| variable.value.replace("${BASE}", &base_url));
                wiring.variables.push(Variable { name: variable.name.clone(), value });
            }
        }
        Ok(wiring)
    }
}
