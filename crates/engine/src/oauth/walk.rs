//! One flow from its beginning to its end: find the server, be a client there, wait for consent, store.
//!
//! Must not know who looks. Every way out but the last leaves nothing stored, and gives back what the server gave.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use claviger_model::{CredentialId, Service, Timestamp};
use claviger_oauth::http::{Http, HttpError, Request, Response};
use claviger_oauth::{
    Account, Ask, Browser, Client, Clock, CodeFlow, CommandBrowser, Connection, DeviceFlow, Endpoint,
    FlowError, LONGEST_CONSENT, ListenError, Listener, Reach, Redirect, Registration, Server,
    client_credentials,
};
use claviger_secret::ClientSecret;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::faults::{Fault, FaultCode};
use super::flow::{FlowKind, Step};
use super::notes::Note;
use super::servers::{Found, find};
use crate::engine::Engine;
use crate::live::wall_clock;

/// What servers show to people.
const OUR_NAME: &str = "Claviger";
/// Giving back what nobody will use may not take longer.
const LONGEST_GIVING_BACK: Duration = Duration::from_secs(10);

/// Everything that a flow needs to know at its beginning.
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) service: Service,
    pub(super) reach: Reach,
    pub(super) issuer: Option<String>,
    pub(super) kind: FlowKind,
    pub(super) scopes: Vec<String>,
    /// What the token is for; `None` means what the service says now.
    pub(super) resources: Option<Vec<String>>,
    pub(super) app: App,
    /// The app is one that we registered, or are about to.
    pub(super) is_registered: bool,
    pub(super) redirect_uri: Option<String>,
    pub(super) open: bool,
    pub(super) destination: Destination,
}

/// Who we are at the server.
pub(super) enum App {
    /// As before.
    Known(Client),
    /// Registered by the user.
    ByHand { id: String, secret: Option<ClientSecret> },
    /// Not known yet.
    Register,
}

/// Where the connection goes.
#[derive(Clone, Copy)]
pub(super) enum Destination {
    /// Into a new credential.
    New,
    /// In the place of another.
    Again(CredentialId),
}

/// Why a walk ended early.
enum Halt {
    Cancelled,
    Fault(Fault),
}

impl<T: Into<Fault>> From<T> for Halt {
    fn from(why: T) -> Self {
        Self::Fault(why.into())
    }
}

/// The wall clock.
struct Wall;

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        wall_clock()
    }
}

/// Walks it. What comes back is its last step.
pub(super) async fn walk(engine: &Engine, id: &str, plan: Plan, cancel: &CancellationToken) -> Step {
    match walk_or_halt(engine, id, plan, cancel).await {
        Ok(connected) => connected,
        Err(Halt::Cancelled) => Step::Cancelled,
        Err(Halt::Fault(fault)) => Step::Failed(fault),
    }
}

async fn walk_or_halt(
    engine: &Engine,
    id: &str,
    plan: Plan,
    cancel: &CancellationToken,
) -> Result<Step, Halt> {
    let http = engine.net_of(Some(&plan.service));
    let finding = find(&http, Some(&plan.service), plan.issuer.as_deref(), plan.reach);
    let found = unless(cancel, finding).await??;
    engine.update_flow(id, |flow| flow.issuer = Some(found.server.issuer.to_string()));
    let Plan { name, service, kind, scopes, resources, app, redirect_uri, open, .. } = plan;
    let Plan { destination, reach, is_registered, .. } = plan;
    let ask = ask_for(&found, kind, scopes, resources);
    let walk = Walk { engine, id, http, server: found.server, ask, cancel };
    let (connection, redirect_uri) = match kind {
        FlowKind::Code => {
            let (connection, uri) = walk.by_browser(app, redirect_uri, reach, open).await?;
            (connection, Some(uri))
        }
        FlowKind::Device => (walk.by_typed_code(app).await?, None),
        FlowKind::ClientCredentials => (walk.by_client(app).await?, None),
    };
    let http = engine.net_of(Some(&service));
    if cancel.is_cancelled() {
        give_back(&http, &connection).await;
        return Err(Halt::Cancelled);
    }
    let note = Note { kind, redirect_uri, is_registered };
    let (connection, stored) = store(engine, name, service.name, note, connection, destination).await;
    match stored {
        Ok(step) => Ok(step),
        Err(why) => {
            give_back(&http, &connection).await;
            Err(why)
        }
    }
}

