//! The flows under way and those that just ended: begin, look, cancel, dismiss.
//!
//! Must not know how a flow goes on.

use claviger_model::{Duration, Kind, Timestamp};
use tokio_util::sync::CancellationToken;

use super::faults::{Fault, FaultCode};
use super::flow::{Flow, FlowKind, NewFlow, Step};
use super::notes;
use super::servers::{check_connectable, reach_of};
use super::walk::{App, Destination, Plan, walk};
use crate::book::check_name;
use crate::engine::{Change, Engine};
use crate::error::EngineError;

/// A flow that ended is shown this long.
const SHOWN: Duration = Duration(3_600_000);
/// More at a time is nobody's wish.
const MOST_LIVE: usize = 8;
const MOST_SHOWN: usize = 50;

/// A flow with what ends it.
pub(crate) struct Entry {
    flow: Flow,
    cancel: CancellationToken,
    ended_at: Option<Timestamp>,
}

// === impl Engine ===

impl Engine {
    /// Begins a consent. It goes on by itself, whoever looks.
    pub fn oauth_begin(&self, new: NewFlow) -> Result<Flow, EngineError> {
        check_name("credential", &new.name)?;
        let (service, ports) = self.read(|open| {
            if open.book.credentials.iter().any(|credential| credential.name == new.name) {
                return Err(EngineError::Exists { noun: "credential", name: new.name.clone() });
            }
            Ok((open.book.service(&new.service)?.clone(), notes::redirects(&open.vault)?))
        })?;
        check_connectable(&service)?;
        let app = match (new.client_id, new.client_secret) {
            (Some(id), secret) => App::ByHand { id, secret },
            (None, Some(_)) => {
                return Err(EngineError::Invalid("a client secret goes together with its client id".into()));
            }
            (None, None) => App::Register,
        };
        let redirect_uri = match (&app, new.redirect_uri) {
            (_, Some(uri)) => Some(uri),
            (App::ByHand { .. }, None) => {
                let port = ports.get(&new.name).map(|port| format!(":{port}")).unwrap_or_default();
                Some(format!("http://127.0.0.1{port}/callback"))
            }
            _ => None,
        };
        let plan = Plan {
            name: new.name,
            reach: reach_of(&service),
            service,
            issuer: new.issuer,
            kind: new.kind,
            scopes: new.scopes,
            resources: None,
            is_registered: matches!(app, App::Register),
            app,
            redirect_uri,
            open: new.open,
            destination: Destination::New,
        };
        self.start_flow(plan)
    }

    /// Begins a consent with the service, app and scopes of a connection that is there, and with the scopes that its
    /// service has since asked for (step-up, RFC 6750 §3.1); its grants stay.
    pub fn oauth_reconnect(&self, name: &str, open_browser: bool) -> Result<Flow, EngineError> {
        let (id, credential, service, note, wanted) = self.read(|open| {
            let credential = open.book.credential(name)?;
            if credential.kind != Kind::Oauth {
                return Err(EngineError::Invalid(format!("credential {name:?} is no OAuth connection")));
            }
            let service = open.book.service_by_id(credential.service).cloned();
            let service = service.ok_or_else(|| EngineError::NotFound {
                noun: "service",
                name: credential.service.to_string(),
            })?;
            let note = notes::note_of(&open.vault, credential.id)?;
            let wanted = open.live.wanted.by(credential.id).unwrap_or_default();
            Ok((credential.id, credential.name.clone(), service, note, wanted))
        })?;
        let disconnected =
            || EngineError::NeedsConsent(format!("credential {name:?} was disconnected; connect it anew"));
        let connection = self.stored_connection(id)?.ok_or_else(disconnected)?;
        let note = note.ok_or_else(disconnected)?;
        let facts = &connection.facts;
        let mut scopes = facts.requested.clone();
        let more: Vec<String> = wanted.into_iter().filter(|scope| !scopes.contains(scope)).collect();
        // A registration names its scopes (RFC 7591 §2). More of them take a new one, and that a redirect URI of its own.
        let registers = !more.is_empty() && note.is_registered;
        scopes.extend(more);
        let plan = Plan {
            name: credential,
            reach: reach_of(&service),
            service,
            issuer: Some(facts.issuer.to_string()),
            kind: note.kind,
            scopes,
            resources: Some(facts.resources.clone()),
            app: if registers { App::Register } else { App::Known(connection.client()) },
            redirect_uri: note.redirect_uri.filter(|_| !registers),
            is_registered: note.is_registered,
            open: open_browser,
            destination: Destination::Again(id),
        };
        self.start_flow(plan)
    }

