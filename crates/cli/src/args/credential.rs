//! Words about services, credentials and agents. Must not know what they do.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Confirm, Named, NamedForGood};
use crate::secret_input::Source;

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// List the built-in services and your own
    List,
    /// Show one service
    Show(Named),
    /// Add a service of your own
    Add(ServiceAdd),
    /// Remove a service of your own
    Remove(NamedForGood),
}

#[derive(Debug, Args)]
pub(crate) struct ServiceAdd {
    /// A short lower-case word
    pub(crate) name: String,
    /// Where its requests go, as in https://api.example.com/v1
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: String,
    /// Where the credential stands on a request: bearer, basic, header:NAME or query:NAME
    #[arg(long, value_name = "KIND", required_unless_present = "mcp")]
    pub(crate) auth: Option<String>,
    /// The base URL is the endpoint of a remote MCP server (streamable HTTP)
    #[arg(long)]
    pub(crate) mcp: bool,
    /// This upstream may be loopback or private, and may speak plain HTTP
    #[arg(long)]
    pub(crate) allow_private: bool,
    /// Trust the certificates in this PEM file for this service, in place of the system's
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Let %2F stand inside a path segment, as GitLab's API needs
    #[arg(long)]
    pub(crate) encoded_slash: bool,
    /// How token usage stands in its answers
    #[arg(long, value_name = "SHAPE", value_parser = ["open-ai", "anthropic", "gemini"])]
    pub(crate) usage: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialCommand {
    /// List the kinds of credential and the shape of their secret on stdin
    Kinds,
    /// Store a credential
    Add {
        /// Its name
        name: String,
        /// The service that it is for
        #[arg(long, value_name = "SERVICE")]
        service: String,
        /// Its kind, as `credential kinds` lists; by default what the service asks for
        #[arg(long)]
        kind: Option<String>,
        #[command(flatten)]
        secret: SecretArgs,
        /// When it expires: RFC 3339 or a date
        #[arg(long, value_name = "DATE")]
        expires: Option<String>,
    },
    /// List the credentials, never their secrets
    List,
    /// Show one credential, never its secret
    Show(Named),
    /// Put a new secret in the old one's place, without a pause for agents
    Rotate {
        /// Its name or id
        name: String,
        #[command(flatten)]
        secret: SecretArgs,
        /// When it expires: RFC 3339 or a date
        #[arg(long, value_name = "DATE")]
        expires: Option<String>,
    },
    /// Destroy its secret; agents that use it are refused from now on
    Revoke(NamedForGood),
    /// Refuse its use until it is unfrozen
    Freeze(Named),
    /// Allow its use again
    Unfreeze(Named),
    /// List the versions of its secret by fingerprint
    History(Named),
    /// Remove it with its grants
    Remove(NamedForGood),
}

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SecretArgs {
    /// Read the secret from stdin
    #[arg(long, conflicts_with = "secret_file")]
    pub(crate) secret_stdin: bool,
    /// Read the secret from a file
    #[arg(long, value_name = "PATH")]
    pub(crate) secret_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AgentCommand {
    /// Add an agent and print its token, this once
    Add {
        /// Its name
        name: String,
        /// Life of its token, as in 30d; at most 90d
        #[arg(long)]
        ttl: Option<String>,
    },
    /// List the agents
    List,
    /// Show one agent with its grants
    Show(Named),
    /// Print a new token and end the old one
    Renew {
        /// Its name or id
        name: String,
        /// Life of the new token, as in 30d; at most 90d
        #[arg(long)]
        ttl: Option<String>,
    },
    /// End its token; open streams are cut
    Revoke(NamedForGood),
    /// Refuse its requests until it is resumed
    Pause(NameOrAll),
    /// Allow its requests again
    Resume(NameOrAll),
    /// Remove it with its grants
    Remove(NamedForGood),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct NameOrAll {
    /// Its name or id
    pub(crate) name: Option<String>,
    /// Every agent
    #[arg(long)]
    pub(crate) all: bool,
}

// === impl SecretArgs ===

impl SecretArgs {
    pub(crate) fn source(&self) -> Source {
        Source { stdin: self.secret_stdin, file: self.secret_file.clone() }
    }
}

// === impl Confirm ===

impl Confirm {
    /// Whether to go on without asking. Without a terminal there is nobody to ask, and a script means what it says.
    pub(crate) fn needs_no_answer(self) -> bool {
        use std::io::IsTerminal as _;
        self.yes || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal()
    }
}
