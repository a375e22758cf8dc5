//! Why vault operations fail, one type per operation. Must not know exit codes or how errors are shown.

use std::io;
use std::path::PathBuf;

use claviger_crypto::{CannotOpen, NotARecoveryKey};

/// A vault could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There is a file at this path; it was not touched.
    #[error("a file exists there already")]
    Exists,
    /// The database is gone but part of it is still there. It may hold data, so it was not touched.
    #[error("{} is left over from another vault; move it away first", .0.display())]
    LeftOver(PathBuf),
    /// Another process is using this path.
    #[error("another process holds this vault")]
    HeldByAnother,
    /// The password is empty.
    #[error("the password is empty")]
    EmptyPassphrase,
    /// The disk or the file system refused.
    #[error("the vault could not be written: {0}")]
    Io(#[source] io::Error),
}

/// A vault could not be opened. The file was not touched.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No file there.
    #[error("there is no vault")]
    Absent,
    /// A file of another kind, or no regular file.
    #[error("the file is not a vault")]
    NotAVault,
    /// Made by a newer Claviger.
    #[error("the vault has format {found}, which is newer than this version reads")]
    NewerVersion {
        /// Its format number.
        found: u32,
    },
    /// It is a vault, but its bytes are not as they were written.
    #[error("the vault is damaged: {what}")]
    Damaged {
        /// The part that is.
        what: &'static str,
    },
    /// Another process holds it.
    #[error("another process holds this vault")]
    HeldByAnother,
    /// The disk or the file system refused.
    #[error("the vault could not be read: {0}")]
    Io(#[source] io::Error),
}

/// A vault could not be unlocked. It is handed back beside this.
#[derive(Debug, thiserror::Error)]
pub enum UnlockError {
    /// The password is wrong, or the keychain's secret belongs to another vault.
    #[error("the password is wrong")]
    WrongPassword,
    /// The recovery key is one, but not of this vault.
    #[error("the recovery key is not of this vault")]
    WrongRecoveryKey,
    /// The text is no recovery key.
    #[error("this is no recovery key: {0}")]
    NotARecoveryKey(#[source] NotARecoveryKey),
    /// The password alone does not open it; the keychain's secret is needed, or the recovery key.
    #[error("the vault also needs the secret in the system keychain")]
    NeedsDeviceSecret,
    /// The key is right and the content is not what was written.
    #[error("the vault was changed from outside: {what}")]
    Tampered {
        /// The part that was.
        what: &'static str,
    },
    /// The disk or the file system refused.
    #[error("the vault could not be read: {0}")]
    Io(#[source] io::Error),
}

/// Something could not be read from an unlocked vault.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes are not what was written.
    #[error("the vault was changed from outside: {what}")]
    Tampered {
        /// The part that was.
        what: &'static str,
    },
    /// The disk or the file system refused.
    #[error("the vault could not be read: {0}")]
    Io(#[source] io::Error),
}

/// A change could not be made. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The caller's own work said no; it knows why.
    #[error("the change was called off")]
    Refused,
    /// The new password is empty.
    #[error("the password is empty")]
    EmptyPassphrase,
    /// More than one row holds.
    #[error("it is larger than the vault takes")]
    TooLarge,
    /// The root key has wrapped as many keys as is safe.
    #[error("the vault's key is worn out; a new vault is needed")]
    KeyWornOut,
    /// The operating system's random source gave the same bytes twice.
    #[error("the system's random source repeats itself")]
    RandomRepeats,
    /// The bytes on disk are not what was written.
    #[error("the vault was changed from outside: {what}")]
    Tampered {
        /// The part that was.
        what: &'static str,
    },
    /// The disk or the file system refused; a full disk is [`io::ErrorKind::StorageFull`].
    #[error("the vault could not be written: {0}")]
    Io(#[source] io::Error),
}

/// The vault was locked, its keys are gone, but its file could not be read again.
#[derive(Debug, thiserror::Error)]
#[error("the vault is locked, but its file cannot be read any more: {0}")]
pub struct LockError(#[source] pub OpenError);

/// Material could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenMaterialError {
    /// The vault was locked in between.
    #[error("the vault is locked")]
    Locked,
    /// It does not verify.
    #[error("the material does not verify")]
    Unreadable,
}

/// What SQLite may say, sorted into what callers tell apart.
pub(crate) enum Fault {
    Corrupt,
    Busy,
    Io(io::Error),
}

// === impl Fault ===

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::{Error, ErrorCode};
        match &error {
            Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation => {
                    Self::Corrupt
                }
                ErrorCode::TooBig | ErrorCode::TypeMismatch | ErrorCode::ParameterOutOfRange => Self::Corrupt,
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
                ErrorCode::DiskFull => Self::Io(io::Error::new(io::ErrorKind::StorageFull, error)),
                ErrorCode::ReadOnly => Self::Io(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, error)),
                ErrorCode::PermissionDenied => {
                    Self::Io(io::Error::new(io::ErrorKind::PermissionDenied, error))
                }
                ErrorCode::OutOfMemory => Self::Io(io::Error::new(io::ErrorKind::OutOfMemory, error)),
                ErrorCode::SystemIoFailure | ErrorCode::CannotOpen => Self::Io(io::Error::other(error)),
                // A damaged schema shows as a plain error of SQL that is known to be right.
                _ => Self::Corrupt,
            },
            // A value of a type, size or number that is never written.
            _ => Self::Corrupt,
        }
    }
}

/// Gives an operation's error type its two ways to say what SQLite said.
macro_rules! faults {
    ($($error:ident: $corrupt:ident),+ $(,)?) => {$(
        impl $error {
            /// Sorts an SQLite error; `what` names the part that was read.
            pub(crate) fn sqlite(what: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
                move |error| match Fault::from(error) {
                    Fault::Corrupt => Self::$corrupt { what },
                    Fault::Busy => Self::Io(io::Error::new(io::ErrorKind::ResourceBusy, "another program has the file open")),
                    Fault::Io(error) => Self::Io(error),
                }
            }
        }
    )+};
}

faults!(OpenError: Damaged, UnlockError: Tampered, ReadError: Tampered, WriteError: Tampered);

// === conversions ===

impl From<ReadError> for UnlockError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Tampered { what } => Self::Tampered { what },
            ReadError::Io(error) => Self::Io(error),
        }
    }
}

impl From<ReadError> for WriteError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Tampered { what } => Self::Tampered { what },
            ReadError::Io(error) => Self::Io(error),
        }
    }
}

impl ReadError {
    /// For `map_err` on what does not open.
    pub(crate) fn tampered(what: &'static str) -> impl FnOnce(CannotOpen) -> Self {
        move |CannotOpen| Self::Tampered { what }
    }
}
