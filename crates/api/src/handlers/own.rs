//! What an agent is told about itself. Must not tell material, a credential's name, or anything of another agent.

use claviger_engine::log::What;
use claviger_engine::{Book, Engine, EntryFilter, NewProposal};
use claviger_model::{
    AgentId, CredentialState, Grant, Outcome, Proposal, ProposalState, Protocol, RefusalCode, Service,
    ServiceId, Timestamp,
};

use super::now;
use super::proposal::state;
use crate::schema::own::{
    Ask, DenialView, OwnAccessView, OwnAskRequest, OwnExplainRequest, OwnProposalView, OwnRequest,
    OwnServiceView,
};
use crate::schema::{ApiError, Code, SecretInput};

/// So many of its requests an agent is reminded of.
const SHOWN: usize = 20;

pub(crate) fn list_by_token(engine: &Engine, request: OwnRequest) -> Result<OwnAccessView, ApiError> {
    list(engine, who(engine, request.token)?)
}

pub(crate) fn ask_by_token(engine: &Engine, request: OwnAskRequest) -> Result<OwnProposalView, ApiError> {
    ask(engine, who(engine, request.token)?, request.ask)
}

pub(crate) fn explain_by_token(engine: &Engine, request: OwnExplainRequest) -> Result<DenialView, ApiError> {
    explain(engine, who(engine, request.token)?, &request.event)
}

fn who(engine: &Engine, token: SecretInput) -> Result<AgentId, ApiError> {
    let token = token.into_secret();
    // EXPOSE: hashed and looked up; it goes no further.
    Ok(engine.agent_of(token.expose())?)
}

pub(crate) fn list(engine: &Engine, agent: AgentId) -> Result<OwnAccessView, ApiError> {
    let book = engine.book()?;
    let name = book.agent_by_id(agent).map(|agent| agent.name.clone()).ok_or_else(gone)?;
    let services = book.grants_of(agent).filter_map(|grant| service_view(engine, &book, grant)).collect();
    let own = book.proposals.iter().rev().filter(|proposal| proposal.agent == agent);
    let requests = own.take(SHOWN).map(|proposal| proposal_view(&book, proposal)).collect();
    let how = "Call a service at its base_url in place of its own, with your Claviger agent token as the API key \
               (Authorization: Bearer, or where that service's SDK puts its key). Claviger puts the real credential on."
        .to_owned();
    Ok(OwnAccessView { agent: name, services, requests, how })
}

pub(crate) fn ask(engine: &Engine, agent: AgentId, ask: Ask) -> Result<OwnProposalView, ApiError> {
    let Ask { service, why, methods, paths } = ask;
    let proposal = engine.propose(agent, NewProposal { service, why, methods, paths })?;
    Ok(proposal_view(&engine.book()?, &proposal))
}

pub(crate) fn explain(engine: &Engine, agent: AgentId, event: &str) -> Result<DenialView, ApiError> {
    let none = || {
        let hint = "take the EVT-… id from the refusal's body; only your own are explained";
        ApiError::new(Code::NotFound, "no refusal of yours has this id", hint)
    };
    let filter = EntryFilter {
        agent: Some(agent.to_string()),
        event: Some(event.to_owned()),
        ..EntryFilter::default()
    };
    let (page, book) = engine.entries(&filter, 1, None).map_err(|why| match why {
        claviger_engine::EngineError::NotFound { .. } => none(),
        other => other.into(),
    })?;
    let entry = page.entries.first().ok_or_else(none)?;
    let fact = match &entry.what {
        What::Refusal(refusal) => Fact {
            code: refusal.code,
            reason: &refusal.reason,
            method: &refusal.method,
            path: &refusal.path,
            // A grant of somebody else's, or none: which of the two is not told.
            service: refusal.service.filter(|_| refusal.code != RefusalCode::GrantMissing),
            is_at_service: false,
        },
        What::Request { release, completion: Some(completion) } => match completion.outcome {
            Outcome::Failed(code) => Fact {
                code,
                reason: "",
                method: &release.method,
                path: &release.path,
                service: Some(release.service),
                is_at_service: true,
            },
            _ => return Err(none()),
        },
        What::Request { .. } | What::Act(_) => return Err(none()),
    };
    Ok(denial(&book, event, entry.at(), &fact))
}

/// What the record says about a refusal.
struct Fact<'a> {
    code: RefusalCode,
    reason: &'a str,
    method: &'a str,
    path: &'a str,
    service: Option<ServiceId>,
    /// The path is already the one at the service.
    is_at_service: bool,
}

fn denial(book: &Book, event: &str, at: Timestamp, fact: &Fact<'_>) -> DenialView {
    let service = fact.service.and_then(|id| book.service_by_id(id));
    let path = match service {
        Some(service) if !fact.is_at_service => at_service(service, fact.path),
        _ => fact.path.to_owned(),
    };
    let (why, next) = words(fact.code, fact.reason);
    // Only a rule of methods or paths is one that another scope would pass.
    let is_scope = fact.code == RefusalCode::PolicyDenied
        && (fact.reason.starts_with("method") || fact.reason.starts_with("path"));
    let ask_for = service.filter(|_| is_scope).map(|service| Ask {
        service: service.name.clone(),
        why: String::new(),
        methods: vec![fact.method.to_owned()],
        paths: vec![path.clone()],
    });
    DenialView {
        event: event.to_owned(),
        at: at.to_rfc3339(),
        code: fact.code.word().to_owned(),
        request: format!("{} {path}", fact.method),
        service: service.map(|service| service.name.clone()),
        why,
        next,
        ask_for,
    }
}

