//! JSON from strangers: bounded depth, no name twice, no trailing bytes, and each field read by the kind it must have.
//!
//! Must not know which document is read.

use std::fmt;

use claviger_secret::Secret;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// No document nests deeper.
const DEEPEST: usize = 12;

/// An object read strictly. Not printable: it may hold tokens.
pub(crate) struct Object(Map<String, Value>);

/// What is wrong with a document: a fixed phrase, and the field if it is about one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}{}{}", if .field.is_empty() { "" } else { ": " }, .field)]
pub struct Fault {
    /// A fixed phrase.
    pub what: &'static str,
    /// The field's name, or nothing.
    pub field: &'static str,
}

// === impl Object ===

impl Object {
    /// Reads a whole document that is one object.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let value = Strict { depth: 0 }
            .deserialize(&mut reader)
            .map_err(|_| fault("not JSON, or JSON that two readers would read differently", ""))?;
        reader.end().map_err(|_| fault("something stands behind the JSON", ""))?;
        match value {
            Value::Object(map) => Ok(Self(map)),
            _ => Err(fault("not a JSON object", "")),
        }
    }

    /// The field as it stands; absent and `null` are the same.
    pub(crate) fn value(&self, field: &str) -> Option<&Value> {
        self.0.get(field).filter(|v| !v.is_null())
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.value(field).is_some()
    }

    pub(crate) fn text(&self, field: &'static str) -> Result<Option<&str>, Fault> {
        self.value(field).map(|v| v.as_str().ok_or(fault("not a text", field))).transpose()
    }

    pub(crate) fn required_text(&self, field: &'static str) -> Result<&str, Fault> {
        self.text(field)?.filter(|t| !t.is_empty()).ok_or(fault("missing", field))
    }

    pub(crate) fn flag(&self, field: &'static str) -> Result<bool, Fault> {
        self.value(field).map_or(Ok(false), |v| v.as_bool().ok_or(fault("neither true nor false", field)))
    }

    /// A list of texts; at most 1,000 of them.
    pub(crate) fn texts(&self, field: &'static str) -> Result<Option<Vec<String>>, Fault> {
        let Some(value) = self.value(field) else { return Ok(None) };
        let list = value.as_array().filter(|l| l.len() <= 1000).ok_or(fault("not a list", field))?;
        let text = |v: &Value| v.as_str().map(str::to_owned).ok_or(fault("not a list of texts", field));
        list.iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// Takes a text out as a secret.
    pub(crate) fn take_secret(&mut self, field: &'static str) -> Result<Option<Secret>, Fault> {
        match self.0.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(Secret::from(text))),
            Some(_) => Err(fault("not a text", field)),
        }
    }
}

pub(crate) const fn fault(what: &'static str, field: &'static str) -> Fault {
    Fault { what, field }
}

/// Reads any value, counting depth and refusing a second field of the same name.
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: serde::de::Error>(&self) -> Result<Self, E> {
        if self.depth < DEEPEST { Ok(Self { depth: self.depth + 1 }) } else { Err(E::custom("too deep")) }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_string<E>(self, v: String) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.deeper()?)? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let value = fields.next_value_seed(self.deeper()?)?;
            if map.insert(name, value).is_some() {
                return Err(A::Error::custom("a name stands twice"));
            }
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o37_o68_what_is_not_plain_json_is_refused() {
        let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
        let deep_object = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
        let bad: [&[u8]; 15] = [
            b"",
            b"null",
            b"[]",
            b"\"x\"",
            b"{",
            b"{\"a\":1",
            b"{\"a\":NaN}",
            b"{\"a\":Infinity}",
            b"{\"a\":1}x",
            b"\xef\xbb\xbf{}",
            b"{\"a\":1,\"a\":2}",
            b"{\"a\":{\"b\":1,\"b\":1}}",
            b"{\"a\":\"\xff\"}",
            deep.as_bytes(),
            deep_object.as_bytes(),
        ];
        for bytes in bad {
            assert!(
                Object::read(bytes).is_err(),
                "{:?} was read",
                String::from_utf8_lossy(&bytes[..bytes.len().min(40)])
            );
        }
        assert!(Object::read(b" {\"a\": [{\"b\": null}]} ").is_ok(), "a plain object is read");
    }

    #[test]
    fn a_field_has_the_kind_it_must_have() {
        let object = Object::read(br#"{"n": 1, "t": "x", "l": ["a", 1], "z": null}"#).unwrap();
        assert_eq!(object.text("t"), Ok(Some("x")), "a text");
        assert_eq!(object.text("z"), Ok(None), "null is absent");
        assert!(
            object.text("n").is_err() && object.texts("l").is_err() && object.flag("n").is_err(),
            "another kind is a fault"
        );
        assert_eq!(
            object.required_text("gone").unwrap_err().to_string(),
            "missing: gone",
            "a fault names its field"
        );
    }
}
