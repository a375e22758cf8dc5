//! Five authorization servers that others wrote, each started once for the whole program and ended with it: what is known
//! about each, and how its user consents. Must not know what the tests prove.

use std::sync::{Arc, OnceLock};

use claviger_oauth::http::Http;
use claviger_oauth::{
    Ask, AskError, Client, Clock as _, CodeFlow, Connection, FlowError, Issuer, Listener, Quirks, Reach,
    Redirect, Server,
};
use claviger_secret::ClientSecret;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::browser::Walker;
use super::process::Process;
use super::provider::SECRET;
use super::{Wall, ask, issuer, local, real_http};

/// A secret that only arrives when it is form-encoded before base64 (RFC 6749 §2.3.1).
pub(crate) const ODD_SECRET: &str = "p:%+&= /x~s3cret-0123456789abcdef";

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    OidcProvider,
    Glewlwyd,
    DjangoOauthToolkit,
    Oauth2MockServer,
    OidcProviderMock,
}

/// A running server.
pub(crate) struct Site {
    pub(crate) kind: Kind,
    pub(crate) issuer: Issuer,
    process: Process,
    gate: tokio::sync::Mutex<()>,
}

// === impl Kind ===

impl Kind {
    pub(crate) const ALL: [Self; 5] = [
        Self::OidcProvider,
        Self::Glewlwyd,
        Self::DjangoOauthToolkit,
        Self::Oauth2MockServer,
        Self::OidcProviderMock,
    ];

    /// Those that the starred lines of the checklist run against.
    pub(crate) const STARRED: [Self; 3] = [Self::OidcProvider, Self::Glewlwyd, Self::DjangoOauthToolkit];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OidcProvider => "oidc-provider",
            Self::Glewlwyd => "Glewlwyd",
            Self::DjangoOauthToolkit => "django-oauth-toolkit",
            Self::Oauth2MockServer => "oauth2-mock-server",
            Self::OidcProviderMock => "oidc-provider-mock",
        }
    }

    fn script(self) -> &'static str {
        match self {
            Self::OidcProvider => "as.mjs",
            Self::Glewlwyd => "glewlwyd.py",
            Self::DjangoOauthToolkit => "dot.py",
            Self::Oauth2MockServer => "mock.mjs",
            Self::OidcProviderMock => "oidc_mock.py",
        }
    }

    /// The server, started at the first call. It ends with this program, by its standard input.
    pub(crate) fn site(self) -> &'static Site {
        static SITES: [OnceLock<Site>; 5] = [const { OnceLock::new() }; 5];
        SITES[self as usize].get_or_init(|| {
            let process = Process::start(self.script(), &[]);
            let issuer = issuer(process.said["issuer"].as_str().unwrap());
            Site { kind: self, issuer, process, gate: tokio::sync::Mutex::default() }
        })
    }
}

// === impl Site ===

