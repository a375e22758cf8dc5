//! Settings that are needed while the vault is locked: they hold nothing secret and live in a plain file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::EngineError;

/// The settings file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The proxy's port, drawn at random at the first start and kept.
    pub port: u16,
    /// When a record counts as written.
    pub record: RecordDurability,
    /// Minutes without use after which the window's vault locks itself; 0 never.
    pub lock_after_minutes: u32,
    /// Show notifications.
    pub notifications: bool,
}

/// When a record counts as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordDurability {
    /// With the operating system before release: `kill -9` loses none, a power cut at most the last 50 ms.
    Relaxed,
    /// On the disk before release: nothing is lost.
    Strict,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self { port: 0, record: RecordDurability::Relaxed, lock_after_minutes: 15, notifications: true }
    }
}

impl Settings {
    /// Reads the file; a missing one means the defaults.
    pub(crate) fn load(path: &Path) -> Result<Self, EngineError> {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|why| {
                EngineError::Invalid(format!(
                    "the settings file {} cannot be read ({why}); repair or delete it",
                    path.display()
                ))
            }),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(EngineError::Io { what: "reading the settings", source }),
        }
    }

    /// Writes the file in one step.
    pub(crate) fn save(&self, path: &Path) -> Result<(), EngineError> {
        let text = serde_json::to_vec_pretty(self).map_err(|why| EngineError::Invalid(why.to_string()))?;
        claviger_platform::atomic_write(path, &text, 0o600)
            .map_err(|source| EngineError::Io { what: "writing the settings", source })
    }

    /// Refuses values that make no sense.
    pub(crate) fn check(&self) -> Result<(), EngineError> {
        if self.port != 0 && self.port < 1024 {
            return Err(EngineError::Invalid("the port must be 1024 or above".into()));
        }
        Ok(())
    }
}
