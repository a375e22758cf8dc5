//! The contract: every request, view and code that crosses a boundary, one file per noun.
//!
//! Views are built from the model, never from material. The two values that are shown once (an agent's token, a
//! recovery key) cross in [`ShownOnce`]; material comes in as [`SecretInput`], which cannot be written out again.
//! Field names are those of the command-line contract; times are RFC 3339 in UTC.

pub mod activity;
pub mod agent;
pub mod credential;
pub mod error;
pub mod grant;
pub mod oauth;
pub mod own;
pub mod proposal;
pub mod secret_io;
pub mod service;
pub mod settings;
pub mod token;
pub mod usage;
pub mod vault;

pub use error::{ApiError, Code};
pub use secret_io::{SecretInput, ShownOnce};

use serde::{Deserialize, Serialize};

/// What a call may do. Each verb is one command of the window's bridge, so that a window can be given less than all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Reads.
    Query,
    /// Changes something.
    Mutate,
    /// Answers a question that an agent's request raised.
    Decide,
}

/// Every call by name, with its verb. `dispatch` refuses a name that is not here, or that comes by another verb.
pub const CALLS: &[(&str, Verb)] = &[
    ("vault.status", Verb::Query),
    ("vault.create", Verb::Mutate),
    ("vault.unlock", Verb::Mutate),
    ("vault.lock", Verb::Mutate),
    ("vault.change_password", Verb::Mutate),
    ("vault.renew_recovery", Verb::Mutate),
    ("service.list", Verb::Query),
    ("service.show", Verb::Query),
    ("service.add", Verb::Mutate),
    ("service.remove", Verb::Mutate),
    ("credential.kinds", Verb::Query),
    ("credential.recognise", Verb::Query),
    ("credential.list", Verb::Query),
    ("credential.show", Verb::Query),
    ("credential.history", Verb::Query),
    ("credential.add", Verb::Mutate),
    ("credential.rotate", Verb::Mutate),
    ("credential.revoke", Verb::Mutate),
    ("credential.freeze", Verb::Mutate),
    ("credential.unfreeze", Verb::Mutate),
    ("credential.remove", Verb::Mutate),
    ("agent.list", Verb::Query),
    ("agent.show", Verb::Query),
    ("agent.wiring", Verb::Query),
    ("agent.add", Verb::Mutate),
    ("agent.renew", Verb::Mutate),
    ("agent.run_token", Verb::Mutate),
    ("agent.revoke", Verb::Mutate),
    ("agent.pause", Verb::Mutate),
    ("agent.resume", Verb::Mutate),
    ("agent.pause_all", Verb::Mutate),
    ("agent.resume_all", Verb::Mutate),
    ("agent.remove", Verb::Mutate),
    ("grant.list", Verb::Query),
    ("grant.show", Verb::Query),
    ("grant.add", Verb::Mutate),
    ("grant.set", Verb::Mutate),
    ("grant.remove", Verb::Mutate),
    ("proposal.list", Verb::Query),
    ("proposal.show", Verb::Query),
    ("proposal.allow", Verb::Decide),
    ("proposal.deny", Verb::Decide),
    ("mcp.list_services", Verb::Query),
    ("mcp.request_access", Verb::Mutate),
    ("mcp.explain_denial", Verb::Query),
    ("oauth.targets", Verb::Query),
    ("oauth.discover", Verb::Query),
    ("oauth.prepare", Verb::Mutate),
    ("oauth.begin", Verb::Mutate),
    ("oauth.flows", Verb::Query),
    ("oauth.flow", Verb::Query),
    ("oauth.cancel", Verb::Mutate),
    ("oauth.dismiss", Verb::Mutate),
    ("oauth.status", Verb::Query),
    ("oauth.refresh", Verb::Mutate),
    ("oauth.reconnect", Verb::Mutate),
    ("oauth.disconnect", Verb::Mutate),
    ("token.inspect", Verb::Query),
    ("policy.explain", Verb::Query),
    ("usage.report", Verb::Query),
    ("usage.overview", Verb::Query),
    ("audit.list", Verb::Query),
    ("audit.verify", Verb::Query),
    ("settings.show", Verb::Query),
    ("settings.set", Verb::Mutate),
];

/// What changed. Events carry the tag alone; whoever shows the thing asks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum Tag {
    /// Created, unlocked or locked.
    Vault,
    /// A service was added or removed.
    Services,
    /// A credential was added or changed.
    Credentials,
    /// An agent was added or changed.
    Agents,
    /// A grant was added or changed.
    Grants,
    /// An agent asked for access, or was answered.
    Proposals,
    /// A flow went on, or a connection was made, renewed, broken or ended.
    Oauth,
    /// Something was recorded.
    Activity,
    /// A setting changed.
    Settings,
    /// Something needs the human's eye: repeated refusals, a failing record, an integrity failure.
    Attention,
}

/// Names one thing by its name or its id.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Named {
    /// Name or id.
    pub name: String,
}

/// An empty request or answer.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Nothing {}
