//! Argon2id (RFC 9106): a key from what a person types. Bounds are checked before anything is allocated.
//!
//! Must not know where parameters and salt are kept.

use argon2::{Algorithm, Argon2, Params, Version};
use claviger_secret::{Passphrase, Secret};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::CannotOpen;

/// Cost of stretching a password: always within the bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kdf {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// The cost is below what protects or above what this machine should be made to spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key derivation's cost is out of bounds")]
pub struct KdfOutOfBounds;

/// 32 bytes from a password. UTF-8 text is brought to NFKC first, so that the same letters give the same key on every
/// keyboard.
pub fn derive_from_passphrase(
    passphrase: &Passphrase,
    salt: &[u8; 32],
    kdf: Kdf,
) -> Result<Secret, CannotOpen> {
    let params = Params::new(kdf.memory_kib, kdf.passes, kdf.lanes, Some(32)).map_err(|_| CannotOpen)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let normal = normalise(passphrase);
    let mut derived = Ok(());
    let key = Secret::filled_by(32, |out| {
        derived = argon2.hash_password_into(&normal, salt, out).map_err(|_| CannotOpen);
    });
    derived.map(|()| key)
}

/// NFKC in a buffer of the final size: growing it would leave copies behind.
fn normalise(passphrase: &Passphrase) -> Zeroizing<Vec<u8>> {
    // EXPOSE: normalised into a buffer that is wiped when dropped.
    let typed = passphrase.secret().expose();
    let Ok(text) = std::str::from_utf8(typed) else {
        return Zeroizing::new(typed.to_vec());
    };
    let len = text.nfkc().map(char::len_utf8).sum();
    let mut normal = Zeroizing::new(vec![0; len]);
    let mut at = 0;
    for c in text.nfkc() {
        at += c.encode_utf8(&mut normal[at..]).len();
    }
    normal
}

// === impl Kdf ===

impl Kdf {
    const FLOOR: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 };
    const DEFAULT: Self = Self { memory_kib: 256 * 1024, passes: 3, lanes: 4 };
    const CEILING: Self = Self { memory_kib: 2 * 1024 * 1024, passes: 16, lanes: 16 };

    /// A cost, if it is within the bounds: 64 MiB, 3 passes, 4 lanes up to 2 GiB, 16, 16.
    pub const fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, KdfOutOfBounds> {
        let (low, high) = (Self::FLOOR, Self::CEILING);
        let inside = memory_kib >= low.memory_kib
            && memory_kib <= high.memory_kib
            && passes >= low.passes
            && passes <= high.passes
            && lanes >= low.lanes
            && lanes <= high.lanes;
        if inside { Ok(Self { memory_kib, passes, lanes }) } else { Err(KdfOutOfBounds) }
    }

    /// The least that is accepted (RFC 9106, second recommended option). For tests: real vaults use the default.
    pub const fn floor() -> Self {
        Self::FLOOR
    }

    /// Memory in KiB.
    pub const fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    pub const fn passes(self) -> u32 {
        self.passes
    }

    /// Lanes.
    pub const fn lanes(self) -> u32 {
        self.lanes
    }
}

impl Default for Kdf {
    /// 256 MiB, 3 passes, 4 lanes.
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use argon2::{AssociatedData, ParamsBuilder};
    use data_encoding::HEXLOWER;

    #[test]
    fn argon2id_is_as_in_rfc_9106() {
        let params = ParamsBuilder::new()
            .m_cost(32)
            .t_cost(3)
            .p_cost(4)
            .data(AssociatedData::new(&[4; 12]).unwrap())
            .build()
            .unwrap();
        let argon2 = Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params).unwrap();
        let mut out = [0; 32];
        argon2.hash_password_into(&[1; 32], &[2; 16], &mut out).unwrap();
        let expected = "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659";
        assert_eq!(HEXLOWER.encode(&out), expected, "RFC 9106, section 5.3");
    }

    #[test]
    fn costs_outside_the_bounds_cannot_be_named() {
        for (m, t, p) in [
            (8, 3, 4),
            (64 * 1024 - 1, 3, 4),
            (64 * 1024, 2, 4),
            (64 * 1024, 3, 3),
            (64 * 1024, 0, 0),
            (2 * 1024 * 1024 + 1, 3, 4),
            (1 << 30, 3, 4),
            (u32::MAX, 3, 4),
            (64 * 1024, 17, 4),
            (64 * 1024, 3, 17),
        ] {
            assert_eq!(Kdf::new(m, t, p), Err(KdfOutOfBounds), "m={m} t={t} p={p} was accepted");
        }
        assert_eq!(Kdf::new(256 * 1024, 3, 4), Ok(Kdf::default()), "the default is within the bounds");
        assert_eq!(Kdf::new(64 * 1024, 3, 4), Ok(Kdf::floor()), "the floor is within the bounds");
    }

    #[test]
    fn passwords_are_compared_as_people_see_them() {
        let normal = |text: &str| normalise(&Passphrase::from(text.to_owned())).to_vec();
        assert_eq!(normal("e\u{301}"), normal("é"), "composed and decomposed letters are the same password");
        assert_eq!(normal("ﬁ"), b"fi", "compatibility forms are the same password");
        assert_ne!(normal("a"), normal("A"), "case is kept");
        assert_eq!(normal("a\0b"), b"a\0b", "a NUL is a character like any other");
        let raw = normalise(&Passphrase::from(vec![0xff, 0xfe]));
        assert_eq!(raw.as_slice(), [0xff, 0xfe], "bytes that are no text are kept");
        assert_eq!(normal(&"\u{fdfa}".repeat(1000)).len(), 33 * 1000, "text that grows eighteenfold fits");
    }
}
