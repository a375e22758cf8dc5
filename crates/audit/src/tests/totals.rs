//! Roll-ups always equal the sum of the rows, whatever restarts and crashes lie in between.

use std::collections::HashMap;

use claviger_model::{AgentId, Completion, Duration, Outcome, Record, Release, Timestamp, TokenUsage};

use crate::tests::{Dice, Home, START, agent, credential, event, refusal, release};
use crate::{Log, UsageBy, UsageKey, UsageTotals};

/// What the roll-ups should say, counted the slow way.
#[derive(Default)]
struct Expected {
    releases: HashMap<u64, Release>,
    completions: HashMap<u64, Completion>,
    refusals: Vec<(Option<AgentId>, Timestamp)>,
}

/// requests, errors, denied, tokens in, out, cached, bytes up, down
type Row = [u64; 8];

fn row(totals: &UsageTotals) -> Row {
    [
        totals.requests,
        totals.errors,
        totals.denied,
        totals.tokens_in,
        totals.tokens_out,
        totals.tokens_cached,
        totals.bytes_up,
        totals.bytes_down,
    ]
}

fn add(rows: &mut HashMap<UsageKey, Row>, key: UsageKey, more: Row) {
    let row = rows.entry(key).or_default();
    for (sum, n) in row.iter_mut().zip(more) {
        *sum += n;
    }
}

impl Expected {
    fn rows(&self, by: UsageBy) -> HashMap<UsageKey, Row> {
        let mut rows = HashMap::new();
        for (n, release) in &self.releases {
            let end = self.completions.get(n);
            let usage = end.and_then(|end| end.usage).unwrap_or_default();
            let key = match by {
                UsageBy::All => UsageKey::All,
                UsageBy::Agent => UsageKey::Agent(Some(release.agent)),
                UsageBy::Credential => UsageKey::Credential(Some(release.credential)),
                UsageBy::Service => UsageKey::Service(Some(release.service)),
                UsageBy::Model => UsageKey::Model(end.and_then(|end| end.model.clone())),
                UsageBy::Hour => UsageKey::Hour(release.at.hour()),
                UsageBy::Day => UsageKey::Day(Timestamp(release.at.0.div_euclid(86_400_000) * 86_400_000)),
            };
            let count = [
                1,
                u64::from(end.is_some_and(crate::is_error)),
                0,
                usage.input,
                usage.output,
                usage.cached_read,
                end.map_or(0, |end| end.bytes_up),
                end.map_or(0, |end| end.bytes_down),
            ];
            add(&mut rows, key, count);
        }
        for (agent, at) in &self.refusals {
            let key = match by {
                UsageBy::All => UsageKey::All,
                UsageBy::Agent => UsageKey::Agent(*agent),
                UsageBy::Credential => UsageKey::Credential(None),
                UsageBy::Service => UsageKey::Service(None),
                UsageBy::Model => UsageKey::Model(None),
                UsageBy::Hour => UsageKey::Hour(at.hour()),
                UsageBy::Day => UsageKey::Day(Timestamp(at.0.div_euclid(86_400_000) * 86_400_000)),
            };
            add(&mut rows, key, [0, 0, 1, 0, 0, 0, 0, 0]);
        }
        rows
    }

    fn check(&self, log: &Log, when: &str) {
        use UsageBy::{Agent, All, Credential, Day, Hour, Model, Service};
        for by in [All, Agent, Credential, Service, Model, Hour, Day] {
            let totals = log.usage(None, None, by);
            let mut found = HashMap::new();
            for total in &totals {
                add(&mut found, total.key.clone(), row(total));
            }
            found.retain(|_, row| *row != Row::default());
            assert_eq!(found, self.rows(by), "{when}: by {by:?}");
            assert_eq!(
                found.len(),
                totals.iter().filter(|t| row(t) != Row::default()).count(),
                "{when}: keys are unique"
            );
        }
    }
}

#[test]
fn totals_are_the_sum_of_the_rows_under_restarts() {
    for seed in 0..4 {
        let mut dice = Dice::new(100 + seed);
        let home = Home::new();
        let mut expected = Expected::default();
        let mut open: Vec<u64> = Vec::new();
        let (mut log, _) = home.open();
        // Three days, so that minutes have become hours at the end.
        let mut at = START;
        for n in 0..1_500u64 {
            at += dice.roll(170_000) as i64;
            match dice.roll(10) {
                0 => {
                    let Record::Refusal(mut record) = refusal(1_000_000 + n) else { panic!("a refusal") };
                    record.at = Timestamp(at);
                    expected.refusals.push((record.agent, record.at));
                    log.append(&Record::Refusal(record)).unwrap();
                }
                1..=5 => {
                    let Record::Release(mut record) = release(n) else { panic!("a release") };
                    record.at = Timestamp(at);
                    record.agent = agent(dice.roll(4));
                    record.credential = credential(dice.roll(3));
                    expected.releases.insert(n, record.clone());
                    open.push(n);
                    log.append(&Record::Release(record)).unwrap();
                }
                _ if !open.is_empty() => {
                    let n = open.swap_remove(dice.roll(open.len() as u64) as usize);
                    let record = Completion {
                        event: event(n),
                        at: Timestamp(at),
                        outcome: if dice.roll(9) == 0 { Outcome::Cut } else { Outcome::Done },
                        status: [200, 200, 200, 404, 500][dice.roll(5) as usize],
                        bytes_up: dice.roll(10_000),
                        bytes_down: dice.roll(100_000),
                        head_us: 1,
                        total_us: dice.roll(5_000_000) as u32,
                        own_us: 1,
                        model: (dice.roll(4) > 0).then(|| format!("m{}", dice.roll(3))),
                        usage: (dice.roll(4) > 0).then(|| TokenUsage {
                            input: dice.roll(5000),
                            output: dice.roll(1000),
                            cached_read: dice.roll(100),
                            cached_write: 0,
                            reasoning: 0,
                        }),
                    };
                    expected.completions.insert(n, record.clone());
                    log.append_soon(&Record::Completion(record)).unwrap();
                }
                _ => {}
            }
            if dice.roll(400) == 0 {
                log.flush().unwrap();
                expected.check(&log, &format!("seed {seed}, step {n}"));
            }
            if dice.roll(500) == 0 {
                // Half of the restarts are as after kill -9 and a copy: the roll-ups are those of an earlier time.
                log.flush().unwrap();
                let usage = home.log_dir().join("usage.bin");
                let older = std::fs::read(&usage).ok();
                log.close();
                if dice.roll(2) == 0 {
                    match older {
                        Some(older) => std::fs::write(&usage, older).unwrap(),
                        None => std::fs::remove_file(&usage).unwrap(),
                    }
                }
                log = home.open().0;
                for n in open.drain(..) {
                    let end = crate::tests::completion(n);
                    let Record::Completion(mut end) = end else { panic!("a completion") };
                    (end.outcome, end.status, end.bytes_up, end.bytes_down) = (Outcome::Unknown, 0, 0, 0);
                    (end.model, end.usage) = (None, None);
                    expected.completions.insert(n, end);
                }
                expected.check(&log, &format!("seed {seed}, after restart at step {n}"));
            }
        }
        log.flush().unwrap();
        expected.check(&log, &format!("seed {seed}, at the end"));
    }
}

