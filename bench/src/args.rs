//! `--name value` and `--flag`, nothing more. Must not know which names there are.

use crate::Outcome;
use std::{collections::HashMap, str::FromStr};

/// The arguments of a measuring program.
pub struct Args(HashMap<String, Vec<String>>);

// === impl Args ===

impl Args {
    /// This process's own.
    pub fn of_process() -> Self {
        Self::parse(std::env::args().skip(1))
    }

    fn parse(words: impl Iterator<Item = String>) -> Self {
        let mut found: HashMap<String, Vec<String>> = HashMap::new();
        let mut name = String::new();
        for word in words {
            if let Some(next) = word.strip_prefix("--") {
                name = next.to_owned();
                found.entry(name.clone()).or_default();
            } else {
                found.entry(name.clone()).or_default().push(word);
            }
        }
        Self(found)
    }

    /// Whether the name was given.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Every value given for the name.
    pub fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// The value, which must be there.
    pub fn text(&self, name: &str) -> Outcome<&str> {
        self.all(name).last().map(String::as_str).ok_or_else(|| format!("--{name} is missing").into())
    }

    /// The value read as a `T`, or what stands in for it.
    pub fn value<T: FromStr>(&self, name: &str, otherwise: T) -> Outcome<T> {
        match self.all(name).last() {
            None => Ok(otherwise),
            Some(text) => text.parse().map_err(|_| format!("--{name} {text}: not a value for it").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn names_take_values_and_repeat() {
        let words = ["--header", "A: 1", "--header", "B: 2", "--quick", "--conns", "16"];
        let args = Args::parse(words.iter().map(|w| (*w).to_owned()));
        assert_eq!(args.all("header"), ["A: 1", "B: 2"], "a repeated name keeps all values");
        assert!(args.has("quick"), "a flag needs no value");
        assert_eq!(args.value("conns", 1).unwrap(), 16, "a number is read");
        assert!(args.value::<u32>("header", 1).is_err(), "what is no number is said");
        assert!(args.text("url").is_err(), "what is missing is said");
    }
}
