//! Numbers for ids and names, so that cells stay small. Number 0 is nothing. Must not know what is numbered.

use std::collections::HashMap;
use std::hash::Hash;

use serde::{Deserialize, Serialize};

/// Values in the order in which they were first seen, and the way back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(
    from = "Vec<T>",
    into = "Vec<T>",
    bound = "T: Clone + Eq + Hash + Serialize + serde::de::DeserializeOwned"
)]
pub(crate) struct Table<T> {
    values: Vec<T>,
    numbers: HashMap<T, u32>,
}

// === impl Table ===

impl<T: Clone + Eq + Hash> Table<T> {
    /// The value's number; a new one if it was never seen.
    pub(crate) fn number_of(&mut self, value: &T) -> u32 {
        if let Some(number) = self.numbers.get(value) {
            return *number;
        }
        self.values.push(value.clone());
        let number = self.values.len() as u32;
        self.numbers.insert(value.clone(), number);
        number
    }

    pub(crate) fn number_of_opt(&mut self, value: Option<&T>) -> u32 {
        value.map_or(0, |value| self.number_of(value))
    }

    pub(crate) fn find(&self, value: &T) -> Option<u32> {
        self.numbers.get(value).copied()
    }

    /// The value with this number; nothing for 0.
    pub(crate) fn value(&self, number: u32) -> Option<T> {
        self.values.get((number as usize).checked_sub(1)?).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { values: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash> From<Vec<T>> for Table<T> {
    fn from(values: Vec<T>) -> Self {
        let numbers = values.iter().cloned().zip(1..).collect();
        Self { values, numbers }
    }
}

impl<T> From<Table<T>> for Vec<T> {
    fn from(table: Table<T>) -> Self {
        table.values
    }
}
