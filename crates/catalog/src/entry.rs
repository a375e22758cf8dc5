//! One service's file, parsed and checked. Must not know which services there are.

use std::collections::BTreeMap;

use claviger_model::{AuthScheme, Protocol, Service, UsageShape};
use serde::Deserialize;

use crate::consent::Consent;
use crate::service_id;

/// A built-in service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The service itself.
    pub service: Service,
    /// Page where its keys are made.
    pub console_url: String,
    /// How clients that read no base URL from the environment are pointed at a grant; `${BASE}` is the grant's base
    /// URL. Empty if there is nothing to say.
    pub by_hand: String,
    /// A call that shows whether a key works.
    pub verify: Option<Verify>,
    /// The variables that point its clients at a grant. Empty if no client reads a base URL from the environment: a
    /// token alone would make clients send it to the service itself.
    pub wiring: Vec<EnvVar>,
    /// Names under which its key is usually kept in the environment.
    pub variables: Vec<String>,
    /// What its keys look like.
    pub keys: Vec<KeyShape>,
    /// Signing in with OAuth, where it offers that.
    pub oauth: Option<Consent>,
}

/// A call that shows whether a key works.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// Request method.
    pub method: String,
    /// Path and query, after the base URL.
    pub path: String,
    /// Statuses that mean that the key works.
    pub ok: Vec<u16>,
    /// Statuses that mean that the key works, but may not make this call.
    #[serde(default)]
    pub restricted: Vec<u16>,
    /// A field of the answer that must be `true` as well.
    pub ok_field: Option<String>,
    /// Body of the request, JSON.
    pub body: Option<String>,
    /// Further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Whether the call uses up quota.
    #[serde(default)]
    pub counts: bool,
}

/// One environment variable of a client.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvVar {
    /// Its name.
    pub name: String,
    /// Its value, in which `${BASE}` is the grant's base URL (which stands for the service's) and `${TOKEN}` the agent
    /// token.
    pub value: String,
}

/// What one sort of key looks like.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyShape {
    /// What sort of key it is.
    pub label: String,
    /// A regular expression for the whole key.
    pub pattern: String,
    /// Beginnings that no other service's keys have. A key that begins so but does not fit the pattern is still taken:
    /// providers change lengths without notice.
    #[serde(default)]
    pub prefixes: Vec<String>,
    /// Whether the pattern says so little that it is only taken together with a variable's name.
    #[serde(default)]
    pub needs_name: bool,
}

/// A service's file is not as it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EntryError {
    /// Not TOML, or a field is missing, unknown or of another type.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// The way of authenticating is none.
    #[error(transparent)]
    Auth(#[from] claviger_model::AuthSchemeError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    title: String,
    base_url: String,
    auth: String,
    #[serde(default)]
    encoded_slash: bool,
    usage: Option<UsageShape>,
    #[serde(default)]
    protocol: Protocol,
    console_url: String,
    #[serde(default)]
    by_hand: String,
    #[serde(default)]
    variables: Vec<String>,
    verify: Option<Verify>,
    #[serde(default)]
    wiring: Vec<EnvVar>,
    #[serde(default, rename = "key")]
    keys: Vec<KeyShape>,
    oauth: Option<Consent>,
}

// === impl Entry ===

impl Entry {
    /// Reads one service's file.
    pub(crate) fn parse(text: &str) -> Result<Self, EntryError> {
        let file: File = toml::from_str(text)?;
        let service = Service {
            id: service_id(&file.name),
            auth: file.auth.parse::<AuthScheme>()?,
            name: file.name,
            title: file.title,
            base_url: file.base_url,
            allow_private: false,
            ca_pem: None,
            encoded_slash: file.encoded_slash,
            usage: file.usage,
            built_in: true,
            protocol: file.protocol,
        };
        Ok(Self {
            service,
            console_url: file.console_url,
            by_hand: file.by_hand,
            verify: file.verify,
            wiring: file.wiring,
            variables: file.variables,
            keys: file.keys,
            oauth: file.oauth,
        })
    }
}
