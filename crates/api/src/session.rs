//! One way to make calls, whether an engine runs elsewhere or this process opens the vault itself.

use claviger_engine::{Engine, Options};
use claviger_platform::Dirs;
use serde_json::Value;

use crate::dispatch::dispatch;
use crate::host::blocking;
use crate::remote::Remote;
use crate::schema::{ApiError, Code, Verb};

/// Where calls go.
pub struct Session {
    place: Place,
}

enum Place {
    Remote(Remote),
    Local(Engine),
}

/// New entries of the record, one after the other.
pub struct Followed {
    remote: Remote,
}

// === impl Session ===

impl Session {
    /// A running engine, if one answers; else one of our own, still locked, that listens nowhere.
    pub async fn connect(dirs: &Dirs) -> Result<Self, ApiError> {
        if let Some(remote) = Remote::connect(&dirs.control_socket()).await {
            return Ok(Self { place: Place::Remote(remote) });
        }
        let options = Options {
            dirs: dirs.clone(),
            keychain: claviger_platform::system_keychain(),
            proxy: claviger_engine::proxy_defaults(),
        };
        let engine = blocking(move || Engine::start(options).map_err(ApiError::from)).await?;
        Ok(Self { place: Place::Local(engine) })
    }

    /// Whether calls go to an engine that runs elsewhere.
    pub fn is_remote(&self) -> bool {
        matches!(self.place, Place::Remote(_))
    }

    /// Makes one call.
    pub async fn call(&mut self, verb: Verb, name: &str, params: Value) -> Result<Value, ApiError> {
        match &mut self.place {
            Place::Remote(remote) => remote.call(verb, name, params).await,
            Place::Local(engine) => {
                let (engine, name) = (engine.clone(), name.to_owned());
                blocking(move || dispatch(&engine, verb, &name, params)).await
            }
        }
    }

    /// Follows the record of a running engine.
    pub async fn follow(self, params: Value) -> Result<Followed, ApiError> {
        match self.place {
            Place::Remote(mut remote) => {
                remote.follow(params).await?;
                Ok(Followed { remote })
            }
            Place::Local(_) => Err(ApiError::new(
                Code::Unavailable,
                "no engine runs, so nothing new will be recorded",
                "start the window or `claviger serve`",
            )),
        }
    }

    /// Locks an engine of our own, so that its record is closed properly. A running engine stays as it is.
    pub async fn close(self) -> Result<(), ApiError> {
        match self.place {
            Place::Remote(_) => Ok(()),
            Place::Local(engine) => blocking(move || engine.lock().map_err(ApiError::from)).await,
        }
    }
}

// === impl Followed ===

impl Followed {
    /// The next entry; `None` when the engine ended.
    pub async fn next(&mut self) -> Result<Option<Value>, ApiError> {
        self.remote.receive().await
    }
}
