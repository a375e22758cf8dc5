//! Every provider's shapes, cut at every byte; hostile bodies; the bound on what is kept.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn usage(input: u64, output: u64, cached_read: u64, cached_write: u64, reasoning: u64) -> Option<TokenUsage> {
    Some(TokenUsage { input, output, cached_read, cached_write, reasoning })
}

fn read(shape: UsageShape, content_type: &str, pieces: &[&[u8]]) -> Reading {
    let mut meter = Meter::new(shape, content_type);
    for piece in pieces {
        meter.feed(piece);
    }
    meter.finish()
}

const JSON: &str = "application/json; charset=utf-8";
const SSE: &str = "text/event-stream";

/// Name, shape, content type, body, model, usage.
type Fixture = (&'static str, UsageShape, &'static str, String, Option<&'static str>, Option<TokenUsage>);

fn fixtures() -> Vec<Fixture> {
    use UsageShape::{Anthropic, Gemini, OpenAi};
    let fixture = |name: &str| match name {
        "openai_chat.json" => include_str!("../fixtures/openai_chat.json"),
        "openai_chat.sse" => include_str!("../fixtures/openai_chat.sse"),
        "openai_responses.json" => include_str!("../fixtures/openai_responses.json"),
        "openai_responses.sse" => include_str!("../fixtures/openai_responses.sse"),
        "openai_embeddings.json" => include_str!("../fixtures/openai_embeddings.json"),
        "deepseek_chat.json" => include_str!("../fixtures/deepseek_chat.json"),
        "groq_chat.sse" => include_str!("../fixtures/groq_chat.sse"),
        "anthropic.json" => include_str!("../fixtures/anthropic.json"),
        "anthropic.sse" => include_str!("../fixtures/anthropic.sse"),
        "gemini.json" => include_str!("../fixtures/gemini.json"),
        "gemini.sse" => include_str!("../fixtures/gemini.sse"),
        "gemini_array.json" => include_str!("../fixtures/gemini_array.json"),
        _ => panic!("no fixture {name}"),
    };
    let row = |name: &'static str, shape, model, usage| {
        let kind = if name.ends_with(".sse") { SSE } else { JSON };
        (name, shape, kind, fixture(name).to_owned(), model, usage)
    };
    vec![
        row("openai_chat.json", OpenAi, Some("gpt-6.1-sol-2026-10-01"), usage(1117, 46, 1024, 0, 17)),
        row("openai_chat.sse", OpenAi, Some("gpt-6.1-sol"), usage(9, 12, 4, 2, 5)),
        row("openai_responses.json", OpenAi, Some("gpt-6.1-sol"), usage(328, 52, 300, 20, 32)),
        row("openai_responses.sse", OpenAi, Some("gpt-6.1-sol"), usage(37, 11, 7, 0, 3)),
        row("openai_embeddings.json", OpenAi, Some("text-embedding-4-small"), usage(8, 0, 0, 0, 0)),
        row("deepseek_chat.json", OpenAi, Some("deepseek-chat"), usage(100, 20, 64, 0, 0)),
        row("groq_chat.sse", OpenAi, Some("llama-4-70b"), usage(23, 41, 0, 0, 0)),
        row("anthropic.json", Anthropic, Some("claude-opus-5-5"), usage(3 + 2000 + 500, 80, 2000, 500, 0)),
        row("anthropic.sse", Anthropic, Some("claude-opus-5-5"), usage(25 + 100 + 10, 15, 100, 10, 0)),
        row("gemini.json", Gemini, Some("gemini-3.5-flash"), usage(200, 30 + 70, 150, 0, 70)),
        row("gemini.sse", Gemini, Some("gemini-3.5-flash"), usage(11, 7 + 9, 0, 0, 9)),
        row("gemini_array.json", Gemini, Some("gemini-3.5-pro"), usage(5 + 4, 6, 0, 0, 0)),
    ]
}

#[test]
fn every_shape_is_read_exactly() {
    for (name, shape, kind, body, model, usage) in fixtures() {
        let reading = read(shape, kind, &[body.as_bytes()]);
        assert_eq!(reading, Reading { model: model.map(str::to_owned), usage }, "{name} in one piece");
    }
}

#[test]
fn detection_reads_what_the_known_shape_reads() {
    for (name, shape, kind, body, ..) in fixtures() {
        let known = read(shape, kind, &[body.as_bytes()]);
        assert_eq!(
            read(UsageShape::Detect, kind, &[body.as_bytes()]),
            known,
            "{name} without its shape told"
        );
    }
}

#[test]
fn a_cut_at_any_byte_changes_nothing() {
    for (name, shape, kind, body, ..) in fixtures() {
        let whole = read(shape, kind, &[body.as_bytes()]);
        for at in 0..=body.len() {
            let (head, tail) = body.as_bytes().split_at(at);
            assert_eq!(read(shape, kind, &[head, tail]), whole, "{name} cut at {at}");
        }
        for size in 1..=7 {
            let pieces: Vec<&[u8]> = body.as_bytes().chunks(size).collect();
            assert_eq!(read(shape, kind, &pieces), whole, "{name} in pieces of {size}");
        }
    }
}

#[test]
fn line_ends_of_every_kind_are_read() {
    for (name, shape, kind, body, ..) in fixtures().into_iter().filter(|f| f.2 == SSE) {
        let whole = read(shape, kind, &[body.as_bytes()]);
        for (ending, what) in [("\r\n", "CRLF"), ("\r", "CR")] {
            let body = body.replace('\n', ending);
            for at in 0..=body.len() {
                let (head, tail) = body.as_bytes().split_at(at);
                assert_eq!(read(shape, kind, &[head, tail]), whole, "{name} with {what} cut at {at}");
            }
        }
        let marked = format!("\u{feff}{body}");
        assert_eq!(read(shape, kind, &[marked.as_bytes()]), whole, "{name} after a byte order mark");
    }
}

