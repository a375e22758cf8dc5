//! Opaque 128-bit ids, one type per noun. Must not know how randomness is made.

use serde::{Deserialize, Serialize};

/// The text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id")]
pub struct IdError(());

/// Declares an id type: 16 bytes, written as a prefix and 26 characters of lower-case base32.
macro_rules! id {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id with these bytes. The caller draws them from the one random source.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes.
            pub const fn bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($prefix)?;
                f.write_str(&encode(&self.0))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                decode(text.strip_prefix($prefix).ok_or(IdError(()))?).map(Self)
            }
        }
    )+};
}

id! {
    /// One vault, from its creation on.
    VaultId = "vlt_",
    /// A program identity that may call through the proxy.
    AgentId = "agt_",
    /// Metadata and a reference to material.
    CredentialId = "crd_",
    /// A named external API.
    ServiceId = "svc_",
    /// Agent × credential × scope × expiry.
    GrantId = "grt_",
    /// An agent's request for a grant.
    ProposalId = "prp_",
    /// One decided request; the tracking id that agents are given.
    EventId = "EVT-",
}

fn encode(bytes: &[u8; 16]) -> String {
    data_encoding::BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

fn decode(text: &str) -> Result<[u8; 16], IdError> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(IdError(()));
    }
    let bytes =
        data_encoding::BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).map_err(|_| IdError(()))?;
    bytes.try_into().map_err(|_| IdError(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_names_its_noun() {
        let id = AgentId::from_bytes([7; 16]);
        assert_eq!(id.to_string().parse(), Ok(id), "the text form reads back");
        assert!(id.to_string().parse::<GrantId>().is_err(), "an agent's id is no grant's id");
        assert!("agt_short".parse::<AgentId>().is_err(), "a short id is refused");
    }
}
