//! The providers' official clients in Python and Node, run as an agent would run them. Must not know the proxy: what
//! changes between "straight" and "through Claviger" is two variables per provider.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// In which language the agent is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// `openai` and `anthropic` from PyPI.
    Python,
    /// `openai` and `@anthropic-ai/sdk` from npm.
    Node,
}

// === impl Client ===

impl Client {
    /// Runs the whole journey with these variables and returns what it printed: one object per call that succeeded.
    ///
    /// The clients live outside the tree: `CLAVIGER_TEST_PYTHON` and `CLAVIGER_TEST_NODE_MODULES`, or where
    /// `cargo xtask test` puts them.
    #[track_caller]
    pub fn journey(self, env: &[(&str, &str)]) -> Vec<Value> {
        self.script("journey", env)
    }

    /// Runs the official MCP client with these variables and returns what it printed.
    #[track_caller]
    pub fn mcp(self, env: &[(&str, &str)]) -> Vec<Value> {
        self.script("mcp", env)
    }

    #[track_caller]
    fn script(self, name: &str, env: &[(&str, &str)]) -> Vec<Value> {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients");
        let mut command = match self {
            Self::Python => {
                let python = place("CLAVIGER_TEST_PYTHON", "python/bin/python");
                let mut command = Command::new(python);
                command.arg("-I").arg(scripts.join(format!("{name}.py")));
                command
            }
            Self::Node => {
                let mut command = Command::new("node");
                command.arg(scripts.join(format!("{name}.mjs")));
                command
            }
        };
        command.env_clear().envs(env.iter().copied());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        if self == Self::Node {
            command
                .env("CLAVIGER_TEST_NODE_MODULES", place("CLAVIGER_TEST_NODE_MODULES", "node/node_modules"));
        }
        let ran = crate::home::finish(command, "");
        assert_eq!(ran.code, 0, "the {self:?} clients failed:\n{}{}", ran.stdout, ran.stderr);
        ran.stdout.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect()
    }
}

pub(crate) fn place(variable: &str, below_cache: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache =
        cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"));
    let path = cache.join("claviger-dev").join(below_cache);
    assert!(path.exists(), "{} is missing: `cargo xtask test` makes it, or set {variable}", path.display());
    path
}
