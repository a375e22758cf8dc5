//! The answers, in the shapes that the providers' own clients parse. Each carries token counts of its own, so that a
//! miscount cannot hide behind an equal one. Must not know who asks.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use futures_util::stream;
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};

use super::{Never, Seen, State};

/// An answer whose body may be streamed.
pub(super) type Answer = Response<UnsyncBoxBody<Bytes, Never>>;

/// The answer to one request.
pub(super) fn answer(seen: &Seen, state: &Arc<State>) -> Answer {
    let path = seen.target.split('?').next().unwrap_or_default();
    let body = seen.json();
    let streamed = body["stream"] == true;
    match path {
        p if p.ends_with("/chat/completions") => chat(&body, streamed, state),
        p if p.ends_with("/responses") => responses(&body, streamed, state),
        p if p.ends_with("/embeddings") => embeddings(&body, state),
        p if p.ends_with("/files") => plain_json(&json!({
            "id": "file-1", "object": "file", "bytes": seen.body.len(), "created_at": 1_780_000_000,
            "filename": "upload.bin", "purpose": "user_data", "status": "processed",
        })),
        p if p.ends_with("/messages/count_tokens") => plain_json(&json!({"input_tokens": 7})),
        p if p.ends_with("/messages") => messages(&body, streamed, state),
        p if p.ends_with(":generateContent") => gemini(false, state),
        p if p.ends_with(":streamGenerateContent") => gemini(true, state),
        p if p.ends_with("/models") => plain_json(&json!({
            "object": "list",
            "data": [{"id": "gpt-test", "object": "model", "created": 1, "owned_by": "test"}],
        })),
        p if p.ends_with("/drip") => drip(state),
        p if p.ends_with("/redirect") => with(StatusCode::FOUND, "text/plain", "elsewhere")
            .header("location", "https://elsewhere.invalid/")
            .body(Full::new(Bytes::new()).boxed_unsync())
            .unwrap_or_default(),
        p if p.contains("/status/") => {
            let code = p.rsplit('/').next().and_then(|s| s.parse().ok()).unwrap_or(500);
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            whole(status, "application/json", br#"{"error":{"message":"as asked"}}"#.to_vec())
        }
        _ => plain_json(
            &json!({"echo": true, "method": seen.method, "target": seen.target, "bytes": seen.body.len()}),
        ),
    }
}

/// A provider's answer to a key that it does not know.
pub(super) fn no_such_key() -> Answer {
    let body = json!({"error": {"message": "Incorrect API key provided.", "type": "invalid_request_error",
        "param": null, "code": "invalid_api_key"}});
    whole(StatusCode::UNAUTHORIZED, "application/json", body.to_string().into_bytes())
}

fn chat(asked: &Value, streamed: bool, state: &State) -> Answer {
    let n = state.next();
    let model = asked["model"].as_str().unwrap_or("gpt-test").to_owned();
    let usage = json!({
        "prompt_tokens": 100 + n, "completion_tokens": 10 + n, "total_tokens": 110 + 2 * n,
        "prompt_tokens_details": {"cached_tokens": n, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 1, "audio_tokens": 0},
    });
    if !streamed {
        state.bill(100 + n, 10 + n, n);
        return plain_json(&json!({
            "id": format!("chatcmpl-{n}"), "object": "chat.completion", "created": 1_780_000_000, "model": model,
            "choices": [{"index": 0, "finish_reason": "stop", "logprobs": null,
                "message": {"role": "assistant", "content": "pong", "refusal": null}}],
            "usage": usage,
        }));
    }
    let with_usage = asked["stream_options"]["include_usage"] == true;
    let chunk = |choices: Value, usage: Value| {
        let mut chunk = json!({"id": format!("chatcmpl-{n}"), "object": "chat.completion.chunk",
            "created": 1_780_000_000, "model": model, "choices": choices});
        if with_usage {
            chunk["usage"] = usage;
        }
        chunk
    };
    let delta = |delta: Value, finish: Value| json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
    let mut events =
        vec![chunk(delta(json!({"role": "assistant", "content": ""}), Value::Null), Value::Null)];
    for piece in ["po", "ng"] {
        events.push(chunk(delta(json!({"content": piece}), Value::Null), Value::Null));
    }
    events.push(chunk(delta(json!({}), json!("stop")), Value::Null));
    if with_usage {
        state.bill(100 + n, 10 + n, n);
        events.push(chunk(json!([]), usage));
    }
    let mut frames: Vec<String> = events.iter().map(|e| format!("data: {e}\n\n")).collect();
    frames.push("data: [DONE]\n\n".to_owned());
    sse(frames)
}

fn responses(asked: &Value, streamed: bool, state: &State) -> Answer {
    let n = state.next();
    state.bill(100 + n, 10 + n, n);
    let model = asked["model"].as_str().unwrap_or("gpt-test").to_owned();
    let item = json!({"type": "message", "id": format!("msg_{n}"), "status": "completed", "role": "assistant",
        "content": [{"type": "output_text", "text": "pong", "annotations": []}]});
    let response = |done: bool| {
        json!({
            "id": format!("resp_{n}"), "object": "response", "created_at": 1_780_000_000, "model": model,
            "status": if done { "completed" } else { "in_progress" }, "error": null, "incomplete_details": null,
            "instructions": null, "metadata": {}, "parallel_tool_calls": true, "temperature": 1.0, "top_p": 1.0,
            "tool_choice": "auto", "tools": [],
            "output": if done { json!([item]) } else { json!([]) },
            "usage": if done { json!({
                "input_tokens": 100 + n, "input_tokens_details": {"cached_tokens": n},
                "output_tokens": 10 + n, "output_tokens_details": {"reasoning_tokens": 2},
                "total_tokens": 110 + 2 * n,
            }) } else { Value::Null },
        })
    };
    if !streamed {
        return plain_json(&response(true));
    }
    let at = json!({"item_id": format!("msg_{n}"), "output_index": 0, "content_index": 0});
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
    let events = [
        json!({"type": "response.created", "response": response(false)}),
        json!({"type": "response.in_progress", "response": response(false)}),
        json!({"type": "response.output_item.added", "output_index": 0,
            "item": {"type": "message", "id": format!("msg_{n}"), "status": "in_progress", "role": "assistant",
                "content": []}}),
        merged(&at, json!({"type": "response.content_part.added", "part": part("")})),
        merged(&at, json!({"type": "response.output_text.delta", "delta": "po", "logprobs": []})),
        merged(&at, json!({"type": "response.output_text.delta", "delta": "ng", "logprobs": []})),
        merged(&at, json!({"type": "response.output_text.done", "text": "pong", "logprobs": []})),
        merged(&at, json!({"type": "response.content_part.done", "part": part("pong")})),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
        json!({"type": "response.completed", "response": response(true)}),
    ];
    sse(events
        .into_iter()
        .enumerate()
        .map(|(i, event)| named_event(&merged(&json!({"sequence_number": i}), event)))
        .collect())
}

fn embeddings(asked: &Value, state: &State) -> Answer {
    let n = state.next();
    state.bill(100 + n, 0, 0);
    let vector = [0.25f32, -0.5, 0.125];
    let embedding = if asked["encoding_format"] == "base64" {
        let bytes: Vec<u8> = vector.iter().flat_map(|f| f.to_le_bytes()).collect();
        json!(base64::engine::general_purpose::STANDARD.encode(bytes))
    } else {
        json!(vector)
    };
    plain_json(&json!({
        "object": "list", "model": asked["model"].as_str().unwrap_or("embed-test"),
        "data": [{"object": "embedding", "index": 0, "embedding": embedding}],
        "usage": {"prompt_tokens": 100 + n, "total_tokens": 100 + n},
    }))
}

fn messages(asked: &Value, streamed: bool, state: &State) -> Answer {
    let n = state.next();
    // Anthropic counts cached tokens outside `input_tokens`: 100 + 4 written + n read.
    state.bill(104 + n, 10 + n, n);
    let message = |done: bool| {
        json!({
            "id": format!("msg_{n}"), "type": "message", "role": "assistant",
            "model": asked["model"].as_str().unwrap_or("claude-test"),
            "content": if done { json!([{"type": "text", "text": "pong"}]) } else { json!([]) },
            "stop_reason": if done { json!("end_turn") } else { Value::Null }, "stop_sequence": null,
            "usage": {"input_tokens": 100, "cache_creation_input_tokens": 4, "cache_read_input_tokens": n,
                "output_tokens": if done { 10 + n } else { 1 }},
        })
    };
    if !streamed {
        return plain_json(&message(true));
    }
    let text = |text: &str| {
        json!({"type": "content_block_delta", "index": 0,
        "delta": {"type": "text_delta", "text": text}})
    };
    let delta = |tokens: u64, reason: Value| {
        json!({"type": "message_delta",
        "delta": {"stop_reason": reason, "stop_sequence": null}, "usage": {"output_tokens": tokens}})
    };
    let events = [
        json!({"type": "message_start", "message": message(false)}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "ping"}),
        text("po"),
        text("ng"),
        json!({"type": "content_block_stop", "index": 0}),
        // Cumulative: the last one is the whole count.
        delta(5, Value::Null),
        delta(10 + n, json!("end_turn")),
        json!({"type": "message_stop"}),
    ];
    sse(events.iter().map(named_event).collect())
}

