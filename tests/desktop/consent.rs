//! A consent in the real window: connect to a certified server through its pages in a real browser → grant → call through
//! the proxy → the token ends → call again → disconnect → refused. No token is found where none may be.

use crate::app::App;
use crate::shots::shoot_here;
use claviger_testkit::desktop::{Desktop, wait_at_most, wait_for};
use claviger_testkit::{FakeProvider, Needles, send_raw};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const PASSWORD: &str = "plain oak river lantern";
/// How long an access token of the server is good, in seconds.
const LIFE: u64 = 15;
/// A browser that starts on a busy machine, signs in and comes back.
const BROWSING: Duration = Duration::from_secs(60);

#[test]
fn from_consent_in_the_browser_to_a_refusal_after_disconnecting() {
    let server = Server::start();
    let upstream = FakeProvider::plain();
    let (app, opened) = app_with_a_browser();
    app.see("create-password");
    let agent = prepared(&app, &upstream);

    connect(&app, &server, &opened);
    grant(&app);
    let (proxy, path) = base_url(&app);

    look_around(&app, &server);
    let first = call(&app, &upstream, proxy, &path, &agent);
    // It was made before the request that carried it. The next request is what renews it.
    std::thread::sleep(Duration::from_secs(LIFE + 1));
    let renewed = Instant::now();
    let second = call(&app, &upstream, proxy, &path, &agent);
    assert_ne!(first, second, "a token that has ended was sent again");

    end(&app, &server, &second, renewed);
    let refused = send(proxy, &path, &agent);
    assert!(refused.0 >= 400, "a disconnected credential is used on: {} {}", refused.0, refused.1);
    assert_eq!(upstream.requests().len(), 2, "the refused request went upstream");
    nothing_secret_is_left(&app, &[&first, &second], &agent);
}

/// The app on a desktop whose browser writes down what it was asked to open.
fn app_with_a_browser() -> (App, PathBuf) {
    let desktop = Desktop::start();
    let folder = desktop.folder().join("bin");
    std::fs::create_dir(&folder).unwrap();
    let (opener, opened) = (folder.join("xdg-open"), folder.join("opened"));
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$#\" \"$1\" > '{0}.part' && mv '{0}.part' '{0}'\n",
        opened.display()
    );
    std::fs::write(&opener, script).unwrap();
    std::fs::set_permissions(&opener, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    (App::start_on(desktop, &[("PATH", &path)]), opened)
}

/// A vault, a service of one's own, an agent; its token.
fn prepared(app: &App, upstream: &FakeProvider) -> String {
    let change = |name: &str, params: Value| {
        app.call("mutate", name, params).unwrap_or_else(|error| panic!("{name} failed: {error}"))
    };
    change("vault.create", json!({ "password": PASSWORD }));
    change(
        "service.add",
        json!({ "name": "crm", "base_url": upstream.url(), "auth": "bearer", "allow_private": true }),
    );
    let made = change("agent.add", json!({ "name": "nightly-report" }));
    made["token"].as_str().unwrap_or_else(|| panic!("no token: {}", made["agent"])).to_owned()
}

