//! `claviger demo`: the whole job on this machine, in a temporary home. A headless engine runs as a process of its
//! own, and so does the agent, which is given two variables; the upstream stands here and remembers what it saw.
//!
//! It succeeds only if the agent's side never held, sent or received the secret. Must not take shortcuts: everything
//! goes through the contract, the proxy and real sockets.

mod agent;
mod report;
mod upstream;

use std::hash::{BuildHasher as _, Hasher as _};
use std::path::Path;
use std::process::{ExitCode, Stdio};

use claviger_api::schema::{ApiError, Code, Verb};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::link::Link;
use crate::output::{self, Output};
use report::Report;
use upstream::Upstream;

/// The agent's side, in its own process.
pub(crate) fn agent() -> Result<ExitCode, ApiError> {
    agent::run().map(|()| ExitCode::SUCCESS)
}

/// Runs the demo.
pub(crate) async fn run(out: Output) -> Result<ExitCode, ApiError> {
    let home = tempfile::Builder::new()
        .prefix("claviger-demo-")
        .tempdir()
        .map_err(|why| unexpected("no temporary directory", &why))?;
    let secret = format!("sk-demo-{}", made_up(4));
    let password = format!("demo {} {}", made_up(1), made_up(1));
    let upstream = Upstream::start().await.map_err(|why| unexpected("the upstream cannot listen", &why))?;

    step(out, "making a vault in a temporary home (a second or so: the key derivation is meant to be slow)");
    make_vault(home.path(), &password).await?;
    step(out, "starting a headless engine");
    let mut engine = start_engine(home.path(), &password).await?;
    let mut link = Link::open(&crate::link::dirs(Some(home.path().to_owned()))?).await?;
    if !link.is_remote() {
        return Err(ApiError::new(Code::Unexpected, "the engine does not answer on its control socket", ""));
    }
    step(out, "storing a credential, adding an agent, and granting it GET and POST below /v1");
    let wired = wire(&mut link, &upstream, &secret).await?;
    step(out, "letting the agent send its requests, in a process of its own\n");
    let told = run_agent(&wired.base_url, &wired.token).await?;

    let usage = link.call(Verb::Query, "usage.report", json!({"by": "agent"})).await?;
    let audit = link.call(Verb::Query, "audit.list", Value::Null).await?;
    let verified = link.call(Verb::Query, "audit.verify", Value::Null).await?;
    link.call(Verb::Mutate, "vault.lock", Value::Null).await?;
    // Everything is written and locked; nothing is left to be drained.
    let _ = engine.kill().await;

    let report = Report { secret, token: wired.token, told, seen: upstream.seen(), usage, audit, verified };
    let holds = report.show(out);
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Wired {
    token: String,
    base_url: String,
}

async fn make_vault(home: &Path, password: &str) -> Result<(), ApiError> {
    let mut link = Link::open(&crate::link::dirs(Some(home.to_owned()))?).await?;
    link.call(Verb::Mutate, "vault.create", json!({"password": password, "no_keychain": true})).await?;
    link.close().await
}

async fn start_engine(home: &Path, password: &str) -> Result<Child, ApiError> {
    let mut engine = ourselves()?
        .arg("--home")
        .arg(home)
        .args(["serve", "--port", "0", "--password-stdin", "--parent-pid", &std::process::id().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|why| unexpected("the engine cannot be started", &why))?;
    if let Some(mut stdin) = engine.stdin.take() {
        let line = format!("{password}\n");
        stdin
            .write_all(line.as_bytes())
            .await
            .map_err(|why| unexpected("the engine takes no password", &why))?;
    }
    let mut line = String::new();
    if let Some(stdout) = engine.stdout.take() {
        let read = BufReader::new(stdout).read_line(&mut line).await;
        read.map_err(|why| unexpected("the engine says nothing", &why))?;
    }
    let ready = serde_json::from_str::<Value>(&line).is_ok_and(|ready| ready["ready"] == true);
    if ready {
        Ok(engine)
    } else {
        Err(ApiError::new(Code::Unexpected, "the engine did not become ready", ""))
    }
}

async fn wire(link: &mut Link, upstream: &Upstream, secret: &str) -> Result<Wired, ApiError> {
    let service = json!({
        "name": "demo-api", "base_url": format!("http://{}/v1", upstream.addr), "auth": "bearer",
        "allow_private": true, "usage": "open-ai",
    });
    link.call(Verb::Mutate, "service.add", service).await?;
    let credential = json!({"name": "demo-key", "service": "demo-api", "secret": secret});
    link.call(Verb::Mutate, "credential.add", credential).await?;
    let agent = link.call(Verb::Mutate, "agent.add", json!({"name": "demo-agent"})).await?;
    let rules = json!({
        "agent": "demo-agent", "credential": "demo-key", "methods": ["GET", "POST"], "paths": ["/v1/**"],
        "rate": "60/min",
    });
    let grant = link.call(Verb::Mutate, "grant.add", rules).await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(Wired { token: text(&agent["token"]), base_url: text(&grant["base_url"]) })
}

/// Runs the agent with two variables and nothing else, and returns what it tells.
async fn run_agent(base_url: &str, token: &str) -> Result<Vec<Value>, ApiError> {
    let ran = ourselves()?
        .arg("demo-agent")
        .env_clear()
        .env("OPENAI_BASE_URL", base_url)
        .env("OPENAI_API_KEY", token)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|why| unexpected("the agent cannot be started", &why))?;
    if !ran.status.success() {
        return Err(ApiError::new(Code::Unexpected, "the agent's side broke off", ""));
    }
    let lines = String::from_utf8_lossy(&ran.stdout).into_owned();
    Ok(lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

fn ourselves() -> Result<Command, ApiError> {
    std::env::current_exe()
        .map(Command::new)
        .map_err(|why| unexpected("this program does not find itself", &why))
}

fn step(out: Output, what: &str) {
    if !out.json {
        output::note(&format!("… {what}"));
    }
}

/// Made-up hex digits, sixteen a word. They guard nothing: the demo's secret and password live for seconds.
fn made_up(words: usize) -> String {
    let word = |n| {
        let mut hasher = std::hash::RandomState::new().build_hasher();
        hasher.write_usize(n);
        format!("{:016x}", hasher.finish())
    };
    (0..words).map(word).collect()
}

fn unexpected(what: &str, why: &std::io::Error) -> ApiError {
    ApiError::new(Code::Unexpected, format!("{what}: {why}"), "")
}
