//! Which nouns the vault holds, and in which class of rows.
//!
//! Must not know how rows are sealed.

use claviger_model::{Agent, AgentId, Credential, CredentialId, Grant, GrantId, Service, ServiceId};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) const MATERIAL: u8 = 5;
pub(crate) const SETTING: u8 = 6;

/// A noun that the vault holds: an agent, a credential, a grant or a service. No other type can be one.
pub trait Stored: Serialize + DeserializeOwned + private::Classed {
    /// Its id type.
    type Id: Copy;

    /// The bytes of an id.
    fn id_bytes(id: Self::Id) -> [u8; 16];

    /// Its own id.
    fn id(&self) -> Self::Id;
}

mod private {
    /// The class of rows that a noun lies in. Sealed: the numbers are the format's.
    pub trait Classed {
        const CLASS: u8;
    }
}

pub(crate) use private::Classed;

macro_rules! stored {
    ($($noun:ty, $id:ty = $class:literal),+ $(,)?) => {$(
        impl Classed for $noun {
            const CLASS: u8 = $class;
        }

        impl Stored for $noun {
            type Id = $id;

            fn id_bytes(id: $id) -> [u8; 16] {
                *id.bytes()
            }

            fn id(&self) -> $id {
                self.id
            }
        }
    )+};
}

stored!(Agent, AgentId = 1, Credential, CredentialId = 2, Grant, GrantId = 3, Service, ServiceId = 4);
