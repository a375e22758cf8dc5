//! whatever is done to the files of a 1,000-record log is detected.

use std::fs;

use crate::tests::{Dice, Home, VAULT, act, fill, key};
use crate::{Head, OpenReport, VerifyReport, verify_offline_expecting};

/// A closed log of 1,000 records, its head and its one segment's bytes.
fn thousand() -> (Home, Head, Vec<u8>) {
    let home = Home::new();
    let (log, _) = home.open();
    fill(&log, 1000);
    let head = log.head();
    assert!(log.verify().unwrap().ok, "the untouched log verifies");
    log.close();
    let bytes = fs::read(home.segment(1)).unwrap();
    (home, head, bytes)
}

/// How much is tried: `some` in the test run, `all` when asked for everything.
fn rounds(some: u64, all: u64) -> u64 {
    if std::env::var_os("CLAVIGER_TAMPER").is_some_and(|value| value == "all") { all } else { some }
}

/// Where each frame lies.
fn frames(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut at = crate::header::HEADER_LEN;
    let mut all = Vec::new();
    while at < bytes.len() {
        let len = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        all.push(at..at + 4 + len);
        at += 4 + len;
    }
    all
}

fn verify_with(home: &Home, bytes: &[u8], expected: Option<Head>) -> VerifyReport {
    fs::write(home.segment(1), bytes).unwrap();
    verify_offline_expecting(&home.log_dir(), VAULT, &key(), expected)
}

#[test]
fn no_byte_can_be_changed() {
    let (home, head, bytes) = thousand();
    let ranges = frames(&bytes);
    let report = verify_with(&home, &bytes, Some(head));
    assert_eq!((report.ok, report.records, report.head), (true, 1000, head), "untouched");
    // Every byte of the header and of the first frame, one byte of some others; all bytes with CLAVIGER_TAMPER=all.
    let mut dice = Dice::new(1);
    let places: Vec<usize> = if rounds(0, 1) == 1 {
        (0..bytes.len()).collect()
    } else {
        let some =
            ranges.iter().step_by(19).map(|range| range.start + dice.roll(range.len() as u64) as usize);
        (0..ranges[0].end).chain(some).chain([bytes.len() - 1]).collect()
    };
    for at in places {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << dice.roll(8);
        let report = verify_with(&home, &changed, None);
        assert!(!report.ok, "a change of byte {at} was not seen");
        let hit = ranges.iter().position(|range| range.contains(&at)).map_or(1, |index| index as u64 + 1);
        assert_eq!(report.first_bad, Some(hit), "byte {at} lies in record {hit}: {:?}", report.problem);
    }
}

#[test]
fn no_record_can_be_removed_doubled_swapped_or_brought_in() {
    let (home, head, bytes) = thousand();
    let ranges = frames(&bytes);
    let mut dice = Dice::new(2);
    let other = {
        let other = Home::new();
        let (log, _) = other.open();
        fill(&log, 1000);
        log.close();
        fs::read(other.segment(1)).unwrap()
    };
    let other_ranges = frames(&other);
    for round in 0..rounds(25, 1000) {
        let one = dice.roll(1000) as usize;
        let two = dice.roll(1000) as usize;
        let frame = |index: usize| &bytes[ranges[index].clone()];
        if one < 999 {
            let without = [&bytes[..ranges[one].start], &bytes[ranges[one].end..]].concat();
            assert!(
                !verify_with(&home, &without, None).ok,
                "round {round}: removing record {one} was not seen"
            );
        }
        let doubled = [&bytes[..ranges[one].end], frame(one), &bytes[ranges[one].end..]].concat();
        assert!(!verify_with(&home, &doubled, None).ok, "round {round}: doubling record {one} was not seen");
        if one != two {
            let (low, high) = (one.min(two), one.max(two));
            let swapped = [
                &bytes[..ranges[low].start],
                frame(high),
                &bytes[ranges[low].end..ranges[high].start],
                frame(low),
                &bytes[ranges[high].end..],
            ]
            .concat();
            assert!(
                !verify_with(&home, &swapped, None).ok,
                "round {round}: swapping {low} and {high} was not seen"
            );
        }
        let foreign = &other[other_ranges[two].clone()];
        let brought = [&bytes[..ranges[one].start], foreign, &bytes[ranges[one].end..]].concat();
        assert!(
            !verify_with(&home, &brought, None).ok,
            "round {round}: another log's record at {one} was not seen"
        );
    }
    // A whole log of another day under the same key is good by itself; the noted head tells them apart.
    assert!(!verify_with(&home, &other, Some(head)).ok, "another log in this one's place was not seen");
}