#[test]
fn ranges_and_series_agree() {
    let home = Home::new();
    let (log, _) = home.open();
    // One request a minute over six hours.
    for n in 0..360u64 {
        let Record::Release(mut begin) = release(n) else { panic!("a release") };
        begin.at = Timestamp(START + n as i64 * 60_000 + 30_000);
        log.append(&Record::Release(begin)).unwrap();
        log.append(&crate::tests::completion(n)).unwrap();
    }
    let end = Timestamp(START + 360 * 60_000);
    let hour_ago = Timestamp(end.0 - 3_600_000);
    let total = &log.usage(Some(hour_ago), Some(end), UsageBy::All)[0];
    assert_eq!(total.requests, 60, "an hour has sixty minutes");
    let series = log.series(hour_ago, Duration(60_000), end);
    assert_eq!(series.len(), 60, "no step is left out");
    assert!(series.iter().all(|step| step.requests == 1), "one in each minute");
    let series = log.series(Timestamp(end.0 - 24 * 3_600_000), Duration(3_600_000), end);
    assert_eq!(series.len(), 24, "hours with nothing are there too");
    let counts: Vec<u64> = series.iter().map(|step| step.requests).collect();
    assert_eq!(counts[18..], [60; 6], "sixty in each of the last hours");
    assert_eq!(counts[..18], [0; 18], "none before");
    let sum: u64 = series.iter().map(|step| step.errors).sum();
    assert_eq!(sum, 36, "errors too");
    assert_eq!(
        log.series(end, Duration(1), hour_ago),
        vec![],
        "a range that ends before it begins has no steps"
    );
}

#[test]
fn latencies_are_percentiles_of_the_rows() {
    let home = Home::new();
    let (log, _) = home.open();
    for n in 0..1000u64 {
        log.append(&release(n)).unwrap();
        let Record::Completion(mut end) = crate::tests::completion(n) else { panic!("a completion") };
        end.total_us = (n as u32 + 1) * 1000;
        log.append(&Record::Completion(end)).unwrap();
    }
    let total = &log.usage(None, None, UsageBy::All)[0];
    assert!((total.p50_ms - 500.0).abs() < 10.0, "p50 is {}", total.p50_ms);
    assert!((total.p99_ms - 990.0).abs() < 20.0, "p99 is {}", total.p99_ms);
}

#[test]
fn last_used_and_last_seen_survive() {
    let home = Home::new();
    let (log, _) = home.open();
    log.append(&release(4)).unwrap();
    log.append(&refusal(12)).unwrap();
    for round in 0..2 {
        let log = if round == 0 {
            log.clone()
        } else {
            log.close();
            home.open().0
        };
        assert_eq!(
            log.last_used(credential(4)),
            Some(Timestamp(START + 40)),
            "credential 4 was used by request 4"
        );
        assert_eq!(log.last_used(credential(5)), None, "credential 5 never was");
        assert_eq!(log.last_seen(agent(4)), Some(Timestamp(START + 40)), "agent 4 made request 4");
        assert_eq!(log.last_seen(agent(2)), Some(Timestamp(START + 120)), "agent 2 was refused");
        assert_eq!(log.last_seen(agent(1)), None, "agent 1 never came");
    }
}

#[test]
fn a_new_model_in_each_answer_does_not_grow_memory() {
    let home = Home::new();
    let (log, _) = home.open();
    for n in 0..1_500u64 {
        log.append(&release(n)).unwrap();
        let Record::Completion(mut end) = crate::tests::completion(n) else { panic!("a completion") };
        end.model = Some(format!("invented-{n}"));
        log.append(&Record::Completion(end)).unwrap();
    }
    let rows = log.usage(None, None, UsageBy::Model);
    assert_eq!(rows.len(), 1025, "1,024 models are told apart, the rest is one");
    assert_eq!(rows[0].key, UsageKey::Model(Some("other".to_owned())), "named so");
    assert_eq!(rows.iter().map(|row| row.requests).sum::<u64>(), 1_500, "and none is lost");
}
