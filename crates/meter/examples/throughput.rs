//! How fast bodies pass the meter: `cargo run --release -p claviger-meter --example throughput`.
#![allow(clippy::print_stdout, reason = "this program exists to print")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use claviger_meter::Meter;
use claviger_model::UsageShape;

fn main() {
    let words = "The quick brown fox jumps over the lazy dog and says \\\"hello\\\" to it.\\n".repeat(4000);
    let text = format!(
        r#"{{"model":"m","choices":[{{"message":{{"content":"{words}"}}}}],"usage":{{"prompt_tokens":1}}}}"#
    );
    let numbers: String = (0..40_000).map(|i| format!("-0.0{i:05},")).collect();
    let embeddings = format!(r#"{{"data":[{{"embedding":[{numbers}0]}}],"usage":{{"prompt_tokens":1}}}}"#);
    let chunk = concat!(
        r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795000000,"model":"m","#,
        r#""choices":[{"index":0,"delta":{"content":" token"},"finish_reason":null}],"usage":null}"#,
        "\n\n"
    );
    let stream = chunk.repeat(2000);
    let cases = [
        ("chat completion, one long text", "application/json", text),
        ("embeddings, arrays of numbers", "application/json", embeddings),
        ("chat stream, one token an event", "text/event-stream", stream),
    ];
    for (name, kind, body) in &cases {
        let until = Instant::now() + Duration::from_millis(1500);
        let (mut bytes, start) = (0usize, Instant::now());
        while Instant::now() < until {
            let mut meter = Meter::new(UsageShape::OpenAi, kind);
            for piece in body.as_bytes().chunks(16 * 1024) {
                meter.feed(black_box(piece));
            }
            black_box(meter.finish());
            bytes += body.len();
        }
        println!("{name}: {:.0} MB/s", bytes as f64 / 1e6 / start.elapsed().as_secs_f64());
    }
}
