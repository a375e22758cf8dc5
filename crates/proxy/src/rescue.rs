//! The only place where a reason to stop becomes an answer: a fixed phrase and a tracking id, never a rule's text, an
//! upstream's words or a stack.
//!
//! Must not know how requests are carried.

use std::borrow::Cow;

use bytes::Bytes;
use claviger_model::{EventId, RefusalCode};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::body::ReplyBody;

/// Names the code in a header, so that programs need not read the body.
pub(crate) const ERROR_HEADER: HeaderName = HeaderName::from_static("x-claviger-error");
/// Tells the official SDKs not to try again: the answer will be the same.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// Why a request goes no further.
#[derive(Debug)]
pub(crate) struct Stop {
    /// What the agent is told.
    pub(crate) code: RefusalCode,
    /// What the user is told: a phrase of ours that quotes no secret.
    pub(crate) reason: Cow<'static, str>,
    /// The status, where it is not the code's usual one.
    pub(crate) status: Option<StatusCode>,
    /// When it is worth asking again.
    pub(crate) retry_after_ms: Option<i64>,
    /// The path may hold the agent's token and goes on no record.
    pub(crate) hides_path: bool,
}

// === impl Stop ===

impl Stop {
    pub(crate) fn new(code: RefusalCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code, reason: reason.into(), status: None, retry_after_ms: None, hides_path: false }
    }

    pub(crate) fn malformed(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalCode::RequestMalformed, reason)
    }

    pub(crate) const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    pub(crate) const fn status(&self) -> StatusCode {
        match self.status {
            Some(status) => status,
            None => usual_status(self.code),
        }
    }

    /// The answer that the agent gets.
    pub(crate) fn answer(&self, event: EventId) -> Response<ReplyBody> {
        // Code, phrase and id are ours and hold nothing that JSON would have to escape.
        let text = format!(
            "{{\"error\":{{\"code\":\"{}\",\"message\":\"{}\",\"event\":\"{event}\"}}}}\n",
            self.code.word(),
            message(self.code),
        );
        let mut answer = Response::new(ReplyBody::full(Bytes::from(text)));
        *answer.status_mut() = self.status();
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(ERROR_HEADER, HeaderValue::from_static(self.code.word()));
        if !retrying_helps(self.code) && self.retry_after_ms.is_none() {
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        if self.code == RefusalCode::Unauthenticated {
            // git and others send their credentials only after this invitation.
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"claviger\""));
        }
        if let Some(wait) = self.retry_after_ms {
            let seconds = wait.max(1).saturating_add(999) / 1_000;
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }
}

const fn usual_status(code: RefusalCode) -> StatusCode {
    match code {
        RefusalCode::Unauthenticated => StatusCode::UNAUTHORIZED,
        RefusalCode::VaultLocked | RefusalCode::AuditUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        RefusalCode::GrantMissing
        | RefusalCode::PolicyDenied
        | RefusalCode::ApprovalDenied
        | RefusalCode::ApprovalTimeout
        | RefusalCode::CredentialFrozen
        | RefusalCode::InsufficientScope => StatusCode::FORBIDDEN,
        RefusalCode::RateLimited | RefusalCode::BudgetExhausted => StatusCode::TOO_MANY_REQUESTS,
        RefusalCode::RequestMalformed => StatusCode::BAD_REQUEST,
        RefusalCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        RefusalCode::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        RefusalCode::CredentialExpired
        | RefusalCode::UpstreamRefused
        | RefusalCode::UpstreamUnreachable
        | RefusalCode::ResponseBlocked => StatusCode::BAD_GATEWAY,
    }
}

const fn retrying_helps(code: RefusalCode) -> bool {
    matches!(code, RefusalCode::RateLimited | RefusalCode::UpstreamUnreachable | RefusalCode::UpstreamTimeout)
}

const fn message(code: RefusalCode) -> &'static str {
    match code {
        RefusalCode::Unauthenticated => "Claviger does not know this agent token",
        RefusalCode::VaultLocked => "the vault is locked; its owner must unlock it",
        RefusalCode::GrantMissing => "no grant for this agent at this address",
        RefusalCode::PolicyDenied => "this request is not allowed for this agent",
        RefusalCode::ApprovalDenied => "the owner said no",
        RefusalCode::ApprovalTimeout => "the owner did not answer in time",
        RefusalCode::RateLimited => "too many requests for this grant",
        RefusalCode::BudgetExhausted => "the budget of this grant is used up",
        RefusalCode::CredentialExpired => "the credential behind this address has expired",
        RefusalCode::CredentialFrozen => "the credential behind this address may not be used",
        RefusalCode::AuditUnavailable => "the request could not be recorded, so nothing was sent",
        RefusalCode::RequestMalformed => "this is not a request that Claviger forwards",
        RefusalCode::TooLarge => "the request is larger than Claviger forwards",
        RefusalCode::UpstreamRefused => "the service behind this address is not one that Claviger talks to",
        RefusalCode::UpstreamUnreachable => "the service behind this address cannot be reached",
        RefusalCode::UpstreamTimeout => "the service behind this address did not answer in time",
        RefusalCode::ResponseBlocked => "the answer of the service could not be let through",
        RefusalCode::InsufficientScope => {
            "the credential behind this address lacks a permission; its owner must add it"
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn an_answer_never_quotes_the_reason() {
        let stop = Stop::new(RefusalCode::PolicyDenied, "method DELETE is not among GET");
        let answer = stop.answer(EventId::from_bytes([1; 16]));
        let ReplyBody::Full(body) = answer.body() else { panic!("a refusal has a body") };
        let shown = format!("{:?} {:?}", answer.headers(), body);
        assert!(shown.contains("policy_denied"), "the code is shown: {shown}");
        assert!(!shown.contains("DELETE"), "the rule's text was shown: {shown}");
        assert_eq!(answer.headers()["x-should-retry"], "false", "a policy answer invites no retry");
        assert!(!answer.headers().contains_key(RETRY_AFTER), "a policy answer has no retry-after");
    }

    #[test]
    fn only_waiting_out_a_rate_is_told_in_seconds_rounded_up() {
        let mut stop = Stop::new(RefusalCode::RateLimited, "");
        stop.retry_after_ms = Some(1_001);
        let answer = stop.answer(EventId::from_bytes([1; 16]));
        assert_eq!(answer.headers()[RETRY_AFTER], "2", "rounded up");
        assert_eq!(answer.status(), 429, "status");
    }
}
