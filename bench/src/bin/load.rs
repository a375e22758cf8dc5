//! One measurement against one address, printed as one line of JSON.
//!
//! `bench-load --kind closed|rate|events|down|up --url URL [--conns N] [--secs S] [--rate N] [--streams N] [--body JSON]
//! [--header 'K: V']… [--ca FILE] [--pids N…]`. One blocking thread per connection. Must not know what stands at the
//! address; every answer must be 200 and is counted as unconfirmed unless the upstream saw the real key.
#![allow(clippy::print_stdout, reason = "its result is a line of JSON")]

use claviger_bench::{
    Outcome,
    args::Args,
    client::{Connection, Target},
    clock_ns, process,
    sample::percentile,
};
use serde_json::{Value, json};
use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

const WARM_UP: usize = 50;

/// What one connection saw.
#[derive(Default)]
struct Seen {
    latencies: Vec<u64>,
    errors: u64,
    unconfirmed: u64,
    reads: u64,
    first_events: Vec<u64>,
    last_error: String,
}

struct Job {
    target: Target,
    request: Vec<u8>,
    connections: usize,
    length: Duration,
    /// Requests a second over all connections; `None` sends the next as soon as the last is answered.
    rate: Option<f64>,
    streams: usize,
    pids: Vec<u32>,
}

fn main() -> Outcome {
    let args = Args::of_process();
    let target = Target::parse(args.text("url")?, args.all("header"), args.text("ca").ok())?;
    let body = args.text("body").ok().map(|b| b.as_bytes().to_vec());
    let mut request =
        target.request(if body.is_some() { "POST" } else { "GET" }, body.as_ref().map(|b| b.len() as u64));
    request.extend(body.unwrap_or_default());
    let kind = args.text("kind")?;
    let pids = args.all("pids").iter().map(|p| p.parse()).collect::<Result<Vec<u32>, _>>()?;
    let job = Job {
        target,
        request,
        connections: args.value("conns", 1)?,
        length: Duration::from_secs_f64(args.value("secs", 2.0)?),
        rate: if kind == "rate" { Some(args.value("rate", 200.0)?) } else { None },
        streams: args.value("streams", 2)?,
        pids,
    };
    let result = match kind {
        "closed" | "rate" => requests(&job)?,
        "events" => events(&job)?,
        "down" | "up" => bulk(&job, kind == "up")?,
        other => return Err(format!("--kind {other}: closed, rate, events, down or up").into()),
    };
    println!("{result}");
    Ok(())
}

/// Small requests over kept connections, for a while.
fn requests(job: &Job) -> Outcome<Value> {
    let barrier = Barrier::new(job.connections + 1);
    let (seen, before, after, took) = thread::scope(|scope| {
        let barrier = &barrier;
        let workers: Vec<_> =
            (0..job.connections).map(|i| scope.spawn(move || worker(job, i, barrier))).collect();
        barrier.wait();
        let (started, before) = (Instant::now(), process::cost_of(&job.pids));
        let seen: Vec<Seen> = workers.into_iter().map(|w| w.join().unwrap_or_default()).collect();
        (seen, before, process::cost_of(&job.pids), started.elapsed())
    });
    let (before, after) = (before?, after?);
    let mut latencies: Vec<u64> = seen.iter().flat_map(|s| s.latencies.iter().copied()).collect();
    latencies.sort_unstable();
    let answered = latencies.len().max(1) as f64;
    Ok(json!({
        "requests": latencies.len(),
        "errors": seen.iter().map(|s| s.errors).sum::<u64>(),
        "unconfirmed": seen.iter().map(|s| s.unconfirmed).sum::<u64>(),
        "per_second": answered / took.as_secs_f64(),
        "p50_us": micros(percentile(&latencies, 0.5)),
        "p99_us": micros(percentile(&latencies, 0.99)),
        "cpu_us": (after.cpu_us - before.cpu_us) as f64 / answered,
        "rss_kb": after.rss_kb,
        "last_error": seen.iter().map(|s| s.last_error.as_str()).find(|e| !e.is_empty()),
    }))
}

fn worker(job: &Job, index: usize, barrier: &Barrier) -> Seen {
    let mut seen = Seen { latencies: Vec::with_capacity(1 << 16), ..Seen::default() };
    let mut open = None;
    for _ in 0..WARM_UP {
        let _ = exchange(job, &mut open);
    }
    barrier.wait();
    let started = Instant::now();
    let step = job.rate.map(|rate| Duration::from_secs_f64(job.connections as f64 / rate));
    // Connections take turns, so that requests come evenly.
    let mut due = step.map(|step| started + step * index as u32 / job.connections as u32);
    while started.elapsed() < job.length {
        if let (Some(due), Some(step)) = (due.as_mut(), step) {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            *due += step;
        }
        let sent = Instant::now();
        match exchange(job, &mut open) {
            Ok(confirmed) => {
                seen.latencies.push(nanos(sent.elapsed()));
                seen.unconfirmed += u64::from(!confirmed);
            }
            Err(error) => {
                seen.errors += 1;
                seen.last_error = error.to_string();
            }
        }
    }
    seen
}

