//! What a request and its answer look like on the other side.

use claviger_model::{AuthScheme, Outcome, UsageShape};
use claviger_secret::Material;

use crate::support::*;

#[tokio::test]
async fn the_upstream_sees_the_real_key_once_and_the_agents_token_never() {
    type Scheme = (AuthScheme, fn() -> Material, &'static str, String);
    let schemes: [Scheme; 4] = [
        (AuthScheme::Bearer, || Material::key(KEY.to_owned()), "authorization", format!("Bearer {KEY}")),
        (
            AuthScheme::Header("x-api-key".into()),
            || Material::key(KEY.to_owned()),
            "x-api-key",
            KEY.to_owned(),
        ),
        (
            AuthScheme::Basic,
            || Material::basic("user".to_owned(), KEY.to_owned()),
            "authorization",
            "Basic dXNlcjpzay1yZWFsLWtleS1jYW5hcnktN2YzYQ==".to_owned(),
        ),
        (AuthScheme::Query("key".into()), || Material::key(KEY.to_owned()), "", String::new()),
    ];
    let slots = [
        "authorization: Bearer @T\r\n",
        "Authorization: bearer @T\r\nx-api-key: @T\r\n",
        "authorization: token @T\r\n",
        "authorization: @T\r\n",
        "X-API-Key: @T\r\n",
        "x-goog-api-key: @T\r\nproxy-authorization: Bearer @T\r\n",
        "api-key: @T\r\nConnection: api-key, x-api-key, authorization\r\n",
        "?",
    ];
    for (auth, material, header, value) in schemes {
        for slot in slots {
            let upstream = Upstream::new(Scene::json("{}")).await;
            let rig = Rig::new(&upstream, Wish { auth: auth.clone(), material, ..Wish::default() }).await;
            let (path, headers) = match slot {
                "?" => ("/v1/x?a=1&key=@T&b=2%20", ""),
                _ => ("/v1/x?a=1&b=2%20", slot),
            };
            let reply = rig.request("POST", path, headers, "{\"a\":1}").await;
            assert_eq!(reply.status, 200, "{auth} by {slot}: {reply:?}");
            let seen = upstream.only();
            assert_eq!(seen.body, b"{\"a\":1}", "the body went up unchanged");
            assert!(!seen.head.contains("tok-agent"), "{auth} by {slot}: the token went up: {}", seen.head);
            let secret = if auth == AuthScheme::Basic { "c2stcmVhbC1rZXktY2FuYXJ5LTdmM2E" } else { KEY };
            if auth == AuthScheme::Basic {
                assert_eq!(seen.headers(header), [value.as_str()], "{auth} by {slot}");
            } else {
                assert_eq!(seen.head.matches(secret).count(), 1, "{auth} by {slot}: {}", seen.head);
            }
            if header.is_empty() {
                assert_eq!(seen.target(), format!("/v1/x?a=1&b=2%20&key={KEY}"), "{auth} by {slot}");
            } else {
                assert_eq!(seen.headers(header), [value.as_str()], "{auth} by {slot}");
                assert_eq!(seen.target(), "/v1/x?a=1&b=2%20", "{auth} by {slot}: the rest of the query");
            }
            assert_eq!(
                seen.headers("host"),
                [format!("127.0.0.1:{}", upstream.port())],
                "the upstream's own Host"
            );
        }
    }
}

#[tokio::test]
async fn the_services_own_slot_is_where_its_sdk_puts_the_token() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let auth = AuthScheme::Header("private-token".into());
    let rig = Rig::new(&upstream, Wish { auth, ..Wish::default() }).await;
    let reply = rig.request("GET", "/api/v4/user", "PRIVATE-TOKEN: @T\r\n", "").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(upstream.only().headers("private-token"), [KEY], "one value, ours");
}

