//! Pushed requests (RFC 9126): everything goes to the server directly, the browser carries a reference, and nothing falls
//! back silently.

use claviger_oauth::{Ask, AskError, Client, CodeFlow, Listener, Redirect};
use claviger_secret::ClientSecret;
use serde_json::{Value, json};
use url::Url;

use crate::support::script::{Reply, Script};
use crate::support::{NOW, ask, real_http, server_at};

async fn begin(
    reply: impl Fn() -> Reply + Send + Sync + 'static,
    ask: Ask,
) -> (Result<CodeFlow, AskError>, Script) {
    let script = Script::start(move |_| reply()).await;
    let mut server = server_at(&script.base);
    server.requires_pushed_requests = true;
    let client = Client::with_secret(&server, "cli ent", ClientSecret::from("s3cret".to_owned())).unwrap();
    let listener = Listener::bind(&Redirect::default()).await.unwrap();
    (CodeFlow::begin(real_http(), server, client, ask, listener, NOW).await, script)
}

fn taken(request_uri: Value) -> Reply {
    Reply::Json(201, json!({"request_uri": request_uri, "expires_in": 60}))
}

#[tokio::test]
async fn o15_the_request_is_pushed_whole_and_the_browser_carries_a_reference() {
    let mut ask = ask(&["openid", "a"]);
    ask.resources = vec!["https://a.example".into(), "https://b.example".into()];
    let (flow, script) = begin(|| taken("urn:ietf:params:oauth:request_uri:abc".into()), ask).await;
    let url = Url::parse(flow.unwrap().url()).unwrap();
    let carried: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let expected = [("client_id", "cli ent"), ("request_uri", "urn:ietf:params:oauth:request_uri:abc")];
    assert_eq!(
        carried,
        expected.map(|(n, v)| (n.to_owned(), v.to_owned())),
        "the browser carries these two only"
    );
    let sent = &script.seen_at("/par")[0];
    for name in [
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
    ] {
        assert!(!sent.field(name).is_empty(), "{name} is pushed");
    }
    assert_eq!(sent.field("code_challenge_method"), "S256", "as ever");
    assert_eq!(sent.fields("resource").len(), 2, "each resource");
    assert!(sent.header("authorization").is_some_and(|h| h.starts_with("Basic ")), "with the client's proof");
    assert!(sent.query.is_empty() && sent.fields("client_secret").is_empty(), "in one place");
}

#[tokio::test]
async fn o16_a_refused_push_is_said_and_nothing_goes_the_other_way() {
    let refusals: [fn() -> Reply; 5] = [
        || Reply::Json(400, json!({"error": "invalid_request", "error_description": "no \u{1b}[31mway"})),
        || Reply::With(500, vec![], vec![]),
        || Reply::With(302, vec!["location: /authorize".into()], vec![]),
        || Reply::HangUp,
        || Reply::Json(201, json!({})),
    ];
    for refusal in refusals {
        let (flow, script) = begin(refusal, ask(&["a"])).await;
        let Err(AskError::Push(error)) = flow else { panic!("the front channel was taken instead") };
        assert!(!error.to_string().contains('\u{1b}'), "its words are cleaned: {error}");
        assert_eq!(script.seen().len(), 1, "asked once");
    }
    for odd in [json!("a b"), json!(7), json!(""), json!("x".repeat(5000)), json!("a\nb")] {
        let (flow, _) = begin(move || taken(odd.clone()), ask(&["a"])).await;
        assert!(matches!(flow, Err(AskError::Push(_))), "an odd reference went to the browser");
    }
}
