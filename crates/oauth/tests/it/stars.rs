//! The starred lines of the checklist at three servers of different make: oidc-provider (JavaScript), Glewlwyd (C) and
//! django-oauth-toolkit (Python).

use std::sync::Arc;

use claviger_model::Duration;
use claviger_oauth::http::Http;
use claviger_oauth::{
    Ask, Client, Clock as _, Connection, DeviceFlow, FlowError, Lifetime, MetadataError, Polled, Reach,
    Renewal, Revocation, Server, TokenError, TokenKeeper, TokenKind, client_credentials,
};
use claviger_secret::ClientSecret;
use url::Url;

use crate::support::sites::{Kind, ODD_SECRET, Site};
use crate::support::store::{Ears, Memory};
use crate::support::watch::{Sent, Watch};
use crate::support::{Wall, issuer, real_http};

/// A parameter of a URL, which stands there once.
#[track_caller]
fn parameter(url: &str, name: &str) -> String {
    let url = Url::parse(url).unwrap();
    let mut values: Vec<String> =
        url.query_pairs().filter(|(n, _)| n == name).map(|(_, v)| v.into_owned()).collect();
    assert_eq!(values.len(), 1, "{name} stands {} times in {url}", values.len());
    values.remove(0)
}

/// Secrets go by POST, in the body or the header, never in the URL.
fn check_place(sent: &Sent, kind: Kind) {
    assert!(sent.is_post && !sent.url.contains('?'), "{kind:?}: {sent:?}");
    let is_in_header = sent.header("authorization").is_some();
    let is_in_body = !sent.fields("client_secret").is_empty();
    assert!(!(is_in_header && is_in_body), "{kind:?}: the secret stands in one place: {sent:?}");
}

async fn connected(site: &Site, http: &Arc<dyn Http>, server: &Server) -> Connection {
    let connected = site.connect(http, server, site.ask()).await;
    connected.unwrap_or_else(|e| panic!("{:?}: {e}", site.kind))
}

