//! Grants: give, change, take away, and say why a request would be decided as it is.

use claviger_model::{
    AgentId, BasePath, CredentialId, Duration, Grant, GrantId, Hours, Rate, RefusalCode, Subject, Timestamp,
};
use claviger_policy::{Decision, Facts, GrantRules, explain};

use crate::engine::{Change, Done, Engine};
use crate::error::EngineError;
use crate::services::Target;

/// A grant to be given.
#[derive(Default)]
pub struct NewGrant {
    /// The agent's name or id.
    pub agent: String,
    /// The credential's name or id.
    pub credential: String,
    /// Allowed methods; empty means all.
    pub methods: Vec<String>,
    /// Allowed path globs; empty means all.
    pub paths: Vec<String>,
    /// At most this many requests.
    pub rate: Option<Rate>,
    /// Only in these hours.
    pub hours: Option<Hours>,
    /// How long, or until when.
    pub expires: Option<Expiry>,
}

/// How long a grant lasts.
#[derive(Clone, Copy, Debug)]
pub enum Expiry {
    /// From now.
    In(Duration),
    /// At a moment.
    At(Timestamp),
}

/// What changes in a grant: outer `None` leaves a field, inner `None` clears it.
#[derive(Default)]
pub struct GrantChange {
    /// Allowed methods.
    pub methods: Option<Vec<String>>,
    /// Allowed path globs.
    pub paths: Option<Vec<String>>,
    /// At most this many requests.
    pub rate: Option<Option<Rate>>,
    /// Only in these hours.
    pub hours: Option<Option<Hours>>,
    /// How long from now, or until when.
    pub expires: Option<Option<Expiry>>,
}

/// Why a request would be decided as it is.
pub struct Explanation {
    /// The code that the agent would be given; `None` when it would be let through.
    pub refusal: Option<RefusalCode>,
    /// The rule in words.
    pub rule: String,
    /// The grant that decides.
    pub grant: Option<GrantId>,
    /// The name of the credential that would be released.
    pub credential: Option<String>,
}

impl Engine {
    /// Gives a grant, with a fresh random base path.
    pub fn add_grant(&self, new: NewGrant) -> Result<Grant, EngineError> {
        let now = self.now();
        self.change(Change::Grants, |book, writer, _| {
            let agent = book.agent(&new.agent)?;
            let credential = book.credential(&new.credential)?;
            if book.grants_of(agent.id).any(|grant| grant.credential == credential.id) {
                let name = format!("{} on {}", agent.name, credential.name);
                return Err(EngineError::Exists { noun: "grant of", name });
            }
            let grant = Grant {
                methods: upper(new.methods)?,
                paths: new.paths,
                rate: new.rate,
                hours: new.hours,
                expires_at: moment(new.expires, now)?,
                ..fresh_grant(agent.id, credential.id, now)
            };
            GrantRules::compile(&grant, credential).map_err(|why| EngineError::Invalid(why.to_string()))?;
            writer.put(&grant)?;
            let detail = format!("{} may use {}", agent.name, credential.name);
            book.grants.push(grant.clone());
            let done = Done::new("grant.add", Subject::Grant(grant.id), detail);
            Ok((grant, done))
        })
    }

    /// Changes a grant's rules. Its base path stays.
    pub fn set_grant(&self, id: &str, change: GrantChange) -> Result<Grant, EngineError> {
        let now = self.now();
        self.change(Change::Grants, |book, writer, _| {
            let mut grant = book.grant(id)?.clone();
            if let Some(methods) = change.methods {
                grant.methods = upper(methods)?;
            }
            if let Some(paths) = change.paths {
                grant.paths = paths;
            }
            if let Some(rate) = change.rate {
                grant.rate = rate;
            }
            if let Some(hours) = change.hours {
                grant.hours = hours;
            }
            if let Some(expires) = change.expires {
                grant.expires_at = moment(expires, now)?;
            }
            let credential = book.credential_by_id(grant.credential).ok_or_else(|| {
                EngineError::NotFound { noun: "credential", name: grant.credential.to_string() }
            })?;
            GrantRules::compile(&grant, credential).map_err(|why| EngineError::Invalid(why.to_string()))?;
            writer.put(&grant)?;
            if let Some(place) = book.grants.iter_mut().find(|other| other.id == grant.id) {
                *place = grant.clone();
            }
            let done = Done::new("grant.set", Subject::Grant(grant.id), "");
            Ok((grant, done))
        })
    }

