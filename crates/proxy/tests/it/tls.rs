//! Upstreams behind TLS: only with a certificate that holds, over HTTP/2 where it is offered.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use claviger_model::{Outcome, RefusalCode};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::support::*;

const AUTH: &str = "authorization: Bearer @T\r\n";

/// A certificate authority's PEM and a server configuration with a certificate of it for this name.
fn certify(name: &str, alpn: &[&[u8]]) -> (String, rustls::ServerConfig) {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&ca_key).unwrap();
    let pem = ca.pem();
    let issuer = Issuer::new(params, ca_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    (pem, config)
}

fn wish(ca_pem: Option<String>) -> Wish {
    Wish { https: true, ca_pem, host: Some("localhost"), ..Wish::default() }
}

#[tokio::test]
async fn a_service_with_its_own_authority_is_reached_over_http_1() {
    let (pem, config) = certify("localhost", &[b"http/1.1"]);
    let upstream = Upstream::tls(Scene::json("{}"), config).await;
    let rig = Rig::new(&upstream, wish(Some(pem))).await;
    for _ in 0..3 {
        let reply = rig.request("POST", "/x", AUTH, "hi").await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    assert_eq!(upstream.connections(), 1, "one handshake for three requests");
    assert_eq!(upstream.seen()[0].headers("authorization"), [format!("Bearer {KEY}")], "the key arrived");
}

#[tokio::test]
async fn a_certificate_that_does_not_hold_gets_no_byte() {
    let (_, config) = certify("localhost", &[]);
    let (other_pem, _) = certify("localhost", &[]);
    let (named_pem, misnamed) = certify("other.example", &[]);
    let cases = [
        ("of another authority", Some(other_pem), config.clone()),
        ("for another name", Some(named_pem), misnamed),
        ("unknown to the system", None, config),
    ];
    for (what, pem, config) in cases {
        let upstream = Upstream::tls(Scene::json("{}"), config).await;
        let rig = Rig::new(&upstream, wish(pem)).await;
        let reply = rig.request("GET", "/x", AUTH, "").await;
        assert_eq!((reply.status, reply.code().as_str()), (502, "upstream_refused"), "{what}: {reply:?}");
        assert!(upstream.seen().is_empty(), "{what}: a request got through");
        let done = rig.doors.completions(1).await.remove(0);
        assert_eq!(done.outcome, Outcome::Failed(RefusalCode::UpstreamRefused), "{what}");
    }
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig = Rig::new(&upstream, wish(Some("no certificate".into()))).await;
    let reply = rig.request("GET", "/x", AUTH, "").await;
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (502, "upstream_refused"),
        "unreadable certificates: {reply:?}"
    );
    assert_eq!(upstream.connections(), 1, "dialled for TLS, which was then not begun");
}

/// An HTTP/2 upstream that remembers its requests.
struct H2 {
    port: u16,
    connections: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<(http::request::Parts, Bytes)>>>,
}

async fn h2(config: rustls::ServerConfig) -> H2 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (connections, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let upstream = H2 { port, connections: connections.clone(), seen: seen.clone() };
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::SeqCst);
            let (acceptor, seen) = (acceptor.clone(), seen.clone());
            tokio::spawn(async move {
                let Ok(socket) = acceptor.accept(socket).await else { return };
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let seen = seen.clone();
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.map(|b| b.to_bytes()).unwrap_or_default();
                        seen.lock().push((head, body.clone()));
                        Ok::<_, Infallible>(http::Response::new(Full::new(body)))
                    }
                });
                let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(socket), service)
                    .await;
            });
        }
    });
    upstream
}

#[tokio::test]
async fn an_upstream_that_offers_http_2_gets_all_requests_on_one_connection() {
    let (pem, config) = certify("localhost", &[b"h2", b"http/1.1"]);
    let upstream = h2(config).await;
    let unused = Upstream::new(Scene::Close).await;
    let rig = Rig::new(&unused, Wish { port: Some(upstream.port), ..wish(Some(pem)) }).await;
    assert_eq!(rig.request("POST", "/first?a=1", AUTH, "one").await.text(), "one", "first");
    let many = (0..16).map(|i| {
        let rig = &rig;
        async move { (i, rig.request("POST", "/many", AUTH, &format!("body {i}")).await) }
    });
    for (i, reply) in futures_util::future::join_all(many).await {
        assert_eq!((reply.status, reply.text()), (200, format!("body {i}")), "request {i}");
    }
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 1, "connections");
    let seen = upstream.seen.lock();
    assert_eq!(seen.len(), 17, "requests");
    let (head, body) = &seen[0];
    assert_eq!(head.uri.path_and_query().unwrap(), "/first?a=1", "path");
    assert_eq!(head.uri.authority().unwrap().as_str(), format!("localhost:{}", upstream.port), "authority");
    assert_eq!(head.headers["authorization"], format!("Bearer {KEY}"), "the key");
    assert!(!head.headers.contains_key("host"), "one name for the host is enough");
    assert_eq!(&body[..], b"one", "body");
}

#[tokio::test]
async fn locking_drops_the_connections_to_upstreams() {
    let upstream = Upstream::new(Scene::json("{}")).await;
    let rig = Rig::new(&upstream, Wish::default()).await;
    assert_eq!(rig.request("GET", "/x", AUTH, "").await.status, 200, "before");
    assert_eq!(upstream.open(), 1, "kept for the next request");
    rig.proxy.install(None);
    eventually("the idle connection closes", || upstream.open() == 0).await;
    rig.proxy.install(Some(rig.snapshot.clone()));
    assert_eq!(rig.request("GET", "/x", AUTH, "").await.status, 200, "after");
}