#[test]
fn cutting_the_end_is_seen_down_to_what_the_vault_noted() {
    let (home, head, bytes) = thousand();
    let ranges = frames(&bytes);
    for keep in (0..1000).step_by(83).chain([999]) {
        let cut = &bytes[..ranges[keep].start];
        let report = verify_with(&home, cut, Some(head));
        assert!(!report.ok, "cutting down to {keep} records was not seen");
        assert_eq!(report.first_bad, Some(keep as u64 + 1), "the first missing record is named");
        // Without a noted head this is the stated window: whole records at the end.
        assert!(verify_with(&home, cut, None).ok, "a log that ends earlier is good by itself");
        for within in [1, 5, ranges[keep].len() - 1] {
            let report = verify_with(&home, &bytes[..ranges[keep].start + within], None);
            assert!(!report.ok, "a record cut after {within} bytes was not seen");
        }
    }
}

#[test]
fn opening_tells_of_a_cut_below_the_saved_place_and_goes_on() {
    let (home, head, bytes) = thousand();
    let ranges = frames(&bytes);
    for (keep, expected) in [(1000, Some(head)), (999, None), (999, Some(head)), (400, None), (0, Some(head))]
    {
        let cut = ranges.get(keep).map_or(bytes.len(), |range| range.start);
        fs::write(home.segment(1), &bytes[..cut]).unwrap();
        let usage = fs::read(home.log_dir().join("usage.bin")).unwrap();
        let (log, report) = home.open_expecting(expected);
        assert_eq!(report.is_clean(), keep == 1000, "kept {keep}, expected {expected:?}: {report:?}");
        let seq = log.append(&act(7)).unwrap();
        assert_eq!(seq, 1001, "no sequence number is given out twice");
        let verified = log.verify().unwrap();
        assert_eq!(verified.ok, keep == 1000, "kept {keep}: {verified:?}");
        if keep < 1000 {
            assert_eq!(verified.first_bad, Some(keep as u64 + 1), "kept {keep}: {:?}", verified.problem);
        }
        assert_eq!(
            log.entries(&crate::Filter::default(), 1, None).unwrap().entries[0].seq,
            1001,
            "it is readable"
        );
        log.close();
        // Back to where we were.
        for number in 2..4 {
            crate::disk::remove_if_there(&home.segment(number)).unwrap();
        }
        fs::write(home.log_dir().join("usage.bin"), usage).unwrap();
    }
}

#[test]
fn damage_is_left_in_place_and_reported_once() {
    let (home, head, bytes) = thousand();
    let ranges = frames(&bytes);
    let mut changed = bytes.clone();
    changed[ranges[600].start + 40] ^= 4;
    fs::write(home.segment(1), &changed).unwrap();
    fs::remove_file(home.log_dir().join("usage.bin")).unwrap();
    let (log, report) = home.open_expecting(Some(head));
    let damage = report.damage.clone().expect("the damage is reported");
    assert_eq!(damage.seq, 601, "{damage:?}");
    assert!(report.is_usage_rebuilt, "the roll-ups were counted anew");
    assert_eq!(log.append(&act(1)).unwrap(), 1001, "numbers go on after what was claimed");
    assert_eq!(fs::read(home.segment(1)).unwrap(), changed, "the evidence is untouched");
    log.close();
    let (log, report) = home.open();
    assert!(report.is_clean(), "known damage is not reported again: {report:?}");
    let verified = log.verify().unwrap();
    assert_eq!((verified.ok, verified.first_bad), (false, Some(601)), "verification keeps naming it");
}

