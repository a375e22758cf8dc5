//! The closed list of words by which the proxy refuses; agents and scripts rely on them.

use serde::{Deserialize, Serialize};

/// Why a request was refused, in the words of the command-line contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// 401: no token, a wrong, expired or revoked one, or two different ones.
    Unauthenticated,
    /// 503: the vault is locked.
    VaultLocked,
    /// 403: the path belongs to no grant of this agent.
    GrantMissing,
    /// 403: a rule of the grant forbids the request.
    PolicyDenied,
    /// 403: the human said no.
    ApprovalDenied,
    /// 403: the human did not answer in time.
    ApprovalTimeout,
    /// 429: too many requests.
    RateLimited,
    /// 429: the budget is used up.
    BudgetExhausted,
    /// 502: the credential has expired.
    CredentialExpired,
    /// 403: the credential is frozen or revoked.
    CredentialFrozen,
    /// 503: the record could not be written, so nothing was sent.
    AuditUnavailable,
    /// 400: the request's head is not one that Claviger forwards.
    RequestMalformed,
    /// 431 or 413: the head or the body is larger than allowed.
    TooLarge,
    /// 502: the upstream's address or certificate is not one that Claviger talks to.
    UpstreamRefused,
    /// 502: no connection to the upstream.
    UpstreamUnreachable,
    /// 504: the upstream did not answer in time.
    UpstreamTimeout,
    /// 502: the answer could not be let through.
    ResponseBlocked,
    /// 403: the service wants a permission that the credential does not have.
    InsufficientScope,
}

impl RefusalCode {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::VaultLocked => "vault_locked",
            Self::GrantMissing => "grant_missing",
            Self::PolicyDenied => "policy_denied",
            Self::ApprovalDenied => "approval_denied",
            Self::ApprovalTimeout => "approval_timeout",
            Self::RateLimited => "rate_limited",
            Self::BudgetExhausted => "budget_exhausted",
            Self::CredentialExpired => "credential_expired",
            Self::CredentialFrozen => "credential_frozen",
            Self::AuditUnavailable => "audit_unavailable",
            Self::RequestMalformed => "request_malformed",
            Self::TooLarge => "too_large",
            Self::UpstreamRefused => "upstream_refused",
            Self::UpstreamUnreachable => "upstream_unreachable",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::ResponseBlocked => "response_blocked",
            Self::InsufficientScope => "insufficient_scope",
        }
    }
}
