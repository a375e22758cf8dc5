//! The certified server (`tests/oauth/as.mjs`), started for one test and ended with it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use claviger_oauth::{Issuer, Reach, Server};

use super::{issuer, real_http};

pub(crate) const SECRET: &str = "svc-secret-0123456789abcdef0123456789";

/// A running server.
pub(crate) struct Provider {
    child: Child,
    /// The server ends when its input does, and does not survive that nobody takes its output.
    _pipes: (Option<ChildStdin>, BufReader<ChildStdout>),
    pub(crate) issuer: Issuer,
}

impl Provider {
    /// Starts one with these variables.
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/oauth/as.mjs");
        let mut child = Command::new("node")
            .arg(script)
            .env("CLAVIGER_TEST_OAUTH_MODULES", modules())
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts");
        let mut first = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut first).unwrap();
        let said: serde_json::Value = serde_json::from_str(&first).expect("the server says where it is");
        let stdin = child.stdin.take();
        Self { child, _pipes: (stdin, stdout), issuer: issuer(said["issuer"].as_str().unwrap()) }
    }

    /// What it says about itself.
    pub(crate) async fn discover(&self) -> Server {
        Server::discover(&real_http(), &self.issuer, Reach::Private).await.expect("it describes itself")
    }
}

impl Drop for Provider {
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
    assert!(
        path.exists(),
        "{} is missing: `cargo xtask test` makes it, or set CLAVIGER_TEST_OAUTH_MODULES",
        path.display()
    );
    path
}
