//! Streams: passed on as they come, cut when what they rest on ends, accounted for however they end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use claviger_model::{Outcome, RefusalCode, UsageShape};
use claviger_proxy::Config;
use parking_lot::Mutex;

use crate::support::*;

const AUTH: &str = "authorization: Bearer @T\r\n";

async fn open_stream(rig: &Rig) -> Agent {
    let mut agent = rig.agent().await;
    let text = format!("POST @B/x HTTP/1.1\r\nhost: @H\r\n{AUTH}content-length: 2\r\n\r\n{{}}");
    agent.send(rig.fill(&text).as_bytes()).await;
    assert_eq!(agent.head().await.status, 200, "the stream began");
    agent
}

#[tokio::test]
async fn events_arrive_one_by_one_and_usage_is_read_on_the_way() {
    let (events, scene) = Scene::events();
    let upstream = Upstream::new(scene).await;
    let rig = Rig::new(&upstream, Wish { usage: Some(UsageShape::OpenAi), ..Wish::default() }).await;
    let mut agent = open_stream(&rig).await;
    for i in 0..20 {
        let event = format!("data: {{\"model\":\"m-2\",\"choices\":[{i}]}}\n\n");
        events.send(event.clone().into_bytes()).unwrap();
        let chunk = agent.chunk().await.expect("the stream goes on");
        assert_eq!(String::from_utf8(chunk).unwrap(), event, "event {i}, alone and at once");
    }
    let last = "data: {\"model\":\"m-2\",\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":20}}\n\ndata: [DONE]\n\n";
    events.send(last.into()).unwrap();
    agent.chunk().await.unwrap();
    drop(events);
    assert_eq!(agent.chunk().await, Some(vec![]), "the stream ended as it should");
    let done = rig.doors.completions(1).await.remove(0);
    assert_eq!((done.outcome, done.model.as_deref()), (Outcome::Done, Some("m-2")), "{done:?}");
    assert_eq!(done.usage.map(|u| (u.input, u.output)), Some((5, 20)), "usage");
}

#[tokio::test]
async fn revoking_agent_grant_or_lock_cuts_open_streams_within_a_second() {
    type End = fn(&Rig);
    let ends: [(&str, End); 3] = [
        ("the agent", |rig| rig.snapshot.agents[&AGENT].cut.cancel()),
        ("the grant", |rig| rig.snapshot.routes[BASE].cut.cancel()),
        ("the lock", |rig| rig.proxy.install(None)),
    ];
    for (what, end) in ends {
        let (events, scene) = Scene::events();
        let upstream = Upstream::new(scene).await;
        let rig = Rig::new(&upstream, Wish::default()).await;
        let mut agent = open_stream(&rig).await;
        events.send(b"data: 1\n\n".to_vec()).unwrap();
        agent.chunk().await.expect("first event");
        let started = Instant::now();
        end(&rig);
        assert_eq!(agent.chunk().await, None, "{what}: the stream was cut, not ended");
        assert!(started.elapsed() < Duration::from_secs(1), "{what}: took {:?}", started.elapsed());
        assert_eq!(rig.doors.completions(1).await[0].outcome, Outcome::Cut, "{what}");
        eventually("the upstream's connection closes", || upstream.open() == 0).await;
    }
}

#[tokio::test]
async fn a_request_that_waits_for_its_answer_is_cut_too() {
    let upstream = Upstream::new(Scene::Silence).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    let mut agent = rig.agent().await;
    agent.send(rig.fill(&format!("GET @B/x HTTP/1.1\r\nhost: @H\r\n{AUTH}\r\n")).as_bytes()).await;
    eventually("the request at the upstream", || upstream.seen().len() == 1).await;
    let started = Instant::now();
    rig.snapshot.routes[BASE].cut.cancel();
    agent.closes().await;
    assert!(started.elapsed() < Duration::from_secs(1), "took {:?}", started.elapsed());
    assert_eq!(rig.doors.completions(1).await[0].outcome, Outcome::Cut, "outcome");
}

