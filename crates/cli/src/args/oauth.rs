//! Words about OAuth connections and tokens. Must not know what they do.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Named, NamedForGood, SecretArgs};
use crate::secret_input::Source;

#[derive(Debug, Subcommand)]
pub(crate) enum OauthCommand {
    /// List the services that can be signed in to
    Targets,
    /// Ask an authorization server what it offers
    Discover(DiscoverArgs),
    /// Print the redirect URI to register with an app for this connection
    Prepare(Named),
    /// Sign in to a service and keep its tokens as a credential
    Connect(ConnectArgs),
    /// Show how connections stand
    Status {
        /// Only this credential's
        name: Option<String>,
    },
    /// Consent anew with the same service, app and scopes; grants stay
    Reconnect {
        /// The credential's name or id
        name: String,
        /// Print the URL and open nothing
        #[arg(long)]
        no_browser: bool,
    },
    /// Renew a connection's token now
    Refresh(Named),
    /// Give the tokens back to their server and destroy our copies
    Disconnect(NamedForGood),
}

#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// The service that it is for
    pub(crate) service: String,
    /// What the credential will be called
    pub(crate) name: String,
    /// The authorization server; by default what the service's entry or its own metadata says
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,
    /// How consent is given
    #[arg(long, value_enum, default_value_t = Flow::Code)]
    pub(crate) flow: Flow,
    /// Scopes to ask for, separated by spaces; by default the least set that is useful
    #[arg(long = "scope", value_name = "SCOPES")]
    pub(crate) scopes: Vec<String>,
    /// Client id of an app that you registered at the provider
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// Read the app's client secret from one line of stdin
    #[arg(long, requires = "client_id", conflicts_with = "client_secret_file")]
    pub(crate) client_secret_stdin: bool,
    /// Read the app's client secret from the first line of a file
    #[arg(long, value_name = "PATH", requires = "client_id")]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// The loopback URI that was registered with the app; by default http://127.0.0.1/callback on any port, or what
    /// `oauth prepare` printed
    #[arg(long, value_name = "URI", requires = "client_id")]
    pub(crate) redirect_uri: Option<String>,
    /// Print the URL and open nothing
    #[arg(long)]
    pub(crate) no_browser: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct DiscoverArgs {
    /// The service whose server is asked
    #[arg(long)]
    pub(crate) service: Option<String>,
    /// The authorization server
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,
    /// The server may be loopback or private, and may speak plain HTTP
    #[arg(long, requires = "issuer")]
    pub(crate) allow_private: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Flow {
    /// In the browser of this machine
    Code,
    /// By a short code, typed in any browser
    Device,
    /// Not by a person: the app is its own account
    ClientCredentials,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Show what a JSON Web Token says of itself; it is read from stdin, stored nowhere, and its signature is not checked
    Inspect {
        #[command(flatten)]
        secret: SecretArgs,
    },
}

// === impl ConnectArgs ===

impl ConnectArgs {
    pub(crate) fn client_secret(&self) -> Source {
        Source { stdin: self.client_secret_stdin, file: self.client_secret_file.clone() }
    }
}

// === impl Flow ===

impl Flow {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Device => "device",
            Self::ClientCredentials => "client-credentials",
        }
    }
}