fn keeper(connection: &Connection, watch: &Arc<Watch>) -> (Arc<TokenKeeper>, Memory) {
    let store = Memory::holding(connection);
    let copy = Connection::decode(&connection.encode()).unwrap();
    let watch: Arc<dyn Http> = Arc::<Watch>::clone(watch);
    (Arc::new(TokenKeeper::new(copy, watch, Arc::new(store.clone()), Arc::new(Ears::default()))), store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o03_o09_o10_o41_a_code_flow_at_three_servers() {
    for kind in Kind::STARRED {
        let (site, watch) = (kind.site(), Watch::new());
        let _turn = site.turn().await;
        let http: Arc<dyn Http> = Arc::<Watch>::clone(&watch);
        let server = site.server().await;
        let flow = site.begin(&http, &server, site.ask()).await.unwrap();
        assert_eq!(parameter(flow.url(), "code_challenge_method"), "S256", "{kind:?}: S256, never plain");
        assert_eq!(parameter(flow.url(), "code_challenge").len(), 43, "{kind:?}: a SHA-256");
        let redirect = parameter(flow.url(), "redirect_uri");
        assert_eq!(redirect, flow.redirect_uri(), "{kind:?}: the address that listens");
        let back = Url::parse(&redirect).unwrap();
        assert_eq!(back.host_str(), Some("127.0.0.1"), "{kind:?}: an address, no name");
        assert!(back.port().is_some_and(|p| p >= 1024) && back.fragment().is_none(), "{kind:?}: {redirect}");
        let connection = site.finish(flow).await.unwrap_or_else(|e| panic!("{kind:?}: {e}"));
        let sent = watch.take(server.token_endpoint.as_str());
        assert_eq!(sent.len(), 1, "{kind:?}: the code is redeemed once");
        assert_eq!(sent[0].field("redirect_uri"), redirect, "{kind:?}: the same redirect URI");
        assert_eq!(sent[0].field("code_verifier").len(), 43, "{kind:?}: the verifier");
        check_place(&sent[0], kind);
        assert_eq!(connection.facts.kind, TokenKind::Bearer, "{kind:?}: its type");
        assert!(matches!(connection.facts.lifetime, Lifetime::Stated(_)), "{kind:?}: its lifetime");

        // The same code with another verifier: refused, and not sent again.
        let probe = site.begin(&http, &server, site.ask()).await.unwrap().with_wrong_verifier();
        let refused = site.finish(probe).await;
        assert!(
            matches!(refused, Err(FlowError::Token(TokenError::Refused { .. } | TokenError::Status { .. }))),
            "{kind:?}: {refused:?}"
        );
        assert_eq!(watch.take(server.token_endpoint.as_str()).len(), 1, "{kind:?}: no second try");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o43_o46_64_callers_and_rotation_at_three_servers() {
    for kind in Kind::STARRED {
        let (site, watch) = (kind.site(), Watch::new());
        let _turn = site.turn().await;
        let server = site.server().await;
        let connection = connected(site, &real_http(), &server).await;
        assert_eq!(connection.facts.renewal, Renewal::Refresh, "{kind:?}: it can be renewed");
        let (keeper, store) = keeper(&connection, &watch);
        let mut last = None;
        for generation in 2..=4_u64 {
            let now = keeper.facts().expires_at().unwrap().after(Duration(1_000));
            let callers = (0..64).map(|_| {
                let keeper = Arc::clone(&keeper);
                tokio::spawn(async move { keeper.lease(now).await.map(|lease| lease.generation) })
            });
            for caller in futures_util::future::join_all(callers).await {
                let got =
                    caller.unwrap().unwrap_or_else(|e| panic!("{kind:?}, generation {generation}: {e}"));
                assert_eq!(got, generation, "{kind:?}: everybody has the new token");
            }
            let sent = watch.take(server.token_endpoint.as_str());
            assert_eq!(sent.len(), 1, "{kind:?}: 64 callers, one request");
            assert!(sent[0].fields("scope").is_empty(), "{kind:?}: no scope is asked for (RFC 6749 §6)");
            check_place(&sent[0], kind);
            let spent = sent[0].field("refresh_token").to_owned();
            assert_ne!(
                last.as_ref(),
                Some(&spent),
                "{kind:?}: it rotates, and the new one is what is sent next"
            );
            last = Some(spent);
            assert_eq!(store.stored().facts.generation, generation, "{kind:?}: and stored");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o60_o63_revocation_at_three_servers() {
    for kind in Kind::STARRED {
        let (site, watch) = (kind.site(), Watch::new());
        let _turn = site.turn().await;
        let http: Arc<dyn Http> = Arc::<Watch>::clone(&watch);
        let server = site.server().await;
        // Glewlwyd lets only clients with a secret give anything back.
        let connection = match kind {
            Kind::Glewlwyd => site.connect_with_secret(&real_http(), &server).await,
            _ => connected(site, &real_http(), &server).await,
        };
        let leaving = connection.begin_revocation(Wall.now());
        let done = leaving.revoke(&http, Wall.now()).await;
        let at = server.revocation_endpoint.as_ref().expect("it has the endpoint").as_str();
        let sent = watch.take(at);
        assert!(matches!(done, Revocation::Done), "{kind:?}: {done:?}");
        let (keeper, _) = keeper(&connection, &watch);
        let now = connection.facts.expires_at().unwrap().after(Duration(1_000));
        assert!(keeper.lease(now).await.is_err(), "{kind:?}: the refresh token is dead");
        let hints: Vec<&str> = sent.iter().map(|s| s.field("token_type_hint")).collect();
        assert_eq!(hints, ["refresh_token", "access_token"], "{kind:?}: the refresh token first");
        for request in &sent {
            assert!(!request.field("token").is_empty(), "{kind:?}: in the body");
            let is_proved = request.header("authorization").is_some_and(|h| h.starts_with("Basic "));
            let is_named = request.fields("client_id") == [connection.facts.client_id.as_str()];
            assert!(is_proved != is_named, "{kind:?}: as this client");
            check_place(request, kind);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o32_o59_client_credentials_at_three_servers() {
    for kind in Kind::STARRED {
        let (site, watch) = (kind.site(), Watch::new());
        let _turn = site.turn().await;
        let http: Arc<dyn Http> = Arc::<Watch>::clone(&watch);
        let server = site.server().await;
        for way in ["client_secret_basic", "client_secret_post"] {
            let client = site.service(&server, way);
            let done = client_credentials(&http, &server, client, &site.own_ask(), Wall.now()).await;
            let connection = done.unwrap_or_else(|e| panic!("{kind:?} by {way}: {e}"));
            assert_eq!(
                connection.facts.renewal,
                Renewal::ClientCredentials,
                "{kind:?}: no refresh token is kept"
            );
            let sent = watch.take(server.token_endpoint.as_str());
            assert_eq!(sent.len(), 1, "{kind:?}: asked once");
            let is_basic = sent[0].header("authorization").is_some_and(|h| h.starts_with("Basic "));
            assert_eq!(is_basic, way == "client_secret_basic", "{kind:?}: where it was told to put it");
            check_place(&sent[0], kind);
            let (keeper, _) = keeper(&connection, &watch);
            let now = connection.facts.expires_at().unwrap().after(Duration(1_000));
            let callers = (0..64).map(|_| keeper.lease(now));
            for lease in futures_util::future::join_all(callers).await {
                assert_eq!(lease.expect("asked for again").generation, 2, "{kind:?} by {way}");
            }
            assert_eq!(
                watch.take(server.token_endpoint.as_str()).len(),
                1,
                "{kind:?}: 64 callers, one request"
            );
        }
        let wrong = Client::with_secret(&server, "svc", ClientSecret::from("wrong".to_owned())).unwrap();
        let refused = client_credentials(&http, &server, wrong, &site.own_ask(), Wall.now()).await;
        assert!(
            matches!(refused, Err(FlowError::Token(TokenError::Refused { .. } | TokenError::Status { .. }))),
            "{kind:?}: {refused:?}"
        );
        let odd = Client::with_secret(&server, "svcodd", ClientSecret::from(ODD_SECRET.to_owned())).unwrap();
        let odd = client_credentials(&http, &server, odd, &site.own_ask(), Wall.now()).await;
        match (kind, odd) {
            (_, Ok(_)) => {}
            // It takes the header's text as it is. RFC 6749 §2.3.1 is with us; the matrix says so.
            (Kind::Glewlwyd, Err(FlowError::Token(TokenError::Status { status: 403, .. }))) => {}
            (_, other) => panic!("{kind:?}, a secret of odd characters: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o17_resources_at_three_servers() {
    for kind in Kind::STARRED {
        let (site, watch) = (kind.site(), Watch::new());
        let _turn = site.turn().await;
        let http: Arc<dyn Http> = Arc::<Watch>::clone(&watch);
        let server = site.server().await;
        let ask = Ask { resources: vec![site.resource()], ..site.ask() };
        let flow = site.begin(&http, &server, ask.clone()).await.unwrap();
        assert_eq!(parameter(flow.url(), "resource"), site.resource(), "{kind:?}: in the first request");
        let connection = site.finish(flow).await.unwrap_or_else(|e| panic!("{kind:?}: {e}"));
        let sent = watch.take(server.token_endpoint.as_str());
        assert_eq!(sent[0].field("resource"), site.resource(), "{kind:?}: in the second");
        assert_eq!(connection.facts.resources, ask.resources, "{kind:?}: kept");
        let (keeper, _) = keeper(&connection, &watch);
        let now = connection.facts.expires_at().unwrap().after(Duration(1_000));
        keeper.lease(now).await.unwrap_or_else(|e| panic!("{kind:?}, refreshed: {e}"));
        let sent = watch.take(server.token_endpoint.as_str());
        assert_eq!(sent[0].field("resource"), site.resource(), "{kind:?}: and in each refresh");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o64_metadata_at_three_servers() {
    for kind in Kind::STARRED {
        let site = kind.site();
        let _turn = site.turn().await;
        assert_eq!(site.discover().await.issuer, site.issuer, "{kind:?}: about exactly this issuer");
        for other in [format!("{}/", site.issuer), site.issuer.as_str().replace("127.0.0.1", "localhost")] {
            let found = Server::discover(&real_http(), &issuer(&other), Reach::Private).await;
            assert!(
                matches!(found, Err(MetadataError::OtherIssuer | MetadataError::NotPublished)),
                "{kind:?}: {other} counted as the issuer: {found:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o15_o75_pushed_and_bound_to_a_key_at_two_servers() {
    for kind in [Kind::OidcProvider, Kind::Glewlwyd] {
        let (site, watch) = (kind.site(), Watch::new());
        let _turn = site.turn().await;
        let http: Arc<dyn Http> = Arc::<Watch>::clone(&watch);
        let server = site.server().await;
        let flow = site.begin(&http, &server, Ask { pushed: true, dpop: true, ..site.ask() }).await;
        let flow = flow.unwrap_or_else(|e| panic!("{kind:?}: {e}"));
        assert!(
            !parameter(flow.url(), "request_uri").is_empty(),
            "{kind:?}: the browser carries a reference"
        );
        assert!(!flow.url().contains("code_challenge"), "{kind:?}: and nothing else");
        let connection = site.finish(flow).await.unwrap_or_else(|e| panic!("{kind:?}: {e}"));
        assert_eq!(connection.facts.kind, TokenKind::Dpop, "{kind:?}: bound to the key");
        let (keeper, _) = keeper(&connection, &watch);
        let now = connection.facts.expires_at().unwrap().after(Duration(1_000));
        // The proof carries the present moment, so the keeper is given that.
        let lease = keeper.lease(now).await.unwrap_or_else(|e| panic!("{kind:?}, refreshed: {e}"));
        assert_eq!(lease.kind(), TokenKind::Dpop, "{kind:?}: still bound");
        let proofs: Vec<String> = watch
            .take(server.token_endpoint.as_str())
            .iter()
            .filter_map(|s| s.header("dpop").map(str::to_owned))
            .collect();
        let mut fresh = proofs.clone();
        fresh.sort();
        fresh.dedup();
        assert!(
            proofs.len() >= 2 && fresh.len() == proofs.len(),
            "{kind:?}: each request has a proof of its own"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o52_the_device_flow_at_three_servers() {
    for kind in Kind::STARRED {
        let site = kind.site();
        let _turn = site.turn().await;
        let server = site.server().await;
        let client = site.device_client(&server).await;
        let mut now = Wall.now();
        let flow = DeviceFlow::begin(real_http(), server, client, site.own_ask(), now).await;
        let mut flow = flow.unwrap_or_else(|e| panic!("{kind:?}: {e}"));
        assert!(!flow.prompt.user_code.as_str().is_empty(), "{kind:?}: a code to type");
        let complete =
            flow.prompt.verification_uri_complete.clone().expect("and a place with the code in it");
        assert!(
            matches!(flow.poll(now.after(Duration(6_000))).await, Ok(Polled::Wait(_))),
            "{kind:?}: not yet"
        );
        let page = site.consent_elsewhere(complete.as_str()).await;
        let mut is_connected = false;
        for _ in 0..20 {
            tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
            now = now.after(Duration(20_000));
            match flow.poll(now).await {
                Ok(Polled::Connected(_)) => is_connected = true,
                Ok(Polled::Wait(_)) => continue,
                Err(error) => panic!("{kind:?}: {error}; its page: {page}"),
            }
            break;
        }
        assert!(is_connected, "{kind:?}: no tokens after consent; its page: {page}");
    }
}
