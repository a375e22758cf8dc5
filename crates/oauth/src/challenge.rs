//! `WWW-Authenticate` (RFC 9110 §11.6.1): which challenges a service gives with a 401 or 403, and what they ask for.
//!
//! Must not know what is done about them.

/// One challenge: a scheme and its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// In lower case.
    pub scheme: String,
    parameters: Vec<(String, String)>,
}

/// No header is read further, and none has more challenges.
const LONGEST: usize = 16 * 1024;
const MOST: usize = 16;

// === impl Challenge ===

impl Challenge {
    /// Reads the challenges of one header. What cannot be read ends the reading; nothing is guessed.
    pub fn read(header: &str) -> Vec<Self> {
        let header = header.get(..LONGEST).unwrap_or(header);
        let mut reader = Reader { rest: header };
        let mut found: Vec<Self> = Vec::new();
        while found.len() < MOST {
            reader.skip_separators();
            let Some(word) = reader.token() else { break };
            let mut challenge = Self { scheme: word.to_ascii_lowercase(), parameters: Vec::new() };
            let is_readable = reader.parameters(&mut challenge.parameters);
            found.push(challenge);
            if !is_readable {
                break;
            }
        }
        found
    }

    /// A parameter that stands there once.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut fitting = self.parameters.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str());
        let first = fitting.next()?;
        fitting.next().is_none().then_some(first)
    }

    /// The scopes that are missing, when that is what the service says (RFC 6750 §3.1): the user may be asked for them.
    pub fn missing_scopes(&self) -> Option<Vec<String>> {
        let is_it = matches!(self.scheme.as_str(), "bearer" | "dpop")
            && self.parameter("error") == Some("insufficient_scope");
        let scopes = self.parameter("scope").filter(|_| is_it)?;
        crate::token::split_scopes(scopes, &crate::Quirks::default()).ok().filter(|s| !s.is_empty())
    }
}

struct Reader<'a> {
    rest: &'a str,
}

// === impl Reader ===

impl<'a> Reader<'a> {
    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn skip_separators(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', ',']);
    }

    fn token(&mut self) -> Option<&'a str> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.rest.find(|c| !is_token(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        if word.is_empty() { None } else { Some(word) }
    }

    /// Reads `name=value, …` up to the next scheme. Says whether all of it could be read.
    fn parameters(&mut self, into: &mut Vec<(String, String)>) -> bool {
        loop {
            self.skip_separators();
            let before = self.rest;
            if before.is_empty() {
                return true;
            }
            let Some(name) = self.token() else { return false };
            let after_name = self.rest;
            self.skip_spaces();
            let is_parameter = self.rest.starts_with('=') && !self.rest.starts_with("==");
            if !is_parameter {
                // A token68 directly after the scheme (`Negotiate abc==`), or the next scheme.
                let is_token68 = into.is_empty()
                    && (after_name.is_empty() || after_name.starts_with(['=', ',']))
                    && !before.is_empty()
                    && after_name.starts_with('=');
                if is_token68 {
                    self.rest = after_name.trim_start_matches('=');
                    continue;
                }
                self.rest = before;
                return true;
            }
            self.rest = &self.rest[1..];
            self.skip_spaces();
            let value =
                if self.rest.starts_with('"') { self.quoted() } else { self.token().map(str::to_owned) };
            let Some(value) = value else { return false };
            if into.len() >= 64 {
                return false;
            }
            into.push((name.to_ascii_lowercase(), value));
        }
    }

    fn quoted(&mut self) -> Option<String> {
        let mut value = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Some(value);
                }
                '\\' => value.push(characters.next()?.1),
                c if c.is_control() && c != '\t' => return None,
                c => value.push(c),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn o69_challenges_are_read_whatever_stands_in_quotes() {
        let header = r#"Basic realm="a, b=\"c\"", Bearer resource_metadata="https://rs.example/.well-known/oauth-protected-resource", scope="a b",error=insufficient_scope"#;
        let found = Challenge::read(header);
        assert_eq!(found.len(), 2, "two challenges: {found:?}");
        assert_eq!(found[0].parameter("realm"), Some("a, b=\"c\""), "commas and quotes inside quotes");
        let place = found[1].parameter("resource_metadata");
        assert_eq!(place, Some("https://rs.example/.well-known/oauth-protected-resource"), "of the second");
        assert_eq!(found[1].missing_scopes(), Some(vec!["a".into(), "b".into()]), "what is missing");
        let bare = Challenge::read("Negotiate, Bearer");
        assert_eq!(
            bare.iter().map(|c| c.scheme.as_str()).collect::<Vec<_>>(),
            ["negotiate", "bearer"],
            "bare schemes"
        );
        let token68 = Challenge::read("Negotiate YWJj==, Bearer error=\"invalid_token\"");
        assert_eq!(
            token68.last().and_then(|c| c.parameter("error")),
            Some("invalid_token"),
            "behind a token68: {token68:?}"
        );
    }

    #[test]
    fn o69_what_cannot_be_read_is_not_guessed() {
        for header in
            ["Bearer scope=\"a", "Bearer =x", "Bearer scope=\"a\\", "\u{1}", "", ",,,", "Bearer a=\"\u{0}\""]
        {
            let found = Challenge::read(header);
            assert!(found.iter().all(|c| c.parameters.is_empty()), "{header:?} gave {found:?}");
        }
        let twice = Challenge::read("Bearer scope=a, scope=b");
        assert_eq!(twice[0].parameter("scope"), None, "a parameter that stands twice says nothing");
        let other = Challenge::read("Basic error=\"insufficient_scope\", scope=\"admin\"");
        assert_eq!(other[0].missing_scopes(), None, "only a token's challenge asks for scopes");
    }

    proptest! {
        #[test]
        fn o69_nothing_makes_the_reader_panic_or_pile_up(header in "[ -~\t]{0,300}|(Bearer |[a-z]{1,3}=|\"|,|=|\\\\| ){0,80}|.{0,100}") {
            let found = Challenge::read(&header);
            prop_assert!(found.len() <= MOST, "{} challenges", found.len());
        }
    }
}
