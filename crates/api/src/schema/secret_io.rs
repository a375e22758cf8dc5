//! The two doors that secrets pass on this boundary: in by [`SecretInput`], out, once, by [`ShownOnce`].

use claviger_secret::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A secret that comes in. It can be read from JSON and never written to it.
#[derive(Debug)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, type = "string"))]
pub struct SecretInput(#[cfg_attr(test, ts(skip))] Secret);

/// A value made here that its owner must see exactly once: a new agent token, a new recovery key.
#[derive(Debug)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, type = "string"))]
pub struct ShownOnce(#[cfg_attr(test, ts(skip))] Secret);

impl SecretInput {
    /// The secret.
    pub fn into_secret(self) -> Secret {
        self.0
    }
}

impl From<Secret> for SecretInput {
    fn from(secret: Secret) -> Self {
        Self(secret)
    }
}

impl<'de> Deserialize<'de> for SecretInput {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(Secret::from(text)))
    }
}

impl ShownOnce {
    /// Marks a secret as one to be shown now.
    pub fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// The secret.
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

impl Serialize for ShownOnce {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        // EXPOSE: the one answer in which its owner sees it.
        let text = std::str::from_utf8(self.0.expose()).map_err(serde::ser::Error::custom)?;
        to.serialize_str(text)
    }
}
