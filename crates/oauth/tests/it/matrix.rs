//! Eight capabilities at five servers that others wrote: each cell is found by doing it, and `docs/oauth-matrix.md` says what
//! was found. `CLAVIGER_OAUTH_MATRIX=write` writes the document (`cargo xtask oauth-matrix`); otherwise it must say the same.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use claviger_model::Duration;
use claviger_oauth::http::Http;
use claviger_oauth::{
    Ask, AskError, Client, ClientError, Clock as _, CodeFlow, Connection, DeviceFlow, ErrorCode, FlowError,
    KeeperError, Listener, Polled, Redirect, RegisterError, Registration, Renewal, Revocation, TokenError,
    TokenKeeper, TokenKind, client_credentials,
};
use claviger_secret::ClientSecret;

use crate::support::provider::SECRET;
use crate::support::sites::{Kind, ODD_SECRET, Site};
use crate::support::store::{Ears, Memory};
use crate::support::watch::Watch;
use crate::support::{Wall, real_http};

/// What doing it came to, and what there is to say about it. Whatever is none of these fails the test.
#[derive(Debug)]
enum Cell {
    Works(String),
    Refused(String),
    NotOffered(String),
}

impl Cell {
    fn word(&self) -> &'static str {
        match self {
            Self::Works(_) => "works",
            Self::Refused(_) => "refused cleanly",
            Self::NotOffered(_) => "not offered",
        }
    }

    fn remark(&self) -> &str {
        match self {
            Self::Works(text) | Self::Refused(text) | Self::NotOffered(text) => text,
        }
    }
}

/// A flow's error as a cell, if it is the server's or our own clear word.
fn ended(what: &str, error: &FlowError) -> Cell {
    match error {
        FlowError::Token(TokenError::Refused { code: ErrorCode::UnsupportedGrantType, .. }) => {
            Cell::NotOffered(error.to_string())
        }
        FlowError::Ask(AskError::NotOffered) => Cell::NotOffered(String::new()),
        FlowError::Token(TokenError::Refused { .. } | TokenError::Status { .. } | TokenError::WrongKind)
        | FlowError::Answer(_)
        | FlowError::Ask(_) => Cell::Refused(error.to_string()),
        other => panic!("{what}: {other}"),
    }
}

async fn code(site: &Site) -> Cell {
    let mut remarks = Vec::new();
    let plain = site.discover().await;
    match site.begin(&real_http(), &plain, site.ask()).await {
        Ok(_) => {}
        Err(error @ AskError::NoPkce) => {
            remarks
                .push(format!("only with `pkce_unadvertised` in the service's entry; without it: {error}"));
        }
        Err(other) => return ended("code", &other.into()),
    }
    let server = site.server().await;
    let connection = match site.connect(&real_http(), &server, site.ask()).await {
        Ok(connection) => connection,
        Err(error) => return ended("code", &error),
    };
    assert_eq!(connection.facts.kind, TokenKind::Bearer, "a bearer token");
    // The probe: a server that looks at PKCE refuses a wrong verifier.
    let probe = site.begin(&real_http(), &server, site.ask()).await.unwrap().with_wrong_verifier();
    match site.finish(probe).await {
        Err(FlowError::Token(TokenError::Refused { .. } | TokenError::Status { .. })) => {
            remarks.push("PKCE is enforced".to_owned());
        }
        Ok(_) => remarks.push("PKCE is ignored, as the probe finds".to_owned()),
        Err(other) => panic!("the probe: {other}"),
    }
    if server.names_itself {
        remarks.push("the answer names its issuer".to_owned());
    }
    if connection.facts.account.is_some() {
        remarks.push("the id token says who consented".to_owned());
    }
    Cell::Works(remarks.join("; "))
}

