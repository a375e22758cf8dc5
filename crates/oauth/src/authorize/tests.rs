//! Authorization requests and the judgement on answers, without a network.

use super::*;
use crate::http::{HttpError, Request, Response};
use crate::{Endpoint, Reach};
use futures_util::future::BoxFuture;

/// Nobody answers: these requests need no network.
struct Nobody;

impl Http for Nobody {
    fn send(&self, _: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        Box::pin(async { Err(HttpError::Unreachable) })
    }
}

const ISSUER: &str = "https://as.example";

fn server(authorization: &str) -> Server {
    let url = |text: &str| Endpoint::parse(text, Reach::Public).unwrap();
    let issuer = Issuer::parse(ISSUER, Reach::Public).unwrap();
    let mut server =
        Server::described(issuer, Reach::Public, Some(url(authorization)), url("https://as.example/token"));
    server.code_challenge_methods = Some(vec!["S256".into()]);
    server
}

async fn begin_with(server: &Server, id: &str, ask: &Ask) -> Result<Pending, AskError> {
    let http: Arc<dyn Http> = Arc::new(Nobody);
    let client = Client::public(server.issuer.clone(), id).unwrap();
    Pending::begin(&http, server, &client, ask, "http://127.0.0.1:4711/cb", None, Timestamp(0)).await
}

fn ask(scopes: &[&str]) -> Ask {
    Ask { scopes: scopes.iter().map(|s| (*s).to_owned()).collect(), ..Ask::default() }
}

