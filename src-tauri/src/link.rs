//! The engine behind the window: starts it, says why it did not start, and carries calls to it.
//!
//! Must not know what any call means.

use claviger_api::schema::{ApiError, Code, Verb};
use claviger_api::{Host, HostOptions};
use claviger_platform::Dirs;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The engine, or the reason why there is none.
pub(crate) struct Link {
    dirs: Dirs,
    started: Box<dyn Fn(&Host) + Send + Sync>,
    state: Mutex<State>,
}

enum State {
    NotStarted,
    Running(Host),
    Ended,
}

// === impl Link ===

impl Link {
    /// No engine yet; `started` is called with it as soon as there is one.
    pub(crate) fn new(dirs: Dirs, started: impl Fn(&Host) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { dirs, started: Box::new(started), state: Mutex::new(State::NotStarted) })
    }

    /// Where this installation's files lie.
    pub(crate) fn dirs(&self) -> &Dirs {
        &self.dirs
    }

    /// Starts the engine.
    pub(crate) async fn start(&self) -> Result<(), ApiError> {
        self.host().await.map(drop)
    }

    /// Carries one call. An engine that did not start is tried again first: its cause may be gone (a vault in use
    /// elsewhere, a full disk), and the window's "try again" is a call like any other.
    pub(crate) async fn call(&self, verb: Verb, name: &str, params: Value) -> Result<Value, ApiError> {
        self.host().await?.call(verb, name, params).await
    }

    /// Ends the engine for good: open requests drain, keys are wiped.
    pub(crate) async fn stop(&self) {
        let state = std::mem::replace(&mut *self.state.lock().await, State::Ended);
        if let State::Running(host) = state
            && let Err(error) = host.stop().await
        {
            tracing::error!("the engine did not end cleanly: {error}; {}", error.hint);
        }
    }

    async fn host(&self) -> Result<Host, ApiError> {
        let mut state = self.state.lock().await;
        match &*state {
            State::Running(host) => Ok(host.clone()),
            State::Ended => Err(ApiError::new(Code::Unavailable, "Claviger is closing", "start it again")),
            State::NotStarted => {
                let answerer = Some(claviger_mcp::answer as claviger_api::Answerer);
                let options = HostOptions { answerer, ..HostOptions::default() };
                let host = Host::start(self.dirs.clone(), options).await?;
                *state = State::Running(host.clone());
                drop(state);
                (self.started)(&host);
                Ok(host)
            }
        }
    }
}
