//! The bounds of asking and the limits of allowing, as pure decisions over a book.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use claviger_model::{
    Agent, Credential, CredentialId, Duration, Kind, Protocol, Service, ServiceId, UsageShape,
};

use super::*;

const NOW: Timestamp = Timestamp(1_795_255_200_000);
const AGENT: AgentId = AgentId::from_bytes([1; 16]);
const SERVICE: ServiceId = ServiceId::from_bytes([2; 16]);

fn credential(name: &str, id: u8) -> Credential {
    Credential {
        id: CredentialId::from_bytes([id; 16]),
        name: name.into(),
        service: SERVICE,
        kind: Kind::ApiKey,
        fingerprint: String::new(),
        version: 1,
        state: CredentialState::Active,
        created_at: NOW,
        rotated_at: None,
        expires_at: None,
    }
}

fn book(credentials: &[&str]) -> Book {
    let agent = Agent {
        id: AGENT,
        name: "coder".into(),
        created_at: NOW,
        token: None,
        run_tokens: Vec::new(),
        paused: false,
    };
    let service = Service {
        id: SERVICE,
        name: "hub".into(),
        title: "Hub".into(),
        base_url: "https://hub.example".into(),
        auth: claviger_model::AuthScheme::Bearer,
        allow_private: false,
        ca_pem: None,
        encoded_slash: false,
        usage: None::<UsageShape>,
        built_in: false,
        protocol: Protocol::Http,
    };
    let credentials = credentials.iter().zip(10..).map(|(name, id)| credential(name, id)).collect();
    Book { agents: vec![agent], credentials, services: vec![service], ..Book::default() }
}

