//! Grants, from outside.

use claviger_engine::{Book, Engine, Expiry, GrantChange, NewGrant};
use claviger_model::{Grant, Hours, Rate, Timestamp};

use super::{duration, moment};
use crate::schema::grant::{AddGrantRequest, ExplainRequest, ExplainView, GrantView, SetGrantRequest};
use crate::schema::{ApiError, Code, Named, Nothing};

pub(crate) fn list(engine: &Engine) -> Result<Vec<GrantView>, ApiError> {
    let book = engine.book()?;
    Ok(book.grants.iter().filter_map(|grant| view(engine, &book, grant)).collect())
}

pub(crate) fn show(engine: &Engine, request: Named) -> Result<GrantView, ApiError> {
    let book = engine.book()?;
    told(engine, &book, book.grant(&request.name)?)
}

pub(crate) fn add(engine: &Engine, request: AddGrantRequest) -> Result<GrantView, ApiError> {
    let new = NewGrant {
        agent: request.agent,
        credential: request.credential,
        methods: request.methods,
        paths: request.paths,
        rate: request.rate.as_deref().map(rate).transpose()?,
        hours: request.hours.as_deref().map(hours).transpose()?,
        expires: request.expires.as_deref().map(expiry).transpose()?,
    };
    let grant = engine.add_grant(new)?;
    told(engine, &engine.book()?, &grant)
}

pub(crate) fn set(engine: &Engine, request: SetGrantRequest) -> Result<GrantView, ApiError> {
    let change = GrantChange {
        methods: request.methods,
        paths: request.paths,
        rate: cleared(request.rate, rate)?,
        hours: cleared(request.hours, hours)?,
        expires: cleared(request.expires, expiry)?,
    };
    let grant = engine.set_grant(&request.grant, change)?;
    told(engine, &engine.book()?, &grant)
}

pub(crate) fn remove(engine: &Engine, request: Named) -> Result<Nothing, ApiError> {
    engine.remove_grant(&request.name)?;
    Ok(Nothing {})
}

pub(crate) fn explain(engine: &Engine, request: ExplainRequest) -> Result<ExplainView, ApiError> {
    let why = engine.explain(&request.agent, &request.method.to_ascii_uppercase(), &request.url)?;
    Ok(ExplainView {
        allowed: why.refusal.is_none(),
        code: why.refusal.map(|code| code.word().to_owned()),
        rule: why.rule,
        grant: why.grant.map(|id| id.to_string()),
        credential: why.credential,
    })
}

/// `None` when the agent, credential or service is gone.
pub(crate) fn view(engine: &Engine, book: &Book, grant: &Grant) -> Option<GrantView> {
    let agent = book.agent_by_id(grant.agent)?;
    let credential = book.credential_by_id(grant.credential)?;
    let service = book.service_by_id(credential.service)?;
    let mut sentence = format!("{} may use {}", agent.name, credential.name);
    if !grant.methods.is_empty() {
        sentence.push_str(&format!(" for {}", grant.methods.join(", ")));
    }
    if !grant.paths.is_empty() {
        sentence.push_str(&format!(" on {}", grant.paths.join(", ")));
    }
    if let Some(rate) = grant.rate {
        sentence.push_str(&format!(", at most {rate}"));
    }
    if let Some(hours) = grant.hours {
        sentence.push_str(&format!(", between {hours} UTC"));
    }
    if let Some(at) = grant.expires_at {
        sentence.push_str(&format!(", until {}", at.to_rfc3339().get(..10).unwrap_or_default()));
    }
    Some(GrantView {
        grant: grant.id.to_string(),
        agent: agent.name.clone(),
        credential: credential.name.clone(),
        service: service.name.clone(),
        base_url: engine.base_url(grant, service),
        methods: grant.methods.clone(),
        paths: grant.paths.clone(),
        rate: grant.rate.map(|rate| rate.to_string()),
        hours: grant.hours.map(|hours| hours.to_string()),
        created: grant.created_at.to_rfc3339(),
        expires: grant.expires_at.map(Timestamp::to_rfc3339),
        sentence,
    })
}

pub(crate) fn told(engine: &Engine, book: &Book, grant: &Grant) -> Result<GrantView, ApiError> {
    view(engine, book, grant)
        .ok_or_else(|| ApiError::new(Code::NotFound, "the grant's agent or credential is gone", ""))
}

pub(crate) fn rate(text: &str) -> Result<Rate, ApiError> {
    text.parse().map_err(|why| ApiError::new(Code::Usage, format!("{text:?}: {why}"), ""))
}

pub(crate) fn hours(text: &str) -> Result<Hours, ApiError> {
    text.parse().map_err(|why| ApiError::new(Code::Usage, format!("{text:?}: {why}"), ""))
}

pub(crate) fn expiry(text: &str) -> Result<Expiry, ApiError> {
    match duration(text) {
        Ok(span) => Ok(Expiry::In(span)),
        Err(_) => moment(text).map(Expiry::At),
    }
}

/// A present field replaces, an empty text clears.
fn cleared<T>(
    field: Option<String>,
    read: impl FnOnce(&str) -> Result<T, ApiError>,
) -> Result<Option<Option<T>>, ApiError> {
    match field.as_deref() {
        None => Ok(None),
        Some("") => Ok(Some(None)),
        Some(text) => read(text).map(|value| Some(Some(value))),
    }
}
