//! Giving tokens back: at once where the server answers, later where it does not, also after a restart.
//!
//! Must not know how a server is asked.

use std::sync::{Arc, Weak};
use std::time::Duration;

use claviger_model::{Credential, CredentialId, CredentialState, Kind, Subject, Timestamp};
use claviger_oauth::http::Http;
use claviger_oauth::{Connection, Revocation, Standing};
use claviger_vault::WriteError;

use super::Session;
use super::flow::FlowKind;
use super::notes::{self, End, Returned};
use super::store::{material_of, read_connection};
use crate::Book;
use crate::engine::{Change, Done, Engine, Inner, State};
use crate::error::EngineError;
use crate::live::wall_clock;

/// What is waited for is looked at this often, also when nothing is due: clocks jump.
const LONGEST_NAP: Duration = Duration::from_secs(60);
/// What a version of the vault of its own is under which a waiting connection lies.
const ONLY_VERSION: u32 = 1;

/// How giving tokens back stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationState {
    /// The server confirmed.
    Done,
    /// The server offers none.
    NotOffered,
    /// The server will not.
    Refused,
    /// The server cannot be asked right now.
    Pending,
}

/// A connection to be given back, and the network by which its server is reached.
type Waiting = (Connection, Arc<dyn Http>);

/// What ends with a credential.
enum Ending {
    /// It stays, as one that was revoked.
    Revoked,
    /// It goes, with its grants.
    Removed,
}

// === impl Engine ===

impl Engine {
    /// Ends a connection: its tokens are given back, and our own copies go. Waits for one try.
    pub fn oauth_disconnect(&self, name: &str) -> Result<RevocationState, EngineError> {
        let credential = self.read(|open| Ok(open.book.credential(name)?.clone()))?;
        if credential.kind != Kind::Oauth {
            return Err(EngineError::Invalid(format!("credential {name:?} is no OAuth connection")));
        }
        if credential.state == CredentialState::Revoked {
            let queue = self.read(|open| notes::queue(&open.vault))?;
            let returned = queue.iter().find(|returned| returned.credential == credential.id);
            return Ok(returned.map_or(RevocationState::Done, Returned::state));
        }
        let Some(lies_at) = self.end_connection(&credential, &Ending::Revoked)? else {
            return Ok(RevocationState::Done);
        };
        let engine = self.clone();
        let tried = self.wait_for(async move { engine.give_back_one(lies_at).await })?;
        self.give_back_soon();
        tried
    }

    /// Ends a connection as part of revoking its credential. The server is told as soon as it can be.
    pub(crate) fn revoke_connection(&self, credential: &Credential) -> Result<(), EngineError> {
        self.end_connection(credential, &Ending::Revoked)?;
        self.give_back_soon();
        Ok(())
    }

    /// Ends a connection as part of removing its credential.
    pub(crate) fn remove_connection(&self, credential: &Credential) -> Result<(), EngineError> {
        self.end_connection(credential, &Ending::Removed)?;
        self.give_back_soon();
        Ok(())
    }

    /// In one transaction the connection leaves its credential and waits to be given back. Says where it lies.
    fn end_connection(
        &self,
        credential: &Credential,
        ending: &Ending,
    ) -> Result<Option<CredentialId>, EngineError> {
        let id = credential.id;
        self.close_keeper(id)?;
        let ended = self.end_closed(credential, ending);
        if ended.is_err() {
            self.keep_stored(id);
        }
        ended
    }

