//! OAuth in the engine: consent as flows that outlive the window, connections in the vault, one keeper for each, tokens
//! given back in the end.
//!
//! Must not know HTTP or the protocol: that is `claviger_oauth`. Must not know who shows a flow.

mod faults;
mod flow;
mod flows;
mod keep;
mod net;
mod notes;
mod revoking;
mod servers;
mod standing;
mod store;
mod walk;

pub use faults::{Fault, FaultCode};
pub use flow::{Flow, FlowKind, NewFlow, Step};
pub use revoking::RevocationState;
pub use servers::{AppRegistration, Discovered, Target};
pub use standing::{ConnectionFacts, ConnectionState};

pub(crate) use keep::{Keepers, keepers_of};

use std::sync::Arc;

use claviger_oauth::Reach;
use claviger_oauth::http::Http;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::error::EngineError;

/// What OAuth needs beside the vault. It outlives locking; what is in it does not.
pub(crate) struct OAuth {
    runtime: Option<Handle>,
    net: Arc<net::Net>,
    flows: Mutex<Vec<flows::Entry>>,
    session: Mutex<Option<Session>>,
}

/// From unlocking to locking.
#[derive(Clone)]
pub(crate) struct Session {
    stop: CancellationToken,
    /// Wakes whoever gives tokens back.
    revoke_now: Arc<Notify>,
}

// === impl OAuth ===

impl OAuth {
    pub(crate) fn new() -> Self {
        Self {
            // Whoever starts an engine outside a runtime can do everything but this.
            runtime: Handle::try_current().ok(),
            net: Arc::new(net::Net::system()),
            flows: Mutex::new(Vec::new()),
            session: Mutex::new(None),
        }
    }

    fn session(&self) -> Result<Session, EngineError> {
        self.session.lock().clone().ok_or(EngineError::Locked)
    }
}

// === impl Engine ===

impl Engine {
    /// The vault was unlocked: what waited goes on.
    pub(crate) fn start_oauth(&self) {
        let session = Session { stop: CancellationToken::new(), revoke_now: Arc::new(Notify::new()) };
        if let Some(before) = self.inner.oauth.session.lock().replace(session.clone()) {
            before.stop.cancel();
        }
        if let Some(runtime) = &self.inner.oauth.runtime {
            runtime.spawn(revoking::go_on(Arc::downgrade(&self.inner), session));
        }
    }

    /// The vault is about to be locked: flows end, and a renewal under way is stored or given up.
    pub(crate) fn stop_oauth(&self) {
        let Some(session) = self.inner.oauth.session.lock().take() else { return };
        // Nothing is released any more while renewals are waited for.
        self.inner.proxy.install(None);
        session.stop.cancel();
        self.forget_flows();
        self.close_keepers();
    }

    /// Runs work of the network from a thread that may wait.
    fn wait_for<R: Send + 'static>(
        &self,
        work: impl Future<Output = R> + Send + 'static,
    ) -> Result<R, EngineError> {
        let gone = || EngineError::Unavailable("the network cannot be used from here".into());
        let runtime = self.inner.oauth.runtime.as_ref().ok_or_else(gone)?;
        let (done, answer) = std::sync::mpsc::sync_channel(1);
        runtime.spawn(async move {
            let _ = done.send(work.await);
        });
        answer.recv().map_err(|_| gone())
    }

    /// The network for a service's own token endpoint, and at which addresses that may live.
    pub(crate) fn network_of(&self, service: Option<&claviger_model::Service>) -> (Arc<dyn Http>, Reach) {
        (self.net_of(service), service.map_or(Reach::Public, servers::reach_of))
    }

    /// The network as a service sees it: its own certificates count for its own host.
    fn net_of(&self, service: Option<&claviger_model::Service>) -> Arc<dyn Http> {
        match service.and_then(|service| net::Net::trusting_for(service, &self.inner.oauth.net)) {
            Some(own) => Arc::new(own),
            None => Arc::<net::Net>::clone(&self.inner.oauth.net),
        }
    }
}
