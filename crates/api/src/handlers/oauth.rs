//! OAuth, from outside. Flows go on in the engine; here they are only looked at.

use claviger_engine as engine;
use claviger_engine::{Engine, NewFlow};
use claviger_model::Timestamp;

use crate::schema::oauth::{
    AppRegistration, BeginRequest, ConnectionRequest, ConnectionState, ConnectionView, ConnectionsRequest,
    DisconnectedView, DiscoverRequest, DiscoveredView, FlowFault, FlowId, FlowKind, FlowStep, FlowView,
    PrepareRequest, PreparedView, ReconnectRequest, RevocationState, ScopeRisk, ScopeView, TargetView,
};
use crate::schema::{ApiError, Nothing};

pub(crate) fn targets(engine: &Engine) -> Result<Vec<TargetView>, ApiError> {
    let view = |target: engine::Target| TargetView {
        service: target.service.name,
        title: target.service.title,
        flows: target.flows.into_iter().map(FlowKind::from).collect(),
        issuer: target.issuer,
        scopes: target.scopes.into_iter().map(ScopeView::from).collect(),
        registration: target.registration.into(),
        console_url: target.console_url,
        private: target.service.allow_private,
    };
    Ok(engine.oauth_targets()?.into_iter().map(view).collect())
}

pub(crate) fn discover(engine: &Engine, request: DiscoverRequest) -> Result<DiscoveredView, ApiError> {
    let found = engine.oauth_discover(
        request.service.as_deref(),
        request.issuer.as_deref().filter(|issuer| !issuer.is_empty()),
        request.allow_private,
    )?;
    Ok(DiscoveredView {
        issuer: found.issuer,
        other_issuers: found.other_issuers,
        flows: found.flows.into_iter().map(FlowKind::from).collect(),
        registration: found.registration.into(),
        scopes: found.scopes.into_iter().map(ScopeView::from).collect(),
        pushed_requests: found.pushed_requests,
        dpop: found.dpop,
        supports_revocation: found.supports_revocation,
    })
}

pub(crate) fn prepare(engine: &Engine, request: PrepareRequest) -> Result<PreparedView, ApiError> {
    let name = request.name.or(request.service).or(request.issuer).unwrap_or_default();
    let port = engine.oauth_prepare(&name)?;
    Ok(PreparedView {
        redirect_uri: format!("http://127.0.0.1:{port}/callback"),
        without_port: "http://127.0.0.1/callback".to_owned(),
    })
}

pub(crate) fn begin(engine: &Engine, request: BeginRequest) -> Result<FlowView, ApiError> {
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    let flow = engine.oauth_begin(NewFlow {
        name: request.name,
        service: request.service,
        issuer: some(request.issuer),
        kind: request.flow.into(),
        scopes: request.scopes,
        client_id: some(request.client_id),
        client_secret: request.client_secret.map(|secret| secret.into_secret().into()),
        redirect_uri: some(request.redirect_uri),
        open: request.open,
    })?;
    Ok(flow.into())
}

pub(crate) fn flows(engine: &Engine) -> Result<Vec<FlowView>, ApiError> {
    Ok(engine.oauth_flows()?.into_iter().map(FlowView::from).collect())
}

pub(crate) fn flow(engine: &Engine, request: FlowId) -> Result<FlowView, ApiError> {
    Ok(engine.oauth_flow(&request.id)?.into())
}

pub(crate) fn cancel(engine: &Engine, request: FlowId) -> Result<Nothing, ApiError> {
    engine.oauth_cancel(&request.id)?;
    Ok(Nothing {})
}

pub(crate) fn dismiss(engine: &Engine, request: FlowId) -> Result<Nothing, ApiError> {
    engine.oauth_dismiss(&request.id)?;
    Ok(Nothing {})
}

pub(crate) fn status(engine: &Engine, request: ConnectionsRequest) -> Result<Vec<ConnectionView>, ApiError> {
    let standing = engine.oauth_status(request.credential.as_deref())?;
    Ok(standing.into_iter().map(ConnectionView::from).collect())
}

pub(crate) fn refresh(engine: &Engine, request: ConnectionRequest) -> Result<Nothing, ApiError> {
    engine.oauth_refresh(&request.credential)?;
    Ok(Nothing {})
}

pub(crate) fn reconnect(engine: &Engine, request: ReconnectRequest) -> Result<FlowView, ApiError> {
    Ok(engine.oauth_reconnect(&request.credential, request.open)?.into())
}

pub(crate) fn disconnect(engine: &Engine, request: ConnectionRequest) -> Result<DisconnectedView, ApiError> {
    let revocation = match engine.oauth_disconnect(&request.credential)? {
        engine::RevocationState::Done => RevocationState::Done,
        engine::RevocationState::NotOffered => RevocationState::NotOffered,
        engine::RevocationState::Refused => RevocationState::Refused,
        engine::RevocationState::Pending => RevocationState::Pending,
    };
    Ok(DisconnectedView { revocation })
}