    fn end_closed(
        &self,
        credential: &Credential,
        ending: &Ending,
    ) -> Result<Option<CredentialId>, EngineError> {
        let (id, now) = (credential.id, self.now());
        // One that cannot be read cannot be given back, and must still be got rid of.
        let connection = self.stored_connection(id).unwrap_or_else(|why| {
            tracing::error!(%why, "a connection that ends cannot be given back");
            None
        });
        let (note, mut queue) =
            self.read(|open| Ok((notes::note_of(&open.vault, id)?, notes::queue(&open.vault)?)))?;
        let lies_at = CredentialId::from_bytes(claviger_crypto::random_id());
        let leaving = connection.map(|connection| connection.begin_revocation(now));
        queue.extend(leaving.as_ref().map(|connection| Returned {
            lies_at,
            credential: id,
            name: credential.name.clone(),
            service: credential.service,
            issuer: connection.facts.issuer.to_string(),
            kind: note.map_or(FlowKind::Code, |note| note.kind),
            begun_at: now,
            next: Some(now),
            end: None,
        }));
        self.change(Change::Credentials, |book, writer, _| {
            writer.remove_material(id)?;
            notes::remove_note(writer, id)?;
            let what = match ending {
                Ending::Revoked => {
                    let place = book.credentials.iter_mut().find(|credential| credential.id == id);
                    let place = place.ok_or_else(|| EngineError::NotFound {
                        noun: "credential",
                        name: credential.name.clone(),
                    })?;
                    place.state = CredentialState::Revoked;
                    writer.put(&place.clone())?;
                    "oauth.disconnect"
                }
                Ending::Removed => {
                    for grant in book.grants_on(id) {
                        writer.remove::<claviger_model::Grant>(grant.id)?;
                    }
                    writer.remove::<Credential>(id)?;
                    book.grants.retain(|grant| grant.credential != id);
                    book.credentials.retain(|other| other.id != id);
                    "credential.remove"
                }
            };
            if let Some(connection) = &leaving {
                writer.put_material(lies_at, ONLY_VERSION, &material_of(connection))?;
            }
            prune(&mut queue, book);
            notes::put_queue(writer, &queue)?;
            Ok(((), Done::new(what, Subject::Credential(id), &credential.name)))
        })?;
        self.tell(Change::Oauth);
        Ok(leaving.map(|_| lies_at))
    }

    fn give_back_soon(&self) {
        if let Ok(session) = self.inner.oauth.session() {
            session.revoke_now.notify_one();
        }
    }

    /// One try to give one connection back.
    async fn give_back_one(&self, lies_at: CredentialId) -> Result<RevocationState, EngineError> {
        let engine = self.clone();
        let taken = blocking(move || engine.waiting(lies_at)).await?;
        let Some((connection, http)) = taken else { return Ok(RevocationState::Done) };
        let outcome = connection.revoke(&http, wall_clock()).await;
        let engine = self.clone();
        blocking(move || engine.note_outcome(lies_at, outcome)).await
    }

    fn waiting(&self, lies_at: CredentialId) -> Result<Option<Waiting>, EngineError> {
        let found = self.read(|open| {
            let queue = notes::queue(&open.vault)?;
            let Some(returned) = queue.into_iter().find(|r| r.lies_at == lies_at && r.end.is_none()) else {
                return Ok(None);
            };
            let service = open.book.service_by_id(returned.service).cloned();
            Ok(read_connection(&open.vault, lies_at, ONLY_VERSION)?.map(|connection| (connection, service)))
        })?;
        Ok(found.map(|(connection, service)| (connection, self.net_of(service.as_ref()))))
    }

