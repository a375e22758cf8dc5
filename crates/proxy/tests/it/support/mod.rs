//! What the tests stand on. Must not know what is tested.

mod client;
mod doors;
mod upstream;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use claviger_model::{
    AgentId, AuthScheme, BasePath, Credential, CredentialId, CredentialState, Grant, GrantId, Kind, Protocol,
    ServiceId, Timestamp, UsageShape,
};
use claviger_policy::GrantRules;
use claviger_proxy::ports::{AgentEntry, Ports, Route, ServiceEntry, Snapshot};
use claviger_proxy::{Config, Proxy};
use claviger_secret::Material;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) use client::{Agent, Reply};
pub(crate) use doors::{Doors, NOW};
pub(crate) use upstream::{Scene, Upstream};

pub(crate) const TOKEN: &str = "tok-agent-one-0123456789abcdef0123456789abcdef";
pub(crate) const OTHER_TOKEN: &str = "tok-agent-two-0123456789abcdef0123456789abcdef";
pub(crate) const BASE: &str = "abcdefghijklmnopqrstuvwxyz";
pub(crate) const OTHER_BASE: &str = "zyxwvutsrqponmlkjihgfedcba";
pub(crate) const KEY: &str = "sk-real-key-canary-7f3a";
pub(crate) const AGENT: AgentId = AgentId::from_bytes([1; 16]);
pub(crate) const OTHER_AGENT: AgentId = AgentId::from_bytes([2; 16]);
pub(crate) const GRANT: GrantId = GrantId::from_bytes([3; 16]);
pub(crate) const CREDENTIAL: CredentialId = CredentialId::from_bytes([4; 16]);
pub(crate) const SERVICE: ServiceId = ServiceId::from_bytes([5; 16]);

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a test wants otherwise than usual.
pub(crate) struct Wish {
    pub(crate) auth: AuthScheme,
    pub(crate) material: fn() -> Material,
    pub(crate) prefix: &'static str,
    pub(crate) host: Option<&'static str>,
    pub(crate) port: Option<u16>,
    pub(crate) https: bool,
    pub(crate) ca_pem: Option<String>,
    pub(crate) allow_private: bool,
    pub(crate) encoded_slash: bool,
    pub(crate) usage: Option<UsageShape>,
    pub(crate) protocol: Protocol,
    pub(crate) config: Config,
    pub(crate) grant: fn(&mut Grant),
    pub(crate) credential: fn(&mut Credential),
    pub(crate) is_locked: bool,
    pub(crate) paused: bool,
}

/// A running proxy with one agent, one grant and one upstream.
pub(crate) struct Rig {
    pub(crate) proxy: Proxy,
    pub(crate) address: SocketAddr,
    pub(crate) doors: Doors,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) stop: CancellationToken,
    pub(crate) serving: tokio::task::JoinHandle<()>,
}

// === impl Wish ===

impl Default for Wish {
    fn default() -> Self {
        Self {
            auth: AuthScheme::Bearer,
            material: || Material::key(KEY.to_owned()),
            prefix: "",
            host: None,
            port: None,
            https: false,
            ca_pem: None,
            allow_private: true,
            encoded_slash: false,
            usage: None,
            protocol: Protocol::Http,
            config: Config::default(),
            grant: |_| {},
            credential: |_| {},
            is_locked: false,
            paused: false,
        }
    }
}

// === impl Rig ===

impl Rig {
    pub(crate) async fn new(upstream: &Upstream, wish: Wish) -> Self {
        let doors = Doors::new(wish.material);
        let mut grant = Grant {
            id: GRANT,
            agent: AGENT,
            credential: CREDENTIAL,
            base: BasePath(BASE.into()),
            methods: vec![],
            paths: vec![],
            rate: None,
            hours: None,
            created_at: Timestamp(0),
            expires_at: None,
        };
        (wish.grant)(&mut grant);
        let mut credential = Credential {
            id: CREDENTIAL,
            name: "key".into(),
            service: SERVICE,
            kind: Kind::ApiKey,
            fingerprint: String::new(),
            version: 1,
            state: CredentialState::Active,
            created_at: Timestamp(0),
            rotated_at: None,
            expires_at: None,
        };
        (wish.credential)(&mut credential);
        let service = Arc::new(ServiceEntry {
            id: SERVICE,
            https: wish.https,
            host: wish.host.unwrap_or("127.0.0.1").into(),
            port: wish.port.unwrap_or(upstream.port()),
            prefix: wish.prefix.into(),
            auth: wish.auth,
            allow_private: wish.allow_private,
            ca_pem: wish.ca_pem.map(Into::into),
            encoded_slash: wish.encoded_slash,
            usage: wish.usage,
            protocol: wish.protocol,
        });
        let agent = |id, paused| (id, Arc::new(AgentEntry { id, paused, cut: CancellationToken::new() }));
        let route = |rules| {
            Arc::new(Route {
                rules,
                credential: CREDENTIAL,
                service: service.clone(),
                cut: CancellationToken::new(),
            })
        };
        let mut other = grant.clone();
        other.id = GrantId::from_bytes([9; 16]);
        other.agent = OTHER_AGENT;
        let snapshot = Arc::new(Snapshot {
            routes: HashMap::from([
                (BASE.into(), route(GrantRules::compile(&grant, &credential).unwrap())),
                (OTHER_BASE.into(), route(GrantRules::compile(&other, &credential).unwrap())),
            ]),
            agents: HashMap::from([agent(AGENT, wish.paused), agent(OTHER_AGENT, false)]),
        });
        let ports = Ports {
            tokens: Arc::new(doors.clone()),
            material: Arc::new(doors.clone()),
            recorder: Arc::new(doors.clone()),
            world: Arc::new(doors.clone()),
        };
        let proxy = Proxy::new(wish.config, ports).unwrap();
        if !wish.is_locked {
            proxy.install(Some(snapshot.clone()));
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn({
            let (proxy, stop) = (proxy.clone(), stop.clone());
            async move { proxy.serve(listener, stop).await }
        });
        Self { proxy, address, doors, snapshot, stop, serving }
    }

    pub(crate) async fn agent(&self) -> Agent {
        Agent::connect(self.address).await
    }

    /// Fills in `@H` (our host), `@B` (the grant's base path), `@T` (the agent's token).
    pub(crate) fn fill(&self, text: &str) -> String {
        text.replace("@H", &self.address.to_string())
            .replace("@B", &format!("/g/{BASE}"))
            .replace("@T", TOKEN)
    }

    /// One request on a connection of its own, and its answer.
    pub(crate) async fn ask(&self, text: &str) -> Reply {
        let mut agent = self.agent().await;
        agent.send(self.fill(text).as_bytes()).await;
        agent.reply().await
    }

    /// A well-formed request with these header lines and this body.
    pub(crate) async fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> Reply {
        let length =
            if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        self.ask(&format!("{method} @B{path} HTTP/1.1\r\nhost: @H\r\n{headers}{length}\r\n{body}")).await
    }
}

/// Waits until `ready`, or fails with what was awaited.
pub(crate) async fn eventually(what: &str, mut ready: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !ready() {
        assert!(tokio::time::Instant::now() < deadline, "never came about: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
