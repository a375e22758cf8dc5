//! How it is asked: hosts and browsers, heads that can be read two ways, paths, sizes, smuggling.

use claviger_testkit::send_raw;

use super::Scene;
use crate::journeys::KEY;

#[test]
fn browsers_and_other_hosts_are_refused() {
    let scene = Scene::new();
    let port = scene.addr().port();
    for host in [
        "evil.com",
        "127.0.0.1.evil.com",
        "localhost.evil.com",
        "127.0.0.1:1",
        "127.0.0.1",
        "[::1",
        "",
        "a b",
        "user@127.0.0.1",
        "127.0.0.1/",
        "2130706433",
        "0.0.0.0",
    ] {
        for host in [host.to_owned(), format!("{host}:{port}")] {
            if host == format!("127.0.0.1:{port}") {
                continue;
            }
            let request = scene.raw(&format!(
                "GET BASE/v1/models HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer TOKEN\r\nConnection: close\r\n\r\n"
            ));
            scene.refused(&format!("Host: {host:?}"), &request, 400, "request_malformed");
        }
    }
    let no_host =
        scene.raw("GET BASE/v1/models HTTP/1.1\r\nAuthorization: Bearer TOKEN\r\nConnection: close\r\n\r\n");
    scene.refused("no Host", &no_host, 400, "request_malformed");
    for line in [
        "Origin: null",
        "Origin: https://evil.com",
        "Origin: http://127.0.0.1",
        "Origin: http://HOST",
        "Origin:",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Sec-Fetch-Site: same-origin",
    ] {
        let request = scene.raw(&format!(
            "GET BASE/v1/models HTTP/1.1\r\nHost: HOST\r\n{line}\r\nAuthorization: Bearer TOKEN\r\nConnection: close\r\n\r\n"
        ));
        scene.refused(line, &request, 403, "policy_denied");
    }
    let preflight = scene.raw(
        "OPTIONS BASE/v1/models HTTP/1.1\r\nHost: HOST\r\nOrigin: https://evil.com\r\nAccess-Control-Request-Method: POST\r\n\
         Access-Control-Request-Private-Network: true\r\nConnection: close\r\n\r\n",
    );
    scene.refused("a browser's preflight", &preflight, 403, "policy_denied");
    assert_eq!(scene.upstream.connections(), 0, "nothing was sent in all of this");
    for host in [format!("127.0.0.1:{port}"), format!("localhost:{port}")] {
        let request = scene.raw(&format!(
            "GET BASE/v1/models HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer TOKEN\r\nConnection: close\r\n\r\n"
        ));
        assert_eq!(send_raw(scene.addr(), &request).status, 200, "{host} is this machine");
    }
}

