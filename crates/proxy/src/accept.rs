//! Accept: the listener, its limits, and the first look at a request: is it addressed to us, and not by a web page?
//!
//! Must not know tokens or grants.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use claviger_model::RefusalCode;
use http::header::{HOST, HeaderValue, ORIGIN};
use http::request::Parts;
use http::{HeaderName, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::conn::{Conn, Ending};
use crate::forward;
use crate::head::{Gate, HeadLimits};
use crate::proxy::Shared;
use crate::rescue::Stop;
use crate::sweep;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The three ways in which our own address may be written.
pub(crate) struct Hosts([String; 3]);

/// A request whose head was judged and which is addressed to us by a program, not by a web page.
pub(crate) struct RawRequest {
    pub(crate) head: Parts,
    pub(crate) body: Incoming,
}

// === impl Hosts ===

impl Hosts {
    fn new(port: u16) -> Self {
        Self([format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")])
    }

    fn are(&self, value: &HeaderValue) -> bool {
        self.0.iter().any(|host| value.as_bytes().eq_ignore_ascii_case(host.as_bytes()))
    }
}

// === impl RawRequest ===

impl RawRequest {
    /// Takes a request in. A page in a browser can reach this port too; it cannot hide its `Origin`.
    pub(crate) fn receive(conn: &Conn, request: Request<Incoming>) -> Result<Self, Stop> {
        let (head, body) = request.into_parts();
        // The gate saw to it that there is exactly one Host.
        if !head.headers.get(HOST).is_some_and(|host| conn.hosts.are(host)) {
            return Err(Stop::malformed("Host is not this proxy's own address"));
        }
        if head.headers.contains_key(ORIGIN) {
            return Err(Stop::new(
                RefusalCode::PolicyDenied,
                "the request has an Origin: a web page sent it",
            ));
        }
        if head.headers.get_all(SEC_FETCH_SITE).iter().any(|site| site != "none") {
            return Err(Stop::new(RefusalCode::PolicyDenied, "Sec-Fetch-Site says that a web page sent it"));
        }
        Ok(Self { head, body })
    }
}

/// Accepts until `stop`, then drains.
pub(crate) async fn serve(shared: Arc<Shared>, listener: TcpListener, stop: CancellationToken) {
    let address = match listener.local_addr() {
        Ok(address) if address.ip().is_loopback() => address,
        Ok(address) => {
            return tracing::error!(%address, "refusing to serve on an address that is not loopback");
        }
        Err(error) => return tracing::error!(%error, "the listener has no address"),
    };
    shared.own_ports.lock().push(address.port());
    let hosts = Arc::new(Hosts::new(address.port()));
    let sweeping = CancellationToken::new();
    let sweep = tokio::spawn(sweep::run(shared.clone(), sweeping.clone()));
    let mut next_id = 0u64;
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, usually: waiting a little lets others end.
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        if !peer.ip().is_loopback() {
            continue;
        }
        if shared.conns.lock().len() >= shared.config.max_connections && !sweep::make_room(&shared) {
            tracing::warn!("too many connections; one was turned away");
            continue;
        }
        // Without this, the first answer on a new connection waits for the peer's delayed acknowledgement (40 ms).
        let _ = stream.set_nodelay(true);
        let conn = Arc::new(Conn::new(shared.clone(), hosts.clone()));
        next_id += 1;
        let id = (u64::from(address.port()) << 48) | next_id;
        let is_first = {
            let mut conns = shared.conns.lock();
            conns.insert(id, conn.clone());
            conns.len() == 1
        };
        if is_first {
            shared.sweep_now.notify_one();
        }
        tokio::spawn(async move {
            let _listed = Listed { conn: conn.clone(), id };
            carry(conn, stream).await;
        });
    }
    drop(listener);
    drain(&shared, address.port()).await;
    shared.own_ports.lock().retain(|port| *port != address.port());
    sweeping.cancel();
    if let Err(error) = sweep.await {
        tracing::error!(%error, "the sweep ended badly");
    }
}

/// A connection's place in the list, given up however the connection ends.
struct Listed {
    conn: Arc<Conn>,
    id: u64,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.conn.shared.conns.lock().remove(&self.id);
        self.conn.shared.conn_gone.notify_waiters();
    }
}

async fn drain(shared: &Shared, port: u16) {
    let ours = |id: &u64| id >> 48 == u64::from(port);
    let end_all = |how: Ending| {
        for (_, conn) in shared.conns.lock().iter().filter(|(id, _)| ours(id)) {
            conn.end(how);
        }
    };
    let all_gone = async {
        loop {
            let gone = shared.conn_gone.notified();
            if !shared.conns.lock().keys().any(ours) {
                return;
            }
            gone.await;
        }
    };
    end_all(Ending::Drain);
    let mut all_gone = pin!(all_gone);
    if tokio::time::timeout(shared.config.drain_timeout, all_gone.as_mut()).await.is_err() {
        end_all(Ending::Cut);
        let _ = tokio::time::timeout(std::time::Duration::from_secs(1), all_gone).await;
    }
}

/// Carries one connection to its end.
async fn carry(conn: Arc<Conn>, stream: TcpStream) {
    let config = &conn.shared.config;
    let limits = HeadLimits {
        bytes: config.max_head_bytes,
        headers: config.max_headers,
        target: config.max_target_bytes,
        body: config.max_body_bytes,
    };
    let gate = Gate::new(stream, conn.wire.clone(), limits);
    let mut server = http1::Builder::new();
    // Above our own limits, so that the gate is the one that refuses.
    server.max_buf_size(config.max_head_bytes.max(64 * 1024) + 64 * 1024);
    if config.max_headers > 100 {
        server.max_headers(config.max_headers + 1);
    }
    let service = service_fn(|request| {
        let conn = conn.clone();
        async move { Ok::<_, Infallible>(forward::handle(conn, request).await) }
    });
    let mut http = pin!(server.serve_connection(TokioIo::new(gate), service));
    loop {
        tokio::select! {
            biased;
            ended = http.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended badly");
                }
                return;
            }
            () = conn.ended.notified() => match conn.ending() {
                Ending::Open => {}
                Ending::Drain => http.as_mut().graceful_shutdown(),
                // Dropping the connection drops the request under way, its upstream stream and its record's guard.
                Ending::Stalled | Ending::Cut => return,
            }
        }
    }
}

/// What the gate refused, as a reason to stop.
pub(crate) fn refused_head(fault: crate::head::Fault) -> Stop {
    use crate::head::FaultKind;
    let code = match fault.kind {
        FaultKind::Malformed => RefusalCode::RequestMalformed,
        FaultKind::HeadTooLarge | FaultKind::BodyTooLarge => RefusalCode::TooLarge,
    };
    let stop = Stop::new(code, fault.reason);
    match fault.kind.status() {
        Some(status) => stop.with_status(status),
        None => stop.with_status(StatusCode::BAD_REQUEST),
    }
}
