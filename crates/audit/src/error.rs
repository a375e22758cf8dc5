//! What can go wrong with the log, one enum per operation. Must not know how it is told to people.

use std::io;
use std::path::PathBuf;

/// The log could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file system said no.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The log's directory is a link or a file.
    #[error("{} is not a directory of its own", .0.display())]
    NotADirectory(PathBuf),
    /// A newer Claviger wrote this log.
    #[error("the log was written by a newer version of Claviger; update Claviger to open it")]
    NewerFormat,
    /// The log belongs to another vault.
    #[error("the log in {} belongs to another vault", .0.display())]
    OtherVault(PathBuf),
    /// No segment opens with this key.
    #[error("the log does not open with this vault's key")]
    WrongKey,
    /// A thread could not be started.
    #[error("cannot start the log's thread: {0}")]
    Thread(io::Error),
}

/// A record was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// An earlier write failed, or the log is closed. Nothing is recorded until it is opened again.
    #[error("the audit log cannot be written; nothing is recorded until it is opened again")]
    Unavailable,
    /// The record is larger than a frame may be.
    #[error("the record is too large for the audit log")]
    TooLarge,
}

/// The log could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file system said no.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The log is closed; its keys are gone.
    #[error("the audit log is closed")]
    Closed,
}

/// The log for the time while the vault is locked could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {source}", path.display())]
pub struct LockedLogError {
    /// What was tried.
    pub doing: &'static str,
    /// On what.
    pub path: PathBuf,
    /// Why not.
    pub source: io::Error,
}

/// The records from the locked time were not taken over. They stay where they are.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// They could not be read.
    #[error("cannot read the records from the locked time: {0}")]
    Read(#[from] LockedLogError),
    /// The key is none.
    #[error("the key for records from the locked time is no key")]
    Key,
    /// They could not be written into the log.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The log could not be read to tell which of them are new.
    #[error(transparent)]
    Log(#[from] ReadError),
}

// === impl OpenError ===

impl OpenError {
    /// For `map_err` on a file operation.
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}

// === impl LockedLogError ===

impl LockedLogError {
    /// For `map_err` on a file operation.
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self { doing, path, source }
    }
}
