//! What a hostile server does to the one HTTP client and to the flows: an error, at once or in bounded time, and nothing
//! kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use claviger_oauth::http::{Http, HttpError, Request};
use claviger_oauth::{
    Client, CodeFlow, Endpoint, FlowError, Listener, MetadataError, Reach, Redirect, Server, TokenError,
    client_credentials,
};
use claviger_secret::ClientSecret;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::support::script::{Reply, Script, Seen, error};
use crate::support::{NOW, Wall, ask, hasty_http, issuer, local, real_http, server_at};

const JSON: &str = "content-type: application/json";

/// One request for tokens at a server that answers like this.
async fn tokens_from(
    reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> (Result<(), FlowError>, Script) {
    tokens_by(&real_http(), reply).await
}

async fn tokens_by(
    http: &Arc<dyn Http>,
    reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> (Result<(), FlowError>, Script) {
    let script = Script::start(reply).await;
    let server = server_at(&script.base);
    let client = Client::with_secret(&server, "c", ClientSecret::from("s3cr3t-canary".to_owned())).unwrap();
    let result = client_credentials(http, &server, client, &ask(&["a"]), NOW).await;
    (result.map(|_| ()), script)
}

fn http_error(result: Result<(), FlowError>) -> HttpError {
    match result {
        Err(FlowError::Token(TokenError::Http(error))) => error,
        other => panic!("expected an HTTP error, got {other:?}"),
    }
}

#[tokio::test]
async fn o37_garbage_in_every_form_gives_an_error() {
    let nested = format!("{{\"access_token\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000)).into_bytes();
    let bodies: Vec<Vec<u8>> = vec![
        vec![],
        b"<html>sign in</html>".to_vec(),
        br#"{"access_token":"a"#.to_vec(),
        nested,
        vec![0xff; 1000],
        vec![0; 1000],
        b"{}".to_vec(),
        br#"{"access_token":"a\r\nset-cookie: x","token_type":"Bearer"}"#.to_vec(),
        br#"{"access_token":null,"token_type":"Bearer"}"#.to_vec(),
        br#"{"access_token":"a","access_token":"b","token_type":"Bearer"}"#.to_vec(),
        br#"{"access_token":"a","token_type":"Bearer","expires_in":-1}"#.to_vec(),
    ];
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        let (result, _) = tokens_from(move |_| Reply::With(200, vec![JSON.into()], body.clone())).await;
        assert!(result.is_err(), "{shown:?} gave a connection");
    }
    let fine = br#"{"access_token":"a","token_type":"Bearer"}"#;
    let (result, _) =
        tokens_from(|_| Reply::With(200, vec!["content-type: text/html".into()], fine.to_vec())).await;
    assert!(result.is_err(), "HTML gave a connection");
}

#[tokio::test]
async fn o37_a_hundred_megabytes_are_not_read() {
    let started = Instant::now();
    let (result, script) = tokens_from(|_| Reply::Flood(100 * 1024 * 1024)).await;
    assert_eq!(http_error(result), HttpError::TooLarge, "cut off");
    assert!(started.elapsed() < Duration::from_secs(5), "at once");
    crate::support::eventually("the server is told to stop", || script.flooded() > 0).await;
    assert!(script.flooded() < 20 * 1024 * 1024, "{} bytes were taken off the wire", script.flooded());
}

#[tokio::test]
async fn o37_compressed_answers_are_not_unpacked() {
    for encoding in ["gzip", "br", "deflate", "identity, gzip"] {
        let line = format!("content-encoding: {encoding}");
        let (result, _) =
            tokens_from(move |_| Reply::With(200, vec![JSON.into(), line.clone()], vec![0x1f, 0x8b, 8]))
                .await;
        assert_eq!(http_error(result), HttpError::Encoded, "{encoding}");
    }
}

#[tokio::test]
async fn o37_heads_without_end_are_cut_off() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(1_000_000)).into_bytes();
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(10_000)).into_bytes();
    let odd: Vec<Vec<u8>> = vec![
        long,
        many,
        b"garbage\r\n\r\n".to_vec(),
        b"HTTP/1.1 200\r\ncontent-length: 99999999999999999999\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{}".to_vec(),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n".to_vec(),
    ];
    for bytes in odd {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        let (result, _) = tokens_from(move |_| Reply::Raw(bytes.clone())).await;
        let error = http_error(result);
        assert!(matches!(error, HttpError::TooLarge | HttpError::Broken), "{shown:?}: {error}");
    }
}

