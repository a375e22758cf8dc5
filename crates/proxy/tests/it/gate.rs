//! Raw heads as attackers write them. Each is refused by us, before the HTTP library or the upstream see a byte: the
//! contract's code, exactly one refusal on record, the connection closed, and no connection to the upstream.
//!
//! Every payload carries a good token and a good path, so that nothing but the gate stands in its way. They are taken
//! from RFC 9112's pitfalls and from what HTTP servers were found to disagree about.

use claviger_model::RefusalCode;
use proptest::prelude::*;

use crate::support::*;

/// The code, and the payload after `fill`. `^` stands for CR LF.
const TABLE: &[(&str, u16, &str)] = &[
    // Host.
    ("no Host", 400, "GET @B/x HTTP/1.1^@A^"),
    ("two Hosts, the same", 400, "GET @B/x HTTP/1.1^Host: @H^Host: @H^@A^"),
    ("two Hosts, differing", 400, "GET @B/x HTTP/1.1^Host: @H^Host: evil.com^@A^"),
    ("two Hosts, the second in other letters", 400, "GET @B/x HTTP/1.1^Host: @H^hOsT: evil.com^@A^"),
    ("two Hosts, far apart", 400, "GET @B/x HTTP/1.1^Host: @H^@Aaccept: */*^x: 1^Host: @H^^"),
    ("Host with a list", 400, "GET @B/x HTTP/1.1^Host: @H, @H^@A^"),
    ("Host with a space", 400, "GET @B/x HTTP/1.1^Host: @H evil^@A^"),
    ("Host with user information", 400, "GET @B/x HTTP/1.1^Host: evil@@H^@A^"),
    ("Host with a path", 400, "GET @B/x HTTP/1.1^Host: @H/../x^@A^"),
    ("Host with NUL", 400, "GET @B/x HTTP/1.1^Host: @H\0^@A^"),
    ("Host with a tab", 400, "GET @B/x HTTP/1.1^Host: @H\tx^@A^"),
    ("Host in quotes", 400, "GET @B/x HTTP/1.1^Host: \"@H\"^@A^"),
    ("empty Host", 400, "GET @B/x HTTP/1.1^Host:^@A^"),
    ("Host with a space before the colon", 400, "GET @B/x HTTP/1.1^Host : @H^@A^"),
    ("Host on a folded line", 400, "GET @B/x HTTP/1.1^Host:^ @H^@A^"),
    // Request line.
    ("absolute form, same host", 400, "GET http://@H@B/x HTTP/1.1^Host: @H^@A^"),
    ("absolute form, other host", 400, "GET http://evil.com/x HTTP/1.1^Host: @H^@A^"),
    ("absolute form, https", 400, "GET https://@H@B/x HTTP/1.1^Host: @H^@A^"),
    ("authority form", 400, "GET evil.com:80 HTTP/1.1^Host: @H^@A^"),
    ("asterisk form", 400, "OPTIONS * HTTP/1.1^Host: @H^@A^"),
    ("asterisk with GET", 400, "GET * HTTP/1.1^Host: @H^@A^"),
    ("CONNECT", 400, "CONNECT api.example.com:443 HTTP/1.1^Host: api.example.com:443^@A^"),
    ("CONNECT without port", 400, "CONNECT api.example.com HTTP/1.1^Host: @H^@A^"),
    ("CONNECT to a path", 400, "CONNECT @B/x HTTP/1.1^Host: @H^@A^"),
    ("TRACE", 400, "TRACE @B/x HTTP/1.1^Host: @H^@A^"),
    ("method in lower case", 400, "get @B/x HTTP/1.1^Host: @H^@A^"),
    ("method in mixed case", 400, "GeT @B/x HTTP/1.1^Host: @H^@A^"),
    ("the stand-in's own method", 400, "refused / HTTP/1.1^host: refused^connection: close^^"),
    ("method with a digit", 400, "GET1 @B/x HTTP/1.1^Host: @H^@A^"),
    ("method with a tab", 400, "GET\t@B/x HTTP/1.1^Host: @H^@A^"),
    ("an overlong method", 400, "ABCDEFGHIJKLMNOPQRSTU @B/x HTTP/1.1^Host: @H^@A^"),
    ("no method", 400, " @B/x HTTP/1.1^Host: @H^@A^"),
    ("two spaces after the method", 400, "GET  @B/x HTTP/1.1^Host: @H^@A^"),
    ("two spaces before the version", 400, "GET @B/x  HTTP/1.1^Host: @H^@A^"),
    ("a space after the version", 400, "GET @B/x HTTP/1.1 ^Host: @H^@A^"),
    ("a space in the path", 400, "GET @B/x y HTTP/1.1^Host: @H^@A^"),
    ("a tab in the path", 400, "GET @B/x\ty HTTP/1.1^Host: @H^@A^"),
    ("NUL in the path", 400, "GET @B/x\0y HTTP/1.1^Host: @H^@A^"),
    ("a bare CR in the path", 400, "GET @B/x\ry HTTP/1.1^Host: @H^@A^"),
    ("DEL in the path", 400, "GET @B/x\x7fy HTTP/1.1^Host: @H^@A^"),
    ("UTF-8 in the path", 400, "GET @B/caf\u{e9} HTTP/1.1^Host: @H^@A^"),
    ("a fragment", 400, "GET @B/x#y HTTP/1.1^Host: @H^@A^"),
    ("a fragment after a query", 400, "GET @B/x?a#y HTTP/1.1^Host: @H^@A^"),
    ("a backslash", 400, "GET @B\\..\\x HTTP/1.1^Host: @H^@A^"),
    ("angle brackets", 400, "GET @B/<x> HTTP/1.1^Host: @H^@A^"),
    ("a quote", 400, "GET @B/\"x HTTP/1.1^Host: @H^@A^"),
    ("braces in the path", 400, "GET @B/{x} HTTP/1.1^Host: @H^@A^"),
    ("a quote in the query", 400, "GET @B/x?\"y HTTP/1.1^Host: @H^@A^"),
    ("a backslash in the query", 400, "GET @B/x?a=\\ HTTP/1.1^Host: @H^@A^"),
    ("NUL in the query", 400, "GET @B/x?\0 HTTP/1.1^Host: @H^@A^"),
    ("UTF-8 in the query", 400, "GET @B/x?\u{e9} HTTP/1.1^Host: @H^@A^"),
    ("no version", 400, "GET @B/x^Host: @H^@A^"),
    ("HTTP/0.9", 400, "GET @B/x^^"),
    ("HTTP/1.0", 400, "GET @B/x HTTP/1.0^Host: @H^@A^"),
    ("HTTP/1.2", 400, "GET @B/x HTTP/1.2^Host: @H^@A^"),
    ("HTTP/2.0", 400, "GET @B/x HTTP/2.0^Host: @H^@A^"),
    ("HTTP/1", 400, "GET @B/x HTTP/1^Host: @H^@A^"),
    ("http/1.1", 400, "GET @B/x http/1.1^Host: @H^@A^"),
    ("HTTP/1.1 with a leading zero", 400, "GET @B/x HTTP/01.1^Host: @H^@A^"),
    ("HTTPS/1.1", 400, "GET @B/x HTTPS/1.1^Host: @H^@A^"),
    ("the preface of HTTP/2", 400, "PRI * HTTP/2.0^^SM^^"),
    ("a TLS hello", 400, "\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03"),
    ("a leading empty line", 400, "^GET @B/x HTTP/1.1^Host: @H^@A^"),
    ("leading empty lines", 400, "^^^GET @B/x HTTP/1.1^Host: @H^@A^"),
    ("a leading space", 400, " GET @B/x HTTP/1.1^Host: @H^@A^"),
    ("a byte order mark", 400, "\u{feff}GET @B/x HTTP/1.1^Host: @H^@A^"),
    ("a leading NUL", 400, "\0GET @B/x HTTP/1.1^Host: @H^@A^"),
    // Line ends.
    ("bare line feeds", 400, "GET @B/x HTTP/1.1\nHost: @H\nx-api-key: @T\n\n"),
    ("one bare line feed", 400, "GET @B/x HTTP/1.1^Host: @H\n@A^"),
    ("a bare line feed after the request line", 400, "GET @B/x HTTP/1.1\nHost: @H^@A^"),
    ("a bare line feed at the end", 400, "GET @B/x HTTP/1.1^Host: @H^x-api-key: @T\n^"),
    ("line feed, carriage return", 400, "GET @B/x HTTP/1.1^Host: @H\n\r@A^"),
    ("two carriage returns", 400, "GET @B/x HTTP/1.1\r^Host: @H^@A^"),
    ("a bare CR in a value", 400, "GET @B/x HTTP/1.1^Host: @H^X: a\rb^@A^"),
    ("a bare CR that hides a field", 400, "GET @B/x HTTP/1.1^Host: @H^X: a\rTransfer-Encoding: chunked^@A^"),
    ("a bare CR before a name", 400, "GET @B/x HTTP/1.1^Host: @H^\rX: a^@A^"),
    // Fields.
    ("obsolete folding with a space", 400, "GET @B/x HTTP/1.1^Host: @H^X: a^ b^@A^"),
    ("obsolete folding with a tab", 400, "GET @B/x HTTP/1.1^Host: @H^X: a^\tb^@A^"),
    ("folding of the first field", 400, "GET @B/x HTTP/1.1^ Host: @H^Host: @H^@A^"),
    ("a line of spaces", 400, "GET @B/x HTTP/1.1^Host: @H^   ^@A^"),
    ("NUL in a value", 400, "GET @B/x HTTP/1.1^Host: @H^X: a\0b^@A^"),
    ("a control character in a value", 400, "GET @B/x HTTP/1.1^Host: @H^X: a\x01b^@A^"),
    ("DEL in a value", 400, "GET @B/x HTTP/1.1^Host: @H^X: a\x7fb^@A^"),
    ("vertical tab in a value", 400, "GET @B/x HTTP/1.1^Host: @H^X: \x0bb^@A^"),
    ("UTF-8 in a value", 400, "GET @B/x HTTP/1.1^Host: @H^X: \u{e9}^@A^"),
    ("no colon", 400, "GET @B/x HTTP/1.1^Host: @H^Header^@A^"),
    ("an empty name", 400, "GET @B/x HTTP/1.1^Host: @H^: x^@A^"),
    ("a space in a name", 400, "GET @B/x HTTP/1.1^Host: @H^X Y: x^@A^"),
    ("a space before the colon", 400, "GET @B/x HTTP/1.1^Host: @H^X-Y : x^@A^"),
    ("a tab before the colon", 400, "GET @B/x HTTP/1.1^Host: @H^X-Y\t: x^@A^"),
    ("NUL in a name", 400, "GET @B/x HTTP/1.1^Host: @H^X\0Y: x^@A^"),
    ("a bracket in a name", 400, "GET @B/x HTTP/1.1^Host: @H^X[0]: x^@A^"),
    ("a slash in a name", 400, "GET @B/x HTTP/1.1^Host: @H^X/Y: x^@A^"),
    ("an at sign in a name", 400, "GET @B/x HTTP/1.1^Host: @H^X@Y: x^@A^"),
    ("UTF-8 in a name", 400, "GET @B/x HTTP/1.1^Host: @H^X\u{e9}: x^@A^"),
    ("a quoted name", 400, "GET @B/x HTTP/1.1^Host: @H^\"X\": x^@A^"),
    ("Expect of something else", 400, "POST @B/x HTTP/1.1^Host: @H^@AExpect: 200-ok^Content-Length: 1^^x"),
    (
        "Expect of two things",
        400,
        "POST @B/x HTTP/1.1^Host: @H^@AExpect: 100-continue, y^Content-Length: 1^^x",
    ),
    // Content-Length and Transfer-Encoding.
    ("CL beside TE", 400, "POST @B/x HTTP/1.1^Host: @H^@AContent-Length: 4^Transfer-Encoding: chunked^^0^^"),
    ("TE beside CL", 400, "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^Content-Length: 5^^0^^"),
    (
        "CL 0 beside TE",
        400,
        "POST @B/x HTTP/1.1^Host: @H^@AContent-Length: 0^Transfer-Encoding: chunked^^0^^",
    ),
    ("two CLs, the same", 400, "POST @B/x HTTP/1.1^Host: @H^@AContent-Length: 1^Content-Length: 1^^x"),
    ("two CLs, differing", 400, "POST @B/x HTTP/1.1^Host: @H^@AContent-Length: 1^content-length: 2^^xy"),
    ("CL as a list", 400, "POST @B/x HTTP/1.1^Host: @H^@AContent-Length: 1, 1^^x"),
    ("CL with a plus", 400, "POST @B/x HTTP/1.1^Host: @H^@AContent-Length: +1^^x"),
    ("CL with a minus", 400, "POST @B/x HTTP/1.1^Host: @H^@AContent-Length: -1^^x"),
    ("CL in hexadecimal", 400, "POST @B/x HTTP/1.1^Host: @H^@AContent-Length: 0x1^^x"),
    ("CL with an underscore", 400, "POST @B/x HTTP/1.1^Host: @H^@AContent-Length: 1_0^^x"),
    ("CL with a fraction", 400, "POST @B/x HTTP/1.1^Host: @H^@AContent-Length: 1.0^^x"),
    ("empty CL", 400, "POST @B/x HTTP/1.1^Host: @H^@AContent-Length:^^x"),
    ("CL with a space inside", 400, "POST @B/x HTTP/1.1^Host: @H^@AContent-Length: 1 0^^x"),
    ("CL beyond 64 bits", 400, "POST @B/x HTTP/1.1^Host: @H^@AContent-Length: 18446744073709551617^^x"),
    ("CL in Arabic digits", 400, "POST @B/x HTTP/1.1^Host: @H^@AContent-Length: \u{661}^^x"),
    ("CL with a space before the colon", 400, "POST @B/x HTTP/1.1^Host: @H^@AContent-Length : 1^^x"),
    ("CL with an underscore in its name", 400, "POST @B/x HTTP/1.1^Host: @H^@AContent_Length: 1^^x"),
    ("CL above the limit", 413, "POST @B/x HTTP/1.1^Host: @H^@AContent-Length: 99999999999999^^x"),
    ("TE identity", 400, "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: identity^^"),
    ("TE gzip, chunked", 400, "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: gzip, chunked^^0^^"),
    ("TE chunked, identity", 400, "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked, identity^^0^^"),
    ("TE chunked, chunked", 400, "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked, chunked^^0^^"),
    ("TE with a leading comma", 400, "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: ,chunked^^0^^"),
    ("TE with a parameter", 400, "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked;x=1^^0^^"),
    (
        "TE twice",
        400,
        "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^Transfer-Encoding: chunked^^0^^",
    ),
    (
        "TE twice, one unknown",
        400,
        "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: x^Transfer-Encoding: chunked^^0^^",
    ),
    ("TE xchunked", 400, "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: xchunked^^0^^"),
    ("TE in quotes", 400, "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: \"chunked\"^^0^^"),
    ("TE with a vertical tab", 400, "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: \x0bchunked^^0^^"),
    ("empty TE", 400, "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding:^^0^^"),
    ("TE on a folded line", 400, "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding:^ chunked^^0^^"),
    (
        "TE with a space before the colon",
        400,
        "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding : chunked^^0^^",
    ),
    (
        "TE with an underscore in its name",
        400,
        "POST @B/x HTTP/1.1^Host: @H^@ATransfer_Encoding: chunked^^0^^",
    ),
    ("TE in HTTP/1.0", 400, "POST @B/x HTTP/1.0^Host: @H^@ATransfer-Encoding: chunked^^0^^"),
    // Chunks that arrive with their head.
    (
        "a chunk's size with an underscore",
        400,
        "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^0_2e^^",
    ),
    ("a chunk's size with 0x", 400, "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^0x1^x^0^^"),
    ("a chunk's size with a plus", 400, "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^+1^x^0^^"),
    (
        "a chunk's size with a minus",
        400,
        "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^-1^x^0^^",
    ),
    (
        "a chunk's size with a space after",
        400,
        "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^1 ^x^0^^",
    ),
    (
        "a chunk's size with a space before",
        400,
        "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^ 1^x^0^^",
    ),
    (
        "a chunk's size beyond 64 bits",
        400,
        "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^10000000000000001^x^0^^",
    ),
    (
        "a chunk's size above the limit",
        413,
        "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^fffffffffff^x^0^^",
    ),
    ("an empty chunk size", 400, "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^^x^0^^"),
    ("a chunk extension", 400, "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^1;a=b^x^0^^"),
    (
        "a chunk extension that is empty",
        400,
        "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^1;^x^0^^",
    ),
    (
        "a chunk extension with a bare line feed",
        400,
        "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^1;\nx^0^^",
    ),
    (
        "a chunk's size with a bare line feed",
        400,
        "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^1\nx^0^^",
    ),
    (
        "a chunk's size with a bare CR",
        400,
        "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^1\rx^0^^",
    ),
    (
        "the last chunk with a bare line feed",
        400,
        "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^0\n^",
    ),
    (
        "a chunk longer than its size",
        400,
        "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^1^xZZ0^^",
    ),
    ("a chunk without its line end", 400, "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^1^x0^^"),
    (
        "a chunk that ends in a bare line feed",
        400,
        "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^1^x\n0^^",
    ),
    (
        "text where a size should be",
        400,
        "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^GET /smuggled HTTP/1.1^^",
    ),
    ("a trailer without a colon", 400, "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^0^x^^"),
    ("a trailer with NUL", 400, "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^0^x: \0^^"),
    (
        "a trailer with a bare line feed",
        400,
        "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^0^x: y\n^",
    ),
    (
        "a trailer that is folded",
        400,
        "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^0^x: y^ z^^",
    ),
];

