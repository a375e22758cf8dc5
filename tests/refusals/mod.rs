//! Every way in which a request must be refused, through the real `serve` and raw sockets: the contract's code, one
//! entry of the record under the answer's tracking id, and no connection to the upstream.

/// How it is asked: hosts and browsers, heads that can be read two ways, paths, sizes.
mod head;
/// What is asked, and where it would go: rules, the credential's standing, the upstream's address.
mod rules;
/// Who asks: tokens, agents, grants, a locked vault.
mod who;

use std::net::SocketAddr;

use claviger_testkit::{Engine, FakeProvider, Home, Reply, eventually, send_raw};
use serde_json::json;

use crate::journeys::{BIN, Base, KEY};

/// A granted agent, a second one without a grant, and an upstream that must see nothing.
struct Scene {
    upstream: FakeProvider,
    home: Home,
    engine: Engine,
    token: String,
    base: Base,
}

impl Scene {
    fn new() -> Self {
        let upstream = FakeProvider::plain();
        let home = Home::with_vault(BIN);
        let engine = home.serve();
        let (token, base_url) = home.wire("local", &upstream.url(), "bearer", "open-ai", KEY);
        Self { upstream, home, engine, token, base: Base::of(&base_url) }
    }

    fn addr(&self) -> SocketAddr {
        self.engine.proxy
    }

    /// A request with exactly this head and body; `HOST`, `BASE` and `TOKEN` stand for the real ones.
    fn raw(&self, text: &str) -> Vec<u8> {
        text.replace("HOST", &self.base.host)
            .replace("BASE", &self.base.path)
            .replace("TOKEN", &self.token)
            .into_bytes()
    }

    /// Sends it and checks everything that a refusal promises.
    #[track_caller]
    fn refused(&self, what: &str, request: &[u8], status: u16, code: &str) -> Reply {
        let before = self.upstream.connections();
        let reply = send_raw(self.addr(), request);
        self.check(what, &reply, status, code);
        assert_eq!(self.upstream.connections(), before, "{what}: the upstream was connected to");
        reply
    }

    #[track_caller]
    fn check(&self, what: &str, reply: &Reply, status: u16, code: &str) {
        let raw = String::from_utf8_lossy(&reply.raw).into_owned();
        assert_eq!((reply.status, reply.header("x-claviger-error")), (status, Some(code)), "{what}: {raw}");
        let error = &reply.json()["error"];
        assert_eq!(error["code"], code, "{what}: {raw}");
        assert!(error["message"].as_str().is_some_and(|m| !m.is_empty()), "{what}: {raw}");
        assert!(!reply.headers.iter().any(|(name, _)| name.starts_with("access-control-")), "{what}: {raw}");
        assert!(!raw.contains(KEY) && !raw.contains(&self.token), "{what}: a secret in the answer: {raw}");
        let event = error["event"].as_str().unwrap_or_else(|| panic!("{what}: no tracking id: {raw}"));
        // Records of refusals are on their way for up to 10 ms.
        let entry = eventually(&format!("{what}: {event} is in the record"), || {
            let entries = self.home.json(&["audit", "list", "--event", event], "");
            entries.as_array().filter(|entries| !entries.is_empty()).cloned()
        });
        assert_eq!(entry.len(), 1, "{what}: {entry:?}");
        assert_eq!(
            (&entry[0]["result"], &entry[0]["code"]),
            (&json!("refused"), &json!(code)),
            "{what}: {entry:?}"
        );
        assert!(
            entry[0]["reason"].as_str().is_some_and(|r| !r.is_empty()),
            "{what}: the record says why: {entry:?}"
        );
    }

    /// The plain request that works.
    fn plain(&self, token: &str) -> Vec<u8> {
        self.raw(&format!("GET BASE/v1/models HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"))
    }

    #[track_caller]
    fn works(&self, token: &str) {
        let reply = send_raw(self.addr(), &self.plain(token));
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
}
