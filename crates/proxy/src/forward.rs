//! Forward: walks a request through the rooms, sends it to the upstream and passes the answer on as it comes.
//!
//! Must not know tokens, rules or material; each is the business of an earlier room. Redirects are passed on and never
//! followed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use claviger_meter::Meter;
use claviger_model::{AuthScheme, Protocol, RefusalCode, Timestamp};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, TRANSFER_ENCODING};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::accept::{RawRequest, refused_head};
use crate::authenticate::AgentRequest;
use crate::body::{ReplyBody, UpBody};
use crate::challenge;
use crate::conn::Conn;
use crate::decide::PermittedRequest;
use crate::head::REFUSED_METHOD;
use crate::inject::{self, InjectedRequest, place_in_head};
use crate::own::{self, OwnRequest};
use crate::ports::{MaterialUnavailable, Route, Term};
use crate::proxy::Shared;
use crate::record::{BodyFault, Flow, ReleasedRequest, Trail};
use crate::rescue::Stop;
use crate::route::{RoutedRequest, is_probe};
use crate::strip;
use crate::upstream::{DialError, Lease, Origin, Outgoing, SendError};

/// What the rooms up to `decide` make of a request.
enum Prepared {
    /// Allowed; the material comes next.
    Permitted(Box<PermittedRequest>, Timestamp, u64),
    /// "Is anybody there?" – yes.
    Probe,
    /// Asked of Claviger itself.
    Own(Box<OwnRequest>),
}

/// Carries one request from its head to the head of its answer.
pub(crate) async fn handle(conn: Arc<Conn>, request: Request<Incoming>) -> Response<ReplyBody> {
    let mut trail = Trail::begin(conn, request.method(), request.uri());
    if request.method().as_str() == REFUSED_METHOD
        && let Some(violation) = trail.conn.wire.violation()
    {
        return trail.refuse_head(&refused_head(violation.fault), &violation);
    }
    let (permitted, now, epoch) = match prepare(&mut trail, request) {
        Ok(Prepared::Permitted(permitted, now, epoch)) => (permitted, now, epoch),
        Ok(Prepared::Probe) => {
            trail.close();
            return Response::new(ReplyBody::Empty);
        }
        Ok(Prepared::Own(request)) => {
            return match own::answer(&trail, *request).await {
                Ok(answer) => {
                    trail.close();
                    answer
                }
                Err(stop) => trail.refuse(&stop),
            };
        }
        Err(stop) => return trail.refuse(&stop),
    };
    let source = trail.conn.shared.ports.material.clone();
    let request = match InjectedRequest::inject(*permitted, &*source).await {
        Ok(request) => request,
        Err(stop) => return trail.refuse(&stop),
    };
    let released = match trail.release(request, now, epoch).await {
        Ok(released) => released,
        Err(stop) => return trail.refuse(&stop),
    };
    match forward(&mut trail, released).await {
        Ok((answer, meter, lease)) => {
            let (head, body) = answer.into_parts();
            Response::from_parts(head, ReplyBody::stream(body, trail, meter, lease))
        }
        Err(stop) => trail.refuse(&stop),
    }
}

/// Everything that takes no waiting: the rooms from `accept` to `decide`.
fn prepare(trail: &mut Trail, request: Request<Incoming>) -> Result<Prepared, Stop> {
    let conn = trail.conn.clone();
    let shared = &conn.shared;
    let raw = RawRequest::receive(&conn, request)?;
    // Before the snapshot: if the vault is locked from here on, the epoch says so.
    let epoch = shared.epoch.load(Ordering::Acquire);
    let snapshot = shared.snapshot.load();
    let snapshot =
        snapshot.as_deref().ok_or_else(|| Stop::new(RefusalCode::VaultLocked, "the vault is locked"))?;
    if is_probe(&raw, snapshot) {
        return Ok(Prepared::Probe);
    }
    let now = shared.ports.world.now();
    let asked = AgentRequest::authenticate(raw, snapshot, &shared.ports, now, trail)?;
    if own::is_asked(&asked.head) {
        return Ok(Prepared::Own(Box::new(OwnRequest::from(asked))));
    }
    let routed = RoutedRequest::route(asked, snapshot, trail)?;
    let permitted = PermittedRequest::decide(routed, now)?;
    Ok(Prepared::Permitted(Box::new(permitted), now, epoch))
}

type Answer = (Response<Incoming>, Option<Meter>, Option<Lease>);

