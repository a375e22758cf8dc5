//! The one place that touches the session with the engine: remote over the control socket when one runs, else an
//! engine of our own over the locked vault. Must not know commands or output.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use claviger_api::schema::{ApiError, Code, Verb};
use claviger_api::{Followed, Ready, ServeOptions, Session};
use claviger_platform::Dirs;
use claviger_secret::Passphrase;
use serde_json::Value;

/// A command holds the vault for as long as it takes to derive a key.
const HELD_BY_ANOTHER_COMMAND: Duration = Duration::from_secs(20);

pub(crate) struct Link(Session);

// === impl Link ===

impl Link {
    /// Connects, or opens the vault's file here. Another command that holds it at the moment is waited for: it ends by
    /// itself, and an engine that is starting will answer soon.
    pub(crate) async fn open(dirs: &Dirs) -> Result<Self, ApiError> {
        let deadline = Instant::now() + HELD_BY_ANOTHER_COMMAND;
        loop {
            match Session::connect(dirs).await {
                Err(why) if why.code == Code::Conflict && Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                other => return other.map(Self),
            }
        }
    }

    /// Whether an engine runs in another process.
    pub(crate) fn is_remote(&self) -> bool {
        self.0.is_remote()
    }

    pub(crate) async fn call(&mut self, verb: Verb, name: &str, params: Value) -> Result<Value, ApiError> {
        self.0.call(verb, name, params).await
    }

    /// New entries of the record as they come; needs a running engine.
    pub(crate) async fn follow(self, params: Value) -> Result<Followed, ApiError> {
        self.0.follow(params).await
    }

    /// Locks the vault again if this process opened it.
    pub(crate) async fn close(self) -> Result<(), ApiError> {
        self.0.close().await
    }
}

/// Where everything of this Claviger lies.
pub(crate) fn dirs(home: Option<PathBuf>) -> Result<Dirs, ApiError> {
    Dirs::resolve(home)
        .map_err(|why| ApiError::new(Code::Unavailable, why.to_string(), "give a directory with --home DIR"))
}

/// The headless engine in the foreground, until it is told to end.
pub(crate) async fn serve(
    dirs: &Dirs,
    port: Option<u16>,
    password: Option<Passphrase>,
    parent_pid: Option<u32>,
    ready: impl FnOnce(&Ready),
) -> Result<(), ApiError> {
    let answerer = Some(claviger_mcp::answer as claviger_api::Answerer);
    let options = ServeOptions { dirs: dirs.clone(), port, password, parent_pid, answerer };
    claviger_api::serve(options, ready).await
}