#[test]
fn data_over_several_lines_is_one_document() {
    let body =
        b"event: x\ndata: {\"model\":\ndata:  \"m\",\ndata:\"usage\":{\"prompt_tokens\":\ndata:7}}\n\n";
    let reading = read(UsageShape::OpenAi, SSE, &[body]);
    assert_eq!(reading.usage, usage(7, 0, 0, 0, 0), "lines are joined");
    assert_eq!(reading.model.as_deref(), Some("m"), "so is the model");
}

#[test]
fn usage_in_the_wrong_place_is_not_counted() {
    let cases = [
        ("in a string", r#"{"choices":[{"text":"\"usage\":{\"prompt_tokens\":1}"}]}"#),
        ("in a string ending in a backslash", r#"{"a":"\\","b":"{\"usage\":{\"prompt_tokens\":1}}"}"#),
        ("too deep", r#"{"choices":[{"usage":{"prompt_tokens":1}}]}"#),
        ("too deep in the inner object", r#"{"response":{"tool":{"usage":{"prompt_tokens":1}}}}"#),
        ("below another member", r#"{"metadata":{"usage":{"prompt_tokens":1}}}"#),
        ("as a value", r#"{"x":"usage","y":{"prompt_tokens":1}}"#),
        ("as a bare array", r#"{"usage":[{"prompt_tokens":1}]}"#),
        ("as null", r#"{"usage":null}"#),
        ("cut short", r#"{"usage":{"prompt_tokens":1"#),
        ("below an array member", r#"[[{"usage":{"prompt_tokens":1}}]]"#),
        ("response in response", r#"{"response":{"response":{"usage":{"prompt_tokens":1}}}}"#),
    ];
    for (what, body) in cases {
        assert_eq!(read(UsageShape::OpenAi, JSON, &[body.as_bytes()]).usage, None, "{what}: {body}");
    }
}

#[test]
fn absurd_counts_are_as_if_absent() {
    for bad in
        ["-1", "1.5", "1e3", "\"7\"", "1000000000000001", "99999999999999999999999", "true", "null", "{}"]
    {
        let body = format!(r#"{{"usage":{{"prompt_tokens":{bad},"completion_tokens":2}}}}"#);
        assert_eq!(read(UsageShape::OpenAi, JSON, &[body.as_bytes()]).usage, usage(0, 2, 0, 0, 0), "{bad}");
    }
    let parts =
        br#"{"usage":{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":9,
        "cache_write_tokens":9},"completion_tokens_details":{"reasoning_tokens":9}}}"#;
    assert_eq!(
        read(UsageShape::OpenAi, JSON, &[parts]).usage,
        usage(5, 1, 5, 0, 1),
        "parts are capped by the whole"
    );
}

#[test]
fn other_content_types_are_not_read() {
    for kind in ["text/html", "application/octet-stream", "", "application/x-ndjson", "audio/mpeg"] {
        let meter = Meter::new(UsageShape::OpenAi, kind);
        assert!(!meter.is_reading(), "{kind:?} is read");
        let body = br#"{"usage":{"prompt_tokens":1}}"#;
        assert_eq!(read(UsageShape::OpenAi, kind, &[body]), Reading::default(), "{kind:?} gave a reading");
    }
    assert!(Meter::new(UsageShape::Gemini, "application/vnd.x+json").is_reading(), "a +json type is JSON");
}

#[test]
fn hostile_bodies_neither_grow_nor_break_it() {
    let deep = "[".repeat(300_000) + &"{\"a\":".repeat(300_000);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("deep nesting", deep.into_bytes()),
        ("closing brackets only", b"}]".repeat(100_000)),
        ("a huge usage object", [&br#"{"usage":{"a":""#[..], &vec![b'x'; 5_000_000], br#""}}"#].concat()),
        ("a huge model", [&br#"{"model":""#[..], &vec![b'm'; 5_000_000], br#""}"#].concat()),
        ("a huge name", [&br#"{""#[..], &vec![b'n'; 5_000_000], br#"":1}"#].concat()),
        (
            "random-looking bytes",
            (0..1_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect(),
        ),
    ];
    for (what, body) in cases {
        for kind in [JSON, SSE] {
            let framed = if kind == SSE { [b"data: ", body.as_slice()].concat() } else { body.clone() };
            let mut meter = Meter::new(UsageShape::OpenAi, kind);
            for piece in framed.chunks(4096) {
                meter.feed(piece);
            }
            let scanner = match &meter.body {
                Body::Json(scanner) => scanner,
                Body::Events(events) => events.scanner(),
                Body::Unread => panic!("{kind} is read"),
            };
            assert!(scanner.held() <= 32 * 1024, "{what} as {kind} holds {} bytes", scanner.held());
            assert_eq!(meter.finish(), Reading::default(), "{what} as {kind} gave a reading");
        }
    }
}

#[test]
fn a_model_name_is_cleaned() {
    let long = format!(r#"{{"model":"{}é"}}"#, "m".repeat(63));
    assert_eq!(
        read(UsageShape::OpenAi, JSON, &[long.as_bytes()]).model,
        Some("m".repeat(63)),
        "cut at a character"
    );
    let control = br#"{"model":"a\u001b[31m"}"#;
    assert_eq!(read(UsageShape::OpenAi, JSON, &[control]).model, None, "control characters are refused");
    let escaped = br#"{"model":"org\/model"}"#;
    assert_eq!(
        read(UsageShape::OpenAi, JSON, &[escaped]).model.as_deref(),
        Some("org/model"),
        "escapes are read"
    );
}