#[tokio::test]
async fn an_agent_that_leaves_ends_the_upstreams_work() {
    let (events, scene) = Scene::events();
    let upstream = Upstream::new(scene).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    let mut agent = open_stream(&rig).await;
    events.send(b"data: 1\n\n".to_vec()).unwrap();
    agent.chunk().await.expect("first event");
    drop(agent);
    assert_eq!(rig.doors.completions(1).await[0].outcome, Outcome::AgentGone, "outcome");
    eventually("the upstream's connection closes", || upstream.open() == 0).await;
}

#[tokio::test]
async fn a_stream_that_the_upstream_breaks_off_never_looks_whole() {
    let half = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
    let upstream = Upstream::new(Scene::SayAndClose(half.into())).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    let reply = rig.request("GET", "/x", AUTH, "").await;
    assert!(!reply.is_whole, "a broken stream looked whole: {reply:?}");
    let done = rig.doors.completions(1).await.remove(0);
    assert_eq!(done.outcome, Outcome::Failed(RefusalCode::UpstreamUnreachable), "{done:?}");
}

#[tokio::test]
async fn an_upstream_that_fails_is_answered_and_recorded() {
    let cases: [(&str, Scene, u16, &str, RefusalCode); 5] = [
        ("closes", Scene::Close, 502, "upstream_unreachable", RefusalCode::UpstreamUnreachable),
        (
            "talks nonsense",
            Scene::SayAndClose(b"SSH-2.0-x\r\n\r\n".to_vec()),
            502,
            "response_blocked",
            RefusalCode::ResponseBlocked,
        ),
        (
            "splits a header",
            Scene::SayAndClose(b"HTTP/1.1 200 OK\r\nx: a\x00b\r\ncontent-length: 0\r\n\r\n".to_vec()),
            502,
            "response_blocked",
            RefusalCode::ResponseBlocked,
        ),
        (
            "switches protocols",
            Scene::SayAndClose(
                b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_vec(),
            ),
            502,
            "response_blocked",
            RefusalCode::ResponseBlocked,
        ),
        ("is silent", Scene::Silence, 504, "upstream_timeout", RefusalCode::UpstreamTimeout),
    ];
    for (what, scene, status, word, code) in cases {
        let upstream = Upstream::new(scene).await;
        let config = Config { upstream_head_timeout: Duration::from_millis(300), ..Config::default() };
        let rig = Rig::new(&upstream, Wish { config, ..Wish::default() }).await;
        let reply = rig.request("GET", "/x", AUTH, "").await;
        assert_eq!((reply.status, reply.code().as_str()), (status, word), "{what}: {reply:?}");
        let done = rig.doors.completions(1).await.remove(0);
        assert_eq!((done.outcome, done.status), (Outcome::Failed(code), status), "{what}");
        let book = rig.doors.take();
        assert_eq!((book.releases.len(), book.refusals.len()), (1, 0), "{what}: one release, no refusal");
    }
    let nobody = Upstream::new(Scene::Close).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let rig = Rig::new(&nobody, Wish { port: Some(free), ..Wish::default() }).await;
    let reply = rig.request("GET", "/x", AUTH, "").await;
    assert_eq!((reply.status, reply.code().as_str()), (502, "upstream_unreachable"), "nobody listens");
}

#[tokio::test]
async fn a_pooled_connection_that_died_is_replaced_without_the_agent_noticing() {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec();
    let upstream = Upstream::new(Scene::SayAndClose(answer)).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    for i in 0..20 {
        let reply = rig.request("POST", "/x", AUTH, "body").await;
        assert_eq!(reply.status, 200, "request {i}: {reply:?}");
        eventually("the upstream closed", || upstream.open() == 0).await;
    }
    let outcomes: Vec<_> = rig.doors.completions(20).await.into_iter().map(|c| c.outcome).collect();
    assert_eq!(outcomes, [Outcome::Done; 20], "one completion each");
    assert_eq!(upstream.seen().len(), 20, "no request was sent twice");
}

