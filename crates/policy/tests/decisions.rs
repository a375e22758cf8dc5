//! Decisions by table, and what must hold for any grant and any request.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use claviger_model::{
    AgentId, BasePath, Credential, CredentialId, CredentialState, Grant, GrantId, Hours, Kind, Rate, RatePer,
    ServiceId, Timestamp,
};
use claviger_policy::{Decision, Facts, GrantRules, Reason, RuleError, decide, explain};
use proptest::prelude::*;
use serde::Deserialize;

const AGENT: AgentId = AgentId::from_bytes([1; 16]);
const CREDENTIAL: CredentialId = CredentialId::from_bytes([2; 16]);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    methods: Vec<String>,
    #[serde(default)]
    paths: Vec<String>,
    hours: Option<String>,
    #[serde(default)]
    utc_offset: i16,
    grant_expires: Option<String>,
    credential_expires: Option<String>,
    state: Option<CredentialState>,
    #[serde(default)]
    other_agent: bool,
    now: Option<String>,
    method: String,
    path: String,
    wanted: String,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Table {
    case: Vec<Case>,
}

fn grant() -> Grant {
    Grant {
        id: GrantId::from_bytes([3; 16]),
        agent: AGENT,
        credential: CREDENTIAL,
        base: BasePath("a".repeat(26)),
        methods: vec![],
        paths: vec![],
        rate: None,
        hours: None,
        created_at: Timestamp(0),
        expires_at: None,
    }
}

fn credential() -> Credential {
    Credential {
        id: CREDENTIAL,
        name: "key".into(),
        service: ServiceId::from_bytes([4; 16]),
        kind: Kind::ApiKey,
        fingerprint: String::new(),
        version: 1,
        state: CredentialState::Active,
        created_at: Timestamp(0),
        rotated_at: None,
        expires_at: None,
    }
}

fn facts<'a>(method: &'a str, path: &'a str, now: Timestamp) -> Facts<'a> {
    Facts { method, host: "api.example.com", port: 443, path, query: None, now }
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap_or_else(|| panic!("not a time: {text}"))
}

#[test]
fn decisions_are_as_the_table_says() {
    let table: Table = toml::from_str(include_str!("cases/decisions.toml")).unwrap();
    for case in table.case {
        let mut grant = grant();
        grant.methods = case.methods;
        grant.paths = case.paths;
        grant.hours = case.hours.map(|text| {
            let hours: Hours = text.parse().unwrap();
            Hours { utc_offset_minutes: case.utc_offset, ..hours }
        });
        grant.expires_at = case.grant_expires.as_deref().map(time);
        let mut credential = credential();
        credential.expires_at = case.credential_expires.as_deref().map(time);
        credential.state = case.state.unwrap_or(CredentialState::Active);
        let rules = GrantRules::compile(&grant, &credential).unwrap();
        let now = time(case.now.as_deref().unwrap_or("2026-11-21T10:00:00Z"));
        let agent = if case.other_agent { AgentId::from_bytes([9; 16]) } else { AGENT };
        let facts = facts(&case.method, &case.path, now);
        let explained = explain(&rules, agent, &facts);
        let (got, reason) = match decide(&rules, agent, &facts) {
            Decision::Allow(permit) => {
                assert_eq!(
                    (permit.grant(), permit.agent(), permit.credential()),
                    (grant.id, AGENT, CREDENTIAL),
                    "{}: the permit says what it is for",
                    case.name
                );
                assert_eq!(explained, Decision::Allow(()), "{}: explained alike", case.name);
                ("allow", String::new())
            }
            Decision::Deny(denial) => {
                assert_eq!(explained, Decision::Deny(denial.clone()), "{}: explained alike", case.name);
                (denial.reason.code().word(), denial.reason.to_string())
            }
        };
        assert_eq!(got, case.wanted, "{}: {reason}", case.name);
        if let Some(wanted) = case.reason {
            assert_eq!(reason, wanted, "{}", case.name);
        }
    }
}