fn list(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

fn asks(methods: &[&str], paths: &[&str]) -> Proposal {
    Proposal {
        id: ProposalId::from_bytes(claviger_crypto::random_id()),
        agent: AGENT,
        service: SERVICE,
        why: "to test".into(),
        methods: list(methods),
        paths: list(paths),
        created_at: NOW,
        state: ProposalState::Open,
    }
}

#[test]
fn what_an_agent_says_cannot_act() {
    for hostile in ["\u{1b}[2J", "\u{202e}gpj", "a\u{200b}b", "\u{2066}x", "a\0b", "\u{e0041}", "x\r\ny\tz"] {
        let said = plain(hostile);
        assert!(said.chars().all(|c| c == ' ' || !c.is_control()), "{hostile:?} became {said:?}");
        assert!(!said.contains(['\u{202e}', '\u{200b}', '\u{2066}', '\u{e0041}']), "{hostile:?}: {said:?}");
    }
    assert_eq!(plain("  to \n read   größe "), "to read größe", "one line, letters stay");
}

#[test]
fn a_question_is_short_and_one_that_a_grant_could_answer() {
    let ask = |why: &str, methods: &[&str], paths: &[&str]| {
        cleaned(&NewProposal {
            service: "hub".into(),
            why: why.into(),
            methods: list(methods),
            paths: list(paths),
        })
    };
    let (why, methods, paths) = ask(" why ", &["post", "GET", "get"], &["/b", "/a", "/b"]).unwrap();
    assert_eq!(
        (why.as_str(), methods, paths),
        ("why", list(&["GET", "POST"]), list(&["/a", "/b"])),
        "tidied"
    );
    let long = "x".repeat(MAX_WHY + 1);
    let (many, long_path) = (vec!["/a"; MAX_PATHS + 1], format!("/{}", "a".repeat(MAX_PATH)));
    for (what, refused) in [
        ("no reason", ask(" \u{200b}\n", &[], &[])),
        ("a long reason", ask(&long, &[], &[])),
        ("CONNECT", ask("why", &["CONNECT"], &[])),
        ("a header", ask("why", &["GET\r\nx"], &[])),
        ("many methods", ask("why", &["GET"; MAX_METHODS + 1], &[])),
        ("a relative path", ask("why", &[], &["a"])),
        ("a way out", ask("why", &[], &["/a/../b"])),
        ("many paths", ask("why", &[], &many)),
        ("a long path", ask("why", &[], &[&long_path])),
    ] {
        assert!(refused.is_err(), "{what} was accepted");
    }
}

#[test]
fn an_agent_cannot_wear_its_owner_down() {
    let mut book = book(&["key"]);
    for n in 0..MAX_OPEN {
        let new = asks(&[], &[&format!("/{n}")]);
        within_bounds(&book, &new, NOW).unwrap_or_else(|why| panic!("question {n}: {why}"));
        book.proposals.push(new);
    }
    let more = asks(&[], &["/more"]);
    assert!(matches!(within_bounds(&book, &more, NOW), Err(EngineError::Refused(_))), "one too many is open");
    let other = Proposal { agent: AgentId::from_bytes([9; 16]), ..more.clone() };
    assert!(within_bounds(&book, &other, NOW).is_ok(), "another agent has bounds of its own");

    for old in &mut book.proposals {
        old.state = ProposalState::Denied { at: NOW };
    }
    let again = asks(&[], &["/0"]);
    assert!(within_bounds(&book, &again, NOW.after(Duration(60_000))).is_err(), "asked again after a no");
    assert!(within_bounds(&book, &again, NOW.after(Duration(DAY_MS))).is_ok(), "a day later");
    while book.proposals.len() < MAX_A_DAY {
        let answered =
            ProposalState::Allowed { grant: claviger_model::GrantId::from_bytes([5; 16]), at: NOW };
        book.proposals.push(Proposal { state: answered, ..asks(&[], &[]) });
    }
    assert!(within_bounds(&book, &more, NOW).is_err(), "the day's questions are used up");
}

#[test]
fn allowing_gives_what_was_asked_or_less_and_never_more() {
    let book = book(&["key"]);
    let proposal = asks(&["GET", "POST"], &["/repos/**", "/user"]);
    let plain = outcome(&book, &proposal, Terms::default(), NOW).unwrap();
    assert_eq!((&plain.methods, &plain.paths), (&proposal.methods, &proposal.paths), "as asked");
    let with = |methods: Option<&[&str]>, paths: Option<&[&str]>| {
        let terms = Terms { methods: methods.map(list), paths: paths.map(list), ..Terms::default() };
        outcome(&book, &proposal, terms, NOW).map(|grant| (grant.methods, grant.paths))
    };
    let narrowed = with(Some(&["get"]), Some(&["/repos/a/**", "/user", "/repos/*/x"])).unwrap();
    assert_eq!(narrowed, (list(&["GET"]), list(&["/repos/a/**", "/user", "/repos/*/x"])), "narrowed");
    for (methods, paths) in [
        (Some(&["DELETE"][..]), None),
        (Some(&[][..]), None),
        (None, Some(&["/**"][..])),
        (None, Some(&["/users"][..])),
        (None, Some(&["/repo*"][..])),
        (None, Some(&[][..])),
    ] {
        assert!(with(methods, paths).is_err(), "{methods:?} {paths:?} is more than was asked");
    }
}

#[test]
fn a_held_grant_is_widened_and_an_ended_one_begins_anew() {
    let mut book = book(&["key"]);
    let credential = book.credentials[0].id;
    let held = Grant {
        methods: list(&["GET"]),
        paths: list(&["/a"]),
        expires_at: Some(NOW.after(Duration(1_000))),
        rate: "5/min".parse().ok(),
        ..fresh_grant(AGENT, credential, NOW)
    };
    book.grants.push(held.clone());
    let proposal = asks(&["POST"], &["/b"]);
    let wide = outcome(&book, &proposal, Terms::default(), NOW).unwrap();
    assert_eq!((wide.id, &wide.base), (held.id, &held.base), "the same grant at the same address");
    assert_eq!((wide.methods, wide.paths), (list(&["GET", "POST"]), list(&["/a", "/b"])), "both");
    assert_eq!((wide.rate, wide.expires_at), (held.rate, held.expires_at), "its limits stay");
    let all = outcome(&book, &asks(&[], &[]), Terms::default(), NOW).unwrap();
    assert_eq!((all.methods.len(), all.paths.len()), (0, 0), "all is all");
    let later = outcome(&book, &proposal, Terms::default(), NOW.after(Duration(2_000))).unwrap();
    assert_eq!(
        (later.methods, later.paths),
        (list(&["POST"]), list(&["/b"])),
        "what ended does not come back"
    );
    assert_eq!(later.expires_at, None, "and has a new life");
}

#[test]
fn the_human_says_which_credential_when_several_fit() {
    let proposal = asks(&[], &[]);
    let pick = |book: &Book, named: Option<&str>| chosen(book, &proposal, named, NOW);
    assert!(pick(&book(&[]), None).is_err(), "none");
    let mut two = book(&["one", "two"]);
    assert!(pick(&two, None).is_err(), "which of two");
    assert_eq!(pick(&two, Some("two")).unwrap(), two.credentials[1].id, "the named one");
    two.credentials[0].state = CredentialState::Frozen;
    assert_eq!(pick(&two, None).unwrap(), two.credentials[1].id, "the only one that can be used");
    two.credentials[0].service = ServiceId::from_bytes([8; 16]);
    assert!(pick(&two, Some("one")).is_err(), "another service's credential is never given");
}

#[test]
fn coverage_is_only_claimed_when_it_is_sure() {
    for (wide, narrow, covered) in [
        ("**", "/a/b", true),
        ("/a/**", "/a/b/*", true),
        ("/a/**", "/a", false),
        ("/a/*", "/a/b", true),
        ("/a/*", "/a/b/c", false),
        ("/a/*", "/a/**", false),
        ("/*/x/**", "/a/x/b", true),
        ("/*/x/**", "/a/x/*", false),
        ("/a", "/a", true),
        ("/a", "/ab", false),
    ] {
        assert_eq!(covers(wide, narrow), covered, "{wide} over {narrow}");
    }
}
