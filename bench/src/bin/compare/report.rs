//! The numbers as Markdown, between two marks of `docs/performance.md`. Must not know how they were measured.

use crate::{
    claviger::{LOADS, RECORD, RecordCost},
    measure::{Results, Test},
    peers::{Mode, Peer},
};
use claviger_bench::Outcome;
use std::{fmt::Write, fs, path::Path, process::Command};

const BEGIN: &str = "<!-- bench: begin -->";
const END: &str = "<!-- bench: end -->";

const PEERS: [(Peer, &str); 4] = [
    (Peer::Direct, "direct"),
    (Peer::Nginx, "nginx"),
    (Peer::Floor, "bare hyper"),
    (Peer::Claviger, "**Claviger**"),
];

/// The whole section.
pub(crate) fn write(results: &Results, record: Option<&RecordCost>, rounds: usize, steal: f64) -> String {
    let mut out = machine(rounds, steal);
    for (mode, title) in [(Mode::Plain, "Plain upstream"), (Mode::Tls, "TLS upstream")] {
        let _ = write!(out, "\n### {title}\n\n{}", requests(results, mode));
        let _ = write!(out, "\n{}", streams(results, mode));
    }
    let _ = write!(out, "\n### Against the aims\n\n{}", aims(results));
    if let Some(record) = record {
        let _ = write!(out, "\n### What the record's setting costs\n\n{}", record_table(record));
    }
    let _ = writeln!(
        out,
        "\nRequests that failed or reached the upstream without the real key, in all of the above: {}.",
        results.faults
    );
    out
}

/// Replaces what stands between the marks.
pub(crate) fn put_into(path: &Path, section: &str) -> Outcome {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let (before, rest) = text.split_once(BEGIN).ok_or("docs/performance.md has lost its first mark")?;
    let (_, after) = rest.split_once(END).ok_or("docs/performance.md has lost its second mark")?;
    fs::write(path, format!("{before}{BEGIN}\n{section}{END}{after}"))?;
    Ok(())
}

fn machine(rounds: usize, steal: f64) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|l| l.starts_with(name)).unwrap_or_default();
        line.split_once([':', '=']).map_or("unknown", |(_, v)| v).trim().trim_matches('"').to_owned()
    };
    let processor = field(&read("/proc/cpuinfo"), "model name");
    let count = std::thread::available_parallelism().map_or(0, usize::from);
    let memory =
        field(&read("/proc/meminfo"), "MemTotal").split(' ').next().and_then(|kb| kb.parse::<u64>().ok());
    let system = field(&read("/etc/os-release"), "PRETTY_NAME");
    let kernel = read("/proc/sys/kernel/osrelease");
    let lock = read(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"));
    let version = |name: &str| {
        let entry = format!("name = \"{name}\"\nversion = \"");
        let rest = lock.split_once(&entry).map_or("?", |(_, rest)| rest);
        rest.split('"').next().unwrap_or("?").to_owned()
    };
    format!(
        "Measured {} on {processor}, {count} processors, {} GiB, {system}, Linux {}; {rounds} interleaved rounds, medians; \
         {steal:.1} % of the time taken by the host, load {} at the end. Claviger {}, hyper {}, rustls {}, tokio {}; {}; {}.\n",
        chrono::Utc::now().format("%Y-%m-%d %H:%M UTC"),
        memory.unwrap_or(0) / (1 << 20),
        kernel.split('-').next().unwrap_or_default().trim(),
        read("/proc/loadavg").split(' ').next().unwrap_or("?"),
        version("claviger"),
        version("hyper"),
        version("rustls"),
        version("tokio"),
        said_by("nginx", "-v"),
        said_by("rustc", "--version"),
    )
}

/// A program's own word for its version; some say it on standard error.
fn said_by(program: &str, arg: &str) -> String {
    let Ok(output) = Command::new(program).arg(arg).output() else { return format!("{program} unknown") };
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).trim().trim_start_matches("nginx version: ").replace('/', " ")
}

