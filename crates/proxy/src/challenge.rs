//! What a remote MCP server says about the credential, kept from the agent: its client would begin a consent of its own,
//! and with Claviger's address in it.
//!
//! Must not know OAuth beyond the one word that asks for more permissions (RFC 6750 §3.1).

use claviger_model::RefusalCode;
use http::StatusCode;
use http::header::{HeaderMap, WWW_AUTHENTICATE};

use crate::record::Trail;
use crate::rescue::Stop;

/// No challenge is read further.
const LONGEST: usize = 8 * 1024;

/// Takes every challenge off the answer. One that says the credential is not enough is told to the user, and the agent
/// gets our own refusal.
pub(crate) fn keep_back(trail: &Trail, status: StatusCode, headers: &mut HeaderMap) -> Result<(), Stop> {
    let asks_for_more = matches!(status, StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED)
        .then(|| headers.get_all(WWW_AUTHENTICATE).iter().find_map(insufficient))
        .flatten();
    if let Some(challenge) = asks_for_more {
        trail.falls_short(challenge);
        let reason = "the service wants a permission that the credential does not have";
        return Err(Stop::new(RefusalCode::InsufficientScope, reason));
    }
    if status == StatusCode::UNAUTHORIZED {
        return Err(Stop::new(RefusalCode::CredentialExpired, "the service did not accept the credential"));
    }
    headers.remove(WWW_AUTHENTICATE);
    Ok(())
}

fn insufficient(value: &http::HeaderValue) -> Option<&str> {
    let text = value.to_str().ok().filter(|text| text.len() <= LONGEST)?;
    text.to_ascii_lowercase().contains("insufficient_scope").then_some(text)
}
