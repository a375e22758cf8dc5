//! Create, unlock, lock, change the password, renew the recovery key: the vault's states and what lives with them.

use std::sync::Arc;

use arc_swap::ArcSwap;
use claviger_audit::{Durability, Head, Log, OpenReport};
use claviger_crypto::Kdf;
use claviger_model::Subject;
use claviger_proxy::ports::Snapshot;
use claviger_secret::{Passphrase, RecoveryKey};
use claviger_vault::{KeyPurpose, UnlockError, Unlocked, Vault};

use crate::engine::{Change, Done, Engine, Open, State};
use crate::error::EngineError;
use crate::live::Live;
use crate::oauth::keepers_of;
use crate::tokens::{TokenKeys, TokenRows};
use crate::{Book, RecordDurability};

/// Shortest password that is accepted; the strength meter asks for more.
const MIN_PASSWORD: usize = 8;
pub(crate) const SETTING_PAUSED: &str = "paused";
/// At lock, requests that are being cut have this long to record their end; within a second of the lock no key is left.
const SETTLE: std::time::Duration = std::time::Duration::from_millis(400);

/// How the vault is opened.
pub enum UnlockBy {
    /// By the password, with the keychain's secret where the vault needs it.
    Password(Passphrase),
    /// By the recovery key. The new password replaces the old one, and a new recovery key replaces the used one.
    Recovery {
        /// As it was printed.
        key: RecoveryKey,
        /// From now on.
        new_password: Passphrase,
    },
}

impl Engine {
    /// Makes a vault and leaves it unlocked. The recovery key is returned this once.
    pub fn create(&self, password: Passphrase, use_keychain: bool) -> Result<RecoveryKey, EngineError> {
        check_password(&password)?;
        let mut state = self.inner.state.lock();
        if !matches!(*state, State::Absent) {
            return Err(EngineError::AlreadyThere);
        }
        let device = if use_keychain { self.make_device_secret()? } else { None };
        let path = self.inner.dirs.vault_file();
        let (vault, recovery) = Vault::create(&path, &password, device.as_ref(), Kdf::default(), self.now())?;
        if let Some(device) = &device {
            self.settle_device_secret(vault.id(), device)?;
        }
        let mut warnings = Vec::new();
        if use_keychain && device.is_none() {
            warnings.push("No system keychain answers, so this vault opens by password alone.".to_owned());
        }
        let open = self.bring_up(vault, warnings, "vault.create")?;
        *state = State::Open(open);
        drop(state);
        self.start_oauth();
        self.tell(Change::Vault);
        Ok(recovery)
    }

    /// Opens the vault. With a recovery key, the new recovery key is returned.
    pub fn unlock(&self, by: UnlockBy, accept_older: bool) -> Result<Option<RecoveryKey>, EngineError> {
        let mut state = self.inner.state.lock();
        let vault = match std::mem::replace(&mut *state, State::Moving) {
            State::Locked(vault) => vault,
            open @ State::Open(_) => {
                *state = open;
                return Ok(None);
            }
            State::Absent => {
                *state = State::Absent;
                return Err(EngineError::Absent);
            }
            // An earlier transition failed half-way and gave the file up. It may be had again by now.
            State::Moving => Vault::open(&self.inner.dirs.vault_file())?,
        };
        match self.open_vault(vault, by, accept_older) {
            Ok((open, recovery)) => {
                *state = State::Open(open);
                drop(state);
                self.start_oauth();
                self.tell(Change::Vault);
                Ok(recovery)
            }
            Err((vault, why)) => {
                *state = match vault {
                    Some(vault) => State::Locked(*vault),
                    // The file's lock was given up on the way; take it again.
                    None => Vault::open(&self.inner.dirs.vault_file()).map_or(State::Moving, State::Locked),
                };
                Err(why)
            }
        }
    }