/// Through the window, and in the browser what a willing person does there.
fn connect(app: &App, server: &Server, opened: &Path) {
    app.click("nav-credentials");
    app.click("sign-in-with");
    app.see("connect-github");
    shoot_here(app, "connect-choose");
    app.click("connect-any");
    app.choose("any-service", "crm");
    app.fill("any-issuer", &server.issuer);
    app.click("any-ask");
    app.see("access-next");
    let chosen = "const row = [...document.querySelectorAll('fieldset label')]
                    .find((one) => one.textContent.includes('api:read'));
                  row?.click(); return row !== undefined;";
    assert_eq!(app.js(chosen, vec![]), true, "the server's scopes are not shown:\n{}", app.page());
    app.fill("connection-name", "crm-alice");
    app.click("access-next");

    app.see("consent-host");
    // A page that is loaded anew remembers nothing; the engine does.
    app.js("location.hash = '#/credentials'; location.reload()", vec![]);
    app.click("pending-open");
    app.see("consent-host");
    shoot_here(app, "connect-waiting");
    let url = wait_for("the browser to be opened", || std::fs::read_to_string(opened).ok());
    let lines: Vec<&str> = url.lines().collect();
    assert_eq!(lines.first(), Some(&"1"), "the address is not one argument: {url}");
    let url = lines.get(1).copied().unwrap_or_default();
    assert!(url.starts_with(&server.issuer), "the browser was sent elsewhere: {url}");
    let back = browse(url);
    assert!(back["at"].as_str().unwrap_or_default().starts_with("http://127.0.0.1:"), "it ended at {back}");

    wait_at_most(BROWSING, "the connection", || app.shows("connected-grant").then_some(()));
    app.wait_for_page("crm is connected");
    app.wait_for_page("Granted");
    shoot_here(app, "connect-done");
}

/// What else the walk can show, with services of the catalogue and a code to type; nothing of it is brought to an end.
fn look_around(app: &App, server: &Server) {
    let go = |hash: &str| app.js("location.hash = arguments[0]", vec![json!(hash)]);
    go("#/credentials?connect=github");
    app.see("access-next");
    shoot_here(app, "connect-access");
    app.click("access-next");
    app.see("client-id");
    shoot_here(app, "connect-register");

    let asked = json!({ "name": "crm-elsewhere", "service": "crm", "issuer": server.issuer, "flow": "device",
                        "scopes": ["openid"], "client_id": "native" });
    let flow = app.call("mutate", "oauth.begin", asked).expect("a code is not given");
    let id = flow["id"].as_str().unwrap_or_else(|| panic!("no flow: {flow}")).to_owned();
    go(&format!("#/credentials?flow={id}"));
    let code = app.text("device-code");
    assert!(code.len() >= 6, "that is no code: {code}");
    shoot_here(app, "connect-device");
    app.click("flow-cancel");
    app.wait_for_page("crm was not connected");
    go("#/credentials/crm-alice");
    app.see("renew");
}

fn grant(app: &App) {
    app.click("connected-grant");
    app.click("grant-submit");
    app.wait_for_page("Granted to nightly-report");
    app.click("connected-done");
    app.see("renew");
    shoot_here(app, "connection");
}

/// One request; the token that the upstream saw. Neither side sees the other's.
fn call(app: &App, upstream: &FakeProvider, proxy: SocketAddr, path: &str, agent: &str) -> String {
    let before = upstream.requests().len();
    let answer = send(proxy, path, agent);
    assert_eq!(answer.0, 200, "the agent's request failed: {}; the window says:\n{}", answer.1, app.page());
    let seen = upstream.requests();
    assert_eq!(seen.len(), before + 1, "one request is one request");
    let request = seen.last().expect("it was recorded");
    assert_eq!(request.count(agent.as_bytes()), 0, "the agent's token went upstream");
    let header = request.header("authorization").unwrap_or_default();
    let token = header.strip_prefix("Bearer ").unwrap_or_else(|| panic!("no token was put on the request"));
    assert!(token.len() > 20, "that is no access token");
    assert!(!answer.1.contains(token), "the agent sees the token");
    token.to_owned()
}

/// Disconnects in the window; the server confirms that its token is worth nothing.
fn end(app: &App, server: &Server, token: &str, renewed: Instant) {
    assert!(server.takes(token), "the server does not know its own token: the check is blind");
    app.click("disconnect");
    app.click("disconnect-confirm");
    app.wait_for_text("disconnected", |text| text.contains("taken its tokens back"));
    assert!(!server.takes(token), "the server still takes the token");
    if renewed.elapsed() > Duration::from_secs(LIFE) {
        println!("the machine was slow: the token may have ended by itself");
    }
}

