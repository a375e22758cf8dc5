//! The recovery key: 160 random bits, as text that survives being printed and typed.
//!
//! Eight groups of five: the mark `CV`, 32 characters of Crockford base32, 6 check characters (the code of Bech32m,
//! BIP 350). Must not know what the key opens.

use claviger_secret::{RecoveryKey, Secret};
use zeroize::Zeroizing;

use crate::random;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const MARK: [u8; 2] = [12, 27]; // "CV"
const CHARACTERS: usize = 40;
const CHECK: usize = 6;
const BECH32M: u32 = 0x2bc8_30a3;

/// The 160 bits behind a recovery key.
pub struct RecoverySeed(Secret);

/// The text is no recovery key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotARecoveryKey {
    /// Not 40 characters.
    #[error("a recovery key has 8 groups of 5 characters")]
    Length,
    /// A character that recovery keys do not have.
    #[error("it has a character that recovery keys do not have")]
    Character,
    /// Right length, but something was mistyped.
    #[error("a character is mistyped")]
    Mistyped,
}

/// A fresh recovery key as text, and its seed.
pub fn make_recovery_key() -> (RecoveryKey, RecoverySeed) {
    let seed = RecoverySeed(random::make_secret(20));
    (write(&seed), seed)
}

/// Reads a recovery key as typed: case, spaces and dashes do not matter; `O` is read as `0`, `I` and `L` as `1`.
pub fn parse_recovery_key(typed: &RecoveryKey) -> Result<RecoverySeed, NotARecoveryKey> {
    let mut values = Zeroizing::new([0u8; CHARACTERS]);
    let mut count = 0;
    // EXPOSE: decoded into five-bit values that are wiped when dropped.
    for &c in typed.secret().expose() {
        if c.is_ascii_whitespace() || c == b'-' {
            continue;
        }
        let value = value_of(c).ok_or(NotARecoveryKey::Character)?;
        *values.get_mut(count).ok_or(NotARecoveryKey::Length)? = value;
        count += 1;
    }
    if count != CHARACTERS {
        return Err(NotARecoveryKey::Length);
    }
    if polymod(&values[..]) != BECH32M || values[..2] != MARK {
        return Err(NotARecoveryKey::Mistyped);
    }
    let data = &values[2..CHARACTERS - CHECK];
    Ok(RecoverySeed(Secret::filled_by(20, |out| {
        // Eight values are five bytes.
        for (values, bytes) in data.chunks_exact(8).zip(out.chunks_exact_mut(5)) {
            let bits = values.iter().fold(0u64, |bits, v| bits << 5 | u64::from(*v));
            bytes.copy_from_slice(&bits.to_be_bytes()[3..]);
        }
    })))
}

fn write(seed: &RecoverySeed) -> RecoveryKey {
    let mut values = Zeroizing::new([0u8; CHARACTERS]);
    values[..2].copy_from_slice(&MARK);
    // EXPOSE: encoded into five-bit values that are wiped when dropped.
    let bytes = seed.0.expose();
    for (bytes, values) in bytes.chunks_exact(5).zip(values[2..CHARACTERS - CHECK].chunks_exact_mut(8)) {
        let bits = bytes.iter().fold(0u64, |bits, b| bits << 8 | u64::from(*b));
        for (i, value) in values.iter_mut().enumerate() {
            *value = (bits >> (35 - 5 * i)) as u8 & 31;
        }
    }
    let check = polymod(&values[..]) ^ BECH32M;
    for i in 0..CHECK {
        values[CHARACTERS - CHECK + i] = (check >> (5 * (CHECK - 1 - i))) as u8 & 31;
    }
    RecoveryKey::from(Secret::filled_by(CHARACTERS + 7, |out| {
        for (group, out) in values.chunks_exact(5).zip(out.chunks_mut(6)) {
            for (value, out) in group.iter().zip(out.iter_mut()) {
                *out = ALPHABET[usize::from(*value)];
            }
            if let Some(dash) = out.get_mut(5) {
                *dash = b'-';
            }
        }
    }))
}

