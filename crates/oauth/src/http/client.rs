//! The real client: hyper over TCP or rustls, one connection per request, the dialled address checked.
//!
//! Must not know OAuth. This is the only file of the crate that opens an outgoing connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use claviger_secret::Secret;
use futures_util::future::BoxFuture;
use http::{HeaderValue, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Host;

use super::{Http, HttpError, LARGEST_BODY, LONGEST_EXCHANGE, Method, Request, Response};
use crate::{Endpoint, Reach};

/// How long one address may take to answer a dial.
const LONGEST_DIAL: Duration = Duration::from_secs(8);

/// No answer's head is longer.
const LARGEST_HEAD: usize = 32 * 1024;

/// hyper over rustls.
pub struct Client {
    tls: TlsConnector,
    patience: Duration,
}

/// The client cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The system's trust store cannot be used.
    #[error("the system's certificates cannot be read")]
    Trust(#[source] rustls::Error),
    /// The text holds no PEM certificate.
    #[error("not a PEM certificate")]
    NotACertificate,
}

// === impl Client ===

impl Client {
    /// Trusts what the operating system trusts.
    pub fn new() -> Result<Self, ClientError> {
        let config = builder()?.with_platform_verifier().map_err(ClientError::Trust)?.with_no_client_auth();
        Ok(Self::from_config(config))
    }

    /// Trusts these PEM certificates and nothing else.
    pub fn trusting(pem: &str) -> Result<Self, ClientError> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.map_err(|_| ClientError::NotACertificate)?;
            roots.add(certificate).map_err(|_| ClientError::NotACertificate)?;
        }
        if roots.is_empty() {
            return Err(ClientError::NotACertificate);
        }
        Ok(Self::from_config(builder()?.with_root_certificates(roots).with_no_client_auth()))
    }

    /// Gives up sooner than after [`LONGEST_EXCHANGE`].
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience.min(LONGEST_EXCHANGE);
        self
    }

    fn from_config(mut config: rustls::ClientConfig) -> Self {
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self { tls: TlsConnector::from(Arc::new(config)), patience: LONGEST_EXCHANGE }
    }

    async fn exchange(&self, request: Request, was_sent: &AtomicBool) -> Result<Response, HttpError> {
        let stream = dial(&request.url, request.reach).await?;
        if request.url.is_https() {
            let name = server_name(&request.url)?;
            let stream = self.tls.connect(name, stream).await.map_err(|e| HttpError::Tls(reason(&e)))?;
            talk(stream, request, was_sent).await
        } else {
            talk(stream, request, was_sent).await
        }
    }
}

impl Http for Client {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        Box::pin(async move {
            let was_sent = AtomicBool::new(false);
            let answer = tokio::time::timeout(self.patience, self.exchange(request, &was_sent)).await;
            answer.unwrap_or_else(|_| Err(HttpError::TimedOut { was_sent: was_sent.load(Ordering::Relaxed) }))
        })
    }
}

fn builder() -> Result<rustls::ConfigBuilder<rustls::ClientConfig, rustls::WantsVerifier>, ClientError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(ClientError::Trust)
}

/// Resolves the name and connects to the first of its addresses that may be dialled and answers. The address that was
/// checked is the address that is dialled.
async fn dial(url: &Endpoint, reach: Reach) -> Result<TcpStream, HttpError> {
    let port = url.port();
    let addresses: Vec<SocketAddr> = match url.url().host() {
        Some(Host::Ipv4(ip)) => vec![(ip, port).into()],
        Some(Host::Ipv6(ip)) => vec![(ip, port).into()],
        Some(Host::Domain(name)) => {
            tokio::net::lookup_host((name, port)).await.map_err(|_| HttpError::Unresolved)?.collect()
        }
        None => return Err(HttpError::Unresolved),
    };
    if addresses.is_empty() {
        return Err(HttpError::Unresolved);
    }
    let may_dial = |address: &SocketAddr| reach.admits(address.ip(), url.is_https());
    let allowed: Vec<SocketAddr> = addresses.into_iter().filter(may_dial).take(4).collect();
    if allowed.is_empty() {
        return Err(HttpError::AddressRefused);
    }
    for address in allowed {
        if let Ok(Ok(stream)) = tokio::time::timeout(LONGEST_DIAL, TcpStream::connect(address)).await {
            let _ = stream.set_nodelay(true);
            return Ok(stream);
        }
    }
    Err(HttpError::Unreachable)
}

fn server_name(url: &Endpoint) -> Result<ServerName<'static>, HttpError> {
    let host = url.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    ServerName::try_from(host).map_err(|_| HttpError::Unresolved)
}

/// A TLS failure in a few words of ours and rustls'; never more than a line.
fn reason(error: &std::io::Error) -> String {
    error.to_string().chars().filter(|c| !c.is_control()).take(160).collect()
}

async fn talk<S>(stream: S, request: Request, was_sent: &AtomicBool) -> Result<Response, HttpError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let request = written(request)?;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(LARGEST_HEAD).max_headers(128);
    let (mut sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(|_| HttpError::Broken)?;
    // Drives the connection and ends with this exchange, however it ends.
    let _driver = AbortOnDrop(tokio::spawn(async move {
        let _ = connection.await;
    }));
    was_sent.store(true, Ordering::Relaxed);
    let response = sender
        .send_request(request)
        .await
        .map_err(|e| if e.is_parse_too_large() { HttpError::TooLarge } else { HttpError::Broken })?;
    received(response).await
}

fn written(request: Request) -> Result<http::Request<Full<Bytes>>, HttpError> {
    let mut target = request.url.url().path().to_owned();
    if let Some(query) = request.url.url().query() {
        target.push('?');
        target.push_str(query);
    }
    let mut host = request.url.host().to_owned();
    if let Some(port) = request.url.url().port() {
        host.push_str(&format!(":{port}"));
    }
    let method = match request.method {
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
    };
    let mut out = http::Request::builder()
        .method(method)
        .uri(target)
        .header(header::HOST, host)
        .header(header::USER_AGENT, concat!("claviger/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close");
    for (name, value) in &request.headers {
        // EXPOSE: written to the server that this header is for, marked so that no library logs it.
        let mut value = HeaderValue::from_bytes(value.expose()).map_err(|_| HttpError::Unsendable)?;
        value.set_sensitive(true);
        out = out.header(*name, value);
    }
    let body = match &request.body {
        Some((kind, bytes)) => {
            out = out.header(header::CONTENT_TYPE, *kind);
            // EXPOSE: written to the server that this body is for.
            Bytes::copy_from_slice(bytes.expose())
        }
        None => Bytes::new(),
    };
    out.body(Full::new(body)).map_err(|_| HttpError::Unsendable)
}

async fn received(response: http::Response<Incoming>) -> Result<Response, HttpError> {
    let (head, mut body) = response.into_parts();
    let is_identity = |v: &HeaderValue| v.as_bytes().eq_ignore_ascii_case(b"identity");
    if !head.headers.get_all(header::CONTENT_ENCODING).iter().all(is_identity) {
        return Err(HttpError::Encoded);
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| HttpError::Broken)?;
        if let Some(data) = frame.data_ref() {
            if bytes.len() + data.len() > LARGEST_BODY {
                return Err(HttpError::TooLarge);
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(Response { status: head.status.as_u16(), headers: head.headers, body: Secret::from(bytes) })
}

/// Ends a task together with its owner.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
