//! Makes one connection: name, address check, TCP, TLS, HTTP. Dials exactly the address that was checked.
//!
//! Must not know requests. Environment variables name no proxy here.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use claviger_model::address;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

use super::{Line, Pool, tls};
use crate::ports::ServiceEntry;
use crate::proxy::Shared;

/// There is no connection to the upstream.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    /// It is not one that we talk to: its address, its certificate.
    #[error("{0}")]
    Refused(Cow<'static, str>),
    /// It cannot be reached.
    #[error("{0}")]
    Unreachable(Cow<'static, str>),
}

/// At most so many addresses of a name are tried.
const MAX_ADDRESSES: usize = 6;
/// So long for each, while there is another.
const PER_ADDRESS: Duration = Duration::from_secs(3);

/// Dials a service.
pub(super) async fn dial(
    service: &ServiceEntry,
    pool: &Pool,
    own_roots: &OnceCell<Arc<ClientConfig>>,
    shared: &Shared,
) -> Result<Line, DialError> {
    let limit = shared.config.upstream_connect_timeout;
    match tokio::time::timeout(limit, connect(service, pool, own_roots, shared)).await {
        Ok(result) => result,
        Err(_) => Err(DialError::Unreachable("no connection within the time limit".into())),
    }
}

async fn connect(
    service: &ServiceEntry,
    pool: &Pool,
    own_roots: &OnceCell<Arc<ClientConfig>>,
    shared: &Shared,
) -> Result<Line, DialError> {
    if !service.https && !service.allow_private {
        return Err(DialError::Refused("the service has no TLS and is not marked private".into()));
    }
    let stream = tcp(service, shared).await?;
    if !service.https {
        return speak_h1(stream).await;
    }
    let config = match &service.ca_pem {
        Some(pem) => own_roots.get_or_try_init(|| async { tls::own(pem) }).await?,
        None => {
            let read = || async {
                // Reads files.
                tokio::task::spawn_blocking(tls::system)
                    .await
                    .map_err(|_| DialError::Refused("the system's trust store cannot be read".into()))?
            };
            pool.system_roots.get_or_try_init(read).await?
        }
    };
    let name = bare(&service.host).to_owned();
    let name =
        ServerName::try_from(name).map_err(|_| DialError::Refused("the host is no name for TLS".into()))?;
    let stream = TlsConnector::from(config.clone()).connect(name, stream).await.map_err(tls_error)?;
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        speak_h2(stream).await
    } else {
        speak_h1(stream).await
    }
}

async fn tcp(service: &ServiceEntry, shared: &Shared) -> Result<TcpStream, DialError> {
    let host = bare(&service.host);
    let addresses: Vec<SocketAddr> = match host.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, service.port)],
        Err(_) => tokio::net::lookup_host((host, service.port))
            .await
            .map_err(|_| DialError::Unreachable("the name cannot be resolved".into()))?
            .collect(),
    };
    let own_ports = shared.own_ports.lock().clone();
    let mut refusal = None;
    let mut admitted = Vec::new();
    for address in addresses {
        let verdict = if address.ip().to_canonical().is_loopback() && own_ports.contains(&address.port()) {
            Err("this proxy itself")
        } else {
            address::admit(address.ip(), service.allow_private, service.https)
        };
        match verdict {
            Ok(()) => admitted.push(address),
            Err(what) => refusal = Some(what),
        }
    }
    if admitted.is_empty() {
        return Err(match refusal {
            Some(what) => DialError::Refused(format!("the host leads to {what}").into()),
            None => DialError::Unreachable("the name has no address".into()),
        });
    }
    admitted.truncate(MAX_ADDRESSES);
    let last = admitted.len() - 1;
    for (i, address) in admitted.into_iter().enumerate() {
        let limit = if i < last { PER_ADDRESS } else { shared.config.upstream_connect_timeout };
        if let Ok(Ok(stream)) = tokio::time::timeout(limit, TcpStream::connect(address)).await {
            let _ = stream.set_nodelay(true);
            return Ok(stream);
        }
    }
    Err(DialError::Unreachable("no connection".into()))
}

async fn speak_h1(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Line, DialError> {
    let mut client = http1::Builder::new();
    client.max_buf_size(256 * 1024);
    let (sender, connection) = client.handshake(TokioIo::new(stream)).await.map_err(http_error)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "an upstream connection ended badly");
        }
    });
    Ok(Line::H1(sender))
}

async fn speak_h2(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Line, DialError> {
    let mut client = http2::Builder::new(TokioExecutor::new());
    client
        .timer(TokioTimer::new())
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(4 * 1024 * 1024)
        .max_header_list_size(64 * 1024)
        // Finds out that the connection died while the machine slept.
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10));
    let (sender, connection) = client.handshake(TokioIo::new(stream)).await.map_err(http_error)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "an upstream connection ended badly");
        }
    });
    Ok(Line::H2(sender))
}

/// The host without the brackets of an IPv6 literal.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host)
}

fn http_error(_: hyper::Error) -> DialError {
    DialError::Unreachable("the upstream does not speak HTTP".into())
}

/// A certificate that does not hold is a refusal; anything else is a connection that did not come about.
fn tls_error(error: std::io::Error) -> DialError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(why)) => {
            DialError::Refused(format!("the upstream's certificate does not hold: {why:?}").into())
        }
        Some(_) => DialError::Refused("the upstream does not speak TLS as it should".into()),
        None => DialError::Unreachable("the TLS handshake broke off".into()),
    }
}
