//! Route: from the random base path to the grant, and from the agent's path to the path at the service.
//!
//! Must not know rules or material. A base that does not exist and one of another agent get the same answer.

use std::sync::Arc;

use claviger_model::{AuthScheme, Protocol, RefusalCode};
use http::Method;
use http::StatusCode;
use http::header::{HeaderMap, UPGRADE};
use hyper::body::Incoming;

use crate::accept::RawRequest;
use crate::authenticate::{AgentRequest, Presented};
use crate::path;
use crate::ports::{AgentEntry, Route, Snapshot};
use crate::record::Trail;
use crate::rescue::Stop;

/// A request of a known agent to a service that it has a grant for.
pub(crate) struct RoutedRequest {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Incoming,
    pub(crate) agent: Arc<AgentEntry>,
    pub(crate) token: Presented,
    pub(crate) route: Arc<Route>,
    pub(crate) target: Target,
}

/// Path and query at the service: the very bytes that go on the wire.
pub(crate) struct Target {
    pub(crate) text: String,
    path_len: usize,
}

// === impl Target ===

impl Target {
    pub(crate) fn path(&self) -> &str {
        &self.text[..self.path_len]
    }

    pub(crate) fn query(&self) -> Option<&str> {
        self.text.get(self.path_len + 1..)
    }

    /// Adds a parameter whose name and value need no further encoding.
    pub(crate) fn push_parameter(&mut self, name: &str, value: &str) {
        self.text.push(if self.text.len() == self.path_len { '?' } else { '&' });
        self.text.push_str(name);
        self.text.push('=');
        self.text.push_str(value);
    }
}

// === impl RoutedRequest ===

impl RoutedRequest {
    /// Finds the grant and the path at its service.
    pub(crate) fn route(asked: AgentRequest, snapshot: &Snapshot, trail: &mut Trail) -> Result<Self, Stop> {
        let AgentRequest { head, body, agent, token, spent_parameter } = asked;
        let missing = |reason| Stop::new(RefusalCode::GrantMissing, reason);
        let (base, rest) =
            path::split_base(head.uri.path()).ok_or_else(|| missing("the path is no grant's base path"))?;
        let route = snapshot.routes.get(base).ok_or_else(|| missing("there is no such grant"))?;
        trail.route(route);
        if route.rules.agent() != agent.id {
            return Err(missing("the grant belongs to another agent"));
        }
        let service = &route.service;
        path::check(rest, service.encoded_slash)?;
        if asks_for_web_socket(&head.headers) {
            let stop = Stop::malformed("the request asks for a WebSocket, which is not carried");
            return Err(stop.with_status(StatusCode::UPGRADE_REQUIRED));
        }
        let mut text = match service.protocol {
            Protocol::Http => path::join(&service.prefix, rest),
            Protocol::Mcp => endpoint(&service.prefix, &head.method, rest)?,
        };
        let path_len = text.len();
        if let Some(query) = head.uri.query() {
            let own = match &service.auth {
                AuthScheme::Query(name) => Some(name.as_str()),
                _ => None,
            };
            match (own, spent_parameter.as_deref()) {
                (None, None) => {
                    text.push('?');
                    text.push_str(query);
                }
                (own, spent) => {
                    let without = [own.or(spent).unwrap_or_default(), spent.or(own).unwrap_or_default()];
                    path::push_query_without(&mut text, query, &without);
                }
            }
        }
        let target = Target { text, path_len };
        Ok(Self {
            method: head.method,
            headers: head.headers,
            body,
            agent,
            token,
            route: route.clone(),
            target,
        })
    }
}

/// A remote MCP server is one endpoint: the grant's base path, with or without `/mcp` behind it, and nothing below.
fn endpoint(prefix: &str, method: &Method, rest: &str) -> Result<String, Stop> {
    if !matches!(*method, Method::POST | Method::GET | Method::DELETE) {
        let reason = "an MCP endpoint takes POST, GET and DELETE";
        return Err(Stop::new(RefusalCode::PolicyDenied, reason));
    }
    // Some servers redirect the one spelling to the other, and no redirect is followed here.
    let slash = match rest {
        "" | "/mcp" => "",
        "/" | "/mcp/" => "/",
        _ => return Err(Stop::new(RefusalCode::PolicyDenied, "the path is not the MCP server's endpoint")),
    };
    let text = format!("{prefix}{slash}");
    Ok(if text.is_empty() { "/".to_owned() } else { text })
}

/// Whether this asks "is anybody there?" at a grant's base, as some agents do before they start. Answered here.
pub(crate) fn is_probe(raw: &RawRequest, snapshot: &Snapshot) -> bool {
    raw.head.method == Method::HEAD
        && path::split_base(raw.head.uri.path())
            .is_some_and(|(base, rest)| matches!(rest, "" | "/") && snapshot.routes.contains_key(base))
}

fn asks_for_web_socket(headers: &HeaderMap) -> bool {
    headers.get_all(UPGRADE).iter().any(|value| {
        value.as_bytes().split(|b| *b == b',').any(|name| {
            let name = name.trim_ascii();
            name.len() >= 9 && name[..9].eq_ignore_ascii_case(b"websocket")
        })
    })
}
