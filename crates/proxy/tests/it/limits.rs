//! Limits of time, number and size.

use std::time::Duration;

use claviger_model::{Outcome, RefusalCode};
use claviger_proxy::{Config, StartError};

use crate::support::*;

const AUTH: &str = "authorization: Bearer @T\r\n";

#[tokio::test]
async fn a_body_above_the_limit_is_refused_before_anything_is_sent() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let config = Config { max_body_bytes: 1000, ..Config::default() };
    let rig = Rig::new(&upstream, Wish { config, ..Wish::default() }).await;
    let reply = rig.request("POST", "/x", AUTH, &"x".repeat(1001)).await;
    assert_eq!((reply.status, reply.code().as_str()), (413, "too_large"), "{reply:?}");
    assert_eq!(upstream.connections(), 0, "dialled");
    rig.doors.only_refusal("too large", RefusalCode::TooLarge);
    assert_eq!(rig.request("POST", "/x", AUTH, &"x".repeat(1000)).await.status, 200, "just at the limit");
}

#[tokio::test]
async fn chunks_above_the_limit_break_the_request_off() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let config = Config { max_body_bytes: 1000, ..Config::default() };
    let rig = Rig::new(&upstream, Wish { config, ..Wish::default() }).await;
    let mut agent = rig.agent().await;
    let head = format!("POST @B/x HTTP/1.1\r\nhost: @H\r\n{AUTH}transfer-encoding: chunked\r\n\r\n1f4\r\n");
    agent.send(rig.fill(&head).as_bytes()).await;
    agent.send(&[b'x'; 500]).await;
    eventually("the upstream is dialled", || upstream.connections() == 1).await;
    agent.send(b"\r\n1f5\r\n").await;
    agent.send(&[b'x'; 501]).await;
    agent.send(b"\r\n0\r\n\r\n").await;
    let done = rig.doors.completions(1).await.remove(0);
    assert_eq!(done.outcome, Outcome::Failed(RefusalCode::TooLarge), "{done:?}");
    assert!(upstream.seen().is_empty(), "a cut body looked whole to the upstream");
}

#[tokio::test]
async fn a_head_that_dawdles_and_a_connection_without_a_head_are_closed() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let config = Config { head_timeout: Duration::from_millis(500), ..Config::default() };
    let rig = Rig::new(&upstream, Wish { config, ..Wish::default() }).await;
    let mut silent = rig.agent().await;
    let mut slow = rig.agent().await;
    slow.send(b"GET / HTTP/1.1\r\nhost: x\r\nx: ").await;
    let dripping = async {
        loop {
            slow.send(b"a").await;
            if tokio::time::timeout(Duration::from_millis(50), slow.closes()).await.is_ok() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, dripping).await.expect("a dripping head was never closed");
    silent.closes().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_stalled_request_is_cut() {
    let (_events, scene) = Scene::events();
    let upstream = Upstream::new(scene).await;
    let config = Config {
        idle_timeout: Duration::from_millis(500),
        stall_timeout: Duration::from_millis(750),
        ..Config::default()
    };
    let rig = Rig::new(&upstream, Wish { config, ..Wish::default() }).await;
    let mut agent = rig.agent().await;
    agent.send(rig.fill(&format!("GET @B/x HTTP/1.1\r\nhost: @H\r\n{AUTH}\r\n")).as_bytes()).await;
    assert_eq!(agent.head().await.status, 200, "the stream began");
    agent.closes().await;
    let done = rig.doors.completions(1).await.remove(0);
    assert_eq!(done.outcome, Outcome::Failed(RefusalCode::UpstreamTimeout), "{done:?}");
    upstream.play(Scene::json("{}"));
    let mut agent = rig.agent().await;
    agent.send(rig.fill(&format!("GET @B/x HTTP/1.1\r\nhost: @H\r\n{AUTH}\r\n")).as_bytes()).await;
    assert_eq!(agent.reply().await.status, 200, "answered");
    agent.closes().await;
}

#[tokio::test]
async fn when_full_the_longest_idle_connection_makes_room() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let config = Config { max_connections: 3, ..Config::default() };
    let rig = Rig::new(&upstream, Wish { config, ..Wish::default() }).await;
    let mut idle = Vec::new();
    for i in 0..3 {
        let mut agent = rig.agent().await;
        agent.send(rig.fill(&format!("GET @B/x HTTP/1.1\r\nhost: @H\r\n{AUTH}\r\n")).as_bytes()).await;
        assert_eq!(agent.reply().await.status, 200, "connection {i}");
        idle.push(agent);
    }
    assert_eq!(rig.request("GET", "/x", AUTH, "").await.status, 200, "a fourth is served");
}

