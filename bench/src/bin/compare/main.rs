//! Direct, nginx, the floor and Claviger, side by side in interleaved rounds; the table goes to `docs/performance.md`.
//!
//! `bench-compare [--claviger FILE] [--rounds N | --quick] [--no-write]`. Must not know how any of them works inside.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command whose output is for people")]

mod claviger;
mod measure;
mod peers;
mod report;

use claviger_bench::{Outcome, args::Args, process::Steal, tls};
use measure::Results;
use peers::Peers;
use std::{
    fs,
    path::{Path, PathBuf},
};

const ROUNDS: usize = 8;
const QUICK_ROUNDS: usize = 2;

fn main() -> Outcome {
    let args = Args::of_process();
    let rounds = args.value("rounds", if args.has("quick") { QUICK_ROUNDS } else { ROUNDS })?;
    if std::thread::available_parallelism()?.get() < 2 {
        return Err("two processors are needed: one for the proxy, one for everything else".into());
    }
    let folder = Folder::make()?;
    tls::write_certificates(&folder.0)?;
    let mut peers = Peers::start(&folder.0)?;
    let engine = match args.text("claviger") {
        Ok(program) => Some(claviger::start(Path::new(program), &folder.0, &mut peers)?),
        Err(_) => None,
    };
    peers.check()?;

    let steal = Steal::read();
    let mut results = Results::default();
    measure::idle(&peers, &mut results)?;
    for round in 0..rounds {
        measure::round(&peers, round, &mut results)?;
        eprintln!("round {} of {rounds} done", round + 1);
    }
    let record = engine.map(|engine| claviger::record_settings(&engine, &peers, rounds)).transpose()?;
    let report = report::write(&results, record.as_ref(), rounds, steal.percent_since());
    println!("{report}");
    if !args.has("no-write") {
        report::put_into(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/performance.md"), &report)?;
    }
    Ok(())
}

/// A folder of this run alone, gone at its end.
struct Folder(PathBuf);

// === impl Folder ===

impl Folder {
    fn make() -> Outcome<Self> {
        let path = std::env::temp_dir().join(format!("claviger-bench-{}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is a temporary folder's fate.
        let _ = fs::remove_dir_all(&self.0);
    }
}
