//! The loopback listener under stray and hostile requests: the flow stays open for the genuine answer, and closes with it.

use std::io;

use claviger_oauth::{AnswerError, Client, CodeFlow, ErrorCode, FlowError, ListenError, Listener, Redirect};
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::support::script::{Script, tokens};
use crate::support::{NOW, Wall, ask, real_http, server_at};

/// A flow that waits, seen from a browser.
struct Waiting {
    authority: String,
    path: String,
    state: String,
    cancel: CancellationToken,
    outcome: JoinHandle<Result<(), FlowError>>,
    script: Script,
}

async fn waiting(names_itself: bool) -> Waiting {
    let script = Script::start(|_| tokens("t", None, 60)).await;
    let mut server = server_at(&script.base);
    server.names_itself = names_itself;
    let client = Client::public(server.issuer.clone(), "c").unwrap();
    let listener = Listener::bind(&Redirect::default()).await.unwrap();
    let flow = CodeFlow::begin(real_http(), server, client, ask(&["a"]), listener, NOW).await.unwrap();
    let state =
        Url::parse(flow.url()).unwrap().query_pairs().find(|(n, _)| n == "state").unwrap().1.into_owned();
    let redirect = Url::parse(flow.redirect_uri()).unwrap();
    let authority = format!("{}:{}", redirect.host_str().unwrap(), redirect.port().unwrap());
    let cancel = CancellationToken::new();
    let token = cancel.clone();
    let outcome = tokio::spawn(async move { flow.wait(&Wall, &token).await.map(|_| ()) });
    Waiting { authority, path: redirect.path().to_owned(), state, cancel, outcome, script }
}

