//! Authenticate: finds the agent's token wherever SDKs put their key, asks whose it is, and takes it off the request.
//!
//! Must not know what the agent may do. A request says who it is anew each time; nothing is remembered per connection.

use std::sync::Arc;

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::GeneralPurposeConfig;
use claviger_model::{AuthScheme, RefusalCode, Timestamp};
use claviger_secret::Secret;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION};
use http::request::Parts;
use hyper::body::Incoming;

use crate::accept::RawRequest;
use crate::path;
use crate::ports::{AgentEntry, Ports, Snapshot, TokenRefusal};
use crate::record::Trail;
use crate::rescue::Stop;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
const API_KEY: HeaderName = HeaderName::from_static("api-key");
/// The query parameter in which Google's clients put their key.
const QUERY_SLOT: &str = "key";

const FORGIVING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A request of a known agent that bears no token any more.
pub(crate) struct AgentRequest {
    pub(crate) head: Parts,
    pub(crate) body: Incoming,
    pub(crate) agent: Arc<AgentEntry>,
    /// Kept until it is sure that it stands nowhere else on the request.
    pub(crate) token: Presented,
    /// The query parameter that held the token and must not go on.
    pub(crate) spent_parameter: Option<Box<str>>,
}

/// A token as presented.
pub(crate) enum Presented {
    /// Part of a header's value.
    Header(HeaderValue, usize),
    /// Decoded, or taken from the query.
    Own(Secret),
}

// === impl Presented ===

impl Presented {
    /// The token's bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Header(value, from) => &value.as_bytes()[*from..],
            // EXPOSE: compared with other slots, hashed by the token check, and searched for in what is forwarded.
            Self::Own(secret) => secret.expose(),
        }
    }
}

// === impl AgentRequest ===

impl AgentRequest {
    /// Finds and checks the token, and removes every slot.
    pub(crate) fn authenticate(
        raw: RawRequest,
        snapshot: &Snapshot,
        ports: &Ports,
        now: Timestamp,
        trail: &mut Trail,
    ) -> Result<Self, Stop> {
        let RawRequest { mut head, body } = raw;
        // The slot that the service itself uses is where that service's SDK puts its key.
        let auth = path::split_base(head.uri.path())
            .and_then(|(base, _)| snapshot.routes.get(base))
            .map(|route| &route.service.auth);
        let mut found = take_from_headers(&mut head.headers, auth)?;
        let own_parameter = match auth {
            Some(AuthScheme::Query(name)) => Some(name.as_str()),
            _ => None,
        };
        let mut spent_parameter = None;
        if let Some(query) = head.uri.query() {
            for name in own_parameter.into_iter().chain([QUERY_SLOT]) {
                // `key` also names ordinary data; beside a token elsewhere it counts only when it is one itself.
                let is_slot = path::values(query, name).any(|value| {
                    own_parameter == Some(name)
                        || found.as_ref().is_none_or(|token| token.bytes() == value.as_bytes())
                        || is_one_of_ours(ports, value, now)
                });
                if is_slot {
                    for value in path::values(query, name) {
                        agree(&mut found, Presented::Own(Secret::from(value.as_bytes().to_vec())))?;
                    }
                    spent_parameter = Some(name.into());
                }
            }
        }
        let Some(token) = found else { return Err(unauthenticated("no token")) };
        let agent = ports.tokens.check(token.bytes(), now).map_err(|TokenRefusal { reason, agent }| {
            trail.agent = agent;
            unauthenticated(reason)
        })?;
        trail.agent = Some(agent);
        let agent =
            snapshot.agents.get(&agent).ok_or_else(|| unauthenticated("the agent is unknown"))?.clone();
        if agent.paused {
            return Err(Stop::new(RefusalCode::PolicyDenied, "the agent is paused"));
        }
        Ok(Self { head, body, agent, token, spent_parameter })
    }
}

/// Takes the token out of every header slot, whether or not it is any good.
fn take_from_headers(headers: &mut HeaderMap, auth: Option<&AuthScheme>) -> Result<Option<Presented>, Stop> {
    let mut found = None;
    let mut result = Ok(());
    headers.remove(PROXY_AUTHORIZATION);
    for name in [&AUTHORIZATION, &X_API_KEY, &X_GOOG_API_KEY, &API_KEY] {
        take(headers, name, &mut found, &mut result);
    }
    if let Some(AuthScheme::Header(name)) = auth
        && let Ok(name) = HeaderName::from_bytes(name.as_bytes())
    {
        take(headers, &name, &mut found, &mut result);
    }
    result.map(|()| found)
}