#[tokio::test]
async fn a_release_and_a_completion_say_what_happened() {
    let upstream = Upstream::new(Scene::json("{\"id\":1}")).await;
    let rig = Rig::new(&upstream, Wish { prefix: "/v1", ..Wish::default() }).await;
    let reply = rig.request("POST", "/chat?secret=1", "authorization: Bearer @T\r\n", "hello").await;
    assert_eq!(reply.text(), "{\"id\":1}", "the answer came through");
    let done = rig.doors.completions(1).await.remove(0);
    let book = rig.doors.take();
    assert_eq!(book.refusals, [], "nothing was refused");
    let release = &book.releases[0];
    assert_eq!(
        (release.agent, release.grant, release.credential, release.service, release.method.as_str()),
        (AGENT, GRANT, CREDENTIAL, SERVICE, "POST"),
        "who, by which grant, what, where, how"
    );
    assert_eq!(release.path, "/v1/chat", "the path at the service, without the query");
    assert_eq!(release.host, format!("127.0.0.1:{}", upstream.port()), "as dialled");
    assert_eq!(done.event, release.event, "one tracking id");
    assert_eq!(
        (done.outcome, done.status, done.bytes_up, done.bytes_down),
        (Outcome::Done, 200, 5, 8),
        "{done:?}"
    );
    assert!(done.head_us <= done.total_us && done.own_us <= done.head_us, "times add up: {done:?}");
    assert!(rig.proxy.added_latency().is_some(), "our own part was measured");
}

#[tokio::test]
async fn one_connection_carries_many_requests_and_so_does_the_one_to_the_upstream() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    let mut agent = rig.agent().await;
    for i in 0..50 {
        let body = "x".repeat(i);
        let text = format!(
            "POST @B/v1/{i} HTTP/1.1\r\nhost: @H\r\nauthorization: Bearer @T\r\ncontent-length: {i}\r\n\r\n{body}"
        );
        agent.send(rig.fill(&text).as_bytes()).await;
        assert_eq!(agent.reply().await.status, 200, "request {i}");
    }
    assert_eq!(upstream.connections(), 1, "connections to the upstream");
    assert_eq!(rig.doors.completions(50).await.len(), 50, "completions");
}

#[tokio::test]
async fn a_chunked_body_goes_up_whole_and_its_trailers_do_not() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    let reply = rig
        .ask(
            "POST @B/x HTTP/1.1\r\nhost: @H\r\nauthorization: Bearer @T\r\ntransfer-encoding: chunked\r\n\r\n\
             5\r\nhello\r\n6\r\n world\r\n0\r\nAuthorization: Bearer evil\r\nhost: evil\r\n\r\n",
        )
        .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let seen = upstream.only();
    assert_eq!(seen.body, b"hello world", "the body");
    assert!(!seen.head.contains("evil"), "a trailer became a header: {}", seen.head);
    assert_eq!(rig.doors.completions(1).await[0].bytes_up, 11, "bytes up");
}

