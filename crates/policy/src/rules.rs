//! A grant compiled for the request path, and the decision over it.
//!
//! Must not know where grants are kept or how requests arrive.

use std::sync::Arc;

use claviger_model::{AgentId, Credential, CredentialId, CredentialState, Grant, GrantId, Hours, Timestamp};

use crate::decision::{Decision, Denial, Permit, Reason};
use crate::glob::Glob;
use crate::window::Window;

/// A grant with its rules compiled, and the standing of its credential.
#[derive(Debug)]
pub struct GrantRules {
    grant: GrantId,
    agent: AgentId,
    credential: CredentialId,
    standing: CredentialState,
    credential_expires_at: Option<Timestamp>,
    grant_expires_at: Option<Timestamp>,
    methods: Box<[Box<str>]>,
    paths: Box<[Glob]>,
    hours: Option<Hours>,
    window: Option<Arc<Window>>,
}

/// What a decision is made on: what the request is about to do, and when.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Method, as on the wire.
    pub method: &'a str,
    /// Host that will be dialled.
    pub host: &'a str,
    /// Port that will be dialled.
    pub port: u16,
    /// Path at the service, byte for byte as it will be on the wire.
    pub path: &'a str,
    /// Query without the question mark, without credentials.
    pub query: Option<&'a str>,
    /// When.
    pub now: Timestamp,
}

/// A grant that cannot be compiled. Says which rule and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// A path glob that cannot be read.
    #[error("not a path pattern: {pattern}: {why}")]
    Path {
        /// As written.
        pattern: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A method that cannot be allowed.
    #[error(
        "not a method that can be allowed: {0}; write upper-case names as in GET,POST (CONNECT and TRACE never)"
    )]
    Method(String),
    /// A window of hours that is empty or outside the day.
    #[error("not a window of the day: {0}; write two different times as in 09-18")]
    Hours(Hours),
    /// A rate of nothing.
    #[error("a rate of 0 allows nothing; remove the grant instead")]
    Rate,
    /// The grant is for another credential.
    #[error("the grant is for another credential than the one given")]
    OtherCredential,
}

/// How much of an agent's own text a reason quotes.
const QUOTED: usize = 24;

// === impl GrantRules ===

impl GrantRules {
    /// Compiles a grant. An unreadable rule is an error, never a rule that does not match.
    pub fn compile(grant: &Grant, credential: &Credential) -> Result<Self, RuleError> {
        Self::compile_after(grant, credential, None)
    }

    /// Compiles a grant and goes on counting where `previous` stands, so that a change never resets a rate.
    pub fn compile_after(
        grant: &Grant,
        credential: &Credential,
        previous: Option<&Self>,
    ) -> Result<Self, RuleError> {
        if grant.credential != credential.id {
            return Err(RuleError::OtherCredential);
        }
        let paths = scope(&grant.methods, &grant.paths)?;
        if let Some(hours) = grant.hours {
            let inside = hours.from_minute < 1440 && hours.to_minute <= 1440;
            if !inside
                || hours.from_minute == hours.to_minute
                || hours.utc_offset_minutes.unsigned_abs() > 1440
            {
                return Err(RuleError::Hours(hours));
            }
        }
        let window = match grant.rate {
            None => None,
            Some(rate) if rate.count == 0 => return Err(RuleError::Rate),
            Some(rate) => previous
                .filter(|old| old.grant == grant.id)
                .and_then(|old| old.window.clone())
                .filter(|old| old.rate() == rate)
                .or_else(|| Some(Arc::new(Window::new(rate)))),
        };
        Ok(Self {
            grant: grant.id,
            agent: grant.agent,
            credential: credential.id,
            standing: credential.state,
            credential_expires_at: credential.expires_at,
            grant_expires_at: grant.expires_at,
            methods: grant.methods.iter().map(|m| m.as_str().into()).collect(),
            paths,
            hours: grant.hours,
            window,
        })
    }

    /// Which grant.
    pub const fn grant(&self) -> GrantId {
        self.grant
    }

    /// Whose.
    pub const fn agent(&self) -> AgentId {
        self.agent
    }

    /// Whose use it governs.
    pub const fn credential(&self) -> CredentialId {
        self.credential
    }

    /// Whether the credential is in a state in which it may be used; its expiry is a matter of time and not asked.
    pub fn credential_usable(&self) -> bool {
        self.standing == CredentialState::Active
    }