#[test]
fn a_head_that_two_readers_could_read_differently_is_refused() {
    let scene = Scene::new();
    let auth = "Authorization: Bearer TOKEN";
    let close = "Connection: close";
    let cases: Vec<(&str, String)> = vec![
        (
            "two Hosts, the same",
            format!("GET BASE/x HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n{auth}\r\n{close}\r\n\r\n"),
        ),
        (
            "two Hosts, different",
            format!("GET BASE/x HTTP/1.1\r\nHost: HOST\r\nHost: evil.com\r\n{auth}\r\n{close}\r\n\r\n"),
        ),
        (
            "CL and TE",
            format!(
                "POST BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
        ),
        (
            "TE and CL",
            format!(
                "POST BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
            ),
        ),
        (
            "two CL, different",
            format!(
                "POST BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"
            ),
        ),
        (
            "CL with a sign",
            format!("POST BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nContent-Length: +1\r\n\r\na"),
        ),
        (
            "CL in hex",
            format!("POST BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nContent-Length: 0x1\r\n\r\na"),
        ),
        (
            "CL negative",
            format!("POST BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nContent-Length: -1\r\n\r\na"),
        ),
        (
            "CL of 2^64+1",
            format!(
                "POST BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nContent-Length: 18446744073709551617\r\n\r\na"
            ),
        ),
        (
            "TE of gzip, chunked",
            format!(
                "POST BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
            ),
        ),
        (
            "TE twice",
            format!(
                "POST BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
        ),
        (
            "TE misspelt",
            format!(
                "POST BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"
            ),
        ),
        (
            "a space before the colon",
            format!("GET BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nX-A : b\r\n{close}\r\n\r\n"),
        ),
        (
            "a folded line",
            format!("GET BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nX-A: b\r\n c\r\n{close}\r\n\r\n"),
        ),
        ("a bare line feed", format!("GET BASE/x HTTP/1.1\r\nHost: HOST\n{auth}\r\n{close}\r\n\r\n")),
        (
            "a bare carriage return",
            format!("GET BASE/x HTTP/1.1\r\nHost: HOST\r\nX-A: b\rc\r\n{auth}\r\n{close}\r\n\r\n"),
        ),
        (
            "NUL in a value",
            format!("GET BASE/x HTTP/1.1\r\nHost: HOST\r\nX-A: b\0c\r\n{auth}\r\n{close}\r\n\r\n"),
        ),
        (
            "a name that is no token",
            format!("GET BASE/x HTTP/1.1\r\nHost: HOST\r\nX(A): b\r\n{auth}\r\n{close}\r\n\r\n"),
        ),
        (
            "an absolute target elsewhere",
            format!("GET http://evil.com/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\n{close}\r\n\r\n"),
        ),
        ("CONNECT", format!("CONNECT evil.com:443 HTTP/1.1\r\nHost: HOST\r\n{auth}\r\n{close}\r\n\r\n")),
        ("OPTIONS *", format!("OPTIONS * HTTP/1.1\r\nHost: HOST\r\n{auth}\r\n{close}\r\n\r\n")),
        (
            "two spaces in the request line",
            format!("GET  BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\n{close}\r\n\r\n"),
        ),
        ("HTTP/1.2", format!("GET BASE/x HTTP/1.2\r\nHost: HOST\r\n{auth}\r\n{close}\r\n\r\n")),
        ("HTTP/0.9", "GET BASE/x\r\n\r\n".to_owned()),
        ("HTTP/2 without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
    ];
    for (what, text) in &cases {
        scene.refused(what, &scene.raw(text), 400, "request_malformed");
    }
    assert_eq!(scene.upstream.connections(), 0, "nothing was sent in all of this");
    scene.works(&scene.token);
}

#[test]
fn a_path_that_is_not_canonical_is_refused() {
    let scene = Scene::new();
    for path in [
        "/../x",
        "/v1/../x",
        "/v1/./x",
        "/v1/..",
        "/v1/.",
        "/%2e%2e/x",
        "/%2E%2E/x",
        "/.%2e/x",
        "/%2e./x",
        "/v1\\x",
        "/v1%5cx",
        "/v1%5Cx",
        "/v1%2fx",
        "/v1%2Fx",
        "/..%2fx",
        "/v1//x",
        "/v1%00x",
        "/v1%0d%0aX",
        "/v1/%zz",
        "/v1/%",
        "/v1/%1",
        "/v1/größe",
        "/v1/..;/x",
        "/v1/%c0%ae%c0%ae/x",
    ] {
        let request = scene.raw(&format!(
            "GET BASE{path} HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nConnection: close\r\n\r\n"
        ));
        scene.refused(&format!("path {path}"), &request, 400, "request_malformed");
    }
    for query in ["?a=%0d%0a", "?a=\u{1}", "?a=ö"] {
        let request = scene.raw(&format!(
            "GET BASE/v1/models{query} HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nConnection: close\r\n\r\n"
        ));
        let reply = send_raw(scene.addr(), &request);
        let passed_unchanged = reply.status == 200
            && scene.upstream.requests().last().is_some_and(|seen| seen.target.ends_with(query));
        assert!(
            passed_unchanged || reply.header("x-claviger-error") == Some("request_malformed"),
            "{query:?} was neither refused nor passed on as it stands: {}",
            reply.text()
        );
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let scene = Scene::new();
    let long = "a".repeat(70 * 1024);
    let auth = "Authorization: Bearer TOKEN";
    for (what, text) in [
        (
            "a header of 70 KiB",
            format!(
                "GET BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nX-A: {long}\r\nConnection: close\r\n\r\n"
            ),
        ),
        (
            "a target of 70 KiB",
            format!("GET BASE/{long} HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nConnection: close\r\n\r\n"),
        ),
        (
            "a thousand headers",
            format!("GET BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\n{}\r\n", "X-A: b\r\n".repeat(1000)),
        ),
    ] {
        scene.refused(what, &scene.raw(&text), 431, "too_large");
    }
    let huge = scene.raw(&format!(
        "POST BASE/x HTTP/1.1\r\nHost: HOST\r\n{auth}\r\nContent-Length: 99999999999999\r\n\r\n"
    ));
    scene.refused("a body of 100 TB, announced", &huge, 413, "too_large");
    assert_eq!(scene.upstream.connections(), 0, "nothing was sent in all of this");
}

#[test]
fn smuggled_requests_never_reach_the_upstream() {
    let scene = Scene::new();
    // The second head stands in the first one's body.
    let inner =
        scene.raw("GET BASE/v1/smuggled HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\n\r\n");
    let outer = scene.raw(&format!(
        "POST BASE/v1/echo HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        inner.len()
    ));
    let reply = send_raw(scene.addr(), &[outer, inner].concat());
    assert_eq!(reply.status, 200, "a body is a body: {}", reply.text());
    let targets: Vec<String> = scene.upstream.requests().iter().map(|seen| seen.target.clone()).collect();
    assert_eq!(targets, ["/v1/echo"], "and nothing but a body");
}

#[test]
fn headers_that_steer_and_every_token_slot_are_stripped() {
    let scene = Scene::new();
    let request = scene.raw(
        "GET BASE/v1/models?key=TOKEN&a=1 HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nx-api-key: TOKEN\r\n\
         x-goog-api-key: TOKEN\r\nProxy-Authorization: Bearer TOKEN\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n\
         X-HTTP-Method-Override: DELETE\r\nX-Original-URL: /admin\r\nX-Rewrite-URL: /admin\r\nConnection: close, X-Hop\r\n\
         X-Hop: 1\r\nTE: trailers\r\nX-Kept: yes\r\n\r\n",
    );
    let reply = send_raw(scene.addr(), &request);
    assert_eq!(reply.status, 200, "{}", reply.text());
    scene.upstream.assert_key_once_and_never(KEY, &[&scene.token]);
    let seen = &scene.upstream.requests()[0];
    assert_eq!(seen.target, "/v1/models?a=1", "the token's place in the query is gone, the rest stays");
    assert_eq!(seen.header("x-kept").as_deref(), Some("yes"), "what steers nothing stays");
    for gone in [
        "x-api-key",
        "x-goog-api-key",
        "proxy-authorization",
        "x-forwarded-for",
        "forwarded",
        "x-http-method-override",
        "x-original-url",
        "x-rewrite-url",
        "x-hop",
        "te",
    ] {
        assert_eq!(seen.header(gone), None, "{gone} reached the upstream");
    }
}
