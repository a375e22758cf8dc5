//! Agents and their wiring, from outside.

use claviger_engine::{Book, Engine, IssuedToken, NewAgent};
use claviger_model::{Agent, Timestamp};

use super::{duration, now};
use crate::schema::agent::{
    AddAgentRequest, AgentTokenView, AgentView, VariableView, WiringByHandView, WiringNoteView, WiringView,
};
use crate::schema::{ApiError, Named, Nothing, ShownOnce};

pub(crate) fn list(engine: &Engine) -> Result<Vec<AgentView>, ApiError> {
    let book = engine.book()?;
    Ok(book.agents.iter().map(|agent| view(engine, &book, agent)).collect())
}

pub(crate) fn show(engine: &Engine, request: Named) -> Result<AgentView, ApiError> {
    let book = engine.book()?;
    Ok(view(engine, &book, book.agent(&request.name)?))
}

pub(crate) fn wiring(engine: &Engine, request: Named) -> Result<WiringView, ApiError> {
    let wiring = engine.wiring(&request.name)?;
    Ok(WiringView {
        agent: wiring.agent,
        variables: wiring
            .variables
            .into_iter()
            .map(|variable| VariableView {
                name: variable.name,
                is_token: variable.value.is_none(),
                value: variable.value.unwrap_or_else(|| "${CLAVIGER_TOKEN}".to_owned()),
            })
            .collect(),
        by_hand: wiring
            .by_hand
            .into_iter()
            .map(|grant| WiringByHandView {
                service: grant.service,
                credential: grant.credential,
                base_url: grant.base_url,
                hint: grant.hint,
            })
            .collect(),
        notes: wiring
            .notes
            .into_iter()
            .map(|note| WiringNoteView { service: note.service, text: note.text })
            .collect(),
    })
}

pub(crate) fn add(engine: &Engine, request: AddAgentRequest) -> Result<AgentTokenView, ApiError> {
    let ttl = request.ttl.as_deref().map(duration).transpose()?;
    Ok(issued(engine.add_agent(NewAgent { name: request.name, ttl })?))
}

pub(crate) fn renew(engine: &Engine, request: AddAgentRequest) -> Result<AgentTokenView, ApiError> {
    let ttl = request.ttl.as_deref().map(duration).transpose()?;
    Ok(issued(engine.renew_agent(&request.name, ttl)?))
}

pub(crate) fn run_token(engine: &Engine, request: Named) -> Result<AgentTokenView, ApiError> {
    Ok(issued(engine.run_token(&request.name)?))
}

pub(crate) fn revoke(engine: &Engine, request: Named) -> Result<Nothing, ApiError> {
    engine.revoke_agent(&request.name)?;
    Ok(Nothing {})
}

pub(crate) fn pause(engine: &Engine, request: Named) -> Result<Nothing, ApiError> {
    engine.pause_agent(&request.name)?;
    Ok(Nothing {})
}

pub(crate) fn resume(engine: &Engine, request: Named) -> Result<Nothing, ApiError> {
    engine.resume_agent(&request.name)?;
    Ok(Nothing {})
}

pub(crate) fn pause_all(engine: &Engine, paused: bool) -> Result<Nothing, ApiError> {
    engine.pause_all(paused)?;
    Ok(Nothing {})
}

pub(crate) fn remove(engine: &Engine, request: Named) -> Result<Nothing, ApiError> {
    engine.remove_agent(&request.name)?;
    Ok(Nothing {})
}

fn view(engine: &Engine, book: &Book, agent: &Agent) -> AgentView {
    AgentView {
        name: agent.name.clone(),
        id: agent.id.to_string(),
        state: state_word(agent, now()).to_owned(),
        created: agent.created_at.to_rfc3339(),
        expires: agent.token.as_ref().map(|token| token.expires_at.to_rfc3339()),
        last_seen: engine.last_seen(agent.id).map(Timestamp::to_rfc3339),
        grants: book
            .grants_of(agent.id)
            .filter_map(|grant| super::grant::view(engine, book, grant))
            .collect(),
    }
}

fn state_word(agent: &Agent, now: Timestamp) -> &'static str {
    match &agent.token {
        None => "revoked",
        Some(_) if agent.paused => "paused",
        Some(token) if token.expires_at <= now => "expired",
        Some(_) => "active",
    }
}

fn issued(issued: IssuedToken) -> AgentTokenView {
    AgentTokenView {
        agent: issued.agent.name,
        id: issued.agent.id.to_string(),
        token: ShownOnce::new(issued.token.secret().duplicate()),
        expires: issued.expires_at.to_rfc3339(),
    }
}
