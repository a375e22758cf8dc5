//! OAuth through the real binary: a certified authorization server (oidc-provider), a recording upstream, consent
//! driven over HTTP as a willing user would.

/// A browser without a window.
mod browser;
/// Consent by browser, by typed code, by client credentials; with a running engine and without one.
mod consent;
/// Tokens given back, at once and later; kill -9 in between.
mod ending;
/// No token in any file, log, view or, once locked, in memory.
mod leaks;
/// Tokens that are made here from a key.
mod minted;
/// The authorization server.
mod provider;
/// Tokens that end, are refused, or are no longer taken.
mod renewal;
/// The service behind the proxy.
mod upstream;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use claviger_testkit::{Home, Reply};
use serde_json::Value;

pub(crate) use browser::Walker;
pub(crate) use provider::Provider;
pub(crate) use upstream::Upstream;

use crate::journeys::Base;

pub(crate) const SCOPES: &str = "openid offline_access api:read";

/// `claviger oauth connect` while it runs.
pub(crate) struct Connecting {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Connecting {
    /// Starts it with `--json --no-browser` and this on stdin.
    pub(crate) fn start(home: &Home, args: &[&str], stdin: &str) -> Self {
        let mut command = home.command(&[&["--json", "oauth"], args].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command starts");
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    /// Its next line.
    #[track_caller]
    pub(crate) fn line(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| {
            let mut errors = String::new();
            let _ = self.child.stderr.take().map(|mut pipe| pipe.read_to_string(&mut errors));
            panic!("no line of JSON: {line:?} {errors}")
        })
    }

    /// Its exit code, and what it wrote to stderr.
    pub(crate) fn end(mut self) -> (i32, String) {
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (self.child.wait().unwrap().code().unwrap_or(-1), errors)
    }

    /// Ends it as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        let pid = self.child.id().to_string();
        assert!(
            std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success(),
            "SIGINT is delivered"
        );
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A service for this upstream, marked private so that its server may be, too.
pub(crate) fn add_service(home: &Home, upstream: &Upstream) {
    let url = upstream.url();
    home.json(&["service", "add", "api", "--base-url", &url, "--auth", "bearer", "--allow-private"], "");
}

/// Walks the consent by browser, as a willing user, with the app that the server knows.
#[track_caller]
pub(crate) fn connect(home: &Home, provider: &Provider, name: &str) -> Value {
    let args =
        ["connect", "api", name, "--issuer", &provider.issuer, "--client-id", "native", "--scope", SCOPES];
    let mut connecting = Connecting::start(home, &[&args[..], &["--no-browser"]].concat(), "");
    let open = connecting.line();
    let page = Walker::new().consent(open["open"].as_str().expect("a URL to open"));
    assert!(page.contains("Claviger has the answer"), "the user is told: {page}");
    let connected = connecting.line();
    let (code, errors) = connecting.end();
    assert_eq!(code, 0, "{errors}");
    connected
}

/// An agent with a grant on this credential: its token and its base.
#[track_caller]
pub(crate) fn grant(home: &Home, credential: &str) -> (String, Base) {
    let agent = format!("{credential}-agent");
    let token = home.json(&["agent", "add", &agent], "");
    let grant = home.json(&["grant", "add", &agent, credential], "");
    (token["token"].as_str().unwrap().to_owned(), Base::of(grant["base_url"].as_str().unwrap()))
}

/// The connection as `oauth status` shows it.
#[track_caller]
pub(crate) fn status(home: &Home, name: &str) -> Value {
    home.json(&["oauth", "status", name], "")
}

/// Waits until a token is over, at its server and by our clock: a server counts whole seconds and may be ahead.
#[track_caller]
pub(crate) fn until_over(provider: &Provider, token: &str) {
    within(15, "the token is over", || (!provider.is_active(token)).then_some(()));
    let over = Instant::now();
    within(5, "by our clock, too", || (over.elapsed() > Duration::from_millis(1_200)).then_some(()));
}

/// Asks until `is_so`, for at most so many seconds; some things take as long as a token lives.
#[track_caller]
pub(crate) fn within<T>(seconds: u64, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {seconds} s: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// That a reply holds none of these tokens, in head or body.
#[track_caller]
pub(crate) fn holds_none(reply: &Reply, tokens: &[String]) {
    let raw = String::from_utf8_lossy(&reply.raw);
    for token in tokens {
        assert!(!raw.contains(token.as_str()), "the agent saw the token of the service: {raw}");
    }
}
