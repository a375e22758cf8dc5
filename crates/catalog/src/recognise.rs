//! Whose key a text is, by its looks. Must not guess: a key taken for another service's would be sent to that service.

use std::sync::LazyLock;

use regex::RegexSet;

use crate::entry::{Entry, KeyShape};
use crate::{clean_paste, services};

/// Shorter texts are no keys, whatever they begin with.
const SHORTEST: usize = 12;

/// What a pasted text was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// The service's name.
    pub service: &'static str,
    /// What sort of key it is there.
    pub label: &'static str,
}

struct Shapes {
    set: RegexSet,
    /// In the order of the set.
    shapes: Vec<(&'static Entry, &'static KeyShape)>,
}

static SHAPES: LazyLock<Shapes> = LazyLock::new(|| {
    let shapes: Vec<_> =
        services().iter().flat_map(|entry| entry.keys.iter().map(move |shape| (entry, shape))).collect();
    let patterns = shapes.iter().map(|(_, shape)| format!(r"\A(?:{})\z", shape.pattern));
    // A pattern that does not compile fails the tests; here it would only mean that nothing is recognised.
    Shapes { set: RegexSet::new(patterns).unwrap_or_default(), shapes }
});

/// Whose key this is, if that is beyond doubt. Takes a key alone or a line such as `NAME="key"`; with the name, keys
/// are told apart whose looks say little.
pub fn recognise(pasted: &str) -> Option<Recognised> {
    let paste = clean_paste(pasted);
    let key = paste.text;
    if key.len() < SHORTEST || key.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return None;
    }
    let named = paste.variable.and_then(|variable| {
        services().iter().find(|entry| entry.variables.iter().any(|name| name.eq_ignore_ascii_case(variable)))
    });
    let is_named = |entry: &Entry| named.is_some_and(|named| named.service.id == entry.service.id);
    let matching = || {
        let hits = SHAPES.set.matches(key);
        hits.into_iter()
            .filter_map(|index| SHAPES.shapes.get(index).copied())
            .filter(|(entry, shape)| !shape.needs_name || is_named(entry))
    };
    let with_prefix = || {
        SHAPES
            .shapes
            .iter()
            .copied()
            .filter(|(entry, shape)| !shape.needs_name || is_named(entry))
            .filter_map(|(entry, shape)| {
                let longest =
                    shape.prefixes.iter().filter(|prefix| key.starts_with(prefix.as_str())).map(String::len);
                Some((longest.max()?, entry, shape))
            })
            .max_by_key(|(length, ..)| *length)
            .map(|(_, entry, shape)| (entry, shape))
    };
    let found = only(matching()).or_else(with_prefix);
    match (found, named) {
        (Some((entry, shape)), _) => Some(Recognised { service: &entry.service.name, label: &shape.label }),
        (None, Some(entry)) => Some(Recognised { service: &entry.service.name, label: "key" }),
        (None, None) => None,
    }
}

/// The first, if all are of one service.
fn only(
    mut found: impl Iterator<Item = (&'static Entry, &'static KeyShape)>,
) -> Option<(&'static Entry, &'static KeyShape)> {
    let first = found.next()?;
    found.all(|(entry, _)| entry.service.id == first.0.service.id).then_some(first)
}