fn gemini(streamed: bool, state: &State) -> Answer {
    let n = state.next();
    state.bill(100 + n, 10 + n, n);
    let part = |text: &str, usage: Value| {
        json!({
            "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": usage, "modelVersion": "gemini-test", "responseId": format!("r{n}"),
        })
    };
    let usage = json!({"promptTokenCount": 100 + n, "candidatesTokenCount": 10, "thoughtsTokenCount": n,
        "cachedContentTokenCount": n, "totalTokenCount": 110 + 2 * n});
    if !streamed {
        return plain_json(&part("pong", usage));
    }
    let early = json!({"promptTokenCount": 100 + n, "totalTokenCount": 100 + n});
    sse([part("po", early), part("ng", usage)].iter().map(|p| format!("data: {p}\r\n\r\n")).collect())
}

/// An event every 50 ms until the reader goes away.
fn drip(state: &Arc<State>) -> Answer {
    struct Open(Arc<State>);
    impl Drop for Open {
        fn drop(&mut self) {
            self.0.open_streams.fetch_sub(1, Ordering::SeqCst);
        }
    }
    state.open_streams.fetch_add(1, Ordering::SeqCst);
    let frames = stream::unfold((Open(state.clone()), 0u64), |(open, n)| async move {
        tokio::time::sleep(Duration::from_millis(if n == 0 { 0 } else { 50 })).await;
        Some((Ok::<_, Never>(Frame::data(Bytes::from(format!("data: {{\"n\":{n}}}\n\n")))), (open, n + 1)))
    });
    with(StatusCode::OK, "text/event-stream", "drip")
        .body(StreamBody::new(frames).boxed_unsync())
        .unwrap_or_default()
}

