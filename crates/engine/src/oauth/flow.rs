//! What a flow is, as anybody may see it: no token, no code, no secret.
//!
//! Must not know how it goes on.

use claviger_model::Timestamp;
use claviger_secret::ClientSecret;
use serde::{Deserialize, Serialize};

use super::Fault;

/// How consent is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlowKind {
    /// In the browser of this machine.
    Code,
    /// By a short code, typed in any browser.
    Device,
    /// Not by a person: the client is its own account.
    ClientCredentials,
}

/// A consent to be asked for.
pub struct NewFlow {
    /// What the credential will be called.
    pub name: String,
    /// The service's name.
    pub service: String,
    /// The authorization server; by default what the service's entry or its own metadata says.
    pub issuer: Option<String>,
    /// How consent is given.
    pub kind: FlowKind,
    /// Scopes to ask for; none asks for the least set that is useful.
    pub scopes: Vec<String>,
    /// Of an app that was registered by hand.
    pub client_id: Option<String>,
    /// That app's secret, if it has one.
    pub client_secret: Option<ClientSecret>,
    /// The loopback URI that was registered with the app.
    pub redirect_uri: Option<String>,
    /// Open the browser.
    pub open: bool,
}

/// A flow, live or ended.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Its id.
    pub id: String,
    /// What the credential is or will be called.
    pub name: String,
    /// The service's name.
    pub service: String,
    /// The authorization server, once it is found.
    pub issuer: Option<String>,
    /// How consent is given.
    pub kind: FlowKind,
    /// It renews the consent of a credential that is there already.
    pub reconnects: bool,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Where it stands.
    pub step: Step,
}

/// Where a flow stands.
#[derive(Clone, Debug)]
pub enum Step {
    /// The server is asked what it offers.
    Discovering,
    /// Our app is made known to the server.
    Registering,
    /// The user consents in the browser.
    WaitingBrowser {
        /// To open.
        url: String,
        /// Where the answer arrives.
        redirect_uri: String,
    },
    /// The user types the code.
    WaitingDevice {
        /// To type.
        user_code: String,
        /// Where.
        verification_uri: String,
        /// The same place with the code in it.
        verification_uri_complete: Option<String>,
        /// Seconds between two questions whether it was done.
        interval_s: u32,
    },
    /// The answer is exchanged for tokens.
    Exchanging,
    /// Stored as a credential.
    Connected {
        /// The credential's name.
        credential: String,
        /// Whose it is.
        account: Option<String>,
        /// Scopes that were granted.
        scopes: Vec<String>,
        /// Scopes that were asked for and not granted.
        withheld: Vec<String>,
        /// Scopes that were granted without having been asked for.
        unasked: Vec<String>,
        /// End of the first access token.
        expires: Option<Timestamp>,
        /// It is renewed without the user.
        refreshable: bool,
    },
    /// Nothing was stored.
    Failed(Fault),
    /// By the user.
    Cancelled,
}

// === impl Step ===

impl Step {
    /// Whether nothing follows.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Connected { .. } | Self::Failed(_) | Self::Cancelled)
    }
}
