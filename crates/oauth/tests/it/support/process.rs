//! Other programs that are servers: started on a free port, ended with their standard input. Must not know what they serve.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// A running server.
pub(crate) struct Process {
    child: Child,
    /// The server ends when its input does, and does not survive that nobody takes its output.
    pipes: (Option<ChildStdin>, BufReader<ChildStdout>),
    /// What it said about itself, in one line, when it was ready.
    pub(crate) said: Value,
}

impl Process {
    /// Starts a script of `tests/oauth` with these variables, and waits until it is ready.
    pub(crate) fn start(script: &str, variables: &[(&str, &str)]) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/oauth").join(script);
        let mut command = if script.ends_with(".py") {
            let mut command =
                Command::new(installed("CLAVIGER_TEST_OAUTH_PYTHON", "oauth-python/bin/python"));
            // Nothing is written into the tree.
            command
                .arg("-B")
                .env("CLAVIGER_TEST_GLEWLWYD", installed("CLAVIGER_TEST_GLEWLWYD", "glewlwyd/root"));
            command
        } else {
            Command::new("node")
        };
        let mut child = command
            .arg(path)
            .env(
                "CLAVIGER_TEST_OAUTH_MODULES",
                installed("CLAVIGER_TEST_OAUTH_MODULES", "oauth/node_modules"),
            )
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(if std::env::var_os("CLAVIGER_OAUTH_NOISE").is_some() {
                Stdio::inherit()
            } else {
                Stdio::null()
            })
            .spawn()
            .unwrap_or_else(|e| panic!("{script} does not start: {e}"));
        let mut first = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut first).unwrap();
        let said = serde_json::from_str(&first).unwrap_or_else(|_| {
            panic!("{script} does not say where it is; CLAVIGER_OAUTH_NOISE=1 shows why")
        });
        let stdin = child.stdin.take();
        Self { child, pipes: (stdin, stdout), said }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have something to clean up.
        self.pipes.0 = None;
        for _ in 0..200 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `cargo xtask test` installed, by its variable or in its usual place.
fn installed(variable: &str, place: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|v| !v.is_empty()).map(PathBuf::from);
    let cache =
        cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"));
    let path = cache.join("claviger-dev").join(place);
    assert!(path.exists(), "{} is missing: `cargo xtask test` makes it, or set {variable}", path.display());
    path
}