/// Why, and what to do. The rule's own words are told where they are about the agent's own grant.
fn words(code: RefusalCode, reason: &str) -> (String, String) {
    use RefusalCode as C;
    let (why, next) = match code {
        C::PolicyDenied | C::RateLimited | C::RequestMalformed => (
            reason,
            match code {
                C::PolicyDenied => {
                    "stay within what list_services shows, or ask for more with request_access"
                }
                C::RateLimited => "wait, and ask less often; retry-after says how long",
                _ => "send the request in the form that docs/proxy-behaviour.md describes",
            },
        ),
        C::Unauthenticated => (
            "the token was missing, ended, or not the only one on the request",
            "send your current agent token, once",
        ),
        C::VaultLocked => ("the vault was locked", "wait until its owner has unlocked it"),
        C::GrantMissing => (
            "no grant of yours is at that address, or it has ended",
            "take the base URL from list_services, or ask with request_access",
        ),
        C::ApprovalDenied => ("the owner said no", "do not try again"),
        C::ApprovalTimeout => ("the owner did not answer in time", "try again later"),
        C::BudgetExhausted => ("the budget is used up", "wait until it is renewed"),
        C::CredentialExpired => (
            "the credential behind this address has ended",
            "tell the owner: it must be renewed or reconnected",
        ),
        C::CredentialFrozen => (
            "the credential behind this address may not be used now",
            "tell the owner; only they can change it",
        ),
        C::InsufficientScope => (
            "the service wants a permission that the credential behind this address does not have",
            "tell the owner, who was told too: the credential must be connected again with more permissions",
        ),
        C::AuditUnavailable => ("the request could not be recorded, so nothing was sent", "try again later"),
        C::TooLarge => ("the request was larger than Claviger forwards", "send less at a time"),
        C::UpstreamRefused => {
            ("the service's address or certificate is not one that Claviger talks to", "tell the owner")
        }
        C::UpstreamUnreachable => ("the service could not be reached", "try again later"),
        C::UpstreamTimeout => ("the service did not answer in time", "try again later"),
        C::ResponseBlocked => ("the service's answer could not be let through", "tell the owner"),
    };
    (why.to_owned(), next.to_owned())
}

/// The record has the path as the agent sent it; rules are about the one at the service.
fn at_service(service: &Service, sent: &str) -> String {
    claviger_engine::path_at_service(service, sent)
}

fn service_view(engine: &Engine, book: &Book, grant: &Grant) -> Option<OwnServiceView> {
    let agent = book.agent_by_id(grant.agent)?;
    let credential = book.credential_by_id(grant.credential)?;
    let service = book.service_by_id(credential.service)?;
    let ended = |end: Option<Timestamp>| end.is_some_and(|end| now() >= end);
    let note = if agent.paused {
        Some("you are paused by the owner")
    } else if ended(grant.expires_at) {
        Some("this grant has ended; ask again with request_access")
    } else if credential.state != CredentialState::Active {
        Some("the credential behind it may not be used now")
    } else if ended(credential.expires_at) {
        Some("the credential behind it has ended; the owner must renew it")
    } else {
        None
    };
    Some(OwnServiceView {
        service: service.name.clone(),
        title: service.title.clone(),
        base_url: engine.base_url(grant, service),
        protocol: match service.protocol {
            Protocol::Http => "http",
            Protocol::Mcp => "mcp",
        }
        .to_owned(),
        allowed: allowed(grant),
        methods: grant.methods.clone(),
        paths: grant.paths.clone(),
        until: grant.expires_at.map(Timestamp::to_rfc3339),
        usable: note.is_none(),
        note: note.map(str::to_owned),
    })
}

fn allowed(grant: &Grant) -> String {
    let all = |list: &[String], all: &str| if list.is_empty() { all.to_owned() } else { list.join(", ") };
    let mut words = format!("{} on {}", all(&grant.methods, "any method"), all(&grant.paths, "any path"));
    if let Some(rate) = grant.rate {
        words.push_str(&format!(", at most {rate}"));
    }
    if let Some(hours) = grant.hours {
        words.push_str(&format!(", between {hours} UTC"));
    }
    words
}

fn proposal_view(book: &Book, proposal: &Proposal) -> OwnProposalView {
    let message = match proposal.state {
        ProposalState::Open => {
            "The owner decides; nothing is granted yet. list_services shows the answer. Go on with something else."
        }
        ProposalState::Allowed { .. } => "Allowed: list_services has the base URL and what is allowed.",
        ProposalState::Denied { .. } => "Denied by the owner. Do not ask for the same again.",
    };
    OwnProposalView {
        request: proposal.id.to_string(),
        service: book.service_by_id(proposal.service).map_or_else(String::new, |s| s.name.clone()),
        methods: proposal.methods.clone(),
        paths: proposal.paths.clone(),
        state: state(proposal).to_owned(),
        asked: proposal.created_at.to_rfc3339(),
        message: message.to_owned(),
    }
}

fn gone() -> ApiError {
    ApiError::new(Code::Refused, "Claviger does not know this agent any more", "")
}
