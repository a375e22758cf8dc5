//! Proposals: an agent asks for access, a human allows or denies. Asking is bounded and gives nothing by itself.
//!
//! Must not know how an agent asks (that is MCP's business) or how a human is shown the question.

use claviger_model::{
    AgentId, CredentialState, Grant, Hours, Proposal, ProposalId, ProposalState, Rate, Subject, Timestamp,
};
use claviger_policy::{Glob, GrantRules, check_scope};
use claviger_vault::{Unlocked, Writer};

use crate::book::Book;
use crate::engine::{Change, Done, Engine};
use crate::error::EngineError;
use crate::grants::{Expiry, fresh_grant, moment, upper};

/// So many questions of one agent wait for an answer at a time.
const MAX_OPEN: usize = 5;
/// So many questions one agent may ask in a day, however they were answered.
const MAX_A_DAY: usize = 20;
const DAY_MS: i64 = 86_400_000;
/// Answered ones are kept as long as these are the newest.
const KEPT: usize = 200;
const MAX_WHY: usize = 500;
const MAX_METHODS: usize = 8;
const MAX_PATHS: usize = 16;
const MAX_PATH: usize = 256;
/// Under which name they lie in the vault.
const SETTING: &str = "proposals";

/// What an agent asks for.
#[derive(Clone, Debug, Default)]
pub struct NewProposal {
    /// The service's name.
    pub service: String,
    /// What for, in the agent's words.
    pub why: String,
    /// Wanted methods; empty means all.
    pub methods: Vec<String>,
    /// Wanted path globs; empty means all.
    pub paths: Vec<String>,
}

/// How a human allows it. What is left out stays as asked.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// With which credential; needed when several fit.
    pub credential: Option<String>,
    /// Fewer methods.
    pub methods: Option<Vec<String>>,
    /// Narrower paths.
    pub paths: Option<Vec<String>>,
    /// At most this many requests.
    pub rate: Option<Rate>,
    /// Only in these hours.
    pub hours: Option<Hours>,
    /// How long, or until when.
    pub expires: Option<Expiry>,
}

impl Engine {
    /// Whose this token is.
    pub fn agent_of(&self, token: &[u8]) -> Result<AgentId, EngineError> {
        let now = self.now();
        self.read(|open| {
            let unknown = || EngineError::Refused("Claviger does not know this agent token".into());
            let id = open.live.rows.load().check(&open.live.keys, token, now).map_err(|_| unknown())?;
            let agent = open.book.agent_by_id(id).ok_or_else(unknown)?;
            if open.paused || agent.paused {
                return Err(EngineError::Refused("the agent is paused by its owner".into()));
            }
            Ok(id)
        })
    }

    /// Files what an agent asks for. Asking again for what is open changes nothing.
    pub fn propose(&self, agent: AgentId, new: NewProposal) -> Result<Proposal, EngineError> {
        let now = self.now();
        let (why, methods, paths) = cleaned(&new)?;
        let book = self.book()?;
        let proposal = Proposal {
            id: ProposalId::from_bytes(claviger_crypto::random_id()),
            agent,
            service: book.service(&new.service)?.id,
            why,
            methods,
            paths,
            created_at: now,
            state: ProposalState::Open,
        };
        if let Some(same) = book.proposals.iter().find(|old| old.is_open() && old.asks_as(&proposal)) {
            return Ok(same.clone());
        }
        self.change(Change::Proposals, |book, writer, _| {
            let name = book
                .agent_by_id(agent)
                .map(|agent| agent.name.clone())
                .ok_or_else(|| EngineError::NotFound { noun: "agent", name: agent.to_string() })?;
            within_bounds(book, &proposal, now)?;
            let service = book.service_by_id(proposal.service).map_or("", |service| service.name.as_str());
            let done = Done::new("proposal.add", Subject::Agent(agent), format!("{name} asks for {service}"));
            book.proposals.push(proposal.clone());
            store(book, writer)?;
            Ok((proposal, done))
        })
    }

    /// What plainly allowing it would give.
    pub fn preview(&self, book: &Book, proposal: &Proposal) -> Option<Grant> {
        outcome(book, proposal, Terms::default(), self.now()).ok()
    }

    /// Allows what was asked, or less: gives the grant, or widens the one that there is.
    pub fn allow_proposal(&self, id: &str, terms: Terms) -> Result<Grant, EngineError> {
        let now = self.now();
        let grant = self.change(Change::Proposals, |book, writer, _| {
            let proposal = book.open_proposal(id)?.clone();
            let grant = outcome(book, &proposal, terms, now)?;
            let credential = book.credential_by_id(grant.credential);
            let name = credential.map_or_else(String::new, |credential| credential.name.clone());
            if let Some(credential) = credential {
                GrantRules::compile(&grant, credential)
                    .map_err(|why| EngineError::Invalid(why.to_string()))?;
            }
            writer.put(&grant)?;
            match book.grants.iter_mut().find(|other| other.id == grant.id) {
                Some(place) => *place = grant.clone(),
                None => book.grants.push(grant.clone()),
            }
            answer(book, &proposal, ProposalState::Allowed { grant: grant.id, at: now });
            store(book, writer)?;
            let detail = format!("{} may use {name}, as asked", book.agent_name(grant.agent));
            Ok((grant.clone(), Done::new("proposal.allow", Subject::Grant(grant.id), detail)))
        })?;
        self.tell(Change::Grants);
        Ok(grant)
    }

