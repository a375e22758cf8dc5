//! Fake doors that remember everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use claviger_model::{
    AgentId, Completion, CredentialId, EventId, Outcome, Refusal, RefusalCode, Release, Timestamp,
};
use claviger_proxy::ports::{
    InForce, MaterialSource, MaterialUnavailable, Opened, RecordUnavailable, Recorder, ReleaseKey, Term,
    TokenRefusal, Tokens, World, Written,
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
    /// Tokens that follow each other; the first is in force. Empty: the material stays.
    tokens: Vec<&'static str>,
    /// How the next renewal fails.
    renewal_fails: Option<MaterialUnavailable>,
    /// The next opening waits for this.
    opens_later: Option<oneshot::Receiver<Result<InForce, MaterialUnavailable>>>,
    /// Terms that the proxy said were refused.
    refused: Vec<Term>,
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

    /// The material is one of these tokens, each the successor of the one before.
    pub(crate) fn tokens_are(&self, tokens: &[&'static str]) {
        self.0.behaviour.lock().tokens = tokens.to_vec();
    }

    pub(crate) fn renewal_fails(&self, unavailable: MaterialUnavailable) {
        self.0.behaviour.lock().renewal_fails = Some(unavailable);
    }

    pub(crate) fn material_comes_later(
        &self,
        renewal: oneshot::Receiver<Result<InForce, MaterialUnavailable>>,
    ) {
        self.0.behaviour.lock().opens_later = Some(renewal);
    }

    /// The terms that were said to be refused, so far.
    pub(crate) fn refused_terms(&self) -> Vec<Term> {
        self.0.behaviour.lock().refused.clone()
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

impl Behaviour {
    fn in_force(&self) -> InForce {
        let token = self.tokens.first().expect("a token is in force");
        InForce { material: Material::key((*token).to_owned()), term: Some(Term(token.len() as u64)) }
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
    fn open(&self, _: CredentialId) -> Result<Opened, MaterialUnavailable> {
        let mut behaviour = self.0.behaviour.lock();
        assert!(!behaviour.material_panics, "a panic in a door, on purpose");
        if let Some(unavailable) = behaviour.material {
            return Err(unavailable);
        }
        if let Some(renewal) = behaviour.opens_later.take() {
            return Ok(Opened::Later(renewal));
        }
        Ok(match behaviour.tokens.first() {
            Some(_) => Opened::Now(behaviour.in_force()),
            None => (self.0.material)().into(),
        })
    }

    fn refused(&self, _: CredentialId, term: Term) -> Result<Opened, MaterialUnavailable> {
        let mut behaviour = self.0.behaviour.lock();
        behaviour.refused.push(term);
        if let Some(unavailable) = behaviour.renewal_fails {
            return Err(unavailable);
        }
        if behaviour.tokens.len() > 1 && behaviour.in_force().term == Some(term) {
            behaviour.tokens.remove(0);
        }
        let (renewed, renewal) = oneshot::channel();
        let _ = renewed.send(Ok(behaviour.in_force()));
        Ok(Opened::Later(renewal))
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
