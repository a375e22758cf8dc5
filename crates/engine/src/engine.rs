//! The engine itself: its parts, its lock state, and the one function by which everything changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use claviger_audit::Log;
use claviger_model::{Act, Credential, EventId, Record, Subject, Timestamp};
use claviger_platform::{Dirs, Keychain};
use claviger_proxy::ports::{Ports, Snapshot};
use claviger_proxy::{Config, Proxy};
use claviger_vault::{OpenError, Unlocked, Vault, WriteError, Writer};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::broadcast;

use crate::error::EngineError;
use crate::keychain::{AnchorWriter, KeychainStanding};
use crate::live::{Doors, Live};
use crate::oauth::OAuth;
use crate::{Book, Settings};

/// The engine. Clones share one state.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

/// How an engine is started.
pub struct Options {
    /// Where everything lies.
    pub dirs: Dirs,
    /// The system keychain.
    pub keychain: Arc<dyn Keychain>,
    /// Limits of the proxy.
    pub proxy: Config,
}

pub(crate) struct Inner {
    pub(crate) dirs: Dirs,
    pub(crate) keychain: Arc<dyn Keychain>,
    pub(crate) anchors: AnchorWriter,
    pub(crate) doors: Arc<Doors>,
    pub(crate) proxy: Proxy,
    pub(crate) state: Mutex<State>,
    pub(crate) settings: Mutex<Settings>,
    pub(crate) listening: AtomicU16,
    pub(crate) oauth: OAuth,
    changes: broadcast::Sender<Change>,
}

pub(crate) enum State {
    Absent,
    Locked(Vault),
    Open(Box<Open>),
    /// Between two states; seen from outside only if a transition failed half-way.
    Moving,
}

/// An unlocked vault with everything that lives only while it is unlocked.
pub(crate) struct Open {
    pub(crate) vault: Unlocked,
    pub(crate) book: Book,
    pub(crate) live: Arc<Live>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) paused: bool,
    pub(crate) warnings: Vec<String>,
}

/// What changed; whoever shows the thing asks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Created, unlocked or locked.
    Vault,
    /// Services.
    Services,
    /// Credentials.
    Credentials,
    /// Agents.
    Agents,
    /// Grants.
    Grants,
    /// What agents ask for.
    Proposals,
    /// A flow went on, or a connection was made, renewed, broken or ended.
    Oauth,
    /// Something was recorded.
    Activity,
    /// Settings.
    Settings,
    /// Something needs the human's eye.
    Attention,
}

/// Where the engine stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The vault.
    pub vault: VaultStanding,
    /// How the keychain stands to it.
    pub keychain: KeychainStanding,
    /// Port that the proxy listens on.
    pub port: Option<u16>,
    /// All agents are paused.
    pub paused: bool,
    /// Median and 99th percentile of the microseconds that the proxy added.
    pub added_us: Option<(u64, u64)>,
    /// Things the user should know.
    pub warnings: Vec<String>,
}

/// Where the vault stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultStanding {
    /// None was made yet.
    Absent,
    /// Made and locked.
    Locked,
    /// Open.
    Unlocked,
}

// === impl Engine ===

