//! Looking into a pasted token. It is decoded here, stored nowhere, and nothing in it is believed.

use super::SecretInput;
use serde::{Deserialize, Serialize};

/// `token.inspect`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct InspectRequest {
    /// The token.
    pub token: SecretInput,
}

/// What a token is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum TokenShape {
    /// A JSON Web Token (RFC 7519).
    Jwt,
    /// Nothing that can be read from outside.
    Opaque,
}

/// Answer to `token.inspect`. The signature is not checked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct InspectedView {
    /// What it is made of.
    pub kind: TokenShape,
    /// Its header's fields; empty for an opaque one.
    pub header: Vec<ClaimView>,
    /// Its claims.
    pub claims: Vec<ClaimView>,
    /// Scopes that it names.
    pub scopes: Vec<String>,
    /// Who made it.
    pub issuer: Option<String>,
    /// About whom it speaks.
    pub subject: Option<String>,
    /// For whom it is.
    pub audience: Vec<String>,
    /// RFC 3339.
    pub issued: Option<String>,
    /// RFC 3339.
    pub expires: Option<String>,
    /// Its algorithm, and the key's id if it names one.
    pub signed_by: Option<String>,
}

/// One field of a token.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ClaimView {
    /// As in `exp`.
    pub name: String,
    /// As it stands there: text, or JSON; at most 240 characters.
    pub value: String,
    /// What it means, where that is known.
    pub words: Option<String>,
}
