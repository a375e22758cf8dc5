//! Fake doors that remember everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use claviger_model::{
    AgentId, Completion, CredentialId, EventId, Outcome, Refusal, RefusalCode, Release, Timestamp,
};
use claviger_proxy::ports::{
    MaterialSource, MaterialUnavailable, RecordUnavailable, Recorder, ReleaseKey, TokenRefusal, Tokens,
    World, Written,
};
use claviger_secret::Material;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{AGENT, OTHER_AGENT, OTHER_TOKEN, TOKEN};

pub(crate) const NOW: Timestamp = Timestamp(1_795_255_200_000);

/// All four doors.
#[derive(Clone)]
pub(crate) struct Doors(Arc<Inner>);

struct Inner {
    ids: AtomicU64,
    material: fn() -> Material,
    pub(crate) book: Mutex<Book>,
    behaviour: Mutex<Behaviour>,
}

/// Everything that was recorded.
#[derive(Default, Debug)]
pub(crate) struct Book {
    pub(crate) releases: Vec<Release>,
    pub(crate) completions: Vec<(ReleaseKey, Completion)>,
    pub(crate) refusals: Vec<Refusal>,
    /// What services said that credentials lack.
    pub(crate) shortfalls: Vec<(ReleaseKey, String)>,
}

#[derive(Default)]
struct Behaviour {
    record_fails: bool,
    record_later: Option<oneshot::Receiver<bool>>,
    material: Option<MaterialUnavailable>,
    material_panics: bool,
}

// === impl Doors ===

impl Doors {
    pub(crate) fn new(material: fn() -> Material) -> Self {
        Self(Arc::new(Inner {
            ids: AtomicU64::new(1),
            material,
            book: Mutex::new(Book::default()),
            behaviour: Mutex::new(Behaviour::default()),
        }))
    }

    pub(crate) fn record_fails(&self) {
        self.0.behaviour.lock().record_fails = true;
    }

    pub(crate) fn record_later(&self, done: oneshot::Receiver<bool>) {
        self.0.behaviour.lock().record_later = Some(done);
    }

    pub(crate) fn material_is(&self, unavailable: MaterialUnavailable) {
        self.0.behaviour.lock().material = Some(unavailable);
    }

    pub(crate) fn material_panics(&self) {
        self.0.behaviour.lock().material_panics = true;
    }

    pub(crate) fn book(&self) -> parking_lot::MutexGuard<'_, Book> {
        self.0.book.lock()
    }

    pub(crate) fn take(&self) -> Book {
        std::mem::take(&mut *self.0.book.lock())
    }

    /// Waits for so many completions.
    pub(crate) async fn completions(&self, count: usize) -> Vec<Completion> {
        super::eventually(&format!("{count} completions"), || self.book().completions.len() >= count).await;
        self.book().completions.iter().map(|(_, c)| c.clone()).collect()
    }

    /// Asserts that exactly one refusal with this code and nothing else is on record.
    pub(crate) fn only_refusal(&self, what: &str, code: RefusalCode) -> Refusal {
        let book = self.take();
        assert_eq!(book.releases, [], "{what}: a credential was released");
        assert_eq!(book.completions, [], "{what}: something was completed");
        assert_eq!(book.refusals.len(), 1, "{what}: {:#?}", book.refusals);
        let refusal = book.refusals.into_iter().next().unwrap();
        assert_eq!(refusal.code, code, "{what}: {refusal:?}");
        refusal
    }
}

impl Book {
    pub(crate) fn outcomes(&self) -> Vec<Outcome> {
        self.completions.iter().map(|(_, c)| c.outcome).collect()
    }
}

impl Tokens for Doors {
    fn check(&self, token: &[u8], _: Timestamp) -> Result<AgentId, TokenRefusal> {
        match std::str::from_utf8(token) {
            Ok(TOKEN) => Ok(AGENT),
            Ok(OTHER_TOKEN) => Ok(OTHER_AGENT),
            Ok("tok-expired-0123456789abcdef") => Err(TokenRefusal { reason: "expired", agent: Some(AGENT) }),
            Ok("tok-revoked-0123456789abcdef") => Err(TokenRefusal { reason: "revoked", agent: Some(AGENT) }),
            Ok("tok-of-nobody-0123456789abcdef") => Ok(AgentId::from_bytes([77; 16])),
            _ => Err(TokenRefusal { reason: "unknown token", agent: None }),
        }
    }
}

impl MaterialSource for Doors {
    fn open(&self, _: CredentialId) -> Result<Material, MaterialUnavailable> {
        let behaviour = self.0.behaviour.lock();
        assert!(!behaviour.material_panics, "a panic in a door, on purpose");
        match behaviour.material {
            Some(unavailable) => Err(unavailable),
            None => Ok((self.0.material)()),
        }
    }
}

impl Recorder for Doors {
    fn release(&self, record: Release) -> Result<Written, RecordUnavailable> {
        let mut behaviour = self.0.behaviour.lock();
        if behaviour.record_fails {
            return Err(RecordUnavailable);
        }
        if let Some(done) = behaviour.record_later.take() {
            return Ok(Written::Later(done));
        }
        self.book().releases.push(record);
        Ok(Written::Now)
    }

    fn complete(&self, release: &ReleaseKey, record: Completion) {
        self.book().completions.push((*release, record));
    }

    fn refuse(&self, record: Refusal) {
        self.book().refusals.push(record);
    }

    fn falls_short(&self, release: &ReleaseKey, challenge: &str) {
        self.book().shortfalls.push((*release, challenge.to_owned()));
    }
}

impl World for Doors {
    fn now(&self) -> Timestamp {
        NOW
    }

    fn event_id(&self) -> EventId {
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&self.0.ids.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        EventId::from_bytes(bytes)
    }
}
