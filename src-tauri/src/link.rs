//! The engine behind the window: starts it, says why it did not start, and carries calls to it.
//!
//! Must not know what any call means.

use claviger_api::schema::{ApiError, Code, Verb};
use claviger_api::{Caller, Host, HostOptions};
use claviger_platform::Dirs;
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The engine, or the reason why there is none.
pub(crate) struct Link {
    dirs: Dirs,
    state: Mutex<State>,
}

struct State {
    host: Option<Host>,
    started: Option<Box<dyn Fn(&Host) + Send>>,
    ended: bool,
}

// === impl Link ===

impl Link {
    pub(crate) fn new(dirs: Dirs) -> Arc<Self> {
        Arc::new(Self { dirs, state: Mutex::new(State { host: None, started: None, ended: false }) })
    }

    /// Starts the engine, and calls `started` with it now or whenever a later attempt succeeds.
    pub(crate) fn start(&self, started: impl Fn(&Host) + Send + 'static) {
        self.locked().started = Some(Box::new(started));
        if let Err(error) = self.host() {
            tracing::error!("the engine did not start: {error}; {}", error.hint);
        }
    }

    /// Carries one call. An engine that did not start is tried again first: its cause may be gone (a busy vault, a
    /// full disk), and the window's "try again" is a call like any other.
    pub(crate) async fn call(
        self: &Arc<Self>,
        caller: Caller,
        verb: Verb,
        name: &str,
        params: Value,
    ) -> Result<Value, ApiError> {
        let link = Arc::clone(self);
        let host = tauri::async_runtime::spawn_blocking(move || link.host()).await.map_err(|_| gone())??;
        host.call(caller, verb, name, params).await
    }

    /// Ends the engine for good: open requests drain, keys are wiped.
    pub(crate) async fn stop(&self) {
        let host = {
            let mut state = self.locked();
            state.ended = true;
            state.host.take()
        };
        if let Some(host) = host {
            host.stop().await;
        }
    }

    fn host(&self) -> Result<Host, ApiError> {
        let mut state = self.locked();
        if state.ended {
            return Err(gone());
        }
        if let Some(host) = &state.host {
            return Ok(host.clone());
        }
        let host = Host::start(self.dirs.clone(), HostOptions::default())?;
        state.host = Some(host.clone());
        if let Some(started) = &state.started {
            started(&host);
        }
        Ok(host)
    }

    /// A panic while the lock was held leaves either a whole engine or none, so the state is good in both cases.
    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn gone() -> ApiError {
    ApiError::new(Code::Unavailable, "Claviger is closing.", "Start it again.")
}
