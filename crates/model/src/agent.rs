//! Agents: program identities that may call through the proxy. Holds hashes of tokens, never tokens.

use crate::{AgentId, Timestamp};
use serde::{Deserialize, Serialize};

/// A program identity that may call through the proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// Unique among agents.
    pub name: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// The token in force; `None` after revocation.
    pub token: Option<TokenInfo>,
    /// Short-lived tokens made for one `claviger run` each, beside the token in force.
    #[serde(default)]
    pub run_tokens: Vec<TokenInfo>,
    /// While set, every request is refused but the token stays.
    pub paused: bool,
}

/// What is kept about an agent token. The row is the authority, the token only its carrier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenInfo {
    /// The token's `jti`.
    pub jti: String,
    /// SHA-256 of the whole token.
    pub hash: TokenHash,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// SHA-256 of an agent token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokenHash(pub [u8; 32]);