fn ask_for(found: &Found, kind: FlowKind, scopes: Vec<String>, resources: Option<Vec<String>>) -> Ask {
    let scopes = match kind {
        FlowKind::Code | FlowKind::Device if scopes.is_empty() => found.preselected(),
        _ => scopes,
    };
    let mut extra = found.parameters.clone();
    // OpenID Connect Core §11: without it the server gives no refresh token.
    let stays = kind == FlowKind::Code && scopes.iter().any(|scope| scope == "offline_access");
    if stays && !extra.iter().any(|(name, _)| name == "prompt") {
        extra.push(("prompt".into(), "consent".into()));
    }
    Ask { scopes, resources: resources.unwrap_or_else(|| found.resources.clone()), extra, ..Ask::default() }
}

/// The parts that each kind of flow needs.
struct Walk<'a> {
    engine: &'a Engine,
    id: &'a str,
    http: Arc<dyn Http>,
    server: Server,
    ask: Ask,
    cancel: &'a CancellationToken,
}

// === impl Walk ===

impl Walk<'_> {
    async fn by_browser(
        self,
        app: App,
        redirect_uri: Option<String>,
        reach: Reach,
        open: bool,
    ) -> Result<(Connection, String), Halt> {
        if self.server.authorization_endpoint.is_none() {
            return Err(FlowKind::Code.not_offered().into());
        }
        let listener = listen(redirect_uri.as_deref(), matches!(app, App::Known(_))).await?;
        let here = listener.redirect_uri();
        let registration = Registration::for_code_flow(OUR_NAME, here.clone(), &self.ask.scopes);
        let client = self.client(app, &registration).await?;
        let Self { engine, id, http, server, ask, cancel } = self;
        let announced = Arc::new(Announced::new(http, engine.clone(), id.to_owned()));
        let http: Arc<dyn Http> = announced.clone();
        let beginning = CodeFlow::begin(http, server, client, ask, listener, wall_clock());
        let flow = unless(cancel, beginning).await??;
        announced.arm();
        let url = flow.url().to_owned();
        let over = wall_clock().0.saturating_add(millis(LONGEST_CONSENT));
        engine.update_flow(id, |flow| {
            flow.expires_at = Some(Timestamp(over));
            flow.step = Step::WaitingBrowser { url: url.clone(), redirect_uri: here.clone() };
        });
        if open {
            open_browser(&url, reach).await;
        }
        Ok((flow.wait(&Wall, cancel).await.map_err(halt)?, here))
    }

    async fn by_typed_code(self, app: App) -> Result<Connection, Halt> {
        if self.server.device_authorization_endpoint.is_none() {
            return Err(FlowKind::Device.not_offered().into());
        }
        let registration = Registration {
            client_name: OUR_NAME.to_owned(),
            redirect_uri: None,
            grant_types: vec![
                "urn:ietf:params:oauth:grant-type:device_code".to_owned(),
                "refresh_token".to_owned(),
            ],
            scopes: self.ask.scopes.clone(),
        };
        let client = self.client(app, &registration).await?;
        let Self { engine, id, http, server, ask, cancel } = self;
        let beginning = DeviceFlow::begin(http, server, client, ask, wall_clock());
        let flow = unless(cancel, beginning).await?.map_err(halt)?;
        let prompt = flow.prompt.clone();
        let interval_s = flow.interval_s();
        engine.update_flow(id, |flow| {
            flow.expires_at = Some(prompt.expires_at);
            flow.step = Step::WaitingDevice {
                user_code: prompt.user_code.to_string(),
                verification_uri: prompt.verification_uri.as_str().to_owned(),
                verification_uri_complete: prompt
                    .verification_uri_complete
                    .map(|uri| uri.as_str().to_owned()),
                interval_s,
            };
        });
        flow.wait(&Wall, cancel).await.map_err(halt)
    }

    async fn by_client(self, app: App) -> Result<Connection, Halt> {
        let client = match app {
            App::Known(client) => client,
            App::ByHand { id, secret: Some(secret) } => Client::with_secret(&self.server, id, secret)?,
            App::ByHand { secret: None, .. } | App::Register => {
                return Err(Halt::Fault(Fault::new(
                    FaultCode::NeedsClientId,
                    "this flow needs a client id and its secret",
                    "register a service account at the provider; give --client-id and --client-secret-stdin",
                )));
            }
        };
        self.engine.update_flow(self.id, |flow| flow.step = Step::Exchanging);
        let asking = client_credentials(&self.http, &self.server, client, &self.ask, wall_clock());
        unless(self.cancel, asking).await?.map_err(halt)
    }

    async fn client(&self, app: App, registration: &Registration) -> Result<Client, Halt> {
        Ok(match app {
            App::Known(client) => client,
            App::ByHand { id, secret: Some(secret) } => Client::with_secret(&self.server, id, secret)?,
            App::ByHand { id, secret: None } => Client::public(self.server.issuer.clone(), id)?,
            App::Register => {
                self.engine.update_flow(self.id, |flow| flow.step = Step::Registering);
                let registering = registration.send(&self.http, &self.server, None);
                unless(self.cancel, registering).await??.client
            }
        })
    }
}

