//! The data as a whole: every file parses, names are unique, keys are told apart, wiring lands where it should.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashSet;

use claviger_model::{AuthScheme, Protocol, UsageShape};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::*;

/// Repeatable numbers.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % sides.max(1)
    }
}

/// A text that a pattern matches.
fn sample(hir: &Hir, dice: &mut Dice, out: &mut String) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.push_str(std::str::from_utf8(&literal.0).unwrap()),
        HirKind::Class(Class::Unicode(class)) => {
            let ranges = class.ranges();
            let range = &ranges[dice.roll(ranges.len() as u64) as usize];
            let (low, high) = (u32::from(range.start()), u32::from(range.end()));
            out.push(char::from_u32(low + dice.roll(u64::from(high - low + 1)) as u32).unwrap());
        }
        HirKind::Class(Class::Bytes(class)) => {
            let range = class.ranges()[0];
            out.push(char::from(range.start()));
        }
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(repetition.min + 8);
            let times = repetition.min + dice.roll(u64::from(most - repetition.min + 1)) as u32;
            (0..times).for_each(|_| sample(&repetition.sub, dice, out));
        }
        HirKind::Capture(capture) => sample(&capture.sub, dice, out),
        HirKind::Concat(parts) => parts.iter().for_each(|part| sample(part, dice, out)),
        HirKind::Alternation(ways) => sample(&ways[dice.roll(ways.len() as u64) as usize], dice, out),
    }
}

fn samples(pattern: &str, count: usize) -> Vec<String> {
    let hir = regex_syntax::Parser::new().parse(pattern).unwrap();
    let mut dice = Dice(0x1234_5678_9ABC_DEF1);
    (0..count)
        .map(|_| {
            let mut text = String::new();
            sample(&hir, &mut dice, &mut text);
            text
        })
        .collect()
}

#[test]
fn every_file_parses_and_is_listed() {
    for (name, text) in files::FILES {
        let entry = Entry::parse(text).unwrap_or_else(|error| panic!("services/{name}.toml: {error}"));
        assert_eq!(entry.service.name, *name, "services/{name}.toml is named after its service");
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("services");
    let mut there: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .map(|file| file.strip_suffix(".toml").expect("only TOML files").to_owned())
        .collect();
    there.sort();
    let listed: Vec<&str> = files::FILES.iter().map(|(name, _)| *name).collect();
    assert_eq!(there, listed, "the list and the folder differ");
    assert_eq!(services().len(), listed.len(), "every file is a service");
}

#[test]
fn names_and_ids_are_unique_and_stay() {
    let names: HashSet<_> = services().iter().map(|entry| &entry.service.name).collect();
    let ids: HashSet<_> = services().iter().map(|entry| entry.service.id).collect();
    assert_eq!(
        (names.len(), ids.len()),
        (services().len(), services().len()),
        "two services share a name or an id"
    );
    // Vaults hold these ids.
    let id = service("openai").unwrap().service.id;
    assert_eq!(id.to_string(), "svc_mzg4tionskzny7qp3lou4f23g4", "the id of a service has changed");
    for entry in services() {
        let service = &entry.service;
        let is_word = service.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        assert!(is_word, "{} is no short lower-case word", service.name);
        assert!(
            service.built_in && !service.allow_private && service.ca_pem.is_none(),
            "{}: plain",
            service.name
        );
    }
}

#[test]
fn the_services_that_must_be_there_are() {
    let wanted = [
        "openai",
        "anthropic",
        "gemini",
        "mistral",
        "groq",
        "openrouter",
        "deepseek",
        "xai",
        "cohere",
        "together",
        "fireworks",
        "perplexity",
        "huggingface",
        "github",
        "gitlab",
        "stripe",
        "slack",
        "notion",
        "linear",
        "sendgrid",
        "cloudflare",
    ];
    for name in wanted {
        assert!(service(name).is_some(), "{name} is missing");
    }
    let of = |name: &str| &service(name).unwrap().service;
    assert_eq!(of("anthropic").auth, AuthScheme::Header("x-api-key".into()), "Anthropic's header");
    assert_eq!(of("gemini").auth, AuthScheme::Header("x-goog-api-key".into()), "Gemini's header");
    assert_eq!(of("linear").auth, AuthScheme::Header("authorization".into()), "Linear's keys stand bare");
    assert_eq!(of("twilio").auth, AuthScheme::Basic, "Twilio takes user and password");
    assert!(of("gitlab").encoded_slash, "GitLab's project ids");
    let shapes = [
        ("openai", UsageShape::OpenAi),
        ("anthropic", UsageShape::Anthropic),
        ("gemini", UsageShape::Gemini),
    ];
    for (name, shape) in shapes {
        assert_eq!(of(name).usage, Some(shape), "{name}'s usage");
    }
}

#[test]
fn addresses_are_whole_and_encrypted() {
    for entry in services() {
        let name = &entry.service.name;
        for (what, url) in [("base URL", &entry.service.base_url), ("console", &entry.console_url)] {
            let rest =
                url.strip_prefix("https://").unwrap_or_else(|| panic!("{name}: {what} {url} is not https"));
            let host = rest.split('/').next().unwrap();
            let is_host = host.contains('.')
                && host.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'.' | b'-' | b'0'..=b'9'));
            assert!(is_host, "{name}: {what} has the host {host}");
            assert!(!url.contains(['{', '}', ' ', '$']), "{name}: {what} has a gap");
        }
        assert!(!entry.service.base_url.ends_with('/'), "{name}: the base URL ends in a slash");
        if let Some(verify) = &entry.verify {
            assert!(verify.path.starts_with('/'), "{name}: the path of the check");
            assert!(!verify.path.contains(['{', ' ']), "{name}: the path of the check has a gap");
            assert!(
                ["GET", "POST"].contains(&verify.method.as_str()) && !verify.ok.is_empty(),
                "{name}: the check"
            );
        }
    }
}

