//! Connections to upstreams: an own small pool, per service, over HTTP/1.1 and HTTP/2.
//!
//! Must not know agents, tokens or material. A connection belongs to one service as it was when dialled: another host,
//! port, certificate authority or permission to be private means another pool.

mod dial;
mod tls;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use claviger_model::ServiceId;
use http::header::{HOST, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use parking_lot::Mutex;
use rustls::ClientConfig;
use tokio::sync::{Mutex as AsyncMutex, OnceCell};

pub(crate) use dial::DialError;

use crate::body::UpBody;
use crate::config::Config;
use crate::ports::{ServiceEntry, Snapshot};
use crate::proxy::Shared;
use crate::sweep;

/// All idle connections.
pub(crate) struct Pool {
    origins: Mutex<HashMap<ServiceId, Arc<Origin>>>,
    system_roots: OnceCell<Arc<ClientConfig>>,
    idle_ticks: u32,
    max_idle: usize,
}

/// One service's upstream.
pub(crate) struct Origin {
    service: Arc<ServiceEntry>,
    host: HeaderValue,
    authority: Authority,
    idle: Mutex<Vec<Idle>>,
    shared: Mutex<Option<H2>>,
    /// The last connection chose HTTP/2: one is enough for all, so only one is dialled.
    speaks_h2: AtomicBool,
    dialling: AsyncMutex<()>,
    own_roots: OnceCell<Arc<ClientConfig>>,
    idle_count: AtomicU32,
    max_idle: usize,
}

struct Idle {
    sender: H1,
    since: u32,
}

/// How long a connection may take to be ready again after its last answer was read.
const SETTLING: Duration = Duration::from_millis(50);

type H1 = http1::SendRequest<UpBody>;
type H2 = http2::SendRequest<UpBody>;

/// A connection that can take a request now.
pub(crate) enum Line {
    /// One request at a time.
    H1(H1),
    /// Many at once.
    H2(H2),
}

/// A connection from the pool.
pub(crate) struct Pooled {
    pub(crate) line: Line,
    /// It was idle for a while, so the upstream may be closing it at this very moment.
    pub(crate) has_rested: bool,
}

/// A request without its address, which HTTP/1.1 and HTTP/2 write in different places.
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) target: PathAndQuery,
    pub(crate) headers: HeaderMap,
    pub(crate) body: UpBody,
}

/// An HTTP/1.1 connection that is given back once the answer has been read to its end.
pub(crate) struct Lease {
    sender: H1,
    origin: Arc<Origin>,
    flow: Arc<crate::record::Flow>,
    shared: Arc<Shared>,
}

/// A request that was not answered.
pub(crate) struct SendError {
    pub(crate) error: hyper::Error,
    /// The request itself, if no byte of it was sent.
    pub(crate) unsent: Option<Box<Outgoing>>,
}

// === impl Pool ===