fn nothing_secret_is_left(app: &App, tokens: &[&str], agent: &str) {
    let named: Vec<(&str, &[u8])> =
        tokens.iter().map(|token| ("an access token", token.as_bytes())).collect();
    let needles = Needles::new(named);
    for crossing in app.crossings() {
        let found = needles.in_bytes(&crossing.name, crossing.line.as_bytes());
        assert!(found.is_empty(), "{found:?} crossed the bridge {}", crossing.way);
    }
    let (files, found) = needles.in_tree(app.desktop.folder());
    assert!(files > 10, "the search is blind: {files} files");
    assert!(found.is_empty(), "tokens in files: {found:?}");
    let found = needles.in_process_table();
    assert!(found.is_empty(), "tokens in arguments or variables: {found:?}");
    assert!(!app.page().contains(agent), "the agent's token is in the page");
}

/// The address that the agent is given.
fn base_url(app: &App) -> (SocketAddr, String) {
    let grants = app.call("query", "grant.list", json!({})).expect("grants can be listed");
    let base = grants[0]["base_url"].as_str().unwrap_or_else(|| panic!("no base URL: {grants}")).to_owned();
    let (host, path) = base.trim_start_matches("http://").split_once('/').expect("a base URL has a path");
    (host.parse().expect("an address"), format!("/{path}"))
}

fn send(proxy: SocketAddr, path: &str, token: &str) -> (u16, String) {
    let head = format!(
        "GET {path}/contacts HTTP/1.1\r\nHost: {proxy}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    let reply = send_raw(proxy, head.as_bytes());
    (reply.status, reply.text())
}

/// A person at a real browser: where it ended, and what stood there.
fn browse(url: &str) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("node");
    command.arg(root.join("tests/desktop/consent.mjs")).arg(url).arg(root.join("ui/node_modules"));
    let ran = claviger_testkit::home::finish(command, "");
    assert_eq!(ran.code, 0, "the browser failed: {}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("the browser said {:?}", ran.stdout))
}

/// The certified server (`tests/oauth/as.mjs`).
struct Server {
    child: Child,
    /// It ends when its input does, and does not survive that nobody takes its output.
    _pipes: (Option<ChildStdin>, BufReader<ChildStdout>),
    issuer: String,
}

// === impl Server ===

impl Server {
    fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oauth/as.mjs");
        let mut child = Command::new("node")
            .arg(script)
            .env("CLAVIGER_TEST_OAUTH_MODULES", modules())
            .env("AT_TTL", LIFE.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node is not installed");
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        stdout.read_line(&mut said).unwrap();
        let said: Value = serde_json::from_str(&said).expect("the server says where it is");
        let stdin = child.stdin.take();
        let issuer = said["issuer"].as_str().expect("its address").to_owned();
        Self { child, _pipes: (stdin, stdout), issuer }
    }

    /// Whether it says that a token is good (RFC 7662), asked as a client of its own.
    fn takes(&self, token: &str) -> bool {
        let host = self.issuer.trim_start_matches("http://");
        // svcpost's secret is the test server's own.
        let body =
            format!("token={token}&client_id=svcpost&client_secret=svc-secret-0123456789abcdef0123456789");
        let head = format!(
            "POST /token/introspection HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let reply = send_raw(host.parse().expect("an address"), format!("{head}{body}").as_bytes());
        assert_eq!(reply.status, 200, "the server does not tell about tokens: {}", reply.text());
        reply.text().contains("\"active\":true")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn modules() -> PathBuf {
    if let Some(path) = std::env::var_os("CLAVIGER_TEST_OAUTH_MODULES") {
        return path.into();
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|v| !v.is_empty()).map(PathBuf::from);
    let cache =
        cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"));
    let path = cache.join("claviger-dev/oauth/node_modules");
    assert!(path.exists(), "{} is missing: `cargo xtask test` makes it", path.display());
    path
}