async fn device(site: &Site) -> Cell {
    let mut remarks = Vec::new();
    let server = site.server().await;
    if site.discover().await.device_authorization_endpoint.is_none()
        && server.device_authorization_endpoint.is_some()
    {
        remarks.push("not in its metadata, so the service's entry has to say where");
    }
    let client = site.device_client(&server).await;
    let mut now = Wall.now();
    let mut flow = match DeviceFlow::begin(real_http(), server, client, site.own_ask(), now).await {
        Ok(flow) => flow,
        Err(error) => {
            let cell = ended("device", &error);
            remarks.push(cell.remark());
            return match &cell {
                Cell::NotOffered(_) => Cell::NotOffered(remarks.join("; ")),
                _ => Cell::Refused(remarks.join("; ")),
            };
        }
    };
    now = now.after(Duration(6_000));
    match flow.poll(now).await {
        Ok(Polled::Wait(_)) => {}
        Ok(Polled::Connected(_)) => panic!("tokens before consent"),
        Err(error) => return Cell::Refused(error.to_string()),
    }
    let complete = flow.prompt.verification_uri_complete.clone().expect("a place with the code in it");
    let page = site.consent_elsewhere(complete.as_str()).await;
    // The server's own clock decides how often it may be asked; ours is an argument.
    for _ in 0..20 {
        tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
        now = now.after(Duration(20_000));
        match flow.poll(now).await {
            Ok(Polled::Connected(connection)) => {
                assert!(!connection.facts.granted.is_empty(), "granted scopes");
                return Cell::Works(remarks.join("; "));
            }
            Ok(Polled::Wait(_)) => {}
            Err(error) => panic!("device, after consent: {error}; its page: {page}"),
        }
    }
    panic!("no tokens after consent; its page: {page}")
}

async fn service(site: &Site) -> Cell {
    let server = site.server().await;
    let secret = || ClientSecret::from(SECRET.to_owned());
    if let Err(error @ ClientError::NoCommonWay) = Client::with_secret(&server, "svc", secret()) {
        let open = Client::public(server.issuer.clone(), "svc").unwrap();
        let open = client_credentials(&real_http(), &server, open, &site.own_ask(), Wall.now()).await;
        let open = if open.is_ok() { "; it gives tokens to whoever asks without a secret" } else { "" };
        return Cell::Refused(format!("{error}{open}"));
    }
    let mut ways = Vec::new();
    for way in ["client_secret_basic", "client_secret_post"] {
        let said = server.client_authentication.as_ref();
        if said.is_some_and(|ways| ways.iter().all(|w| w != way)) {
            continue;
        }
        let client = site.service(&server, way);
        match client_credentials(&real_http(), &server, client, &site.own_ask(), Wall.now()).await {
            Ok(connection) => {
                assert_eq!(connection.facts.renewal, Renewal::ClientCredentials, "renewed by asking again");
                ways.push(way);
            }
            Err(error) if ways.is_empty() => return ended("client_credentials", &error),
            Err(error) => panic!("{way}: {error}"),
        }
    }
    let odd = Client::with_secret(&server, "svcodd", ClientSecret::from(ODD_SECRET.to_owned())).unwrap();
    let odd = client_credentials(&real_http(), &server, odd, &site.own_ask(), Wall.now()).await;
    let odd = match odd {
        Ok(_) => "a secret with `:%+&=` arrives",
        Err(FlowError::Token(TokenError::Refused { .. } | TokenError::Status { status: 401 | 403, .. })) => {
            "a secret with `:%+&=` is refused in the header: it does not undo the form encoding (RFC 6749 §2.3.1)"
        }
        Err(other) => panic!("an odd secret: {other}"),
    };
    Cell::Works(format!("{}; {odd}", ways.join(", ")))
}

fn keep(connection: Connection, http: Arc<dyn Http>) -> (Arc<TokenKeeper>, Arc<Ears>) {
    let (store, ears) = (Memory::holding(&connection), Arc::new(Ears::default()));
    let keeper = TokenKeeper::new(connection, http, Arc::new(store), Arc::<Ears>::clone(&ears));
    (Arc::new(keeper), ears)
}

