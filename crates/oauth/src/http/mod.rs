//! The one door to the network: a request with everything that protects it, and what comes back.
//!
//! Must not know OAuth. Implementations follow no redirect, hand over at most [`LARGEST_BODY`] bytes, and take no longer
//! than [`LONGEST_EXCHANGE`]; [`Client`] is the real one.

mod client;

pub use client::{Client, ClientError};

use std::time::Duration;

use claviger_secret::Secret;
use futures_util::future::BoxFuture;

use crate::{Endpoint, Reach};

/// No answer is longer.
pub const LARGEST_BODY: usize = 256 * 1024;

/// No exchange takes longer, from resolving the name to the last byte.
pub const LONGEST_EXCHANGE: Duration = Duration::from_secs(30);

/// Sends requests.
pub trait Http: Send + Sync + 'static {
    /// One request, one answer. Redirects are answers.
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>>;
}

/// GET or POST; OAuth needs no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Without a body.
    Get,
    /// With one.
    Post,
}

/// What is sent. Header values and the body may hold material.
pub struct Request {
    /// How.
    pub method: Method,
    /// Whereto.
    pub url: Endpoint,
    /// At which addresses the host may live.
    pub reach: Reach,
    /// Names in lower case, values sent as they are.
    pub headers: Vec<(&'static str, Secret)>,
    /// Content type and bytes.
    pub body: Option<(&'static str, Secret)>,
}

/// What came back.
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: http::HeaderMap,
    /// At most [`LARGEST_BODY`] bytes, not decoded.
    pub body: Secret,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// Every address of the name is private, loopback or special, or plain http would leave the private network.
    #[error("the server's address is not allowed")]
    AddressRefused,
    /// The name has no address.
    #[error("the server's name cannot be resolved")]
    Unresolved,
    /// Nobody answers there.
    #[error("the server cannot be reached")]
    Unreachable,
    /// The certificate does not verify, or TLS fails otherwise.
    #[error("no secure connection to the server: {0}")]
    Tls(String),
    /// Too slow.
    #[error("the server took too long")]
    TimedOut {
        /// Whether it may have read the request.
        was_sent: bool,
    },
    /// The connection ended before the answer did.
    #[error("the server ended the connection early")]
    Broken,
    /// A header or body over the limit.
    #[error("the server's answer is too large")]
    TooLarge,
    /// The answer is compressed, though no compression was asked for.
    #[error("the server's answer is encoded")]
    Encoded,
    /// A header value that cannot be sent.
    #[error("the request cannot be written")]
    Unsendable,
}

// === impl Request ===

impl Request {
    /// A GET for JSON.
    pub fn get(url: Endpoint, reach: Reach) -> Self {
        Self { method: Method::Get, url, reach, headers: vec![("accept", json())], body: None }
    }

    /// A POST of a form, for JSON.
    pub(crate) fn form(url: Endpoint, reach: Reach, form: crate::form::Form) -> Self {
        let body = Some(("application/x-www-form-urlencoded", form.finish()));
        Self { method: Method::Post, url, reach, headers: vec![("accept", json())], body }
    }

    /// With a header more.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Secret>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

fn json() -> Secret {
    Secret::from(b"application/json".to_vec())
}

// === impl Response ===

impl Response {
    /// A header's text, if it stands there once and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next()?;
        values.next().is_none().then_some(first)?.to_str().ok()
    }

    /// Whether the content is called JSON.
    pub(crate) fn is_json(&self) -> bool {
        let kind = self.header("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
    }

    /// Seconds of `Retry-After`, at most an hour.
    pub(crate) fn retry_after(&self) -> Option<u32> {
        self.header("retry-after")?.trim().parse::<u32>().ok().map(|s| s.min(3600))
    }
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Response({}, {} bytes)", self.status, self.body.len())
    }
}

// === impl HttpError ===

impl HttpError {
    /// Whether the server may have acted on the request: then it must not be repeated blindly.
    pub fn may_have_arrived(&self) -> bool {
        !matches!(
            self,
            Self::AddressRefused
                | Self::Unresolved
                | Self::Unreachable
                | Self::Tls(_)
                | Self::Unsendable
                | Self::TimedOut { was_sent: false }
        )
    }
}
