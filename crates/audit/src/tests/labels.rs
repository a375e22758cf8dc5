//! The names that keep keys and structures apart.

use crate::tests::{VAULT, release};
use crate::{body, seal};

#[test]
fn no_two_structures_look_alike() {
    let hash = [0; 32];
    let all = [
        seal::record_aad(VAULT, 1, &hash).as_bytes().to_vec(),
        seal::locked_aad(VAULT, 1, &hash).as_bytes().to_vec(),
        seal::header_aad(&hash).as_bytes().to_vec(),
        seal::usage_aad(VAULT).as_bytes().to_vec(),
    ];
    let mut unique = all.to_vec();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), all.len(), "two kinds of associated data are the same");
    assert_ne!(
        seal::link(&hash, b"x"),
        seal::locked_link(&hash, b"x"),
        "links of the two logs are kept apart"
    );
    assert_ne!(seal::genesis(VAULT), seal::locked_genesis(VAULT), "so are their beginnings");
}

#[test]
fn a_body_reads_back_and_nothing_else_is_taken() {
    let bytes = body::encode(&release(7)).unwrap();
    assert_eq!(body::decode(&bytes), Some(release(7)), "a body reads back");
    let content = body::pad(&bytes);
    assert_eq!(content.len() % 32, 0, "content is padded");
    assert_eq!(body::unpad(&content), Some(bytes.as_ref()), "padding comes off");
    let mut bad = content.clone();
    *bad.last_mut().unwrap() = 1;
    assert_eq!(body::unpad(&bad), None, "padding that is not zero was taken");
    let longer = [content.as_slice(), &[0; 32]].concat();
    assert_eq!(body::unpad(&longer), None, "too much padding was taken");
    assert_eq!(body::decode(&bytes[..bytes.len() - 1]), None, "a short body was taken");
    let mut newer = bytes.to_vec();
    newer[0] = 2;
    assert_eq!(body::decode(&newer), None, "a body of another version was taken");
}

/// The format is what the document says: this record's bytes never change.
#[test]
fn a_record_is_encoded_as_it_always_was() {
    let hex: String = body::encode(&release(1)).unwrap().iter().map(|b| format!("{b:02x}")).collect();
    let expected = concat!(
        "01",                               // version
        "00",                               // release
        "01010101010101010000000000000001", // event
        "94e0b8b6bf68",                     // at, zigzag
        "02020202020202020000000000000001", // agent
        "05050505050505050000000000000001", // grant
        "03030303030303030000000000000001", // credential
        "04040404040404040000000000000001", // service
        "04504f5354",                       // POST
        "126170692e6f70656e61692e636f6d3a343433",
        "162f76312f636861742f636f6d706c6574696f6e732f31",
    );
    assert_eq!(hex, expected, "the encoding of records has changed: that is a new format version");
}
