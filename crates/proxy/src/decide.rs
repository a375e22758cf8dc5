//! Decide: asks the policy. The only way on is a permit, which only the policy can make.
//!
//! Must not know what the rules are.

use claviger_model::Timestamp;
use claviger_policy::{Decision, Facts, Permit, decide};

use crate::rescue::Stop;
use crate::route::RoutedRequest;

/// A request that the policy lets pass, with the permit that says so.
pub(crate) struct PermittedRequest {
    pub(crate) request: RoutedRequest,
    pub(crate) permit: Permit,
}

// === impl PermittedRequest ===

impl PermittedRequest {
    /// Decides on exactly the bytes that will go on the wire.
    pub(crate) fn decide(request: RoutedRequest, now: Timestamp) -> Result<Self, Stop> {
        let service = &request.route.service;
        let facts = Facts {
            method: request.method.as_str(),
            host: &service.host,
            port: service.port,
            path: request.target.path(),
            query: request.target.query(),
            now,
        };
        match decide(&request.route.rules, request.agent.id, &facts) {
            Decision::Allow(permit) => Ok(Self { request, permit }),
            Decision::Deny(denial) => {
                let mut stop = Stop::new(denial.reason.code(), denial.reason.to_string());
                stop.retry_after_ms = denial.retry_after_ms;
                Err(stop)
            }
        }
    }
}
