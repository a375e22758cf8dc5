//! Agents and their tokens: add, renew, revoke, pause, remove.

use claviger_model::{Agent, AgentId, Duration, Subject, Timestamp, TokenInfo};
use claviger_secret::AgentToken;

use crate::book::{Book, check_name};
use crate::engine::{Change, Done, Engine, State};
use crate::error::EngineError;
use crate::lifecycle::SETTING_PAUSED;
use crate::snapshot::cut_agent;

const DEFAULT_LIFE: Duration = Duration(30 * 86_400_000);
const LONGEST_LIFE: Duration = Duration(90 * 86_400_000);
const RUN_LIFE: Duration = Duration(86_400_000);
/// More of them than this means that something is looping.
const MAX_RUN_TOKENS: usize = 64;

/// An agent to be added.
pub struct NewAgent {
    /// Unique name.
    pub name: String,
    /// Life of its token.
    pub ttl: Option<Duration>,
}

/// A token just made, to be shown once.
pub struct IssuedToken {
    /// Whose.
    pub agent: Agent,
    /// The token.
    pub token: AgentToken,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Engine {
    /// Adds an agent and makes its token.
    pub fn add_agent(&self, new: NewAgent) -> Result<IssuedToken, EngineError> {
        check_name("agent", &new.name)?;
        let life = life_of(new.ttl)?;
        let now = self.now();
        self.change(Change::Agents, |book, writer, live| {
            if book.agents.iter().any(|agent| agent.name == new.name) {
                return Err(EngineError::Exists { noun: "agent", name: new.name });
            }
            let id = AgentId::from_bytes(claviger_crypto::random_id());
            let expires_at = now.after(life);
            let (token, info) = live.keys.mint(id, now, expires_at)?;
            let agent = Agent {
                id,
                name: new.name,
                created_at: now,
                token: Some(info),
                run_tokens: Vec::new(),
                paused: false,
            };
            writer.put(&agent)?;
            book.agents.push(agent.clone());
            let done = Done::new("agent.add", Subject::Agent(id), &agent.name);
            Ok((IssuedToken { agent, token, expires_at }, done))
        })
    }

    /// Makes a new token and ends the old ones.
    pub fn renew_agent(&self, name: &str, ttl: Option<Duration>) -> Result<IssuedToken, EngineError> {
        let life = life_of(ttl)?;
        let now = self.now();
        self.cut(name)?;
        self.change(Change::Agents, |book, writer, live| {
            let mut agent = book.agent(name)?.clone();
            let expires_at = now.after(life);
            let (token, info) = live.keys.mint(agent.id, now, expires_at)?;
            agent.token = Some(info);
            agent.run_tokens.clear();
            writer.put(&agent)?;
            replace(book, agent.clone());
            let done = Done::new("agent.renew", Subject::Agent(agent.id), &agent.name);
            Ok((IssuedToken { agent, token, expires_at }, done))
        })
    }

    /// Makes a token for one run, beside the token in force; it ends after a day.
    pub fn run_token(&self, name: &str) -> Result<IssuedToken, EngineError> {
        let now = self.now();
        self.change(Change::Agents, |book, writer, live| {
            let mut agent = book.agent(name)?.clone();
            let Some(main) = &agent.token else {
                return Err(EngineError::Invalid(format!(
                    "agent {:?} was revoked; renew it first",
                    agent.name
                )));
            };
            if main.expires_at <= now {
                return Err(EngineError::Invalid(format!(
                    "the token of agent {:?} has expired; renew it",
                    agent.name
                )));
            }
            let expires_at = now.after(RUN_LIFE).min(main.expires_at);
            agent.run_tokens.retain(|old: &TokenInfo| old.expires_at > now);
            if agent.run_tokens.len() >= MAX_RUN_TOKENS {
                agent.run_tokens.remove(0);
            }
            let (token, info) = live.keys.mint(agent.id, now, expires_at)?;
            agent.run_tokens.push(info);
            writer.put(&agent)?;
            replace(book, agent.clone());
            let done = Done::new("agent.run_token", Subject::Agent(agent.id), &agent.name);
            Ok((IssuedToken { agent, token, expires_at }, done))
        })
    }

    /// Ends the agent's tokens at once, also in open streams.
    pub fn revoke_agent(&self, name: &str) -> Result<(), EngineError> {
        self.change_agent(name, "agent.revoke", |agent| {
            agent.token = None;
            agent.run_tokens.clear();
        })?;
        self.cut(name)
    }

    /// Refuses all of the agent's requests until it is resumed; its token stays.
    pub fn pause_agent(&self, name: &str) -> Result<(), EngineError> {
        self.change_agent(name, "agent.pause", |agent| agent.paused = true)
    }

    /// Ends a pause.
    pub fn resume_agent(&self, name: &str) -> Result<(), EngineError> {
        self.change_agent(name, "agent.resume", |agent| agent.paused = false)
    }

    /// Removes the agent with its grants.
    pub fn remove_agent(&self, name: &str) -> Result<(), EngineError> {
        self.change(Change::Agents, |book, writer, _| {
            let agent = book.agent(name)?.clone();
            for grant in book.grants_of(agent.id) {
                writer.remove::<claviger_model::Grant>(grant.id)?;
            }
            writer.remove::<Agent>(agent.id)?;
            book.grants.retain(|grant| grant.agent != agent.id);
            crate::proposals::forget(book, writer, |proposal| proposal.agent == agent.id)?;
            book.agents.retain(|other| other.id != agent.id);
            Ok(((), Done::new("agent.remove", Subject::Agent(agent.id), agent.name)))
        })
    }

    /// Pauses or resumes all agents together.
    pub fn pause_all(&self, paused: bool) -> Result<(), EngineError> {
        {
            let mut state = self.unlocked()?;
            if let State::Open(open) = &mut *state {
                open.paused = paused;
            }
        }
        let what = if paused { "agent.pause_all" } else { "agent.resume_all" };
        self.change(Change::Agents, |_, writer, _| {
            writer.put_setting(SETTING_PAUSED, if paused { b"1" } else { b"" })?;
            Ok(((), Done::new(what, Subject::Vault, "")))
        })?;
        self.tell(Change::Vault);
        Ok(())
    }

    fn change_agent(
        &self,
        name: &str,
        what: &'static str,
        work: impl FnOnce(&mut Agent),
    ) -> Result<(), EngineError> {
        self.change(Change::Agents, |book, writer, _| {
            let mut agent = book.agent(name)?.clone();
            work(&mut agent);
            writer.put(&agent)?;
            let done = Done::new(what, Subject::Agent(agent.id), &agent.name);
            replace(book, agent);
            Ok(((), done))
        })
    }

    /// Cuts the agent's open streams.
    fn cut(&self, name: &str) -> Result<(), EngineError> {
        self.read(|open| {
            cut_agent(open, open.book.agent(name)?);
            Ok(())
        })
    }
}

fn replace(book: &mut Book, agent: Agent) {
    if let Some(place) = book.agents.iter_mut().find(|other| other.id == agent.id) {
        *place = agent;
    }
}

fn life_of(ttl: Option<Duration>) -> Result<Duration, EngineError> {
    match ttl {
        None => Ok(DEFAULT_LIFE),
        Some(life) if life.0 > 0 && life <= LONGEST_LIFE => Ok(life),
        Some(_) => Err(EngineError::Invalid("a token lives between a second and 90 days".into())),
    }
}
