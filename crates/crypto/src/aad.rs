//! Inputs of MACs, hashes and associated data as lists of length-prefixed fields, so that no two lists read the same.
//!
//! Must not know what the fields mean.

/// A list of fields: per field four length bytes (big-endian) and the bytes. The first field is a tag that names the
/// structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aad(Vec<u8>);

// === impl Aad ===

impl Aad {
    /// Begins a list with the structure's tag.
    pub fn new(tag: &'static str) -> Self {
        Self(Vec::with_capacity(128)).field(tag.as_bytes())
    }

    /// Adds bytes.
    #[must_use]
    pub fn field(mut self, bytes: &[u8]) -> Self {
        // Fields are ids, salts and digests; one of 4 GiB cannot be made. Saturating keeps the function total.
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&len.to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    /// Adds a number, as eight bytes.
    #[must_use]
    pub fn number(self, number: u64) -> Self {
        self.field(&number.to_be_bytes())
    }

    /// Adds a signed number, as eight bytes.
    #[must_use]
    pub fn signed(self, number: i64) -> Self {
        self.field(&number.to_be_bytes())
    }

    /// The encoding.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Reads an encoding back, which proves that it is injective.
    fn fields(mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let (len, rest) = bytes.split_first_chunk::<4>().unwrap();
            let (field, rest) = rest.split_at(u32::from_be_bytes(*len) as usize);
            all.push(field.to_vec());
            bytes = rest;
        }
        all
    }

    #[test]
    fn what_is_written_reads_back_field_by_field() {
        let mut state = 7u64;
        for round in 0..2_000 {
            let mut list = vec![b"tag".to_vec()];
            let mut aad = Aad::new("tag");
            for _ in 0..round % 5 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let field = state.to_be_bytes()[..(state >> 33) as usize % 9].to_vec();
                aad = aad.field(&field);
                list.push(field);
            }
            assert_eq!(fields(aad.as_bytes()), list, "round {round}: the encoding lost a boundary");
        }
    }

    #[test]
    fn moving_a_boundary_changes_the_encoding() {
        assert_ne!(
            Aad::new("t").field(b"ab").field(b"c"),
            Aad::new("t").field(b"a").field(b"bc"),
            "boundary moved"
        );
        assert_ne!(Aad::new("t").field(b""), Aad::new("t"), "an empty field is a field");
    }
}