#[test]
fn an_mcp_server_is_said_to_be_one() {
    for entry in services() {
        let is_named = entry.service.name.ends_with("mcp");
        assert_eq!(entry.service.protocol == Protocol::Mcp, is_named, "{}", entry.service.name);
        assert!(!is_named || entry.service.usage.is_none(), "{}: no model answers", entry.service.name);
        // Its key, where one is taken, is the service's own; two would be confused.
        assert!(!is_named || entry.keys.is_empty(), "{}: keys are told apart once", entry.service.name);
    }
}

/// The path that a client asks for when it is pointed at the base URL, and where that lands at the service.
#[test]
fn wiring_lands_where_the_provider_listens() {
    // Variable, what the client adds to it, the address that must come out.
    let cases = [
        ("openai", "OPENAI_BASE_URL", "/chat/completions", "https://api.openai.com/v1/chat/completions"),
        ("openai", "OPENAI_BASE_URL", "/responses", "https://api.openai.com/v1/responses"),
        ("anthropic", "ANTHROPIC_BASE_URL", "/v1/messages", "https://api.anthropic.com/v1/messages"),
        (
            "gemini",
            "GOOGLE_GEMINI_BASE_URL",
            "/v1beta/models/m:generateContent",
            "https://generativelanguage.googleapis.com/v1beta/models/m:generateContent",
        ),
        (
            "groq",
            "GROQ_BASE_URL",
            "/openai/v1/chat/completions",
            "https://api.groq.com/openai/v1/chat/completions",
        ),
        ("cohere", "CO_API_URL", "/v2/chat", "https://api.cohere.com/v2/chat"),
        ("huggingface", "HF_ENDPOINT", "/api/whoami-v2", "https://huggingface.co/api/whoami-v2"),
        ("ollama", "OLLAMA_HOST", "/api/chat", "https://ollama.com/api/chat"),
    ];
    for (name, variable, added, address) in cases {
        let entry = service(name).unwrap();
        let value = &entry.wiring.iter().find(|env| env.name == variable).expect(variable).value;
        // The grant's base URL stands for the service's.
        assert_eq!(value.replace("${BASE}", &entry.service.base_url) + added, address, "{variable}");
    }
}

#[test]
fn no_token_is_wired_without_a_base_url() {
    let mut taken = HashSet::new();
    for entry in services() {
        let name = &entry.service.name;
        let has = |part: &str| entry.wiring.iter().any(|env| env.value.contains(part));
        assert_eq!(
            has("${BASE}"),
            has("${TOKEN}"),
            "{name}: a token alone would be sent to the service itself"
        );
        for env in &entry.wiring {
            let rest = env.value.replace("${BASE}", "").replace("${TOKEN}", "");
            assert!(!rest.contains('$'), "{name}: {} has an unknown gap", env.name);
            assert!(taken.insert(&env.name), "{name}: {} is another service's too", env.name);
        }
        assert!(
            !entry.wiring.is_empty() || !entry.by_hand.contains("${TOKEN}"),
            "{name}: no token in advice"
        );
    }
}

#[test]
fn every_key_is_taken_for_what_it_is() {
    for entry in services() {
        for shape in &entry.keys {
            for key in samples(&shape.pattern, 200) {
                let found = recognise(&key);
                if shape.needs_name {
                    let line = format!("{}={key}", entry.variables[0]);
                    assert_eq!(recognise(&line).unwrap().service, entry.service.name, "{line}");
                    // By itself it is nobody's, or somebody's whose looks say more.
                    assert!(
                        found.is_none_or(|found| found.service != entry.service.name),
                        "{key} needs its name"
                    );
                } else {
                    let found =
                        found.unwrap_or_else(|| panic!("{key} of {} is not recognised", entry.service.name));
                    assert_eq!(found.service, entry.service.name, "{key} is {}'s", entry.service.name);
                }
            }
        }
    }
}

