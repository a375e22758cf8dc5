//! A-03 and kill -9: what was acknowledged before the process ended is there afterwards, and what was begun is closed.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use claviger_model::{Outcome, Record};

use crate::tests::{Dice, Home, VAULT, completion, key, release};
use crate::{Durability, EntryResult, Filter, Log, UsageBy, What};

const CHILD_HOME: &str = "CLAVIGER_AUDIT_CHILD";

/// Not a test by itself: the process that is killed. Appends from three threads and says what was acknowledged.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(CHILD_HOME) else { return };
    let round: u64 = std::env::var("CLAVIGER_AUDIT_ROUND").unwrap().parse().unwrap();
    let (log, _) = Log::open(dir.as_ref(), VAULT, &key(), Durability::Relaxed, None).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..3u64 {
            let log = log.clone();
            scope.spawn(move || {
                let mut out = std::io::stdout();
                for i in 0.. {
                    let n = round * 100_000_000 + thread * 10_000_000 + i;
                    let seq = log.append(&release(n)).unwrap();
                    // One line for each acknowledgement, written before anything else happens.
                    if writeln!(out, "ack {seq} {n}").is_err() {
                        return;
                    }
                    if i % 3 != 0 {
                        log.append_soon(&completion(n)).unwrap();
                    }
                }
            });
        }
    });
}

#[test]
fn killing_it_loses_nothing_that_was_acknowledged() {
    let home = Home::new();
    let kills: u64 = std::env::var("CLAVIGER_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(25);
    let mut dice = Dice::new(3);
    let mut acknowledged: Vec<(u64, u64)> = Vec::new();
    for round in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::crash::child", "--nocapture", "--test-threads=1"])
            .env(CHILD_HOME, home.log_dir())
            .env("CLAVIGER_AUDIT_ROUND", round.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let wanted = 1 + dice.roll(400);
        let mut seen = 0;
        let mut take = |line: String| {
            let mut words = line.split(' ');
            if words.next() != Some("ack") {
                return false;
            }
            let (Some(seq), Some(n)) = (words.next(), words.next()) else { return false };
            let (Ok(seq), Ok(n)) = (seq.parse(), n.parse()) else { return false };
            acknowledged.push((seq, n));
            true
        };
        while seen < wanted {
            let Some(Ok(line)) = lines.next() else { panic!("the child ended by itself") };
            seen += u64::from(take(line));
        }
        child.kill().unwrap();
        // What the child had said before it was killed is still in the pipe. The last line may be cut.
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        for line in rest.into_iter().rev().skip(1).rev() {
            take(line);
        }
        child.wait().unwrap();
    }

    let (log, report) = home.open();
    assert!(report.damage.is_none() && report.truncated.is_none(), "{report:?}");
    let verified = log.verify().unwrap();
    assert!(verified.ok, "{verified:?}");
    let mut there = std::collections::HashMap::new();
    let mut before = None;
    let mut open = 0;
    loop {
        let page = log.entries(&Filter::default(), 10_000, before).unwrap();
        for entry in page.entries {
            open += u64::from(entry.result() == EntryResult::Open);
            if let What::Request { release, .. } = entry.what {
                there.insert(entry.seq, release.event);
            }
        }
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    for (seq, n) in &acknowledged {
        assert_eq!(there.get(seq), Some(&crate::tests::event(*n)), "acknowledged record {seq} is lost");
    }
    assert_eq!(open, 0, "every release that was cut off is closed");
    let total = &log.usage(None, None, UsageBy::All)[0];
    assert_eq!(total.requests, there.len() as u64, "the roll-ups count every request once");
    eprintln!(
        "{kills} kills, {} acknowledged releases, 0 lost; {} records in all",
        acknowledged.len(),
        verified.records
    );
}

#[test]
fn a_release_without_completion_is_closed_as_unknown_once() {
    let home = Home::new();
    let (log, _) = home.open();
    log.append(&release(1)).unwrap();
    log.append(&release(2)).unwrap();
    log.append(&completion(1)).unwrap();
    assert_eq!(log.usage(None, None, UsageBy::All)[0].requests, 2, "requests in flight count");
    log.close();
    for round in 0..3 {
        let (log, report) = home.open();
        assert_eq!(report.unfinished, u64::from(round == 0), "round {round}");
        let page = log.entries(&Filter::default(), 10, None).unwrap();
        let What::Request { completion: Some(end), .. } = &page.entries[0].what else {
            panic!("a completed request")
        };
        assert_eq!(end.outcome, Outcome::Unknown, "its end is not known");
        let total = &log.usage(None, None, UsageBy::All)[0];
        assert_eq!((total.requests, total.errors), (2, 1), "round {round}: counted once");
        log.close();
    }
}

#[test]
fn a_torn_end_is_cut_and_told_of_at_every_length() {
    let home = Home::new();
    let (log, _) = home.open();
    for n in 0..20 {
        log.append(&release(n)).unwrap();
    }
    log.flush().unwrap();
    // As after kill -9: the segment as it is now, no roll-ups.
    let before = std::fs::read(home.segment(1)).unwrap();
    log.append(&release(20)).unwrap();
    let after = std::fs::read(home.segment(1)).unwrap();
    log.close();
    for len in before.len()..=after.len() + 40 {
        std::fs::remove_dir_all(home.log_dir()).unwrap();
        std::fs::create_dir(home.log_dir()).unwrap();
        let mut bytes = after.clone();
        bytes.truncate(len);
        // Beyond the end: zeros, as a power cut leaves them.
        bytes.resize(len, 0);
        std::fs::write(home.segment(1), &bytes).unwrap();
        let (log, report) = home.open();
        let is_whole = len == before.len() || len == after.len();
        assert_eq!(report.torn_tail.is_none(), is_whole, "length {len}: {report:?}");
        assert!(report.damage.is_none(), "length {len}: {report:?}");
        assert_eq!(report.unfinished, 20 + u64::from(len >= after.len()), "length {len}: whole records stay");
        log.append(&Record::clone(&release(30))).unwrap();
        assert!(log.verify().unwrap().ok, "length {len}: the chain goes on");
    }
}