    /// Every rule but the rate, which alone costs something to ask.
    fn check(&self, agent: AgentId, facts: &Facts<'_>) -> Result<(), Reason> {
        if agent != self.agent {
            return Err(Reason::OtherAgent);
        }
        match self.standing {
            CredentialState::Active => {}
            CredentialState::Revoked => return Err(Reason::CredentialRevoked),
            CredentialState::Frozen => return Err(Reason::CredentialFrozen),
        }
        if self.grant_expires_at.is_some_and(|end| facts.now >= end) {
            return Err(Reason::GrantExpired);
        }
        if self.credential_expires_at.is_some_and(|end| facts.now >= end) {
            return Err(Reason::CredentialExpired);
        }
        if never_allowed(facts.method) {
            return Err(Reason::MethodNeverAllowed(quoted(facts.method)));
        }
        if !self.methods.is_empty() && !self.methods.iter().any(|m| **m == *facts.method) {
            let allowed = self.methods.join(", ");
            return Err(Reason::MethodNotAmong { method: quoted(facts.method), allowed });
        }
        if !self.paths.is_empty() && !self.paths.iter().any(|glob| glob.matches(facts.path)) {
            let allowed = self.paths.iter().map(Glob::text).collect::<Vec<_>>().join(", ");
            return Err(Reason::PathNotAmong { allowed });
        }
        if let Some(hours) = self.hours
            && !inside(hours, facts.now)
        {
            return Err(Reason::OutsideHours { allowed: words(hours) });
        }
        Ok(())
    }

    fn answer(&self, agent: AgentId, facts: &Facts<'_>, spend: bool) -> Result<(), Denial> {
        self.check(agent, facts).map_err(|reason| Denial { reason, retry_after_ms: None })?;
        if let Some(window) = &self.window
            && let Err(wait) = window.pass(facts.now, spend)
        {
            let reason = Reason::RateUsedUp { allowed: window.rate().to_string() };
            return Err(Denial { reason, retry_after_ms: Some(wait) });
        }
        Ok(())
    }
}

/// Says whether a grant could have these methods and paths, before there is one.
pub fn check_scope(methods: &[String], paths: &[String]) -> Result<(), RuleError> {
    scope(methods, paths).map(|_| ())
}

fn scope(methods: &[String], paths: &[String]) -> Result<Box<[Glob]>, RuleError> {
    for method in methods {
        let readable = !method.is_empty()
            && method.len() <= QUOTED
            && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
        if !readable || never_allowed(method) {
            return Err(RuleError::Method(method.clone()));
        }
    }
    let glob = |pattern: &String| {
        Glob::compile(pattern).map_err(|why| RuleError::Path { pattern: pattern.clone(), why })
    };
    paths.iter().map(glob).collect()
}

/// Decides one request. Counts it against the grant's rate when everything else lets it pass.
pub fn decide(rules: &GrantRules, agent: AgentId, facts: &Facts<'_>) -> Decision {
    match rules.answer(agent, facts, true) {
        Ok(()) => Decision::Allow(Permit::new(rules.grant, rules.agent, rules.credential)),
        Err(denial) => Decision::Deny(denial),
    }
}

/// How [`decide`] would decide. Counts nothing and permits nothing.
pub fn explain(rules: &GrantRules, agent: AgentId, facts: &Facts<'_>) -> Decision<()> {
    match rules.answer(agent, facts, false) {
        Ok(()) => Decision::Allow(()),
        Err(denial) => Decision::Deny(denial),
    }
}

/// Whatever the case: some upstreams read methods without regard to it.
const fn never_allowed(method: &str) -> bool {
    method.eq_ignore_ascii_case("CONNECT") || method.eq_ignore_ascii_case("TRACE")
}

fn inside(hours: Hours, now: Timestamp) -> bool {
    let minute = (now.0.div_euclid(60_000) + i64::from(hours.utc_offset_minutes)).rem_euclid(1440);
    let (from, to) = (i64::from(hours.from_minute), i64::from(hours.to_minute));
    if from < to { (from..to).contains(&minute) } else { minute >= from || minute < to }
}

fn words(hours: Hours) -> String {
    let offset = hours.utc_offset_minutes;
    if offset == 0 {
        return format!("{hours} UTC");
    }
    let sign = if offset < 0 { '-' } else { '+' };
    let (hour, minute) = (offset.unsigned_abs() / 60, offset.unsigned_abs() % 60);
    format!("{hours} UTC{sign}{hour:02}:{minute:02}")
}

fn quoted(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(QUOTED).collect()
}
