//! Secret bytes and the role types around them: the only way to hold material in Claviger.
//!
//! This crate must not know serialisation, formatting of content, files, or the network. There is no `serde`
//! dependency on purpose: a type that can be serialised sits on some boundary, and material never does.
//!
//! ```
//! use claviger_secret::Secret;
//! let key = Secret::from(b"sk-live-1".to_vec());
//! assert_eq!(format!("{key:?}"), "Secret(9 bytes)");
//! ```
//!
//! ```compile_fail
//! fn needs_serialize<T: serde::Serialize>(_: &T) {}
//! needs_serialize(&claviger_secret::Secret::from(vec![1]));
//! ```
#![deny(missing_docs)]

mod material;

pub use material::{Field, Material, MaterialError};

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes that are wiped when dropped, compared in constant time, and never printed.
pub struct Secret(Zeroizing<Box<[u8]>>);

// === impl Secret ===

impl Secret {
    /// A secret of `len` bytes, filled in place so that no copy is left behind.
    pub fn filled_by(len: usize, fill: impl FnOnce(&mut [u8])) -> Self {
        let mut bytes = Zeroizing::new(vec![0u8; len].into_boxed_slice());
        fill(&mut bytes);
        Self(bytes)
    }

    /// A second copy of the same bytes. Spelled out, so that copies are visible in review.
    pub fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }

    /// How many bytes are held.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes themselves. Every call site carries an `// EXPOSE:` comment that says why.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Secret {
    /// Takes the vector over. A vector with spare capacity is copied to size and the original wiped.
    fn from(bytes: Vec<u8>) -> Self {
        let bytes = Zeroizing::new(bytes);
        Self(Zeroizing::new(bytes.as_slice().into()))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Secret {}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

/// Declares a role type over [`Secret`], so that two kinds of secret cannot be swapped by mistake.
macro_rules! role {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, PartialEq, Eq)]
        pub struct $name(Secret);

        impl $name {
            /// The secret in this role.
            pub fn secret(&self) -> &Secret {
                &self.0
            }
        }

        impl<T: Into<Secret>> From<T> for $name {
            fn from(secret: T) -> Self {
                Self(secret.into())
            }
        }
    )+};
}

role! {
    /// What the user types to unlock the vault.
    Passphrase,
    /// The printed key that opens the vault without password or keychain.
    RecoveryKey,
    /// The random secret that the operating system's keychain holds for this vault.
    DeviceSecret,
    /// The bearer token that an agent presents. Shown once, stored only hashed.
    AgentToken,
    /// An OAuth access token, sent to its service on each request.
    AccessToken,
    /// An OAuth refresh token, sent to its issuer's token endpoint only.
    RefreshToken,
    /// What an OAuth client proves itself with at its issuer.
    ClientSecret,
    /// The PKCE verifier of one flow.
    CodeVerifier,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_content() {
        let shown =
            format!("{:?} {:?}", Secret::from(b"hunter2".to_vec()), Passphrase::from("hunter2".to_owned()));
        assert!(!shown.contains("hunter2"), "a secret was printed: {shown}");
    }

    #[test]
    fn equality_is_by_content() {
        assert_eq!(
            Secret::from(vec![1, 2]),
            Secret::filled_by(2, |b| b.copy_from_slice(&[1, 2])),
            "same bytes are equal"
        );
        assert_ne!(Secret::from(vec![1, 2]), Secret::from(vec![1, 2, 3]), "a prefix is not equal");
    }
}
