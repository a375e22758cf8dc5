//! A remote MCP server built with the official SDK (`tests/clients/mcp_server.mjs`), started for one test and ended with it.
//! Must not know Claviger.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;

use crate::clients::place;

/// A running server.
pub struct McpServer {
    child: Child,
    /// The server ends when its input does.
    _stdin: Option<ChildStdin>,
    /// Its endpoint.
    pub url: String,
    /// The authorization server beside it, if there is one.
    pub issuer: Option<String>,
    seen: Arc<Mutex<Vec<Value>>>,
}

// === impl McpServer ===

impl McpServer {
    /// Starts one that takes these tokens, each with its scopes.
    pub fn with_tokens(tokens: &Value) -> Self {
        Self::start(&[("TOKENS", &tokens.to_string())])
    }

    /// Starts one with an authorization server beside it, whose tokens live for so many seconds.
    pub fn with_oauth(token_seconds: u32) -> Self {
        Self::start(&[("OAUTH", "1"), ("AT_TTL", &token_seconds.to_string())])
    }

    fn start(variables: &[(&str, &str)]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients/mcp_server.mjs");
        let mut child = Command::new("node")
            .arg(script)
            .env("CLAVIGER_TEST_NODE_MODULES", place("CLAVIGER_TEST_NODE_MODULES", "node/node_modules"))
            .env("CLAVIGER_TEST_OAUTH_MODULES", place("CLAVIGER_TEST_OAUTH_MODULES", "oauth/node_modules"))
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts");
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut lines = stdout.lines().map_while(Result::ok);
        let mut seen = Vec::new();
        let ready = loop {
            let line = lines.next().expect("the server says where it is");
            // A server that runs may print a word of its own.
            let Ok(said) = serde_json::from_str::<Value>(&line) else { continue };
            if said["url"].is_string() {
                break said;
            }
            seen.push(said);
        };
        let text = |name: &str| ready[name].as_str().map(str::to_owned);
        let seen = Arc::new(Mutex::new(seen));
        let sink = seen.clone();
        std::thread::spawn(move || {
            for line in lines {
                if let Ok(said) = serde_json::from_str(&line) {
                    sink.lock().push(said);
                }
            }
        });
        Self { child, _stdin: stdin, url: text("url").unwrap(), issuer: text("issuer"), seen }
    }

    /// Every request so far: `seen`, `authorization`, `session`, `version`, `headers`.
    pub fn seen(&self) -> Vec<Value> {
        self.seen.lock().clone()
    }
}

impl Drop for McpServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
