//! Agents, their tokens and their wiring.

use super::ShownOnce;
use serde::{Deserialize, Serialize};

/// An agent, in lists and alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct AgentView {
    /// Unique name.
    pub name: String,
    /// Id.
    pub id: String,
    /// `active`, `paused`, `expired` or `revoked`.
    pub state: String,
    /// RFC 3339.
    pub created: String,
    /// End of its token, RFC 3339.
    pub expires: Option<String>,
    /// Last request, RFC 3339.
    pub last_seen: Option<String>,
    /// Its grants.
    pub grants: Vec<super::grant::GrantView>,
}

/// `agent.add`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct AddAgentRequest {
    /// Unique name.
    pub name: String,
    /// Life of its token, as in `30d`; 30 days by default, 90 at most.
    #[serde(default)]
    pub ttl: Option<String>,
}

/// Answer to `agent.add` and `agent.renew`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct AgentTokenView {
    /// Name.
    pub agent: String,
    /// Id.
    pub id: String,
    /// Its token, shown this once.
    pub token: ShownOnce,
    /// End of the token, RFC 3339.
    pub expires: String,
}

/// `agent.wiring`: the variables that wire an agent's granted services. `${CLAVIGER_TOKEN}` stands where the agent's
/// token goes, since it is stored only hashed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct WiringView {
    /// Name of the agent.
    pub agent: String,
    /// Variables in order.
    pub variables: Vec<VariableView>,
    /// Grants whose service has no variables of its own: base URL to configure by hand.
    pub by_hand: Vec<WiringByHandView>,
    /// Remarks on the services that have variables.
    pub notes: Vec<WiringNoteView>,
}

/// A remark on the wiring of one service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct WiringNoteView {
    /// The service's name.
    pub service: String,
    /// A sentence or two.
    pub text: String,
}

/// One environment variable.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct VariableView {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The value is the agent's token.
    pub is_token: bool,
}

/// A grant whose base URL is configured by hand.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct WiringByHandView {
    /// The service's name.
    pub service: String,
    /// The credential's name.
    pub credential: String,
    /// The base URL.
    pub base_url: String,
    /// Where it goes, if that is known; else empty.
    pub hint: String,
}
