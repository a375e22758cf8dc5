//! The engine's side of the proxy's doors: what the request path reads while the vault is unlocked.
//!
//! Must stay cheap: no lock that a disk can hold, no allocation that is not the record itself.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::{ArcSwap, ArcSwapOption};
use claviger_audit::{LockedLog, Log};
use claviger_model::{
    AgentId, Completion, CredentialId, EventId, Record, Refusal, RefusalCode, Release, Timestamp, VaultId,
};
use claviger_oauth::Challenge;
use claviger_proxy::ports::{
    MaterialSource, MaterialUnavailable, Opened, RecordUnavailable, Recorder, ReleaseKey, Term, TokenRefusal,
    Tokens, World, Written,
};
use claviger_vault::{MaterialOpener, SealedMaterial};
use parking_lot::Mutex;

use crate::minted::Mints;
use crate::oauth::Keepers;
use crate::tokens::{TokenKeys, TokenRows};

/// So many refusals within a minute are worth the human's eye.
const ALARM_REFUSALS: u32 = 5;
const ALARM_WINDOW_MS: i64 = 60_000;
/// So many tracking ids are drawn at once.
const DRAW: usize = 16;

/// What lives only while the vault is unlocked.
pub(crate) struct Live {
    pub(crate) log: Log,
    pub(crate) keys: TokenKeys,
    pub(crate) rows: ArcSwap<TokenRows>,
    pub(crate) sealed: ArcSwap<HashMap<CredentialId, SealedMaterial>>,
    pub(crate) opener: MaterialOpener,
    pub(crate) keepers: Keepers,
    pub(crate) mints: ArcSwap<Mints>,
    pub(crate) wanted: Wanted,
}

/// Permissions that services want beyond those that credentials have, each list empty where the service named none.
#[derive(Default)]
pub(crate) struct Wanted(Mutex<HashMap<CredentialId, Vec<String>>>);

/// The doors that the proxy was given. They outlive locking; what is behind them does not.
pub(crate) struct Doors {
    live: ArcSwapOption<Live>,
    locked_log: Mutex<Option<LockedLog>>,
    strict: AtomicBool,
    activity: AtomicBool,
    last_use: AtomicI64,
    refusals: AtomicU32,
    refusals_since: AtomicI64,
    alarm: AtomicBool,
}

/// Milliseconds since the epoch by the wall clock.
pub(crate) fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

// === impl Wanted ===

impl Wanted {
    /// What the credential's service wants beyond what it has.
    pub(crate) fn by(&self, credential: CredentialId) -> Option<Vec<String>> {
        self.0.lock().get(&credential).cloned()
    }

    /// The credential is another now.
    pub(crate) fn forget(&self, credential: CredentialId) {
        self.0.lock().remove(&credential);
    }

    fn is_news(&self, credential: CredentialId, scopes: Vec<String>) -> bool {
        let before = self.0.lock().insert(credential, scopes.clone());
        before != Some(scopes)
    }
}

// === impl Doors ===

impl Doors {
    pub(crate) fn new() -> Self {
        Self {
            live: ArcSwapOption::empty(),
            locked_log: Mutex::new(None),
            strict: AtomicBool::new(false),
            activity: AtomicBool::new(false),
            last_use: AtomicI64::new(wall_clock().0),
            refusals: AtomicU32::new(0),
            refusals_since: AtomicI64::new(0),
            alarm: AtomicBool::new(false),
        }
    }

    pub(crate) fn open(&self, live: Arc<Live>) {
        *self.locked_log.lock() = None;
        self.live.store(Some(live));
        self.note_use();
    }

    pub(crate) fn close(&self) {
        self.live.store(None);
    }

    /// While locked, refusals are sealed to the vault's public key. A log that cannot be opened only loses these:
    /// nothing is released while locked.
    pub(crate) fn hold_locked_log(&self, dir: &Path, vault: VaultId, key: [u8; 32]) {
        match LockedLog::open(dir, vault, key) {
            Ok(log) => *self.locked_log.lock() = Some(log),
            Err(why) => tracing::warn!(%why, "refusals while locked are not recorded"),
        }
    }

    pub(crate) fn drop_locked_log(&self) {
        *self.locked_log.lock() = None;
    }

    pub(crate) fn set_strict(&self, strict: bool) {
        self.strict.store(strict, Ordering::Relaxed);
    }