    /// Takes a grant away, also from open streams.
    pub fn remove_grant(&self, id: &str) -> Result<(), EngineError> {
        self.change(Change::Grants, |book, writer, _| {
            let grant = book.grant(id)?.clone();
            writer.remove::<Grant>(grant.id)?;
            book.grants.retain(|other| other.id != grant.id);
            Ok(((), Done::new("grant.remove", Subject::Grant(grant.id), "")))
        })
    }

    /// Why a request of this agent to this URL would be decided as it is.
    pub fn explain(&self, agent: &str, method: &str, url: &str) -> Result<Explanation, EngineError> {
        let now = self.now();
        let asked: http::Uri = url.parse().map_err(|_| EngineError::Invalid(format!("{url:?} is no URL")))?;
        let base = format!(
            "{}://{}",
            asked.scheme_str().unwrap_or_default(),
            asked.authority().map(http::uri::Authority::as_str).unwrap_or_default()
        );
        let target = Target::parse(&base, true)?;
        self.read(|open| {
            let agent = open.book.agent(agent)?;
            let deny = |refusal, rule: &str| Explanation {
                refusal: Some(refusal),
                rule: rule.to_owned(),
                grant: None,
                credential: None,
            };
            if agent.token.is_none() {
                return Ok(deny(RefusalCode::Unauthenticated, "the agent's token was revoked"));
            }
            if open.paused || agent.paused {
                return Ok(deny(RefusalCode::PolicyDenied, "the agent is paused"));
            }
            let mut last = None;
            for grant in open.book.grants_of(agent.id) {
                let Some(credential) = open.book.credential_by_id(grant.credential) else { continue };
                let Some(service) = open.book.service_by_id(credential.service) else { continue };
                let at = Target::parse(&service.base_url, service.allow_private)?;
                let inside =
                    asked.path() == at.prefix || asked.path().starts_with(&format!("{}/", at.prefix));
                if (at.https, &at.host, at.port) != (target.https, &target.host, target.port) || !inside {
                    continue;
                }
                let rules = match open.snapshot.routes.get(grant.base.0.as_str()) {
                    Some(route) => &route.rules,
                    None => continue,
                };
                let facts = Facts {
                    method,
                    host: &at.host,
                    port: at.port,
                    path: asked.path(),
                    query: asked.query(),
                    now,
                };
                let decided = match explain(rules, agent.id, &facts) {
                    Decision::Allow(()) => {
                        return Ok(Explanation {
                            refusal: None,
                            rule: format!("the grant lets {} use {} here", agent.name, credential.name),
                            grant: Some(grant.id),
                            credential: Some(credential.name.clone()),
                        });
                    }
                    Decision::Deny(denial) => Explanation {
                        refusal: Some(denial.reason.code()),
                        rule: denial.reason.to_string(),
                        grant: Some(grant.id),
                        credential: Some(credential.name.clone()),
                    },
                };
                last = Some(decided);
            }
            Ok(last.unwrap_or_else(|| {
                deny(RefusalCode::GrantMissing, "no grant of this agent covers this address")
            }))
        })
    }
}

/// A grant without rules, with a base path that nobody knows yet.
pub(crate) fn fresh_grant(agent: AgentId, credential: CredentialId, now: Timestamp) -> Grant {
    Grant {
        id: GrantId::from_bytes(claviger_crypto::random_id()),
        agent,
        credential,
        base: fresh_base(),
        methods: Vec::new(),
        paths: Vec::new(),
        rate: None,
        hours: None,
        created_at: now,
        expires_at: None,
    }
}

/// 128 random bits in 26 characters that say nothing.
fn fresh_base() -> BasePath {
    BasePath(data_encoding::BASE32_NOPAD.encode(&claviger_crypto::random_id()).to_ascii_lowercase())
}

pub(crate) fn upper(methods: Vec<String>) -> Result<Vec<String>, EngineError> {
    let methods: Vec<String> = methods.iter().map(|method| method.trim().to_ascii_uppercase()).collect();
    match methods
        .iter()
        .find(|method| method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-'))
    {
        Some(bad) => Err(EngineError::Invalid(format!("{bad:?} is no request method"))),
        None => Ok(methods),
    }
}

pub(crate) fn moment(expires: Option<Expiry>, now: Timestamp) -> Result<Option<Timestamp>, EngineError> {
    let at = match expires {
        None => return Ok(None),
        Some(Expiry::In(span)) => now.after(span),
        Some(Expiry::At(at)) => at,
    };
    if at <= now { Err(EngineError::Invalid("the grant would end in the past".into())) } else { Ok(Some(at)) }
}
