//! Connections in the vault: each the material of one credential, replaced as a whole, on the disk before it is used.
//!
//! Must not know when that happens.

use std::sync::Weak;

use claviger_model::{Credential, CredentialId, CredentialState, Kind, Subject};
use claviger_oauth::{Connection, Hold, Standing, StoreError, TokenStore};
use claviger_secret::{Field, Material, Secret};
use claviger_vault::{Unlocked, WriteError, Writer};
use futures_util::future::BoxFuture;

use super::notes::{self, Note};
use crate::engine::{Change, Done, Engine, Inner, State};
use crate::error::EngineError;

/// One credential's place in the vault.
pub(super) struct VaultStore {
    pub(super) engine: Weak<Inner>,
    pub(super) credential: CredentialId,
}

/// What a connection is as material: its encoding, which no service would take for a key.
pub(super) fn material_of(connection: &Connection) -> Material {
    Material::key(connection.encode())
}

/// The connection that lies in the vault under this id.
pub(super) fn read_connection(
    vault: &Unlocked,
    id: CredentialId,
    version: u32,
) -> Result<Option<Connection>, EngineError> {
    let Some(sealed) = vault.sealed_material(id, version)? else { return Ok(None) };
    let unreadable = || EngineError::Integrity("a connection in the vault cannot be read".into());
    let material = vault.opener().open(&sealed).map_err(|_| unreadable())?;
    let encoded = material.field(Field::Key).ok_or_else(unreadable)?;
    Connection::decode(encoded).map(Some).map_err(|_| unreadable())
}

// === impl Engine ===

impl Engine {
    /// The connection of a credential as it is stored now.
    pub(super) fn stored_connection(&self, id: CredentialId) -> Result<Option<Connection>, EngineError> {
        self.read(|open| {
            let credential = open.book.credential_by_id(id).ok_or_else(|| gone(id))?;
            read_connection(&open.vault, id, credential.version)
        })
    }

