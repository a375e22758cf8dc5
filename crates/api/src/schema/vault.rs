//! The vault and the engine as a whole.

use super::{SecretInput, ShownOnce};
use serde::{Deserialize, Serialize};

/// Where the vault stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum VaultState {
    /// None was made yet.
    Absent,
    /// Made and locked.
    Locked,
    /// Open.
    Unlocked,
}

/// Whether an engine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum EngineState {
    /// A window or `serve` runs.
    Running,
    /// None runs.
    Stopped,
}

/// How the keychain stands to this vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum KeychainState {
    /// The vault needs the keychain's secret beside the password, and it is there.
    Used,
    /// The vault is opened by password alone.
    NotUsed,
    /// The vault needs the keychain's secret and the keychain is locked.
    Locked,
    /// The vault needs the keychain's secret and it is not there.
    Missing,
    /// No keychain answers on this machine.
    Unavailable,
}

/// `vault.status`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct StatusView {
    /// Where the vault stands.
    pub vault: VaultState,
    /// Whether an engine runs.
    pub engine: EngineState,
    /// The proxy's addresses.
    pub proxy: ProxyView,
    /// The keychain.
    pub keychain: KeychainState,
    /// All agents are paused.
    pub paused: bool,
    /// Claviger's version.
    pub version: String,
    /// Things the user should know, in whole sentences: an older copy of the vault, a missing keychain.
    pub warnings: Vec<String>,
}

/// The proxy's addresses.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ProxyView {
    /// Base address of base-URL mode; `None` while no proxy listens.
    pub base: Option<String>,
    /// Address for `HTTPS_PROXY`; `None` while no proxy listens.
    pub forward: Option<String>,
    /// Median microseconds that Claviger added to a request in the last hour.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub added_p50_us: Option<u64>,
    /// The same, 99th percentile.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub added_p99_us: Option<u64>,
}

/// `vault.create`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct CreateRequest {
    /// The new password.
    pub password: SecretInput,
    /// Do without the keychain.
    #[serde(default)]
    pub no_keychain: bool,
}

/// Answer to `vault.create` and `vault.renew_recovery`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct RecoveryView {
    /// Where the vault stands.
    pub vault: VaultState,
    /// The recovery key, shown this once.
    pub recovery_key: ShownOnce,
    /// How the keychain stands to this vault.
    pub keychain: KeychainState,
}

/// `vault.unlock`: by password, or by recovery key together with a new password.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct UnlockRequest {
    /// The password.
    #[serde(default)]
    pub password: Option<SecretInput>,
    /// The recovery key.
    #[serde(default)]
    pub recovery_key: Option<SecretInput>,
    /// The password from now on; required with a recovery key.
    #[serde(default)]
    pub new_password: Option<SecretInput>,
    /// Accept a vault file older than the last one seen here (a restored backup).
    #[serde(default)]
    pub accept_older: bool,
}

/// `vault.change_password`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ChangePasswordRequest {
    /// The password in force.
    pub password: SecretInput,
    /// The password from now on.
    pub new_password: SecretInput,
}

/// `vault.renew_recovery`
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct RenewRecoveryRequest {
    /// The password in force.
    pub password: SecretInput,
}

/// Answer to `vault.unlock`, `vault.lock` and `vault.change_password`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct VaultView {
    /// Where the vault stands now.
    pub vault: VaultState,
}