#[tokio::test]
async fn a_head_that_arrives_byte_by_byte_is_carried_like_any_other() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    let mut agent = rig.agent().await;
    let text = rig.fill(
        "POST @B/one HTTP/1.1\r\nhost: @H\r\nauthorization: Bearer @T\r\ncontent-length: 3\r\n\r\nabc\
         POST @B/two HTTP/1.1\r\nhost: @H\r\nauthorization: Bearer @T\r\ntransfer-encoding: chunked\r\n\r\n3\r\ndef\r\n0\r\n\r\n",
    );
    for byte in text.as_bytes() {
        agent.send(&[*byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(agent.reply().await.status, 200, "first");
    assert_eq!(agent.reply().await.status, 200, "second");
    let seen = upstream.seen();
    let bodies: Vec<_> = seen.iter().map(|r| r.body.as_slice()).collect();
    assert_eq!(bodies, [b"abc", b"def"], "bodies");
}

#[tokio::test]
async fn pipelined_requests_are_each_judged_on_their_own() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    let mut agent = rig.agent().await;
    let text = "GET @B/one HTTP/1.1\r\nhost: @H\r\nauthorization: Bearer @T\r\n\r\n\
                GET @B/two HTTP/1.1\r\nhost: @H\r\n\r\n\
                GET @B/three HTTP/1.1\r\nhost: @H\r\nhost: @H\r\nauthorization: Bearer @T\r\n\r\n\
                GET @B/four HTTP/1.1\r\nhost: @H\r\nauthorization: Bearer @T\r\n\r\n";
    agent.send(rig.fill(text).as_bytes()).await;
    assert_eq!(agent.reply().await.status, 200, "the first has a token");
    let second = agent.reply().await;
    assert_eq!((second.status, second.code().as_str()), (401, "unauthenticated"), "the second inherits none");
    let third = agent.reply().await;
    assert_eq!((third.status, third.code().as_str()), (400, "request_malformed"), "the third has two hosts");
    agent.closes().await;
    assert_eq!(upstream.only().target(), "/one", "what reached the upstream");
    assert_eq!(rig.doors.book().refusals.len(), 2, "refusals");
}

#[tokio::test]
async fn the_path_on_the_wire_is_byte_for_byte_the_path_that_was_asked() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    let paths = [
        "/v1/ch%61t",
        "/V1/CHAT/",
        "/a%20b/caf%C3%A9",
        "/a;x=1/b",
        "/m/models:generate?alt=sse&x=%2F..%2f",
        "/.well-known/a",
        "/a/...?",
        "/?",
        "/~!$&'()*+,;=:@|[]^",
        "/q?a=b?c/d/../e{}`&&=",
        "/x?key2=1&monkey=3",
    ];
    for path in paths {
        let reply = rig.request("GET", path, "authorization: Bearer @T\r\n", "").await;
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        let seen = upstream.seen();
        assert_eq!(seen.last().unwrap().target(), path, "on the wire");
    }
}

#[tokio::test]
async fn a_version_in_both_base_url_and_path_is_written_once() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig = Rig::new(&upstream, Wish { prefix: "/api/v1", ..Wish::default() }).await;
    for (asked, wire) in [
        ("/v1/chat", "/api/v1/chat"),
        ("/chat", "/api/v1/chat"),
        ("", "/api/v1"),
        ("/v1beta/x", "/api/v1/v1beta/x"),
    ] {
        let reply = rig.request("GET", asked, "authorization: Bearer @T\r\n", "").await;
        assert_eq!(reply.status, 200, "{asked}: {reply:?}");
        assert_eq!(upstream.seen().last().unwrap().target(), wire, "{asked}");
    }
}

#[tokio::test]
async fn what_is_for_this_hop_or_reaches_beyond_the_service_goes_no_further() {
    let answer = "HTTP/1.1 200 OK\r\nset-cookie: a=b\r\nstrict-transport-security: max-age=1\r\nalt-svc: h3\r\n\
                  access-control-allow-origin: *\r\nx-claviger-error: policy_denied\r\nkeep-alive: timeout=9\r\n\
                  x-request-id: 7\r\nx-ratelimit-remaining: 3\r\ncontent-length: 2\r\n\r\n{}";
    let upstream = Upstream::new(Scene::Say(answer.into())).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    let headers = "authorization: Bearer @T\r\nconnection: keep-alive, x-hop, Upgrade, HTTP2-Settings\r\nx-hop: 1\r\n\
                   upgrade: h2c\r\nhttp2-settings: AAAA\r\nte: trailers\r\nx-forwarded-for: 1.2.3.4\r\n\
                   x-http-method-override: DELETE\r\nx-original-url: /admin\r\nvia: 1.1 x\r\nforwarded: for=x\r\n\
                   accept: */*\r\nuser-agent: test/1\r\nexpect: 100-continue\r\n";
    let reply = rig.request("POST", "/x", headers, "hi").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let seen = upstream.only();
    let mut names: Vec<_> =
        seen.head.trim_end().split("\r\n").skip(1).map(|l| l.split(':').next().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["accept", "authorization", "content-length", "host", "user-agent"],
        "headers at the upstream"
    );
    let mut names: Vec<_> = reply.headers.iter().map(|(n, _)| n.as_str()).filter(|n| *n != "date").collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "x-ratelimit-remaining", "x-request-id"], "headers at the agent");
}

