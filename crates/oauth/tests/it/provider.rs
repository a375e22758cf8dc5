//! Every flow against a certified server (oidc-provider).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use claviger_model::Duration;
use claviger_oauth::{
    Ask, Client, CodeFlow, Connection, DeviceFlow, ErrorCode, FlowError, Lifetime, Listener, Redirect,
    Registration, Renewal, Revocation, Server, SigningKey, TokenError, TokenKeeper, TokenKind,
    client_credentials,
};
use claviger_secret::ClientSecret;
use tokio_util::sync::CancellationToken;

use crate::support::browser::Walker;
use crate::support::provider::{Provider, SECRET};
use crate::support::store::{Ears, Memory};
use crate::support::{Wall, ask, real_http};
use claviger_oauth::Clock as _;

fn full() -> Ask {
    Ask { extra: vec![("prompt".into(), "consent".into())], ..ask(&["openid", "offline_access", "api:read"]) }
}

fn fixed() -> Redirect {
    Redirect { path: Some("/callback".into()), ..Redirect::default() }
}

fn native(server: &Server) -> Client {
    Client::public(server.issuer.clone(), "native").unwrap()
}

async fn begin(server: &Server, client: Client, ask: Ask, redirect: &Redirect) -> CodeFlow {
    let listener = Listener::bind(redirect).await.unwrap();
    CodeFlow::begin(real_http(), server.clone(), client, ask, listener, Wall.now()).await.unwrap()
}

/// The whole consent, with a willing user.
async fn consent(flow: CodeFlow) -> Result<Connection, FlowError> {
    let url = flow.url().to_owned();
    let never = CancellationToken::new();
    let browse = async {
        let page = Walker::new().consent(&url).await;
        assert!(page.contains("Claviger has the answer"), "the user is told: {page}");
    };
    let (connected, ()) = tokio::join!(flow.wait(&Wall, &never), browse);
    connected
}

#[tokio::test]
async fn o03_o09_o10_o19_o64_code_flow() {
    let provider = Provider::start(&[]);
    let server = provider.discover().await;
    assert!(server.says_s256() && server.names_itself, "it says what it does");
    for over_ipv6 in [false, true] {
        let redirect = Redirect { over_ipv6, ..fixed() };
        let flow = begin(&server, native(&server), full(), &redirect).await;
        let host = if over_ipv6 { "http://[::1]:" } else { "http://127.0.0.1:" };
        assert!(flow.redirect_uri().starts_with(host), "{} is no loopback address", flow.redirect_uri());
        let connection = consent(flow).await.expect("consented");
        let facts = &connection.facts;
        assert_eq!(facts.kind, TokenKind::Bearer, "its type");
        assert_eq!(facts.renewal, Renewal::Refresh, "it can be renewed");
        assert_eq!(facts.lifetime, Lifetime::Stated(Duration(120_000)), "its lifetime");
        assert!(facts.granted.contains(&"api:read".to_owned()), "granted: {:?}", facts.granted);
        let account = facts.account.as_ref().expect("the id token was checked and read");
        assert_eq!(
            (account.subject.as_str(), account.name.as_ref().map(|n| n.as_str())),
            ("alice", Some("Alice Example")),
            "whose it is"
        );
        let known = connection.introspect(&real_http(), Wall.now()).await;
        assert!(known.is_ok(), "introspection is answered: {known:?}");
    }
}

#[tokio::test]
async fn o05_a_server_that_looks_at_pkce_refuses_a_wrong_verifier() {
    let provider = Provider::start(&[]);
    let server = provider.discover().await;
    let flow = begin(&server, native(&server), full(), &fixed()).await.with_wrong_verifier();
    let Err(FlowError::Token(TokenError::Refused { code, .. })) = consent(flow).await else {
        panic!("PKCE is ignored")
    };
    assert_eq!(code, ErrorCode::InvalidGrant, "the probe finds PKCE enforced");
}

#[tokio::test]
async fn o15_pushed_requests() {
    let provider = Provider::start(&[("REQUIRE_PAR", "1")]);
    let server = provider.discover().await;
    assert!(server.requires_pushed_requests, "it says that it requires them");
    let flow = begin(&server, native(&server), full(), &fixed()).await;
    assert!(
        !flow.url().contains("code_challenge") && flow.url().contains("request_uri="),
        "the browser carries a reference only"
    );
    consent(flow).await.expect("consented");
}

