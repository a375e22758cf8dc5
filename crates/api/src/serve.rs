//! A headless engine in the foreground, until it is told to end.

use claviger_platform::Dirs;
use claviger_secret::Passphrase;
use tokio::signal::unix::{SignalKind, signal};

use crate::desk::Answerer;
use crate::host::{Host, HostOptions};
use crate::schema::{ApiError, Code};

/// How a headless engine is started.
pub struct ServeOptions {
    /// Where everything lies.
    pub dirs: Dirs,
    /// Port of the proxy; `None` means the installation's own, 0 any free one.
    pub port: Option<u16>,
    /// Unlock with this; without it the proxy answers `vault_locked` until `claviger unlock`.
    pub password: Option<Passphrase>,
    /// End when this process is gone.
    pub parent_pid: Option<u32>,
    /// Answers what agents ask of Claviger itself.
    pub answerer: Option<Answerer>,
}

/// What is told when the engine is ready.
pub struct Ready {
    /// Base address of base-URL mode.
    pub proxy: String,
    /// Address for `HTTPS_PROXY`.
    pub forward: String,
    /// Our process id.
    pub pid: u32,
}

/// Runs until SIGTERM, SIGINT or the parent's end; then drains and locks.
pub async fn serve(options: ServeOptions, ready: impl FnOnce(&Ready)) -> Result<(), ApiError> {
    let ServeOptions { dirs, port, password, parent_pid, answerer } = options;
    let vault = dirs.vault_file();
    if !vault.exists() {
        return Err(claviger_engine::EngineError::Absent.into());
    }
    let start = HostOptions { port, lock_when_idle: false, answerer, ..HostOptions::default() };
    let host = Host::start(dirs, start).await?;
    let outcome = run(&host, password, parent_pid, ready).await;
    host.stop().await?;
    outcome
}

async fn run(
    host: &Host,
    password: Option<Passphrase>,
    parent_pid: Option<u32>,
    ready: impl FnOnce(&Ready),
) -> Result<(), ApiError> {
    let listen = |kind| {
        signal(kind)
            .map_err(|why| ApiError::new(Code::Unexpected, format!("signals cannot be received: {why}"), ""))
    };
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    if let Some(password) = password {
        host.unlock(password).await?;
    }
    let origin = format!("http://127.0.0.1:{}", host.port());
    ready(&Ready { proxy: origin.clone(), forward: origin, pid: std::process::id() });
    let parent_gone = async {
        match parent_pid {
            Some(pid) => claviger_platform::wait_for_exit(pid).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = parent_gone => {}
    }
    Ok(())
}
