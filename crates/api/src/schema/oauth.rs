//! OAuth: consent walked through, connections kept fresh. No token crosses here; a client secret comes in alone.

use super::{Code, SecretInput};
use serde::{Deserialize, Serialize};

/// How consent is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "kebab-case")]
pub enum FlowKind {
    /// In the browser of this machine.
    Code,
    /// By a short code, typed in any browser.
    Device,
    /// Not by a person: the client is its own account.
    ClientCredentials,
}

/// How our app becomes known to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "kebab-case")]
pub enum AppRegistration {
    /// By itself (RFC 7591), or Claviger is known there already: no client id is needed.
    Automatic,
    /// The user registers an app at the provider and gives its client id.
    ByHand,
    /// Not known before the server is asked (`oauth.discover`).
    Unknown,
}

/// How much a scope allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "kebab-case")]
pub enum ScopeRisk {
    /// Looks.
    Read,
    /// Changes things.
    Write,
    /// Deletes, pays, administers, or gives everything.
    Dangerous,
}

/// One scope that may be asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ScopeView {
    /// As the server names it.
    pub name: String,
    /// What it allows, in words; its name where that is all there is.
    pub words: String,
    /// How much it allows.
    pub risk: ScopeRisk,
    /// In the least set that is useful.
    pub preselected: bool,
}

/// One service that can be connected. `oauth.targets`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct TargetView {
    /// The service's name.
    pub service: String,
    /// Its name for people.
    pub title: String,
    /// Flows that may work, the usual one first.
    pub flows: Vec<FlowKind>,
    /// The authorization server, where it is known before anybody asked.
    pub issuer: Option<String>,
    /// Scopes that are known; empty where only the server can say.
    pub scopes: Vec<ScopeView>,
    /// How our app becomes known there.
    pub registration: AppRegistration,
    /// Page where an app is registered.
    pub console_url: Option<String>,
    /// The service may be loopback or private, and so may its server.
    pub private: bool,
}

/// `oauth.discover`: asks the server of a service, or any by URL, what it offers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct DiscoverRequest {
    /// The service's name.
    #[serde(default)]
    pub service: Option<String>,
    /// The authorization server's URL; by default what the service's entry or its own metadata says.
    #[serde(default)]
    pub issuer: Option<String>,
    /// The server may be loopback or private. A service that is marked so says it by itself.
    #[serde(default)]
    pub allow_private: bool,
}

/// Answer to `oauth.discover`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct DiscoveredView {
    /// The authorization server.
    pub issuer: String,
    /// Other servers that the service names beside this one.
    pub other_issuers: Vec<String>,
    /// Flows that it offers.
    pub flows: Vec<FlowKind>,
    /// How our app becomes known there.
    pub registration: AppRegistration,
    /// Scopes that it names, and those of the service's entry.
    pub scopes: Vec<ScopeView>,
    /// Requests are pushed (RFC 9126) because it requires that.
    pub pushed_requests: bool,
    /// It offers tokens that are bound to a key (RFC 9449).
    pub dpop: bool,
    /// Tokens can be given back (RFC 7009).
    pub supports_revocation: bool,
}

/// `oauth.prepare`: the redirect URI for an app that is registered by hand, kept for this connection's name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct PrepareRequest {
    /// What the connection will be called; the same name gets the same URI again.
    #[serde(default)]
    pub name: Option<String>,
    /// The service's name.
    #[serde(default)]
    pub service: Option<String>,
    /// The authorization server's URL.
    #[serde(default)]
    pub issuer: Option<String>,
}

/// Answer to `oauth.prepare`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct PreparedView {
    /// To paste at the provider.
    pub redirect_uri: String,
    /// The same with no port in it, for providers that ignore a loopback URI's port (RFC 8252 §7.3).
    pub without_port: String,
}

/// `oauth.begin`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct BeginRequest {
    /// What the credential will be called.
    pub name: String,
    /// The service's name.
    pub service: String,
    /// The authorization server's URL; by default what the service's entry or its own metadata says.
    #[serde(default)]
    pub issuer: Option<String>,
    /// How consent is given.
    pub flow: FlowKind,
    /// Scopes to ask for; empty asks for the least set that is useful: those that are preselected.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Of an app that was registered by hand.
    #[serde(default)]
    pub client_id: Option<String>,
    /// That app's secret, if it has one.
    #[serde(default)]
    pub client_secret: Option<SecretInput>,
    /// The loopback URI that was registered with the app, from `oauth.prepare`.
    #[serde(default)]
    pub redirect_uri: Option<String>,
    /// Open the browser. Otherwise the URL is only told.
    #[serde(default)]
    pub open: bool,
}

/// Names one flow.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct FlowId {
    /// Its id.
    pub id: String,
}