#[tokio::test]
async fn stopping_lets_an_open_request_end() {
    let (events, scene) = Scene::events();
    let upstream = Upstream::new(scene).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    let mut agent = rig.agent().await;
    agent.send(rig.fill(&format!("GET @B/x HTTP/1.1\r\nhost: @H\r\n{AUTH}\r\n")).as_bytes()).await;
    assert_eq!(agent.head().await.status, 200, "the stream began");
    let idle = rig.agent().await;
    rig.stop.cancel();
    events.send(b"data: last\n\n".to_vec()).unwrap();
    assert!(agent.chunk().await.is_some(), "the stream goes on while draining");
    drop(events);
    assert_eq!(agent.chunk().await, Some(vec![]), "and ends by itself");
    tokio::time::timeout(PATIENCE, rig.serving).await.expect("serve returns").unwrap();
    assert_eq!(rig.doors.book().outcomes(), [Outcome::Done], "outcome");
    drop(idle);
}

#[tokio::test]
async fn stopping_cuts_what_does_not_end() {
    let (_events, scene) = Scene::events();
    let upstream = Upstream::new(scene).await;
    let config = Config { drain_timeout: Duration::from_millis(200), ..Config::default() };
    let rig = Rig::new(&upstream, Wish { config, ..Wish::default() }).await;
    let mut agent = rig.agent().await;
    agent.send(rig.fill(&format!("GET @B/x HTTP/1.1\r\nhost: @H\r\n{AUTH}\r\n")).as_bytes()).await;
    assert_eq!(agent.head().await.status, 200, "the stream began");
    rig.stop.cancel();
    tokio::time::timeout(PATIENCE, rig.serving).await.expect("serve returns").unwrap();
    assert_eq!(rig.doors.completions(1).await[0].outcome, Outcome::Cut, "outcome");
}

#[tokio::test]
async fn a_refused_upload_still_gets_its_answer() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    let size = 8 * 1024 * 1024;
    let mut agent = rig.agent().await;
    agent
        .send(
            rig.fill(&format!("POST @B/x HTTP/1.1\r\nhost: @H\r\ncontent-length: {size}\r\n\r\n")).as_bytes(),
        )
        .await;
    agent.send(&vec![b'x'; size]).await;
    let reply = agent.reply().await;
    assert_eq!((reply.status, reply.code().as_str()), (401, "unauthenticated"), "{reply:?}");
    rig.doors.only_refusal("upload", RefusalCode::Unauthenticated);
}

#[tokio::test]
async fn a_limit_that_cannot_be_kept_is_an_error_at_the_start() {
    let upstream = Upstream::new(Scene::Close).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    let ports = claviger_proxy::ports::Ports {
        tokens: std::sync::Arc::new(rig.doors.clone()),
        material: std::sync::Arc::new(rig.doors.clone()),
        recorder: std::sync::Arc::new(rig.doors.clone()),
        world: std::sync::Arc::new(rig.doors.clone()),
    };
    let config = Config { max_head_bytes: 10, ..Config::default() };
    let error = claviger_proxy::Proxy::new(config, ports).unwrap_err();
    assert!(matches!(error, StartError::Limit { name: "max_head_bytes", .. }), "{error}");
}

#[tokio::test]
async fn a_listener_that_others_can_reach_is_not_served() {
    let upstream = Upstream::new(Scene::Close).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let serving = rig.proxy.serve(listener, tokio_util::sync::CancellationToken::new());
    tokio::time::timeout(PATIENCE, serving).await.expect("serve refuses at once");
}