#[test]
fn prefixes_are_nobody_elses() {
    let all: Vec<_> = services()
        .iter()
        .flat_map(|entry| {
            entry.keys.iter().flat_map(move |shape| shape.prefixes.iter().map(move |p| (entry, p)))
        })
        .collect();
    for (entry, prefix) in &all {
        assert!(prefix.len() >= 3, "{}: {prefix:?} is too short to say anything", entry.service.name);
        for (other, longer) in &all {
            let is_other = other.service.id != entry.service.id;
            assert!(
                !is_other || !longer.starts_with(prefix.as_str()),
                "{prefix} of {} and {longer} of {}",
                entry.service.name,
                other.service.name
            );
        }
        let key = format!("{prefix}0123456789abcdefghijklm");
        assert_eq!(recognise(&key).map(|found| found.service), Some(entry.service.name.as_str()), "{key}");
    }
}

#[test]
fn what_says_nothing_is_nobodys() {
    for text in [
        "",
        "sk-",
        "sk-0123456789abcdef0123456789abcdef",
        "hunter2hunter2",
        "0123456789abcdef0123456789abcdef",
        "ghp_short",
        "two words gsk_0123456789abcdef",
        "gsk_0123456789\nabcdef0123",
        "-----BEGIN PRIVATE KEY-----",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln",
    ] {
        assert_eq!(recognise(text), None, "{text:?} was taken for somebody's");
    }
    let named = recognise("GROQ_API_KEY=a-new-kind-of-key-0001").unwrap();
    assert_eq!((named.service, named.label), ("groq", "key"), "the name says enough");
    let looks = recognise("GROQ_API_KEY=sk-ant-api03-0123456789abcdef").unwrap();
    assert_eq!(looks.service, "anthropic", "looks that are beyond doubt say more than a name");
    let deepseek = recognise("DEEPSEEK_API_KEY=sk-0123456789abcdef0123456789abcdef").unwrap();
    assert_eq!(deepseek.service, "deepseek", "a name settles what looks leave open");
}

#[test]
fn hostile_pastes_are_answered_quickly() {
    let start = std::time::Instant::now();
    for text in
        ["sk-".repeat(400_000), "=".repeat(1_000_000), "\"".repeat(1_000_000), "xoxb-1".repeat(200_000)]
    {
        let _ = recognise(&text);
    }
    assert!(start.elapsed().as_secs() < 20, "a long paste took {:?}", start.elapsed());
}

#[test]
fn every_way_of_signing_in_is_complete_and_asks_for_little() {
    let with_oauth: Vec<_> =
        services().iter().filter_map(|e| e.oauth.as_ref().map(|oauth| (&e.service.name, oauth))).collect();
    assert!(with_oauth.len() >= 5, "only {} services can be signed in to", with_oauth.len());
    for (name, oauth) in with_oauth {
        let urls = oauth.endpoints.iter().flat_map(|e| {
            [Some(&e.token), e.authorize.as_ref(), e.device.as_ref(), e.revoke.as_ref()].into_iter().flatten()
        });
        for url in urls.chain([&oauth.issuer]).chain(&oauth.app_url) {
            assert!(url.starts_with("https://") && !url.contains(['?', '#', ' ']), "{name}: {url}");
        }
        assert!(!oauth.flows.is_empty(), "{name} has a flow");
        if let Some(endpoints) = &oauth.endpoints {
            for (way, door) in [(Way::Code, &endpoints.authorize), (Way::Device, &endpoints.device)] {
                assert_eq!(
                    oauth.flows.contains(&way),
                    door.is_some(),
                    "{name}: {way:?} and its door go together"
                );
            }
        }
        let mut seen = HashSet::new();
        for scope in &oauth.scopes {
            assert!(seen.insert(&scope.name), "{name}: {} stands there twice", scope.name);
            assert!(scope.words.len() > 10 && !scope.words.ends_with('.'), "{name}: {:?}", scope.words);
            let is_only_one = oauth.scopes.len() == 1;
            assert!(
                !scope.preselected || scope.risk != Risk::Dangerous || is_only_one,
                "{name}: {} is dangerous and preselected",
                scope.name
            );
        }
    }
}

#[test]
fn a_scope_of_which_only_the_name_is_known_is_never_taken_for_less_than_it_may_be() {
    for (name, risk) in [
        ("api:read", Risk::Read),
        ("files.readonly", Risk::Read),
        ("openid", Risk::Read),
        ("offline_access", Risk::Read),
        ("api:write", Risk::Write),
        ("read_write", Risk::Write),
        ("https://www.example.com/auth/drive", Risk::Write),
        ("whatever", Risk::Write),
        ("readings", Risk::Write),
        ("admin:org", Risk::Dangerous),
        ("repo:delete", Risk::Dangerous),
        ("read.all", Risk::Dangerous),
        ("*", Risk::Dangerous),
    ] {
        assert_eq!(Scope::guess(name).risk, risk, "{name}");
    }
}