/// Server-sent events, each in a frame of its own and with a pause of one scheduler turn between them.
fn sse(frames: Vec<String>) -> Answer {
    let frames = stream::unfold(frames.into_iter(), |mut rest| async move {
        let frame = rest.next()?;
        tokio::task::yield_now().await;
        Some((Ok::<_, Never>(Frame::data(Bytes::from(frame))), rest))
    });
    with(StatusCode::OK, "text/event-stream; charset=utf-8", "sse")
        .body(StreamBody::new(frames).boxed_unsync())
        .unwrap_or_default()
}

fn named_event(event: &Value) -> String {
    format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default())
}

fn merged(base: &Value, mut event: Value) -> Value {
    if let (Some(base), Some(event)) = (base.as_object(), event.as_object_mut()) {
        event.extend(base.clone());
    }
    event
}

fn plain_json(body: &Value) -> Answer {
    whole(StatusCode::OK, "application/json", body.to_string().into_bytes())
}

fn whole(status: StatusCode, content_type: &str, body: Vec<u8>) -> Answer {
    with(status, content_type, "whole").body(Full::new(Bytes::from(body)).boxed_unsync()).unwrap_or_default()
}

fn with(status: StatusCode, content_type: &str, sort: &str) -> http::response::Builder {
    Response::builder().status(status).header("content-type", content_type).header("x-fake-provider", sort)
}
