//! Inject: strips the request, then places the material. Spends the permit.
//!
//! Must not know the vault or the network. If the material cannot be placed exactly, the request stops here: it is never
//! sent without, and never with material that would split a header.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use claviger_model::{AuthScheme, RefusalCode};
use claviger_policy::Permit;
use claviger_secret::{Field, Material, Secret};
use http::Method;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use hyper::body::Incoming;
use memchr::memmem;

use crate::decide::PermittedRequest;
use crate::ports::{AgentEntry, InForce, MaterialSource, MaterialUnavailable, Route, Term};
use crate::rescue::Stop;
use crate::route::Target;
use crate::strip;

/// A request that is complete, credential and all, and has not been recorded.
pub(crate) struct InjectedRequest {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) target: PathAndQuery,
    pub(crate) body: Incoming,
    pub(crate) agent: Arc<AgentEntry>,
    pub(crate) route: Arc<Route>,
    /// Of the material, where it is renewed while it is in use.
    pub(crate) term: Option<Term>,
}

// === impl InjectedRequest ===

impl InjectedRequest {
    /// Opens the material and places it. Waits only where the material is being renewed.
    pub(crate) async fn inject(
        permitted: PermittedRequest,
        source: &dyn MaterialSource,
    ) -> Result<Self, Stop> {
        let PermittedRequest { request, permit } = permitted;
        let mut headers = request.headers;
        let mut target = request.target;
        strip::request(&mut headers);
        headers.remove(HOST);
        stands_nowhere(request.token.bytes(), &headers, &target)?;
        drop(request.token);
        let service = &request.route.service;
        if service.usage.is_some() {
            // Usage is read in passing, and only plain text can be read.
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        let InForce { material, term } = open(permit, source).await?;
        place(&service.auth, &material, &mut headers, &mut target)?;
        drop(material);
        let wanted = target.text.len();
        let target = PathAndQuery::from_maybe_shared(Bytes::from(target.text))
            .map_err(|_| Stop::malformed("the path or query cannot be forwarded as it is"))?;
        if target.as_str().len() != wanted {
            return Err(Stop::malformed("the path or query cannot be forwarded as it is"));
        }
        Ok(Self {
            method: request.method,
            headers,
            target,
            body: request.body,
            agent: request.agent,
            route: request.route,
            term,
        })
    }
}

/// A permit opens the material once.
async fn open(permit: Permit, source: &dyn MaterialSource) -> Result<InForce, Stop> {
    match source.open(permit.credential()) {
        Ok(opened) => opened.wait().await.map_err(refused),
        Err(unavailable) => Err(refused(unavailable)),
    }
}

/// Why there is no material, as the request's end.
pub(crate) fn refused(unavailable: MaterialUnavailable) -> Stop {
    match unavailable {
        MaterialUnavailable::Locked => Stop::new(RefusalCode::VaultLocked, "the vault was locked in between"),
        MaterialUnavailable::Unreadable => {
            Stop::new(RefusalCode::CredentialFrozen, "the credential's material cannot be read")
        }
        MaterialUnavailable::Ended => {
            Stop::new(RefusalCode::CredentialExpired, "the connection must be consented to again")
        }
        MaterialUnavailable::Passing(retry_after_ms) => {
            let mut stop = Stop::new(
                RefusalCode::CredentialExpired,
                "the token has ended and cannot be renewed right now",
            );
            stop.retry_after_ms = Some(retry_after_ms);
            stop
        }
    }
}

/// The agent's token must not reach the upstream, wherever else on the request it was written.
fn stands_nowhere(token: &[u8], headers: &HeaderMap, target: &Target) -> Result<(), Stop> {
    let holds = |text: &[u8]| text.len() >= token.len() && memmem::find(text, token).is_some();
    if headers.values().any(|value| holds(value.as_bytes())) || holds(target.text.as_bytes()) {
        let mut stop = Stop::malformed("the agent token also stands where it would be forwarded");
        stop.hides_path = true;
        return Err(stop);
    }
    Ok(())
}

fn place(
    scheme: &AuthScheme,
    material: &Material,
    headers: &mut HeaderMap,
    target: &mut Target,
) -> Result<(), Stop> {
    let AuthScheme::Query(name) = scheme else { return place_in_head(scheme, material, headers) };
    let key = visible(field(material, Field::Key)?)?;
    let encoded = Secret::from(percent_encode(key));
    // EXPOSE: the parameter's value is what the upstream authenticates by.
    let value = std::str::from_utf8(encoded.expose());
    let value = value.map_err(|_| unplaceable("the material is no text"))?;
    target.push_parameter(name, value);
    Ok(())
}

/// Places material in the headers, also in the place of other material of the same scheme. What stands in the query
/// has no place here and is left alone.
pub(crate) fn place_in_head(
    scheme: &AuthScheme,
    material: &Material,
    headers: &mut HeaderMap,
) -> Result<(), Stop> {
    match scheme {
        AuthScheme::Bearer => {
            let key = visible(field(material, Field::Key)?)?;
            headers.insert(AUTHORIZATION, sensitive(&[b"Bearer ", key])?);
        }
        AuthScheme::Header(name) => {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| unplaceable("the header has no such name"))?;
            let key = visible(field(material, Field::Key)?)?;
            headers.insert(name, sensitive(&[key])?);
        }
        AuthScheme::Basic => {
            let pair = basic(material)?;
            // EXPOSE: the header's value is what the upstream authenticates by.
            let encoded = Secret::from(STANDARD.encode(pair.expose()));
            // EXPOSE: as above.
            headers.insert(AUTHORIZATION, sensitive(&[b"Basic ", encoded.expose()])?);
        }
        AuthScheme::Query(_) => {}
    }
    Ok(())
}

