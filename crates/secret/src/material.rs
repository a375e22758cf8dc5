//! Material: the secret fields that one credential consists of, and their byte encoding.
//!
//! Must not know how material is encrypted or placed on a request.

use crate::Secret;

/// One credential's secret fields.
pub struct Material {
    fields: Vec<(Field, Secret)>,
}

/// The role of one field inside a [`Material`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Field {
    /// The key or token of a single-secret credential.
    Key = 1,
    /// The user name of a Basic credential.
    Username = 2,
    /// The password of a Basic credential.
    Password = 3,
}

/// The bytes are no encoded material.
#[derive(Debug, PartialEq, Eq)]
pub struct MaterialError(());

// === impl Material ===

impl Material {
    /// A credential that is one key or token.
    pub fn key(key: impl Into<Secret>) -> Self {
        Self { fields: vec![(Field::Key, key.into())] }
    }

    /// A user name and a password (RFC 7617).
    pub fn basic(username: impl Into<Secret>, password: impl Into<Secret>) -> Self {
        Self { fields: vec![(Field::Username, username.into()), (Field::Password, password.into())] }
    }

    /// The field, if this material has it.
    pub fn field(&self, field: Field) -> Option<&Secret> {
        self.fields.iter().find(|(f, _)| *f == field).map(|(_, secret)| secret)
    }

    /// Every field with its role.
    pub fn fields(&self) -> impl Iterator<Item = (Field, &Secret)> {
        self.fields.iter().map(|(field, secret)| (*field, secret))
    }

    /// Length-prefixed encoding: per field one role byte, four length bytes (big-endian), the bytes.
    pub fn encode(&self) -> Secret {
        let len = self.fields.iter().map(|(_, s)| 5 + s.len()).sum();
        Secret::filled_by(len, |out| {
            let mut at = 0;
            for (field, secret) in &self.fields {
                let n = secret.len();
                out[at] = *field as u8;
                out[at + 1..at + 5].copy_from_slice(&(n as u32).to_be_bytes());
                // EXPOSE: copied into the encoding, which is itself a Secret.
                out[at + 5..at + 5 + n].copy_from_slice(secret.expose());
                at += 5 + n;
            }
        })
    }

    /// Reads what [`Material::encode`] wrote.
    pub fn decode(encoded: &Secret) -> Result<Self, MaterialError> {
        // EXPOSE: parsed into fields, each of which is a Secret.
        let mut rest = encoded.expose();
        let mut fields = Vec::new();
        while let Some((&role, after)) = rest.split_first() {
            let field = match role {
                1 => Field::Key,
                2 => Field::Username,
                3 => Field::Password,
                _ => return Err(MaterialError(())),
            };
            let (len, after) = after.split_first_chunk::<4>().ok_or(MaterialError(()))?;
            let len = u32::from_be_bytes(*len) as usize;
            if after.len() < len || fields.iter().any(|(f, _)| *f == field) {
                return Err(MaterialError(()));
            }
            let (bytes, after) = after.split_at(len);
            fields.push((field, Secret::filled_by(len, |out| out.copy_from_slice(bytes))));
            rest = after;
        }
        if fields.is_empty() { Err(MaterialError(())) } else { Ok(Self { fields }) }
    }
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.fields.iter().map(|(field, _)| field)).finish()
    }
}

// === impl MaterialError ===

impl std::fmt::Display for MaterialError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the bytes are no encoded material")
    }
}

impl std::error::Error for MaterialError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        let decoded = Material::decode(&Material::basic(b"user".to_vec(), b"p:w".to_vec()).encode()).unwrap();
        assert_eq!(
            decoded.field(Field::Username),
            Some(&Secret::from(b"user".to_vec())),
            "user name survives"
        );
        assert_eq!(decoded.field(Field::Password), Some(&Secret::from(b"p:w".to_vec())), "password survives");
        assert_eq!(decoded.field(Field::Key), None, "no field is invented");
    }

    #[test]
    fn refuses_damage() {
        let good = Material::key(b"abc".to_vec()).encode();
        for cut in 0..good.len() {
            let short = Secret::from(good.expose()[..cut].to_vec());
            assert!(Material::decode(&short).is_err(), "{cut} bytes were accepted");
        }
        assert!(
            Material::decode(&Secret::from(vec![9, 0, 0, 0, 0])).is_err(),
            "an unknown role was accepted"
        );
    }
}
