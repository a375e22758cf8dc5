//! Proofs and assertions as they arrive at a server: fresh on each request, repeated at most once.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use claviger_oauth::{Ask, Client, ErrorCode, FlowError, SigningKey, TokenError, client_credentials};
use jsonwebtoken::dangerous::insecure_decode_claims;
use serde_json::{Value, json};

use crate::support::script::{Reply, Script, Seen, error};
use crate::support::{NOW, ask, real_http, server_at};

fn proof(seen: &Seen) -> Value {
    insecure_decode_claims(seen.header("dpop").expect("a proof")).unwrap()
}

async fn bound(
    reply: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static,
) -> (Result<(), FlowError>, Script) {
    let turn = AtomicUsize::new(0);
    let script = Script::start(move |seen| reply(turn.fetch_add(1, Ordering::SeqCst), seen)).await;
    let server = server_at(&script.base);
    let client = Client::public(server.issuer.clone(), "c").unwrap();
    let ask = Ask { dpop: true, ..ask(&[]) };
    (client_credentials(&real_http(), &server, client, &ask, NOW).await.map(|_| ()), script)
}

fn with_nonce(status: u16, nonce: &str, code: &str) -> Reply {
    let head = vec!["content-type: application/json".to_owned(), format!("dpop-nonce: {nonce}")];
    Reply::With(status, head, json!({ "error": code }).to_string().into_bytes())
}

fn given() -> Reply {
    Reply::Json(200, json!({"access_token": "t", "token_type": "DPoP", "expires_in": 60}))
}

#[tokio::test]
async fn o76_a_nonce_is_answered_once_and_a_server_that_keeps_asking_is_left() {
    let (result, script) =
        bound(|n, _| if n == 0 { with_nonce(400, "n1", "use_dpop_nonce") } else { given() }).await;
    result.expect("with the nonce");
    let sent = script.seen();
    assert_eq!(
        (sent.len(), proof(&sent[0]).get("nonce"), &proof(&sent[1])["nonce"]),
        (2, None, &"n1".into()),
        "one more try"
    );
    assert_ne!(proof(&sent[0])["jti"], proof(&sent[1])["jti"], "with a fresh proof");

    let turn = Arc::new(AtomicUsize::new(0));
    let (result, script) = bound(move |_, _| {
        with_nonce(400, &format!("n{}", turn.fetch_add(1, Ordering::SeqCst)), "use_dpop_nonce")
    })
    .await;
    assert!(
        matches!(result, Err(FlowError::Token(TokenError::Refused { code: ErrorCode::UseDpopNonce, .. }))),
        "{result:?}"
    );
    assert_eq!(script.seen().len(), 2, "no loop");
    let (_, script) = bound(|_, _| error(400, "use_dpop_nonce")).await;
    assert_eq!(script.seen().len(), 1, "without a nonce there is nothing to try");
}

#[tokio::test]
async fn o78_a_clock_that_differs_is_learned_once() {
    let dated = |_: usize, _: &Seen| {
        let head = vec![
            "content-type: application/json".to_owned(),
            "date: Wed, 18 Nov 2026 12:06:40 GMT".to_owned(),
        ];
        Reply::With(400, head, br#"{"error":"invalid_dpop_proof"}"#.to_vec())
    };
    let (result, script) = bound(move |n, seen| if n == 0 { dated(n, seen) } else { given() }).await;
    result.expect("by the server's clock");
    let sent = script.seen();
    assert_eq!(proof(&sent[0])["iat"], NOW.0 / 1000, "by ours at first");
    assert_ne!(proof(&sent[1])["iat"], proof(&sent[0])["iat"], "then by the server's");
    let (result, script) = bound(dated).await;
    assert!(result.is_err() && script.seen().len() == 2, "one more try, no loop: {result:?}");
}

#[tokio::test]
async fn o33_each_assertion_is_fresh_and_nothing_else_proves_the_client() {
    let script =
        Script::start(|_| Reply::Json(200, json!({"access_token": "t", "token_type": "Bearer"}))).await;
    let server = server_at(&script.base);
    for _ in 0..5 {
        let key = SigningKey::make().unwrap();
        let client = Client::with_key(server.issuer.clone(), "svc", key).unwrap();
        client_credentials(&real_http(), &server, client, &ask(&[]), NOW).await.unwrap();
    }
    let mut ids = HashSet::new();
    for seen in script.seen() {
        assert_eq!(
            seen.field("client_assertion_type"),
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "RFC 7523"
        );
        let claims: Value = insecure_decode_claims(seen.field("client_assertion")).unwrap();
        assert_eq!(claims["aud"], script.base.as_str(), "for this issuer");
        assert!(ids.insert(claims["jti"].to_string()), "a jti came twice");
        assert!(
            seen.header("authorization").is_none() && seen.fields("client_secret").is_empty(),
            "one way, never two"
        );
    }
}
