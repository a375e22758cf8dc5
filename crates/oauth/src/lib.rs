//! OAuth 2 from the client's side: consent walked through once, tokens kept fresh for ever.
//!
//! Must not know the vault, windows, terminals or which services exist. The network is behind [`http::Http`], storage
//! behind [`TokenStore`], the time is an argument or a [`Clock`]. Every byte from a server or a browser is hostile: read
//! strictly, bounded, and shown only cleaned ([`Shown`]). Never implicit, never the password grant.
//!
//! A consent, step by step:
//!
//! 1. [`Server::discover`] (or [`ProtectedResource::discover`] first, for an MCP server), or [`Server::described`] from
//!    the catalogue.
//! 2. [`Listener::bind`], then [`Registration::send`] or a [`Client`] that the user registered.
//! 3. [`CodeFlow::begin`] → [`CodeFlow::url`] to open → [`CodeFlow::wait`], with a cancel;
//!    or [`DeviceFlow::begin`] → its `prompt` to show → [`DeviceFlow::wait`]; or [`client_credentials`].
//! 4. A [`Connection`]: its [`Facts`] are shown, [`Connection::encode`] is what the vault seals.
//! 5. [`TokenKeeper::lease`] on each request; [`Connection::begin_revocation`] and [`Connection::revoke`] at the end.
#![deny(missing_docs)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")
)]

mod authorize;
mod browser;
mod challenge;
mod client;
mod connection;
mod device;
mod dpop;
mod endpoint;
mod flow;
mod form;
pub mod http;
mod id_token;
mod json;
mod jws;
mod keeper;
mod listener;
mod metadata;
mod pkce;
mod register;
mod resource;
mod revoke;
mod signing;
mod text;
mod token;

pub use authorize::{AnswerError, Ask, AskError};
pub use browser::{Browser, BrowserError, CommandBrowser};
pub use challenge::Challenge;
pub use client::{Client, ClientAuthentication, ClientError};
pub use connection::{Connection, DecodeError, Facts, Renewal, Standing};
pub use device::{DeviceFlow, DevicePrompt, Polled};
pub use dpop::DpopKey;
pub use endpoint::{Endpoint, EndpointError, Issuer, Reach};
pub use flow::{Clock, CodeFlow, FlowError, LONGEST_CONSENT, client_credentials};
pub use id_token::{Account, IdTokenError};
pub use json::Fault;
pub use jws::SignatureError;
pub use keeper::{Hold, KeeperError, Lease, StoreError, TokenKeeper, TokenStore, Watcher};
pub use listener::{ListenError, Listener, Redirect};
pub use metadata::{MetadataError, Quirks, Server, well_known};
pub use register::{RegisterError, Registered, Registration};
pub use resource::{ProtectedResource, ResourceError};
pub use revoke::{Introspection, Revocation};
pub use signing::{KeyError, SigningAlgorithm, SigningKey};
pub use text::Shown;
pub use token::{ErrorCode, Lifetime, TokenEndpoint, TokenError, TokenKind, Tokens};