impl From<FlowKind> for engine::FlowKind {
    fn from(kind: FlowKind) -> Self {
        match kind {
            FlowKind::Code => Self::Code,
            FlowKind::Device => Self::Device,
            FlowKind::ClientCredentials => Self::ClientCredentials,
        }
    }
}

impl From<engine::FlowKind> for FlowKind {
    fn from(kind: engine::FlowKind) -> Self {
        match kind {
            engine::FlowKind::Code => Self::Code,
            engine::FlowKind::Device => Self::Device,
            engine::FlowKind::ClientCredentials => Self::ClientCredentials,
        }
    }
}

impl From<engine::AppRegistration> for AppRegistration {
    fn from(registration: engine::AppRegistration) -> Self {
        match registration {
            engine::AppRegistration::Automatic => Self::Automatic,
            engine::AppRegistration::ByHand => Self::ByHand,
            engine::AppRegistration::Unknown => Self::Unknown,
        }
    }
}

impl From<engine::Scope> for ScopeView {
    fn from(scope: engine::Scope) -> Self {
        Self {
            name: scope.name,
            words: scope.words,
            risk: match scope.risk {
                engine::Risk::Read => ScopeRisk::Read,
                engine::Risk::Write => ScopeRisk::Write,
                engine::Risk::Dangerous => ScopeRisk::Dangerous,
            },
            preselected: scope.preselected,
        }
    }
}

impl From<engine::FaultCode> for FlowFault {
    fn from(code: engine::FaultCode) -> Self {
        match code {
            engine::FaultCode::Denied => Self::Denied,
            engine::FaultCode::TimedOut => Self::TimedOut,
            engine::FaultCode::Unsupported => Self::Unsupported,
            engine::FaultCode::NeedsClientId => Self::NeedsClientId,
            engine::FaultCode::ClientRefused => Self::ClientRefused,
            engine::FaultCode::Unreachable => Self::Unreachable,
            engine::FaultCode::Malformed => Self::Malformed,
            engine::FaultCode::PortInUse => Self::PortInUse,
            engine::FaultCode::NotStored => Self::NotStored,
            engine::FaultCode::Other => Self::Other,
        }
    }
}

impl From<engine::Flow> for FlowView {
    fn from(flow: engine::Flow) -> Self {
        Self {
            id: flow.id,
            name: flow.name,
            service: flow.service,
            issuer: flow.issuer,
            flow: flow.kind.into(),
            reconnects: flow.reconnects,
            started_at: flow.started_at.to_rfc3339(),
            expires_at: flow.expires_at.map(Timestamp::to_rfc3339),
            step: flow.step.into(),
        }
    }
}

impl From<engine::Step> for FlowStep {
    fn from(step: engine::Step) -> Self {
        use engine::Step as S;
        match step {
            S::Discovering => Self::Discovering,
            S::Registering => Self::Registering,
            S::WaitingBrowser { url, redirect_uri } => Self::WaitingBrowser { url, redirect_uri },
            S::WaitingDevice { user_code, verification_uri, verification_uri_complete, interval_s } => {
                Self::WaitingDevice { user_code, verification_uri, verification_uri_complete, interval_s }
            }
            S::Exchanging => Self::Exchanging,
            S::Connected { credential, account, scopes, withheld, unasked, expires, refreshable } => {
                Self::Connected {
                    credential,
                    account,
                    scopes,
                    withheld,
                    unasked,
                    expires: expires.map(Timestamp::to_rfc3339),
                    refreshable,
                }
            }
            S::Failed(fault) => {
                Self::Failed { code: fault.code.into(), message: fault.message, hint: fault.hint }
            }
            S::Cancelled => Self::Cancelled,
        }
    }
}

impl From<engine::ConnectionFacts> for ConnectionView {
    fn from(facts: engine::ConnectionFacts) -> Self {
        Self {
            credential: facts.credential,
            service: facts.service,
            issuer: facts.issuer,
            account: facts.account,
            scopes: facts.scopes,
            withheld: facts.withheld,
            expires: facts.expires.map(Timestamp::to_rfc3339),
            refreshed_at: facts.refreshed_at.map(Timestamp::to_rfc3339),
            next_refresh: facts.next_refresh.map(Timestamp::to_rfc3339),
            state: match facts.state {
                engine::ConnectionState::Fresh => ConnectionState::Fresh,
                engine::ConnectionState::Due => ConnectionState::Due,
                engine::ConnectionState::Broken => ConnectionState::Broken,
                engine::ConnectionState::Revoking => ConnectionState::Revoking,
                engine::ConnectionState::Ended => ConnectionState::Ended,
            },
            reason: facts.reason,
            refreshable: facts.refreshable,
            flow: facts.flow.into(),
        }
    }
}