fn payload(rig: &Rig, text: &str) -> Vec<u8> {
    let text = text.replace("@A", "x-api-key: @T^");
    // Characters up to U+00FF stand for one byte each, so that a table of text can hold any byte.
    let wide = |c: char| c as u32 > 0xff;
    let text = rig.fill(&text).replace('^', "\r\n");
    if text.contains(wide) { text.into_bytes() } else { text.chars().map(|c| c as u8).collect() }
}

fn code_of(status: u16) -> RefusalCode {
    if status == 400 { RefusalCode::RequestMalformed } else { RefusalCode::TooLarge }
}

#[tokio::test]
async fn every_head_that_two_readers_could_understand_differently_is_refused() {
    assert!(TABLE.len() >= 120, "the table shrank to {}", TABLE.len());
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    for (what, status, text) in TABLE {
        let mut agent = rig.agent().await;
        agent.send(&payload(&rig, text)).await;
        let reply = agent.reply().await;
        let code = code_of(*status);
        assert_eq!((reply.status, reply.code().as_str()), (*status, code.word()), "{what}: {reply:?}");
        tokio::io::AsyncWriteExt::shutdown(&mut agent.socket).await.unwrap();
        agent.closes().await;
        let refusal = rig.doors.only_refusal(what, code);
        assert!(!refusal.path.contains("tok-"), "{what}: a token in the record: {}", refusal.path);
        assert_eq!(upstream.connections(), 0, "{what}: the upstream was dialled");
    }
}

