//! The device flow (RFC 8628): a code that the user types on any browser, and patient polling.
//!
//! Must not know where the code is shown.

use std::sync::Arc;

use claviger_model::{Duration, Timestamp};
use claviger_secret::Secret;
use tokio_util::sync::CancellationToken;

use crate::authorize::{Ask, AskError};
use crate::connection::Connection;
use crate::flow::{Clock, FlowError, dpop_for, finish};
use crate::form::Form;
use crate::http::{Http, HttpError};
use crate::json::{Object, fault};
use crate::token::{ErrorCode, TokenEndpoint, TokenError};
use crate::{Client, DpopKey, Endpoint, Server, Shown};

/// RFC 8628 §3.2: the interval when the server states none.
const DEFAULT_INTERVAL: i64 = 5;

/// RFC 8628 §3.5: what each `slow_down` adds, for good.
const SLOW_DOWN: i64 = 5;

/// A server is not waited for longer between two polls.
const LONGEST_INTERVAL: i64 = 120;

/// Nobody types a code for longer.
const LONGEST_LIFE: i64 = 1800;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The device flow.
pub struct DeviceFlow {
    http: Arc<dyn Http>,
    server: Server,
    client: Client,
    ask: Ask,
    dpop: Option<Arc<DpopKey>>,
    device_code: Secret,
    /// What the user is shown.
    pub prompt: DevicePrompt,
    interval: i64,
    next: Timestamp,
}

/// What the user is shown. It always has the code, also when a URL holds it already, so that the user can compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevicePrompt {
    /// To be typed.
    pub user_code: Shown,
    /// Where. Opened only by the user's own click.
    pub verification_uri: Endpoint,
    /// The same place with the code in it.
    pub verification_uri_complete: Option<Endpoint>,
    /// When it was begun here: whoever did not begin it is being tricked (RFC 8628 §5.4).
    pub started_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// What a poll brought.
#[derive(Debug)]
pub enum Polled {
    /// Nothing yet. Nothing is sent before this moment.
    Wait(Timestamp),
    /// The user consented.
    Connected(Box<Connection>),
}

// === impl DeviceFlow ===

impl DeviceFlow {
    /// Asks for a code.
    pub async fn begin(
        http: Arc<dyn Http>,
        server: Server,
        client: Client,
        ask: Ask,
        now: Timestamp,
    ) -> Result<Self, FlowError> {
        ask.check()?;
        let url = server.device_authorization_endpoint.clone().ok_or(AskError::NotOffered)?;
        let dpop = dpop_for(&ask)?;
        let form = || {
            let form = ask.extra.iter().fold(Form::new(), |form, (name, value)| form.with(name, value));
            let form = ask.scope().iter().fold(form, |form, scope| form.with("scope", scope));
            // RFC 8628 §3.1: the client id, also where the header authenticates.
            form.with_each("resource", ask.resources.iter().map(String::as_str)).with("client_id", &client.id)
        };
        let response = TokenEndpoint::of(&server).post(&http, &url, &client, None, form, now).await?;
        if !response.is_json() {
            return Err(TokenError::from(fault("not called JSON", "content-type")).into());
        }
        // EXPOSE: parsed; the device code becomes a Secret again, the rest is shown.
        let mut object = Object::read(response.body.expose()).map_err(TokenError::from)?;
        let read = Read::from(&mut object, &server).map_err(TokenError::from)?;
        let prompt = DevicePrompt {
            user_code: read.user_code,
            verification_uri: read.verification_uri,
            verification_uri_complete: read.verification_uri_complete,
            started_at: now,
            expires_at: now.after(Duration(read.expires_in * 1000)),
        };
        let next = now.after(Duration(read.interval * 1000));
        Ok(Self {
            http,
            server,
            client,
            ask,
            dpop,
            device_code: read.device_code,
            prompt,
            interval: read.interval,
            next,
        })
    }

    /// Seconds between two polls as it stands now.
    pub fn interval_s(&self) -> u32 {
        u32::try_from(self.interval).unwrap_or(u32::MAX)
    }

