//! What is measured, and in what order. Must not know how a result is shown.

use crate::peers::{LOAD_CPU, Mode, PROXY_CPU, Peer, Peers, Way, beside, pin};
use claviger_bench::{Outcome, process, sample::median};
use serde_json::Value;
use std::{collections::BTreeMap, process::Command};

const CHAT: &str = r#"{"model":"bench","messages":[{"role":"user","content":"hello"}]}"#;
const STREAMED_CHAT: &str = r#"{"model":"bench","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hello"}]}"#;

/// One measurement of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Test {
    /// Closed loop over 16 connections, proxy alone on its processor.
    Sixteen,
    /// Over 64.
    SixtyFour,
    /// 200 requests a second over 4 connections, everything on one processor.
    Steady,
    /// Closed loop over one connection, everything on one processor.
    Alone,
    /// One stream of events.
    Events,
    /// 100 MiB down.
    Down,
    /// 100 MiB up.
    Up,
    /// Resident memory before any load.
    Idle,
}

/// Every number of a run.
#[derive(Default)]
pub(crate) struct Results {
    numbers: BTreeMap<(Mode, Peer, Test, &'static str), Vec<f64>>,
    /// Requests that failed, or were not injected into. Must stay 0.
    pub(crate) faults: u64,
}

// === impl Results ===

impl Results {
    /// The middle of a field over all rounds; `NaN` when it was not measured.
    pub(crate) fn median(&self, mode: Mode, peer: Peer, test: Test, field: &'static str) -> f64 {
        self.numbers.get(&(mode, peer, test, field)).map_or(f64::NAN, |numbers| median(numbers))
    }

    fn add(&mut self, way: &Way, test: Test, seen: &Value) {
        let fields = [
            "per_second",
            "p50_us",
            "p99_us",
            "cpu_us",
            "rss_kb",
            "first_us",
            "events_per_read",
            "mib_per_second",
            "cpu_ms",
        ];
        for field in fields {
            if let Some(number) = seen[field].as_f64() {
                self.numbers.entry((way.mode, way.peer, test, field)).or_default().push(number);
            }
        }
        self.faults += seen["errors"].as_u64().unwrap_or(1) + seen["unconfirmed"].as_u64().unwrap_or(1);
    }
}

/// Memory before any load.
pub(crate) fn idle(peers: &Peers, results: &mut Results) -> Outcome {
    for way in &peers.ways {
        if let Some((pid, _)) = way.pids {
            let rss = process::cost_of(&[pid])?.rss_kb;
            results.add(way, Test::Idle, &serde_json::json!({"rss_kb": rss, "errors": 0, "unconfirmed": 0}));
        }
    }
    Ok(())
}

/// Every test on every way, once; every other round in reverse order, so that a drift of the machine hits all alike.
pub(crate) fn round(peers: &Peers, number: usize, results: &mut Results) -> Outcome {
    let mut ways: Vec<&Way> = peers.ways.iter().collect();
    if number % 2 == 1 {
        ways.reverse();
    }
    for way in ways {
        two_processors(peers, way, results)?;
        one_processor(peers, way, results)?;
    }
    Ok(())
}

fn two_processors(peers: &Peers, way: &Way, results: &mut Results) -> Outcome {
    let tests: [(Test, &str, &[&str]); 5] = [
        (Test::Sixteen, "closed", &["--conns", "16", "--secs", "1.5"]),
        (Test::SixtyFour, "closed", &["--conns", "64", "--secs", "1.5"]),
        (Test::Events, "events", &["--streams", "1"]),
        (Test::Down, "down", &["--streams", "1"]),
        (Test::Up, "up", &["--streams", "1"]),
    ];
    for (test, kind, args) in tests {
        results.add(way, test, &load(peers, way, kind, args)?);
    }
    Ok(())
}

fn one_processor(peers: &Peers, way: &Way, results: &mut Results) -> Outcome {
    let move_to = |cpu| way.pids.map_or(Ok(()), |(json, _)| pin(json, cpu));
    move_to(LOAD_CPU)?;
    let steady = load(peers, way, "rate", &["--rate", "200", "--conns", "4", "--secs", "3"]);
    let alone = load(peers, way, "closed", &["--conns", "1", "--secs", "1"]);
    move_to(PROXY_CPU)?;
    results.add(way, Test::Steady, &steady?);
    results.add(way, Test::Alone, &alone?);
    Ok(())
}

/// One run of the load generator.
pub(crate) fn load(peers: &Peers, way: &Way, kind: &str, args: &[&str]) -> Outcome<Value> {
    let is_stream = !matches!(kind, "closed" | "rate");
    let (url, body) = match kind {
        "down" => (format!("{}/bulk", way.stream_url), None),
        "up" => (format!("{}/sink", way.stream_url), None),
        "events" => (format!("{}/v1/chat/completions", way.stream_url), Some(STREAMED_CHAT)),
        _ => (way.json_url.clone(), Some(CHAT)),
    };
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", LOAD_CPU]).arg(beside("bench-load")?).args(["--kind", kind, "--url", &url]);
    if let Some(body) = body {
        command.args(["--body", body, "--header", "Content-Type: application/json"]);
    }
    for header in &way.headers {
        command.args(["--header", header]);
    }
    if let Some((json, stream)) = way.pids {
        command.args(["--pids", &if is_stream { stream } else { json }.to_string()]);
    }
    let output = command.args(["--ca"]).arg(peers.folder.join("ca.pem")).args(args).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{:?} over {:?}, {kind}: {said}", way.peer, way.mode).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