#[tokio::test]
async fn o17_resource_indicators_and_a_wrong_target() {
    let provider = Provider::start(&[]);
    let server = provider.discover().await;
    let mut ask = full();
    ask.resources = vec![format!("{}/other", server.issuer)];
    let connection = consent(begin(&server, native(&server), ask.clone(), &fixed()).await)
        .await
        .expect("a resource of its own");
    assert_eq!(connection.facts.resources, ask.resources, "kept, so that a refresh names it again");
    ask.resources = vec!["https://elsewhere.example/".into()];
    let refused = consent(begin(&server, native(&server), ask, &fixed()).await).await;
    let Err(FlowError::Answer(error)) = refused else { panic!("a foreign resource gave tokens") };
    assert!(error.to_string().contains("invalid_target"), "said as it is: {error}");
}

#[tokio::test]
async fn o43_o46_refresh_rotates_and_only_one_of_64_callers_asks() {
    let provider = Provider::start(&[("AT_TTL", "60")]);
    let server = provider.discover().await;
    let connection = consent(begin(&server, native(&server), full(), &fixed()).await).await.unwrap();
    let (store, ears) = (Memory::holding(&connection), Arc::new(Ears::default()));
    let keeper = Arc::new(TokenKeeper::new(
        connection,
        real_http(),
        Arc::new(store.clone()),
        Arc::<Ears>::clone(&ears),
    ));
    let mut now = Wall.now();
    for round in 1..=3_u32 {
        now = now.after(Duration(120_000));
        let callers = (0..64).map(|_| {
            let keeper = Arc::clone(&keeper);
            tokio::spawn(async move { keeper.lease(now).await.expect("renewed").generation })
        });
        let generations: Vec<u64> =
            futures_util::future::join_all(callers).await.into_iter().map(|g| g.unwrap()).collect();
        assert!(generations.iter().all(|g| *g == u64::from(round) + 1), "round {round}: {generations:?}");
        assert_eq!(
            ears.renewed.load(Ordering::SeqCst),
            round,
            "one renewal a round, with reuse protection at the server"
        );
        assert_eq!(store.stored().facts.generation, u64::from(round) + 1, "and stored");
    }
}

#[tokio::test]
async fn o45_a_reused_refresh_token_breaks_the_connection_once() {
    let provider = Provider::start(&[]);
    let server = provider.discover().await;
    let connection = consent(begin(&server, native(&server), full(), &fixed()).await).await.unwrap();
    let stolen = Connection::decode(&connection.encode()).unwrap();
    let later = Wall.now().after(Duration(600_000));
    let keep = |connection: Connection, ears: &Arc<Ears>| {
        let store = Memory::holding(&connection);
        (TokenKeeper::new(connection, real_http(), Arc::new(store.clone()), Arc::<Ears>::clone(ears)), store)
    };
    let (ears, thief_ears) = (Arc::new(Ears::default()), Arc::new(Ears::default()));
    let (thief, _) = keep(stolen, &thief_ears);
    thief.lease(later).await.expect("whoever is first gets tokens");
    let (owner, store) = keep(connection, &ears);
    for _ in 0..5 {
        assert!(owner.lease(later).await.is_err(), "a spent refresh token gives nothing");
    }
    assert_eq!(ears.broke.load(Ordering::SeqCst), 1, "said once");
    assert!(matches!(store.stored().facts.standing, claviger_oauth::Standing::Broken { .. }), "and stored");
}

#[tokio::test]
async fn o52_device_flow() {
    let provider = Provider::start(&[]);
    let server = provider.discover().await;
    let client = native(&server);
    let mut flow = DeviceFlow::begin(real_http(), server, client, ask(&["openid", "api:read"]), Wall.now())
        .await
        .unwrap();
    let start = Wall.now();
    assert!(!flow.prompt.user_code.as_str().is_empty(), "a code to type");
    let complete = flow.prompt.verification_uri_complete.clone().expect("and a place with the code in it");
    let early = flow.poll(start.after(Duration(6_000))).await.unwrap();
    assert!(matches!(early, claviger_oauth::Polled::Wait(_)), "nobody consented yet");
    let page = Walker::new().consent(complete.as_str()).await;
    assert!(
        page.contains("Success") || page.contains("success") || page.contains("Continue on your device"),
        "consented: {page}"
    );
    let polled = flow.poll(start.after(Duration(12_000))).await.unwrap();
    let claviger_oauth::Polled::Connected(connection) = polled else { panic!("no tokens after consent") };
    assert_eq!(connection.facts.account.as_ref().map(|a| a.subject.as_str()), Some("alice"), "whose it is");
}

