//! Builds the value that the request path reads from the book, and ends what is no longer granted.

use std::collections::HashMap;
use std::sync::Arc;

use claviger_model::{Agent, Credential, CredentialState, Kind, Service, ServiceId};
use claviger_policy::GrantRules;
use claviger_proxy::ports::{AgentEntry, Route, ServiceEntry, Snapshot};
use claviger_vault::SealedMaterial;
use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, Open};
use crate::minted::{Mint, Mints};
use crate::services::Target;
use crate::tokens::TokenRows;
use crate::{Book, EngineError};

impl Engine {
    /// Builds and installs the snapshot, the token rows and the sealed material anew.
    pub(crate) fn reinstall(&self, open: &mut Open) -> Result<(), EngineError> {
        let mut sealed = HashMap::with_capacity(open.book.credentials.len());
        let mut mints = Mints::new();
        let before = open.live.mints.load();
        // What a connection consists of is for its keeper alone and never reaches a request.
        for credential in open.book.credentials.iter().filter(|c| c.kind != Kind::Oauth) {
            let Some(material) = open.vault.sealed_material(credential.id, credential.version)? else {
                continue;
            };
            if credential.kind != Kind::JwtBearer {
                sealed.insert(credential.id, material);
                continue;
            }
            // Its tokens live on while its key is the same.
            let mint = match before.get(&credential.id) {
                Some(mint) if mint.is_of(&material) => Arc::clone(mint),
                _ => Arc::new(self.mint_of(open, credential, material)),
            };
            mints.insert(credential.id, mint);
        }
        let next = Arc::new(build(&open.book, open.paused, &open.snapshot)?);
        open.live.keepers.keep_only(&open.book);
        open.live.mints.store(Arc::new(mints));
        open.live.sealed.store(Arc::new(sealed));
        open.live.rows.store(Arc::new(TokenRows::new(&open.book.agents)));
        self.inner.proxy.install(Some(next.clone()));
        cut_what_ended(&open.snapshot, &next);
        open.snapshot = next;
        Ok(())
    }
}

impl Engine {
    fn mint_of(&self, open: &Open, credential: &Credential, material: SealedMaterial) -> Mint {
        let service = open.book.service_by_id(credential.service);
        let (http, reach) = self.network_of(service);
        Mint::new(material, open.live.opener.clone(), http, reach)
    }
}

/// A grant whose agent, credential or service is gone, or whose rules cannot be read, gets no route: denied.
fn build(book: &Book, all_paused: bool, before: &Snapshot) -> Result<Snapshot, EngineError> {
    let mut services: HashMap<ServiceId, Arc<ServiceEntry>> = HashMap::new();
    let mut snapshot = Snapshot::default();
    for agent in &book.agents {
        let paused = all_paused || agent.paused;
        // The same token of cancellation is kept while nothing about the agent ended, so that streams live on.
        let cut = match before.agents.get(&agent.id) {
            Some(old) if !paused && !old.cut.is_cancelled() => old.cut.clone(),
            _ => CancellationToken::new(),
        };
        snapshot.agents.insert(agent.id, Arc::new(AgentEntry { id: agent.id, paused, cut }));
    }
    for grant in &book.grants {
        let Some(credential) = book.credential_by_id(grant.credential) else { continue };
        let Some(service) = book.service_by_id(credential.service) else { continue };
        if !snapshot.agents.contains_key(&grant.agent) {
            continue;
        }
        let old = before.routes.get(grant.base.0.as_str());
        let rules = GrantRules::compile_after(grant, credential, old.map(|route| &route.rules))
            .map_err(|why| EngineError::Invalid(format!("grant {}: {why}", grant.id)))?;
        let entry = match services.get(&service.id) {
            Some(entry) => entry.clone(),
            None => {
                let entry = reuse_or_make(service, old)?;
                services.insert(service.id, entry.clone());
                entry
            }
        };
        let cut = match old {
            Some(old) if usable(credential) && !old.cut.is_cancelled() => old.cut.clone(),
            _ => CancellationToken::new(),
        };
        let route = Route { rules, credential: credential.id, service: entry, cut };
        snapshot.routes.insert(grant.base.0.as_str().into(), Arc::new(route));
    }
    Ok(snapshot)
}

fn usable(credential: &Credential) -> bool {
    credential.state == CredentialState::Active
}

/// Keeps the entry of an unchanged service, so that its pooled connections are found again.
fn reuse_or_make(service: &Service, old: Option<&Arc<Route>>) -> Result<Arc<ServiceEntry>, EngineError> {
    let target = Target::parse(&service.base_url, service.allow_private)?;
    let made = ServiceEntry {
        id: service.id,
        https: target.https,
        host: target.host.into(),
        port: target.port,
        prefix: target.prefix.into(),
        auth: service.auth.clone(),
        allow_private: service.allow_private,
        ca_pem: service.ca_pem.as_deref().map(Into::into),
        encoded_slash: service.encoded_slash,
        usage: service.usage,
        protocol: service.protocol,
    };
    if let Some(old) = old.map(|route| &route.service) {
        let same = old.id == made.id
            && old.https == made.https
            && old.host == made.host
            && old.port == made.port
            && old.prefix == made.prefix
            && old.auth == made.auth
            && old.allow_private == made.allow_private
            && old.ca_pem == made.ca_pem
            && old.encoded_slash == made.encoded_slash
            && old.usage == made.usage
            && old.protocol == made.protocol;
        if same {
            return Ok(old.clone());
        }
    }
    Ok(Arc::new(made))
}

/// Cuts every open stream whose agent or grant is not in the new snapshot as it was in the old.
fn cut_what_ended(before: &Snapshot, after: &Snapshot) {
    for (id, agent) in &before.agents {
        let lives_on = after.agents.get(id).is_some_and(|now| !now.paused);
        if !lives_on {
            agent.cut.cancel();
        }
    }
    for (base, route) in &before.routes {
        let lives_on = after.routes.get(base).is_some_and(|now| now.rules.credential_usable());
        if !lives_on {
            route.cut.cancel();
        }
    }
}

/// Ends every open stream of this agent: its token was revoked or replaced.
pub(crate) fn cut_agent(open: &Open, agent: &Agent) {
    if let Some(entry) = open.snapshot.agents.get(&agent.id) {
        entry.cut.cancel();
    }
}
