//! How every boundary says that something failed: a code to branch on, what happened, and what to do.

use serde::{Deserialize, Serialize};

/// The closed list that the window and the command line may branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// Something that should not happen.
    Unexpected,
    /// The request itself makes no sense.
    Usage,
    /// The vault is locked.
    VaultLocked,
    /// There is no vault yet.
    VaultAbsent,
    /// No such thing.
    NotFound,
    /// It exists already, or another process holds it.
    Conflict,
    /// A rule or a human said no.
    Refused,
    /// The keychain, the disk, a port or the network is not there.
    Unavailable,
    /// Tampered with, rolled back, or unreadable.
    Integrity,
    /// Wrong password or recovery key.
    WrongPassword,
}

/// What crosses a boundary when a call fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ApiError {
    /// To branch on.
    pub code: Code,
    /// What happened, in one sentence.
    pub message: String,
    /// What to do, in one sentence; empty when there is nothing to do.
    pub hint: String,
}

// === impl Code ===

impl Code {
    /// The process exit code of the command-line contract.
    pub const fn exit(self) -> u8 {
        match self {
            Self::Unexpected => 1,
            Self::Usage => 2,
            Self::VaultLocked | Self::VaultAbsent => 3,
            Self::NotFound => 4,
            Self::Conflict => 5,
            Self::Refused => 6,
            Self::Unavailable => 7,
            Self::Integrity => 8,
            Self::WrongPassword => 9,
        }
    }
}

// === impl ApiError ===

impl ApiError {
    /// An error with what happened and what to do.
    pub fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: hint.into() }
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}
