//! Settings.

use serde::{Deserialize, Serialize};

/// `settings.show`, and `settings.set` in its whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct SettingsView {
    /// The proxy's port; drawn at random at installation and kept.
    pub port: u16,
    /// `relaxed`: a record is with the operating system before release. `strict`: it is on the disk.
    pub record: String,
    /// Minutes without use after which the vault locks itself; 0 never.
    pub lock_after_minutes: u32,
    /// Show notifications.
    pub notifications: bool,
}
