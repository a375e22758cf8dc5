//! Services: named external APIs and how they want to be authenticated to.

use crate::ServiceId;
use serde::{Deserialize, Serialize};

/// A named external API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its id.
    pub id: ServiceId,
    /// Unique among services; a short lower-case word.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Scheme, host, port and path prefix that every request goes to.
    pub base_url: String,
    /// Where material goes on a request.
    pub auth: AuthScheme,
    /// The explicit word that this upstream may be loopback or private.
    pub allow_private: bool,
    /// PEM certificates trusted for this service alone, in place of the system's.
    pub ca_pem: Option<String>,
    /// Whether `%2F` may stand inside a path segment (GitLab's project ids).
    pub encoded_slash: bool,
    /// How token usage stands in this service's answers.
    pub usage: Option<UsageShape>,
    /// Whether it comes from the catalogue.
    pub built_in: bool,
    /// What is spoken at the base URL.
    #[serde(default)]
    pub protocol: Protocol,
}

/// What is spoken at a service's base URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// An API with many paths below the base URL.
    #[default]
    Http,
    /// The base URL is the one endpoint of a remote MCP server (streamable HTTP).
    Mcp,
}

/// Where material goes on a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthScheme {
    /// `Authorization: Bearer MATERIAL` (RFC 6750).
    Bearer,
    /// `Authorization: Basic base64(user:password)` (RFC 7617).
    Basic,
    /// The named header, whose value is the material alone.
    Header(String),
    /// The named query parameter.
    Query(String),
}

/// Whose way of writing token usage an API follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UsageShape {
    /// `usage` with `prompt_tokens` (chat, embeddings) or `input_tokens` (responses); cached inside input.
    OpenAi,
    /// `usage` with `input_tokens`; cached tokens stand outside it; `message_delta` is cumulative.
    Anthropic,
    /// `usageMetadata`; cached inside the prompt, thoughts outside the candidates.
    Gemini,
    /// Whichever of these the answer's own fields show; for services of the user's own.
    Detect,
}

/// The text names no way of authenticating.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a way to authenticate; write bearer, basic, header:NAME or query:NAME")]
pub struct AuthSchemeError(());

// === impl AuthScheme ===

impl std::fmt::Display for AuthScheme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bearer => f.write_str("bearer"),
            Self::Basic => f.write_str("basic"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
        }
    }
}

impl std::str::FromStr for AuthScheme {
    type Err = AuthSchemeError;

    fn from_str(text: &str) -> Result<Self, AuthSchemeError> {
        let token = |name: &str| {
            let ok = !name.is_empty()
                && name.len() <= 64
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
            ok.then(|| name.to_owned()).ok_or(AuthSchemeError(()))
        };
        match text.split_once(':') {
            None if text == "bearer" => Ok(Self::Bearer),
            None if text == "basic" => Ok(Self::Basic),
            Some(("header", name)) => {
                let name = token(name)?.to_ascii_lowercase();
                // These steer the connection or are ours to set; material in them would be lost or leak.
                const RESERVED: [&str; 8] = [
                    "host",
                    "connection",
                    "content-length",
                    "transfer-encoding",
                    "te",
                    "trailer",
                    "upgrade",
                    "proxy-authorization",
                ];
                if RESERVED.contains(&name.as_str()) {
                    Err(AuthSchemeError(()))
                } else {
                    Ok(Self::Header(name))
                }
            }
            Some(("query", name)) => token(name).map(Self::Query),
            _ => Err(AuthSchemeError(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_read_back_as_written() {
        for text in ["bearer", "basic", "header:x-api-key", "query:key"] {
            assert_eq!(text.parse::<AuthScheme>().unwrap().to_string(), text, "{text} round-trips");
        }
        for bad in
            ["", "Bearer", "header:", "header:a b", "header:host", "query:a&b", "digest", "header:x\r\ny"]
        {
            assert!(bad.parse::<AuthScheme>().is_err(), "{bad:?} was accepted");
        }
    }
}
