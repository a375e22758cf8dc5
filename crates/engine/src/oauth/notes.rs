//! What the vault holds about connections beside their material: how consent was given, which redirect URI was
//! registered, what is still to be given back. Sealed as settings; no secret is among it.
//!
//! Must not know the network.

use std::collections::BTreeMap;

use claviger_model::{CredentialId, ServiceId, Timestamp};
use claviger_vault::{Unlocked, WriteError, Writer};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::flow::FlowKind;
use crate::error::EngineError;

const QUEUE: &str = "oauth/give-back";
const REDIRECTS: &str = "oauth/redirects";

/// How a connection was made, so that it can be made again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) kind: FlowKind,
    /// As it was registered.
    pub(super) redirect_uri: Option<String>,
    /// We registered the app ourselves, and may do so again for other scopes.
    #[serde(default)]
    pub(super) is_registered: bool,
}

/// Tokens that are being given back, or were.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Returned {
    /// Under which id the connection lies while it waits.
    pub(super) lies_at: CredentialId,
    /// Whose it was.
    pub(super) credential: CredentialId,
    pub(super) name: String,
    pub(super) service: ServiceId,
    pub(super) issuer: String,
    pub(super) kind: FlowKind,
    pub(super) begun_at: Timestamp,
    /// When it is tried next; none when it is over.
    pub(super) next: Option<Timestamp>,
    /// How it ended.
    pub(super) end: Option<End>,
}

/// How giving tokens back ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum End {
    Confirmed,
    NotOffered,
    Refused(String),
}

pub(super) fn note_of(vault: &Unlocked, credential: CredentialId) -> Result<Option<Note>, EngineError> {
    read(vault, &note_name(credential))
}

pub(super) fn put_note(
    writer: &mut Writer<'_>,
    credential: CredentialId,
    note: &Note,
) -> Result<(), WriteError> {
    put(writer, &note_name(credential), note)
}

pub(super) fn remove_note(writer: &mut Writer<'_>, credential: CredentialId) -> Result<(), WriteError> {
    writer.remove_setting(&note_name(credential))
}

pub(super) fn queue(vault: &Unlocked) -> Result<Vec<Returned>, EngineError> {
    Ok(read(vault, QUEUE)?.unwrap_or_default())
}

pub(super) fn put_queue(writer: &mut Writer<'_>, queue: &[Returned]) -> Result<(), WriteError> {
    put(writer, QUEUE, &queue)
}

/// Ports of redirect URIs that were told, by connection name.
pub(super) fn redirects(vault: &Unlocked) -> Result<BTreeMap<String, u16>, EngineError> {
    Ok(read(vault, REDIRECTS)?.unwrap_or_default())
}

pub(super) fn put_redirects(
    writer: &mut Writer<'_>,
    redirects: &BTreeMap<String, u16>,
) -> Result<(), WriteError> {
    put(writer, REDIRECTS, redirects)
}

fn note_name(credential: CredentialId) -> String {
    format!("oauth/{credential}")
}

fn read<T: DeserializeOwned>(vault: &Unlocked, name: &str) -> Result<Option<T>, EngineError> {
    let Some(bytes) = vault.setting(name)? else { return Ok(None) };
    // EXPOSE: facts about connections; no secret is among them.
    let read = serde_json::from_slice(bytes.expose());
    read.map(Some).map_err(|_| EngineError::Integrity(format!("the vault's {name} cannot be read")))
}

fn put<T: Serialize>(writer: &mut Writer<'_>, name: &str, value: &T) -> Result<(), WriteError> {
    let bytes = serde_json::to_vec(value).map_err(|_| WriteError::TooLarge)?;
    writer.put_setting(name, &bytes)
}
