//! The proxy alone, with doors that do next to nothing: what its own part costs, for profilers and load generators.
//!
//! `cargo run --release -p claviger-proxy --example alone -- LISTEN_PORT UPSTREAM_PORT KEY TOKEN`; the base path is
//! `/g/abcdefghijklmnopqrstuvwxyz`. Must not be mistaken for Claviger: it opens no vault and writes no record.
#![allow(clippy::unwrap_used, reason = "a tool for developers")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use claviger_model::{
    AgentId, AuthScheme, BasePath, Completion, Credential, CredentialId, CredentialState, EventId, Grant,
    GrantId, Kind, Protocol, Refusal, Release, ServiceId, Timestamp, UsageShape,
};
use claviger_policy::GrantRules;
use claviger_proxy::ports::{
    AgentEntry, MaterialSource, MaterialUnavailable, Opened, Ports, RecordUnavailable, Recorder, ReleaseKey,
    Route, ServiceEntry, Snapshot, TokenRefusal, Tokens, World, Written,
};
use claviger_proxy::{Config, Proxy};
use claviger_secret::Material;
use tokio_util::sync::CancellationToken;

struct Doors {
    token: Vec<u8>,
    key: String,
    events: AtomicU64,
}

const AGENT: AgentId = AgentId::from_bytes([1; 16]);

impl Tokens for Doors {
    fn check(&self, token: &[u8], _: Timestamp) -> Result<AgentId, TokenRefusal> {
        if token == self.token {
            Ok(AGENT)
        } else {
            Err(TokenRefusal { reason: "unknown token", agent: None })
        }
    }
}

impl MaterialSource for Doors {
    fn open(&self, _: CredentialId) -> Result<Opened, MaterialUnavailable> {
        Ok(Material::key(self.key.clone()).into())
    }
}

impl Recorder for Doors {
    fn release(&self, _: Release) -> Result<Written, RecordUnavailable> {
        Ok(Written::Now)
    }

    fn complete(&self, _: &ReleaseKey, _: Completion) {}

    fn refuse(&self, _: Refusal) {}

    fn falls_short(&self, _: &ReleaseKey, _: &str) {}
}

impl World for Doors {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp(i64::try_from(since.as_millis()).unwrap())
    }

    fn event_id(&self) -> EventId {
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&self.events.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        EventId::from_bytes(bytes)
    }
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let port: u16 = args.next().unwrap().parse().unwrap();
    let upstream: u16 = args.next().unwrap().parse().unwrap();
    let key = args.next().unwrap();
    let token = args.next().unwrap().into_bytes();
    let doors = Arc::new(Doors { token, key, events: AtomicU64::new(0) });
    let ports =
        Ports { tokens: doors.clone(), material: doors.clone(), recorder: doors.clone(), world: doors };
    let (credential, service) = (CredentialId::from_bytes([2; 16]), ServiceId::from_bytes([3; 16]));
    let grant = Grant {
        id: GrantId::from_bytes([4; 16]),
        agent: AGENT,
        credential,
        base: BasePath("abcdefghijklmnopqrstuvwxyz".into()),
        methods: vec!["GET".into(), "POST".into()],
        paths: vec!["/v1/**".into()],
        rate: Some("1000000/s".parse().unwrap()),
        hours: None,
        created_at: Timestamp(0),
        expires_at: None,
    };
    let facts = Credential {
        id: credential,
        name: "key".into(),
        service,
        kind: Kind::ApiKey,
        fingerprint: String::new(),
        version: 1,
        state: CredentialState::Active,
        created_at: Timestamp(0),
        rotated_at: None,
        expires_at: None,
    };
    let entry = ServiceEntry {
        id: service,
        https: false,
        host: "127.0.0.1".into(),
        port: upstream,
        prefix: "".into(),
        auth: AuthScheme::Bearer,
        allow_private: true,
        ca_pem: None,
        encoded_slash: false,
        usage: Some(UsageShape::OpenAi),
        protocol: Protocol::Http,
    };
    let route = Route {
        rules: GrantRules::compile(&grant, &facts).unwrap(),
        credential,
        service: Arc::new(entry),
        cut: CancellationToken::new(),
    };
    let agent = AgentEntry { id: AGENT, paused: false, cut: CancellationToken::new() };
    let proxy = Proxy::new(Config::default(), ports).unwrap();
    proxy.install(Some(Arc::new(Snapshot {
        routes: HashMap::from([(grant.base.0.into(), Arc::new(route))]),
        agents: HashMap::from([(AGENT, Arc::new(agent))]),
    })));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    proxy.serve(listener, CancellationToken::new()).await;
}
