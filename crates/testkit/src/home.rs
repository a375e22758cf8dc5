//! A Claviger home in a temporary directory, driven through the real `claviger` binary, and a running `serve` in it.
//! Must not know the product's insides: it uses the command line as anybody would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// A home of its own, with the password that [`Home::init`] sets.
pub struct Home {
    dir: tempfile::TempDir,
    bin: PathBuf,
    /// The vault's password.
    pub password: String,
}

/// How a command ended.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

/// A running `claviger serve`; killed when dropped.
pub struct Engine {
    child: Child,
    /// The proxy's address.
    pub proxy: SocketAddr,
    /// The first line of stdout.
    pub ready: Value,
    /// Where stderr is kept.
    pub log: PathBuf,
}

// === impl Home ===

impl Home {
    /// An empty home. `bin` is the `claviger` binary, as in `env!("CARGO_BIN_EXE_claviger")`.
    pub fn new(bin: impl AsRef<Path>) -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            bin: bin.as_ref().to_owned(),
            password: "correct horse battery staple 7".to_owned(),
        }
    }

    /// A home with a vault in it, opened by password alone.
    pub fn with_vault(bin: impl AsRef<Path>) -> Self {
        let home = Self::new(bin);
        home.init();
        home
    }

    /// Everything that belongs to this home: the home itself, logs, the user's home directory.
    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// The directory given as `CLAVIGER_HOME`.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("claviger")
    }

    /// A command in this home, with nothing of the test's own environment but `PATH`.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.bin);
        command.args(args).env_clear().env("CLAVIGER_HOME", self.path()).env("HOME", self.root());
        for kept in ["PATH", "RUST_LOG", "RUST_BACKTRACE", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        command
    }

    /// Runs a command to its end with this on stdin.
    pub fn run(&self, args: &[&str], stdin: &str) -> Ran {
        finish(self.command(args), stdin)
    }

    /// Runs a command with `--json` that must succeed, and reads its one document.
    #[track_caller]
    pub fn json(&self, args: &[&str], stdin: &str) -> Value {
        let ran = self.run(&[&["--json"], args].concat(), stdin);
        assert_eq!(ran.code, 0, "`claviger {}` failed: {}{}", args.join(" "), ran.stdout, ran.stderr);
        serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|e| panic!("no JSON from {args:?}: {e}: {}", ran.stdout))
    }

    /// Makes the vault and returns its recovery key.
    #[track_caller]
    pub fn init(&self) -> String {
        let made = self.json(&["init", "--no-keychain", "--password-stdin"], &format!("{}\n", self.password));
        made["recovery_key"].as_str().expect("init shows the recovery key").to_owned()
    }

    /// Starts `serve` on a free port with the vault open, and waits until it is ready.
    #[track_caller]
    pub fn serve(&self) -> Engine {
        self.serve_with(&["--port", "0", "--password-stdin"], &[], &format!("{}\n", self.password))
    }

    /// Starts `serve` with these arguments, environment and stdin.
    #[track_caller]
    pub fn serve_with(&self, args: &[&str], env: &[(&str, &str)], stdin: &str) -> Engine {
        let logs = self.root().join("logs");
        std::fs::create_dir_all(&logs).unwrap();
        let log = logs.join(format!("serve-{}.log", std::fs::read_dir(&logs).unwrap().count()));
        let mut command = self.command(&[&["serve"], args].concat());
        command.envs(env.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(std::fs::File::create(&log).unwrap());
        let mut child = command.spawn().expect("serve starts");
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let Ok(ready) = serde_json::from_str::<Value>(&line) else {
            let _ = child.kill();
            let code = child.wait().unwrap().code();
            panic!(
                "serve ended with {code:?} before it was ready: {line}{}",
                std::fs::read_to_string(&log).unwrap()
            );
        };
        // Whatever it says later must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        let proxy = ready["proxy"].as_str().and_then(|url| url.strip_prefix("http://")).expect("an address");
        Engine { proxy: proxy.parse().unwrap(), ready, child, log }
    }

    /// A service, a credential with this key, an agent and a grant. Returns the agent's token and the grant's base URL.
    #[track_caller]
    pub fn wire(&self, name: &str, base_url: &str, auth: &str, usage: &str, key: &str) -> (String, String) {
        let mut service =
            vec!["service", "add", name, "--base-url", base_url, "--auth", auth, "--allow-private"];
        if !usage.is_empty() {
            service.extend(["--usage", usage]);
        }
        self.json(&service, "");
        let (credential, agent) = (format!("{name}-key"), format!("{name}-agent"));
        self.json(&["credential", "add", &credential, "--service", name, "--secret-stdin"], key);
        let token = self.json(&["agent", "add", &agent], "");
        let grant = self.json(&["grant", "add", &agent, &credential], "");
        (token["token"].as_str().unwrap().to_owned(), grant["base_url"].as_str().unwrap().to_owned())
    }
}

// === impl Engine ===

impl Engine {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end (SIGTERM), and returns its exit code.
    pub fn terminate(mut self) -> i32 {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill").args(["-TERM", &pid]).status().unwrap().success(),
            "SIGTERM is delivered"
        );
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    /// Ends it as a crash would (SIGKILL).
    pub fn kill9(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What it wrote to stderr so far.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// === impl Ran ===

impl Ran {
    /// The error document that `--json` writes to stderr: its last line.
    pub fn error(&self) -> Value {
        let line = self.stderr.lines().last().unwrap_or_default();
        serde_json::from_str::<Value>(line).map(|v| v["error"].clone()).unwrap_or_default()
    }
}

/// Runs a command to its end with this on stdin; one that has not ended after a minute is killed.
pub fn finish(mut command: Command, stdin: &str) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    // One that ends before it has read everything closes the pipe; that is its right.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let collect = |pipe: &mut dyn Read| {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let watchdog = Watchdog::start(child.id(), Duration::from_secs(120));
    let errors = std::thread::spawn(move || collect(&mut err));
    let stdout = collect(&mut out);
    let stderr = errors.join().unwrap();
    let code = child.wait().unwrap().code().unwrap_or(-1);
    drop(watchdog);
    Ran { code, stdout, stderr }
}

/// Kills one process when it takes too long.
struct Watchdog(std::sync::mpsc::Sender<()>);

impl Watchdog {
    fn start(pid: u32, patience: Duration) -> Self {
        let (alive, ended) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            if ended.recv_timeout(patience) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
            }
        });
        Self(alive)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}