    /// Denies it.
    pub fn deny_proposal(&self, id: &str) -> Result<Proposal, EngineError> {
        let now = self.now();
        self.change(Change::Proposals, |book, writer, _| {
            let mut proposal = book.open_proposal(id)?.clone();
            proposal.state = ProposalState::Denied { at: now };
            answer(book, &proposal, proposal.state);
            store(book, writer)?;
            let done =
                Done::new("proposal.deny", Subject::Agent(proposal.agent), book.agent_name(proposal.agent));
            Ok((proposal, done))
        })
    }
}

impl Book {
    /// The proposal of that id.
    pub fn proposal(&self, id: &str) -> Result<&Proposal, EngineError> {
        let wanted = id.parse::<ProposalId>().ok();
        self.proposals
            .iter()
            .find(|proposal| Some(proposal.id) == wanted)
            .ok_or_else(|| EngineError::NotFound { noun: "proposal", name: id.to_owned() })
    }

    fn open_proposal(&self, id: &str) -> Result<&Proposal, EngineError> {
        let proposal = self.proposal(id)?;
        if proposal.is_open() {
            Ok(proposal)
        } else {
            Err(EngineError::InUse("this was answered already; change the grant itself".into()))
        }
    }
}

/// Reads them from an open vault.
pub(crate) fn load(vault: &Unlocked) -> Result<Vec<Proposal>, EngineError> {
    let Some(stored) = vault.setting(SETTING)? else { return Ok(Vec::new()) };
    // EXPOSE: what agents asked for, which is no secret; it lies in the vault because it tells who uses what.
    serde_json::from_slice(stored.expose())
        .map_err(|_| EngineError::Integrity("the stored proposals cannot be read".into()))
}

/// Forgets those of an agent or a service that is gone.
pub(crate) fn forget(
    book: &mut Book,
    writer: &mut Writer<'_>,
    goes: impl Fn(&Proposal) -> bool,
) -> Result<(), EngineError> {
    if book.proposals.iter().any(&goes) {
        book.proposals.retain(|proposal| !goes(proposal));
        store(book, writer)?;
    }
    Ok(())
}

fn store(book: &mut Book, writer: &mut Writer<'_>) -> Result<(), EngineError> {
    let mut spare = book.proposals.len().saturating_sub(KEPT);
    book.proposals.retain(|proposal| {
        let goes = spare > 0 && !proposal.is_open();
        spare -= usize::from(goes);
        !goes
    });
    let json = serde_json::to_vec(&book.proposals)
        .map_err(|_| EngineError::Invalid("the proposals cannot be stored".into()))?;
    Ok(writer.put_setting(SETTING, &json)?)
}

fn answer(book: &mut Book, proposal: &Proposal, state: ProposalState) {
    if let Some(place) = book.proposals.iter_mut().find(|other| other.id == proposal.id) {
        place.state = state;
    }
}

/// What an agent may say: short, visible, and a scope that a grant could have.
fn cleaned(new: &NewProposal) -> Result<(String, Vec<String>, Vec<String>), EngineError> {
    let invalid = |why: String| Err(EngineError::Invalid(why));
    let why = plain(&new.why);
    if why.is_empty() {
        return invalid("say why: the owner reads it when deciding".into());
    }
    if why.chars().count() > MAX_WHY {
        return invalid(format!("the reason is longer than {MAX_WHY} characters"));
    }
    if new.methods.len() > MAX_METHODS || new.paths.len() > MAX_PATHS {
        return invalid(format!("at most {MAX_METHODS} methods and {MAX_PATHS} paths at a time"));
    }
    if new.paths.iter().any(|path| path.len() > MAX_PATH) {
        return invalid(format!("a path has at most {MAX_PATH} characters"));
    }
    let (mut methods, mut paths) = (upper(new.methods.clone())?, new.paths.clone());
    check_scope(&methods, &paths).map_err(|why| EngineError::Invalid(why.to_string()))?;
    methods.sort();
    methods.dedup();
    paths.sort();
    paths.dedup();
    Ok((why, methods, paths))
}

/// One line of text without anything that acts instead of showing.
fn plain(text: &str) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{61c}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    let shown: String = text.chars().map(|c| if acts(c) { ' ' } else { c }).collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An agent must not be able to wear its owner down.
fn within_bounds(book: &Book, new: &Proposal, now: Timestamp) -> Result<(), EngineError> {
    let refused = |why: String| Err(EngineError::Refused(why));
    let is_recent = |at: Timestamp| now.0 - at.0 < DAY_MS;
    let own = || book.proposals.iter().filter(|old| old.agent == new.agent);
    let denied = own()
        .any(|old| matches!(old.state, ProposalState::Denied { at } if is_recent(at)) && old.asks_as(new));
    if denied {
        return refused("the owner denied exactly this within the last day; do not ask again".into());
    }
    if own().filter(|old| old.is_open()).count() >= MAX_OPEN {
        return refused(format!("{MAX_OPEN} requests of yours wait for an answer already"));
    }
    if own().filter(|old| is_recent(old.created_at)).count() >= MAX_A_DAY {
        return refused(format!("{MAX_A_DAY} requests a day are the limit"));
    }
    Ok(())
}