#[test]
fn segments_cannot_be_exchanged_moved_or_left_out() {
    let home = Home::new();
    let (log, _) = home.open();
    let long = "x".repeat(8000);
    for n in 0..230 {
        let claviger_model::Record::Act(mut record) = act(n) else { panic!("an act") };
        record.detail.clone_from(&long);
        log.append(&claviger_model::Record::Act(record)).unwrap();
    }
    let head = log.head();
    assert!(home.segment(4).exists(), "the log has several segments");
    assert!(log.verify().unwrap().ok, "the chain holds across segments");
    log.close();
    let verify = || verify_offline_expecting(&home.log_dir(), VAULT, &key(), Some(head));
    assert!(verify().ok, "untouched");
    let keep = |number: u64| home.log_dir().join(format!("kept{number}"));
    let exchange = |a: u64, b: u64| {
        fs::rename(home.segment(a), keep(a)).unwrap();
        fs::rename(home.segment(b), home.segment(a)).unwrap();
        fs::rename(keep(a), home.segment(b)).unwrap();
    };
    exchange(2, 3);
    assert!(!verify().ok, "exchanged segments were not seen");
    exchange(2, 3);
    assert!(verify().ok, "back in order");
    for number in 1..=4 {
        fs::rename(home.segment(number), keep(number)).unwrap();
        assert!(!verify().ok, "segment {number} is missing and that was not seen");
        let (log, report) = home.open_expecting(Some(head));
        assert!(!report.is_clean(), "opening without segment {number} said nothing");
        log.append(&act(1)).expect("the log goes on");
        log.close();
        for extra in [number, 5, 6] {
            crate::disk::remove_if_there(&home.segment(extra)).unwrap();
        }
        fs::rename(keep(number), home.segment(number)).unwrap();
        fs::remove_file(home.log_dir().join("usage.bin")).unwrap();
        let (log, _) = home.open_expecting(Some(head));
        log.close();
        assert!(verify().ok, "segment {number} is back");
    }
}

#[test]
fn another_vaults_log_another_key_and_a_newer_format_are_refused_untouched() {
    use crate::{Durability, Log, OpenError};
    let (home, _, bytes) = thousand();
    let open = |vault, key| Log::open(&home.log_dir(), vault, &key, Durability::Relaxed, None).map(|_| ());
    let other = claviger_model::VaultId::from_bytes([8; 16]);
    assert!(matches!(open(other, key()), Err(OpenError::OtherVault(_))), "another vault");
    let wrong = claviger_secret::Secret::from(vec![0x43; 32]);
    assert!(matches!(open(VAULT, wrong), Err(OpenError::WrongKey)), "another key");
    assert_eq!(fs::read(home.segment(1)).unwrap(), bytes, "the log is untouched");
    let mut newer = bytes.clone();
    newer[7] = b'2';
    fs::write(home.segment(1), &newer).unwrap();
    assert!(matches!(open(VAULT, key()), Err(OpenError::NewerFormat)), "a newer format");
    assert_eq!(fs::read(home.segment(1)).unwrap(), newer, "the newer log is untouched");
}

#[test]
fn the_log_is_its_owners_alone_and_follows_no_link() {
    let (home, ..) = thousand();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: std::path::PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(home.log_dir()), 0o700, "the directory");
        assert_eq!(mode(home.segment(1)), 0o600, "a segment");
        assert_eq!(mode(home.log_dir().join("usage.bin")), 0o600, "the roll-ups");
        let elsewhere = home.log_dir().parent().unwrap().join("elsewhere");
        fs::rename(home.segment(1), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, home.segment(1)).unwrap();
        let before = fs::read(&elsewhere).unwrap();
        let opened = crate::Log::open(&home.log_dir(), VAULT, &key(), crate::Durability::Relaxed, None);
        let report: Option<OpenReport> = opened.ok().map(|(_, report)| report);
        assert!(report.is_none_or(|report| !report.is_clean()), "a link in place of a segment was followed");
        assert_eq!(fs::read(&elsewhere).unwrap(), before, "nothing was written through the link");
    }
}
