//! Claviger as its user runs it: a vault, services, credentials, an agent, grants with policy, and `serve`.
//!
//! Must not know anything that the command line does not say.

use crate::{
    measure::load,
    peers::{Mode, PROXY_CPU, Peer, Peers},
};
use claviger_bench::{Outcome, REAL_KEY, sample::median};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const PASSWORD: &str = "a password for measuring only";
/// Neighbours of what is measured, so that no table has a single row.
const OTHER_AGENTS: usize = 20;

/// A running engine.
pub(crate) struct Engine {
    program: PathBuf,
    home: PathBuf,
}

/// What a durability setting costs: the middle of each field.
pub(crate) type RecordCost = BTreeMap<(&'static str, &'static str, &'static str), f64>;

/// The settings of the record, cheapest first.
pub(crate) const RECORD: [&str; 2] = ["relaxed", "strict"];
/// The loads under which they are compared.
pub(crate) const LOADS: [(&str, &str, &[&str]); 3] = [
    ("1 connection", "closed", &["--conns", "1", "--secs", "1.5"]),
    ("16 connections", "closed", &["--conns", "16", "--secs", "1.5"]),
    ("200 requests/s", "rate", &["--rate", "200", "--conns", "4", "--secs", "2"]),
];

/// Makes a vault, starts `serve` on the proxies' processor, and adds a way per mode.
pub(crate) fn start(program: &Path, folder: &Path, peers: &mut Peers) -> Outcome<Engine> {
    let engine = Engine { program: program.to_owned(), home: folder.join("home") };
    engine.call(&["init", "--no-keychain", "--password-stdin"], PASSWORD)?;
    let (pid, proxy) = engine.serve(folder, peers)?;

    let agent = engine.call(&["agent", "add", "bench"], "")?;
    let token = agent["token"].as_str().ok_or("`agent add` gave no token")?.to_owned();
    for mode in [Mode::Plain, Mode::Tls] {
        let (json, stream) = peers.ports.upstreams(mode);
        let ca = folder.join("ca.pem").to_string_lossy().into_owned();
        let mut bases = Vec::new();
        for (what, upstream) in [("json", json), ("stream", stream)] {
            let name = format!("bench-{what}-{mode:?}").to_lowercase();
            let mut service =
                vec!["service", "add", &name, "--base-url", &upstream, "--auth", "bearer", "--allow-private"];
            service.extend(["--usage", "open-ai"]);
            if mode == Mode::Tls {
                service.extend(["--ca", &ca]);
            }
            engine.call(&service, "")?;
            engine.call(&["credential", "add", &name, "--service", &name, "--secret-stdin"], REAL_KEY)?;
            bases.push(engine.grant("bench", &name)?);
        }
        debug_assert!(bases.iter().all(|base| base.starts_with(&proxy)), "a grant's address is the proxy's");
        let headers = vec![format!("Authorization: Bearer {token}")];
        peers.add(Peer::Claviger, mode, &bases[0], &bases[1], headers, Some((pid, pid)));
    }
    for i in 0..OTHER_AGENTS {
        let name = format!("other-{i}");
        engine.call(&["agent", "add", &name], "")?;
        engine.grant(&name, "bench-json-plain")?;
    }
    Ok(engine)
}

/// Relaxed and strict in turns, on the plain way.
pub(crate) fn record_settings(engine: &Engine, peers: &Peers, rounds: usize) -> Outcome<RecordCost> {
    let is_measured = |way: &&crate::peers::Way| way.peer == Peer::Claviger && way.mode == Mode::Plain;
    let way = peers.ways.iter().find(is_measured).ok_or("Claviger was not started")?;
    let mut numbers: BTreeMap<_, Vec<f64>> = BTreeMap::new();
    for _ in 0..rounds {
        for setting in RECORD {
            engine.call(&["settings", "set", "--record", setting], "")?;
            for (name, kind, args) in LOADS {
                let seen = load(peers, way, kind, args)?;
                if seen["errors"] != 0 || seen["unconfirmed"] != 0 {
                    return Err(format!("record {setting}, {name}: {seen}").into());
                }
                for field in ["p50_us", "p99_us", "per_second", "cpu_us"] {
                    let number = seen[field].as_f64().unwrap_or(f64::NAN);
                    numbers.entry((setting, name, field)).or_default().push(number);
                }
            }
        }
    }
    Ok(numbers.into_iter().map(|(key, numbers)| (key, median(&numbers))).collect())
}

// === impl Engine ===

impl Engine {
    /// Starts `serve`; its first line says that it is ready and where the proxy listens.
    fn serve(&self, folder: &Path, peers: &mut Peers) -> Outcome<(u32, String)> {
        let log = std::fs::File::create(folder.join("claviger.log"))?;
        let mut child = Command::new("taskset")
            .args(["--cpu-list", PROXY_CPU])
            .arg(&self.program)
            .arg("--home")
            .arg(&self.home)
            .args(["--json", "serve", "--port", "0", "--password-stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let pid = peers.keep(child);
        stdin.ok_or("no standard input")?.write_all(PASSWORD.as_bytes())?;
        let mut line = String::new();
        BufReader::new(stdout.ok_or("no standard output")?).read_line(&mut line)?;
        let ready: Value = serde_json::from_str(&line).map_err(|_| {
            let log = std::fs::read_to_string(folder.join("claviger.log")).unwrap_or_default();
            format!("`serve` did not become ready: {line}{log}")
        })?;
        let proxy = ready["proxy"].as_str().ok_or("`serve` named no proxy")?.to_owned();
        Ok((pid, proxy))
    }

    /// A grant whose every rule is looked at on each request. Returns the base URL.
    fn grant(&self, agent: &str, credential: &str) -> Outcome<String> {
        let rules = [
            "--method",
            "GET,POST",
            "--path",
            "/v1/**,/bulk,/sink",
            "--rate",
            "1000000/s",
            "--expires",
            "30d",
        ];
        let grant = self.call(&[&["grant", "add", agent, credential], &rules[..]].concat(), "")?;
        let base = grant["base_url"].as_str().ok_or("`grant add` gave no base_url")?;
        Ok(base.trim_end_matches('/').to_owned())
    }

    /// One command; its JSON.
    fn call(&self, args: &[&str], input: &str) -> Outcome<Value> {
        let mut child = Command::new(&self.program)
            .arg("--home")
            .arg(&self.home)
            .arg("--json")
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that reads no input may be gone already.
            let _ = stdin.write_all(input.as_bytes());
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("`claviger {}` failed: {said}", args.join(" ")).into());
        }
        Ok(serde_json::from_slice(&output.stdout).unwrap_or(Value::Null))
    }
}
