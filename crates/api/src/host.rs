//! A running engine with everything around it: the proxy's listener, the control socket, the clock's ticks.
//!
//! Must not know who shows it: the window and `serve` both stand on this.

use std::sync::Arc;
use std::time::Duration;

use claviger_engine::{Change, Engine, EngineError, Options, UnlockBy};
use claviger_platform::{Dirs, Keychain};
use claviger_secret::Passphrase;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::desk::{Answerer, Counter};
use crate::dispatch::dispatch;
use crate::schema::{ApiError, Code, Tag, Verb};
use crate::socket;

/// Ports from which an installation draws its own.
const PORTS: std::ops::Range<u16> = 20_000..60_000;
/// How often activity is told and the idle lock is looked at.
const TICK: Duration = Duration::from_millis(100);

/// The log's head is noted in the vault every so many ticks.
const HEAD_TICKS: u64 = 50;

/// How a host is started.
pub struct HostOptions {
    /// Port of the proxy; `None` means the installation's own, 0 any free one.
    pub port: Option<u16>,
    /// Lock after the idle time of the settings.
    pub lock_when_idle: bool,
    /// The system keychain.
    pub keychain: Arc<dyn Keychain>,
    /// Answers what agents ask of Claviger itself, on the proxy's port; without it nobody does.
    pub answerer: Option<Answerer>,
}

/// A running engine. Clones share it.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    port: u16,
    tags: broadcast::Sender<Tag>,
    stop: CancellationToken,
    tasks: parking_lot::Mutex<Vec<JoinHandle<()>>>,
}

// === impl HostOptions ===

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            port: None,
            lock_when_idle: true,
            keychain: claviger_platform::system_keychain(),
            answerer: None,
        }
    }
}

// === impl Host ===

impl Host {
    /// Starts the engine, the proxy and the control socket.
    pub async fn start(dirs: Dirs, options: HostOptions) -> Result<Self, ApiError> {
        let HostOptions { port, lock_when_idle, keychain, answerer } = options;
        let socket_path = dirs.control_socket();
        let start = Options { dirs: dirs.clone(), keychain, proxy: claviger_engine::proxy_defaults() };
        let engine = blocking(move || Engine::start(start).map_err(ApiError::from)).await?;
        let listener = listen(&engine, port).await?;
        let local = listener
            .local_addr()
            .map_err(|source| EngineError::Io { what: "asking for the port", source })?;
        engine.listens_on(local.port());
        let stop = CancellationToken::new();
        let control = socket::bind(&socket_path).await?;
        let (tags, _) = broadcast::channel(64);
        let inner = Inner {
            engine: engine.clone(),
            port: local.port(),
            tags: tags.clone(),
            stop: stop.clone(),
            tasks: parking_lot::Mutex::new(Vec::new()),
        };
        let host = Self { inner: Arc::new(inner) };
        let proxy = engine.proxy();
        if let Some(answerer) = answerer {
            proxy.answer_agents(Some(Arc::new(Counter { engine: engine.clone(), answerer })));
        }
        let tasks = vec![
            tokio::spawn({
                let stop = stop.clone();
                async move { proxy.serve(listener, stop).await }
            }),
            tokio::spawn(socket::serve(control, socket_path, host.clone(), stop.clone())),
            tokio::spawn(tell(engine.changes(), tags, stop.clone())),
            tokio::spawn(tick(engine, lock_when_idle, stop)),
        ];
        host.inner.tasks.lock().extend(tasks);
        Ok(host)
    }

    /// The proxy's port.
    pub fn port(&self) -> u16 {
        self.inner.port
    }

    /// Carries out one call.
    pub async fn call(&self, verb: Verb, name: &str, params: Value) -> Result<Value, ApiError> {
        // What a window asks for by itself while it stands open is no use of the vault.
        let asked_by_itself = name.ends_with(".list")
            || matches!(
                name,
                "vault.status"
                    | "usage.overview"
                    | "settings.show"
                    | "oauth.targets"
                    | "oauth.flows"
                    | "oauth.flow"
                    | "oauth.status"
            );
        if !asked_by_itself {
            self.inner.engine.note_use();
        }
        let (engine, name) = (self.inner.engine.clone(), name.to_owned());
        blocking(move || dispatch(&engine, verb, &name, params)).await
    }