#[tokio::test]
async fn o39_no_redirect_is_followed_and_no_secret_goes_there() {
    let elsewhere = Script::start(|_| error(500, "server_error")).await;
    for status in [301, 302, 303, 307, 308] {
        let line = format!("location: {}/token", elsewhere.base);
        let (result, script) = tokens_from(move |_| Reply::With(status, vec![line.clone()], vec![])).await;
        assert!(matches!(result, Err(FlowError::Token(TokenError::Redirected))), "{status}: {result:?}");
        assert_eq!(script.seen().len(), 1, "{status}: asked once");
    }
    assert!(elsewhere.seen().is_empty(), "the other server saw {:?}", elsewhere.seen());
}

#[tokio::test]
async fn o40_slow_and_silent_servers_are_given_up_in_time_and_classified() {
    let started = Instant::now();
    let drip = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{".repeat(100);
    let (result, script) =
        tokens_by(&hasty_http(), move |_| Reply::Drip(drip.clone(), Duration::from_millis(40))).await;
    let error = http_error(result);
    assert_eq!(error, HttpError::TimedOut { was_sent: true }, "a drip");
    assert!(error.may_have_arrived(), "it was read, so it is not repeated blindly");
    assert_eq!(script.seen().len(), 1, "asked once");

    let (result, _) = tokens_by(&hasty_http(), |_| Reply::Silence).await;
    assert_eq!(http_error(result), HttpError::TimedOut { was_sent: true }, "silence");
    let (result, script) = tokens_from(|_| Reply::HangUp).await;
    assert_eq!(http_error(result), HttpError::Broken, "a reset");
    assert_eq!(script.seen().len(), 1, "asked once");
    assert!(started.elapsed() < Duration::from_secs(20), "each within its patience");

    let script = Script::start(|_| Reply::Silence).await;
    let stalled = local(&script.base.replace("http://", "https://"));
    let error = hasty_http().send(Request::get(stalled, Reach::Private)).await.unwrap_err();
    assert_eq!(error, HttpError::TimedOut { was_sent: false }, "a stalled TLS handshake");
    assert!(!error.may_have_arrived(), "nothing was said yet");
}

#[tokio::test]
async fn o31_o66_only_public_https_unless_marked_and_plain_http_never_leaves_the_private_network() {
    let script = Script::start(|_| error(500, "server_error")).await;
    let port = Url::parse(&script.base).unwrap().port().unwrap();
    assert!(Endpoint::parse(&script.base, Reach::Public).is_err(), "plain http is no public endpoint");
    // A name that resolves to a private address, as a rebinding name does.
    let name = Endpoint::parse(&format!("https://localhost:{port}/token"), Reach::Public).unwrap();
    let error = real_http().send(Request::get(name, Reach::Public)).await.unwrap_err();
    assert_eq!(error, HttpError::AddressRefused, "the dialled address counts, not the name");
    let plain = Endpoint::parse("http://1.1.1.1/token", Reach::Private).unwrap();
    let error = real_http().send(Request::get(plain, Reach::Private)).await.unwrap_err();
    assert_eq!(error, HttpError::AddressRefused, "plain http to a public address");
    assert!(script.seen().is_empty(), "nobody was asked");
}

#[tokio::test]
async fn o40_a_certificate_that_nobody_vouches_for_ends_the_exchange() {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key.into())
            .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let served = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&served);
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            if let Ok(mut tls) = acceptor.accept(stream).await {
                use tokio::io::{AsyncReadExt, AsyncWriteExt};
                let mut head = [0; 4096];
                let _ = tls.read(&mut head).await;
                count.fetch_add(1, Ordering::SeqCst);
                let _ = tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
                let _ = tls.shutdown().await;
            }
        }
    });
    let url = local(&format!("https://127.0.0.1:{port}/"));
    let error = real_http().send(Request::get(url.clone(), Reach::Private)).await.unwrap_err();
    assert!(matches!(error, HttpError::Tls(_)) && !error.may_have_arrived(), "{error}");
    assert_eq!(served.load(Ordering::SeqCst), 0, "nothing was said to it");
    let trusting = claviger_oauth::http::Client::trusting(&certified.cert.pem()).unwrap();
    let answer = trusting
        .send(Request::get(url, Reach::Private))
        .await
        .expect("unless its certificate was given for this service");
    assert_eq!(answer.status, 200, "then it answers");
    assert!(claviger_oauth::http::Client::trusting("no certificate").is_err(), "and a certificate is one");
}

