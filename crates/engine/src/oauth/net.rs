//! The network, made when it is first needed, with a service's own certificates for that service's host.
//!
//! Must not know what is asked.

use std::sync::{Arc, OnceLock};

use claviger_model::Service;
use claviger_oauth::http::{Client, Http, HttpError, Request, Response};
use futures_util::future::BoxFuture;

use crate::services::Target;

/// A client that is made with its first request: reading the system's certificates takes time.
pub(super) struct Net {
    /// PEM certificates; the system's without.
    ca_pem: Option<String>,
    made: OnceLock<Option<Client>>,
    /// For any host but this one, another.
    only_for: Option<(String, Arc<Self>)>,
}

// === impl Net ===

impl Net {
    /// Trusts what the operating system trusts.
    pub(super) fn system() -> Self {
        Self { ca_pem: None, made: OnceLock::new(), only_for: None }
    }

    /// Trusts a service's own certificates at its own host, and `others` elsewhere.
    pub(super) fn trusting_for(service: &Service, others: &Arc<Self>) -> Option<Self> {
        let ca_pem = Some(service.ca_pem.clone()?);
        let host = Target::parse(&service.base_url, service.allow_private).ok()?.host;
        Some(Self { ca_pem, made: OnceLock::new(), only_for: Some((host, Arc::clone(others))) })
    }

    fn client(&self) -> Option<&Client> {
        let make = || match &self.ca_pem {
            Some(pem) => Client::trusting(pem),
            None => Client::new(),
        };
        self.made
            .get_or_init(|| make().inspect_err(|why| tracing::error!(%why, "no secure connections")).ok())
            .as_ref()
    }
}

impl Http for Net {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        if let Some((host, others)) = &self.only_for
            && request.url.url().host_str() != Some(host.as_str())
        {
            return others.send(request);
        }
        match self.client() {
            Some(client) => client.send(request),
            None => Box::pin(async { Err(HttpError::Tls("the certificates cannot be read".into())) }),
        }
    }
}
