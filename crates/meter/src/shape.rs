//! The providers' ways of counting tokens, brought into one: see [`TokenUsage`].
//!
//! Must not know how the values were found. Fields that are no whole numbers, or absurd ones, are as if absent.

use claviger_model::{TokenUsage, UsageShape};
use serde_json::Value;

/// A count above this is not believed.
const ABSURD: u64 = 1_000_000_000_000_000;
/// As the record's model field.
const MODEL_BYTES: usize = 64;

/// The counts seen so far, each in the provider's own meaning. An answer may state its usage several times; later
/// statements replace earlier ones field by field.
#[derive(Default)]
pub(crate) struct Counts {
    /// Whose way of counting the answer showed, where the service does not say.
    detected: Option<UsageShape>,
    input: Option<u64>,
    output: Option<u64>,
    cached_read: Option<u64>,
    cached_write: Option<u64>,
    /// Gemini: results of tools, which the prompt's count leaves out.
    tools: Option<u64>,
    reasoning: Option<u64>,
}

// === impl Counts ===

impl Counts {
    /// Takes in one usage object.
    pub(crate) fn take(&mut self, shape: UsageShape, json: &[u8]) {
        let Ok(usage) = serde_json::from_slice::<Value>(json) else { return };
        let of = |name: &str| count(usage.get(name));
        let within = |outer: &str, name: &str| count(usage.get(outer).and_then(|inner| inner.get(name)));
        match self.shape_of(shape, &usage) {
            UsageShape::OpenAi => {
                let detail = |name| {
                    within("prompt_tokens_details", name).or_else(|| within("input_tokens_details", name))
                };
                let reasoning = within("completion_tokens_details", "reasoning_tokens")
                    .or_else(|| within("output_tokens_details", "reasoning_tokens"));
                replace(&mut self.input, of("prompt_tokens").or_else(|| of("input_tokens")));
                replace(&mut self.output, of("completion_tokens").or_else(|| of("output_tokens")));
                // DeepSeek writes the cached part beside the total.
                replace(
                    &mut self.cached_read,
                    detail("cached_tokens").or_else(|| of("prompt_cache_hit_tokens")),
                );
                replace(&mut self.cached_write, detail("cache_write_tokens"));
                replace(&mut self.reasoning, reasoning);
            }
            UsageShape::Anthropic => {
                // Cumulative over the stream: the largest is the last.
                grow(&mut self.input, of("input_tokens"));
                grow(&mut self.output, of("output_tokens"));
                grow(&mut self.cached_read, of("cache_read_input_tokens"));
                grow(&mut self.cached_write, of("cache_creation_input_tokens"));
                let thinking = within("output_tokens_details", "thinking_tokens")
                    .or_else(|| within("output_tokens_details", "reasoning_tokens"));
                grow(&mut self.reasoning, thinking);
            }
            UsageShape::Gemini => {
                replace(&mut self.input, of("promptTokenCount"));
                replace(&mut self.output, of("candidatesTokenCount"));
                replace(&mut self.cached_read, of("cachedContentTokenCount"));
                replace(&mut self.tools, of("toolUsePromptTokenCount"));
                replace(&mut self.reasoning, of("thoughtsTokenCount"));
            }
            UsageShape::Detect => {}
        }
    }

    /// The service's shape, or the one that the fields of this usage object show. Once shown, it stays.
    fn shape_of(&mut self, shape: UsageShape, usage: &Value) -> UsageShape {
        if shape != UsageShape::Detect {
            return shape;
        }
        let has = |names: &[&str]| names.iter().any(|name| usage.get(name).is_some());
        let shown = if has(&["promptTokenCount", "candidatesTokenCount", "totalTokenCount"]) {
            Some(UsageShape::Gemini)
        } else if has(&["cache_read_input_tokens", "cache_creation_input_tokens"]) {
            Some(UsageShape::Anthropic)
        } else if has(&["prompt_tokens", "completion_tokens", "input_tokens", "output_tokens"]) {
            // Without cached tokens the two ways of counting agree.
            Some(UsageShape::OpenAi)
        } else {
            None
        };
        // A later object may show what the first one left open.
        if matches!(self.detected, None | Some(UsageShape::OpenAi)) && shown.is_some() {
            self.detected = shown;
        }
        self.detected.unwrap_or(UsageShape::Detect)
    }

    /// The counts in Claviger's meaning, if any were seen.
    pub(crate) fn usage(&self, shape: UsageShape) -> Option<TokenUsage> {
        if self.input.is_none() && self.output.is_none() {
            return None;
        }
        let Self { input, output, cached_read, cached_write, tools, reasoning, .. } = self;
        let [mut input, mut output, cached_read, cached_write, tools, reasoning] =
            [input, output, cached_read, cached_write, tools, reasoning].map(|n| n.unwrap_or(0));
        let shape = if shape == UsageShape::Detect { self.detected.unwrap_or(shape) } else { shape };
        match shape {
            UsageShape::OpenAi | UsageShape::Detect => {}
            UsageShape::Anthropic => input += cached_read + cached_write,
            UsageShape::Gemini => {
                input += tools;
                output += reasoning;
            }
        }
        // Parts never exceed the whole, whatever an upstream claims.
        let cached_read = cached_read.min(input);
        Some(TokenUsage {
            input,
            output,
            cached_read,
            cached_write: cached_write.min(input - cached_read),
            reasoning: reasoning.min(output),
        })
    }
}

/// The model's name out of a JSON string; nothing if it is empty or holds control characters.
pub(crate) fn model_name(json: &[u8]) -> Option<String> {
    let mut name: String = serde_json::from_slice(json).ok()?;
    if name.is_empty() || name.chars().any(char::is_control) {
        return None;
    }
    let end = (0..=MODEL_BYTES.min(name.len())).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    name.truncate(end);
    Some(name)
}

fn count(value: Option<&Value>) -> Option<u64> {
    value?.as_u64().filter(|n| *n <= ABSURD)
}

fn replace(field: &mut Option<u64>, new: Option<u64>) {
    *field = new.or(*field);
}

fn grow(field: &mut Option<u64>, new: Option<u64>) {
    *field = (*field).max(new);
}
