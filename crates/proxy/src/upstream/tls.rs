//! TLS towards upstreams: the operating system's trust store, or a service's own certificates and nothing else.
//!
//! Must not know HTTP. There is no switch that skips verification.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

use super::dial::DialError;

/// The configuration for services of the public internet. Reads the trust store from disk.
pub(super) fn system() -> Result<Arc<ClientConfig>, DialError> {
    let builder = builder()?;
    let config = builder.with_platform_verifier().map_err(|error| {
        DialError::Refused(format!("the system's trust store cannot be used: {error}").into())
    })?;
    Ok(finish(config.with_no_client_auth()))
}

/// The configuration for a service with its own certificates.
pub(super) fn own(pem: &str) -> Result<Arc<ClientConfig>, DialError> {
    let refused = || DialError::Refused("the service's own certificates cannot be read".into());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.map_err(|_| refused())?).map_err(|_| refused())?;
    }
    if roots.is_empty() {
        return Err(refused());
    }
    Ok(finish(builder()?.with_root_certificates(roots).with_no_client_auth()))
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;

fn builder() -> Result<Builder, DialError> {
    // Named, not taken from the process: another library must not be able to choose it.
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| DialError::Refused(format!("TLS cannot be set up: {error}").into()))
}

fn finish(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}