impl Engine {
    /// Opens what lies in the directories. The vault, if there is one, is held from now on and still locked.
    pub fn start(options: Options) -> Result<Self, EngineError> {
        let Options { dirs, keychain, proxy } = options;
        dirs.create()
            .map_err(|source| EngineError::Io { what: "creating Claviger's directories", source })?;
        let settings = Settings::load(&dirs.settings_file())?;
        let doors = Arc::new(Doors::new());
        let ports = Ports {
            tokens: doors.clone(),
            material: doors.clone(),
            recorder: doors.clone(),
            world: doors.clone(),
        };
        let proxy = Proxy::new(proxy, ports)
            .map_err(|why| EngineError::Invalid(format!("the proxy cannot start: {why}")))?;
        let (changes, _) = broadcast::channel(64);
        let state = match Vault::open(&dirs.vault_file()) {
            Ok(vault) => {
                doors.hold_locked_log(&dirs.log_dir(), vault.id(), vault.locked_record_key());
                State::Locked(vault)
            }
            Err(OpenError::Absent) => State::Absent,
            Err(why) => return Err(why.into()),
        };
        let anchors = AnchorWriter::start(keychain.clone());
        let inner = Inner {
            dirs,
            keychain,
            anchors,
            doors,
            proxy,
            state: Mutex::new(state),
            settings: Mutex::new(settings),
            listening: AtomicU16::new(0),
            oauth: OAuth::new(),
            changes,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The proxy, to be given a listener.
    pub fn proxy(&self) -> Proxy {
        self.inner.proxy.clone()
    }

    /// Says on which port the proxy listens, so that base URLs can be told.
    pub fn listens_on(&self, port: u16) {
        self.inner.listening.store(port, Ordering::Relaxed);
        self.tell(Change::Settings);
    }

    /// Where everything stands.
    pub fn standing(&self) -> Standing {
        // The keychain is asked after the state is let go: it may take seconds to answer.
        let (vault, paused, warnings, needs_keychain) = match &*self.inner.state.lock() {
            State::Absent => (VaultStanding::Absent, false, Vec::new(), None),
            State::Open(open) => {
                let needs = (open.vault.id(), open.vault.needs_device_secret());
                let mut warnings = open.warnings.clone();
                warnings.extend(wanted_in_words(open));
                warnings.extend(Self::broken_connections(open));
                (VaultStanding::Unlocked, open.paused, warnings, Some(needs))
            }
            State::Locked(vault) => {
                let needs = (vault.id(), vault.needs_device_secret());
                (VaultStanding::Locked, false, Vec::new(), Some(needs))
            }
            State::Moving => (VaultStanding::Locked, false, Vec::new(), None),
        };
        let keychain = match (vault, needs_keychain) {
            (VaultStanding::Unlocked, Some((_, true))) => KeychainStanding::Used,
            (_, Some((id, needs))) => self.keychain_standing(id, needs),
            (_, None) => self.keychain_probe(),
        };
        let port = self.inner.listening.load(Ordering::Relaxed);
        Standing {
            vault,
            keychain,
            port: (port != 0).then_some(port),
            paused,
            added_us: self.inner.proxy.added_latency(),
            warnings,
        }
    }

    /// Everything but material, as it stands.
    pub fn book(&self) -> Result<Book, EngineError> {
        self.read(|open| Ok(open.book.clone()))
    }

    /// Where changes are told.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.inner.changes.subscribe()
    }

    /// Tells what the request path did since the last call. Called a few times a second by whoever hosts the engine.
    pub fn tell_activity(&self) {
        if self.inner.doors.take_activity() {
            self.tell(Change::Activity);
        }
        if self.inner.doors.take_alarm() {
            self.tell(Change::Attention);
        }
    }

    /// Puts the log's head under the vault's MAC, so that a log cut behind it is noticed. Called every few seconds.
    pub fn note_log_head(&self) -> Result<(), EngineError> {
        let mut state = self.inner.state.lock();
        let State::Open(open) = &mut *state else { return Ok(()) };
        let head = open.live.log.head();
        if open.vault.log_head().is_some_and(|(seq, _)| seq == head.seq) {
            return Ok(());
        }
        // On the disk first: after a power cut the vault must not remember more than the disk does.
        open.live.log.flush()?;
        open.vault.set_log_head(head.seq, head.hash)?;
        self.anchor(&open.vault);
        Ok(())
    }

    /// When the vault was last used, by a person or an agent.
    pub fn last_use(&self) -> Timestamp {
        self.inner.doors.last_use()
    }

    /// Notes that a person uses the vault now.
    pub fn note_use(&self) {
        self.inner.doors.note_use();
    }

    /// Whether the idle time of the settings has run out on an unlocked vault.
    pub fn is_idle(&self) -> bool {
        let minutes = i64::from(self.settings().lock_after_minutes);
        let unlocked = || matches!(&*self.inner.state.lock(), State::Open(_));
        minutes != 0 && self.now().0 - self.last_use().0 > minutes * 60_000 && unlocked()
    }

    /// The settings.
    pub fn settings(&self) -> Settings {
        self.inner.settings.lock().clone()
    }

    /// Replaces the settings.
    pub fn set_settings(&self, settings: Settings) -> Result<(), EngineError> {
        settings.check()?;
        let mut held = self.inner.settings.lock();
        settings.save(&self.inner.dirs.settings_file())?;
        self.inner.doors.set_strict(settings.record == crate::RecordDurability::Strict);
        *held = settings;
        drop(held);
        self.tell(Change::Settings);
        Ok(())
    }

    pub(crate) fn tell(&self, change: Change) {
        // Nobody listening is fine.
        let _ = self.inner.changes.send(change);
    }

    pub(crate) fn now(&self) -> Timestamp {
        crate::live::wall_clock()
    }

    pub(crate) fn log(&self) -> Result<Log, EngineError> {
        self.read(|open| Ok(open.live.log.clone()))
    }

    /// Reads something of the unlocked vault.
    pub(crate) fn read<R>(
        &self,
        work: impl FnOnce(&Open) -> Result<R, EngineError>,
    ) -> Result<R, EngineError> {
        match &*self.inner.state.lock() {
            State::Open(open) => work(open),
            State::Absent => Err(EngineError::Absent),
            State::Locked(_) | State::Moving => Err(EngineError::Locked),
        }
    }

    /// Changes the unlocked vault: one transaction, then the record, then the request path sees it.
    ///
    /// `work` gets the book and the vault's writer and says what was done to what. If anything fails, the book stays
    /// as it was.
    pub(crate) fn change<R>(
        &self,
        told: Change,
        work: impl FnOnce(&mut Book, &mut Writer<'_>, &Live) -> Result<(R, Done), EngineError>,
    ) -> Result<R, EngineError> {
        let mut state = self.unlocked()?;
        let State::Open(open) = &mut *state else { return Err(EngineError::Locked) };
        let now = self.now();
        let mut book = open.book.clone();
        let live = open.live.clone();
        let mut outcome = None;
        let mut refused = None;
        // The record goes ahead of the commit: an act without effect can be explained, an effect without record not.
        let written = open.vault.write(now, |writer| {
            let made = work(&mut book, writer, &live).and_then(|(result, done)| {
                live.log.append(&done.record(now))?;
                Ok(result)
            });
            match made {
                Ok(result) => {
                    outcome = Some(result);
                    Ok(())
                }
                Err(why) => {
                    refused = Some(why);
                    Err(WriteError::Refused)
                }
            }
        });
        if let Some(why) = refused {
            return Err(why);
        }
        written?;
        let Some(result) = outcome else { return Err(EngineError::Locked) };
        open.book = book;
        self.reinstall(open)?;
        self.anchor(&open.vault);
        drop(state);
        self.inner.doors.note_use();
        self.tell(told);
        self.tell(Change::Activity);
        Ok(result)
    }

    pub(crate) fn unlocked(&self) -> Result<MutexGuard<'_, State>, EngineError> {
        let state = self.inner.state.lock();
        match &*state {
            State::Open(_) => Ok(state),
            State::Absent => Err(EngineError::Absent),
            State::Locked(_) | State::Moving => Err(EngineError::Locked),
        }
    }
}

/// Credentials that lack a permission, in whole sentences.
fn wanted_in_words(open: &Open) -> Vec<String> {
    let wanted =
        |credential: &Credential| Some((credential.name.clone(), open.live.wanted.by(credential.id)?));
    let all = open.book.credentials.iter().filter_map(wanted);
    all.map(|(name, scopes)| match scopes.join(", ").as_str() {
        "" => format!("The service of {name:?} wants a permission that this credential does not have."),
        scopes => {
            format!("The service of {name:?} wants more permissions ({scopes}): reconnect it, and they are asked for.")
        }
    })
    .collect()
}

/// What a change did, for the record.
pub(crate) struct Done {
    pub(crate) what: &'static str,
    pub(crate) subject: Subject,
    pub(crate) detail: String,
}

impl Done {
    pub(crate) fn new(what: &'static str, subject: Subject, detail: impl Into<String>) -> Self {
        Self { what, subject, detail: detail.into() }
    }

    pub(crate) fn record(self, at: Timestamp) -> Record {
        let event = EventId::from_bytes(claviger_crypto::random_id());
        Record::Act(Act { event, at, what: self.what.into(), subject: self.subject, detail: self.detail })
    }
}