async fn refresh(site: &Site) -> Cell {
    let server = site.server().await;
    let connection = site.connect(&real_http(), &server, site.ask()).await.expect("connected");
    if connection.facts.renewal != Renewal::Refresh {
        return Cell::NotOffered("it gives no refresh token".to_owned());
    }
    let stolen = Connection::decode(&connection.encode()).unwrap();
    let watch = Watch::new();
    let (keeper, _) = keep(connection, Arc::<Watch>::clone(&watch));
    let mut spent = Vec::new();
    for round in 1..=2_u64 {
        let now = keeper.facts().expires_at().expect("a lifetime").after(Duration(1_000));
        let callers = (0..64).map(|_| {
            let keeper = Arc::clone(&keeper);
            tokio::spawn(async move { keeper.lease(now).await.map(|lease| lease.generation) })
        });
        for caller in futures_util::future::join_all(callers).await {
            match caller.unwrap() {
                Ok(generation) => assert_eq!(generation, round + 1, "64 callers, one new token"),
                Err(KeeperError::Broken(why)) => return Cell::Refused(why.to_string()),
                Err(other) => panic!("refresh: {other}"),
            }
        }
        let sent = watch.take(server.token_endpoint.as_str());
        assert_eq!(sent.len(), 1, "64 callers, one request");
        spent.push(sent[0].field("refresh_token").to_owned());
    }
    let rotates = if spent[0] == spent[1] { "the refresh token stays" } else { "the refresh token rotates" };
    let later = stolen.facts.expires_at().unwrap().after(Duration(1_000));
    let (thief, _) = keep(stolen, real_http());
    let reuse = match thief.lease(later).await {
        Ok(_) if spent[0] == spent[1] => String::new(),
        Ok(_) => "; a spent one is taken again".to_owned(),
        Err(KeeperError::Broken(_)) => {
            let now = keeper.facts().expires_at().unwrap().after(Duration(1_000));
            match keeper.lease(now).await {
                Err(KeeperError::Broken(_)) => "; a spent one is refused and ends the grant".to_owned(),
                Ok(_) => "; a spent one is refused".to_owned(),
                Err(other) => panic!("after reuse: {other}"),
            }
        }
        Err(other) => panic!("reuse: {other}"),
    };
    Cell::Works(format!("{rotates}{reuse}"))
}

/// Gives a connection back, and says whether its refresh token is dead then.
async fn give_back(connection: Connection) -> Result<String, Cell> {
    let leaving = connection.begin_revocation(Wall.now());
    match leaving.revoke(&real_http(), Wall.now()).await {
        Revocation::Done => {}
        Revocation::NotOffered => {
            return Err(Cell::NotOffered("the user is told that the tokens live on".to_owned()));
        }
        Revocation::Refused(why) => return Err(Cell::Refused(why.to_string())),
        Revocation::Pending(_) => panic!("the server is not there"),
    }
    let again = leaving.revoke(&real_http(), Wall.now()).await;
    assert!(matches!(again, Revocation::Done), "a token that is dead already is revoked as well: {again:?}");
    let now = connection.facts.expires_at().unwrap().after(Duration(1_000));
    let (keeper, _) = keep(connection, real_http());
    match keeper.lease(now).await {
        Err(KeeperError::Broken(_)) => Ok("the refresh token is dead afterwards".to_owned()),
        Ok(_) => Ok("it confirms, and goes on taking the refresh token".to_owned()),
        Err(other) => panic!("after revocation: {other}"),
    }
}

async fn revoke(site: &Site) -> Cell {
    let server = site.server().await;
    let connection = site.connect(&real_http(), &server, site.ask()).await.expect("connected");
    match give_back(connection).await {
        Ok(remark) => Cell::Works(remark),
        Err(Cell::Refused(why)) if site.kind == Kind::Glewlwyd => {
            let connection = site.connect_with_secret(&real_http(), &server).await;
            match give_back(connection).await {
                Ok(remark) => Cell::Works(format!(
                    "{remark}; only for clients with a secret, a public one hears: {why}"
                )),
                Err(cell) => cell,
            }
        }
        Err(cell) => cell,
    }
}

async fn pushed(site: &Site) -> Cell {
    let server = site.server().await;
    let flow = match site.begin(&real_http(), &server, Ask { pushed: true, ..site.ask() }).await {
        Ok(flow) => flow,
        Err(error) => return ended("PAR", &error.into()),
    };
    let is_reference = flow.url().contains("request_uri=") && !flow.url().contains("code_challenge");
    assert!(is_reference, "the browser carries a reference only");
    match site.finish(flow).await {
        Ok(_) => Cell::Works(String::new()),
        Err(error) => ended("PAR", &error),
    }
}

async fn bound(site: &Site) -> Cell {
    let server = site.server().await;
    let is_offered = !server.dpop_algorithms.is_empty();
    match site.connect(&real_http(), &server, Ask { dpop: true, ..site.ask() }).await {
        Ok(connection) => {
            assert_eq!(connection.facts.kind, TokenKind::Dpop, "bound to a key");
            let now = connection.facts.expires_at().unwrap().after(Duration(1_000));
            let (keeper, _) = keep(connection, real_http());
            let lease = keeper.lease(now).await.unwrap_or_else(|e| panic!("DPoP, refreshed: {e}"));
            assert_eq!(lease.kind(), TokenKind::Dpop, "refreshed with a proof");
            Cell::Works("refreshed with a proof too".to_owned())
        }
        Err(error @ FlowError::Token(TokenError::WrongKind)) if !is_offered => {
            Cell::NotOffered(format!("asked for all the same, it answers with a Bearer token: {error}"))
        }
        Err(error) => ended("DPoP", &error),
    }
}