/// Sends a released request and takes the head of the answer. Where the service refuses a token that is renewed while it
/// is in use, the request is sent once more with its successor, if it is one that may be sent twice.
async fn forward(trail: &mut Trail, released: ReleasedRequest) -> Result<Answer, Stop> {
    let ReleasedRequest { request, flow } = released;
    let InjectedRequest { method, headers, target, body, agent: _, route, term } = request;
    let conn = trail.conn.clone();
    let shared = &conn.shared;
    let body = UpBody::new(body, flow.clone(), conn.wire.clone(), shared.config.max_body_bytes);
    let outgoing = Outgoing { method, target, headers, body };
    let is_in_head = !matches!(route.service.auth, AuthScheme::Query(_));
    let again = term.filter(|_| is_in_head).and_then(|_| outgoing.repeatable());
    let origin = shared.pool.origin(&route.service).map_err(refused_dial)?;
    let (mut answer, mut lease) = exchange(&conn, &origin, outgoing, &flow).await?;
    if let Some(term) = term
        && answer.status() == StatusCode::UNAUTHORIZED
        && let Some((again, successor)) = renewed(shared, &route, term, again).await?
    {
        drop((answer, lease));
        (answer, lease) = exchange(&conn, &origin, again, &flow).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            // Said, so that whoever renews learns that this 401 is not about the token. Nothing is waited for.
            drop(successor.map(|term| shared.ports.material.refused(route.credential, term)));
        }
    }
    conn.wire.progress();
    trail.answered(answer.status().as_u16());
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Stop::new(RefusalCode::ResponseBlocked, "the upstream switched protocols unasked"));
    }
    if ends_in_two_ways(answer.headers()) {
        return Err(Stop::new(RefusalCode::ResponseBlocked, "the answer says in two ways where it ends"));
    }
    if route.service.protocol == Protocol::Mcp {
        challenge::keep_back(trail, answer.status(), answer.headers_mut())?;
    }
    strip::answer(answer.headers_mut());
    if let AuthScheme::Query(name) = &route.service.auth {
        strip::parameter(answer.headers_mut(), name);
    }
    *answer.version_mut() = http::Version::HTTP_11;
    let meter = route.service.usage.and_then(|shape| {
        // Only plain text can be read in passing; it was asked for.
        let is_plain = answer.headers().get(CONTENT_ENCODING).is_none_or(|coding| coding == "identity");
        let kind = answer.headers().get(CONTENT_TYPE)?.to_str().ok()?;
        let meter = Meter::new(shape, kind);
        (is_plain && meter.is_reading()).then_some(meter)
    });
    Ok((answer, meter, lease))
}

/// Asks for the successor of a token that its service refused, and puts it on the request that may be sent again.
/// Nothing: the service's own answer is passed on, and a successor serves the next request.
async fn renewed(
    shared: &Shared,
    route: &Route,
    term: Term,
    again: Option<Outgoing>,
) -> Result<Option<(Outgoing, Option<Term>)>, Stop> {
    let opened = shared.ports.material.refused(route.credential, term);
    let Some(mut again) = again else { return Ok(None) };
    let in_force = match opened {
        Ok(opened) => opened.wait().await,
        Err(unavailable) => Err(unavailable),
    };
    match in_force {
        Ok(in_force) if in_force.term != Some(term) => {
            place_in_head(&route.service.auth, &in_force.material, &mut again.headers)?;
            Ok(Some((again, in_force.term)))
        }
        Err(over @ (MaterialUnavailable::Ended | MaterialUnavailable::Locked)) => Err(inject::refused(over)),
        _ => Ok(None),
    }
}

/// Sends the request once, on a pooled connection or a new one, and takes the head of the answer.
async fn exchange(
    conn: &Arc<Conn>,
    origin: &Arc<Origin>,
    mut outgoing: Outgoing,
    flow: &Arc<Flow>,
) -> Result<(Response<Incoming>, Option<Lease>), Stop> {
    let shared = &conn.shared;
    let limit = shared.config.upstream_head_timeout;
    let mut is_second = false;
    loop {
        let now = shared.ticks.load(Ordering::Relaxed);
        let pooled = if is_second { None } else { origin.pooled(now).await };
        let is_pooled = pooled.is_some();
        let spare = pooled.as_ref().filter(|pooled| pooled.has_rested).and_then(|_| outgoing.spare());
        let line = match pooled {
            Some(pooled) => pooled.line,
            None => shared.pool.dial(origin, shared).await.map_err(refused_dial)?,
        };
        // Dialling, and waiting for a new token, take time in which the grant may have ended.
        if let Some(code) = conn.must_be_cut() {
            return Err(Stop::new(code, "what was granted ended before the request was sent"));
        }
        match tokio::time::timeout(limit, line.send(outgoing, origin, shared, flow)).await {
            Ok(Ok(answered)) => return Ok(answered),
            Ok(Err(SendError { error, unsent })) => {
                // A pooled connection may have died before it took the request, or while it did.
                let again = unsent.map(|unsent| *unsent).or(spare.filter(|_| !error.is_parse()));
                match again {
                    Some(again) if is_pooled && !is_second => {
                        origin.forget_shared();
                        outgoing = again;
                        is_second = true;
                    }
                    _ => return Err(send_failed(&error, flow.fault())),
                }
            }
            Err(_) => return Err(Stop::new(RefusalCode::UpstreamTimeout, "no answer within the time limit")),
        }
    }
}

/// Whoever reads such an answer after us might see another end of it than we do (RFC 9112 §6.3).
fn ends_in_two_ways(headers: &HeaderMap) -> bool {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    match lengths.next() {
        None => false,
        Some(length) => {
            !length.as_bytes().iter().all(u8::is_ascii_digit)
                || lengths.next().is_some()
                || headers.contains_key(TRANSFER_ENCODING)
        }
    }
}

fn refused_dial(error: DialError) -> Stop {
    match error {
        DialError::Refused(why) => Stop::new(RefusalCode::UpstreamRefused, why),
        DialError::Unreachable(why) => Stop::new(RefusalCode::UpstreamUnreachable, why),
    }
}

fn send_failed(error: &hyper::Error, fault: Option<BodyFault>) -> Stop {
    match fault {
        Some(BodyFault::TooLarge) => Stop::new(RefusalCode::TooLarge, "the body is above the limit"),
        Some(BodyFault::Malformed) => Stop::malformed("the body is not well formed"),
        Some(BodyFault::Gone) => Stop::malformed("the body ended early"),
        None if error.is_parse() => Stop::new(RefusalCode::ResponseBlocked, "the answer is no HTTP"),
        None if error.is_timeout() => Stop::new(RefusalCode::UpstreamTimeout, "the upstream fell silent"),
        None => Stop::new(
            RefusalCode::UpstreamUnreachable,
            "the upstream closed the connection without an answer",
        ),
    }
}
