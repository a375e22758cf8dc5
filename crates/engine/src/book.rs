//! The nouns of an unlocked vault in memory, with look-up by name or id. Holds no material.

use claviger_model::{
    Agent, AgentId, Credential, CredentialId, Grant, GrantId, Proposal, Service, ServiceId,
};

use crate::EngineError;

/// Everything but material, decrypted while the vault is unlocked.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// Agents, in the order in which they were added.
    pub agents: Vec<Agent>,
    /// Credentials, in the order in which they were added.
    pub credentials: Vec<Credential>,
    /// Grants, in the order in which they were given.
    pub grants: Vec<Grant>,
    /// The user's own services, then the catalogue's.
    pub services: Vec<Service>,
    /// What agents ask for, in the order in which they asked.
    pub proposals: Vec<Proposal>,
}

macro_rules! lookup {
    ($by_name:ident, $by_id:ident, $list:ident, $noun:literal, $item:ty, $id:ty) => {
        #[doc = concat!("The ", $noun, " of that name or id.")]
        pub fn $by_name(&self, name: &str) -> Result<&$item, EngineError> {
            let id = name.parse::<$id>().ok();
            self.$list
                .iter()
                .find(|item| item.name == name || Some(item.id) == id)
                .ok_or_else(|| EngineError::NotFound { noun: $noun, name: name.to_owned() })
        }

        #[doc = concat!("The ", $noun, " of that id.")]
        pub fn $by_id(&self, id: $id) -> Option<&$item> {
            self.$list.iter().find(|item| item.id == id)
        }
    };
}

impl Book {
    lookup!(agent, agent_by_id, agents, "agent", Agent, AgentId);
    lookup!(credential, credential_by_id, credentials, "credential", Credential, CredentialId);
    lookup!(service, service_by_id, services, "service", Service, ServiceId);

    /// The grant of that id.
    pub fn grant(&self, id: &str) -> Result<&Grant, EngineError> {
        let wanted = id.parse::<GrantId>().ok();
        self.grants
            .iter()
            .find(|grant| Some(grant.id) == wanted)
            .ok_or_else(|| EngineError::NotFound { noun: "grant", name: id.to_owned() })
    }

    /// Grants of one agent.
    pub fn grants_of(&self, agent: AgentId) -> impl Iterator<Item = &Grant> {
        self.grants.iter().filter(move |grant| grant.agent == agent)
    }

    /// Grants on one credential.
    pub fn grants_on(&self, credential: CredentialId) -> impl Iterator<Item = &Grant> {
        self.grants.iter().filter(move |grant| grant.credential == credential)
    }
}

/// A name that people and scripts can type: 1 to 64 characters, no control characters, no white space at the ends,
/// nothing that reads as an option or a path.
pub(crate) fn check_name(noun: &'static str, name: &str) -> Result<(), EngineError> {
    let fits = !name.is_empty()
        && name.chars().count() <= 64
        && name.trim() == name
        && !name.starts_with('-')
        && !name.chars().any(|c| {
            c.is_control() || matches!(c, '/' | '\\' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        });
    if fits {
        Ok(())
    } else {
        Err(EngineError::Invalid(format!(
            "not a name for a {noun}: use 1 to 64 characters, no slashes, no control characters, no leading dash"
        )))
    }
}