impl Site {
    /// One test at a time: Glewlwyd's database refuses a second writer, and says so with a 500.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.gate.lock().await
    }

    pub(crate) fn version(&self) -> &str {
        self.process.said["version"].as_str().unwrap_or_default()
    }

    /// What it says about itself.
    pub(crate) async fn discover(&self) -> Server {
        let found = Server::discover(&real_http(), &self.issuer, Reach::Private).await;
        found.unwrap_or_else(|e| panic!("{} is not described: {e}", self.kind.name()))
    }

    /// What it says about itself, with what the service's entry in the catalogue would add.
    pub(crate) async fn server(&self) -> Server {
        let mut server = self.discover().await;
        match self.kind {
            // It says nothing about PKCE, and ignores it.
            Kind::OidcProviderMock => {
                server = server.with_quirks(Quirks { pkce_unadvertised: true, ..Quirks::default() });
            }
            // It has the endpoint, but its metadata does not.
            Kind::DjangoOauthToolkit => {
                let at = format!("{}/device-authorization/", self.issuer);
                server.device_authorization_endpoint = Some(local(&at));
            }
            _ => {}
        }
        server
    }

    /// What a user of this service would ask for, so that a refresh token comes along.
    pub(crate) fn ask(&self) -> Ask {
        match self.kind {
            Kind::OidcProvider => Ask {
                extra: vec![("prompt".into(), "consent".into())],
                ..ask(&["openid", "offline_access", "api:read"])
            },
            Kind::DjangoOauthToolkit => ask(&["openid", "read"]),
            _ => ask(&["openid"]),
        }
    }

    /// What a client asks for that registered itself: at django-oauth-toolkit such a client has no way to sign id tokens.
    pub(crate) fn registered_ask(&self) -> Ask {
        if self.kind == Kind::DjangoOauthToolkit { self.own_ask() } else { self.ask() }
    }

    /// What a service asks for, for itself.
    pub(crate) fn own_ask(&self) -> Ask {
        match self.kind {
            Kind::OidcProvider => ask(&["api:read"]),
            Kind::DjangoOauthToolkit => ask(&["read"]),
            _ => ask(&["openid"]),
        }
    }

    /// A resource that it knows (RFC 8707).
    pub(crate) fn resource(&self) -> String {
        match self.kind {
            Kind::OidcProvider => format!("{}/other", self.issuer),
            _ => "https://api.example/".to_owned(),
        }
    }

    /// The client for a consent that arrives here. Glewlwyd compares the port, so there it is registered by hand first, as
    /// its user would.
    pub(crate) async fn client(&self, server: &Server, redirect_uri: &str) -> Client {
        let id = match self.kind {
            Kind::Glewlwyd => {
                let id = format!("native-{}", Url::parse(redirect_uri).unwrap().port().unwrap());
                self.enrol(&id, &[redirect_uri], &["code", "refresh_token"]).await;
                id
            }
            // Any id will do, and any secret, but a secret there must be.
            Kind::OidcProviderMock => {
                return Client::with_secret(server, "native", ClientSecret::from(SECRET.to_owned())).unwrap();
            }
            _ => "native".to_owned(),
        };
        Client::public(server.issuer.clone(), id).unwrap()
    }

    /// A client with a secret for a consent that arrives here, for servers where a public one may not give tokens back.
    async fn client_with_secret(&self, server: &Server, redirect_uri: &str) -> Client {
        let id = format!("secret-{}", Url::parse(redirect_uri).unwrap().port().unwrap());
        let client = json!({
            "client_id": id, "name": id, "confidential": true, "client_secret": SECRET, "password": SECRET,
            "enabled": true, "redirect_uri": [redirect_uri], "scope": ["openid"],
            "authorization_type": ["code", "refresh_token", "client_credentials"],
            "token_endpoint_auth_method": ["client_secret_basic"],
        });
        self.tell_about(&client).await;
        Client::with_secret(server, id, ClientSecret::from(SECRET.to_owned())).unwrap()
    }

    /// The client for a consent on another device.
    pub(crate) async fn device_client(&self, server: &Server) -> Client {
        let id = match self.kind {
            Kind::Glewlwyd => {
                self.enrol("device", &[], &["device_authorization", "refresh_token"]).await;
                "device"
            }
            Kind::DjangoOauthToolkit => "device",
            _ => "native",
        };
        Client::public(server.issuer.clone(), id).unwrap()
    }

    /// A client with a secret, by one of the ways to prove it.
    pub(crate) fn service(&self, server: &Server, way: &str) -> Client {
        let mut server = server.clone();
        server.client_authentication = Some(vec![way.to_owned()]);
        // django-oauth-toolkit takes every client by either way.
        let is_other = way == "client_secret_post" && self.kind != Kind::DjangoOauthToolkit;
        let id = if is_other { "svcpost" } else { "svc" };
        Client::with_secret(&server, id, ClientSecret::from(SECRET.to_owned())).unwrap()
    }

    /// Consents in a browser, until the listener has the answer. Returns what its page says.
    pub(crate) async fn consent(&self, url: &str) -> String {
        let mut walker = Walker::new();
        if self.kind != Kind::Glewlwyd {
            return walker.consent(url).await;
        }
        self.sign_in(&mut walker).await;
        let at = Url::parse(url).unwrap();
        let id = at.query_pairs().find(|(n, _)| n == "client_id").unwrap().1.into_owned();
        self.grant(&mut walker, &id).await;
        // What its page adds when the user clicks on "continue".
        walker.consent(&format!("{url}&g_continue")).await
    }

    /// Consents on another device.
    pub(crate) async fn consent_elsewhere(&self, complete: &str) -> String {
        let mut walker = Walker::new();
        if self.kind != Kind::Glewlwyd {
            return walker.consent(complete).await;
        }
        self.sign_in(&mut walker).await;
        self.grant(&mut walker, "device").await;
        walker.consent(&format!("{complete}&g_continue")).await
    }

    /// The whole way to a connection, with a willing user.
    pub(crate) async fn connect(
        &self,
        http: &Arc<dyn Http>,
        server: &Server,
        ask: Ask,
    ) -> Result<Connection, FlowError> {
        self.finish(self.begin(http, server, ask).await?).await
    }

    pub(crate) async fn begin(
        &self,
        http: &Arc<dyn Http>,
        server: &Server,
        ask: Ask,
    ) -> Result<CodeFlow, AskError> {
        let redirect = Redirect { path: Some("/callback".into()), ..Redirect::default() };
        let listener = Listener::bind(&redirect).await.unwrap();
        let client = self.client(server, &listener.redirect_uri()).await;
        CodeFlow::begin(Arc::clone(http), server.clone(), client, ask, listener, Wall.now()).await
    }

    /// The same way with a client that has a secret.
    pub(crate) async fn connect_with_secret(&self, http: &Arc<dyn Http>, server: &Server) -> Connection {
        let redirect = Redirect { path: Some("/callback".into()), ..Redirect::default() };
        let listener = Listener::bind(&redirect).await.unwrap();
        let client = self.client_with_secret(server, &listener.redirect_uri()).await;
        let http = Arc::clone(http);
        let flow = CodeFlow::begin(http, server.clone(), client, self.ask(), listener, Wall.now()).await;
        self.finish(flow.unwrap()).await.expect("connected with a secret")
    }

    pub(crate) async fn finish(&self, flow: CodeFlow) -> Result<Connection, FlowError> {
        let url = flow.url().to_owned();
        let never = CancellationToken::new();
        let browse = async {
            let page = self.consent(&url).await;
            assert!(page.contains("Claviger has the answer"), "{}: {page}", self.kind.name());
        };
        tokio::join!(flow.wait(&Wall, &never), browse).0
    }

    /// What Glewlwyd's own page sends.
    async fn sign_in(&self, walker: &mut Walker) {
        let at = self.api("/auth/");
        let status = walker.tell("POST", &at, &json!({"username": "admin", "password": "password"})).await;
        assert_eq!(status, 200, "signed in");
    }

    async fn grant(&self, walker: &mut Walker, client: &str) {
        let at = self.api(&format!("/auth/grant/{client}"));
        let status = walker.tell("PUT", &at, &json!({"scope": "openid"})).await;
        assert_eq!(status, 200, "granted to {client}");
    }

    async fn enrol(&self, id: &str, redirect_uris: &[&str], grants: &[&str]) {
        let client = json!({
            "client_id": id, "name": id, "confidential": false, "enabled": true, "redirect_uri": redirect_uris,
            "authorization_type": grants, "scope": ["openid"], "token_endpoint_auth_method": ["none"],
        });
        self.tell_about(&client).await;
    }

    async fn tell_about(&self, client: &serde_json::Value) {
        let mut walker = Walker::new();
        self.sign_in(&mut walker).await;
        let status = walker.tell("POST", &self.api("/client/"), client).await;
        // A port may come again, and a device's client is there from the first time on.
        assert!(matches!(status, 200 | 400), "{client} is registered: {status}");
    }

    fn api(&self, path: &str) -> Url {
        let base = self.issuer.as_str().trim_end_matches("/oidc");
        Url::parse(&format!("{base}{path}")).unwrap()
    }
}
