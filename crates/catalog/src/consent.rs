//! What a service's file says about signing in with OAuth: where, how, and what each scope allows in plain words.
//!
//! Must not know the protocol.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Signing in with OAuth.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// The authorization server.
    pub issuer: String,
    /// Where its doors are, for a server that publishes no metadata.
    pub endpoints: Option<Endpoints>,
    /// Ways of giving consent, the usual one first.
    pub flows: Vec<Way>,
    /// Page where an app is registered by hand; without it the server registers apps by itself.
    pub app_url: Option<String>,
    /// The server does PKCE without saying so, or ignores it.
    #[serde(default)]
    pub pkce_unadvertised: bool,
    /// Scopes in its answers are separated by commas.
    #[serde(default)]
    pub comma_scopes: bool,
    /// Token types of its answers that mean `Bearer`; an empty text stands for a missing type.
    #[serde(default)]
    pub bearer_means: Vec<String>,
    /// Parameters of its own on the authorization request.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Scopes worth knowing.
    #[serde(default, rename = "scope")]
    pub scopes: Vec<Scope>,
}

/// A server's doors.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoints {
    /// Where people consent.
    pub authorize: Option<String>,
    /// Where tokens come from.
    pub token: String,
    /// RFC 8628.
    pub device: Option<String>,
    /// RFC 7009.
    pub revoke: Option<String>,
}

/// A way of giving consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// In the browser of this machine.
    Code,
    /// By a short code, typed in any browser.
    Device,
    /// Not by a person.
    ClientCredentials,
}

/// One scope.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// As the server names it.
    pub name: String,
    /// What it allows, in plain words.
    pub words: String,
    /// How much it allows.
    pub risk: Risk,
    /// In the least set that is useful.
    #[serde(default)]
    pub preselected: bool,
}

/// How much a scope allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// Looks.
    Read,
    /// Changes things.
    Write,
    /// Deletes, pays, administers, or gives everything.
    Dangerous,
}

// === impl Scope ===

impl Scope {
    /// A scope of which only the name is known: what its words are taken to mean, never less than they say.
    pub fn guess(name: &str) -> Self {
        for (known, words, preselected) in STANDARD {
            if *known == name {
                return Self {
                    name: name.to_owned(),
                    words: (*words).to_owned(),
                    risk: Risk::Read,
                    preselected: *preselected,
                };
            }
        }
        let lower = name.to_ascii_lowercase();
        let has = |words: &[&str]| {
            lower.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| words.contains(&part))
        };
        let risk = if has(DANGEROUS) || lower.contains("admin") || lower == "*" {
            Risk::Dangerous
        } else if has(READ) && !has(WRITE) {
            Risk::Read
        } else {
            // Nobody said that it only looks.
            Risk::Write
        };
        Self { name: name.to_owned(), words: name.to_owned(), risk, preselected: false }
    }
}

/// Scopes of OpenID Connect, which mean the same everywhere.
const STANDARD: &[(&str, &str, bool)] = &[
    ("openid", "Know which account this is", true),
    ("profile", "Read your name and picture", false),
    ("email", "Read your e-mail address", false),
    ("address", "Read your postal address", false),
    ("phone", "Read your telephone number", false),
    ("offline_access", "Stay connected: renew access without asking you again", true),
];
const READ: &[&str] = &["read", "readonly", "view", "list", "get", "search", "metadata"];
const WRITE: &[&str] =
    &["write", "edit", "create", "update", "send", "post", "modify", "manage", "readwrite"];
const DANGEROUS: &[&str] =
    &["delete", "full", "all", "sudo", "root", "owner", "billing", "payment", "payments", "secrets", "keys"];