impl Waiting {
    /// Sends bytes and reads what comes back.
    async fn raw(&self, bytes: &[u8]) -> io::Result<String> {
        let mut stream = TcpStream::connect(&self.authority).await?;
        stream.write_all(bytes).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    fn get(&self, target: &str, more: &str) -> String {
        format!("GET {target} HTTP/1.1\r\nhost: {}\r\n{more}\r\n", self.authority)
    }

    fn genuine(&self) -> String {
        self.get(&format!("{}?code=c0de&state={}", self.path, self.state), "")
    }

    async fn is_closed(&self) -> bool {
        TcpStream::connect(&self.authority).await.is_err()
    }
}

#[tokio::test]
async fn o10_only_the_loopback_address_is_bound_and_never_a_name() {
    for over_ipv6 in [false, true] {
        let listener = Listener::bind(&Redirect { over_ipv6, ..Redirect::default() }).await.unwrap();
        let uri = Url::parse(&listener.redirect_uri()).unwrap();
        let host = uri.host_str().unwrap();
        assert_eq!(
            host,
            if over_ipv6 { "[::1]" } else { "127.0.0.1" },
            "never localhost, never every address"
        );
        let port = uri.port().unwrap();
        assert!(TcpStream::connect(("127.0.0.2", port)).await.is_err(), "another address answers on {port}");
        assert!(uri.path().len() > 40, "a path of its own: {}", uri.path());
    }
    let paths = ["/a b", "/../x", "relative", "/a?b", "/a#b", "/a\r\nx: y", "/%41"];
    for path in paths {
        let redirect = Redirect { path: Some(path.into()), ..Redirect::default() };
        assert!(matches!(Listener::bind(&redirect).await, Err(ListenError::Path)), "{path:?} was bound");
    }
}

#[tokio::test]
async fn o11_the_first_genuine_answer_closes_it_and_so_does_a_cancel() {
    let flow = waiting(false).await;
    assert!(
        flow.raw(flow.genuine().as_bytes()).await.unwrap().starts_with("HTTP/1.1 200"),
        "the genuine answer is taken"
    );
    assert!(flow.is_closed().await, "the port still answers");
    flow.outcome.await.unwrap().expect("connected");
    let flow = waiting(false).await;
    flow.cancel.cancel();
    let authority = flow.authority.clone();
    assert!(matches!(flow.outcome.await.unwrap(), Err(FlowError::Cancelled)), "cancelled");
    assert!(TcpStream::connect(authority).await.is_err(), "the port still answers");
}

#[tokio::test(start_paused = true)]
async fn o11_after_five_minutes_it_closes_by_itself() {
    let flow = waiting(false).await;
    let authority = flow.authority.clone();
    let begun = tokio::time::Instant::now();
    assert!(matches!(flow.outcome.await.unwrap(), Err(FlowError::TimedOut)), "it gives up");
    assert_eq!(begun.elapsed().as_secs(), 300, "after five minutes");
    assert!(TcpStream::connect(authority).await.is_err(), "the port still answers");
}

#[tokio::test]
async fn o14_o29_o30_the_page_is_fixed_reflects_nothing_and_leads_nowhere() {
    let flow = waiting(false).await;
    let query = format!("{}?code=c0de-canary&state={}&x=<script>canary</script>", flow.path, flow.state);
    let strays = [flow.get("/canary?canary", ""), flow.get(&format!("{}?error=canary", flow.path), "")];
    for request in strays.into_iter().chain([flow.get(&query.replace('<', "%3C"), "")]) {
        let page = flow.raw(request.as_bytes()).await.unwrap();
        assert!(!page.contains("canary"), "a parameter is reflected: {page}");
        let lower = page.to_ascii_lowercase();
        for line in [
            "cache-control: no-store",
            "referrer-policy: no-referrer",
            "content-security-policy: default-src 'none'",
            "x-content-type-options: nosniff",
        ] {
            assert!(lower.contains(line), "{line} is missing: {page}");
        }
        assert!(
            !lower.contains("location:") && !lower.contains("<script") && !lower.contains("href"),
            "it leads somewhere: {page}"
        );
    }
    flow.outcome.await.unwrap().expect("connected");
}

#[tokio::test]
async fn o06_o24_stray_and_hostile_requests_leave_the_flow_open() {
    let flow = waiting(false).await;
    let (path, state, host) = (&flow.path, &flow.state, &flow.authority);
    let answer = format!("{path}?code=stolen&state={state}");
    let long = format!("{path}?code={}&state={state}", "c".repeat(64 * 1024));
    let strays = [
        ("POST", format!("POST {answer} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\n\r\n")),
        ("HEAD", format!("HEAD {answer} HTTP/1.1\r\nhost: {host}\r\n\r\n")),
        ("OPTIONS", format!("OPTIONS {answer} HTTP/1.1\r\nhost: {host}\r\n\r\n")),
        ("another path", flow.get(&format!("/?code=c&state={state}"), "")),
        ("a longer path", flow.get(&format!("{path}/x?code=c&state={state}"), "")),
        ("another Host", format!("GET {answer} HTTP/1.1\r\nhost: evil.example\r\n\r\n")),
        (
            "localhost",
            format!("GET {answer} HTTP/1.1\r\nhost: {}\r\n\r\n", host.replace("127.0.0.1", "localhost")),
        ),
        ("no Host", format!("GET {answer} HTTP/1.1\r\n\r\n")),
        ("two Hosts", format!("GET {answer} HTTP/1.1\r\nhost: {host}\r\nhost: {host}\r\n\r\n")),
        ("an Origin", flow.get(&answer, "origin: https://evil.example\r\n")),
        ("a null Origin", flow.get(&answer, "origin: null\r\n")),
        ("HTTP/1.0", format!("GET {answer} HTTP/1.0\r\nhost: {host}\r\n\r\n")),
        ("absolute form", format!("GET http://{host}{answer} HTTP/1.1\r\nhost: {host}\r\n\r\n")),
        ("no state", flow.get(&format!("{path}?code=c"), "")),
        ("a wrong state", flow.get(&format!("{path}?code=c&state={}", "A".repeat(43)), "")),
        ("two states", flow.get(&format!("{path}?code=c&state={state}&state=x"), "")),
        ("two codes", flow.get(&format!("{path}?code=a&code=b&state={state}"), "")),
        ("an error without state", flow.get(&format!("{path}?error=access_denied"), "")),
        ("64 KB of code", flow.get(&long, "")),
        ("garbage", "\u{0}\u{1}\u{2}\r\n\r\n".to_owned()),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
        ("TLS", "\u{16}\u{3}\u{1}\r\n\r\n".to_owned()),
        ("a favicon", flow.get("/favicon.ico", "")),
    ];
    for (what, request) in strays {
        // A reset is as good as a refusal: what counts is that the flow is still there.
        let page = flow.raw(request.as_bytes()).await.unwrap_or_default();
        assert!(!page.starts_with("HTTP/1.1 200"), "{what} was taken: {page}");
        assert!(!flow.outcome.is_finished(), "{what} ended the flow");
    }
    assert!(flow.script.seen().is_empty(), "no code was redeemed");
    let silent: Vec<TcpStream> =
        join_all((0..40).map(|_| TcpStream::connect(host))).await.into_iter().map(Result::unwrap).collect();
    assert!(
        flow.raw(flow.genuine().as_bytes()).await.unwrap().starts_with("HTTP/1.1 200"),
        "beside 40 silent connections"
    );
    drop(silent);
    flow.outcome.await.unwrap().expect("connected");
    assert_eq!(flow.script.seen_at("/token")[0].field("code"), "c0de", "with the genuine code");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o25_of_two_browsers_exactly_one_redeems() {
    for _ in 0..20 {
        let flow = waiting(false).await;
        let request = flow.genuine();
        let pages = join_all((0..16).map(|_| flow.raw(request.as_bytes()))).await;
        let taken = pages.iter().flatten().filter(|p| p.starts_with("HTTP/1.1 200")).count();
        let late = pages.iter().flatten().filter(|p| p.contains("already used")).count();
        let unheard = pages.iter().filter(|p| p.as_ref().map_or(true, String::is_empty)).count();
        assert_eq!(
            (taken, taken + late + unheard),
            (1, 16),
            "one is taken, the others hear so or find the port closed"
        );
        flow.outcome.await.unwrap().expect("connected");
        assert_eq!(flow.script.seen_at("/token").len(), 1, "redeemed once");
    }
}

#[tokio::test]
async fn o26_a_taken_port_is_said_and_never_shared() {
    let first = Listener::bind(&Redirect::default()).await.unwrap();
    let port = Url::parse(&first.redirect_uri()).unwrap().port().unwrap();
    let fixed = Redirect { port: Some(port), ..Redirect::default() };
    assert!(
        matches!(Listener::bind(&fixed).await, Err(ListenError::PortInUse(p)) if p == port),
        "somebody has it"
    );
    let second = Listener::bind(&Redirect::default()).await.unwrap();
    assert_ne!(second.redirect_uri(), first.redirect_uri(), "another flow has another address");
}

#[tokio::test]
async fn o27_an_answer_for_one_flow_is_nothing_to_another() {
    let (a, b) = (waiting(false).await, waiting(false).await);
    for (to, path) in [(&b, &b.path), (&b, &a.path)] {
        let page = to.raw(to.get(&format!("{path}?code=c&state={}", a.state), "").as_bytes()).await.unwrap();
        assert!(!page.starts_with("HTTP/1.1 200"), "flow A's answer was taken by flow B: {page}");
    }
    assert!(!a.outcome.is_finished() && !b.outcome.is_finished(), "both still wait");
    a.cancel.cancel();
    b.cancel.cancel();
}

#[tokio::test]
async fn o19_o27_an_answer_that_names_another_server_sends_the_code_nowhere() {
    for (names_itself, iss) in
        [(true, ""), (true, "&iss=https%3A%2F%2Fevil.example"), (false, "&iss=https%3A%2F%2Fevil.example")]
    {
        let flow = waiting(names_itself).await;
        let target = format!("{}?code=c0de&state={}{iss}", flow.path, flow.state);
        flow.raw(flow.get(&target, "").as_bytes()).await.unwrap();
        let outcome = flow.outcome.await.unwrap();
        assert!(matches!(outcome, Err(FlowError::Answer(AnswerError::OtherIssuer))), "{outcome:?}");
        assert!(flow.script.seen().is_empty(), "the code went out");
    }
}

#[tokio::test]
async fn o22_a_refusal_ends_the_flow_with_its_words_cleaned() {
    let flow = waiting(false).await;
    let target = format!(
        "{}?error=access_denied&error_description=no%1b%5B2J%E2%80%AEway&state={}",
        flow.path, flow.state
    );
    flow.raw(flow.get(&target, "").as_bytes()).await.unwrap();
    let Err(FlowError::Answer(AnswerError::Refused { code, description })) = flow.outcome.await.unwrap()
    else {
        panic!("not refused")
    };
    assert_eq!((code, description.unwrap().as_str()), (ErrorCode::AccessDenied, "no[2Jway"), "said as it is");
}
