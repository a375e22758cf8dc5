//! Token counts of one answer, in one shape for all providers.

use serde::{Deserialize, Serialize};

/// Token counts of one answer. `input` includes cached tokens, `output` includes reasoning, whatever the provider's
/// own way of counting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUsage {
    /// Tokens in the prompt, cached ones included.
    pub input: u64,
    /// Tokens in the answer, reasoning included.
    pub output: u64,
    /// Of `input`: read from the provider's cache.
    pub cached_read: u64,
    /// Of `input`: written to the provider's cache.
    pub cached_write: u64,
    /// Of `output`: spent on reasoning.
    pub reasoning: u64,
}
