//! Files that are there or not there in odd combinations, and what opening makes of them.

use std::fs;

use crate::tests::{Home, act, completion, fill, release};
use crate::{Durability, Filter, Head, UsageBy};

#[test]
fn a_new_log_is_clean_and_empty() {
    let home = Home::new();
    let (log, report) = home.open();
    assert!(report.is_clean() && !report.is_usage_rebuilt, "{report:?}");
    assert_eq!(log.head().seq, 0, "nothing is recorded");
    assert!(log.verify().unwrap().ok, "an empty log verifies");
    assert_eq!(log.entries(&Filter::default(), 10, None).unwrap().entries, vec![], "and has no entries");
    assert_eq!(log.usage(None, None, UsageBy::All)[0].requests, 0, "and one row of nothing");
}

#[test]
fn a_log_that_is_gone_is_told_of() {
    let home = Home::new();
    let expected = Head { seq: 7, hash: [1; 32] };
    let (log, report) = home.open_expecting(Some(expected));
    assert_eq!(report.truncated.map(|t| t.expected), Some(expected), "the vault knew better");
    assert_eq!(log.append(&act(1)).unwrap(), 8, "noted numbers are not given out again");
    assert!(!log.verify().unwrap().ok, "and verification says so too");
}

#[test]
fn another_record_at_the_noted_head_is_told_of() {
    let home = Home::new();
    let (log, _) = home.open();
    fill(&log, 10);
    let Head { seq, mut hash } = log.head();
    log.close();
    let (_, report) = home.open_expecting(Some(Head { seq, hash }));
    assert!(report.is_clean(), "the right head: {report:?}");
    hash[0] ^= 1;
    let (log, report) = home.open_expecting(Some(Head { seq, hash }));
    assert!(report.truncated.is_some(), "another hash at the same place: {report:?}");
    assert!(!log.verify().unwrap().ok, "verification compares too");
}

#[test]
fn leftovers_of_a_process_that_ended_are_cleared() {
    let home = Home::new();
    let (log, _) = home.open();
    fill(&log, 10);
    log.close();
    fs::write(home.log_dir().join("00000002.seg.new"), b"half a header").unwrap();
    fs::write(home.log_dir().join("usage.bin.new"), b"half").unwrap();
    fs::write(home.log_dir().join("notes.txt"), b"not ours").unwrap();
    let (log, report) = home.open();
    assert!(report.is_clean(), "{report:?}");
    assert!(!home.log_dir().join("00000002.seg.new").exists(), "the half segment is gone");
    assert!(home.log_dir().join("notes.txt").exists(), "what is not ours stays");
    assert!(log.verify().unwrap().ok, "the log is whole");
}

#[test]
fn roll_ups_that_do_not_open_are_counted_anew() {
    let home = Home::new();
    let (log, _) = home.open();
    fill(&log, 200);
    let totals = log.usage(None, None, UsageBy::Agent);
    log.close();
    let path = home.log_dir().join("usage.bin");
    let good = fs::read(&path).unwrap();
    for (what, bytes) in [
        ("missing", None),
        ("empty", Some(Vec::new())),
        ("cut", Some(good[..good.len() / 2].to_vec())),
        ("changed", Some(good.iter().enumerate().map(|(i, b)| if i == 40 { b ^ 1 } else { *b }).collect())),
    ] {
        match bytes {
            None => fs::remove_file(&path).unwrap(),
            Some(bytes) => fs::write(&path, bytes).unwrap(),
        }
        let (log, report) = home.open();
        assert!(report.is_usage_rebuilt && report.is_clean(), "{what}: {report:?}");
        assert_eq!(log.usage(None, None, UsageBy::Agent), totals, "{what}: the totals are the same");
        log.close();
    }
}

#[test]
fn an_older_copy_of_the_roll_ups_changes_nothing() {
    let home = Home::new();
    let (log, _) = home.open();
    fill(&log, 100);
    log.close();
    let older = fs::read(home.log_dir().join("usage.bin")).unwrap();
    let (log, _) = home.open();
    for n in 500..600 {
        log.append(&release(n)).unwrap();
        log.append(&completion(n)).unwrap();
    }
    let totals = log.usage(None, None, UsageBy::Model);
    let head = log.head();
    log.close();
    fs::write(home.log_dir().join("usage.bin"), older).unwrap();
    let (log, report) = home.open_expecting(Some(head));
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(log.usage(None, None, UsageBy::Model), totals, "later records are counted after it");
}

#[test]
fn after_close_nothing_is_taken_or_read() {
    let home = Home::new();
    let (log, _) = home.open();
    log.append(&act(1)).unwrap();
    log.close();
    log.close();
    assert!(log.append(&act(2)).is_err(), "append");
    assert!(log.append_soon(&act(2)).is_err(), "append soon");
    assert!(matches!(log.verify(), Err(crate::ReadError::Closed)), "verify");
    let (log, report) = home.open();
    assert_eq!(report.head.seq, 1, "what was taken before is there");
    drop(log);
    assert_eq!(home.open().1.head.seq, 1, "dropping closes too");
}

#[test]
fn strict_tells_when_the_disk_has_it() {
    let home = Home::new();
    let (log, _) = crate::Log::open(
        &home.log_dir(),
        crate::tests::VAULT,
        &crate::tests::key(),
        Durability::Strict,
        None,
    )
    .unwrap();
    let (send, receive) = std::sync::mpsc::channel();
    for n in 0..500 {
        let send = send.clone();
        log.append_durable(&release(n), move |kept| send.send(kept).unwrap()).unwrap();
    }
    for n in 0..500 {
        let kept = receive.recv_timeout(std::time::Duration::from_secs(20));
        assert_eq!(kept, Ok(true), "answer {n}");
    }
}

#[test]
fn soon_is_soon() {
    let home = Home::new();
    let (log, _) = home.open();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    for n in 0..200 {
        log.append_soon(&release(n)).unwrap();
    }
    while log.head().seq < 200 {
        assert!(std::time::Instant::now() < deadline, "records that may wait a little waited for ever");
        std::thread::yield_now();
    }
    assert!(log.verify().unwrap().ok, "they are in the chain");
}
