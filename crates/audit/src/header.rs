//! A segment's header: what binds it to its vault, its place and the segment before. Must not know files.

use claviger_crypto::{AeadKey, SEALED_OVERHEAD};
use claviger_model::VaultId;

use crate::seal::{Hash, Keys, header_aad};

const MAGIC: &[u8; 7] = b"CLAVLOG";
const FORMAT: u8 = b'1';
const FIELDS: usize = 105;
/// How many bytes a header takes.
pub(crate) const HEADER_LEN: usize = FIELDS + SEALED_OVERHEAD;

/// The fields of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) vault: VaultId,
    pub(crate) number: u64,
    pub(crate) first_seq: u64,
    pub(crate) prev: Hash,
    /// Begun after damage was found: the link to the segment before does not hold.
    pub(crate) is_after_damage: bool,
    pub(crate) salt: [u8; 32],
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    Short,
    NotALog,
    Newer,
    OtherVault,
    /// The seal does not open: changed, or another key's.
    Unauthentic,
}

// === impl Header ===

impl Header {
    fn fields(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_LEN);
        bytes.extend_from_slice(MAGIC);
        bytes.push(FORMAT);
        bytes.extend_from_slice(self.vault.bytes());
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(&self.first_seq.to_be_bytes());
        bytes.extend_from_slice(&self.prev);
        bytes.push(u8::from(self.is_after_damage));
        bytes.extend_from_slice(&self.salt);
        bytes
    }

    /// The header's bytes, sealed under the segment's key.
    pub(crate) fn encode(&self, key: &AeadKey) -> Vec<u8> {
        let mut bytes = self.fields();
        let seal = key.seal(&header_aad(&bytes), b"");
        bytes.extend_from_slice(&seal);
        bytes
    }

    /// Reads and authenticates a header; gives the segment's key too.
    pub(crate) fn decode(bytes: &[u8], keys: &Keys) -> Result<(Self, AeadKey), HeaderFault> {
        if bytes.len() >= MAGIC.len() && !bytes.starts_with(MAGIC) {
            return Err(HeaderFault::NotALog);
        }
        match bytes.get(MAGIC.len()) {
            Some(&format) if format > FORMAT && format.is_ascii_digit() => return Err(HeaderFault::Newer),
            Some(&format) if format != FORMAT => return Err(HeaderFault::NotALog),
            _ => {}
        }
        let (fields, seal) = bytes
            .get(..HEADER_LEN)
            .and_then(|header| header.split_at_checked(FIELDS))
            .ok_or(HeaderFault::Short)?;
        let header = Self::parse(&fields[MAGIC.len() + 1..]).ok_or(HeaderFault::Unauthentic)?;
        if header.vault != keys.vault {
            return Err(HeaderFault::OtherVault);
        }
        let key = keys.segment(header.number, &header.salt).map_err(|_| HeaderFault::Unauthentic)?;
        key.open(&header_aad(fields), seal).map_err(|_| HeaderFault::Unauthentic)?;
        Ok((header, key))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (vault, rest) = bytes.split_first_chunk::<16>()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (first_seq, rest) = rest.split_first_chunk::<8>()?;
        let (prev, rest) = rest.split_first_chunk::<32>()?;
        let (&flags, rest) = rest.split_first()?;
        if flags > 1 {
            return None;
        }
        Some(Self {
            vault: VaultId::from_bytes(*vault),
            number: u64::from_be_bytes(*number),
            first_seq: u64::from_be_bytes(*first_seq),
            prev: *prev,
            is_after_damage: flags == 1,
            salt: *rest.first_chunk::<32>()?,
        })
    }
}