/// Opens the listener where the redirect URI says. A loopback URI without a port takes any (RFC 8252 §7.3); so does one
/// that was registered before, when its port is taken.
async fn listen(redirect_uri: Option<&str>, may_move: bool) -> Result<Listener, Fault> {
    let Some(uri) = redirect_uri else { return Ok(Listener::bind(&Redirect::default()).await?) };
    let mut redirect = redirect_of(uri)?;
    match Listener::bind(&redirect).await {
        Err(ListenError::PortInUse(_)) if may_move => {
            redirect.port = None;
            Ok(Listener::bind(&redirect).await?)
        }
        other => Ok(other?),
    }
}

fn redirect_of(uri: &str) -> Result<Redirect, Fault> {
    let no_redirect = || Fault::from(ListenError::Path);
    let rest = uri.strip_prefix("http://").ok_or_else(no_redirect)?;
    let (authority, path) = rest.find('/').map(|at| rest.split_at(at)).ok_or_else(no_redirect)?;
    let (host, port) = match authority.strip_prefix("[::1]") {
        Some("") => ("[::1]", None),
        Some(port) => ("[::1]", Some(port.strip_prefix(':').ok_or_else(no_redirect)?)),
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host != "127.0.0.1" && host != "[::1]" {
        return Err(no_redirect());
    }
    let port = port.map(|port| port.parse::<u16>().ok().filter(|port| *port != 0).ok_or_else(no_redirect));
    Ok(Redirect { over_ipv6: host == "[::1]", path: Some(path.to_owned()), port: port.transpose()? })
}

/// Whether a URL is one that this process hands to a browser unasked: https, or plain http to this very machine for a
/// service that is marked private. Anything else is shown only.
fn may_be_opened(url: &str, reach: Reach) -> bool {
    let place = url.split_once('?').map_or(url, |(place, _)| place);
    let Ok(endpoint) = Endpoint::parse(place, reach) else { return false };
    let host = endpoint.url().host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    endpoint.url().scheme() == "https" || host == "localhost" || address.is_ok_and(|ip| ip.is_loopback())
}

/// Hands the URL to the user's own browser. When that fails the URL still stands in the flow, to be opened by hand.
async fn open_browser(url: &str, reach: Reach) {
    if !may_be_opened(url, reach) {
        tracing::warn!("the sign-in page is not opened by itself: it is not https");
        return;
    }
    let url = url.to_owned();
    let opened = tokio::task::spawn_blocking(move || {
        let (program, arguments) = claviger_platform::url_opener();
        CommandBrowser::new(program, arguments.iter().map(|a| (*a).to_owned())).open(&url, reach)
    })
    .await;
    if let Ok(Err(why)) = opened {
        tracing::warn!(%why, "the browser was not opened");
    }
}

async fn store(
    engine: &Engine,
    name: String,
    service: String,
    note: Note,
    connection: Connection,
    destination: Destination,
) -> (Arc<Connection>, Result<Step, Halt>) {
    let connection = Arc::new(connection);
    let (engine, kept) = (engine.clone(), Arc::clone(&connection));
    let storing = tokio::task::spawn_blocking(move || {
        let credential = match destination {
            Destination::New => engine.store_connected(&name, &service, &note, &kept)?,
            Destination::Again(id) => {
                engine.close_keeper(id)?;
                match engine.store_reconnected(id, &note, &kept) {
                    Ok(credential) => credential,
                    Err(why) => {
                        engine.keep_stored(id);
                        return Err(why);
                    }
                }
            }
        };
        engine.keep_stored(credential.id);
        Ok(credential)
    });
    let stored = match storing.await {
        Ok(Ok(credential)) => {
            let facts = &connection.facts;
            let owned = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect();
            Ok(Step::Connected {
                credential: credential.name,
                account: facts.account.as_ref().map(account_name),
                scopes: facts.granted.clone(),
                withheld: owned(facts.withheld()),
                unasked: owned(facts.unasked()),
                expires: facts.expires_at(),
                refreshable: facts.renewal != claviger_oauth::Renewal::Consent,
            })
        }
        Ok(Err(why)) => Err(Halt::from(why)),
        Err(_) => {
            let what = "storing the connection broke off";
            Err(Halt::Fault(Fault::new(
                FaultCode::NotStored,
                what,
                "the log on stderr says where; please report it",
            )))
        }
    };
    (connection, stored)
}

/// Whose it is, in the words that say most to a person.
pub(super) fn account_name(account: &Account) -> String {
    let told = account.email.as_ref().or(account.name.as_ref()).unwrap_or(&account.subject);
    told.to_string()
}

/// Tokens that nobody will use are not left alive.
async fn give_back(http: &Arc<dyn Http>, connection: &Connection) {
    let connection = connection.begin_revocation(wall_clock());
    let giving = connection.revoke(http, wall_clock());
    if tokio::time::timeout(LONGEST_GIVING_BACK, giving).await.is_err() {
        tracing::warn!("tokens of a consent that was not stored could not be given back in time");
    }
}

async fn unless<R>(cancel: &CancellationToken, work: impl Future<Output = R>) -> Result<R, Halt> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Halt::Cancelled),
        done = work => Ok(done),
    }
}

