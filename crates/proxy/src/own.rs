//! Own: what an agent asks of Claviger itself. Passes the whole request to whoever answers, and the whole answer back.
//!
//! Must not know what is asked. Nothing is released here, so nothing is recorded but refusals.

use std::time::Duration;

use bytes::Bytes;
use claviger_model::{AgentId, RefusalCode};
use http::header::{CACHE_CONTROL, HeaderValue};
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;

use crate::authenticate::AgentRequest;
use crate::body::ReplyBody;
use crate::record::Trail;
use crate::rescue::Stop;
use crate::strip;

/// Where agents ask.
const PATH: &str = "/mcp";
/// More is no question.
const LONGEST: usize = 256 * 1024;
const PATIENCE: Duration = Duration::from_secs(30);

/// A known agent's request to Claviger itself, without its token.
pub(crate) struct OwnRequest {
    agent: AgentId,
    head: Parts,
    body: Incoming,
}

impl From<AgentRequest> for OwnRequest {
    fn from(asked: AgentRequest) -> Self {
        Self { agent: asked.agent.id, head: asked.head, body: asked.body }
    }
}

/// Whether this is asked of Claviger itself.
pub(crate) fn is_asked(head: &Parts) -> bool {
    head.uri.path().strip_suffix('/').unwrap_or(head.uri.path()) == PATH
}

/// Has the request answered.
pub(crate) async fn answer(trail: &Trail, request: OwnRequest) -> Result<Response<ReplyBody>, Stop> {
    let service = trail.conn.shared.own_service.lock().clone();
    let service = service.ok_or_else(|| Stop::new(RefusalCode::GrantMissing, "nobody answers there"))?;
    let OwnRequest { agent, head, body } = request;
    let body = Limited::new(body, LONGEST).collect().await.map_err(|why| {
        if why.is::<LengthLimitError>() {
            Stop::new(RefusalCode::TooLarge, "the question is above the limit")
        } else {
            Stop::malformed("the body is not well formed, or ended early")
        }
    })?;
    trail.conn.wire.progress();
    let mut asked = Request::new(body.to_bytes());
    *asked.method_mut() = head.method;
    *asked.uri_mut() = http::Uri::from_static(PATH);
    *asked.headers_mut() = head.headers;
    strip::request(asked.headers_mut());
    let given = tokio::time::timeout(PATIENCE, service.answer(agent, asked)).await;
    let given = given.map_err(|_| Stop::new(RefusalCode::UpstreamTimeout, "no answer within the limit"))?;
    let (mut head, body): (_, Bytes) = given.into_parts();
    strip::answer(&mut head.headers);
    head.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let body = if body.is_empty() { ReplyBody::Empty } else { ReplyBody::full(body) };
    Ok(Response::from_parts(head, body))
}