#[tokio::test]
async fn a_good_request_before_a_bad_one_is_carried_and_the_bad_one_is_not() {
    for (what, status, text) in TABLE {
        let upstream = Upstream::new(Scene::json("{}")).await;
        let rig = Rig::new(&upstream, Wish::default()).await;
        let mut agent = rig.agent().await;
        let mut bytes = payload(&rig, "POST @B/good HTTP/1.1^Host: @H^@AContent-Length: 4^^good");
        bytes.extend(payload(&rig, text));
        agent.send(&bytes).await;
        assert_eq!(agent.reply().await.status, 200, "{what}: the good one");
        let reply = agent.reply().await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (*status, code_of(*status).word()),
            "{what}: the bad one"
        );
        assert_eq!(upstream.only().target(), "/good", "{what}: what reached the upstream");
        assert_eq!(rig.doors.book().refusals.len(), 1, "{what}: refusals");
    }
}

#[tokio::test]
async fn heads_beyond_the_limits_are_refused_as_too_large() {
    let many: String = (0..101).map(|i| format!("x{i}: 1^")).collect();
    let cases = [
        ("a long field", format!("GET @B/x HTTP/1.1^Host: @H^@AX: {}^^", "a".repeat(70_000))),
        ("a long field without an end", format!("GET @B/x HTTP/1.1^Host: @H^@AX: {}", "a".repeat(70_000))),
        ("many fields", format!("GET @B/x HTTP/1.1^Host: @H^@A{many}^")),
        ("a long path", format!("GET @B/{} HTTP/1.1^Host: @H^@A^", "a".repeat(40_000))),
        ("a long query", format!("GET @B/x?{} HTTP/1.1^Host: @H^@A^", "a".repeat(40_000))),
        ("a request line without an end", format!("GET /{}", "a".repeat(40_000))),
    ];
    for (what, text) in cases {
        let upstream = Upstream::new(Scene::json("{}")).await;
        let rig = Rig::new(&upstream, Wish::default()).await;
        let mut agent = rig.agent().await;
        agent.send(&payload(&rig, &text)).await;
        let reply = agent.reply().await;
        assert_eq!((reply.status, reply.code().as_str()), (431, "too_large"), "{what}: {reply:?}");
        assert_eq!(upstream.connections(), 0, "{what}: dialled");
        let refusal = rig.doors.only_refusal(what, RefusalCode::TooLarge);
        assert!(refusal.path.len() <= 256, "{what}: {} bytes of path on record", refusal.path.len());
    }
}

