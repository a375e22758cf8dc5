//! What a record costs: `cargo run --release -p claviger-audit --example append [DIR]`. Linux only (reads `/proc`).
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "this program measures and prints"
)]

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use claviger_audit::{Durability, Filter, Log, UsageBy};
use claviger_model::{
    AgentId, Completion, CredentialId, EventId, GrantId, Outcome, Record, Release, ServiceId, Timestamp,
    TokenUsage, VaultId,
};
use claviger_secret::Secret;

fn release(n: u64) -> Record {
    Record::Release(Release {
        event: EventId::from_bytes(u128::from(n).to_be_bytes()),
        at: Timestamp(1_795_219_200_000 + n as i64 / 100),
        agent: AgentId::from_bytes([(n % 20) as u8; 16]),
        grant: GrantId::from_bytes([1; 16]),
        credential: CredentialId::from_bytes([(n % 30) as u8; 16]),
        service: ServiceId::from_bytes([(n % 30) as u8; 16]),
        method: "POST".to_owned(),
        host: "api.openai.com:443".to_owned(),
        path: "/v1/chat/completions".to_owned(),
    })
}

fn completion(n: u64) -> Record {
    Record::Completion(Completion {
        event: EventId::from_bytes(u128::from(n).to_be_bytes()),
        at: Timestamp(1_795_219_200_000 + n as i64 / 100),
        outcome: Outcome::Done,
        status: 200,
        bytes_up: 800,
        bytes_down: 1500,
        head_us: 200_000,
        total_us: 900_000 + (n % 1000) as u32,
        own_us: 30,
        model: Some("gpt-6.1-sol".to_owned()),
        usage: Some(TokenUsage { input: 1000, output: 200, cached_read: 0, cached_write: 0, reasoning: 0 }),
    })
}

/// CPU time of this process, all threads.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

fn open(dir: &Path, durability: Durability) -> Log {
    let _ = std::fs::remove_dir_all(dir);
    Log::open(dir, VaultId::from_bytes([1; 16]), &Secret::from(vec![1; 32]), durability, None).unwrap().0
}

/// Runs it and prints records a second and CPU for each record, the counting of usage included.
fn measure(name: &str, log: &Log, records: u64, work: impl FnOnce(&Log)) {
    let (start, before) = (Instant::now(), cpu());
    work(log);
    log.flush().unwrap();
    let _ = log.usage(None, None, UsageBy::All);
    let (wall, cpu) = (start.elapsed(), cpu() - before);
    println!(
        "{name}: {:.0} records/s, {:.2} µs wall and {:.2} µs CPU a record",
        records as f64 / wall.as_secs_f64(),
        wall.as_secs_f64() * 1e6 / records as f64,
        cpu.as_secs_f64() * 1e6 / records as f64
    );
}

fn main() {
    let dir = std::env::args_os()
        .nth(1)
        .map_or_else(|| std::env::temp_dir().join("claviger-audit-bench"), PathBuf::from);
    let n = 400_000;

    let log = open(&dir, Durability::Relaxed);
    measure("relaxed, one thread, each with the operating system on return", &log, n, |log| {
        for i in 0..n / 2 {
            log.append(&release(i)).unwrap();
            log.append(&completion(i)).unwrap();
        }
    });

    let log = open(&dir, Durability::Relaxed);
    measure("relaxed, eight threads", &log, n, |log| {
        std::thread::scope(|scope| {
            for thread in 0..8 {
                scope.spawn(move || {
                    for i in 0..n / 16 {
                        log.append(&release(thread * n + i)).unwrap();
                        log.append(&completion(thread * n + i)).unwrap();
                    }
                });
            }
        });
    });

    let log = open(&dir, Durability::Relaxed);
    measure("relaxed, requests: release, then completion soon", &log, n, |log| {
        for i in 0..n / 2 {
            log.append(&release(i)).unwrap();
            log.append_soon(&completion(i)).unwrap();
        }
    });

    let log = open(&dir, Durability::Relaxed);
    measure("batches: release and completion soon", &log, n, |log| {
        for i in 0..n / 2 {
            log.append_soon(&release(i)).unwrap();
            log.append_soon(&completion(i)).unwrap();
        }
    });

    let log = open(&dir, Durability::Strict);
    let each = 2_000;
    let mut waits: Vec<f64> = Vec::new();
    measure("strict, one after the other", &log, each, |log| {
        for i in 0..each {
            let (send, receive) = mpsc::channel();
            let start = Instant::now();
            log.append_durable(&release(i), move |kept| send.send(kept).unwrap()).unwrap();
            assert!(receive.recv().unwrap(), "kept");
            waits.push(start.elapsed().as_secs_f64() * 1e6);
        }
    });
    waits.sort_by(f64::total_cmp);
    println!(
        "  waiting for the disk: p50 {:.0} µs, p99 {:.0} µs",
        waits[waits.len() / 2],
        waits[waits.len() * 99 / 100]
    );

    let log = open(&dir, Durability::Strict);
    measure("strict, 64 in flight", &log, each * 16, |log| {
        let (send, receive) = mpsc::sync_channel::<()>(64);
        for i in 0..each * 16 {
            let send = send.clone();
            if i >= 64 {
                receive.recv().unwrap();
            }
            log.append_durable(&release(i), move |_| send.send(()).unwrap_or_default()).unwrap();
        }
    });

    let log = open(&dir, Durability::Relaxed);
    for i in 0..n / 2 {
        log.append(&release(i)).unwrap();
        log.append_soon(&completion(i)).unwrap();
    }
    let time = |name: &str, work: &dyn Fn()| {
        work();
        let start = Instant::now();
        work();
        println!("{name}: {:.2} ms", start.elapsed().as_secs_f64() * 1e3);
    };
    time("newest 100 entries", &|| drop(log.entries(&Filter::default(), 100, None).unwrap()));
    time("100 entries from the middle of the log", &|| {
        drop(log.entries(&Filter::default(), 100, Some(n / 2)).unwrap())
    });
    time("usage by agent", &|| drop(log.usage(None, None, UsageBy::Agent)));
    time(&format!("verify {n} records"), &|| assert!(log.verify().unwrap().ok, "whole"));
    let start = Instant::now();
    log.close();
    println!("close: {:.2} ms", start.elapsed().as_secs_f64() * 1e3);
    let start = Instant::now();
    let (log, _) =
        Log::open(&dir, VaultId::from_bytes([1; 16]), &Secret::from(vec![1; 32]), Durability::Relaxed, None)
            .unwrap();
    println!("open after close: {:.2} ms", start.elapsed().as_secs_f64() * 1e3);
    drop(log);
    std::fs::remove_file(dir.join("usage.bin")).unwrap();
    let start = Instant::now();
    let (log, _) =
        Log::open(&dir, VaultId::from_bytes([1; 16]), &Secret::from(vec![1; 32]), Durability::Relaxed, None)
            .unwrap();
    println!("open, counting {n} records anew: {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    drop(log);
    let _ = std::fs::remove_dir_all(&dir);
}
