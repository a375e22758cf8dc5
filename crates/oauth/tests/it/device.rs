//! The device flow's patience (RFC 8628): never faster than told, slower when asked, over when it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use claviger_model::{Duration, Timestamp};
use claviger_oauth::{Client, Clock, DeviceFlow, ErrorCode, FlowError, Polled, Reach, TokenError};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::script::{Reply, Script, error, tokens};
use crate::support::{Hands, NOW, ask, real_http, server_at};

/// A server that gives this prompt, and then these answers in turn (the last for ever).
async fn device(prompt: Value, answers: Vec<fn() -> Reply>) -> (Result<DeviceFlow, FlowError>, Script) {
    let turn = AtomicUsize::new(0);
    let script = Script::start(move |seen| match seen.path.as_str() {
        "/device" => Reply::Json(200, prompt.clone()),
        _ => answers[turn.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1)](),
    })
    .await;
    let server = server_at(&script.base);
    let client = Client::public(server.issuer.clone(), "c").unwrap();
    (DeviceFlow::begin(real_http(), server, client, ask(&["a"]), NOW).await, script)
}

fn prompt() -> Value {
    json!({"device_code": "d3vice", "user_code": "WDJB-MJHT", "verification_uri": "https://as.example/device", "expires_in": 600})
}

fn pending() -> Reply {
    error(400, "authorization_pending")
}

fn after(seconds: i64) -> Timestamp {
    NOW.after(Duration(seconds * 1000))
}

#[track_caller]
fn wait_until(polled: Result<Polled, FlowError>) -> Timestamp {
    match polled {
        Ok(Polled::Wait(until)) => until,
        other => panic!("expected to wait, got {other:?}"),
    }
}

#[tokio::test]
async fn o52_without_an_interval_it_is_five_seconds() {
    let (flow, script) = device(prompt(), vec![pending, || tokens("t", None, 60)]).await;
    let mut flow = flow.unwrap();
    assert_eq!(flow.prompt.user_code.as_str(), "WDJB-MJHT", "the code");
    assert_eq!(
        (flow.prompt.started_at, flow.prompt.expires_at),
        (NOW, after(600)),
        "when it began (O-57) and when it ends"
    );
    assert_eq!(wait_until(flow.poll(NOW).await), after(5), "not before five seconds");
    assert!(script.seen_at("/token").is_empty(), "nothing was sent");
    assert_eq!(wait_until(flow.poll(after(5)).await), after(10), "then once, and again in five");
    assert!(matches!(flow.poll(after(10)).await, Ok(Polled::Connected(_))), "until there are tokens");
    let sent = &script.seen_at("/token")[1];
    assert_eq!(
        sent.field("grant_type"),
        "urn:ietf:params:oauth:grant-type:device_code",
        "by the device grant"
    );
    assert_eq!(sent.field("device_code"), "d3vice", "with the device code");
}

#[tokio::test]
async fn o53_slow_down_adds_five_seconds_for_good_and_refusals_stop() {
    let slow = || error(400, "slow_down");
    let (flow, _script) = device(prompt(), vec![slow, pending, slow, pending]).await;
    let mut flow = flow.unwrap();
    assert_eq!(wait_until(flow.poll(after(5)).await), after(15), "ten from now on");
    assert_eq!(wait_until(flow.poll(after(15)).await), after(25), "still ten");
    assert_eq!(wait_until(flow.poll(after(25)).await), after(40), "then fifteen");
    assert_eq!(wait_until(flow.poll(after(40)).await), after(55), "still fifteen");
    let stops: [(fn() -> Reply, ErrorCode); 4] = [
        (|| error(400, "access_denied"), ErrorCode::AccessDenied),
        (|| error(400, "expired_token"), ErrorCode::ExpiredToken),
        (|| error(400, "invalid_grant"), ErrorCode::InvalidGrant),
        (|| error(400, "unsupported_grant_type"), ErrorCode::UnsupportedGrantType),
    ];
    for (reply, expected) in stops {
        let (flow, _script) = device(prompt(), vec![reply]).await;
        let Err(FlowError::Token(TokenError::Refused { code, .. })) = flow.unwrap().poll(after(5)).await
        else {
            panic!("it goes on")
        };
        assert_eq!(code, expected, "it stops");
    }
    let (flow, _script) = device(prompt(), vec![|| error(400, "odd_one")]).await;
    assert!(flow.unwrap().poll(after(5)).await.is_err(), "an unknown error stops as well");
}

