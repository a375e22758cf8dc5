//! The one random source: the operating system's. Nothing else in Claviger draws random bytes.

use claviger_secret::Secret;

/// `N` random bytes.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// A random 128-bit id.
pub fn random_id() -> [u8; 16] {
    random_bytes()
}

/// `len` random bytes as a secret.
pub fn make_secret(len: usize) -> Secret {
    Secret::filled_by(len, fill)
}

#[expect(
    clippy::expect_used,
    reason = "without random bytes no key and no nonce can be made; ending is the only safe answer"
)]
pub(crate) fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}