#[test]
fn a_rule_that_cannot_be_read_is_an_error() {
    let bad: [fn(&mut Grant); 11] = [
        |g| g.paths = vec!["v1/*".into()],
        |g| g.paths = vec!["/ok".into(), "/***".into()],
        |g| g.methods = vec!["get".into()],
        |g| g.methods = vec!["CONNECT".into()],
        |g| g.methods = vec!["TRACE".into()],
        |g| g.methods = vec![String::new()],
        |g| g.methods = vec!["GET POST".into()],
        |g| g.hours = Some(Hours { from_minute: 60, to_minute: 60, utc_offset_minutes: 0 }),
        |g| g.hours = Some(Hours { from_minute: 0, to_minute: 1441, utc_offset_minutes: 0 }),
        |g| g.rate = Some(Rate { count: 0, per: RatePer::Day }),
        |g| g.credential = CredentialId::from_bytes([9; 16]),
    ];
    for (i, spoil) in bad.into_iter().enumerate() {
        let mut grant = grant();
        spoil(&mut grant);
        let compiled = GrantRules::compile(&grant, &credential());
        assert!(compiled.is_err(), "case {i} was accepted");
    }
    let mut grant = grant();
    grant.paths = vec!["/a b".into()];
    let error = GrantRules::compile(&grant, &credential()).unwrap_err();
    assert!(
        matches!(&error, RuleError::Path { pattern, .. } if pattern == "/a b"),
        "the error names it: {error}"
    );
}

#[test]
fn a_rate_survives_recompiling_and_is_spent_only_by_what_is_allowed() {
    let mut grant = grant();
    grant.rate = Some(Rate { count: 3, per: RatePer::Hour });
    grant.methods = vec!["GET".into()];
    let now = time("2026-11-21T10:00:00Z");
    let mut rules = GrantRules::compile(&grant, &credential()).unwrap();
    for _ in 0..10 {
        let denied = decide(&rules, AGENT, &facts("POST", "/", now));
        assert!(matches!(denied, Decision::Deny(_)), "POST is not allowed");
    }
    for i in 0..3 {
        assert!(matches!(decide(&rules, AGENT, &facts("GET", "/", now)), Decision::Allow(_)), "request {i}");
        grant.paths = vec![format!("/{i}"), "/".into()];
        rules = GrantRules::compile_after(&grant, &credential(), Some(&rules)).unwrap();
    }
    let Decision::Deny(denial) = decide(&rules, AGENT, &facts("GET", "/", now)) else {
        panic!("recompiling gave more");
    };
    assert_eq!(denial.reason, Reason::RateUsedUp { allowed: "3/hour".into() }, "the rule is named");
    assert!(denial.retry_after_ms.is_some_and(|ms| ms > 0), "says when to come back: {denial:?}");
}