async fn registration(site: &Site) -> Cell {
    let server = site.server().await;
    let listener = Listener::bind(&Redirect::default()).await.unwrap();
    let scopes: &[String] = if site.kind == Kind::Glewlwyd { &["openid".to_owned()] } else { &[] };
    let registration = Registration::for_code_flow("Claviger", listener.redirect_uri(), scopes);
    let registered = match registration.send(&real_http(), &server, None).await {
        Ok(registered) => registered,
        Err(RegisterError::NotOffered) => return Cell::NotOffered(String::new()),
        Err(
            error @ (RegisterError::Refused { .. } | RegisterError::Status(_) | RegisterError::Changed(_)),
        ) => {
            return Cell::Refused(error.to_string());
        }
        Err(other) => panic!("registration: {other}"),
    };
    let managed = if registered.management.is_some() { "with a token to manage it by" } else { "" };
    let ask = site.registered_ask();
    let flow =
        CodeFlow::begin(real_http(), server, registered.client, ask, listener, Wall.now()).await.unwrap();
    match site.finish(flow).await {
        Ok(_) => Cell::Works(managed.to_owned()),
        Err(error) => {
            let cell = ended("registration", &error);
            Cell::Refused(format!(
                "it registers a public client, and then does not take it: {}",
                cell.remark()
            ))
        }
    }
}

const CAPABILITIES: [&str; 8] =
    ["code", "device", "client_credentials", "refresh", "revoke", "PAR", "DPoP", "registration"];

async fn row(site: &'static Site) -> Vec<Cell> {
    vec![
        code(site).await,
        device(site).await,
        service(site).await,
        refresh(site).await,
        revoke(site).await,
        pushed(site).await,
        bound(site).await,
        registration(site).await,
    ]
}

fn document(rows: &[(&'static Site, Vec<Cell>)]) -> String {
    let mut out = String::from(
        "# Eight capabilities at five authorization servers\n\n\
         Written by `cargo xtask oauth-matrix`, which starts each server and does what the column says with\n\
         `crates/oauth`; `cargo xtask test` does it again and fails when this page says something else. *Works* went through\n\
         to the end. *Refused cleanly* ended with an error that says why, and nothing was kept. *Not offered*: the server\n\
         has no such thing, and that is what the error says.\n\n| server |",
    );
    for name in CAPABILITIES {
        let _ = write!(out, " {name} |");
    }
    out.push_str("\n| --- |");
    out.push_str(&" --- |".repeat(CAPABILITIES.len()));
    for (site, cells) in rows {
        let _ = write!(out, "\n| {} {} |", site.kind.name(), site.version());
        for cell in cells {
            let _ = write!(out, " {} |", cell.word());
        }
    }
    out.push_str("\n\n## What was seen\n");
    for (site, cells) in rows {
        let _ = write!(out, "\n**{}**\n\n", site.kind.name());
        for (name, cell) in CAPABILITIES.iter().zip(cells).filter(|(_, cell)| !cell.remark().is_empty()) {
            let _ = writeln!(out, "- {name}: {}", cell.remark());
        }
    }
    out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o80_the_matrix_says_what_the_servers_do() {
    let visits = Kind::ALL.map(|kind| {
        tokio::spawn(async move {
            // Starting it takes its time.
            let site = tokio::task::spawn_blocking(move || kind.site()).await.unwrap();
            let _turn = site.turn().await;
            (site, row(site).await)
        })
    });
    let rows: Vec<_> = futures_util::future::join_all(visits).await.into_iter().map(Result::unwrap).collect();
    let found = document(&rows);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/oauth-matrix.md");
    if std::env::var_os("CLAVIGER_OAUTH_MATRIX").is_some_and(|how| how == "write") {
        std::fs::write(&path, &found).unwrap();
        println!("{found}");
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        found, committed,
        "docs/oauth-matrix.md is not what the servers do; write it: cargo xtask oauth-matrix"
    );
}
