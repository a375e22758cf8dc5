//! Why an engine operation failed, in variants that consumers branch on. Must not know exit codes or JSON.

/// Why an engine operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// No vault file yet.
    #[error("there is no vault here yet")]
    Absent,
    /// A vault file exists already.
    #[error("a vault exists here already")]
    AlreadyThere,
    /// The vault is locked.
    #[error("the vault is locked")]
    Locked,
    /// Another process holds the vault.
    #[error("another Claviger holds this vault")]
    HeldByAnother,
    /// Wrong password.
    #[error("the password is wrong")]
    WrongPassword,
    /// Wrong recovery key.
    #[error("the recovery key is wrong")]
    WrongRecoveryKey,
    /// The text is no recovery key at all.
    #[error("this is not a recovery key: {0}")]
    NotARecoveryKey(String),
    /// The password is too weak to accept.
    #[error("the password is too short: at least {0} characters")]
    WeakPassword(usize),
    /// The vault needs the keychain's secret, and the keychain does not give it.
    #[error("this vault also needs a secret from the system keychain, and {0}")]
    KeychainMissing(&'static str),
    /// The file is older than the newest one seen on this machine.
    #[error("this vault file is older than the last one used here (change {found}, last seen {seen})")]
    OlderVault {
        /// Counter in the file.
        found: u64,
        /// Counter in the keychain.
        seen: u64,
    },
    /// The vault or log does not verify.
    #[error("{0}")]
    Integrity(String),
    /// A vault of a newer format.
    #[error("this vault was written by a newer Claviger (format {found})")]
    NewerVault {
        /// Its format version.
        found: u32,
    },
    /// Nothing of that name.
    #[error("no {noun} named {name:?}")]
    NotFound {
        /// `agent`, `credential`, …
        noun: &'static str,
        /// What was asked for.
        name: String,
    },
    /// Something of that name exists.
    #[error("{noun} {name:?} already exists")]
    Exists {
        /// `agent`, `credential`, …
        noun: &'static str,
        /// The name.
        name: String,
    },
    /// It is still needed by something else.
    #[error("{0}")]
    InUse(String),
    /// A limit or a human says no.
    #[error("{0}")]
    Refused(String),
    /// The input makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The disk, a socket or a port is not there.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The network, or another part that is not ours, is not there.
    #[error("{0}")]
    Unavailable(String),
    /// Only a new consent helps.
    #[error("{0}")]
    NeedsConsent(String),
    /// An authorization server cannot be used.
    #[error("{}", .0.message)]
    Consent(crate::Fault),
    /// The record cannot be written.
    #[error("the record cannot be written, so nothing is released: {0}")]
    RecordUnavailable(String),
}

// === what the rooms below say, in the engine's words ===

impl From<claviger_vault::OpenError> for EngineError {
    fn from(why: claviger_vault::OpenError) -> Self {
        use claviger_vault::OpenError as E;
        match why {
            E::Absent => Self::Absent,
            E::HeldByAnother => Self::HeldByAnother,
            E::NewerVersion { found } => Self::NewerVault { found },
            E::Io(source) => Self::Io { what: "opening the vault", source },
            other => Self::Integrity(other.to_string()),
        }
    }
}

impl From<claviger_vault::CreateError> for EngineError {
    fn from(why: claviger_vault::CreateError) -> Self {
        use claviger_vault::CreateError as E;
        match why {
            E::Exists => Self::AlreadyThere,
            E::HeldByAnother => Self::HeldByAnother,
            E::Io(source) => Self::Io { what: "making the vault", source },
            other => Self::InUse(other.to_string()),
        }
    }
}

impl From<claviger_vault::UnlockError> for EngineError {
    fn from(why: claviger_vault::UnlockError) -> Self {
        use claviger_vault::UnlockError as E;
        match why {
            E::WrongPassword => Self::WrongPassword,
            E::WrongRecoveryKey => Self::WrongRecoveryKey,
            E::NotARecoveryKey(why) => Self::NotARecoveryKey(why.to_string()),
            E::NeedsDeviceSecret => Self::KeychainMissing("it was not given"),
            E::Io(source) => Self::Io { what: "unlocking the vault", source },
            other => Self::Integrity(other.to_string()),
        }
    }
}

impl From<claviger_vault::ReadError> for EngineError {
    fn from(why: claviger_vault::ReadError) -> Self {
        match why {
            claviger_vault::ReadError::Io(source) => Self::Io { what: "reading the vault", source },
            other => Self::Integrity(other.to_string()),
        }
    }
}

impl From<claviger_vault::WriteError> for EngineError {
    fn from(why: claviger_vault::WriteError) -> Self {
        use claviger_vault::WriteError as E;
        match why {
            E::Io(source) => Self::Io { what: "writing the vault", source },
            E::TooLarge | E::EmptyPassphrase => Self::Invalid(why.to_string()),
            other => Self::Integrity(other.to_string()),
        }
    }
}

impl From<claviger_audit::OpenError> for EngineError {
    fn from(why: claviger_audit::OpenError) -> Self {
        use claviger_audit::OpenError as E;
        match why {
            E::Io { source, .. } => Self::Io { what: "opening the log", source },
            E::Thread(source) => Self::Io { what: "starting the log's thread", source },
            other => Self::Integrity(other.to_string()),
        }
    }
}

impl From<claviger_audit::AppendError> for EngineError {
    fn from(why: claviger_audit::AppendError) -> Self {
        Self::RecordUnavailable(why.to_string())
    }
}

impl From<claviger_audit::AdoptError> for EngineError {
    fn from(why: claviger_audit::AdoptError) -> Self {
        Self::RecordUnavailable(why.to_string())
    }
}

impl From<claviger_audit::ReadError> for EngineError {
    fn from(why: claviger_audit::ReadError) -> Self {
        match why {
            claviger_audit::ReadError::Io { source, .. } => Self::Io { what: "reading the log", source },
            other => Self::RecordUnavailable(other.to_string()),
        }
    }
}