fn requests(results: &Results, mode: Mode) -> String {
    let mut out = String::from(
        "| | CPU µs/request | × bare hyper | added p50 / p99 µs, 200/s | added p50 / p99 µs, one connection | req/s, 16 | req/s, 64 | MB idle → loaded |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for (peer, name) in PEERS {
        let number = |test, field| results.median(mode, peer, test, field);
        let direct = |test, field| results.median(mode, Peer::Direct, test, field);
        if number(Test::Sixteen, "per_second").is_nan() {
            continue;
        }
        let floor = results.median(mode, Peer::Floor, Test::Sixteen, "cpu_us");
        let is_direct = peer == Peer::Direct;
        let cpu = number(Test::Sixteen, "cpu_us");
        let latency = |test| {
            let (p50, p99) = (number(test, "p50_us"), number(test, "p99_us"));
            if is_direct {
                format!("({p50:.0} / {p99:.0} in all)")
            } else {
                format!("{:.0} / {:.0}", p50 - direct(test, "p50_us"), p99 - direct(test, "p99_us"))
            }
        };
        let megabytes = |test| number(test, "rss_kb") / 1024.0;
        let _ = writeln!(
            out,
            "| {name} | {} | {} | {} | {} | {:.0} | {:.0} | {} |",
            if is_direct { "–".into() } else { format!("{cpu:.1}") },
            if is_direct { "–".into() } else { format!("{:.2}", cpu / floor) },
            latency(Test::Steady),
            latency(Test::Alone),
            number(Test::Sixteen, "per_second"),
            number(Test::SixtyFour, "per_second"),
            if is_direct {
                "–".into()
            } else {
                format!("{:.1} → {:.1}", megabytes(Test::Idle), megabytes(Test::SixtyFour))
            },
        );
    }
    out
}

fn streams(results: &Results, mode: Mode) -> String {
    let mut out = String::from(
        "| | event delay p50 / p99 µs | first event µs | events per read | 100 MiB down: MiB/s, CPU ms | up: MiB/s, CPU ms |\n\
         |---|---:|---:|---:|---:|---:|\n",
    );
    for (peer, name) in PEERS {
        let number = |test, field| results.median(mode, peer, test, field);
        if number(Test::Events, "p50_us").is_nan() {
            continue;
        }
        let bulk = |test| {
            let cpu =
                if peer == Peer::Direct { String::new() } else { format!(", {:.0}", number(test, "cpu_ms")) };
            format!("{:.0}{cpu}", number(test, "mib_per_second"))
        };
        let _ = writeln!(
            out,
            "| {name} | {:.0} / {:.0} | {:.0} | {:.2} | {} | {} |",
            number(Test::Events, "p50_us"),
            number(Test::Events, "p99_us"),
            number(Test::Events, "first_us"),
            number(Test::Events, "events_per_read"),
            bulk(Test::Down),
            bulk(Test::Up),
        );
    }
    out
}

fn aims(results: &Results) -> String {
    let mut out = String::from("| aim | measured | |\n|---|---|---|\n");
    let mut row = |aim: &str, measured: f64, limit: f64, unit: &str| {
        let verdict = if measured.is_nan() {
            "not measured"
        } else if measured <= limit {
            "reached"
        } else {
            "**missed**"
        };
        let _ = writeln!(out, "| {aim} | {measured:.2}{unit} | {verdict} |");
    };
    for (mode, name) in [(Mode::Plain, "plain"), (Mode::Tls, "TLS")] {
        let number = |peer, test, field| results.median(mode, peer, test, field);
        let cpu = |peer| number(peer, Test::Sixteen, "cpu_us");
        let p99 = |peer| number(peer, Test::Steady, "p99_us");
        row(
            &format!("CPU per request ≤ 1.5 × bare hyper, {name}"),
            cpu(Peer::Claviger) / cpu(Peer::Floor),
            1.5,
            " ×",
        );
        row(
            &format!("p99 at 200 req/s ≤ 2 × nginx, {name}"),
            p99(Peer::Claviger) / p99(Peer::Nginx),
            2.0,
            " ×",
        );
    }
    let idle = results.median(Mode::Plain, Peer::Claviger, Test::Idle, "rss_kb") / 1024.0;
    row("idle memory of `serve` after unlock ≤ 30 MB", idle, 30.0, " MB");
    out
}

fn record_table(record: &RecordCost) -> String {
    let mut out = String::from(
        "| `record` | load | p50 / p99 µs | req/s | CPU µs/request |\n|---|---|---:|---:|---:|\n",
    );
    for setting in RECORD {
        for (load, _, _) in LOADS {
            let number = |field| record.get(&(setting, load, field)).copied().unwrap_or(f64::NAN);
            let _ = writeln!(
                out,
                "| {setting} | {load} | {:.0} / {:.0} | {:.0} | {:.1} |",
                number("p50_us"),
                number("p99_us"),
                number("per_second"),
                number("cpu_us"),
            );
        }
    }
    out
}