fn value_of(c: u8) -> Option<u8> {
    let c = match c.to_ascii_uppercase() {
        b'O' => b'0',
        b'I' | b'L' => b'1',
        c => c,
    };
    ALPHABET.iter().position(|a| *a == c).and_then(|at| u8::try_from(at).ok())
}

/// The checksum polynomial of Bech32 over five-bit values.
fn polymod(values: &[u8]) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    values.iter().fold(1, |checksum, value| {
        let top = checksum >> 25;
        let shifted = (checksum & 0x01ff_ffff) << 5 ^ u32::from(*value);
        GENERATOR.iter().enumerate().filter(|(i, _)| top >> i & 1 == 1).fold(shifted, |sum, (_, g)| sum ^ g)
    })
}

// === impl RecoverySeed ===

impl RecoverySeed {
    /// The 20 bytes.
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

impl std::fmt::Debug for RecoverySeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoverySeed")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn text(key: &RecoveryKey) -> String {
        String::from_utf8(key.secret().expose().to_vec()).unwrap()
    }

    fn parse(text: &str) -> Result<RecoverySeed, NotARecoveryKey> {
        parse_recovery_key(&RecoveryKey::from(text.to_owned()))
    }

    #[test]
    fn the_form_is_frozen() {
        let seed = RecoverySeed(Secret::from((0..20).collect::<Vec<u8>>()));
        let written = text(&write(&seed));
        assert_eq!(
            written, "CV000-G40R4-0M30E-20918-5GR38-E1W81-24GKE-PGA8P",
            "the vector of docs/vault-format.md"
        );
    }

    #[test]
    fn the_checksum_is_that_of_bech32m() {
        // BIP 350's valid string "a1lqfn3a": hrp "a" expanded, no data, checksum lqfn3a.
        const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
        let mut values = vec![b'a' >> 5, 0, b'a' & 31];
        values.extend("lqfn3a".bytes().map(|c| BECH32.iter().position(|b| *b == c).unwrap() as u8));
        assert_eq!(polymod(&values), BECH32M, "BIP 350 test vector");
    }

    #[test]
    fn a_key_reads_back_however_it_is_typed() {
        let (key, seed) = make_recovery_key();
        let shown = text(&key);
        let sloppy = shown.replace('-', "  ").to_lowercase().replace('0', "o").replace('1', "l");
        for typed in [shown.clone(), shown.replace('-', ""), sloppy, format!("\t{shown}\r\n")] {
            assert_eq!(parse(&typed).unwrap().secret(), seed.secret(), "{typed:?} reads back");
        }
    }

    #[test]
    fn every_mistyped_character_and_every_swap_is_found() {
        let (key, _) = make_recovery_key();
        let shown = text(&key);
        let bytes = shown.as_bytes();
        for at in 0..bytes.len() {
            if bytes[at] == b'-' {
                continue;
            }
            for other in ALPHABET.iter().filter(|c| **c != bytes[at]) {
                let mut bad = bytes.to_vec();
                bad[at] = *other;
                let bad = String::from_utf8(bad).unwrap();
                assert_eq!(
                    parse(&bad).unwrap_err(),
                    NotARecoveryKey::Mistyped,
                    "character {at} was changed unseen"
                );
            }
        }
        let plain: Vec<u8> = bytes.iter().copied().filter(|c| *c != b'-').collect();
        for at in 1..plain.len() {
            let mut bad = plain.clone();
            bad.swap(at - 1, at);
            if bad != plain {
                let bad = String::from_utf8(bad).unwrap();
                assert_eq!(parse(&bad).unwrap_err(), NotARecoveryKey::Mistyped, "a swap at {at} went unseen");
            }
        }
    }

    #[test]
    fn other_texts_are_told_apart() {
        assert_eq!(parse("").unwrap_err(), NotARecoveryKey::Length, "nothing");
        assert_eq!(parse(&"A".repeat(41)).unwrap_err(), NotARecoveryKey::Length, "too long");
        assert_eq!(parse("hunter2!").unwrap_err(), NotARecoveryKey::Character, "a password");
        assert_eq!(parse(&"0".repeat(40)).unwrap_err(), NotARecoveryKey::Mistyped, "forty zeros");
    }
}
