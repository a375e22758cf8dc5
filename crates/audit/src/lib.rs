//! The record of what every agent did with every credential: sealed, chained, append-only, and rolled up into usage.
//!
//! Must not know HTTP, the proxy, names of things (only ids), the vault's file, or the clock: records bring their times.
//! The format is in `docs/log-format.md`.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use claviger_audit::{Durability, Filter, Log};
//! use claviger_model::{Act, EventId, Record, Subject, Timestamp, VaultId};
//!
//! # let home = tempfile::tempdir()?;
//! let key = claviger_crypto::make_secret(32);
//! let vault = VaultId::from_bytes([1; 16]);
//! let (log, report) = Log::open(&home.path().join("log"), vault, &key, Durability::Relaxed, None)?;
//! assert!(report.is_clean());
//! let act = Act {
//!     event: EventId::from_bytes([2; 16]),
//!     at: Timestamp(1_795_000_000_000),
//!     what: "vault.create".to_owned(),
//!     subject: Subject::Vault,
//!     detail: String::new(),
//! };
//! assert_eq!(log.append(&Record::Act(act))?, 1);
//! assert_eq!(log.entries(&Filter::default(), 10, None)?.entries.len(), 1);
//! assert!(log.verify()?.ok);
//! # Ok(())
//! # }
//! ```
#![deny(missing_docs)]

mod adopt;
mod background;
mod body;
mod disk;
mod entries;
mod error;
mod frame;
mod header;
mod locked;
mod log;
mod open;
mod ring;
mod seal;
mod segments;
mod usage;
mod verify;
mod views;
mod writer;

pub use adopt::Adopted;
pub use entries::{Entry, EntryResult, Filter, Page, Text, What};
pub use error::{AdoptError, AppendError, LockedLogError, OpenError, ReadError};
pub use locked::LockedLog;
pub use log::{Durability, Head, Log};
pub use open::{Damage, OpenReport, TornTail, Truncated};
pub use usage::{SeriesStep, UsageBy, UsageKey, UsageTotals};
pub use verify::{VerifyReport, verify_offline, verify_offline_expecting};

/// Whether a completion counts as an error: it failed, its end is not known, or the answer was 400 or above.
pub const fn is_error(completion: &claviger_model::Completion) -> bool {
    use claviger_model::Outcome;
    matches!(completion.outcome, Outcome::Failed(_) | Outcome::Unknown) || completion.status >= 400
}

#[cfg(test)]
mod tests;