    /// Asks once whether the user consented, unless it is too early for that.
    pub async fn poll(&mut self, now: Timestamp) -> Result<Polled, FlowError> {
        let pause = Duration(self.interval * 1000);
        // A clock that was set back must not make us wait for days.
        self.next = self.next.min(now.after(pause));
        if now < self.next {
            return Ok(Polled::Wait(self.next));
        }
        if now >= self.prompt.expires_at {
            return Err(FlowError::TimedOut);
        }
        self.next = now.after(pause);
        let form = || {
            Form::new()
                .with("grant_type", GRANT)
                .with_secret("device_code", &self.device_code)
                .with_each("resource", self.ask.resources.iter().map(String::as_str))
        };
        let endpoint = TokenEndpoint::of(&self.server);
        let slower = match endpoint.ask(&self.http, &self.client, self.dpop.as_deref(), form, now).await {
            Ok(tokens) => {
                let (server, client) = (self.server.clone(), self.client.duplicate());
                let done =
                    finish(&self.http, server, client, &self.ask, tokens, self.dpop.clone(), None, now)
                        .await?;
                return Ok(Polled::Connected(Box::new(done)));
            }
            Err(TokenError::Refused { code: ErrorCode::AuthorizationPending, .. }) => self.interval,
            Err(TokenError::Refused { code: ErrorCode::SlowDown, .. }) => self.interval + SLOW_DOWN,
            // RFC 8628 §3.5: after a timeout, twice as slowly.
            Err(TokenError::Http(HttpError::AddressRefused)) => {
                return Err(TokenError::Http(HttpError::AddressRefused).into());
            }
            Err(TokenError::Http(_)) => self.interval * 2,
            Err(error @ TokenError::Status { .. }) if error.is_passing() => self.interval * 2,
            Err(error) => return Err(error.into()),
        };
        self.interval = slower.min(LONGEST_INTERVAL);
        self.next = now.after(Duration(self.interval * 1000));
        Ok(Polled::Wait(self.next))
    }

    /// Polls until the user consented, refused, cancelled or went away.
    pub async fn wait(
        mut self,
        clock: &dyn Clock,
        cancel: &CancellationToken,
    ) -> Result<Connection, FlowError> {
        loop {
            let now = clock.now();
            let polled = tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(FlowError::Cancelled),
                polled = self.poll(now) => polled?,
            };
            let until = match polled {
                Polled::Connected(connection) => return Ok(*connection),
                Polled::Wait(until) => until.min(self.prompt.expires_at),
            };
            let pause = u64::try_from(until.0 - clock.now().0).unwrap_or(0).max(10);
            tokio::select! {
                () = cancel.cancelled() => return Err(FlowError::Cancelled),
                () = tokio::time::sleep(std::time::Duration::from_millis(pause)) => {}
            }
        }
    }
}

/// The server's answer.
struct Read {
    device_code: Secret,
    user_code: Shown,
    verification_uri: Endpoint,
    verification_uri_complete: Option<Endpoint>,
    expires_in: i64,
    interval: i64,
}

// === impl Read ===

impl Read {
    fn from(object: &mut Object, server: &Server) -> Result<Self, crate::Fault> {
        let seconds = |object: &Object, field: &'static str| -> Result<Option<i64>, crate::Fault> {
            let Some(value) = object.value(field) else { return Ok(None) };
            let whole = value.as_i64().or_else(|| value.as_str().and_then(|t| t.parse().ok()));
            whole.filter(|s| *s >= 0).map(Some).ok_or(fault("not a number of seconds", field))
        };
        let url = |object: &Object, field: &'static str| -> Result<Option<Endpoint>, crate::Fault> {
            let Some(text) = object.text(field)? else { return Ok(None) };
            Endpoint::parse(text, server.reach)
                .map(Some)
                .map_err(|_| fault("not a URL that may be opened", field))
        };
        let user_code = Shown::clean_to(object.required_text("user_code")?, 64);
        if user_code.as_str().is_empty() {
            return Err(fault("empty", "user_code"));
        }
        let expires_in =
            seconds(object, "expires_in")?.filter(|s| *s > 0).ok_or(fault("missing", "expires_in"))?;
        let interval = seconds(object, "interval")?.unwrap_or(DEFAULT_INTERVAL);
        // Google and others still send the name of an early draft.
        let place = if object.has("verification_uri") { "verification_uri" } else { "verification_url" };
        Ok(Self {
            user_code,
            verification_uri: url(object, place)?.ok_or(fault("missing", "verification_uri"))?,
            verification_uri_complete: url(object, "verification_uri_complete")?,
            expires_in: expires_in.min(LONGEST_LIFE),
            interval: interval.clamp(1, LONGEST_INTERVAL),
            device_code: object
                .take_secret("device_code")?
                .filter(|c| !c.is_empty() && c.len() <= 4096)
                .ok_or(fault("missing", "device_code"))?,
        })
    }
}