    /// Stores a renewed connection. Nothing else changes, so the request path keeps what it has; and it is no use of the
    /// vault by anybody, so the idle lock runs on.
    fn store_renewed(
        &self,
        id: CredentialId,
        material: &Material,
        what: (&'static str, Option<String>),
    ) -> Result<(), EngineError> {
        let mut state = self.unlocked()?;
        let State::Open(open) = &mut *state else { return Err(EngineError::Locked) };
        let credential = open.book.credential_by_id(id).cloned().ok_or_else(|| gone(id))?;
        if credential.state == CredentialState::Revoked {
            return Err(gone(id));
        }
        let now = self.now();
        let detail = match what.1 {
            Some(why) => format!("{}: {why}", credential.name),
            None => credential.name,
        };
        let record = Done::new(what.0, Subject::Credential(id), detail).record(now);
        let log = open.live.log.clone();
        let mut unrecorded = None;
        let written = open.vault.write(now, |writer| {
            if let Err(why) = log.append(&record) {
                unrecorded = Some(why);
                return Err(WriteError::Refused);
            }
            writer.put_material(id, credential.version, material)
        });
        if let Some(why) = unrecorded {
            return Err(why.into());
        }
        written?;
        self.anchor(&open.vault);
        drop(state);
        self.tell(Change::Activity);
        Ok(())
    }

    /// Stores a new connection as a new credential.
    pub(super) fn store_connected(
        &self,
        name: &str,
        service: &str,
        note: &Note,
        connection: &Connection,
    ) -> Result<Credential, EngineError> {
        let material = material_of(connection);
        let now = self.now();
        let fingerprint = self.read(|open| Ok(open.vault.fingerprint(&material)))?;
        self.change(Change::Credentials, |book, writer, _| {
            if book.credentials.iter().any(|credential| credential.name == name) {
                return Err(EngineError::Exists { noun: "credential", name: name.to_owned() });
            }
            let credential = Credential {
                id: CredentialId::from_bytes(claviger_crypto::random_id()),
                name: name.to_owned(),
                service: book.service(service)?.id,
                kind: Kind::Oauth,
                fingerprint,
                version: 1,
                state: CredentialState::Active,
                created_at: now,
                rotated_at: None,
                expires_at: None,
            };
            writer.put(&credential)?;
            put(writer, &credential, &material, note)?;
            book.credentials.push(credential.clone());
            let done = Done::new("oauth.connect", Subject::Credential(credential.id), &credential.name);
            Ok((credential, done))
        })
    }

    /// Stores a new consent's connection in the place of the one before.
    pub(super) fn store_reconnected(
        &self,
        id: CredentialId,
        note: &Note,
        connection: &Connection,
    ) -> Result<Credential, EngineError> {
        let material = material_of(connection);
        let now = self.now();
        let fingerprint = self.read(|open| Ok(open.vault.fingerprint(&material)))?;
        self.change(Change::Credentials, |book, writer, live| {
            let place = book.credentials.iter_mut().find(|credential| credential.id == id);
            let credential = place.filter(|c| c.state != CredentialState::Revoked).ok_or_else(|| gone(id))?;
            credential.fingerprint = fingerprint;
            credential.rotated_at = Some(now);
            let credential = credential.clone();
            writer.put(&credential)?;
            put(writer, &credential, &material, note)?;
            live.wanted.forget(id);
            let done = Done::new("oauth.reconnect", Subject::Credential(id), &credential.name);
            Ok((credential, done))
        })
    }
}

fn put(
    writer: &mut Writer<'_>,
    credential: &Credential,
    material: &Material,
    note: &Note,
) -> Result<(), EngineError> {
    writer.put_material(credential.id, credential.version, material)?;
    notes::put_note(writer, credential.id, note)?;
    Ok(())
}

fn gone(id: CredentialId) -> EngineError {
    EngineError::NotFound { noun: "credential", name: id.to_string() }
}

// === impl VaultStore ===

impl VaultStore {
    /// Runs vault work where it may wait for the disk.
    async fn with_engine<R: Send + 'static>(
        &self,
        work: impl FnOnce(Engine) -> Result<R, EngineError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let inner = self.engine.upgrade().ok_or(StoreError::Locked)?;
        let done = tokio::task::spawn_blocking(move || work(Engine { inner })).await;
        done.map_err(|_| StoreError::Unavailable)?.map_err(|why| match why {
            EngineError::Locked | EngineError::Absent => StoreError::Locked,
            EngineError::NotFound { .. } => StoreError::Gone,
            other => {
                tracing::error!(why = %other, "a connection cannot be read or written");
                StoreError::Unavailable
            }
        })
    }
}

impl TokenStore for VaultStore {
    fn hold(&self) -> BoxFuture<'_, Result<Hold, StoreError>> {
        // The vault's file is held by this process alone, and in it each connection has one keeper.
        let hold: Hold = Box::new(());
        Box::pin(std::future::ready(Ok(hold)))
    }

    fn load(&self) -> BoxFuture<'_, Result<Connection, StoreError>> {
        let id = self.credential;
        Box::pin(async move {
            let stored = self.with_engine(move |engine| engine.stored_connection(id)).await?;
            stored.ok_or(StoreError::Gone)
        })
    }

    fn commit<'a>(&'a self, connection: &'a Connection) -> BoxFuture<'a, Result<(), StoreError>> {
        let id = self.credential;
        let what = match &connection.facts.standing {
            Standing::Live => ("oauth.renew", None),
            Standing::Broken { why, .. } => ("oauth.break", Some(why.to_string())),
            Standing::Revoking { .. } => ("oauth.give_back", None),
        };
        let encoded: Secret = connection.encode();
        Box::pin(async move {
            self.with_engine(move |engine| engine.store_renewed(id, &Material::key(encoded), what)).await
        })
    }
}