#[tokio::test]
async fn o32_o33_o59_client_credentials_by_every_way_of_authentication() {
    let key = SigningKey::make().unwrap();
    let jwk = serde_json::to_string(&key.public().unwrap()).unwrap();
    let provider = Provider::start(&[("CLIENT_JWK", &jwk)]);
    let server = provider.discover().await;
    let secret = |text: &str| ClientSecret::from(text.to_owned());
    let mut post_only = server.clone();
    post_only.client_authentication = Some(vec!["client_secret_post".into()]);
    let clients = [
        Client::with_secret(&server, "svc", secret(SECRET)).unwrap(),
        Client::with_secret(&post_only, "svcpost", secret(SECRET)).unwrap(),
        Client::with_secret(&server, "svcodd", secret("p:%+&= /x~s3cret-0123456789abcdef")).unwrap(),
        Client::with_key(server.issuer.clone(), "svcjwt", key).unwrap(),
    ];
    for client in clients {
        let id = client.id.clone();
        let connection =
            client_credentials(&real_http(), &server, client, &ask(&["api:read"]), Wall.now()).await;
        let connection = connection.unwrap_or_else(|e| panic!("{id}: {e}"));
        assert_eq!(connection.facts.renewal, Renewal::ClientCredentials, "{id}: renewed by asking again");
        let known = connection.introspect(&real_http(), Wall.now()).await.unwrap().unwrap();
        assert!(known.is_active, "{id}: the server knows the token");
    }
    let wrong = Client::with_secret(&server, "svc", secret("wrong")).unwrap();
    let refused = client_credentials(&real_http(), &server, wrong, &ask(&[]), Wall.now()).await;
    assert!(
        matches!(refused, Err(FlowError::Token(TokenError::Refused { code: ErrorCode::InvalidClient, .. }))),
        "{refused:?}"
    );
    let former = claviger_oauth::ClientAuthentication::Basic(secret(SECRET));
    let overlapping =
        Client::with_secret(&server, "svc", secret("not-there-yet")).unwrap().with_former(former);
    client_credentials(&real_http(), &server, overlapping, &ask(&["api:read"]), Wall.now())
        .await
        .expect("two secrets overlap");
}

#[tokio::test]
async fn o60_o63_revocation_ends_both_tokens() {
    let provider = Provider::start(&[]);
    let server = provider.discover().await;
    let connection = consent(begin(&server, native(&server), full(), &fixed()).await).await.unwrap();
    let leaving = connection.begin_revocation(Wall.now());
    assert!(
        matches!(leaving.revoke(&real_http(), Wall.now()).await, Revocation::Done),
        "the server confirms"
    );
    assert!(
        matches!(leaving.revoke(&real_http(), Wall.now()).await, Revocation::Done),
        "an unknown token is revoked as well"
    );
    let store = Memory::holding(&connection);
    let keeper = TokenKeeper::new(connection, real_http(), Arc::new(store), Arc::new(Ears::default()));
    assert!(keeper.lease(Wall.now().after(Duration(600_000))).await.is_err(), "the refresh token is dead");
}

#[tokio::test]
async fn o70_dynamic_registration_and_consent_with_it() {
    let provider = Provider::start(&[]);
    let server = provider.discover().await;
    let listener = Listener::bind(&Redirect::default()).await.unwrap();
    let registration = Registration::for_code_flow("Claviger", listener.redirect_uri(), &[]);
    let registered = registration.send(&real_http(), &server, None).await.expect("registered");
    assert!(registered.management.is_some(), "with a token to manage it by");
    let flow =
        CodeFlow::begin(real_http(), server, registered.client, full(), listener, Wall.now()).await.unwrap();
    consent(flow).await.expect("consented on a random path of our own");
}

#[tokio::test]
async fn o75_o76_o77_dpop_with_and_without_a_nonce() {
    for nonce in ["0", "1"] {
        let provider = Provider::start(&[("DPOP_NONCE", nonce), ("AT_TTL", "60")]);
        let server = provider.discover().await;
        assert!(server.dpop_algorithms.iter().any(|a| a == "ES256"), "it offers DPoP");
        let ask = Ask { dpop: true, ..full() };
        let connection =
            consent(begin(&server, native(&server), ask, &fixed()).await).await.expect("bound tokens");
        assert_eq!(connection.facts.kind, TokenKind::Dpop, "their type");
        let store = Memory::holding(&connection);
        let keeper = TokenKeeper::new(connection, real_http(), Arc::new(store), Arc::new(Ears::default()));
        let lease = keeper.lease(Wall.now().after(Duration(61_000))).await;
        // The proof is dated a minute ahead, as the clock of this test is; the server takes that or says why not.
        let lease = lease.expect("renewed with the same key");
        assert_eq!((lease.generation, lease.kind()), (2, TokenKind::Dpop), "nonce {nonce}");
    }
}