#[test]
fn ten_thousand_at_once_get_exactly_the_rate() {
    let mut grant = grant();
    grant.rate = Some(Rate { count: 100, per: RatePer::Minute });
    let rules = GrantRules::compile(&grant, &credential()).unwrap();
    let start = time("2026-11-21T10:00:59.990Z");
    let allowed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..10)
            .map(|thread| {
                let rules = &rules;
                scope.spawn(move || {
                    (0..1000)
                        .filter(|i| {
                            // Around the stroke of the minute, in no order.
                            let now = Timestamp(start.0 + (i * 7 + thread) % 20);
                            matches!(decide(rules, AGENT, &facts("GET", "/", now)), Decision::Allow(_))
                        })
                        .count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(allowed, 100, "allowed of 10,000");
}

/// The plain meaning of a pattern, by recursion.
fn matches_slowly(pattern: &[u8], path: &[u8]) -> bool {
    match pattern {
        [] => path.is_empty(),
        [b'*', b'*', rest @ ..] => (0..=path.len()).any(|n| matches_slowly(rest, &path[n..])),
        [b'*', rest @ ..] => {
            let within = path.iter().take_while(|b| **b != b'/').count();
            (0..=within).any(|n| matches_slowly(rest, &path[n..]))
        }
        [first, rest @ ..] => path.first() == Some(first) && matches_slowly(rest, &path[1..]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn patterns_mean_what_they_plainly_say(pattern in "/([ab/]|\\*{1,2}[ab/]){0,8}\\*{0,2}", path in "/[ab/]{0,12}") {
        let glob = claviger_policy::Glob::compile(&pattern).unwrap();
        prop_assert_eq!(glob.matches(&path), matches_slowly(pattern.as_bytes(), path.as_bytes()), "{} on {}", pattern, path);
    }

    #[test]
    fn no_pattern_or_path_panics(pattern in ".{0,80}", path in ".{0,200}") {
        if let Ok(glob) = claviger_policy::Glob::compile(&pattern) {
            glob.matches(&path);
        }
    }

    /// Never more than the rate in any stretch of one unit, wherever the clock jumps forward, and never less than fits.
    #[test]
    fn the_rate_holds_in_every_stretch_of_one_unit(
        count in 1u32..8,
        steps in proptest::collection::vec(0i64..700, 1..120),
    ) {
        let mut grant = grant();
        grant.rate = Some(Rate { count, per: RatePer::Second });
        let rules = GrantRules::compile(&grant, &credential()).unwrap();
        let mut now = 1_795_000_000_000;
        let mut allowed: Vec<i64> = Vec::new();
        for step in steps {
            now += step;
            let recent = |span: i64| allowed.iter().filter(|at| now - **at < span).count();
            match decide(&rules, AGENT, &facts("GET", "/", Timestamp(now))) {
                Decision::Allow(_) => {
                    prop_assert!(recent(1_000) < count as usize, "one too many at {}", now);
                    allowed.push(now);
                }
                Decision::Deny(_) => {
                    // Errs by at most a sixtieth of the unit (and the millisecond of the clock).
                    prop_assert!(recent(1_019) >= count as usize, "one too few at {}", now);
                }
            }
        }
    }

    #[test]
    fn decisions_never_panic_and_are_the_same_twice(
        method in ".{0,30}",
        path in ".{0,100}",
        now in any::<i64>(),
        from in 0u16..1440,
        to in 0u16..=1440,
        offset in -1440i16..=1440,
        frozen in any::<bool>(),
        expires in proptest::option::of(any::<i64>()),
    ) {
        let mut grant = grant();
        grant.methods = vec!["GET".into()];
        grant.paths = vec!["/a/*/b/**".into()];
        grant.hours = Some(Hours { from_minute: from, to_minute: to, utc_offset_minutes: offset });
        grant.expires_at = expires.map(Timestamp);
        let mut credential = credential();
        if frozen {
            credential.state = CredentialState::Frozen;
        }
        if let Ok(rules) = GrantRules::compile(&grant, &credential) {
            let facts = facts(&method, &path, Timestamp(now));
            prop_assert_eq!(decide(&rules, AGENT, &facts), decide(&rules, AGENT, &facts));
        }
    }

    /// Every rule can only take away: what a grant with more rules allows, the same grant without them allows too.
    #[test]
    fn a_rule_never_allows_what_would_be_denied_without_it(
        method in prop_oneof![Just("GET"), Just("POST"), Just("DELETE"), Just("TRACE")],
        path in "/[ab]{0,2}(/[ab]{0,2}){0,2}",
        minute in 0i64..1440,
        with in proptest::collection::vec(any::<bool>(), 5),
    ) {
        let full: [fn(&mut Grant); 5] = [
            |g| g.methods = vec!["GET".into(), "POST".into()],
            |g| g.paths = vec!["/a/**".into()],
            |g| g.hours = Some(Hours { from_minute: 300, to_minute: 900, utc_offset_minutes: 0 }),
            |g| g.rate = Some(Rate { count: 1, per: RatePer::Day }),
            |g| g.expires_at = Some(Timestamp(1_795_000_000_000 + 43_200_000)),
        ];
        let now = Timestamp(1_795_000_000_000 - 1_795_000_000_000 % 86_400_000 + minute * 60_000);
        let allows = |rules: &dyn Fn(usize) -> bool| {
            let mut grant = grant();
            for (i, rule) in full.iter().enumerate().filter(|(i, _)| rules(*i)) {
                let _ = i;
                rule(&mut grant);
            }
            let rules = GrantRules::compile(&grant, &credential()).unwrap();
            matches!(explain(&rules, AGENT, &facts(method, &path, now)), Decision::Allow(()))
        };
        if allows(&|_| true) {
            prop_assert!(allows(&|i| with[i]), "fewer rules deny what all together allow");
        }
    }
}
