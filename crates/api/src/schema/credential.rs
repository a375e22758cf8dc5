//! Credentials: metadata about material, never the material.

use super::SecretInput;
use serde::{Deserialize, Serialize};

/// A credential, in lists and alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct CredentialView {
    /// Unique name.
    pub name: String,
    /// Id.
    pub id: String,
    /// The service's name.
    pub service: String,
    /// The service's name for people.
    pub service_title: String,
    /// `api-key`, `basic`, `oauth` or `jwt-bearer`.
    pub kind: String,
    /// Keyed hash of the material, 16 hex digits.
    pub fingerprint: String,
    /// `active`, `frozen`, `revoked` or `expired`.
    pub state: String,
    /// Counts up with each rotation.
    pub version: u32,
    /// RFC 3339.
    pub created: String,
    /// RFC 3339.
    pub rotated: Option<String>,
    /// RFC 3339.
    pub last_used: Option<String>,
    /// RFC 3339.
    pub expires: Option<String>,
    /// Whole days since the material in force was stored.
    pub age_days: u32,
    /// Names of the agents that hold a grant, with the grant's id.
    pub grants: Vec<CredentialGrantView>,
}

/// One grant on a credential.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct CredentialGrantView {
    /// The grant's id.
    pub grant: String,
    /// The agent's name.
    pub agent: String,
}

/// One earlier or present version of a credential's material.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct CredentialVersionView {
    /// From 1.
    pub version: u32,
    /// RFC 3339.
    pub stored: String,
    /// Keyed hash of the material.
    pub fingerprint: String,
    /// The one in force.
    pub current: bool,
}

/// `credential.add`. `secret` is the key itself, or `{"username":…,"password":…}` as JSON text for kind `basic`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct AddCredentialRequest {
    /// Unique name.
    pub name: String,
    /// The service's name.
    pub service: String,
    /// `api-key` or `basic`; by default what the service asks for.
    #[serde(default)]
    pub kind: Option<String>,
    /// The material.
    pub secret: SecretInput,
    /// RFC 3339 or a date.
    #[serde(default)]
    pub expires: Option<String>,
}

/// `credential.rotate`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct RotateCredentialRequest {
    /// Name or id.
    pub name: String,
    /// The new material, in the shape of `credential.add`.
    pub secret: SecretInput,
    /// RFC 3339 or a date.
    #[serde(default)]
    pub expires: Option<String>,
}

/// Answer to `credential.add` and `credential.rotate`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct CredentialAddedView {
    /// Name.
    pub credential: String,
    /// Id.
    pub id: String,
    /// `api-key` or `basic`.
    pub kind: String,
    /// Keyed hash of the material.
    pub fingerprint: String,
    /// Another credential that holds the same material, if any.
    pub duplicate_of: Option<String>,
}

/// A kind of credential, and the shape its material has on the way in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct KindView {
    /// `api-key` or `basic`.
    pub kind: String,
    /// In one sentence.
    pub about: String,
    /// The shape on stdin: `text`, or the JSON document's fields.
    pub input: String,
}

/// `credential.recognise`: what kind of key a pasted text is. Nothing is stored.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct RecogniseRequest {
    /// The pasted text: a key, or a line `NAME=key`.
    pub secret: SecretInput,
}

/// Answer to `credential.recognise`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct RecognisedView {
    /// The service's name, if its keys look like this.
    pub service: Option<String>,
    /// The service's name for people.
    pub service_title: Option<String>,
    /// What sort of key it is there, as in "project key".
    pub label: Option<String>,
    /// A free name to call the credential.
    pub suggested_name: String,
    /// Whether something was trimmed off: quotes, `NAME=`, white space.
    pub trimmed: bool,
}
