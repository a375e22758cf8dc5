//! Services as data: where each one is, how it wants to be authenticated to, what its keys look like, and how its
//! clients are pointed at Claviger. One file for each service in `services/`; adding one takes no code.
//!
//! Must not know HTTP, the vault, agents or grants. Pasted keys pass through as borrowed text and are never copied.
//!
//! ```
//! let paste = claviger_catalog::clean_paste("export GROQ_API_KEY=\"gsk_0123456789abcdef\"\n");
//! assert_eq!(paste.text, "gsk_0123456789abcdef");
//! let found = claviger_catalog::recognise(paste.text).map(|found| found.service);
//! assert_eq!(found, Some("groq"));
//! ```
#![deny(missing_docs)]

mod consent;
mod entry;
mod files;
mod paste;
mod recognise;

use std::sync::LazyLock;

use claviger_model::ServiceId;
use sha2::{Digest, Sha256};

pub use consent::{Consent, Endpoints, Risk, Scope, Way};
pub use entry::{Entry, EnvVar, KeyShape, Verify};
pub use paste::{Paste, clean_paste};
pub use recognise::{Recognised, recognise};

/// All built-in services, by name.
pub fn services() -> &'static [Entry] {
    static SERVICES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
        // A file that does not parse is left out here, and fails the tests.
        let mut all: Vec<Entry> =
            files::FILES.iter().filter_map(|(_, text)| Entry::parse(text).ok()).collect();
        all.sort_by(|a, b| a.service.name.cmp(&b.service.name));
        all
    });
    &SERVICES
}

/// The built-in service of this name.
pub fn service(name: &str) -> Option<&'static Entry> {
    services().iter().find(|entry| entry.service.name == name)
}

/// The id of the built-in service of this name: the same in every installation and version.
pub fn service_id(name: &str) -> ServiceId {
    let digest = Sha256::digest(format!("claviger service {name}").as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    ServiceId::from_bytes(id)
}

#[cfg(test)]
mod tests;