#[tokio::test]
async fn o64_o68_metadata_is_fetched_from_the_very_place_and_bounded() {
    let script = Script::start(|seen| match seen.path.as_str() {
        "/moved/.well-known/openid-configuration" => {
            Reply::With(302, vec!["location: /elsewhere".into()], vec![])
        }
        "/.well-known/oauth-authorization-server/big" => Reply::Flood(10 * 1024 * 1024),
        "/.well-known/oauth-authorization-server/foreign" => Reply::Json(
            200,
            json!({"issuer": "https://other.example", "token_endpoint": "https://other.example/token"}),
        ),
        // A sign-in page for every path that is not known, and the description in the second place.
        "/.well-known/oauth-authorization-server/spa" => {
            Reply::With(200, vec!["content-type: text/html".into()], b"<html>".to_vec())
        }
        "/.well-known/openid-configuration/spa" => {
            let issuer = format!("http://{}/spa", seen.header("host").unwrap());
            Reply::Json(200, json!({"issuer": issuer, "token_endpoint": format!("{issuer}/token")}))
        }
        _ => Reply::Json(404, json!({})),
    })
    .await;
    let discover = |path: &str| {
        let at = issuer(&format!("{}{path}", script.base));
        async move { Server::discover(&real_http(), &at, Reach::Private).await }
    };
    assert!(
        matches!(discover("/moved").await, Err(MetadataError::NotPublished)),
        "a redirect is not followed"
    );
    assert!(script.seen_at("/elsewhere").is_empty(), "nobody went there");
    assert!(matches!(discover("/big").await, Err(MetadataError::Http(HttpError::TooLarge))), "ten megabytes");
    assert!(matches!(discover("/foreign").await, Err(MetadataError::OtherIssuer)), "about somebody else");
    let found = discover("/spa").await.expect("the second place has it");
    assert!(found.token_endpoint.as_str().ends_with("/spa/token"), "and is believed");
    assert_eq!(
        script.seen_at("/.well-known/oauth-authorization-server/moved").len(),
        1,
        "in order, each once"
    );
}