    /// Unlocks by password.
    pub async fn unlock(&self, password: Passphrase) -> Result<(), ApiError> {
        let engine = self.inner.engine.clone();
        blocking(move || Ok(engine.unlock(UnlockBy::Password(password), false).map(|_| ())?)).await
    }

    /// What changes from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Tag> {
        self.inner.tags.subscribe()
    }

    /// Drains the proxy, locks the vault and ends. Safe to call twice.
    pub async fn stop(&self) -> Result<(), ApiError> {
        self.inner.stop.cancel();
        let tasks = std::mem::take(&mut *self.inner.tasks.lock());
        for task in tasks {
            // A task that panicked has ended, too.
            let _ = task.await;
        }
        let engine = self.inner.engine.clone();
        // The proxy holds the engine by it, as the engine holds the proxy.
        engine.proxy().answer_agents(None);
        blocking(move || engine.lock().map_err(ApiError::from)).await
    }
}

/// Runs blocking work beside the runtime.
pub(crate) async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, ApiError> + Send + 'static,
) -> Result<R, ApiError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        Err(ApiError::new(
            Code::Unexpected,
            "the operation broke off",
            "the log on stderr says where; please report it",
        ))
    })
}

/// Binds the proxy's port on the loopback address alone. The installation's own port is drawn once and kept, so that
/// a squatter can be noticed and base URLs stay valid.
async fn listen(engine: &Engine, asked: Option<u16>) -> Result<TcpListener, ApiError> {
    let mut settings = engine.settings();
    let wanted = asked.unwrap_or(settings.port);
    if asked.is_some() || wanted != 0 {
        return bind(wanted).await.map_err(|why| {
            let hint = if asked.is_some() {
                "stop the program that has it, or take another with --port"
            } else {
                "another program has this installation's port: find it before agents send it their tokens \
                 (ss -ltnp), or set a new port in the settings and give agents their new base URLs"
            };
            ApiError::new(
                Code::Unavailable,
                format!("the proxy cannot listen on 127.0.0.1:{wanted}: {why}"),
                hint,
            )
        });
    }
    for _ in 0..64 {
        let port = claviger_engine::random_port(PORTS);
        if let Ok(listener) = bind(port).await {
            settings.port = port;
            engine.set_settings(settings)?;
            return Ok(listener);
        }
    }
    Err(ApiError::new(Code::Unavailable, "no free port was found on 127.0.0.1", "name one with --port"))
}

async fn bind(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)).await
}

/// Passes changes on as tags.
async fn tell(
    mut changes: broadcast::Receiver<Change>,
    tags: broadcast::Sender<Tag>,
    stop: CancellationToken,
) {
    use broadcast::error::RecvError;
    loop {
        let change = tokio::select! {
            () = stop.cancelled() => return,
            change = changes.recv() => change,
        };
        match change {
            Ok(change) => {
                let _ = tags.send(tag(change));
            }
            // Whoever fell behind is told everything changed.
            Err(RecvError::Lagged(_)) => {
                for tag in [
                    Tag::Vault,
                    Tag::Services,
                    Tag::Credentials,
                    Tag::Agents,
                    Tag::Grants,
                    Tag::Proposals,
                    Tag::Oauth,
                    Tag::Activity,
                ] {
                    let _ = tags.send(tag);
                }
            }
            Err(RecvError::Closed) => return,
        }
    }
}

const fn tag(change: Change) -> Tag {
    match change {
        Change::Vault => Tag::Vault,
        Change::Services => Tag::Services,
        Change::Credentials => Tag::Credentials,
        Change::Agents => Tag::Agents,
        Change::Grants => Tag::Grants,
        Change::Proposals => Tag::Proposals,
        Change::Oauth => Tag::Oauth,
        Change::Activity => Tag::Activity,
        Change::Settings => Tag::Settings,
        Change::Attention => Tag::Attention,
    }
}

async fn tick(engine: Engine, lock_when_idle: bool, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(TICK);
    let mut count = 0u64;
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        engine.tell_activity();
        count += 1;
        if count.is_multiple_of(HEAD_TICKS) {
            let engine = engine.clone();
            // A log or vault that fails here fails the next release or change, too, and says so there.
            let _ = blocking(move || engine.note_log_head().map_err(ApiError::from)).await;
        }
        if lock_when_idle && engine.is_idle() {
            let engine = engine.clone();
            let _ = blocking(move || engine.lock().map_err(ApiError::from)).await;
        }
    }
}
