//! PKCE with S256, `state` and `nonce`: random texts that bind an answer to the flow that asked for it (RFC 7636).
//!
//! Must not know the flow.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use claviger_crypto::random_bytes;
use claviger_secret::{CodeVerifier, Secret};
use oauth2::{PkceCodeChallenge, PkceCodeVerifier};
use zeroize::Zeroizing;

/// A fresh verifier: 32 random bytes as 43 characters.
pub(crate) fn make_verifier() -> CodeVerifier {
    CodeVerifier::from(make_text())
}

/// 256 random bits as text, for `state`, `nonce`, `jti` and redirect paths.
pub(crate) fn make_text() -> Secret {
    let bytes = Zeroizing::new(random_bytes::<32>());
    Secret::from(BASE64_URL_SAFE_NO_PAD.encode(bytes.as_slice()))
}

/// The S256 challenge of a verifier.
pub(crate) fn derive_challenge(verifier: &CodeVerifier) -> PkceCodeChallenge {
    PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(as_text(verifier.secret())))
}

/// A secret that we made from ASCII, as text for a library that takes nothing else. The copy is wiped with the heap.
pub(crate) fn as_text(secret: &Secret) -> String {
    // EXPOSE: the value is put on its request by a library that takes a `String`.
    String::from_utf8_lossy(secret.expose()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn o01_ten_thousand_verifiers_are_fresh_and_well_formed() {
        let mut seen = HashSet::new();
        for _ in 0..10_000 {
            let text = as_text(make_verifier().secret());
            let is_unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
            assert!(text.len() == 43 && text.bytes().all(is_unreserved), "{text} is no verifier");
            assert!(seen.insert(text), "a verifier came twice");
        }
    }

    #[test]
    fn o02_the_challenge_is_as_in_rfc_7636_appendix_b() {
        let verifier = CodeVerifier::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned());
        let challenge = derive_challenge(&verifier);
        assert_eq!(challenge.as_str(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "RFC 7636, appendix B");
        assert_eq!(challenge.method().as_str(), "S256", "never plain");
    }
}
