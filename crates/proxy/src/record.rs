//! Record: the guard that follows a request from its first byte to its end and sees to it that exactly one refusal, or
//! one release and one completion, is written, whatever happens: an answer, an error, a lost agent, a panic.
//!
//! Must not know the log's format.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Instant;

use claviger_meter::Reading;
use claviger_model::{
    AgentId, Completion, CredentialId, EventId, GrantId, Outcome, Refusal, RefusalCode, Release, ServiceId,
    Timestamp,
};
use http::{Method, Response, Uri};

use crate::body::ReplyBody;
use crate::conn::{Conn, Ending};
use crate::head::Violation;
use crate::inject::InjectedRequest;
use crate::path;
use crate::ports::{RecordUnavailable, ReleaseKey, Route, Written};
use crate::rescue::Stop;

/// A request whose release is on record. Only this can be forwarded.
pub(crate) struct ReleasedRequest {
    pub(crate) request: InjectedRequest,
    pub(crate) flow: Arc<Flow>,
}

/// Follows one request.
pub(crate) struct Trail {
    pub(crate) conn: Arc<Conn>,
    started: Instant,
    method: Method,
    uri: Uri,
    pub(crate) agent: Option<AgentId>,
    grant: Option<GrantId>,
    credential: Option<CredentialId>,
    service: Option<ServiceId>,
    state: State,
}

enum State {
    /// Nothing is decided; nothing is released.
    Undecided,
    /// The release is on record, its completion is not.
    Released(Box<Progress>),
    /// Everything is on record.
    Closed,
}

/// What the completion will say.
struct Progress {
    event: EventId,
    key: ReleaseKey,
    flow: Arc<Flow>,
    status: u16,
    bytes_down: u64,
    head_us: u32,
    own_us: u32,
}

/// What the request's body reports from the upstream connection's task.
#[derive(Default)]
pub(crate) struct Flow {
    pub(crate) bytes_up: AtomicU64,
    /// The body went up to its end.
    pub(crate) is_sent: AtomicBool,
    fault: AtomicU8,
}

/// Why a request's body broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum BodyFault {
    /// The agent went away.
    Gone = 1,
    /// Its chunks are not well formed.
    Malformed = 2,
    /// It is larger than allowed.
    TooLarge = 3,
}

const LONGEST_PATH: usize = 256;

// === impl Flow ===

impl Flow {
    pub(crate) fn break_off(&self, fault: BodyFault) {
        self.fault.store(fault as u8, Ordering::Release);
    }

    pub(crate) fn fault(&self) -> Option<BodyFault> {
        match self.fault.load(Ordering::Acquire) {
            0 => None,
            1 => Some(BodyFault::Gone),
            2 => Some(BodyFault::Malformed),
            _ => Some(BodyFault::TooLarge),
        }
    }
}

// === impl Trail ===

impl Trail {
    pub(crate) fn begin(conn: Arc<Conn>, method: &Method, uri: &Uri) -> Self {
        Self {
            conn,
            started: Instant::now(),
            method: method.clone(),
            uri: uri.clone(),
            agent: None,
            grant: None,
            credential: None,
            service: None,
            state: State::Undecided,
        }
    }

    /// The request goes through this grant.
    pub(crate) fn route(&mut self, route: &Route) {
        self.grant = Some(route.rules.grant());
        self.credential = Some(route.credential);
        self.service = Some(route.service.id);
    }

    /// Records that the credential will be released. Nothing has been sent before this succeeds.
    pub(crate) async fn release(
        &mut self,
        request: InjectedRequest,
        now: Timestamp,
        epoch: u64,
    ) -> Result<ReleasedRequest, Stop> {
        let shared = &self.conn.shared;
        let (route, agent) = (&request.route, &request.agent);
        let event = shared.ports.world.event_id();
        let key = ReleaseKey { agent: agent.id, credential: route.credential, service: route.service.id };
        let record = Release {
            event,
            at: now,
            agent: agent.id,
            grant: route.rules.grant(),
            credential: route.credential,
            service: route.service.id,
            method: self.method.as_str().to_owned(),
            host: format!("{}:{}", route.service.host, route.service.port),
            path: clip(request.target.path()).to_owned(),
        };
        let unavailable = || Stop::new(RefusalCode::AuditUnavailable, "the record could not be written");
        let written = shared.ports.recorder.release(record).map_err(|RecordUnavailable| unavailable())?;
        self.conn.release_begins(agent.clone(), route.clone(), epoch);
        shared.releases.fetch_add(1, Ordering::AcqRel);
        let flow = Arc::new(Flow::default());
        self.state = State::Released(Box::new(Progress {
            event,
            key,
            flow: flow.clone(),
            status: 0,
            bytes_down: 0,
            head_us: 0,
            own_us: 0,
        }));
        if let Written::Later(done) = written
            && !done.await.unwrap_or(false)
        {
            // Not on the disk: then there was no release, and this is a refusal.
            self.conn.release_ends();
            self.conn.shared.releases.fetch_sub(1, Ordering::AcqRel);
            self.state = State::Undecided;
            return Err(unavailable());
        }
        let own_us = micros(self.started);
        self.conn.shared.took(own_us);
        if let State::Released(progress) = &mut self.state {
            progress.own_us = own_us;
        }
        Ok(ReleasedRequest { request, flow })
    }