impl Pool {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            origins: Mutex::new(HashMap::new()),
            system_roots: OnceCell::new(),
            idle_ticks: sweep::ticks(config.upstream_idle_timeout),
            max_idle: config.max_idle_per_service,
        }
    }

    /// The upstream of this service as it is now.
    pub(crate) fn origin(&self, service: &Arc<ServiceEntry>) -> Result<Arc<Origin>, DialError> {
        let mut origins = self.origins.lock();
        match origins.get(&service.id) {
            Some(origin) if origin.is_of(service) => Ok(origin.clone()),
            _ => {
                let origin = Arc::new(Origin::new(service.clone(), self.max_idle)?);
                origins.insert(service.id, origin.clone());
                Ok(origin)
            }
        }
    }

    /// A fresh connection.
    pub(crate) async fn dial(&self, origin: &Arc<Origin>, shared: &Shared) -> Result<Line, DialError> {
        let _one_at_a_time = if origin.speaks_h2.load(Ordering::Relaxed) {
            let guard = tokio::time::timeout(shared.config.upstream_connect_timeout, origin.dialling.lock())
                .await
                .map_err(|_| DialError::Unreachable("no connection within the time limit".into()))?;
            if let Some(line) = origin.shared_line() {
                return Ok(line);
            }
            Some(guard)
        } else {
            None
        };
        let line = dial::dial(&origin.service, self, &origin.own_roots, shared).await?;
        if let Line::H2(sender) = &line {
            origin.speaks_h2.store(true, Ordering::Relaxed);
            *origin.shared.lock() = Some(sender.clone());
        }
        Ok(line)
    }

    /// Drops every connection that nobody uses.
    pub(crate) fn clear(&self) {
        let origins = std::mem::take(&mut *self.origins.lock());
        drop(origins);
    }

    /// Drops the connections of services that are gone or have changed.
    pub(crate) fn keep_only(&self, snapshot: &Snapshot) {
        let mut origins = self.origins.lock();
        if origins.is_empty() {
            return;
        }
        origins.retain(|id, origin| {
            let mut same_id = snapshot.routes.values().map(|route| &route.service).filter(|s| s.id == *id);
            same_id.any(|service| origin.is_of(service))
        });
    }

    /// Whether there is anything to drop one day.
    pub(crate) fn has_idle(&self) -> bool {
        self.origins.lock().values().any(|origin| origin.idle_count.load(Ordering::Relaxed) > 0)
    }

    /// Drops connections that have idled for too long or that the upstream closed.
    pub(crate) fn drop_idle(&self, now: u32) {
        let origins: Vec<_> = self.origins.lock().values().cloned().collect();
        for origin in origins {
            let mut idle = origin.idle.lock();
            idle.retain(|line| !line.sender.is_closed() && now.wrapping_sub(line.since) < self.idle_ticks);
            origin.idle_count.store(idle.len() as u32, Ordering::Relaxed);
            drop(idle);
            let mut shared = origin.shared.lock();
            if shared.as_ref().is_some_and(H2::is_closed) {
                *shared = None;
            }
        }
    }
}

// === impl Origin ===

impl Origin {
    fn new(service: Arc<ServiceEntry>, max_idle: usize) -> Result<Self, DialError> {
        let is_v6 = service.host.contains(':') && !service.host.starts_with('[');
        let host = if is_v6 { format!("[{}]", service.host) } else { service.host.to_string() };
        let usual = if service.https { 443 } else { 80 };
        let host = if service.port == usual { host } else { format!("{host}:{}", service.port) };
        let authority =
            host.parse().map_err(|_| DialError::Refused("the service's host is no host".into()))?;
        let host = host.parse().map_err(|_| DialError::Refused("the service's host is no host".into()))?;
        Ok(Self {
            service,
            host,
            authority,
            idle: Mutex::new(Vec::new()),
            shared: Mutex::new(None),
            speaks_h2: AtomicBool::new(false),
            dialling: AsyncMutex::new(()),
            own_roots: OnceCell::new(),
            idle_count: AtomicU32::new(0),
            max_idle,
        })
    }

    /// Whether its connections lead to this very service.
    fn is_of(&self, service: &Arc<ServiceEntry>) -> bool {
        let own = &self.service;
        Arc::ptr_eq(own, service)
            || (own.id == service.id
                && own.https == service.https
                && own.host == service.host
                && own.port == service.port
                && own.allow_private == service.allow_private
                && own.ca_pem == service.ca_pem)
    }

    /// A pooled connection, if there is one that is alive.
    pub(crate) async fn pooled(&self, now: u32) -> Option<Pooled> {
        if self.speaks_h2.load(Ordering::Relaxed)
            && let Some(line) = self.shared_line()
        {
            return Some(Pooled { line, has_rested: false });
        }
        loop {
            let Idle { mut sender, since } = {
                let mut idle = self.idle.lock();
                let line = idle.pop()?;
                self.idle_count.store(idle.len() as u32, Ordering::Relaxed);
                line
            };
            let has_rested = since != now;
            if sender.is_ready() {
                return Some(Pooled { line: Line::H1(sender), has_rested });
            }
            // Its last exchange is over on both sides, so this settles at once, one way or the other.
            if !sender.is_closed()
                && matches!(tokio::time::timeout(SETTLING, sender.ready()).await, Ok(Ok(())))
            {
                return Some(Pooled { line: Line::H1(sender), has_rested });
            }
        }
    }

    /// The shared connection took no request: the next one is dialled.
    pub(crate) fn forget_shared(&self) {
        *self.shared.lock() = None;
    }