#[tokio::test]
async fn o54_never_faster_after_sleep_slower_after_timeouts_and_over_at_the_end() {
    let (flow, script) = device(prompt(), vec![pending]).await;
    let mut flow = flow.unwrap();
    // The machine slept for five minutes.
    assert_eq!(wait_until(flow.poll(after(300)).await), after(305), "one poll, and five seconds again");
    for _ in 0..100 {
        wait_until(flow.poll(after(301)).await);
    }
    assert_eq!(script.seen_at("/token").len(), 1, "however often it is asked");
    // The clock was set back by an hour.
    assert_eq!(wait_until(flow.poll(after(-3300)).await), after(-3295), "not an hour of waiting");
    assert!(matches!(flow.poll(after(600)).await, Err(FlowError::TimedOut)), "and it ends");

    let (flow, script) = device(
        prompt(),
        vec![|| Reply::HangUp, || Reply::With(503, vec![], vec![]), || Reply::HangUp, pending],
    )
    .await;
    let mut flow = flow.unwrap();
    assert_eq!(wait_until(flow.poll(after(5)).await), after(15), "twice as slowly");
    assert_eq!(wait_until(flow.poll(after(15)).await), after(35), "and again");
    assert_eq!(wait_until(flow.poll(after(35)).await), after(75), "and again");
    assert_eq!(script.seen_at("/token").len(), 3, "one request each");
}

#[tokio::test]
async fn o55_o56_odd_prompts_are_refused_or_cleaned() {
    let with = |field: &str, value: Value| {
        let mut prompt = prompt();
        prompt[field] = value;
        prompt
    };
    let odd = [
        ("verification_uri", json!("javascript:alert(1)")),
        ("verification_uri", json!("file:///etc/passwd")),
        ("verification_uri", json!("https://u:p@as.example/")),
        ("verification_uri", json!("https://as.example/\u{202e}x")),
        ("verification_uri", json!(format!("https://as.example/{}", "x".repeat(10_000)))),
        ("verification_uri", Value::Null),
        ("verification_uri_complete", json!("data:text/html,x")),
        ("user_code", json!("")),
        ("user_code", json!("\u{202e}\u{200b}")),
        ("user_code", json!(7)),
        ("device_code", json!("")),
        ("device_code", json!("x".repeat(10_000))),
        ("expires_in", json!(-1)),
        ("expires_in", Value::Null),
        ("expires_in", json!("soon")),
        ("interval", json!(-5)),
        ("interval", json!(1.5)),
    ];
    for (field, value) in odd {
        let (flow, _script) = device(with(field, value.clone()), vec![pending]).await;
        assert!(flow.is_err(), "{field} = {value} began a flow");
    }
    let (flow, _script) = device(
        with("user_code", json!(format!("AB\u{202e}\u{1b}[31m-{}", "C".repeat(10_000)))),
        vec![pending],
    )
    .await;
    let flow = flow.unwrap();
    let code = flow.prompt.user_code.as_str();
    assert!(code.starts_with("AB[31m-C") && code.chars().count() <= 65, "cleaned and cut: {code}");
    let (flow, _script) = device(
        with("verification_uri_complete", json!("https://as.example/device?user_code=WDJB-MJHT")),
        vec![pending],
    )
    .await;
    assert_eq!(
        flow.unwrap().prompt.user_code.as_str(),
        "WDJB-MJHT",
        "the code is shown also when a URL holds it"
    );
    let (flow, _script) = device(with("interval", json!(100_000_000)), vec![pending]).await;
    assert!(wait_until(flow.unwrap().poll(NOW).await) <= after(120), "an interval of years is cut");
    // At a public server the place must be https.
    let script = Script::start(|_| Reply::Json(200, json!({"device_code": "d", "user_code": "u", "verification_uri": "http://as.example/", "expires_in": 600}))).await;
    let mut server = server_at(&script.base);
    let client = Client::public(server.issuer.clone(), "c").unwrap();
    server.reach = Reach::Public;
    let begun = DeviceFlow::begin(real_http(), server, client, ask(&[]), NOW).await;
    assert!(begun.is_err(), "plain http is no place to type a code");
}

#[tokio::test]
async fn o58_a_cancel_stops_the_polling() {
    let (flow, script) = device(json!({"device_code": "d", "user_code": "u", "verification_uri": "https://as.example/", "expires_in": 600, "interval": 1}), vec![pending]).await;
    let flow = flow.unwrap();
    let (clock, cancel) = (Arc::new(Hands::at(NOW)), CancellationToken::new());
    let (hands, token) = (Arc::clone(&clock), cancel.clone());
    let waiting = tokio::spawn(async move { flow.wait(&*hands, &token).await.map(|_| ()) });
    clock.turn(2_000);
    crate::support::eventually("the first poll", || !script.seen_at("/token").is_empty()).await;
    cancel.cancel();
    assert!(matches!(waiting.await.unwrap(), Err(FlowError::Cancelled)), "cancelled");
    let polls = script.seen_at("/token").len();
    clock.turn(600_000);
    tokio::task::yield_now().await;
    assert_eq!(script.seen_at("/token").len(), polls, "nothing is sent after it");
    assert!(clock.now() > NOW, "although time goes on");
}