    /// The head of the upstream's answer is here.
    pub(crate) fn answered(&mut self, status: u16) {
        let head_us = micros(self.started);
        if let State::Released(progress) = &mut self.state {
            progress.status = status;
            progress.head_us = head_us;
        }
    }

    /// The service wants a permission that the credential does not have; its challenge says which.
    pub(crate) fn falls_short(&self, challenge: &str) {
        if let State::Released(progress) = &self.state {
            self.conn.shared.ports.recorder.falls_short(&progress.key, challenge);
        }
    }

    /// So many more bytes of the answer went to the agent.
    pub(crate) fn passed_on(&mut self, bytes: usize) {
        self.conn.wire.progress();
        if let State::Released(progress) = &mut self.state {
            progress.bytes_down += bytes as u64;
        }
    }

    /// The request is over, and what was released is accounted for.
    pub(crate) fn complete(&mut self, outcome: Outcome, reading: Reading) {
        if let State::Released(progress) = std::mem::replace(&mut self.state, State::Closed) {
            self.write_completion(*progress, outcome, reading);
        }
    }

    /// Answered here without a credential being asked for; there is nothing to record.
    pub(crate) fn close(&mut self) {
        self.state = State::Closed;
    }

    /// Records why the request goes no further, and makes the answer.
    pub(crate) fn refuse(&mut self, stop: &Stop) -> Response<ReplyBody> {
        let event = match std::mem::replace(&mut self.state, State::Closed) {
            State::Released(mut progress) => {
                let event = progress.event;
                progress.status = stop.status().as_u16();
                self.write_completion(*progress, Outcome::Failed(stop.code), Reading::default());
                event
            }
            State::Undecided | State::Closed => {
                let path = if stop.hides_path { "" } else { self.uri.path() };
                let path = String::from_utf8_lossy(path::without_base(path.as_bytes()));
                self.write_refusal(
                    stop.code,
                    stop.reason.clone().into_owned(),
                    self.method.as_str(),
                    clip(&path),
                )
            }
        };
        stop.answer(event)
    }

    /// Records a head that the gate refused, and makes the answer.
    pub(crate) fn refuse_head(&mut self, stop: &Stop, violation: &Violation) -> Response<ReplyBody> {
        self.state = State::Closed;
        let reason = stop.reason.clone().into_owned();
        let event = self.write_refusal(stop.code, reason, &violation.method, clip(&violation.path));
        let mut answer = stop.answer(event);
        answer.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
        answer
    }

    fn write_refusal(&self, code: RefusalCode, reason: String, method: &str, path: &str) -> EventId {
        let ports = &self.conn.shared.ports;
        let event = ports.world.event_id();
        ports.recorder.refuse(Refusal {
            event,
            at: ports.world.now(),
            code,
            reason,
            agent: self.agent,
            grant: self.grant,
            credential: self.credential,
            service: self.service,
            method: method.to_owned(),
            path: path.to_owned(),
        });
        event
    }

    fn write_completion(&self, progress: Progress, outcome: Outcome, reading: Reading) {
        self.conn.release_ends();
        let ports = &self.conn.shared.ports;
        let completion = Completion {
            event: progress.event,
            at: ports.world.now(),
            outcome,
            status: progress.status,
            bytes_up: progress.flow.bytes_up.load(Ordering::Relaxed),
            bytes_down: progress.bytes_down,
            head_us: progress.head_us,
            total_us: micros(self.started),
            own_us: progress.own_us,
            model: reading.model,
            usage: reading.usage,
        };
        ports.recorder.complete(&progress.key, completion);
        self.conn.shared.releases.fetch_sub(1, Ordering::AcqRel);
    }

    /// What a request that simply ends here ended of.
    pub(crate) fn outcome_of_end(&self) -> Outcome {
        match self.conn.ending() {
            Ending::Cut => Outcome::Cut,
            Ending::Stalled => Outcome::Failed(RefusalCode::UpstreamTimeout),
            Ending::Open | Ending::Drain => Outcome::AgentGone,
        }
    }
}

impl Drop for Trail {
    /// Nobody wrote the end: the agent went away, the connection was cut, or something panicked.
    fn drop(&mut self) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Undecided => {
                let path = path::without_base(self.uri.path().as_bytes());
                let path = String::from_utf8_lossy(path);
                let reason = "the request ended before it was decided".to_owned();
                self.write_refusal(RefusalCode::PolicyDenied, reason, self.method.as_str(), clip(&path));
            }
            State::Released(progress) => {
                let outcome = self.outcome_of_end();
                self.write_completion(*progress, outcome, Reading::default());
            }
            State::Closed => {}
        }
        self.conn.wire.request_done();
    }
}

fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}

fn clip(path: &str) -> &str {
    let mut end = path.len().min(LONGEST_PATH);
    while !path.is_char_boundary(end) {
        end -= 1;
    }
    &path[..end]
}
