//! Credentials: metadata about material, never the material.

use crate::{CredentialId, ServiceId, Timestamp};
use serde::{Deserialize, Serialize};

/// Metadata and a reference to material.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Its id.
    pub id: CredentialId,
    /// Unique among credentials.
    pub name: String,
    /// The service that it is for.
    pub service: ServiceId,
    /// What its material consists of.
    pub kind: Kind,
    /// Keyed hash of the material, shown so that people can tell keys apart: 16 hex digits.
    pub fingerprint: String,
    /// Counts up with each rotation, from 1.
    pub version: u32,
    /// Whether it may be used.
    pub state: CredentialState,
    /// When it was added.
    pub created_at: Timestamp,
    /// When its material was last replaced.
    pub rotated_at: Option<Timestamp>,
    /// After this moment it is refused.
    pub expires_at: Option<Timestamp>,
}

/// What a credential's material consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// One key or token; the service says where it goes.
    ApiKey,
    /// User name and password (RFC 7617).
    Basic,
    /// What one OAuth consent brought: tokens that are renewed while they are in use.
    Oauth,
    /// A private key and what the tokens say that it signs (RFC 7519, RFC 7523).
    JwtBearer,
}

/// Whether a credential may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialState {
    /// May be used.
    Active,
    /// Refused until it is unfrozen.
    Frozen,
    /// Refused for ever; the material is gone.
    Revoked,
}

impl Kind {
    /// The name in commands and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApiKey => "api-key",
            Self::Basic => "basic",
            Self::Oauth => "oauth",
            Self::JwtBearer => "jwt-bearer",
        }
    }
}