    fn start_flow(&self, plan: Plan) -> Result<Flow, EngineError> {
        let session = self.inner.oauth.session()?;
        let runtime = self.inner.oauth.runtime.clone();
        let runtime =
            runtime.ok_or_else(|| EngineError::Unavailable("the network cannot be used from here".into()))?;
        let now = self.now();
        let flow = Flow {
            id: format!("flw_{}", data_encoding::HEXLOWER.encode(&claviger_crypto::random_id())),
            name: plan.name.clone(),
            service: plan.service.name.clone(),
            issuer: plan.issuer.clone(),
            kind: plan.kind,
            reconnects: matches!(plan.destination, Destination::Again(_)),
            started_at: now,
            expires_at: None,
            step: Step::Discovering,
        };
        let cancel = session.stop.child_token();
        {
            let mut flows = self.inner.oauth.flows.lock();
            let live = || flows.iter().filter(|entry| entry.ended_at.is_none());
            if live().any(|entry| entry.flow.name == flow.name) {
                return Err(EngineError::InUse(format!(
                    "a sign-in for {:?} is under way; finish or cancel it first",
                    flow.name
                )));
            }
            if live().count() >= MOST_LIVE {
                return Err(EngineError::InUse("too many sign-ins are under way; cancel some".into()));
            }
            let entry = Entry { flow: flow.clone(), cancel: cancel.clone(), ended_at: None };
            flows.push(entry);
        }
        let (engine, id) = (self.clone(), flow.id.clone());
        runtime.spawn(async move {
            let step = walk(&engine, &id, plan, &cancel).await;
            engine.update_flow(&id, |flow| {
                flow.expires_at = None;
                flow.step = step;
            });
        });
        self.inner.doors.note_use();
        self.tell(Change::Oauth);
        Ok(flow)
    }

    /// The flows under way and those that ended within the last hour, newest first.
    pub fn oauth_flows(&self) -> Result<Vec<Flow>, EngineError> {
        self.read(|_| Ok(()))?;
        let now = self.now();
        let mut flows = self.inner.oauth.flows.lock();
        flows.retain(|entry| entry.ended_at.is_none_or(|at| now < at.after(SHOWN)));
        while flows.len() > MOST_SHOWN {
            let Some(oldest) = flows.iter().position(|entry| entry.ended_at.is_some()) else { break };
            flows.remove(oldest);
        }
        Ok(flows.iter().rev().map(|entry| entry.flow.clone()).collect())
    }

    /// One flow.
    pub fn oauth_flow(&self, id: &str) -> Result<Flow, EngineError> {
        let flows = self.oauth_flows()?;
        flows.into_iter().find(|flow| flow.id == id).ok_or_else(|| no_flow(id))
    }

    /// Ends a flow. Tokens that are on their way are given back.
    pub fn oauth_cancel(&self, id: &str) -> Result<(), EngineError> {
        self.oauth_flow(id)?;
        let flows = self.inner.oauth.flows.lock();
        if let Some(entry) = flows.iter().find(|entry| entry.flow.id == id) {
            entry.cancel.cancel();
        }
        Ok(())
    }

    /// Forgets a flow that has ended.
    pub fn oauth_dismiss(&self, id: &str) -> Result<(), EngineError> {
        let flow = self.oauth_flow(id)?;
        if !flow.step.is_last() {
            return Err(EngineError::InUse("the sign-in is still under way; cancel it first".into()));
        }
        self.inner.oauth.flows.lock().retain(|entry| entry.flow.id != id);
        self.tell(Change::Oauth);
        Ok(())
    }

    /// Brings a flow up to date, and tells.
    pub(super) fn update_flow(&self, id: &str, work: impl FnOnce(&mut Flow)) {
        let now = self.now();
        {
            let mut flows = self.inner.oauth.flows.lock();
            // One that was forgotten, because the vault was locked, goes nowhere.
            let Some(entry) = flows.iter_mut().find(|entry| entry.flow.id == id) else { return };
            work(&mut entry.flow);
            entry.ended_at = entry.flow.step.is_last().then_some(now);
        }
        self.tell(Change::Oauth);
    }

    /// At lock nothing is left of flows, not even whom they were about.
    pub(super) fn forget_flows(&self) {
        self.inner.oauth.flows.lock().clear();
    }
}

// === impl FlowKind ===

impl FlowKind {
    /// What a flow that cannot go on is told.
    pub(super) fn not_offered(self) -> Fault {
        let (what, hint) = match self {
            Self::Code => ("sign in by browser", "try --flow device"),
            Self::Device => ("sign in by a typed code", "try --flow code"),
            Self::ClientCredentials => ("give tokens to a client itself", "try --flow code"),
        };
        Fault::new(FaultCode::Unsupported, format!("the server does not offer to {what}"), hint)
    }
}

fn no_flow(id: &str) -> EngineError {
    EngineError::NotFound { noun: "flow", name: id.to_owned() }
}
