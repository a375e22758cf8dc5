//! Many threads, one chain.

use claviger_model::Record;

use crate::tests::{Home, completion, refusal, release};
use crate::{Filter, UsageBy};

#[test]
fn eight_threads_keep_one_chain() {
    const EACH: u64 = 300;
    let home = Home::new();
    let (log, _) = home.open();
    let mut seqs: Vec<u64> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8u64)
            .map(|thread| {
                let log = log.clone();
                scope.spawn(move || {
                    let mut seqs = Vec::new();
                    for i in 0..EACH {
                        let n = thread * 1_000_000 + i;
                        seqs.push(log.append(&release(n)).unwrap());
                        log.append_soon(&completion(n)).unwrap();
                        if i % 100 == 0 {
                            log.append_durable(&refusal(n + 500_000), |_| ()).unwrap();
                        }
                    }
                    assert!(seqs.is_sorted(), "a thread's own records are in its order");
                    seqs
                })
            })
            .collect();
        // Readers at the same time.
        for _ in 0..5 {
            let page = log.entries(&Filter::default(), 50, None).unwrap();
            assert!(page.entries.is_sorted_by(|a, b| a.seq > b.seq), "newest first");
            let total = log.usage(None, None, UsageBy::All)[0].requests;
            assert!(total <= 8 * EACH, "more requests than were made");
            assert!(log.verify().unwrap().ok, "whole while it grows");
        }
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    seqs.sort_unstable();
    seqs.dedup();
    assert_eq!(seqs.len() as u64, 8 * EACH, "every record has a number of its own");
    log.flush().unwrap();
    let verified = log.verify().unwrap();
    assert!(verified.ok, "{verified:?}");
    assert_eq!(verified.records, 8 * EACH * 2 + 8 * EACH / 100, "all are there");
    let total = &log.usage(None, None, UsageBy::All)[0];
    assert_eq!((total.requests, total.denied), (8 * EACH, 8 * EACH / 100), "all are counted");
    log.close();
    let (log, report) = home.open();
    assert!(report.is_clean() && report.unfinished == 0, "{report:?}");
    assert_eq!(&log.usage(None, None, UsageBy::All)[0], total, "and still after opening again");
}

#[test]
fn closing_while_others_append_loses_nothing_that_was_acknowledged() {
    for round in 0..5 {
        let home = Home::new();
        let (log, _) = home.open();
        let acknowledged: u64 = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..4u64)
                .map(|thread| {
                    let log = log.clone();
                    scope.spawn(move || {
                        (0..).take_while(|i| log.append(&release(thread * 1_000_000 + i)).is_ok()).count()
                            as u64
                    })
                })
                .collect();
            while log.head().seq < 50 * (round + 1) {
                std::thread::yield_now();
            }
            log.close();
            writers.into_iter().map(|writer| writer.join().unwrap()).sum()
        });
        let (_, report) = home.open();
        assert_eq!(report.unfinished, acknowledged, "round {round}");
        assert!(report.is_clean(), "round {round}: {report:?}");
    }
}

#[test]
fn odd_text_stays_one_record() {
    // whatever an agent puts into a path, it is one record and reads back as it was.
    let home = Home::new();
    let (log, _) = home.open();
    let odd = "/a\n{\"seq\":1}\r\n\u{1b}[31m\u{2028}\0\"=cmd()";
    let Record::Release(mut record) = release(1) else { panic!("a release") };
    record.path = odd.to_owned();
    log.append(&Record::Release(record)).unwrap();
    let page = log.entries(&Filter::default(), 10, None).unwrap();
    assert_eq!(page.entries.len(), 1, "one record");
    let crate::What::Request { release, .. } = &page.entries[0].what else { panic!("a request") };
    assert_eq!(release.path, odd, "as it was");
}
