//! What the engine keeps in the system keychain: the device secret, and the anchor that shows an older vault file.
//!
//! Must not hold anything that would open a vault alone.

use std::sync::Arc;
use std::sync::mpsc;

use claviger_model::VaultId;
use claviger_platform::{Keychain, KeychainError};
use claviger_secret::{DeviceSecret, Secret};
use claviger_vault::{Anchor, Unlocked};

use crate::EngineError;
use crate::engine::Engine;

/// Name of the entry that is written before a vault exists, so that a crash in between cannot lose the secret.
const PENDING: &str = "device:pending";

/// How the keychain stands to the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeychainStanding {
    /// Needed, and there.
    Used,
    /// Not needed.
    NotUsed,
    /// Needed, and the keychain is locked.
    Locked,
    /// Needed, and not there.
    Missing,
    /// No keychain answers.
    Unavailable,
}

fn device_entry(vault: VaultId) -> String {
    format!("device:{vault}")
}

fn anchor_entry(vault: VaultId) -> String {
    format!("anchor:{vault}")
}

impl Engine {
    /// The device secret of this vault.
    pub(crate) fn device_secret(&self, vault: VaultId) -> Result<DeviceSecret, EngineError> {
        let found = match self.inner.keychain.load(&device_entry(vault)) {
            Err(KeychainError::Absent) => self.inner.keychain.load(PENDING),
            other => other,
        };
        found.map(DeviceSecret::from).map_err(|why| EngineError::KeychainMissing(in_words(why)))
    }

    /// Makes a device secret and stores it under the pending name. `None` when there is no keychain to use.
    pub(crate) fn make_device_secret(&self) -> Result<Option<DeviceSecret>, EngineError> {
        let secret = claviger_crypto::make_secret(32);
        match self.inner.keychain.store(PENDING, &secret) {
            Ok(()) => Ok(Some(DeviceSecret::from(secret))),
            Err(KeychainError::Locked) => Err(EngineError::KeychainMissing(in_words(KeychainError::Locked))),
            Err(_) => Ok(None),
        }
    }

    /// Files the pending device secret under the vault's own name.
    pub(crate) fn settle_device_secret(
        &self,
        vault: VaultId,
        secret: &DeviceSecret,
    ) -> Result<(), EngineError> {
        self.inner
            .keychain
            .store(&device_entry(vault), secret.secret())
            .map_err(|why| EngineError::KeychainMissing(in_words(why)))?;
        // Left behind it does no harm: it is the same secret.
        let _ = self.inner.keychain.remove(PENDING);
        Ok(())
    }

    pub(crate) fn keychain_standing(&self, vault: VaultId, needed: bool) -> KeychainStanding {
        if !needed {
            return KeychainStanding::NotUsed;
        }
        match self.inner.keychain.look(&device_entry(vault)) {
            Ok(()) => KeychainStanding::Used,
            Err(KeychainError::Absent) => KeychainStanding::Missing,
            Err(KeychainError::Locked) => KeychainStanding::Locked,
            Err(_) => KeychainStanding::Unavailable,
        }
    }

    /// Anchors the vault's present state, if it uses the keychain at all.
    pub(crate) fn anchor(&self, vault: &Unlocked) {
        if vault.needs_device_secret() {
            self.inner.anchors.push(vault.anchor());
        }
    }

    /// Before a vault exists: whether one could use the keychain.
    pub(crate) fn keychain_probe(&self) -> KeychainStanding {
        match self.inner.keychain.look(PENDING) {
            Ok(()) | Err(KeychainError::Absent) => KeychainStanding::Used,
            Err(KeychainError::Locked) => KeychainStanding::Locked,
            Err(_) => KeychainStanding::Unavailable,
        }
    }

    /// The newest counter seen on this machine, if the keychain remembers one.
    pub(crate) fn anchored_counter(&self, vault: VaultId) -> Option<u64> {
        let entry = self.inner.keychain.load(&anchor_entry(vault)).ok()?;
        // EXPOSE: a counter and a MAC, nothing secret.
        let (counter, _) = entry.expose().split_first_chunk::<8>()?;
        Some(u64::from_be_bytes(*counter))
    }
}

fn in_words(why: KeychainError) -> &'static str {
    match why {
        KeychainError::Absent => "the keychain does not have it",
        KeychainError::Locked => "the keychain is locked",
        KeychainError::TimedOut => "the keychain does not answer",
        KeychainError::Unavailable => "no keychain answers",
    }
}

/// Writes anchors on its own thread, newest wins, so that no change waits for the keychain.
pub(crate) struct AnchorWriter {
    queue: Option<mpsc::Sender<Anchor>>,
    worker: Option<std::thread::JoinHandle<()>>,
}

impl AnchorWriter {
    pub(crate) fn start(keychain: Arc<dyn Keychain>) -> Self {
        let (queue, anchors) = mpsc::channel::<Anchor>();
        let worker = std::thread::Builder::new().name("anchor".into()).spawn(move || {
            while let Ok(mut anchor) = anchors.recv() {
                while let Ok(newer) = anchors.try_recv() {
                    anchor = newer;
                }
                let mut bytes = anchor.counter.to_be_bytes().to_vec();
                bytes.extend_from_slice(&anchor.manifest);
                if let Err(why) = keychain.store(&anchor_entry(anchor.vault), &Secret::from(bytes)) {
                    tracing::warn!(?why, "the keychain did not take the vault's newest counter");
                }
            }
        });
        match worker {
            Ok(worker) => Self { queue: Some(queue), worker: Some(worker) },
            Err(_) => Self { queue: None, worker: None },
        }
    }

    /// Anchors this state soon.
    pub(crate) fn push(&self, anchor: Anchor) {
        if let Some(queue) = &self.queue {
            let _ = queue.send(anchor);
        }
    }
}

impl Drop for AnchorWriter {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}
