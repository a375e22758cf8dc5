//! A signed token for the one that a service takes: at a token endpoint (RFC 7523), or for a GitHub App's installation.
//!
//! Must not know keys. Every byte that comes back is hostile.

use std::sync::Arc;

use claviger_model::Timestamp;
use claviger_oauth::http::{Http, HttpError, Method, Request, Response};
use claviger_oauth::{Endpoint, EndpointError, Reach, Shown};
use claviger_secret::Secret;
use serde_json::{Map, Value};

use super::recipe::Exchange;

const LONGEST_TOKEN: usize = 16 * 1024;
/// What is believed of a life that a server states.
const LONGEST_LIFE: i64 = 86_400;
/// Used for this long where a server does not say.
const UNSTATED_LIFE: i64 = 300;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("the URL is not accepted: {0}")]
    Endpoint(#[from] EndpointError),
    #[error("the server refused with status {status}: {words}")]
    Refused { status: u16, words: Shown },
    #[error("the server's answer is malformed")]
    Malformed,
}

// === impl Failure ===

impl Failure {
    /// Whether the same request may succeed later without anybody doing anything.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Http(why) => !matches!(why, HttpError::AddressRefused | HttpError::Unsendable),
            Self::Refused { status, .. } => matches!(status, 408 | 429 | 500..=599),
            Self::Malformed => true,
            Self::Endpoint(_) => false,
        }
    }
}

/// Gives the assertion for a token. Says when it ends.
pub(super) async fn ask(
    http: &Arc<dyn Http>,
    reach: Reach,
    exchange: &Exchange,
    assertion: Secret,
    now: Timestamp,
) -> Result<(Secret, Timestamp), Failure> {
    let url = exchange.url();
    match exchange {
        Exchange::Oauth { .. } => {
            const HEAD: &[u8] =
                b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
            // A JSON Web Token has no character that a form would have to encode.
            let form = joined(HEAD, &assertion);
            let body = Some(("application/x-www-form-urlencoded", form));
            let object = send(http, reach, &url, Vec::new(), body).await?;
            if !object
                .get("token_type")
                .and_then(Value::as_str)
                .is_some_and(|t| t.eq_ignore_ascii_case("bearer"))
            {
                return Err(Failure::Malformed);
            }
            let life = match object.get("expires_in") {
                None | Some(Value::Null) => UNSTATED_LIFE,
                Some(life) => {
                    life.as_i64().filter(|s| (1..=LONGEST_LIFE).contains(s)).ok_or(Failure::Malformed)?
                }
            };
            Ok((token(object, "access_token")?, Timestamp(now.0 + life * 1000)))
        }
        Exchange::GithubApp { .. } => {
            let headers = vec![
                ("authorization", joined(b"Bearer ", &assertion)),
                ("user-agent", Secret::from(b"claviger".to_vec())),
            ];
            let object =
                send(http, reach, &url, headers, Some(("application/json", Secret::from(Vec::new()))))
                    .await?;
            let ends = object.get("expires_at").and_then(Value::as_str).and_then(Timestamp::parse);
            let latest = Timestamp(now.0 + LONGEST_LIFE * 1000);
            let ends = ends.filter(|at| *at > now && *at <= latest).ok_or(Failure::Malformed)?;
            Ok((token(object, "token")?, ends))
        }
    }
}

fn joined(head: &[u8], secret: &Secret) -> Secret {
    Secret::filled_by(head.len() + secret.len(), |out| {
        out[..head.len()].copy_from_slice(head);
        // EXPOSE: copied into the request that it is for, which is itself a Secret.
        out[head.len()..].copy_from_slice(secret.expose());
    })
}

async fn send(
    http: &Arc<dyn Http>,
    reach: Reach,
    url: &str,
    headers: Vec<(&'static str, Secret)>,
    body: Option<(&'static str, Secret)>,
) -> Result<Map<String, Value>, Failure> {
    let mut request = Request::get(Endpoint::parse(url, reach)?, reach);
    request.method = Method::Post;
    request.headers.extend(headers);
    request.body = body;
    let response = http.send(request).await?;
    // EXPOSE: parsed; the token in it becomes a Secret again.
    let object = serde_json::from_slice::<Map<String, Value>>(response.body.expose());
    match (response.status, object) {
        (200 | 201, Ok(object)) if !object.contains_key("error") => Ok(object),
        (200 | 201, Err(_)) => Err(Failure::Malformed),
        (status, object) => Err(Failure::Refused { status, words: words(&response, object.ok().as_ref()) }),
    }
}

/// What a server says about a refusal, cleaned.
fn words(response: &Response, object: Option<&Map<String, Value>>) -> Shown {
    let said = ["error_description", "message", "error"].iter().find_map(|name| object?.get(*name)?.as_str());
    match said {
        Some(said) => Shown::clean(said),
        None => Shown::clean(&format!("{} bytes of something else", response.body.len())),
    }
}

fn token(mut object: Map<String, Value>, field: &str) -> Result<Secret, Failure> {
    let Some(Value::String(token)) = object.remove(field) else { return Err(Failure::Malformed) };
    let is_token =
        !token.is_empty() && token.len() <= LONGEST_TOKEN && token.bytes().all(|b| b.is_ascii_graphic());
    let token = Secret::from(token);
    if is_token { Ok(token) } else { Err(Failure::Malformed) }
}
