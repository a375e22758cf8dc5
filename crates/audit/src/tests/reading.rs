//! Entries: joined, filtered, paged, from memory and from disk alike.

use claviger_model::Timestamp;

use crate::tests::{Home, START, act, agent, completion, credential, event, fill, refusal, release};
use crate::{Entry, EntryResult, Filter, Log, Text, What};

/// All entries, in pages of this size.
fn all(log: &Log, filter: &Filter, size: usize) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut before = None;
    loop {
        let page = log.entries(filter, size, before).unwrap();
        assert!(page.entries.len() <= size, "a page is no larger than asked for");
        entries.extend(page.entries);
        match page.next {
            Some(next) => {
                assert!(before.is_none_or(|before| next < before), "paging goes on");
                before = Some(next);
            }
            None => return entries,
        }
    }
}

/// Some requests that overlap, some refusals and acts.
fn mixed(log: &Log) {
    for n in 0..300u64 {
        log.append(&release(n)).unwrap();
        if n % 3 == 0 {
            log.append(&refusal(10_000 + n)).unwrap();
        }
        if n % 50 == 0 {
            log.append(&act(20_000 + n)).unwrap();
        }
        // Completions come forty requests later, and a few never.
        if n >= 40 && n % 20 != 7 {
            log.append(&completion(n - 40)).unwrap();
        }
    }
}

#[test]
fn pages_join_releases_with_their_completions_from_memory_and_from_disk() {
    let home = Home::new();
    let (log, _) = home.open();
    mixed(&log);
    let live = all(&log, &Filter::default(), 10_000);
    assert_eq!(live.len(), 300 + 100 + 6, "every first record is an entry, no completion is");
    assert!(live.is_sorted_by(|a, b| a.seq > b.seq), "newest first");
    let open = live.iter().filter(|entry| entry.result() == EntryResult::Open).count();
    assert_eq!(open, 40 + 13, "requests without completion are open");
    for size in [1, 7, 100] {
        assert_eq!(all(&log, &Filter::default(), size), live, "in pages of {size}");
    }
    log.close();
    let (log, report) = home.open();
    assert_eq!(report.unfinished, 53, "open requests are closed");
    let from_disk = all(&log, &Filter::default(), 10_000);
    assert_eq!(from_disk.len(), live.len(), "the same entries come from disk");
    for (disk, live) in from_disk.iter().zip(&live) {
        assert_eq!(disk.seq, live.seq, "in the same order");
        if live.result() == EntryResult::Open {
            assert_eq!(disk.result(), EntryResult::Error, "closed as unknown");
        } else {
            assert_eq!(disk, live, "entry {}", live.seq);
        }
    }
    for size in [37, 100] {
        assert_eq!(all(&log, &Filter::default(), size), from_disk, "from disk in pages of {size}");
    }
}

#[test]
fn filters_take_what_they_say() {
    let home = Home::new();
    let (log, _) = home.open();
    mixed(&log);
    for round in ["memory", "disk"] {
        let log = if round == "memory" {
            log.clone()
        } else {
            log.close();
            home.open().0
        };
        let everything = all(&log, &Filter::default(), 10_000);
        let since = Timestamp(START + 1000);
        let text = |needle: &str| Text { needle: needle.to_owned(), ..Text::default() };
        let named = Text { needle: "no such text".to_owned(), agents: vec![agent(3)], ..Text::default() };
        type Test = Box<dyn Fn(&Entry) -> bool>;
        let result =
            |result: EntryResult| -> Test { Box::new(move |entry: &Entry| entry.result() == result) };
        let cases: Vec<(&str, Filter, Test)> = vec![
            (
                "agent",
                Filter { agent: Some(agent(2)), ..Filter::default() },
                Box::new(|e| match &e.what {
                    What::Request { release, .. } => release.agent == agent(2),
                    What::Refusal(refusal) => refusal.agent == Some(agent(2)),
                    What::Act(_) => false,
                }),
            ),
            (
                "credential",
                Filter { credential: Some(credential(4)), ..Filter::default() },
                Box::new(|e| match &e.what {
                    What::Request { release, .. } => release.credential == credential(4),
                    What::Refusal(_) => false,
                    What::Act(act) => act.subject == claviger_model::Subject::Credential(credential(4)),
                }),
            ),
            ("since", Filter { since: Some(since), ..Filter::default() }, Box::new(move |e| e.at() >= since)),
            ("until", Filter { until: Some(since), ..Filter::default() }, Box::new(move |e| e.at() < since)),
            (
                "done",
                Filter { result: Some(EntryResult::Done), ..Filter::default() },
                result(EntryResult::Done),
            ),
            (
                "error",
                Filter { result: Some(EntryResult::Error), ..Filter::default() },
                result(EntryResult::Error),
            ),
            (
                "refused",
                Filter { result: Some(EntryResult::Refused), ..Filter::default() },
                result(EntryResult::Refused),
            ),
            ("act", Filter { result: Some(EntryResult::Act), ..Filter::default() }, result(EntryResult::Act)),
            (
                "model",
                Filter { text: Some(text("MODEL-2")), ..Filter::default() },
                Box::new(|e| match &e.what {
                    What::Request { completion: Some(end), .. } => end.model.as_deref() == Some("model-2"),
                    _ => false,
                }),
            ),
            (
                "code",
                Filter { text: Some(text("policy_denied")), ..Filter::default() },
                result(EntryResult::Refused),
            ),
            (
                "name",
                Filter { text: Some(named), ..Filter::default() },
                Box::new(|e| match &e.what {
                    What::Request { release, .. } => release.agent == agent(3),
                    What::Refusal(refusal) => refusal.agent == Some(agent(3)),
                    What::Act(_) => false,
                }),
            ),
            (
                "event",
                Filter { event: Some(event(77)), ..Filter::default() },
                Box::new(|e| match &e.what {
                    What::Request { release, .. } => release.event == event(77),
                    _ => false,
                }),
            ),
        ];
        for (what, filter, expected) in cases {
            let wanted: Vec<Entry> = everything.iter().filter(|entry| expected(entry)).cloned().collect();
            assert!(!wanted.is_empty(), "{what} from {round} tests nothing");
            for size in [60, 10_000] {
                assert_eq!(all(&log, &filter, size), wanted, "{what} from {round} in pages of {size}");
            }
        }
    }
}

#[test]
fn more_than_memory_holds_is_read_from_disk() {
    let home = Home::new();
    let (log, _) = home.open();
    fill(&log, 5_000);
    log.append(&release(3_000)).unwrap();
    let entries = all(&log, &Filter::default(), 999);
    assert_eq!(entries.len(), 2_501, "all entries are there");
    assert_eq!(entries[0].result(), EntryResult::Open, "the newest is open");
    let joined = entries[1..].iter().all(|entry| entry.result() != EntryResult::Open);
    assert!(joined, "every other one has its end");
    assert!(home.segment(2).exists(), "over several segments");
}

#[test]
fn a_page_that_begins_amid_long_requests_finds_their_ends_in_later_segments() {
    let home = Home::new();
    let (log, _) = home.open();
    log.append(&release(1)).unwrap();
    for n in 100..3_000 {
        log.append(&refusal(n)).unwrap();
    }
    log.append(&completion(1)).unwrap();
    for n in 100_000..103_000 {
        log.append(&refusal(n)).unwrap();
    }
    assert!(home.segment(2).exists(), "over several segments");
    let page = log.entries(&Filter::default(), 10, Some(2)).unwrap();
    assert_eq!(page.entries[0].result(), EntryResult::Done, "the end was found further ahead");
    assert_eq!(page.next, None, "and this was the first record");
}
