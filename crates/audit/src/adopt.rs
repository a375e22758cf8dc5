//! Taking over what was recorded while the vault was locked. Must not know how it is shown.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use claviger_crypto::BoxSecret;
use claviger_model::EventId;
use claviger_secret::Secret;

use crate::body;
use crate::disk;
use crate::entries::{Filter, What};
use crate::error::{AdoptError, LockedLogError};
use crate::locked;
use crate::log::Log;
use crate::seal::locked_aad;

/// How far back an entry is looked for, to tell whether it was taken over before.
const LOOK_BACK: usize = 10_000;

/// What was taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adopted {
    /// Records that are now in the log.
    pub records: u64,
    /// Further refusals that were only counted.
    pub counted: u64,
    /// The file was changed, or its end is missing: some of it does not open.
    pub is_damaged: bool,
}

impl Log {
    /// Takes over the records that a [`crate::LockedLog`] left in `dir`, then removes its file. `secret_key` is the
    /// vault's secret half. Doing it twice, after a process that ended in between, adds nothing twice.
    pub fn adopt_locked(&self, dir: &Path, secret_key: &Secret) -> Result<Adopted, AdoptError> {
        let path = locked::path(dir);
        let vault = match self.shared().keys.read().as_ref() {
            Some(keys) => keys.vault,
            None => return Err(crate::AppendError::Unavailable.into()),
        };
        let bytes = match disk::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Adopted::default()),
            Err(error) => return Err(LockedLogError::io("read", path)(error).into()),
        };
        let key = BoxSecret::from_secret(secret_key).map_err(|_| AdoptError::Key)?;
        let mut adopted = Adopted::default();
        match locked::parse(&bytes, vault) {
            None => adopted.is_damaged = true,
            Some(contents) => {
                adopted.counted = contents.counted;
                adopted.is_damaged = contents.is_torn;
                let known = if contents.frames.is_empty() { HashSet::new() } else { self.known_events()? };
                for (index, (sealed, prev)) in contents.frames.iter().enumerate() {
                    let aad = locked_aad(vault, index as u64, prev);
                    let record = key.open(&aad, sealed).ok().and_then(|content| {
                        // EXPOSE: a record holds no material; `Secret` is merely what the cipher gives.
                        body::unpad(content.expose()).and_then(body::decode)
                    });
                    let Some(record) = record else {
                        // What follows is bound to this one and cannot be trusted more.
                        adopted.is_damaged = true;
                        break;
                    };
                    if !known.contains(&record.event()) {
                        self.append(&record)?;
                        adopted.records += 1;
                    }
                }
            }
        }
        self.flush()?;
        disk::remove_if_there(&path).map_err(LockedLogError::io("remove", &path))?;
        Ok(adopted)
    }

    /// Tracking ids of the newest refusals and acts.
    fn known_events(&self) -> Result<HashSet<EventId>, AdoptError> {
        let page = self.entries(&Filter::default(), LOOK_BACK, None)?;
        Ok(page
            .entries
            .into_iter()
            .filter_map(|entry| match entry.what {
                What::Refusal(refusal) => Some(refusal.event),
                What::Act(act) => Some(act.event),
                What::Request { .. } => None,
            })
            .collect())
    }
}