#[tokio::test]
async fn a_redirect_is_passed_on_and_not_followed() {
    let elsewhere = Upstream::new(Scene::json("{}")).await;
    let location = format!("http://127.0.0.1:{}/steal", elsewhere.port());
    let answer =
        format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
    let upstream = Upstream::new(Scene::Say(answer.into_bytes())).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    let reply = rig.request("POST", "/x", "authorization: Bearer @T\r\n", "hi").await;
    assert_eq!((reply.status, reply.header("location")), (307, Some(location.as_str())), "passed on");
    assert_eq!(elsewhere.connections(), 0, "nobody followed it");
}

#[tokio::test]
async fn a_redirect_never_hands_the_agent_a_key_that_stands_in_the_query() {
    let answer = format!(
        "HTTP/1.1 302 Found\r\nlocation: https://x.example/a?b=1&key={KEY}&c#d\r\ncontent-length: 0\r\n\r\n"
    );
    let upstream = Upstream::new(Scene::Say(answer.into_bytes())).await;
    let rig = Rig::new(&upstream, Wish { auth: AuthScheme::Query("key".into()), ..Wish::default() }).await;
    let reply = rig.request("GET", "/x", "x-goog-api-key: @T\r\n", "").await;
    assert_eq!(reply.header("location"), Some("https://x.example/a?b=1&c#d"), "{reply:?}");
}

#[tokio::test]
async fn usage_is_read_in_passing_and_plain_text_is_asked_for() {
    let body = r#"{"model":"m-1","usage":{"prompt_tokens":11,"completion_tokens":7}}"#;
    let upstream = Upstream::new(Scene::json(body)).await;
    let rig = Rig::new(&upstream, Wish { usage: Some(UsageShape::OpenAi), ..Wish::default() }).await;
    let headers = "authorization: Bearer @T\r\naccept-encoding: gzip, br\r\n";
    let reply = rig.request("POST", "/chat/completions", headers, "{}").await;
    assert_eq!(reply.text(), body, "unchanged");
    assert_eq!(upstream.only().headers("accept-encoding"), ["identity"], "plain text is asked for");
    let done = rig.doors.completions(1).await.remove(0);
    assert_eq!(done.model.as_deref(), Some("m-1"), "the model");
    assert_eq!(done.usage.map(|u| (u.input, u.output)), Some((11, 7)), "the counts");
}

#[tokio::test]
async fn the_probe_at_the_root_of_a_grant_is_answered_here() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    for path in ["", "/"] {
        let mut agent = rig.agent().await;
        agent.send(rig.fill(&format!("HEAD @B{path} HTTP/1.1\r\nhost: @H\r\n\r\n")).as_bytes()).await;
        assert_eq!(agent.reply_to("HEAD").await.status, 200, "{path:?}");
    }
    assert_eq!(upstream.connections(), 0, "nothing was dialled");
    let book = rig.doors.take();
    assert!(book.releases.is_empty() && book.refusals.is_empty(), "nothing to record: {book:?}");
}

#[tokio::test]
async fn head_and_empty_answers_keep_their_shape() {
    let upstream =
        Upstream::new(Scene::Say(b"HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n".to_vec())).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    let mut agent = rig.agent().await;
    agent.send(rig.fill("HEAD @B/x HTTP/1.1\r\nhost: @H\r\nx-api-key: @T\r\n\r\n").as_bytes()).await;
    let reply = agent.reply_to("HEAD").await;
    assert_eq!((reply.status, reply.header("content-length")), (200, Some("1234")), "{reply:?}");
    upstream.play(Scene::Say(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()));
    agent.send(rig.fill("DELETE @B/x HTTP/1.1\r\nhost: @H\r\nx-api-key: @T\r\n\r\n").as_bytes()).await;
    assert_eq!(agent.reply().await.status, 204, "no content");
    let outcomes: Vec<_> =
        rig.doors.completions(2).await.into_iter().map(|c| (c.outcome, c.status)).collect();
    assert_eq!(outcomes, [(Outcome::Done, 200), (Outcome::Done, 204)], "both are on record as done");
}