fn field(material: &Material, field: Field) -> Result<&Secret, Stop> {
    material.field(field).ok_or_else(|| unplaceable("the material is not of the kind that the service takes"))
}

/// User name and password with a colon between; a lone key is a user name without password, as some services have it.
fn basic(material: &Material) -> Result<Secret, Stop> {
    let (user, password) = match material.field(Field::Username) {
        Some(user) => (user, Some(field(material, Field::Password)?)),
        None => (field(material, Field::Key)?, None),
    };
    // EXPOSE: joined into the pair that Basic encodes; the pair is again a Secret.
    let (user, password) = (user.expose(), password.map_or(&b""[..], Secret::expose));
    let has_control = |text: &[u8]| text.iter().any(|b| *b < 0x20 || *b == 0x7f);
    if user.contains(&b':') || has_control(user) || has_control(password) {
        return Err(unplaceable("the user name or password holds a character that Basic cannot carry"));
    }
    let len = user.len() + 1 + password.len();
    Ok(Secret::filled_by(len, |out| {
        out[..user.len()].copy_from_slice(user);
        out[user.len()] = b':';
        out[user.len() + 1..].copy_from_slice(password);
    }))
}

/// Material that stands in a header or a query as it is: visible characters only, so that it cannot split anything.
fn visible(secret: &Secret) -> Result<&[u8], Stop> {
    // EXPOSE: checked, then copied once into the request's own buffer.
    let bytes = secret.expose();
    if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_graphic) {
        return Err(unplaceable("the material holds a character that a header cannot carry"));
    }
    Ok(bytes)
}

/// A header value made in one buffer of the right size, marked so that it is never printed or indexed.
fn sensitive(parts: &[&[u8]]) -> Result<HeaderValue, Stop> {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
    for part in parts {
        bytes.extend_from_slice(part);
    }
    let mut value = HeaderValue::from_maybe_shared(Bytes::from(bytes))
        .map_err(|_| unplaceable("the material holds a character that a header cannot carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn percent_encode(bytes: &[u8]) -> Vec<u8> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = Vec::with_capacity(bytes.len() * 3);
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(byte);
        } else {
            encoded.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
    encoded
}

fn unplaceable(reason: &'static str) -> Stop {
    Stop::new(RefusalCode::CredentialFrozen, reason)
}