/// A flow: live, or ended within the last hour.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct FlowView {
    /// Its id.
    pub id: String,
    /// What the credential is or will be called.
    pub name: String,
    /// The service's name.
    pub service: String,
    /// The authorization server; `None` until it is found.
    pub issuer: Option<String>,
    /// How consent is given.
    pub flow: FlowKind,
    /// It renews the consent of a credential that is there already.
    pub reconnects: bool,
    /// RFC 3339.
    pub started_at: String,
    /// When it ends by itself, RFC 3339; `None` once it has ended.
    pub expires_at: Option<String>,
    /// Where it stands.
    pub step: FlowStep,
}

/// Where a flow stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum FlowStep {
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
        /// Whose it is, when the server says so.
        account: Option<String>,
        /// Scopes that were granted.
        scopes: Vec<String>,
        /// Scopes that were asked for and not granted.
        withheld: Vec<String>,
        /// Scopes that were granted without having been asked for.
        unasked: Vec<String>,
        /// End of the first access token, RFC 3339; `None` when the server does not say.
        expires: Option<String>,
        /// It is renewed without the user.
        refreshable: bool,
    },
    /// Nothing was stored.
    Failed {
        /// To branch on.
        code: FlowFault,
        /// What happened, in one sentence.
        message: String,
        /// What to do, in one sentence.
        hint: String,
    },
    /// By the user, or because the vault was locked.
    Cancelled,
}

/// Why a flow failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum FlowFault {
    /// The user, or the server's rules, said no.
    Denied,
    /// Nobody answered in time.
    TimedOut,
    /// The server offers no such flow, or does not prove itself as it must.
    Unsupported,
    /// The server registers no apps by itself: register one by hand and give its client id.
    NeedsClientId,
    /// The server does not take the client id, its secret or its redirect URI.
    ClientRefused,
    /// The server cannot be reached or found.
    Unreachable,
    /// The server's answer is not what it must be, or came from another.
    Malformed,
    /// No port to listen on for the browser's answer.
    PortInUse,
    /// The connection could not be stored.
    NotStored,
    /// Something else; the message says what.
    Other,
}

impl FlowFault {
    /// The code of the same fault where a call fails of it.
    pub const fn code(self) -> Code {
        match self {
            Self::Denied | Self::Unsupported | Self::ClientRefused => Code::Refused,
            Self::NeedsClientId => Code::Usage,
            Self::TimedOut | Self::Unreachable | Self::Malformed | Self::PortInUse | Self::Other => {
                Code::Unavailable
            }
            Self::NotStored => Code::Conflict,
        }
    }
}

/// `oauth.status`: all connections, or one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ConnectionsRequest {
    /// Only this credential's, by name or id.
    #[serde(default)]
    pub credential: Option<String>,
}

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionState {
    /// The access token is good.
    Fresh,
    /// It is to be renewed with the next request, or by `oauth.refresh`.
    Due,
    /// The server no longer takes it; only a new consent helps.
    Broken,
    /// It is being given back; the server has not confirmed yet.
    Revoking,
    /// It was given back, or ended and cannot be renewed.
    Ended,
}

/// One connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ConnectionView {
    /// The credential's name.
    pub credential: String,
    /// The service's name.
    pub service: String,
    /// The authorization server.
    pub issuer: String,
    /// Whose it is, when the server says so.
    pub account: Option<String>,
    /// Scopes that are granted.
    pub scopes: Vec<String>,
    /// Scopes that were asked for and not granted.
    pub withheld: Vec<String>,
    /// End of the access token, RFC 3339; `None` when the server does not say.
    pub expires: Option<String>,
    /// When the access token was obtained, RFC 3339.
    pub refreshed_at: Option<String>,
    /// When it is due for renewal, RFC 3339.
    pub next_refresh: Option<String>,
    /// Where it stands.
    pub state: ConnectionState,
    /// Why, for one that does not work or cannot be renewed right now; the server's own words are cleaned.
    pub reason: Option<String>,
    /// It is renewed without the user.
    pub refreshable: bool,
    /// How consent was given.
    pub flow: FlowKind,
}

/// `oauth.refresh` and `oauth.disconnect`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ConnectionRequest {
    /// The credential's name or id.
    pub credential: String,
}

/// `oauth.reconnect`: consent anew with the same service, client and scopes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ReconnectRequest {
    /// The credential's name or id.
    pub credential: String,
    /// Open the browser. Otherwise the URL is only told.
    #[serde(default)]
    pub open: bool,
}

/// How giving tokens back stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "kebab-case")]
pub enum RevocationState {
    /// The server confirmed.
    Done,
    /// The server offers none: the tokens live until they end there.
    NotOffered,
    /// The server will not: the tokens live until they end there.
    Refused,
    /// The server cannot be asked right now; it is tried again.
    Pending,
}

/// Answer to `oauth.disconnect`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct DisconnectedView {
    /// How giving the tokens back stands. Claviger has destroyed its own copies, or keeps them for that alone.
    pub revocation: RevocationState,
}
