//! OAuth from the client's side.
mod client;
mod dpop;
mod endpoint;
mod form;
pub mod http;
mod json;
mod metadata;
mod pkce;
mod signing;
mod text;
mod token;

pub use client::{Client, ClientAuthentication, ClientError};
pub use dpop::DpopKey;
pub use endpoint::{Endpoint, EndpointError, Issuer, Reach};
pub use json::Fault;
pub use metadata::{MetadataError, Quirks, Server, well_known};
pub use signing::{KeyError, SigningAlgorithm, SigningKey};
pub use text::Shown;
pub use token::{ErrorCode, Lifetime, TokenEndpoint, TokenError, TokenKind, Tokens};