#[tokio::test]
async fn a_chunk_that_turns_bad_later_breaks_the_request_off() {
    for tail in ["1;x=y\r\nz\r\n0\r\n\r\n", "zz\r\n", "1\nz\r\n0\r\n\r\n", "0\r\nbad trailer\r\n\r\n"] {
        let upstream = Upstream::new(Scene::json("{}")).await;
        let rig = Rig::new(&upstream, Wish::default()).await;
        let mut agent = rig.agent().await;
        agent.send(&payload(&rig, "POST @B/x HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^3^abc^")).await;
        eventually("the upstream is dialled", || upstream.connections() == 1).await;
        agent.send(tail.as_bytes()).await;
        let done = rig.doors.completions(1).await.remove(0);
        let failed = claviger_model::Outcome::Failed(RefusalCode::RequestMalformed);
        assert_eq!(done.outcome, failed, "{tail:?}: {done:?}");
        assert!(upstream.seen().is_empty(), "{tail:?}: a broken body looked whole to the upstream");
    }
}

#[tokio::test]
async fn heads_at_the_limits_pass() {
    let many: String = (0..97).map(|i| format!("x{i}: 1^")).collect();
    let cases = [
        format!("GET @B/x HTTP/1.1^Host: @H^@AX: {}^^", "a".repeat(60_000)),
        format!("GET @B/x HTTP/1.1^Host: @H^@A{many}^"),
        format!("GET @B/{} HTTP/1.1^Host: @H^@A^", "a".repeat(32_000)),
    ];
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    for text in cases {
        let mut agent = rig.agent().await;
        agent.send(&payload(&rig, &text)).await;
        let reply = agent.reply().await;
        assert_eq!(reply.status, 200, "{} bytes: {reply:?}", text.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever is sent, however it is cut: every request that the upstream sees was released on record, and there is
    /// an answer for each head. Run as one batch of streams per case.
    #[test]
    fn the_record_and_the_upstream_agree_on_every_stream(
        parts in proptest::collection::vec(0usize..TABLE.len() + 6, 1..6),
        cuts in proptest::collection::vec(0usize..600, 0..8),
        flip in proptest::option::of((0usize..900, 0u8..8)),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let upstream = Upstream::new(Scene::json("{}")).await;
            let rig = Rig::new(&upstream, Wish::default()).await;
            let mut bytes = Vec::new();
            for part in parts {
                let text = match TABLE.get(part) {
                    Some((_, _, text)) => text,
                    None if part % 3 == 0 => "GET @B/a HTTP/1.1^Host: @H^@A^",
                    None if part % 3 == 1 => "POST @B/b HTTP/1.1^Host: @H^@AContent-Length: 3^^abc",
                    None => "PUT @B/c HTTP/1.1^Host: @H^@ATransfer-Encoding: chunked^^3^abc^0^^",
                };
                bytes.extend(payload(&rig, text));
            }
            if let Some((at, bit)) = flip {
                let at = at % bytes.len();
                bytes[at] ^= 1 << bit;
            }
            let mut agent = rig.agent().await;
            let mut from = 0;
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut % bytes.len()).collect();
            cuts.sort_unstable();
            for cut in cuts.into_iter().chain([bytes.len()]) {
                agent.send(&bytes[from..cut.max(from)]).await;
                from = cut.max(from);
                tokio::task::yield_now().await;
            }
            tokio::io::AsyncWriteExt::shutdown(&mut agent.socket).await.ok();
            agent.closes().await;
            rig.stop.cancel();
            rig.serving.await.unwrap();
            let book = rig.doors.take();
            assert!(
                upstream.seen().len() <= book.releases.len(),
                "{} requests at the upstream, {} releases", upstream.seen().len(), book.releases.len(),
            );
            assert_eq!(book.releases.len(), book.completions.len(), "one completion for each release");
            for request in upstream.seen() {
                assert!(!request.head.contains("tok-agent"), "the token went up: {}", request.head);
                assert_eq!(request.headers("host").len(), 1, "one Host: {}", request.head);
                let framed = request.headers("content-length").len() + request.headers("transfer-encoding").len();
                assert!(framed <= 1, "two ways to end the body: {}", request.head);
            }
        });
    }
}
