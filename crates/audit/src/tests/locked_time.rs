//! Records while the vault is locked, and taking them over.

use std::fs;

use claviger_crypto::BoxSecret;
use claviger_secret::Secret;

use crate::tests::{Home, VAULT, act, event, refusal};
use crate::{Adopted, Filter, LockedLog, UsageBy, What};

fn secret() -> Secret {
    Secret::from(vec![7; 32])
}

fn public() -> [u8; 32] {
    BoxSecret::from_secret(&secret()).unwrap().public()
}

#[test]
fn records_of_the_locked_time_are_taken_over_in_order_and_once() {
    let home = Home::new();
    let (log, _) = home.open();
    log.append(&act(1)).unwrap();
    log.close();
    {
        let locked = LockedLog::open(&home.log_dir(), VAULT, public()).unwrap();
        for n in 10..20 {
            locked.append(&refusal(n)).unwrap();
        }
    }
    // The engine restarts while locked.
    let locked = LockedLog::open(&home.log_dir(), VAULT, public()).unwrap();
    assert_eq!(locked.len(), (10, 0), "what was there is kept");
    for n in 20..30 {
        locked.append(&refusal(n)).unwrap();
    }
    drop(locked);
    let bytes = fs::read(home.log_dir().join("locked.seg")).unwrap();
    let text = b"method not allowed";
    assert!(!bytes.windows(text.len()).any(|window| window == text), "a record stands in the clear");

    let (log, report) = home.open();
    assert!(report.is_clean(), "{report:?}");
    let adopted = log.adopt_locked(&home.log_dir(), &secret()).unwrap();
    assert_eq!(adopted, Adopted { records: 20, counted: 0, is_damaged: false }, "all of them");
    assert!(!home.log_dir().join("locked.seg").exists(), "the file is gone");
    let events: Vec<_> = log
        .entries(&Filter::default(), 100, None)
        .unwrap()
        .entries
        .into_iter()
        .rev()
        .filter_map(|entry| match entry.what {
            What::Refusal(refusal) => Some(refusal.event),
            _ => None,
        })
        .collect();
    assert_eq!(events, (10..30).map(event).collect::<Vec<_>>(), "in order");
    assert_eq!(log.usage(None, None, UsageBy::All)[0].denied, 20, "and counted");

    // The process ended after writing them and before removing the file.
    fs::write(home.log_dir().join("locked.seg"), &bytes).unwrap();
    let again = log.adopt_locked(&home.log_dir(), &secret()).unwrap();
    assert_eq!(again.records, 0, "nothing is taken over twice");
    assert_eq!(
        log.adopt_locked(&home.log_dir(), &secret()).unwrap(),
        Adopted::default(),
        "no file is no error"
    );
    assert!(log.verify().unwrap().ok, "the chain is whole");
}

#[test]
fn a_flood_is_bounded_and_counted() {
    let home = Home::new();
    let locked = LockedLog::open(&home.log_dir(), VAULT, public()).unwrap();
    for n in 0..150 {
        locked.append(&refusal(n)).unwrap();
    }
    assert_eq!(locked.len(), (100, 50), "the bound holds");
    drop(locked);
    let locked = LockedLog::open(&home.log_dir(), VAULT, public()).unwrap();
    assert_eq!(locked.len(), (100, 50), "the count is kept");
    drop(locked);
    let (log, _) = home.open();
    let adopted = log.adopt_locked(&home.log_dir(), &secret()).unwrap();
    assert_eq!(adopted, Adopted { records: 100, counted: 50, is_damaged: false }, "told at unlock");
}

#[test]
fn changes_to_the_file_are_told_of() {
    let home = Home::new();
    let locked = LockedLog::open(&home.log_dir(), VAULT, public()).unwrap();
    for n in 0..5 {
        locked.append(&refusal(n)).unwrap();
    }
    drop(locked);
    let path = home.log_dir().join("locked.seg");
    let good = fs::read(&path).unwrap();
    let (log, _) = home.open();
    for at in (0..good.len()).step_by(11).filter(|at| !(24..32).contains(at)) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, bad).unwrap();
        let adopted = log.adopt_locked(&home.log_dir(), &secret()).unwrap();
        assert!(adopted.is_damaged, "a change of byte {at} was not told of");
    }
    fs::write(&path, &good[..good.len() - 1]).unwrap();
    let locked = LockedLog::open(&home.log_dir(), VAULT, public()).unwrap();
    assert_eq!(locked.len(), (4, 0), "a torn end is cut");
    locked.append(&refusal(9)).unwrap();
    drop(locked);
    let adopted = log.adopt_locked(&home.log_dir(), &secret()).unwrap();
    assert!(!adopted.is_damaged, "after which the file is whole: {adopted:?}");
    assert!(log.verify().unwrap().ok, "the log itself is whole");
}
