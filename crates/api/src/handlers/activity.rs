//! The record, from outside.

use claviger_engine::log::{Entry, EntryResult, What};
use claviger_engine::{Book, Engine, EntryFilter};
use claviger_model::{Completion, Outcome, Subject};

use super::{duration, moment, now};
use crate::schema::activity::{AuditPage, AuditRequest, AuditView, VerifyView};
use crate::schema::{ApiError, Code};

const DEFAULT_LIMIT: u32 = 500;
const MAX_LIMIT: u32 = 10_000;

pub(crate) fn list(engine: &Engine, request: AuditRequest) -> Result<AuditPage, ApiError> {
    let since = match request.since.as_deref() {
        None | Some("") => None,
        Some(text) => Some(match duration(text) {
            Ok(span) => claviger_model::Timestamp(now().0.saturating_sub(span.0)),
            Err(_) => moment(text)?,
        }),
    };
    let result = match request.result.as_deref() {
        None | Some("") => None,
        Some("open") => Some(EntryResult::Open),
        Some("done") => Some(EntryResult::Done),
        Some("error") => Some(EntryResult::Error),
        Some("refused") => Some(EntryResult::Refused),
        Some("act") => Some(EntryResult::Act),
        Some(other) => {
            return Err(ApiError::new(
                Code::Usage,
                format!("{other:?} is no result"),
                "write done, error, refused or act",
            ));
        }
    };
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    let filter = EntryFilter {
        since,
        agent: some(request.agent),
        credential: some(request.credential),
        result,
        event: some(request.event),
        text: some(request.text),
    };
    let limit = request.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT) as usize;
    let (page, book) = engine.entries(&filter, limit, request.before)?;
    Ok(AuditPage { entries: page.entries.iter().map(|entry| view(&book, entry)).collect(), next: page.next })
}

pub(crate) fn verify(engine: &Engine) -> Result<VerifyView, ApiError> {
    let report = engine.verify_log()?;
    Ok(VerifyView {
        ok: report.ok,
        records: report.records,
        head: report.head.hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        first_bad: report.first_bad,
        problem: report.problem,
    })
}

fn view(book: &Book, entry: &Entry) -> AuditView {
    let mut view = AuditView {
        seq: entry.seq,
        event: String::new(),
        at: entry.at().to_rfc3339(),
        result: match entry.result() {
            EntryResult::Open => "open",
            EntryResult::Done => "done",
            EntryResult::Error => "error",
            EntryResult::Refused => "refused",
            EntryResult::Act => "act",
        }
        .to_owned(),
        code: None,
        reason: None,
        agent: None,
        credential: None,
        service: None,
        grant: None,
        method: None,
        host: None,
        path: None,
        status: None,
        bytes_in: None,
        bytes_out: None,
        model: None,
        tokens_in: None,
        tokens_out: None,
        tokens_cached: None,
        head_ms: None,
        total_ms: None,
        own_ms: None,
    };
    let service_name =
        |id| book.service_by_id(id).map_or_else(|| id.to_string(), |service| service.name.clone());
    match &entry.what {
        What::Request { release, completion } => {
            view.event = release.event.to_string();
            view.agent = Some(book.agent_name(release.agent));
            view.credential = Some(book.credential_name(release.credential));
            view.service = Some(service_name(release.service));
            view.grant = Some(release.grant.to_string());
            view.method = Some(release.method.clone());
            view.host = Some(release.host.clone());
            view.path = Some(release.path.clone());
            if let Some(completion) = completion {
                ended(&mut view, completion);
            }
        }
        What::Refusal(refusal) => {
            view.event = refusal.event.to_string();
            view.code = Some(refusal.code.word().to_owned());
            view.reason = Some(refusal.reason.clone());
            view.agent = refusal.agent.map(|id| book.agent_name(id));
            view.credential = refusal.credential.map(|id| book.credential_name(id));
            view.service = refusal.service.map(service_name);
            view.grant = refusal.grant.map(|id| id.to_string());
            view.method = Some(refusal.method.clone());
            view.path = Some(refusal.path.clone());
        }
        What::Act(act) => {
            view.event = act.event.to_string();
            view.code = Some(act.what.clone());
            view.reason = Some(act.detail.clone()).filter(|detail| !detail.is_empty());
            match act.subject {
                Subject::Vault => {}
                Subject::Agent(id) => view.agent = Some(book.agent_name(id)),
                Subject::Credential(id) => view.credential = Some(book.credential_name(id)),
                Subject::Grant(id) => view.grant = Some(id.to_string()),
                Subject::Service(id) => view.service = Some(service_name(id)),
            }
        }
    }
    view
}

fn ended(view: &mut AuditView, completion: &Completion) {
    let ms = |us: u32| f64::from(us) / 1000.0;
    view.code = match completion.outcome {
        Outcome::Done => None,
        Outcome::AgentGone => Some("agent_gone".to_owned()),
        Outcome::Failed(code) => Some(code.word().to_owned()),
        Outcome::Cut => Some("cut".to_owned()),
        Outcome::Unknown => Some("unknown".to_owned()),
    };
    view.status = Some(completion.status).filter(|status| *status != 0);
    view.bytes_in = Some(completion.bytes_up);
    view.bytes_out = Some(completion.bytes_down);
    view.model.clone_from(&completion.model);
    if let Some(usage) = completion.usage {
        view.tokens_in = Some(usage.input);
        view.tokens_out = Some(usage.output);
        view.tokens_cached = Some(usage.cached_read);
    }
    view.head_ms = Some(ms(completion.head_us));
    view.total_ms = Some(ms(completion.total_us));
    view.own_ms = Some(ms(completion.own_us));
}
