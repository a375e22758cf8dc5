//! What the tests stand on. Must not know what they prove.

pub(crate) mod browser;
pub(crate) mod process;
pub(crate) mod provider;
pub(crate) mod script;
pub(crate) mod sites;
pub(crate) mod store;
pub(crate) mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use claviger_model::Timestamp;
use claviger_oauth::http::{Client as HttpClient, Http};
use claviger_oauth::{Ask, Clock, Endpoint, Issuer, Reach, Server};

/// A moment well after every fixed time in here.
pub(crate) const NOW: Timestamp = Timestamp(1_795_000_000_000);

/// The real client, for servers on this machine.
pub(crate) fn real_http() -> Arc<dyn Http> {
    Arc::new(HttpClient::new().expect("the system has certificates"))
}

/// The real client with little patience.
pub(crate) fn hasty_http() -> Arc<dyn Http> {
    Arc::new(HttpClient::new().expect("the system has certificates").with_patience(Duration::from_secs(2)))
}

pub(crate) fn local(text: &str) -> Endpoint {
    Endpoint::parse(text, Reach::Private).expect("a local URL")
}

pub(crate) fn issuer(text: &str) -> Issuer {
    Issuer::parse(text, Reach::Private).expect("a local issuer")
}

pub(crate) fn ask(scopes: &[&str]) -> Ask {
    Ask { scopes: scopes.iter().map(|s| (*s).to_owned()).collect(), ..Ask::default() }
}

/// The wall clock.
pub(crate) struct Wall;

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        Timestamp(since.as_millis() as i64)
    }
}

/// A clock that is set by hand.
pub(crate) struct Hands(AtomicI64);

impl Hands {
    pub(crate) fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.0))
    }

    pub(crate) fn turn(&self, millis: i64) -> Timestamp {
        Timestamp(self.0.fetch_add(millis, Ordering::SeqCst) + millis)
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// A server whose every endpoint lies at one base URL.
pub(crate) fn server_at(base: &str) -> Server {
    let at = |path: &str| Some(local(&format!("{base}{path}")));
    let mut server =
        Server::described(issuer(base), Reach::Private, at("/authorize"), local(&format!("{base}/token")));
    server.code_challenge_methods = Some(vec!["S256".into()]);
    server.device_authorization_endpoint = at("/device");
    server.revocation_endpoint = at("/revoke");
    server.introspection_endpoint = at("/introspect");
    server.registration_endpoint = at("/register");
    server.pushed_authorization_request_endpoint = at("/par");
    server
}

/// Waits for a condition, ten seconds at most.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < deadline, "not within ten seconds: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