fn pairs(url: &str) -> Vec<(String, String)> {
    Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

fn one(url: &str, name: &str) -> String {
    let values: Vec<String> = pairs(url).into_iter().filter(|(n, _)| n == name).map(|(_, v)| v).collect();
    assert_eq!(values.len(), 1, "{name} stands {} times in {url}", values.len());
    values[0].clone()
}

async fn pending(names_itself: bool) -> (Pending, String) {
    let mut server = server("https://as.example/authorize");
    server.names_itself = names_itself;
    let pending = begin_with(&server, "c", &ask(&["openid"])).await.unwrap();
    let state = one(&pending.url, "state");
    (pending, state)
}

#[tokio::test]
async fn o03_s256_is_always_sent_and_plain_never() {
    let first = begin_with(&server("https://as.example/authorize"), "c", &ask(&["a"])).await.unwrap();
    assert_eq!(one(&first.url, "code_challenge_method"), "S256", "the method");
    assert_eq!(one(&first.url, "code_challenge").len(), 43, "a SHA-256");
    assert_eq!(one(&first.url, "response_type"), "code", "never implicit (O-30)");
    let second = begin_with(&server("https://as.example/authorize"), "c", &ask(&["a"])).await.unwrap();
    assert_ne!(one(&first.url, "code_challenge"), one(&second.url, "code_challenge"), "fresh for each flow");
    assert_ne!(one(&first.url, "state"), one(&second.url, "state"), "and so is the state");
    assert!(one(&first.url, "state").len() >= 22, "of at least 128 bits");
}

#[tokio::test]
async fn o04_without_s256_in_the_metadata_no_flow_begins() {
    let mut server = server("https://as.example/authorize");
    for methods in [None, Some(vec![]), Some(vec!["plain".to_owned()])] {
        server.code_challenge_methods = methods.clone();
        let begun = begin_with(&server, "c", &ask(&[])).await;
        assert!(matches!(begun, Err(AskError::NoPkce)), "{methods:?} began a flow");
    }
    server.quirks.pkce_unadvertised = true;
    let begun = begin_with(&server, "c", &ask(&[])).await.unwrap();
    assert_eq!(
        one(&begun.url, "code_challenge_method"),
        "S256",
        "the service's entry may say so; PKCE is sent all the same"
    );
}

#[tokio::test]
async fn o08_no_parameter_twice_and_odd_values_come_back_unchanged() {
    let odd = ["a b&c=d", "a+b", "ключ", "100%"];
    for id in odd {
        let mut ask = ask(&["read:a", "write"]);
        ask.extra = vec![("login_hint".into(), id.to_owned())];
        let begun = begin_with(&server("https://as.example/authorize?tenant=t%26x"), id, &ask).await.unwrap();
        assert_eq!(one(&begun.url, "client_id"), id, "the client id");
        assert_eq!(one(&begun.url, "login_hint"), id, "an own parameter");
        assert_eq!(one(&begun.url, "scope"), "read:a write", "the scopes");
        assert_eq!(one(&begun.url, "tenant"), "t&x", "the endpoint's own query stays");
        assert_eq!(one(&begun.url, "redirect_uri"), "http://127.0.0.1:4711/cb", "without fragment (O-09)");
    }
    for own in ["client_id=evil", "state=x", "redirect_uri=https://evil.example", "scope=admin"] {
        let begun =
            begin_with(&server(&format!("https://as.example/authorize?{own}")), "c", &ask(&["a"])).await;
        assert!(matches!(begun, Err(AskError::BadParameter(_))), "{own} stands beside ours");
    }
    for name in ["state", "redirect_uri", "response_type", "code_challenge", "request", "response_mode"] {
        let ask = Ask { extra: vec![(name.into(), "x".into())], ..Ask::default() };
        let begun = begin_with(&server("https://as.example/authorize"), "c", &ask).await;
        assert!(matches!(begun, Err(AskError::BadParameter(_))), "{name} was replaced");
    }
    for scope in ["a b", "a\"b", "", "ü"] {
        assert!(
            begin_with(&server("https://as.example/authorize"), "c", &ask(&[scope])).await.is_err(),
            "{scope:?} was sent"
        );
    }
}

#[tokio::test]
async fn o17_o18_resources_are_sent_and_details_only_when_asked_for() {
    let mut ask = ask(&["a"]);
    ask.resources = vec!["https://a.example/mcp".into(), "https://b.example".into()];
    let begun = begin_with(&server("https://as.example/authorize"), "c", &ask).await.unwrap();
    let sent: Vec<String> =
        pairs(&begun.url).into_iter().filter(|(n, _)| n == "resource").map(|(_, v)| v).collect();
    assert_eq!(sent, ask.resources, "each resource");
    assert!(!begun.url.contains("authorization_details"), "nothing that was not asked for");
    for bad in ["https://a.example/#f", "/relative", ""] {
        ask.resources = vec![bad.to_owned()];
        let begun = begin_with(&server("https://as.example/authorize"), "c", &ask).await;
        assert!(matches!(begun, Err(AskError::BadParameter("resource"))), "{bad:?} was sent");
    }
}

#[tokio::test]
async fn o06_only_the_flows_own_state_counts_and_once() {
    let (pending, state) = pending(false).await;
    let foreign = "A".repeat(43);
    let strays = [
        String::new(),
        "code=c".into(),
        format!("code=c&state={foreign}"),
        "code=c&state=".into(),
        format!("code=c&state={state}&state={state}"),
        format!("code=c&state={state}&state={foreign}"),
        format!("code=c&state={state}x"),
        format!("code=c&STATE={state}"),
        "error=access_denied".into(),
    ];
    for query in strays {
        assert!(pending.judge(&query).is_none(), "{query} ended the flow");
    }
    let code = pending.judge(&format!("code=c&state={state}")).expect("ours").unwrap();
    assert_eq!(code, Secret::from(b"c".to_vec()), "after all strays the genuine one still counts");
    assert!(
        pending.judge(&format!("code=c&state={state}")).is_none(),
        "the same state a second time does not"
    );
}

#[tokio::test]
async fn o19_the_four_rows_of_who_says_it() {
    let iss = "https%3A%2F%2Fas.example";
    let rows = [(true, Some(iss), true), (true, None, false), (false, Some(iss), true), (false, None, true)];
    for (names_itself, sent, goes_on) in rows {
        let (pending, state) = pending(names_itself).await;
        let iss = sent.map(|iss| format!("&iss={iss}")).unwrap_or_default();
        let judged = pending.judge(&format!("code=c&state={state}{iss}")).expect("ours");
        assert_eq!(judged.is_ok(), goes_on, "advertised: {names_itself}, present: {}", sent.is_some());
    }
    for names_itself in [true, false] {
        let (pending, state) = pending(names_itself).await;
        let judged =
            pending.judge(&format!("code=c&state={state}&iss=https%3A%2F%2Fevil.example")).expect("ours");
        assert_eq!(
            judged.err(),
            Some(AnswerError::OtherIssuer),
            "another issuer, advertised: {names_itself}"
        );
    }
}

#[tokio::test]
async fn o20_the_issuer_is_compared_byte_for_byte() {
    for other in [
        "https://as.example/",
        "HTTPS://AS.EXAMPLE",
        "https://as.example:443",
        "https://as%252eexample",
        "http://as.example",
        "",
    ] {
        let (pending, state) = pending(true).await;
        let judged = pending.judge(&format!("code=c&state={state}&iss={other}")).expect("ours");
        assert_eq!(judged.err(), Some(AnswerError::OtherIssuer), "{other} passed");
    }
}

#[tokio::test]
async fn o21_an_error_from_another_issuer_is_not_shown() {
    let (pending, state) = pending(true).await;
    let judged = pending.judge(&format!(
        "error=access_denied&error_description=PHISH&state={state}&iss=https://evil.example"
    ));
    let error = judged.expect("ours").unwrap_err();
    assert!(!error.to_string().contains("PHISH"), "its words were shown: {error}");
}

#[tokio::test]
async fn o22_errors_are_mapped_and_their_words_cleaned() {
    let codes = [
        ("access_denied", ErrorCode::AccessDenied),
        ("invalid_request", ErrorCode::InvalidRequest),
        ("server_error", ErrorCode::ServerError),
        ("unauthorized_client", ErrorCode::UnauthorizedClient),
        ("unsupported_response_type", ErrorCode::UnsupportedResponseType),
        ("invalid_scope", ErrorCode::InvalidScope),
        ("temporarily_unavailable", ErrorCode::TemporarilyUnavailable),
        ("invalid_target", ErrorCode::InvalidTarget),
        ("login_required", ErrorCode::LoginRequired),
    ];
    for (sent, expected) in codes {
        let (pending, state) = pending(false).await;
        let judged = pending.judge(&format!("error={sent}&state={state}")).expect("ours");
        assert_eq!(judged.err(), Some(AnswerError::Refused { code: expected, description: None }), "{sent}");
    }
    let (pending, state) = pending(false).await;
    let words = format!("%3Cscript%3E%1b%5B31m%E2%80%AE{}", "x".repeat(1_000_000));
    let Some(Err(AnswerError::Refused { code: ErrorCode::Other(code), description: Some(words) })) =
        pending.judge(&format!("error=odd_one&error_description={words}&state={state}"))
    else {
        panic!("an unknown code is tolerated")
    };
    assert_eq!(code.as_str(), "odd_one", "and kept");
    assert!(words.as_str().chars().count() <= 241, "a megabyte is cut");
    assert!(
        !words.as_str().contains(['\u{1b}', '\u{202e}']),
        "nothing moves the cursor or turns the writing"
    );
}

#[tokio::test]
async fn o23_an_answer_is_a_code_or_an_error_never_both() {
    let long = "c".repeat(64 * 1024);
    let odd = [
        "code=c&error=access_denied",
        "code=",
        "",
        "error=",
        "code=&error=",
        &format!("code={long}"),
        "access_token=t&token_type=bearer",
    ];
    for query in odd {
        let (pending, state) = pending(false).await;
        let judged = pending.judge(&format!("{query}&state={state}")).expect("ours");
        assert_eq!(judged.err(), Some(AnswerError::Malformed), "{:?} passed", &query[..query.len().min(40)]);
    }
    let (pending, state) = pending(false).await;
    assert!(
        pending.judge(&format!("code=a&code=b&state={state}")).is_none(),
        "two codes are nobody's answer"
    );
}

#[tokio::test]
async fn o07_a_nonce_goes_with_openid_only() {
    let server = server("https://as.example/authorize");
    let with = begin_with(&server, "c", &ask(&["openid", "a"])).await.unwrap();
    assert_eq!(one(&with.url, "nonce").len(), 43, "with openid");
    let without = begin_with(&server, "c", &ask(&["a"])).await.unwrap();
    assert!(!without.url.contains("nonce="), "without it there is nobody to bind");
}

#[tokio::test]
async fn o70_a_client_of_another_issuer_begins_nothing() {
    let http: Arc<dyn Http> = Arc::new(Nobody);
    let client = Client::public(Issuer::parse("https://other.example", Reach::Public).unwrap(), "c").unwrap();
    let begun = Pending::begin(
        &http,
        &server("https://as.example/authorize"),
        &client,
        &ask(&[]),
        "http://127.0.0.1:1/",
        None,
        Timestamp(0),
    )
    .await;
    assert!(matches!(begun, Err(AskError::OtherIssuer)), "credentials are for one issuer");
}