    #[expect(clippy::type_complexity, reason = "the vault goes back to the caller when it stays locked")]
    fn open_vault(
        &self,
        vault: Vault,
        by: UnlockBy,
        accept_older: bool,
    ) -> Result<(Box<Open>, Option<RecoveryKey>), (Option<Box<Vault>>, EngineError)> {
        let id = vault.id();
        let keep = |vault, why: UnlockError| (Some(Box::new(vault)), EngineError::from(why));
        let (mut unlocked, by_recovery) = match by {
            UnlockBy::Password(password) => {
                let device = if vault.needs_device_secret() {
                    match self.device_secret(id) {
                        Ok(device) => Some(device),
                        Err(why) => return Err((Some(Box::new(vault)), why)),
                    }
                } else {
                    None
                };
                let opened =
                    vault.unlock(&password, device.as_ref()).map_err(|(vault, why)| keep(vault, why))?;
                (opened, None)
            }
            UnlockBy::Recovery { key, new_password } => {
                if let Err(why) = check_password(&new_password) {
                    return Err((Some(Box::new(vault)), why));
                }
                let opened = vault.unlock_with_recovery(&key).map_err(|(vault, why)| keep(vault, why))?;
                (opened, Some(new_password))
            }
        };
        let lock_again = |unlocked: Unlocked, why| (unlocked.lock().ok().map(Box::new), why);
        let mut warnings = Vec::new();
        let found = unlocked.anchor().counter;
        if let Some(seen) = self.anchored_counter(id).filter(|seen| found < *seen) {
            if !accept_older {
                return Err(lock_again(unlocked, EngineError::OlderVault { found, seen }));
            }
            warnings.push(
                "An older copy of this vault was restored; changes made after it are missing.".to_owned(),
            );
        }
        let mut recovery = None;
        if let Some(new_password) = by_recovery {
            match self.replace_after_recovery(&mut unlocked, &new_password) {
                Ok(key) => recovery = Some(key),
                Err(why) => return Err(lock_again(unlocked, why)),
            }
        }
        let what = if recovery.is_some() { "vault.recover" } else { "vault.unlock" };
        match self.bring_up(unlocked, warnings, what) {
            Ok(open) => Ok((open, recovery)),
            Err(why) => Err((None, why)),
        }
    }

    fn replace_after_recovery(
        &self,
        unlocked: &mut Unlocked,
        new_password: &Passphrase,
    ) -> Result<RecoveryKey, EngineError> {
        let now = self.now();
        let device = if unlocked.needs_device_secret() {
            match self.device_secret(unlocked.id()) {
                Ok(device) => Some(device),
                // The secret is gone with the old keychain: make a new one where there is a keychain.
                Err(_) => self.make_device_secret()?,
            }
        } else {
            None
        };
        unlocked.set_passphrase(new_password, device.as_ref(), Kdf::default(), now)?;
        if let Some(device) = &device {
            self.settle_device_secret(unlocked.id(), device)?;
        }
        Ok(unlocked.renew_recovery(now)?)
    }

    /// Everything that lives only while the vault is open.
    fn bring_up(
        &self,
        mut vault: Unlocked,
        mut warnings: Vec<String>,
        what: &'static str,
    ) -> Result<Box<Open>, EngineError> {
        let id = vault.id();
        let dir = self.inner.dirs.log_dir();
        let strict = self.inner.settings.lock().record == RecordDurability::Strict;
        let durability = if strict { Durability::Strict } else { Durability::Relaxed };
        let expected = vault.log_head().map(|(seq, hash)| Head { seq, hash });
        let (log, report) = Log::open(&dir, id, &vault.key(KeyPurpose::Audit), durability, expected)?;
        warnings.extend(in_words(&report));
        self.inner.doors.drop_locked_log();
        let adopted = log.adopt_locked(&dir, &vault.key(KeyPurpose::LockedRecords))?;
        if adopted.is_damaged {
            warnings.push(
                "Some records of the time while the vault was locked are damaged and were left out."
                    .to_owned(),
            );
        }
        if adopted.counted > 0 {
            warnings.push(format!("{} more refusals happened while the vault was locked.", adopted.counted));
        }
        let mut services = vault.all()?;
        services.extend(claviger_catalog::services().iter().map(|entry| entry.service.clone()));
        let mut book = Book {
            agents: vault.all()?,
            credentials: vault.all()?,
            grants: vault.all()?,
            services,
            proposals: crate::proposals::load(&vault)?,
        };
        book.agents.sort_by_key(|a| a.created_at);
        book.credentials.sort_by_key(|c| c.created_at);
        book.grants.sort_by_key(|g| g.created_at);
        let live = Arc::new(Live {
            keys: TokenKeys::new(id, &vault.key(KeyPurpose::Token)),
            rows: ArcSwap::from_pointee(TokenRows::new(&[])),
            sealed: ArcSwap::default(),
            opener: vault.opener(),
            log: log.clone(),
            keepers: keepers_of(self, &vault, &book),
            mints: ArcSwap::default(),
            wanted: crate::live::Wanted::default(),
        });
        let paused = vault.setting(SETTING_PAUSED)?.is_some_and(|value| !value.is_empty());
        log.append(&Done::new(what, Subject::Vault, "").record(self.now()))?;
        log.flush()?;
        let head = log.head();
        vault.set_log_head(head.seq, head.hash)?;
        self.anchor(&vault);
        self.inner.doors.set_strict(strict);
        let snapshot = Arc::new(Snapshot::default());
        let mut open = Box::new(Open { vault, book, live, snapshot, paused, warnings });
        self.reinstall(&mut open)?;
        self.inner.doors.open(open.live.clone());
        Ok(open)
    }