#[tokio::test]
async fn a_pooled_connection_that_dies_on_a_safe_request_is_replaced_too() {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec();
    let upstream = Upstream::new(Scene::Say(answer.clone())).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    assert_eq!(rig.request("GET", "/first", AUTH, "").await.status, 200, "the pool has a connection");
    upstream.play(Scene::InTurn(Arc::new(Mutex::new(vec![Scene::Say(answer.clone()), Scene::Close]))));
    // A connection counts as rested from the next sweep on.
    let rested = Instant::now() + Duration::from_millis(600);
    eventually("the connection has rested", || Instant::now() > rested).await;
    let reply = rig.request("GET", "/second", AUTH, "").await;
    assert_eq!(reply.status, 200, "a safe request is sent again: {reply:?}");
    assert_eq!(upstream.seen().len(), 3, "the second was sent twice");
    let rested = Instant::now() + Duration::from_millis(600);
    eventually("the connection has rested", || Instant::now() > rested).await;
    upstream.play(Scene::InTurn(Arc::new(Mutex::new(vec![Scene::Say(answer), Scene::Close]))));
    let reply = rig.request("POST", "/third", AUTH, "pay once").await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (502, "upstream_unreachable"),
        "any other is not: {reply:?}"
    );
    assert_eq!(upstream.seen().len(), 4, "the third was sent once");
    assert_eq!(rig.doors.completions(3).await.len(), 3, "one completion for each release");
}

#[tokio::test]
async fn informational_answers_are_swallowed_and_the_final_one_is_passed_on() {
    let mut answer = Vec::new();
    for _ in 0..1000 {
        answer.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
    }
    answer.extend_from_slice(b"HTTP/1.1 103 Early Hints\r\nlink: </evil>\r\n\r\n");
    answer.extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let upstream = Upstream::new(Scene::Say(answer)).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    let mut agent = rig.agent().await;
    agent.send(rig.fill(&format!("GET @B/x HTTP/1.1\r\nhost: @H\r\n{AUTH}\r\n")).as_bytes()).await;
    let reply = agent.reply().await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "ok"), "{reply:?}");
    assert_eq!(reply.header("link"), None, "an early hint leaked into the answer");
}

#[tokio::test]
async fn an_answer_that_ends_in_two_ways_is_not_passed_on() {
    for head in [
        "content-length: 3\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 10",
        "content-length: 10\r\ncontent-length: 10",
        "content-length: 10\r\ncontent-length: 3",
        "content-length: 10, 10",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
        let upstream = Upstream::new(Scene::SayAndClose(answer.into())).await;
        let rig = Rig::new(&upstream, Wish::default()).await;
        let reply = rig.request("GET", "/x", AUTH, "").await;
        assert_eq!((reply.status, reply.code().as_str()), (502, "response_blocked"), "{head}: {reply:?}");
    }
}

#[tokio::test]
async fn large_bodies_pass_both_ways_without_being_kept() {
    const SIZE: u64 = 256 * 1024 * 1024;
    let upstream = Upstream::new(Scene::Big(SIZE)).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    let before = peak_kib();
    let mut agent = rig.agent().await;
    let head = format!("POST @B/x HTTP/1.1\r\nhost: @H\r\n{AUTH}content-length: {SIZE}\r\n\r\n");
    agent.send(rig.fill(&head).as_bytes()).await;
    let block = vec![b'x'; 256 * 1024];
    for _ in 0..SIZE / block.len() as u64 {
        agent.send(&block).await;
    }
    let reply = agent.head().await;
    assert_eq!((reply.status, reply.header("content-length")), (200, Some("268435456")), "{reply:?}");
    let mut got = agent.take_unread().len() as u64;
    while got < SIZE {
        let bytes = agent.read().await;
        assert!(!bytes.is_empty(), "the answer broke off after {got} bytes");
        got += bytes.len() as u64;
    }
    assert_eq!(upstream.body_bytes() as u64, SIZE, "the upload came whole");
    let done = rig.doors.completions(1).await.remove(0);
    assert_eq!((done.outcome, done.bytes_up), (Outcome::Done, SIZE), "{done:?}");
    let grown = peak_kib().saturating_sub(before);
    // Both ends live in this process too; a quarter of one body would be 64 MiB.
    assert!(grown < 32 * 1024, "the peak of memory grew by {grown} KiB");
}

/// The highest resident size of this process so far.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
