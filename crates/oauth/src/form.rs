//! Forms on the wire (RFC 6749 appendix B) in one wiped buffer. Must not know what the fields mean.

use claviger_secret::Secret;
use zeroize::Zeroizing;

/// A form in the making. No name can be put in twice.
pub(crate) struct Form {
    text: Zeroizing<String>,
    names: Vec<String>,
}

// === impl Form ===

impl Form {
    pub(crate) fn new() -> Self {
        // Room for a long token, so that the buffer is seldom moved.
        Self { text: Zeroizing::new(String::with_capacity(4096)), names: Vec::new() }
    }

    /// With a field more, unless the name stands there already. The first value stays.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.put(name, value.as_bytes(), false);
        self
    }

    /// With a secret field more.
    pub(crate) fn with_secret(mut self, name: &str, value: &Secret) -> Self {
        // EXPOSE: encoded into the body of the request that it is for; the buffer is wiped.
        self.put(name, value.expose(), false);
        self
    }

    /// With a field that may stand more than once (`resource`, RFC 8707 §2).
    pub(crate) fn with_each<'a>(mut self, name: &str, values: impl IntoIterator<Item = &'a str>) -> Self {
        for value in values {
            self.put(name, value.as_bytes(), true);
        }
        self
    }

    pub(crate) fn finish(self) -> Secret {
        Secret::from(self.text.as_bytes().to_vec())
    }

    fn put(&mut self, name: &str, value: &[u8], may_repeat: bool) {
        if !may_repeat && self.names.iter().any(|n| n == name) {
            return;
        }
        self.names.push(name.to_owned());
        if !self.text.is_empty() {
            self.text.push('&');
        }
        encode_into(&mut self.text, name.as_bytes());
        self.text.push('=');
        encode_into(&mut self.text, value);
    }
}

/// `application/x-www-form-urlencoded` of one name or value.
pub(crate) fn encode_into(out: &mut String, bytes: &[u8]) {
    for piece in url::form_urlencoded::byte_serialize(bytes) {
        out.push_str(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o08_no_name_stands_twice_and_every_value_comes_back() {
        let values = ["a b", "a&b=c", "a+b", "ключ", "%2e", "\"'<>"];
        for value in values {
            let form = Form::new().with("scope", value).with("scope", "second").with("x", "y").finish();
            let read: Vec<(String, String)> =
                url::form_urlencoded::parse(form.expose()).into_owned().collect();
            let expected = [("scope".to_owned(), value.to_owned()), ("x".to_owned(), "y".to_owned())];
            assert_eq!(read, expected, "{value:?}");
        }
        let form = Form::new().with_each("resource", ["https://a.example", "https://b.example"]).finish();
        assert_eq!(url::form_urlencoded::parse(form.expose()).count(), 2, "resource alone may be repeated");
    }
}
