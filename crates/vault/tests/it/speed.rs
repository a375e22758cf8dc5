//! What opening material and unlocking a large vault cost in processor time. Measured in a release build:
//! `cargo test -p claviger-vault --release --test it speed:: -- --ignored --nocapture`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::time::{Duration, Instant};

use claviger_model::Credential;

use crate::common::{NOW, Place, again, credential, credential_id, material};

const MANY: u64 = 10_000;

/// Time that this thread has spent computing: what is measured stays the same on a busy machine.
fn spent() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

#[test]
#[ignore = "a measurement"]
fn opening_and_unlocking_are_quick() {
    let place = Place::on_disk();
    let (mut vault, recovery) = place.create();
    let start = spent();
    vault
        .write(NOW, |w| {
            (1..=MANY).try_for_each(|n| {
                w.put(&credential(n, &format!("credential {n}")))?;
                w.put_material(credential_id(n), 1, &material(&format!("sk-proj-{n:0>100}")))
            })
        })
        .unwrap();
    println!("{MANY} credentials added in one transaction: {:?}", spent() - start);

    let sealed = vault.sealed_material(credential_id(77), 1).unwrap().unwrap();
    let opener = vault.opener();
    // Too short for the kernel's accounts of processor time: by the clock, and the least disturbed of many rounds.
    let opened = (0..2_000)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..100 {
                std::hint::black_box(opener.open(&sealed).unwrap());
            }
            start.elapsed() / 100
        })
        .min()
        .unwrap();
    println!("opening material of 108 bytes: {opened:?}");

    let mut locked = Some(vault.lock().unwrap());
    let mut unlocking = Duration::MAX;
    for _ in 0..20 {
        let start = spent();
        let vault = locked.take().unwrap().unlock_with_recovery(&again(&recovery)).unwrap();
        unlocking = unlocking.min(spent() - start);
        locked = Some(vault.lock().unwrap());
    }
    println!("unlocking, beside the key derivation: {unlocking:?}");
    drop(locked);
    let from_file = best_of(10, || drop(place.open()));
    println!("opening the file, with its structure checked: {from_file:?}");

    let mut vault = place.open().unlock_with_recovery(&recovery).unwrap();
    let reading =
        best_of(10, || assert_eq!(vault.all::<Credential>().unwrap().len() as u64, MANY, "all are read"));
    println!("reading all {MANY} credentials: {reading:?}");
    let mut n = MANY;
    let writing = best_of(20, || {
        n += 1;
        vault.write(NOW, |w| w.put(&credential(n, "one more"))).unwrap();
    });
    println!("one more credential, synced to disk: {writing:?}");
    if !cfg!(debug_assertions) {
        assert!(opened < Duration::from_nanos(2_000), "opening material takes {opened:?}");
        assert!(unlocking < Duration::from_millis(50), "unlocking takes {unlocking:?}");
    }
}

fn best_of(rounds: usize, mut work: impl FnMut()) -> Duration {
    (0..rounds)
        .map(|_| {
            let start = spent();
            work();
            spent() - start
        })
        .min()
        .unwrap()
}