    pub(crate) fn take_activity(&self) -> bool {
        self.activity.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn take_alarm(&self) -> bool {
        self.alarm.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn last_use(&self) -> Timestamp {
        Timestamp(self.last_use.load(Ordering::Relaxed))
    }

    pub(crate) fn note_use(&self) {
        self.last_use.store(wall_clock().0, Ordering::Relaxed);
    }

    /// Counts refusals that look like somebody trying: once per window it becomes an alarm.
    fn count_refusal(&self, at: Timestamp, code: RefusalCode) {
        use RefusalCode::{GrantMissing, PolicyDenied, RequestMalformed, Unauthenticated};
        if !matches!(code, Unauthenticated | GrantMissing | PolicyDenied | RequestMalformed) {
            return;
        }
        if at.0 - self.refusals_since.load(Ordering::Relaxed) > ALARM_WINDOW_MS {
            self.refusals_since.store(at.0, Ordering::Relaxed);
            self.refusals.store(0, Ordering::Relaxed);
        }
        if self.refusals.fetch_add(1, Ordering::Relaxed) + 1 == ALARM_REFUSALS {
            self.alarm.store(true, Ordering::Relaxed);
        }
    }
}

impl Tokens for Doors {
    fn check(&self, token: &[u8], now: Timestamp) -> Result<AgentId, TokenRefusal> {
        let live = self.live.load();
        let Some(live) = live.as_deref() else {
            return Err(TokenRefusal { reason: "vault locked", agent: None });
        };
        live.rows.load().check(&live.keys, token, now)
    }
}

impl MaterialSource for Doors {
    fn open(&self, credential: CredentialId) -> Result<Opened, MaterialUnavailable> {
        let live = self.live.load();
        let live = live.as_deref().ok_or(MaterialUnavailable::Locked)?;
        if let Some(kept) = live.keepers.find(credential) {
            return kept.open();
        }
        if let Some(mint) = live.mints.load().get(&credential) {
            return mint.open();
        }
        let sealed = live.sealed.load();
        let sealed = sealed.get(&credential).ok_or(MaterialUnavailable::Unreadable)?;
        live.opener.open(sealed).map(Opened::from).map_err(|_| MaterialUnavailable::Unreadable)
    }

    fn refused(&self, credential: CredentialId, term: Term) -> Result<Opened, MaterialUnavailable> {
        let live = self.live.load();
        let live = live.as_deref().ok_or(MaterialUnavailable::Locked)?;
        if let Some(mint) = live.mints.load().get(&credential) {
            return mint.refused(term);
        }
        live.keepers.find(credential).ok_or(MaterialUnavailable::Unreadable)?.refused(term)
    }
}

impl Recorder for Doors {
    fn release(&self, record: Release) -> Result<Written, RecordUnavailable> {
        let live = self.live.load();
        let live = live.as_deref().ok_or(RecordUnavailable)?;
        self.last_use.store(record.at.0, Ordering::Relaxed);
        self.activity.store(true, Ordering::Relaxed);
        let record = Record::Release(record);
        if self.strict.load(Ordering::Relaxed) {
            let (done, written) = tokio::sync::oneshot::channel();
            let tell = move |ok| {
                let _ = done.send(ok);
            };
            live.log.append_durable(&record, tell).map_err(|_| RecordUnavailable)?;
            return Ok(Written::Later(written));
        }
        live.log.append(&record).map_err(|_| RecordUnavailable)?;
        Ok(Written::Now)
    }

    fn complete(&self, _release: &ReleaseKey, record: Completion) {
        self.activity.store(true, Ordering::Relaxed);
        let live = self.live.load();
        // A release whose completion is lost to locking or a failing disk is closed as `Unknown` at the next unlock.
        if let Some(live) = live.as_deref() {
            let _ = live.log.append_soon(&Record::Completion(record));
        }
    }

    fn refuse(&self, record: Refusal) {
        self.activity.store(true, Ordering::Relaxed);
        self.count_refusal(record.at, record.code);
        let record = Record::Refusal(record);
        let live = self.live.load();
        match live.as_deref() {
            Some(live) => {
                let _ = live.log.append_soon(&record);
            }
            None => {
                if let Some(log) = self.locked_log.lock().as_mut() {
                    let _ = log.append(&record);
                }
            }
        }
    }

    fn falls_short(&self, release: &ReleaseKey, challenge: &str) {
        let live = self.live.load();
        let Some(live) = live.as_deref() else { return };
        let challenges = Challenge::read(challenge);
        let scopes = challenges.iter().find_map(Challenge::missing_scopes).unwrap_or_default();
        // Said once, until the service wants something else.
        if live.wanted.is_news(release.credential, scopes) {
            self.alarm.store(true, Ordering::Relaxed);
        }
    }
}

thread_local! {
    /// Ids drawn ahead: they only have to differ, and a call to the operating system for each is a twentieth of the
    /// record's cost. Nonces are never drawn ahead.
    static DRAWN: RefCell<Vec<EventId>> = const { RefCell::new(Vec::new()) };
}

impl World for Doors {
    fn now(&self) -> Timestamp {
        wall_clock()
    }

    fn event_id(&self) -> EventId {
        DRAWN.with_borrow_mut(|drawn| {
            drawn.pop().unwrap_or_else(|| {
                let bytes: [u8; DRAW * 16] = claviger_crypto::random_bytes();
                drawn.extend(bytes.as_chunks::<16>().0.iter().map(|id| EventId::from_bytes(*id)));
                drawn.pop().unwrap_or_else(|| EventId::from_bytes(claviger_crypto::random_id()))
            })
        })
    }
}