fn halt(why: FlowError) -> Halt {
    match why {
        FlowError::Cancelled => Halt::Cancelled,
        other => Halt::Fault(other.into()),
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// Says that the answer arrived: the first request after the browser was sent off is the exchange.
struct Announced {
    http: Arc<dyn Http>,
    engine: Engine,
    id: String,
    is_armed: AtomicBool,
}

// === impl Announced ===

impl Announced {
    fn new(http: Arc<dyn Http>, engine: Engine, id: String) -> Self {
        Self { http, engine, id, is_armed: AtomicBool::new(false) }
    }

    fn arm(&self) {
        self.is_armed.store(true, Ordering::Release);
    }
}

impl Http for Announced {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        if self.is_armed.swap(false, Ordering::AcqRel) {
            self.engine.update_flow(&self.id, |flow| {
                flow.expires_at = None;
                flow.step = Step::Exchanging;
            });
        }
        self.http.send(request)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_https_and_this_machine_are_opened_unasked() {
        for (url, public, private) in [
            ("https://as.example/authorize?a=b", true, true),
            ("http://127.0.0.1:9400/auth?a=b", false, true),
            ("http://[::1]:9400/auth", false, true),
            ("http://localhost:9400/auth", false, true),
            ("http://192.168.1.5/auth", false, false),
            ("http://as.example/authorize", false, false),
            ("http://127.0.0.1.evil.example/", false, false),
            ("javascript:alert(1)", false, false),
            ("file:///etc/passwd", false, false),
            ("--help", false, false),
        ] {
            assert_eq!(may_be_opened(url, Reach::Public), public, "{url} for a public service");
            assert_eq!(may_be_opened(url, Reach::Private), private, "{url} for a private one");
        }
    }

    #[test]
    fn only_a_loopback_address_is_a_redirect() {
        for (uri, over_ipv6, port) in [
            ("http://127.0.0.1/callback", false, None),
            ("http://127.0.0.1:8400/callback", false, Some(8400)),
            ("http://[::1]/callback", true, None),
            ("http://[::1]:8400/callback", true, Some(8400)),
        ] {
            let expected = Redirect { over_ipv6, path: Some("/callback".into()), port };
            assert_eq!(redirect_of(uri).unwrap(), expected, "{uri}");
        }
        for uri in [
            "https://127.0.0.1/callback",
            "http://localhost:8400/callback",
            "http://127.0.0.1",
            "http://127.0.0.1:0/callback",
            "http://127.0.0.1:99999/callback",
            "http://127.0.0.1@evil.example/callback",
            "http://127.0.0.1.evil.example/callback",
            "http://[::1]x/callback",
            "http://10.0.0.1/callback",
            "",
        ] {
            assert!(redirect_of(uri).is_err(), "{uri} was taken for a redirect");
        }
    }
}