    /// Locks the vault: streams are cut, pools dropped, keys wiped. Locking what is locked is fine.
    pub fn lock(&self) -> Result<(), EngineError> {
        // First, while the vault still takes what a renewal under way brings.
        self.stop_oauth();
        let mut state = self.inner.state.lock();
        let open = match std::mem::replace(&mut *state, State::Moving) {
            State::Open(open) => open,
            other => {
                *state = other;
                return Ok(());
            }
        };
        self.inner.proxy.install(None);
        for agent in open.snapshot.agents.values() {
            agent.cut.cancel();
        }
        // Streams that are being cut still have their ends to record.
        self.inner.proxy.settle(SETTLE);
        let Open { mut vault, live, .. } = *open;
        let recorded = live.log.append(&Done::new("vault.lock", Subject::Vault, "").record(self.now()));
        self.inner.doors.close();
        live.log.close();
        let head = live.log.head();
        let anchored = vault.set_log_head(head.seq, head.hash);
        self.anchor(&vault);
        drop(live);
        // Locked come what may; what failed on the way is told afterwards.
        match vault.lock() {
            Ok(vault) => {
                self.inner.doors.hold_locked_log(
                    &self.inner.dirs.log_dir(),
                    vault.id(),
                    vault.locked_record_key(),
                );
                *state = State::Locked(vault);
            }
            Err(why) => {
                *state = Vault::open(&self.inner.dirs.vault_file()).map_or(State::Moving, State::Locked);
                tracing::error!(%why, "locking left the vault file in doubt");
            }
        }
        drop(state);
        self.tell(Change::Vault);
        recorded?;
        anchored?;
        Ok(())
    }

    /// Replaces the password. Nothing else is encrypted anew.
    pub fn change_password(
        &self,
        password: &Passphrase,
        new_password: &Passphrase,
    ) -> Result<(), EngineError> {
        check_password(new_password)?;
        self.with_password(password, |engine, open| {
            let device = match open.vault.needs_device_secret() {
                true => Some(engine.device_secret(open.vault.id())?),
                false => None,
            };
            open.vault.set_passphrase(new_password, device.as_ref(), Kdf::default(), engine.now())?;
            Ok(())
        })?;
        self.note_vault_act("vault.change_password")
    }

    /// Replaces the recovery key; the old one opens nothing any more.
    pub fn renew_recovery(&self, password: &Passphrase) -> Result<RecoveryKey, EngineError> {
        let key =
            self.with_password(password, |engine, open| Ok(open.vault.renew_recovery(engine.now())?))?;
        self.note_vault_act("vault.renew_recovery")?;
        Ok(key)
    }

    fn with_password<R>(
        &self,
        password: &Passphrase,
        work: impl FnOnce(&Self, &mut Open) -> Result<R, EngineError>,
    ) -> Result<R, EngineError> {
        let mut state = self.unlocked()?;
        let State::Open(open) = &mut *state else { return Err(EngineError::Locked) };
        let device = match open.vault.needs_device_secret() {
            true => Some(self.device_secret(open.vault.id())?),
            false => None,
        };
        if !open.vault.password_is(password, device.as_ref()) {
            return Err(EngineError::WrongPassword);
        }
        let result = work(self, open)?;
        self.anchor(&open.vault);
        Ok(result)
    }

    fn note_vault_act(&self, what: &'static str) -> Result<(), EngineError> {
        self.log()?.append(&Done::new(what, Subject::Vault, "").record(self.now()))?;
        self.tell(Change::Activity);
        Ok(())
    }
}

/// What opening the log found, in whole sentences.
fn in_words(report: &OpenReport) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(torn) = &report.torn_tail {
        words.push(format!(
            "The log ended in half a record after record {}, as it does when the machine stops while writing; those {} \
             bytes were cut off. Nothing was released on their account.",
            torn.after_seq, torn.bytes
        ));
    }
    if let Some(cut) = &report.truncated {
        words.push(format!(
            "The log ends at record {} but reached {} before: records are missing or were replaced.",
            cut.found.seq, cut.expected.seq
        ));
    }
    if let Some(damage) = &report.damage {
        words.push(format!("The log is damaged at record {}: {}.", damage.seq, damage.what));
    }
    words
}

fn check_password(password: &Passphrase) -> Result<(), EngineError> {
    // EXPOSE: only its length in characters is looked at.
    let text = std::str::from_utf8(password.secret().expose())
        .map_err(|_| EngineError::Invalid("the password is not UTF-8 text".into()))?;
    if text.chars().count() < MIN_PASSWORD { Err(EngineError::WeakPassword(MIN_PASSWORD)) } else { Ok(()) }
}