fn take(
    headers: &mut HeaderMap,
    name: &HeaderName,
    found: &mut Option<Presented>,
    result: &mut Result<(), Stop>,
) {
    let http::header::Entry::Occupied(entry) = headers.entry(name) else { return };
    for value in entry.remove_entry_mult().1 {
        if let Some(token) = read(name, value)
            && result.is_ok()
        {
            *result = agree(found, token);
        }
    }
}

/// Reads one slot's value. Nothing for an empty one.
fn read(name: &HeaderName, value: HeaderValue) -> Option<Presented> {
    let bytes = value.as_bytes();
    if bytes.is_empty() {
        return None;
    }
    if name == AUTHORIZATION
        && let Some(space) = memchr::memchr(b' ', bytes)
    {
        let (scheme, rest) = (&bytes[..space], &bytes[space..]);
        let skipped = rest.iter().take_while(|b| **b == b' ').count();
        if scheme.eq_ignore_ascii_case(b"bearer") || scheme.eq_ignore_ascii_case(b"token") {
            let from = space + skipped;
            return Some(Presented::Header(value, from));
        }
        if scheme.eq_ignore_ascii_case(b"basic") {
            return Some(Presented::Own(basic(&rest[skipped..])));
        }
    }
    // Any other form is taken whole; if it is no token, the check says so.
    Some(Presented::Header(value, 0))
}

/// The password of a Basic value, or its user name when there is no password. Undecodable text is no token.
fn basic(encoded: &[u8]) -> Secret {
    let decoded = Secret::from(FORGIVING.decode(encoded).unwrap_or_default());
    // EXPOSE: split into user name and password; the part is again a Secret.
    let bytes = decoded.expose();
    let colon = memchr::memchr(b':', bytes).unwrap_or(bytes.len());
    let password = bytes.get(colon + 1..).unwrap_or_default();
    Secret::from(if password.is_empty() { bytes[..colon].to_vec() } else { password.to_vec() })
}

/// The same token in several slots is one token; two different ones are none.
fn agree(found: &mut Option<Presented>, token: Presented) -> Result<(), Stop> {
    match found {
        Some(first) if first.bytes() != token.bytes() => Err(unauthenticated("two different tokens")),
        Some(_) => Ok(()),
        None => {
            *found = Some(token);
            Ok(())
        }
    }
}

fn is_one_of_ours(ports: &Ports, value: &str, now: Timestamp) -> bool {
    match ports.tokens.check(value.as_bytes(), now) {
        Ok(_) => true,
        Err(refusal) => refusal.agent.is_some(),
    }
}

fn unauthenticated(reason: &'static str) -> Stop {
    Stop::new(RefusalCode::Unauthenticated, reason)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn token_in(pairs: &[(&str, &str)]) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let auth = AuthScheme::Header("private-token".into());
        let found = take_from_headers(&mut headers, Some(&auth)).map_err(|stop| stop.reason.into_owned());
        assert!(headers.is_empty(), "a slot was left on the request: {headers:?}");
        found.map(|t| t.map(|t| String::from_utf8_lossy(t.bytes()).into_owned()))
    }

    #[test]
    fn a_token_is_found_in_every_slot_and_no_slot_is_left() {
        let cases: &[&[(&str, &str)]] = &[
            &[("authorization", "Bearer T")],
            &[("authorization", "bearer   T")],
            &[("authorization", "token T")],
            &[("authorization", "T")],
            &[("authorization", "Basic dTpU")],
            &[("authorization", "Basic VDo=")],
            &[("authorization", "Basic VDo")],
            &[("authorization", "Basic VA==")],
            &[("x-api-key", "T")],
            &[("x-goog-api-key", "T")],
            &[("api-key", "T")],
            &[("private-token", "T")],
            &[("authorization", "Bearer T"), ("x-api-key", "T")],
            &[("x-api-key", "T"), ("x-api-key", "T")],
            &[("x-api-key", ""), ("authorization", "Bearer T"), ("proxy-authorization", "Basic eDp5")],
        ];
        for case in cases {
            assert_eq!(token_in(case), Ok(Some("T".into())), "{case:?}");
        }
        assert_eq!(token_in(&[]), Ok(None), "no slot, no token");
        assert_eq!(token_in(&[("proxy-authorization", "Bearer T")]), Ok(None), "meant for another proxy");
    }

    #[test]
    fn two_different_tokens_are_none() {
        let cases: &[&[(&str, &str)]] = &[
            &[("authorization", "Bearer T"), ("x-api-key", "U")],
            &[("authorization", "Bearer T"), ("authorization", "Bearer U")],
            &[("x-api-key", "T"), ("x-api-key", "U"), ("x-api-key", "T")],
            &[("authorization", "Basic dTpU"), ("api-key", "u")],
        ];
        for case in cases {
            assert_eq!(token_in(case), Err("two different tokens".into()), "{case:?}");
        }
    }
}