/// A code flow at a scripted server whose browser brings a genuine answer.
async fn code_flow(
    http: Arc<dyn Http>,
    reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> (Result<(), FlowError>, Script) {
    let script = Script::start(reply).await;
    let (result, _) = browsed(begun(http, &script).await).await;
    (result, script)
}

async fn begun(http: Arc<dyn Http>, script: &Script) -> CodeFlow {
    let server = server_at(&script.base);
    let client = Client::public(server.issuer.clone(), "c").unwrap();
    let listener = Listener::bind(&Redirect::default()).await.unwrap();
    CodeFlow::begin(http, server, client, ask(&["a"]), listener, NOW).await.unwrap()
}

/// Brings the genuine answer, and says which challenge was asked with.
async fn browsed(flow: CodeFlow) -> (Result<(), FlowError>, String) {
    let asked = |name: &str| {
        let url = Url::parse(flow.url()).unwrap();
        url.query_pairs().find(|(n, _)| n == name).unwrap().1.into_owned()
    };
    let (state, challenge) = (asked("state"), asked("code_challenge"));
    let back = local(&format!("{}?code=c0de&state={state}", flow.redirect_uri()));
    let never = CancellationToken::new();
    let http = real_http();
    let (result, _) = tokio::join!(flow.wait(&Wall, &never), http.send(Request::get(back, Reach::Private)));
    (result.map(|_| ()), challenge)
}

#[tokio::test]
async fn o28_o41_a_code_is_redeemed_once_whatever_happens() {
    type Bad = (&'static str, fn() -> Reply);
    let cases: [Bad; 6] = [
        ("an invalid grant", || error(400, "invalid_grant")),
        ("an unavailable server", || error(503, "temporarily_unavailable")),
        ("a connection that ends", || Reply::HangUp),
        ("silence", || Reply::Silence),
        ("garbage", || Reply::With(200, vec![JSON.into()], b"{".to_vec())),
        ("a server error", || Reply::With(500, vec![], vec![])),
    ];
    for (what, reply) in cases {
        let (result, script) = code_flow(hasty_http(), move |_| reply()).await;
        assert!(matches!(result, Err(FlowError::Token(_))), "{what}: {result:?}");
        let sent = script.seen_at("/token");
        assert_eq!(sent.len(), 1, "{what}: the code was sent {} times", sent.len());
        assert_eq!(
            (sent[0].field("code"), sent[0].method.as_str()),
            ("c0de".to_owned(), "POST"),
            "{what}: as a form"
        );
        assert!(sent[0].query.is_empty(), "{what}: nothing stands in the URL");
    }
}

#[tokio::test]
async fn o05_a_server_that_ignores_pkce_is_found_by_the_probe() {
    let script = Script::start(|_| crate::support::script::tokens("t", None, 60)).await;
    for is_probe in [false, true] {
        let flow = begun(real_http(), &script).await;
        let flow = if is_probe { flow.with_wrong_verifier() } else { flow };
        let (result, challenge) = browsed(flow).await;
        assert!(result.is_ok(), "it takes any verifier, and so the probe says");
        let sent = script.seen_at("/token").pop().unwrap().field("code_verifier");
        let derived = BASE64_URL_SAFE_NO_PAD.encode(claviger_crypto::sha256(sent.as_bytes()));
        assert_eq!(
            derived == challenge,
            !is_probe,
            "the probe, and only the probe, sends a verifier that does not fit"
        );
    }
}

#[tokio::test]
async fn o09_o17_the_token_request_repeats_what_was_asked() {
    let (result, script) = code_flow(real_http(), |_| crate::support::script::tokens("t", None, 60)).await;
    result.expect("tokens");
    let sent = &script.seen_at("/token")[0];
    assert!(sent.field("redirect_uri").starts_with("http://127.0.0.1:"), "the same redirect URI");
    assert_eq!(sent.field("code_verifier").len(), 43, "the verifier");
    assert_eq!(
        (sent.field("grant_type").as_str(), sent.field("client_id").as_str()),
        ("authorization_code", "c"),
        "and the client"
    );
    assert!(sent.header("authorization").is_none(), "a public client has nothing to prove itself with");
}

#[tokio::test]
async fn o77_tokens_of_a_type_that_was_not_asked_for_are_refused() {
    let typed = |kind: &'static str| {
        move |_: &Seen| Reply::Json(200, json!({"access_token": "t", "token_type": kind}))
    };
    let (result, _) = tokens_from(typed("DPoP")).await;
    assert!(matches!(result, Err(FlowError::Token(TokenError::WrongKind))), "DPoP without a key: {result:?}");
    let script = Script::start(typed("Bearer")).await;
    let server = server_at(&script.base);
    let client = Client::public(server.issuer.clone(), "c").unwrap();
    let bound = claviger_oauth::Ask { dpop: true, ..ask(&[]) };
    let result = client_credentials(&real_http(), &server, client, &bound, NOW).await;
    assert!(
        matches!(result, Err(FlowError::Token(TokenError::WrongKind))),
        "a downgrade to Bearer: {result:?}"
    );
}

#[test]
fn s07_one_file_opens_connections() {
    let mut found = Vec::new();
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                let opens = [
                    "TcpStream::connect",
                    "lookup_host",
                    "handshake(",
                    "UdpSocket",
                    "reqwest",
                    "ToSocketAddrs",
                ];
                if opens.iter().any(|o| text.contains(o)) {
                    found.push(path.file_name().unwrap().to_string_lossy().into_owned());
                }
            }
        }
    }
    assert_eq!(found, ["client.rs"], "every fetch goes through the guarded client");
}