/// The grant that allowing would leave: a new one, or the agent's grant on that credential, widened by what was asked.
fn outcome(book: &Book, proposal: &Proposal, terms: Terms, now: Timestamp) -> Result<Grant, EngineError> {
    let agent = book
        .agent_by_id(proposal.agent)
        .ok_or_else(|| EngineError::NotFound { noun: "agent", name: proposal.agent.to_string() })?;
    let credential = chosen(book, proposal, terms.credential.as_deref(), now)?;
    let methods = match terms.methods {
        None => proposal.methods.clone(),
        Some(methods) => fewer(&proposal.methods, upper(methods)?)?,
    };
    let paths = match terms.paths {
        None => proposal.paths.clone(),
        Some(paths) => narrower(&proposal.paths, paths)?,
    };
    let expires = moment(terms.expires, now)?;
    let held = book.grants_of(agent.id).find(|grant| grant.credential == credential);
    let mut grant = match held {
        None => fresh_grant(agent.id, credential, now),
        Some(held) => held.clone(),
    };
    let has_ended = grant.expires_at.is_some_and(|end| now >= end);
    if held.is_some() && !has_ended {
        grant.methods = union(&grant.methods, methods);
        grant.paths = union(&grant.paths, paths);
    } else {
        (grant.methods, grant.paths, grant.expires_at) = (methods, paths, None);
    }
    grant.rate = terms.rate.or(grant.rate);
    grant.hours = terms.hours.or(grant.hours);
    grant.expires_at = expires.or(grant.expires_at);
    Ok(grant)
}

/// The credential that is meant: the named one, or the only one that fits.
fn chosen(
    book: &Book,
    proposal: &Proposal,
    named: Option<&str>,
    now: Timestamp,
) -> Result<claviger_model::CredentialId, EngineError> {
    let service = book.service_by_id(proposal.service).map_or("the service", |s| s.name.as_str());
    if let Some(name) = named {
        let credential = book.credential(name)?;
        if credential.service != proposal.service {
            let why = format!("credential {:?} is not one of {service}", credential.name);
            return Err(EngineError::Invalid(why));
        }
        return Ok(credential.id);
    }
    let fitting: Vec<_> = book
        .credentials
        .iter()
        .filter(|credential| {
            credential.service == proposal.service
                && credential.state == CredentialState::Active
                && credential.expires_at.is_none_or(|end| now < end)
        })
        .collect();
    match fitting.as_slice() {
        [one] => Ok(one.id),
        [] => Err(EngineError::Invalid(format!("there is no credential for {service} yet; add one first"))),
        several => {
            let names: Vec<&str> = several.iter().map(|credential| credential.name.as_str()).collect();
            Err(EngineError::Invalid(format!("several credentials fit ({}); say which", names.join(", "))))
        }
    }
}

fn fewer(asked: &[String], wanted: Vec<String>) -> Result<Vec<String>, EngineError> {
    let is_empty = wanted.is_empty() && !asked.is_empty();
    match wanted.iter().find(|method| !asked.is_empty() && !asked.contains(method)) {
        Some(more) => Err(beyond(more)),
        None if is_empty => Err(beyond("every method")),
        None => Ok(wanted),
    }
}

fn narrower(asked: &[String], wanted: Vec<String>) -> Result<Vec<String>, EngineError> {
    let is_empty = wanted.is_empty() && !asked.is_empty();
    let is_inside = |path: &String| asked.is_empty() || asked.iter().any(|wide| covers(wide, path));
    match wanted.iter().find(|path| !is_inside(path)) {
        Some(more) => Err(beyond(more)),
        None if is_empty => Err(beyond("every path")),
        None => Ok(wanted),
    }
}

/// Whether everything that `narrow` matches is matched by `wide`. Says no when it cannot tell.
fn covers(wide: &str, narrow: &str) -> bool {
    if wide == narrow {
        return true;
    }
    if let Some(prefix) = wide.strip_suffix("**").filter(|prefix| !prefix.contains('*')) {
        return narrow.starts_with(prefix);
    }
    !narrow.contains('*') && Glob::compile(wide).is_ok_and(|glob| glob.matches(narrow))
}

fn beyond(what: &str) -> EngineError {
    EngineError::Invalid(format!("{what} is more than was asked; give a grant of its own for that"))
}

/// Empty means all, and all stays all.
fn union(held: &[String], asked: Vec<String>) -> Vec<String> {
    if held.is_empty() || asked.is_empty() {
        return Vec::new();
    }
    let new = asked.into_iter().filter(|item| !held.contains(item));
    held.iter().cloned().chain(new.collect::<Vec<_>>()).collect()
}

#[cfg(test)]
#[path = "proposals_tests.rs"]
mod tests;
