//! Reads token usage and the model's name from answers in passing: bytes in, counts out, nothing kept but a few KiB.
//!
//! Must not know HTTP, prices, files or the clock. It never changes what it reads, and whatever an upstream sends, it
//! neither fails nor grows: what cannot be understood is not counted.
//!
//! ```
//! use claviger_meter::Meter;
//! use claviger_model::UsageShape;
//!
//! let mut meter = Meter::new(UsageShape::OpenAi, "application/json");
//! meter.feed(br#"{"model":"gpt-6.1-sol","usage":{"prompt_to"#);
//! meter.feed(br#"kens":12,"completion_tokens":3}}"#);
//! let reading = meter.finish();
//! assert_eq!(reading.model.as_deref(), Some("gpt-6.1-sol"));
//! assert_eq!(reading.usage.map(|u| (u.input, u.output)), Some((12, 3)));
//! ```
#![deny(missing_docs)]

mod events;
mod scanner;
mod shape;

use claviger_model::{TokenUsage, UsageShape};

use crate::events::Events;
use crate::scanner::Scanner;

/// Reads one answer, piece by piece.
pub struct Meter {
    shape: UsageShape,
    body: Body,
    counts: shape::Counts,
    model: Option<String>,
}

/// What an answer said about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The model that answered; at most 64 bytes.
    pub model: Option<String>,
    /// Token counts, if the answer had any.
    pub usage: Option<TokenUsage>,
}

enum Body {
    /// Of a type that carries no usage.
    Unread,
    /// One JSON document, or an array of them.
    Json(Scanner),
    /// Server-sent events (WHATWG HTML §9.2), each with a JSON document as data.
    Events(Events),
}

// === impl Meter ===

impl Meter {
    /// A meter for an answer of a service of this shape with this `Content-Type`.
    pub fn new(shape: UsageShape, content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let body = match essence.as_str() {
            "text/event-stream" => Body::Events(Events::new(Scanner::new(shape))),
            "application/json" => Body::Json(Scanner::new(shape)),
            other if other.ends_with("+json") => Body::Json(Scanner::new(shape)),
            _ => Body::Unread,
        };
        Self { shape, body, counts: shape::Counts::default(), model: None }
    }

    /// Whether answers of this type are read at all.
    pub fn is_reading(&self) -> bool {
        !matches!(self.body, Body::Unread)
    }

    /// The next piece of the body, decoded from any content coding. Pieces may be cut anywhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Self { shape, body, counts, model } = self;
        let mut found = |finding: scanner::Found<'_>| match finding {
            scanner::Found::Usage(json) => counts.take(*shape, json),
            scanner::Found::Model(json) => {
                if model.is_none() {
                    *model = shape::model_name(json);
                }
            }
        };
        match body {
            Body::Unread => {}
            Body::Json(scanner) => scanner.feed(bytes, &mut found),
            Body::Events(events) => events.feed(bytes, &mut found),
        }
    }

    /// What was read. A body that was cut short gives what had passed until then.
    pub fn finish(self) -> Reading {
        Reading { model: self.model, usage: self.counts.usage(self.shape) }
    }
}

#[cfg(test)]
mod tests;
