//! The engine: wires vault, record, policy and proxy together, owns the lock state and everything shared.
//!
//! Must not know how it is driven: no command line, no window, no JSON contract. The one place that holds the world
//! behind a lock.
#![deny(missing_docs)]

mod activity;
mod agents;
mod book;
mod credentials;
mod engine;
mod error;
mod grants;
mod inspect;
mod keychain;
mod lifecycle;
mod live;
mod minted;
mod oauth;
mod proposals;
mod services;
mod settings;
mod snapshot;
mod tokens;
mod wiring;

pub use activity::EntryFilter;
pub use agents::{IssuedToken, NewAgent};
pub use book::Book;
pub use credentials::{CredentialChange, NewCredential};
pub use engine::{Change, Engine, Options, Standing, VaultStanding};
pub use error::EngineError;
pub use grants::{Expiry, Explanation, GrantChange, NewGrant};
pub use inspect::{Claim, Inspected, expiry_of, inspect};
pub use keychain::KeychainStanding;
pub use lifecycle::UnlockBy;
pub use oauth::{
    AppRegistration, ConnectionFacts, ConnectionState, Discovered, Fault, FaultCode, Flow, FlowKind, NewFlow,
    RevocationState, Step, Target,
};
pub use proposals::{NewProposal, Terms};
pub use services::NewService;
pub use settings::{RecordDurability, Settings};
pub use wiring::{ByHand, Variable, Wiring};

/// What reading the log gives back.
pub mod log {
    pub use claviger_audit::{Entry, EntryResult, UsageBy, UsageTotals, What};
}

pub use claviger_catalog::{Risk, Scope, clean_paste, recognise};

/// How the proxy has what agents ask of Claviger itself answered.
pub mod own {
    pub use claviger_proxy::ports::{OwnAnswer, OwnService};
}

/// The catalogue's entry for a built-in service.
pub fn catalogue_entry(id: claviger_model::ServiceId) -> Option<&'static claviger_catalog::Entry> {
    claviger_catalog::services().iter().find(|entry| entry.service.id == id)
}

/// The path at the service to which a path behind a grant's base URL leads.
pub fn path_at_service(service: &claviger_model::Service, sent: &str) -> String {
    let prefix =
        services::Target::parse(&service.base_url, service.allow_private).map(|target| target.prefix);
    match (service.protocol, prefix) {
        (claviger_model::Protocol::Mcp, Ok(prefix)) => prefix,
        (claviger_model::Protocol::Http, Ok(prefix)) => claviger_proxy::path_at_service(&prefix, sent),
        (_, Err(_)) => sent.to_owned(),
    }
}

/// The proxy's limits for one person's machine.
pub fn proxy_defaults() -> claviger_proxy::Config {
    claviger_proxy::Config::default()
}

/// A port drawn at random from a range.
pub fn random_port(range: std::ops::Range<u16>) -> u16 {
    let drawn = u32::from_be_bytes(claviger_crypto::random_bytes());
    let width = u32::from(range.end.saturating_sub(range.start)).max(1);
    range.start + u16::try_from(drawn % width).unwrap_or(0)
}
