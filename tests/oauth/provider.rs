//! The certified server (`tests/oauth/as.mjs`), started for one test and ended with it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use claviger_testkit::{Reply, send_raw};
use serde_json::Value;

pub(crate) const SECRET: &str = "svc-secret-0123456789abcdef0123456789";

/// A running server.
pub(crate) struct Provider {
    child: Child,
    /// It ends when its input does.
    _stdin: Option<ChildStdin>,
    pub(crate) issuer: String,
    given: Arc<Mutex<Vec<Value>>>,
}

impl Provider {
    /// Starts one whose access tokens live so many seconds.
    pub(crate) fn start(ttl: u32) -> Self {
        Self::start_at(ttl, 0)
    }

    /// Starts one in the place of another that was stopped; it knows none of the tokens that the other gave.
    pub(crate) fn start_again(ttl: u32, before: &str) -> Self {
        Self::start_at(ttl, before.rsplit(':').next().unwrap().parse().unwrap())
    }

    fn start_at(ttl: u32, port: u16) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oauth/as.mjs");
        let mut child = Command::new("node")
            .arg(script)
            .env("CLAVIGER_TEST_OAUTH_MODULES", modules())
            .env("AT_TTL", ttl.to_string())
            .env("PORT", port.to_string())
            .env("TELL_TOKENS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts");
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        stdout.read_line(&mut first).unwrap();
        let said: Value = serde_json::from_str(&first).expect("the server says where it is");
        let given = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&given);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if let Ok(Value::Object(mut line)) = serde_json::from_str(&line) {
                    told.lock().unwrap().extend(line.remove("tokens"));
                }
            }
        });
        let stdin = child.stdin.take();
        Self { child, _stdin: stdin, issuer: said["issuer"].as_str().unwrap().to_owned(), given }
    }

    /// Stops it, as a server that is away.
    pub(crate) fn stop(mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.issuer.clone()
    }

    /// How often it gave tokens.
    pub(crate) fn times_asked(&self) -> usize {
        self.given.lock().unwrap().len()
    }

    /// Every token that it gave: access, refresh, id.
    pub(crate) fn all_tokens(&self) -> Vec<String> {
        let given = self.given.lock().unwrap();
        let fields = ["access_token", "refresh_token", "id_token"];
        given
            .iter()
            .flat_map(|answer| fields.iter().filter_map(|field| answer[*field].as_str()).map(str::to_owned))
            .collect()
    }

    /// Whether the server itself still takes this token (RFC 7662).
    pub(crate) fn is_active(&self, token: &str) -> bool {
        let basic = format!("svc:{SECRET}");
        let reply = self.post(
            "/token/introspection",
            &format!("authorization: Basic {}\r\n", base64(basic.as_bytes())),
            &format!("token={token}"),
        );
        assert_eq!(reply.status, 200, "introspection is answered: {}", reply.text());
        reply.json()["active"] == true
    }

    fn post(&self, path: &str, headers: &str, body: &str) -> Reply {
        let host = self.issuer.strip_prefix("http://").unwrap();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\n{headers}content-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        send_raw(host.parse::<SocketAddr>().unwrap(), request.as_bytes())
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn modules() -> PathBuf {
    if let Some(path) = std::env::var_os("CLAVIGER_TEST_OAUTH_MODULES") {
        return path.into();
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|v| !v.is_empty()).map(PathBuf::from);
    let cache =
        cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"));
    let path = cache.join("claviger-dev/oauth/node_modules");
    assert!(
        path.exists(),
        "{} is missing: `cargo xtask test` makes it, or set CLAVIGER_TEST_OAUTH_MODULES",
        path.display()
    );
    path
}
