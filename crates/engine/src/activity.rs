//! Reading the record and the roll-ups, with the book's names for what the log knows by id.

use claviger_audit::{Filter, Page, SeriesStep, Text, UsageBy, UsageKey, UsageTotals, VerifyReport};
use claviger_model::{AgentId, CredentialId, Duration, Timestamp};

use crate::book::Book;
use crate::engine::Engine;
use crate::error::EngineError;

/// Which entries are wanted, by names.
#[derive(Clone, Debug, Default)]
pub struct EntryFilter {
    /// Not before this.
    pub since: Option<Timestamp>,
    /// Of this agent, by name or id.
    pub agent: Option<String>,
    /// Of this credential, by name or id.
    pub credential: Option<String>,
    /// With this result.
    pub result: Option<claviger_audit::EntryResult>,
    /// With this tracking id.
    pub event: Option<String>,
    /// In which this occurs.
    pub text: Option<String>,
}

impl Engine {
    /// Entries, newest first, and the book to name them by.
    pub fn entries(
        &self,
        filter: &EntryFilter,
        limit: usize,
        before: Option<u64>,
    ) -> Result<(Page, Book), EngineError> {
        let book = self.book()?;
        let event = match &filter.event {
            None => None,
            Some(id) => {
                Some(id.parse().map_err(|_| EngineError::NotFound { noun: "event", name: id.clone() })?)
            }
        };
        // Removed agents and credentials are still found by their id.
        let agent = match &filter.agent {
            None => None,
            Some(name) => Some(match name.parse::<AgentId>() {
                Ok(id) => id,
                Err(_) => book.agent(name)?.id,
            }),
        };
        let credential = match &filter.credential {
            None => None,
            Some(name) => Some(match name.parse::<CredentialId>() {
                Ok(id) => id,
                Err(_) => book.credential(name)?.id,
            }),
        };
        let text = filter.text.as_deref().filter(|text| !text.is_empty()).map(|needle| {
            let lower = needle.to_lowercase();
            let fits = |name: &str| name.to_lowercase().contains(&lower);
            Text {
                needle: needle.to_owned(),
                agents: book.agents.iter().filter(|a| fits(&a.name)).map(|a| a.id).collect(),
                credentials: book.credentials.iter().filter(|c| fits(&c.name)).map(|c| c.id).collect(),
                services: book
                    .services
                    .iter()
                    .filter(|s| fits(&s.name) || fits(&s.title))
                    .map(|s| s.id)
                    .collect(),
            }
        });
        let wanted = Filter {
            since: filter.since,
            agent,
            credential,
            result: filter.result,
            event,
            text,
            ..Filter::default()
        };
        let page = self.log()?.entries(&wanted, limit, before)?;
        Ok((page, book))
    }

    /// Checks the whole log.
    pub fn verify_log(&self) -> Result<VerifyReport, EngineError> {
        Ok(self.log()?.verify()?)
    }

    /// Totals over a range.
    pub fn usage(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        by: UsageBy,
    ) -> Result<Vec<UsageTotals>, EngineError> {
        Ok(self.log()?.usage(since, until, by))
    }

    /// Even steps over a range.
    pub fn usage_series(
        &self,
        since: Timestamp,
        step: Duration,
        until: Timestamp,
    ) -> Result<Vec<SeriesStep>, EngineError> {
        Ok(self.log()?.series(since, step, until))
    }

    /// When the credential was last released.
    pub fn last_used(&self, credential: CredentialId) -> Option<Timestamp> {
        self.log().ok()?.last_used(credential)
    }

    /// When the agent last made a request.
    pub fn last_seen(&self, agent: AgentId) -> Option<Timestamp> {
        self.log().ok()?.last_seen(agent)
    }
}

impl Book {
    /// What a row of a report is called.
    pub fn usage_key(&self, key: &UsageKey) -> String {
        const UNKNOWN: &str = "unknown";
        match key {
            UsageKey::All => "all".to_owned(),
            UsageKey::Agent(None)
            | UsageKey::Credential(None)
            | UsageKey::Service(None)
            | UsageKey::Model(None) => UNKNOWN.to_owned(),
            UsageKey::Agent(Some(id)) => self.agent_name(*id),
            UsageKey::Credential(Some(id)) => self.credential_name(*id),
            UsageKey::Service(Some(id)) => {
                self.service_by_id(*id).map_or_else(|| id.to_string(), |s| s.name.clone())
            }
            UsageKey::Model(Some(model)) => model.clone(),
            UsageKey::Hour(at) | UsageKey::Day(at) => at.to_rfc3339(),
        }
    }

    /// The agent's name, or its id if it is gone.
    pub fn agent_name(&self, id: AgentId) -> String {
        self.agent_by_id(id).map_or_else(|| id.to_string(), |agent| agent.name.clone())
    }

    /// The credential's name, or its id if it is gone.
    pub fn credential_name(&self, id: CredentialId) -> String {
        self.credential_by_id(id).map_or_else(|| id.to_string(), |credential| credential.name.clone())
    }
}
