//! Where an agent's questions about itself are answered: in this process, when the proxy has said who asks, or by a
//! running engine, which is shown the agent's token with every question.
//!
//! Must not know MCP, and cannot approve anything: these three questions are all there is.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use claviger_engine::Engine;
use claviger_engine::own::{OwnAnswer, OwnService};
use claviger_model::AgentId;
use claviger_platform::Dirs;
use claviger_secret::Secret;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::handlers::own;
use crate::host::blocking;
use crate::remote::Remote;
use crate::schema::own::{Ask, DenialView, OwnAccessView, OwnProposalView};
use crate::schema::{ApiError, Code, Verb};

/// Answers one agent's questions.
#[derive(Clone)]
pub struct Desk(Arc<Place>);

enum Place {
    /// The proxy has checked the token.
    Here { engine: Engine, agent: AgentId },
    /// The engine checks the token, each time.
    There { socket: PathBuf, token: Secret },
}

/// Answers a whole request of the agent whose desk this is.
pub type Answerer = fn(Desk, http::Request<Bytes>) -> OwnAnswer;

/// Gives each agent a desk of its own.
pub(crate) struct Counter {
    pub(crate) engine: Engine,
    pub(crate) answerer: Answerer,
}

// === impl Desk ===

impl Desk {
    /// The desk of the agent whose token this is, at a running engine.
    pub fn by_token(dirs: &Dirs, token: Secret) -> Self {
        Self(Arc::new(Place::There { socket: dirs.control_socket(), token }))
    }

    /// What the agent may use, and what became of its requests.
    pub async fn services(&self) -> Result<OwnAccessView, ApiError> {
        match &*self.0 {
            Place::Here { engine, agent } => {
                let (engine, agent) = (engine.clone(), *agent);
                blocking(move || own::list(&engine, agent)).await
            }
            Place::There { .. } => self.call(Verb::Query, "mcp.list_services", json!({})).await,
        }
    }

    /// Files a request for access, which a human answers.
    pub async fn ask(&self, ask: Ask) -> Result<OwnProposalView, ApiError> {
        match &*self.0 {
            Place::Here { engine, agent } => {
                let (engine, agent) = (engine.clone(), *agent);
                blocking(move || own::ask(&engine, agent, ask)).await
            }
            Place::There { .. } => {
                let params = json!({
                    "service": ask.service, "why": ask.why, "methods": ask.methods, "paths": ask.paths,
                });
                self.call(Verb::Mutate, "mcp.request_access", params).await
            }
        }
    }

    /// Why one of the agent's own requests was refused.
    pub async fn explain(&self, event: String) -> Result<DenialView, ApiError> {
        match &*self.0 {
            Place::Here { engine, agent } => {
                let (engine, agent) = (engine.clone(), *agent);
                blocking(move || own::explain(&engine, agent, &event)).await
            }
            Place::There { .. } => {
                self.call(Verb::Query, "mcp.explain_denial", json!({"event": event})).await
            }
        }
    }

    async fn call<R: DeserializeOwned>(
        &self,
        verb: Verb,
        name: &str,
        mut params: Value,
    ) -> Result<R, ApiError> {
        let unexpected = |what: &str| ApiError::new(Code::Unexpected, what, "");
        let Place::There { socket, token } = &*self.0 else {
            return Err(unexpected("this desk is not elsewhere"));
        };
        // Anew each time: the engine may have been started again in between.
        let mut engine = Remote::connect(socket).await.ok_or_else(|| {
            ApiError::new(Code::Unavailable, "Claviger is not running", "its owner must start it")
        })?;
        // EXPOSE: the agent's own token, shown to the engine over the socket of the same user.
        let token = std::str::from_utf8(token.expose()).map_err(|_| unexpected("the token is no text"))?;
        params["token"] = token.into();
        let answer = engine.call(verb, name, params).await?;
        serde_json::from_value(answer).map_err(|_| unexpected("the engine's answer cannot be read"))
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Desk")
    }
}

// === impl Counter ===

impl OwnService for Counter {
    fn answer(&self, agent: AgentId, request: http::Request<Bytes>) -> OwnAnswer {
        let place = Place::Here { engine: self.engine.clone(), agent };
        (self.answerer)(Desk(Arc::new(place)), request)
    }
}