    /// Writes down what came of a try: the connection waits on, or its last copy goes.
    fn note_outcome(
        &self,
        lies_at: CredentialId,
        outcome: Revocation,
    ) -> Result<RevocationState, EngineError> {
        let mut state = self.unlocked()?;
        let State::Open(open) = &mut *state else { return Err(EngineError::Locked) };
        let mut queue = notes::queue(&open.vault)?;
        let Some(returned) = queue.iter_mut().find(|returned| returned.lies_at == lies_at) else {
            return Ok(RevocationState::Done);
        };
        let waits = match outcome {
            Revocation::Done => Err(End::Confirmed),
            Revocation::NotOffered => Err(End::NotOffered),
            Revocation::Refused(why) => Err(End::Refused(why.to_string())),
            Revocation::Pending(connection) => Ok(connection),
        };
        let (what, detail) = match &waits {
            Ok(_) => ("oauth.give_back_later", returned.name.clone()),
            Err(End::Confirmed) => ("oauth.given_back", returned.name.clone()),
            Err(End::NotOffered) => ("oauth.not_given_back", format!("{}: not offered", returned.name)),
            Err(End::Refused(why)) => ("oauth.not_given_back", format!("{}: {why}", returned.name)),
        };
        match &waits {
            Ok(connection) => returned.next = Some(next_try(connection)),
            Err(end) => (returned.next, returned.end) = (None, Some(end.clone())),
        }
        let told = returned.state();
        let credential = returned.credential;
        let now = self.now();
        let record = Done::new(what, Subject::Credential(credential), detail).record(now);
        prune(&mut queue, &open.book);
        let log = open.live.log.clone();
        open.vault.write(now, |writer| {
            log.append(&record).map_err(|_| WriteError::Refused)?;
            match &waits {
                Ok(connection) => writer.put_material(lies_at, ONLY_VERSION, &material_of(connection))?,
                Err(_) => writer.remove_material(lies_at)?,
            }
            notes::put_queue(writer, &queue)
        })?;
        self.anchor(&open.vault);
        drop(state);
        self.tell(Change::Oauth);
        self.tell(Change::Activity);
        Ok(told)
    }

    /// What is due now, and when the next one is.
    fn due(&self) -> Result<(Vec<CredentialId>, Option<Timestamp>), EngineError> {
        let now = self.now();
        let queue = self.read(|open| notes::queue(&open.vault))?;
        let waiting = || queue.iter().filter_map(|r| Some((r.lies_at, r.next?)));
        let due = waiting().filter(|(_, next)| *next <= now).map(|(id, _)| id).collect();
        Ok((due, waiting().map(|(_, next)| next).filter(|next| *next > now).min()))
    }
}

/// Gives back what waits, from unlocking to locking.
pub(super) async fn go_on(engine: Weak<Inner>, session: Session) {
    loop {
        let nap = {
            let Some(inner) = engine.upgrade() else { return };
            let engine = Engine { inner };
            let looker = engine.clone();
            let Ok((due, next)) = blocking(move || looker.due()).await else { return };
            for lies_at in due {
                tokio::select! {
                    () = session.stop.cancelled() => return,
                    tried = engine.give_back_one(lies_at) => {
                        if let Err(why) = tried {
                            tracing::warn!(%why, "tokens could not be given back for now");
                        }
                    }
                }
            }
            let until = next.map_or(i64::MAX, |next| next.0.saturating_sub(wall_clock().0)).max(1_000);
            Duration::from_millis(until.unsigned_abs()).min(LONGEST_NAP)
        };
        tokio::select! {
            () = session.stop.cancelled() => return,
            () = session.revoke_now.notified() => {}
            () = tokio::time::sleep(nap) => {}
        }
    }
}

async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, EngineError> + Send + 'static,
) -> Result<R, EngineError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(EngineError::Unavailable("the vault's work broke off".into())))
}

/// What ended is told as long as its credential is there to tell it of.
fn prune(queue: &mut Vec<Returned>, book: &Book) {
    queue.retain(|returned| returned.end.is_none() || book.credential_by_id(returned.credential).is_some());
}

fn next_try(connection: &Connection) -> Timestamp {
    match connection.facts.standing {
        Standing::Revoking { next, .. } => next,
        _ => wall_clock(),
    }
}

// === impl Returned ===

impl Returned {
    pub(super) fn state(&self) -> RevocationState {
        match self.end {
            None => RevocationState::Pending,
            Some(End::Confirmed) => RevocationState::Done,
            Some(End::NotOffered) => RevocationState::NotOffered,
            Some(End::Refused(_)) => RevocationState::Refused,
        }
    }
}
