//! Proposals, from outside.

use claviger_engine::{Book, Engine, Terms};
use claviger_model::{CredentialState, Proposal, ProposalState, Timestamp};

use super::grant;
use crate::schema::grant::GrantView;
use crate::schema::proposal::{AllowProposalRequest, DenyProposalRequest, ProposalView};
use crate::schema::{ApiError, Named};

/// Open ones first, then the newest.
pub(crate) fn list(engine: &Engine) -> Result<Vec<ProposalView>, ApiError> {
    let book = engine.book()?;
    let mut all: Vec<&Proposal> = book.proposals.iter().collect();
    all.sort_by_key(|proposal| (!proposal.is_open(), std::cmp::Reverse(proposal.created_at)));
    Ok(all.into_iter().map(|proposal| view(engine, &book, proposal)).collect())
}

pub(crate) fn show(engine: &Engine, request: Named) -> Result<ProposalView, ApiError> {
    let book = engine.book()?;
    Ok(view(engine, &book, book.proposal(&request.name)?))
}

pub(crate) fn allow(engine: &Engine, request: AllowProposalRequest) -> Result<GrantView, ApiError> {
    let terms = Terms {
        credential: request.credential,
        methods: request.methods,
        paths: request.paths,
        rate: request.rate.as_deref().map(grant::rate).transpose()?,
        hours: request.hours.as_deref().map(grant::hours).transpose()?,
        expires: request.expires.as_deref().map(grant::expiry).transpose()?,
    };
    let given = engine.allow_proposal(&request.proposal, terms)?;
    grant::told(engine, &engine.book()?, &given)
}

pub(crate) fn deny(engine: &Engine, request: DenyProposalRequest) -> Result<ProposalView, ApiError> {
    let denied = engine.deny_proposal(&request.proposal)?;
    Ok(view(engine, &engine.book()?, &denied))
}

pub(crate) fn state(proposal: &Proposal) -> &'static str {
    match proposal.state {
        ProposalState::Open => "open",
        ProposalState::Allowed { .. } => "allowed",
        ProposalState::Denied { .. } => "denied",
    }
}

fn view(engine: &Engine, book: &Book, proposal: &Proposal) -> ProposalView {
    let service = book.service_by_id(proposal.service);
    let (answered, grant) = match proposal.state {
        ProposalState::Open => (None, None),
        ProposalState::Allowed { grant, at } => (Some(at), Some(grant)),
        ProposalState::Denied { at } => (Some(at), None),
    };
    let fits = |credential: &&claviger_model::Credential| {
        credential.service == proposal.service && credential.state == CredentialState::Active
    };
    let would = proposal.is_open().then(|| engine.preview(book, proposal)).flatten();
    ProposalView {
        proposal: proposal.id.to_string(),
        agent: book.agent_name(proposal.agent),
        service: service.map_or_else(|| proposal.service.to_string(), |service| service.name.clone()),
        title: service.map_or_else(String::new, |service| service.title.clone()),
        why: proposal.why.clone(),
        methods: proposal.methods.clone(),
        paths: proposal.paths.clone(),
        state: state(proposal).to_owned(),
        created: proposal.created_at.to_rfc3339(),
        answered: answered.map(Timestamp::to_rfc3339),
        grant: grant.map(|id| id.to_string()),
        credentials: book.credentials.iter().filter(fits).map(|c| c.name.clone()).collect(),
        would: would.and_then(|grant| grant::view(engine, book, &grant)).map(|view| view.sentence),
    }
}
