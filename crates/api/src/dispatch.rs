//! One door for every call: name and JSON in, JSON or an error out. The same for window, control socket and tests.

use claviger_engine::{Engine, EngineError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::handlers::{
    activity, agent, credential, grant, oauth, own, proposal, service, settings, token, usage, vault,
};
use crate::schema::{ApiError, CALLS, Code, Verb};

/// Carries out one call. Blocks while it derives keys or waits for the disk.
pub fn dispatch(engine: &Engine, verb: Verb, name: &str, params: Value) -> Result<Value, ApiError> {
    let known = CALLS.iter().find(|(call, _)| *call == name);
    match known {
        Some((_, wants)) if *wants == verb => {}
        Some(_) => {
            return Err(ApiError::new(Code::Usage, format!("{name} is not to be called this way"), ""));
        }
        None => return Err(ApiError::new(Code::Usage, format!("there is no call {name}"), "")),
    }
    match name {
        "vault.status" => call(params, |_: crate::schema::Nothing| vault::status(engine)),
        "vault.create" => call(params, |request| vault::create(engine, request)),
        "vault.unlock" => call(params, |request| vault::unlock(engine, request)),
        "vault.lock" => call(params, |_: crate::schema::Nothing| vault::lock(engine)),
        "vault.change_password" => call(params, |request| vault::change_password(engine, request)),
        "vault.renew_recovery" => call(params, |request| vault::renew_recovery(engine, request)),
        "service.list" => call(params, |_: crate::schema::Nothing| service::list(engine)),
        "service.show" => call(params, |request| service::show(engine, request)),
        "service.add" => call(params, |request| service::add(engine, request)),
        "service.remove" => call(params, |request| service::remove(engine, request)),
        "credential.kinds" => call(params, |_: crate::schema::Nothing| Ok(credential::kinds())),
        "credential.recognise" => call(params, |request| credential::recognise(engine, request)),
        "credential.list" => call(params, |_: crate::schema::Nothing| credential::list(engine)),
        "credential.show" => call(params, |request| credential::show(engine, request)),
        "credential.history" => call(params, |request| credential::history(engine, request)),
        "credential.add" => call(params, |request| credential::add(engine, request)),
        "credential.rotate" => call(params, |request| credential::rotate(engine, request)),
        "credential.revoke" => call(params, |request| credential::revoke(engine, request)),
        "credential.freeze" => call(params, |request| credential::freeze(engine, request)),
        "credential.unfreeze" => call(params, |request| credential::unfreeze(engine, request)),
        "credential.remove" => call(params, |request| credential::remove(engine, request)),
        "agent.list" => call(params, |_: crate::schema::Nothing| agent::list(engine)),
        "agent.show" => call(params, |request| agent::show(engine, request)),
        "agent.wiring" => call(params, |request| agent::wiring(engine, request)),
        "agent.add" => call(params, |request| agent::add(engine, request)),
        "agent.renew" => call(params, |request| agent::renew(engine, request)),
        "agent.run_token" => call(params, |request| agent::run_token(engine, request)),
        "agent.revoke" => call(params, |request| agent::revoke(engine, request)),
        "agent.pause" => call(params, |request| agent::pause(engine, request)),
        "agent.resume" => call(params, |request| agent::resume(engine, request)),
        "agent.pause_all" => call(params, |_: crate::schema::Nothing| agent::pause_all(engine, true)),
        "agent.resume_all" => call(params, |_: crate::schema::Nothing| agent::pause_all(engine, false)),
        "agent.remove" => call(params, |request| agent::remove(engine, request)),
        "grant.list" => call(params, |_: crate::schema::Nothing| grant::list(engine)),
        "grant.show" => call(params, |request| grant::show(engine, request)),
        "grant.add" => call(params, |request| grant::add(engine, request)),
        "grant.set" => call(params, |request| grant::set(engine, request)),
        "grant.remove" => call(params, |request| grant::remove(engine, request)),
        "proposal.list" => call(params, |_: crate::schema::Nothing| proposal::list(engine)),
        "proposal.show" => call(params, |request| proposal::show(engine, request)),
        "proposal.allow" => call(params, |request| proposal::allow(engine, request)),
        "proposal.deny" => call(params, |request| proposal::deny(engine, request)),
        "mcp.list_services" => call(params, |request| own::list_by_token(engine, request)),
        "mcp.request_access" => call(params, |request| own::ask_by_token(engine, request)),
        "mcp.explain_denial" => call(params, |request| own::explain_by_token(engine, request)),
        "oauth.targets" => call(params, |_: crate::schema::Nothing| oauth::targets(engine)),
        "oauth.discover" => call(params, |request| oauth::discover(engine, request)),
        "oauth.prepare" => call(params, |request| oauth::prepare(engine, request)),
        "oauth.begin" => call(params, |request| oauth::begin(engine, request)),
        "oauth.flows" => call(params, |_: crate::schema::Nothing| oauth::flows(engine)),
        "oauth.flow" => call(params, |request| oauth::flow(engine, request)),
        "oauth.cancel" => call(params, |request| oauth::cancel(engine, request)),
        "oauth.dismiss" => call(params, |request| oauth::dismiss(engine, request)),
        "oauth.status" => call(params, |request| oauth::status(engine, request)),
        "oauth.refresh" => call(params, |request| oauth::refresh(engine, request)),
        "oauth.reconnect" => call(params, |request| oauth::reconnect(engine, request)),
        "oauth.disconnect" => call(params, |request| oauth::disconnect(engine, request)),
        "token.inspect" => call(params, |request| Ok(token::inspect(request))),
        "policy.explain" => call(params, |request| grant::explain(engine, request)),
        "usage.report" => call(params, |request| usage::report(engine, request)),
        "usage.overview" => call(params, |request| usage::overview(engine, request)),
        "audit.list" => call(params, |request| activity::list(engine, request)),
        "audit.verify" => call(params, |_: crate::schema::Nothing| activity::verify(engine)),
        "settings.show" => call(params, |_: crate::schema::Nothing| Ok(settings::show(engine))),
        "settings.set" => call(params, |request| settings::set(engine, request)),
        // A name in CALLS without an arm here fails the test below.
        _ => Err(ApiError::new(Code::Unexpected, format!("{name} is not carried out"), "")),
    }
}

fn call<Request: DeserializeOwned, Answer: Serialize>(
    params: Value,
    work: impl FnOnce(Request) -> Result<Answer, ApiError>,
) -> Result<Value, ApiError> {
    let params = if params.is_null() { Value::Object(serde_json::Map::new()) } else { params };
    // The parser's message may quote the value, which may be a secret: only the field's place is told.
    let request = Request::deserialize(params).map_err(|why| {
        let what = why.to_string();
        let shape = if what.starts_with("missing field") || what.starts_with("unknown field") {
            what
        } else {
            String::new()
        };
        let message = if shape.is_empty() { "the request's fields do not fit".to_owned() } else { shape };
        ApiError::new(Code::Usage, message, "")
    })?;
    let answer = work(request)?;
    serde_json::to_value(answer)
        .map_err(|_| ApiError::new(Code::Unexpected, "the answer cannot be written", ""))
}

impl From<EngineError> for ApiError {
    fn from(why: EngineError) -> Self {
        use EngineError as E;
        let message = why.to_string();
        let (code, hint) = match &why {
            E::Absent => (Code::VaultAbsent, "make one with `claviger init`, or in the window"),
            E::AlreadyThere => (Code::Conflict, "unlock it, or choose another --home"),
            E::Locked => (Code::VaultLocked, "unlock it with `claviger unlock`, or in the window"),
            E::HeldByAnother => {
                (Code::Conflict, "close the other window or `claviger serve`, or use its --home from here")
            }
            E::WrongPassword => {
                (Code::WrongPassword, "try again; with the recovery key a new password can be set")
            }
            E::WrongRecoveryKey => {
                (Code::WrongPassword, "it is well formed, but belongs to another vault or was renewed since")
            }
            E::NotARecoveryKey(_) => (
                Code::WrongPassword,
                "type it group by group as printed; letters O and I are read as 0 and 1",
            ),
            E::WeakPassword(_) => (Code::Usage, "take four or more random words"),
            E::KeychainMissing(_) => {
                (Code::Unavailable, "unlock or start the keychain and try again, or use the recovery key")
            }
            E::OlderVault { .. } => (
                Code::Integrity,
                "if you restored a backup on purpose, unlock again and accept the older copy (--accept-older)",
            ),
            E::Integrity(_) => (Code::Integrity, "nothing was changed; restore the file from a backup"),
            E::NewerVault { .. } => {
                (Code::Integrity, "install the newer Claviger; this file was not touched")
            }
            E::NotFound { .. } => (Code::NotFound, ""),
            E::Exists { .. } => (Code::Conflict, "choose another name, or change the one that is there"),
            E::InUse(_) => (Code::Conflict, ""),
            E::Refused(_) => (Code::Refused, ""),
            E::Invalid(_) => (Code::Usage, ""),
            E::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                (Code::Unavailable, "the disk is full; free some space and try again, nothing was lost")
            }
            E::Io { .. } => (Code::Unavailable, "check the directory's permissions and the disk"),
            E::Unavailable(_) => (Code::Unavailable, "see whether the network works, and try again"),
            E::NeedsConsent(_) => (
                Code::Refused,
                "consent anew with `claviger oauth reconnect NAME`, or in the window under Credentials",
            ),
            E::Consent(fault) => {
                let code = crate::schema::oauth::FlowFault::from(fault.code).code();
                return Self::new(code, message, fault.hint.clone());
            }
            E::RecordUnavailable(_) => (Code::Unavailable, "free disk space, then lock and unlock the vault"),
            _ => (Code::Unexpected, ""),
        };
        Self::new(code, message, hint)
    }
}

#[cfg(test)]
#[path = "dispatch_tests.rs"]
mod tests;
