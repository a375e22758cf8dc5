//! How connections stand, in facts that anybody may see who may see the vault's names.
//!
//! Must not know tokens.

use claviger_model::{Credential, CredentialState, Kind, Timestamp};
use claviger_oauth::{Renewal, Standing};

use super::flow::FlowKind;
use super::notes::{self, End, Returned};
use super::walk::account_name;
use crate::engine::{Engine, Open};
use crate::error::EngineError;

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// The access token is good.
    Fresh,
    /// It is to be renewed.
    Due,
    /// Only a new consent helps.
    Broken,
    /// It is being given back.
    Revoking,
    /// It was given back, or ended and cannot be renewed.
    Ended,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct ConnectionFacts {
    /// The credential's name.
    pub credential: String,
    /// The service's name.
    pub service: String,
    /// The authorization server.
    pub issuer: String,
    /// Whose it is.
    pub account: Option<String>,
    /// Scopes that are granted.
    pub scopes: Vec<String>,
    /// Scopes that were asked for and not granted.
    pub withheld: Vec<String>,
    /// End of the access token.
    pub expires: Option<Timestamp>,
    /// When it was obtained.
    pub refreshed_at: Option<Timestamp>,
    /// When it is due for renewal.
    pub next_refresh: Option<Timestamp>,
    /// Where it stands.
    pub state: ConnectionState,
    /// Why, for one that does not work or cannot be renewed right now.
    pub reason: Option<String>,
    /// It is renewed without the user.
    pub refreshable: bool,
    /// How consent was given.
    pub flow: FlowKind,
}

// === impl Engine ===

impl Engine {
    /// All connections, or one credential's.
    pub fn oauth_status(&self, only: Option<&str>) -> Result<Vec<ConnectionFacts>, EngineError> {
        let now = self.now();
        self.read(|open| {
            if let Some(name) = only
                && open.book.credential(name)?.kind != Kind::Oauth
            {
                return Err(EngineError::Invalid(format!("credential {name:?} is no OAuth connection")));
            }
            let only = only.map(|name| open.book.credential(name)).transpose()?.map(|c| c.id);
            let queue = notes::queue(&open.vault)?;
            let wanted = open.book.credentials.iter().filter(|c| c.kind == Kind::Oauth);
            let wanted = wanted.filter(|c| only.is_none_or(|id| c.id == id));
            wanted.map(|credential| facts(open, &queue, credential, now)).collect()
        })
    }

    /// A sentence for each connection that only a person can bring back.
    pub(crate) fn broken_connections(open: &Open) -> Vec<String> {
        let names = open.live.keepers.broken().into_iter().map(|id| open.book.credential_name(id));
        names
            .map(|name| format!("The connection {name:?} no longer works and must be consented to again."))
            .collect()
    }
}

fn facts(
    open: &Open,
    queue: &[Returned],
    credential: &Credential,
    now: Timestamp,
) -> Result<ConnectionFacts, EngineError> {
    let service = open.book.service_by_id(credential.service).map(|s| s.name.clone()).unwrap_or_default();
    let flow = notes::note_of(&open.vault, credential.id)?.map(|note| note.kind);
    let mut told = ConnectionFacts {
        credential: credential.name.clone(),
        service,
        issuer: String::new(),
        account: None,
        scopes: Vec::new(),
        withheld: Vec::new(),
        expires: None,
        refreshed_at: None,
        next_refresh: None,
        state: ConnectionState::Ended,
        reason: None,
        refreshable: false,
        flow: flow.unwrap_or(FlowKind::Code),
    };
    if credential.state == CredentialState::Revoked {
        let returned = queue.iter().rev().find(|returned| returned.credential == credential.id);
        if let Some(returned) = returned {
            told.issuer.clone_from(&returned.issuer);
            told.flow = returned.kind;
            told.state = match returned.end {
                None => ConnectionState::Revoking,
                Some(_) => ConnectionState::Ended,
            };
        }
        told.reason = Some(match returned.map(|returned| &returned.end) {
            None => "it was disconnected".to_owned(),
            Some(None) => "the server has not confirmed yet; it is asked again".to_owned(),
            Some(Some(End::Confirmed)) => "its tokens were given back".to_owned(),
            Some(Some(End::NotOffered)) => {
                "the server takes no tokens back; the last one lives until it ends there".to_owned()
            }
            Some(Some(End::Refused(why))) => format!("the server would not take its tokens back: {why}"),
        });
        return Ok(told);
    }
    let Some(kept) = open.live.keepers.find(credential.id) else {
        told.state = ConnectionState::Broken;
        told.reason = Some("it cannot be read from the vault".to_owned());
        return Ok(told);
    };
    let (facts, trouble) = kept.standing();
    told.issuer = facts.issuer.to_string();
    told.account = facts.account.as_ref().map(account_name);
    told.scopes = facts.granted.clone();
    told.withheld = facts.withheld().into_iter().map(str::to_owned).collect();
    told.expires = facts.expires_at();
    told.refreshed_at = Some(facts.obtained_at);
    told.next_refresh = facts.due_at();
    told.refreshable = facts.renewal != Renewal::Consent;
    let has_ended = told.expires.is_some_and(|end| now >= end);
    let is_due = told.next_refresh.is_some_and(|due| now >= due);
    (told.state, told.reason) = match &facts.standing {
        Standing::Broken { why, .. } => (ConnectionState::Broken, Some(why.to_string())),
        Standing::Revoking { .. } => (ConnectionState::Revoking, None),
        Standing::Live if has_ended && !told.refreshable => {
            let why = "the token ended, and the server gave none to renew it with";
            (ConnectionState::Ended, Some(why.to_owned()))
        }
        Standing::Live if is_due || has_ended => (ConnectionState::Due, trouble),
        Standing::Live => (ConnectionState::Fresh, trouble),
    };
    if told.reason.is_none()
        && let Some(scopes) = open.live.wanted.by(credential.id)
    {
        told.reason = Some(match scopes.as_slice() {
            [] => "its service wants a permission that it does not have".to_owned(),
            scopes => format!("its service wants more permissions: {}", scopes.join(", ")),
        });
    }
    if told.state == ConnectionState::Broken {
        told.next_refresh = None;
    }
    Ok(told)
}