/// One request and its answer; says whether the upstream confirmed the real key.
fn exchange(job: &Job, open: &mut Option<Connection>) -> Outcome<bool> {
    let connection = match open {
        Some(connection) => connection,
        None => open.insert(job.target.connect()?),
    };
    let result = connection.send(&job.request).and_then(|()| connection.answer());
    match result {
        Ok((head, _)) if head.status == 200 => Ok(head.confirmed),
        Ok((head, _)) => Err(format!("status {}", head.status).into()),
        Err(error) => {
            *open = None;
            Err(error)
        }
    }
}

/// Streams of events, each saying when it was sent: how late it comes, and whether events are glued together.
fn events(job: &Job) -> Outcome<Value> {
    let before = process::cost_of(&job.pids)?;
    let seen: Vec<Seen> = thread::scope(|scope| {
        let workers: Vec<_> = (0..job.connections).map(|_| scope.spawn(|| listen(job))).collect();
        workers.into_iter().map(|w| w.join().unwrap_or_default()).collect()
    });
    let after = process::cost_of(&job.pids)?;
    let sorted = |of: fn(&Seen) -> &Vec<u64>| {
        let mut all: Vec<u64> = seen.iter().flat_map(|s| of(s).iter().copied()).collect();
        all.sort_unstable();
        all
    };
    let (delays, firsts) = (sorted(|s| &s.latencies), sorted(|s| &s.first_events));
    let count = delays.len().max(1) as f64;
    Ok(json!({
        "events": delays.len(),
        "streams": firsts.len(),
        "errors": seen.iter().map(|s| s.errors).sum::<u64>(),
        "unconfirmed": seen.iter().map(|s| s.unconfirmed).sum::<u64>(),
        "first_us": micros(percentile(&firsts, 0.5)),
        "p50_us": micros(percentile(&delays, 0.5)),
        "p99_us": micros(percentile(&delays, 0.99)),
        "events_per_read": count / seen.iter().map(|s| s.reads).sum::<u64>().max(1) as f64,
        "cpu_us": (after.cpu_us - before.cpu_us) as f64 / count,
        "rss_kb": after.rss_kb,
        "last_error": seen.iter().map(|s| s.last_error.as_str()).find(|e| !e.is_empty()),
    }))
}

fn listen(job: &Job) -> Seen {
    let mut seen = Seen::default();
    for _ in 0..job.streams {
        if let Err(error) = one_stream(job, &mut seen) {
            seen.errors += 1;
            seen.last_error = error.to_string();
        }
    }
    seen
}

fn one_stream(job: &Job, seen: &mut Seen) -> Outcome {
    let mut connection = job.target.connect()?;
    let asked = Instant::now();
    connection.send(&job.request)?;
    let head = connection.head()?;
    if head.status != 200 {
        return Err(format!("status {}", head.status).into());
    }
    seen.unconfirmed += u64::from(!head.confirmed);
    let mut is_first = true;
    let read_before = connection.reads;
    loop {
        // Chunk sizes stand on lines of their own between the events; lines are enough to find the latter.
        while let Some(end) = connection.unread().iter().position(|b| *b == b'\n') {
            let now = clock_ns();
            let line = &connection.unread()[..end];
            if let Some(event) = line.strip_prefix(b"data: ") {
                if event.starts_with(b"[DONE]") {
                    seen.reads += connection.reads - read_before;
                    return Ok(());
                }
                if is_first {
                    seen.first_events.push(nanos(asked.elapsed()));
                    is_first = false;
                }
                if let Some(sent) = sent_at(event) {
                    seen.latencies.push(now.saturating_sub(sent));
                }
            }
            connection.take(end + 1);
        }
        connection.read_more()?;
    }
}

fn sent_at(event: &[u8]) -> Option<u64> {
    let digits = event.strip_prefix(b"{\"sent\":")?.split(|b| *b == b',').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A hundred MiB in one direction.
fn bulk(job: &Job, is_up: bool) -> Outcome<Value> {
    const SIZE: u64 = 100 << 20;
    let before = process::cost_of(&job.pids)?;
    let started = Instant::now();
    for _ in 0..job.streams {
        let mut connection = job.target.connect()?;
        if is_up {
            connection.send(&job.target.request("POST", Some(SIZE)))?;
            let piece = vec![b'y'; 64 * 1024];
            for _ in 0..SIZE / piece.len() as u64 {
                connection.send(&piece)?;
            }
        } else {
            connection.send(&job.target.request("GET", None))?;
        }
        let (head, length) = connection.answer()?;
        if head.status != 200 || !head.confirmed || (!is_up && length != SIZE) {
            return Err(
                format!("status {}, confirmed {}, {length} bytes", head.status, head.confirmed).into()
            );
        }
    }
    let (after, took) = (process::cost_of(&job.pids)?, started.elapsed());
    let count = job.streams.max(1) as f64;
    Ok(json!({
        "mib_per_second": 100.0 * count / took.as_secs_f64(),
        "cpu_ms": (after.cpu_us - before.cpu_us) as f64 / 1000.0 / count,
        "rss_kb": after.rss_kb,
        "errors": 0,
        "unconfirmed": 0,
    }))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}