    fn shared_line(&self) -> Option<Line> {
        let mut shared = self.shared.lock();
        match &*shared {
            Some(sender) if !sender.is_closed() => Some(Line::H2(sender.clone())),
            Some(_) => {
                *shared = None;
                None
            }
            None => None,
        }
    }
}

// === impl Line ===

impl Line {
    /// Sends the request and waits for the head of the answer.
    pub(crate) async fn send(
        self,
        outgoing: Outgoing,
        origin: &Arc<Origin>,
        shared: &Arc<Shared>,
        flow: &Arc<crate::record::Flow>,
    ) -> Result<(Response<Incoming>, Option<Lease>), SendError> {
        match self {
            Self::H1(mut sender) => {
                let request = outgoing.into_h1(origin);
                match sender.try_send_request(request).await {
                    Ok(answer) => {
                        let lease = Lease {
                            sender,
                            origin: origin.clone(),
                            flow: flow.clone(),
                            shared: shared.clone(),
                        };
                        Ok((answer, Some(lease)))
                    }
                    Err(failed) => Err(SendError::new(failed)),
                }
            }
            Self::H2(mut sender) => {
                let request = outgoing.into_h2(origin);
                match sender.try_send_request(request).await {
                    Ok(answer) => Ok((answer, None)),
                    Err(failed) => Err(SendError::new(failed)),
                }
            }
        }
    }
}

// === impl Outgoing ===

impl Outgoing {
    /// A second copy, for a request that may be sent twice: safe by its method (RFC 9110 §9.2.1), and without a body.
    pub(crate) fn spare(&self) -> Option<Self> {
        let is_safe = matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS);
        if is_safe { self.repeatable() } else { None }
    }

    /// A second copy, for a request that was refused and may be asked again: idempotent by its method (RFC 9110 §9.2.2),
    /// and without a body.
    pub(crate) fn repeatable(&self) -> Option<Self> {
        let is_idempotent = matches!(
            self.method,
            Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE
        );
        (is_idempotent && matches!(self.body, UpBody::Empty)).then(|| Self {
            method: self.method.clone(),
            target: self.target.clone(),
            headers: self.headers.clone(),
            body: UpBody::Empty,
        })
    }

    fn into_h1(mut self, origin: &Origin) -> Request<UpBody> {
        self.headers.insert(HOST, origin.host.clone());
        self.request(None, Version::HTTP_11)
    }

    fn into_h2(mut self, origin: &Origin) -> Request<UpBody> {
        self.headers.remove(HOST);
        self.request(Some(origin), Version::HTTP_2)
    }

    fn request(self, origin: Option<&Origin>, version: Version) -> Request<UpBody> {
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.version_mut() = version;
        *request.headers_mut() = self.headers;
        *request.uri_mut() = match origin {
            None => Uri::from(self.target),
            Some(origin) => {
                let mut parts = http::uri::Parts::default();
                parts.scheme = Some(if origin.service.https { Scheme::HTTPS } else { Scheme::HTTP });
                parts.authority = Some(origin.authority.clone());
                parts.path_and_query = Some(self.target);
                // All three parts are there, which is all that can be wrong.
                Uri::from_parts(parts).unwrap_or_default()
            }
        };
        request
    }

    fn from_request(request: Request<UpBody>) -> Option<Self> {
        let (head, body) = request.into_parts();
        let target = head.uri.into_parts().path_and_query?;
        Some(Self { method: head.method, target, headers: head.headers, body })
    }
}

// === impl SendError ===

impl SendError {
    fn new(mut failed: hyper::client::conn::TrySendError<Request<UpBody>>) -> Self {
        let unsent = failed.take_message().and_then(Outgoing::from_request).map(Box::new);
        Self { error: failed.into_error(), unsent }
    }
}

// === impl Lease ===

impl Lease {
    /// Back to the pool, if the connection can take another request.
    pub(crate) fn give_back(self) {
        if !self.flow.is_sent.load(Ordering::Acquire) || self.sender.is_closed() {
            return;
        }
        let mut idle = self.origin.idle.lock();
        if idle.len() < self.origin.max_idle {
            idle.push(Idle { sender: self.sender, since: self.shared.ticks.load(Ordering::Relaxed) });
            self.origin.idle_count.store(idle.len() as u32, Ordering::Relaxed);
        }
    }
}
