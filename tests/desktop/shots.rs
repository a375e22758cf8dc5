//! Every screen of the real window, light and dark: it draws, it fits, nothing is still loading. With
//! `CLAVIGER_SHOTS=1` the pictures are written to `docs/screenshots`, and `CLAVIGER_SHOTS_MINUTES=10` gives the curves
//! ten minutes of traffic to show.

use crate::app::App;
use claviger_testkit::desktop::wait_for;
use claviger_testkit::{FakeProvider, send_raw};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PASSWORD: &str = "plain oak river lantern";

/// A picture's name, and the page's address for it.
const SCREENS: [(&str, &str); 10] = [
    ("overview", "#/overview"),
    ("credentials", "#/credentials"),
    ("credential", "#/credentials/openai-team"),
    ("agents", "#/agents"),
    ("agent-connect", "#/agents/claude-code?tab=connect"),
    ("activity", "#/activity"),
    ("activity-detail", "#/activity/LAST"),
    ("services", "#/services"),
    ("settings", "#/settings"),
    ("about", "#/about"),
];

/// What one agent sends in a round, and how often.
const TRAFFIC: [(&str, &str, &str, usize); 6] = [
    ("nightly-report", "crm", "/contacts", 3),
    ("nightly-report", "openai-team", "/responses", 6),
    ("research-bot", "openai-team", "/chat/completions", 11),
    ("research-bot", "openai-team", "/status/500", 2),
    ("claude-code", "openai-team", "/embeddings", 9),
    ("claude-code", "anthropic-team", "/v1/messages", 14),
];

/// Between two rounds of traffic.
const ROUND: Duration = Duration::from_secs(15);

#[test]
fn every_screen_draws_and_fits_in_light_and_dark() {
    let upstream = FakeProvider::plain();
    let app = App::start();
    app.see("create-password");
    shoot_both(&app, "first-run");
    fill_vault(&app, &upstream);
    let last = send_traffic(&app);
    for light in ["light", "dark"] {
        set_light(&app, light);
        for (name, address) in SCREENS {
            let address = address.replace("LAST", &last);
            app.js("location.hash = arguments[0]", vec![json!(address)]);
            shoot(&app, name, light);
        }
    }
    app.call("mutate", "vault.lock", json!({})).expect("it cannot be locked");
    app.see("unlock-password");
    shoot_both(&app, "unlock");
}

fn shoot_both(app: &App, name: &str) {
    for light in ["light", "dark"] {
        set_light(app, light);
        shoot(app, name, light);
    }
}

/// Takes a picture of what is there, in both lights.
pub(crate) fn shoot_here(app: &App, name: &str) {
    for light in ["light", "dark"] {
        app.js("document.documentElement.dataset.theme = arguments[0]", vec![json!(light)]);
        shoot(app, name, light);
    }
}

fn shoot(app: &App, name: &str, light: &str) {
    wait_for(&format!("{name} to be drawn"), || {
        let is_drawn = app.js_async(
            "const done = arguments[arguments.length - 1];
             document.fonts.ready.then(() => requestAnimationFrame(() => requestAnimationFrame(() => done(
               document.querySelector('.skeleton, [aria-busy=true]') === null
                 && document.body.innerText.trim().length > 20
                 && document.getAnimations().every((one) => one.playState !== 'running' || one.effect.getTiming().iterations === Infinity)
             ))));",
            vec![],
        );
        (is_drawn == true).then_some(())
    });
    let too_wide = app.js(
        "return [...document.querySelectorAll('*')]
           .filter((one) => one.scrollWidth > one.clientWidth + 1 && one.closest('pre, code') === null)
           .filter((one) => one === document.documentElement || /auto|scroll/.test(getComputedStyle(one).overflowX))
           .map((one) => `${one.localName}.${one.className}: ${one.scrollWidth} in ${one.clientWidth}`)",
        vec![],
    );
    assert_eq!(too_wide, json!([]), "something in {name} is wider than its place");
    let picture = app.screenshot();
    assert!(picture.len() > 8_000, "{name} in {light} is next to empty: {} bytes", picture.len());
    if let Some(folder) = folder() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}-{light}.png")), picture).unwrap();
    }
}

/// One round of traffic, unless the pictures are to show more.
fn rounds() -> usize {
    let minutes =
        std::env::var("CLAVIGER_SHOTS_MINUTES").ok().and_then(|minutes| minutes.parse::<usize>().ok());
    minutes.map_or(1, |minutes| minutes * 4)
}

/// Where the pictures go, if they are wanted.
fn folder() -> Option<PathBuf> {
    let wanted = std::env::var("CLAVIGER_SHOTS").ok().filter(|wanted| !wanted.is_empty() && wanted != "0")?;
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/screenshots");
    Some(if wanted == "1" { docs } else { PathBuf::from(wanted) })
}

fn set_light(app: &App, light: &str) {
    app.js(
        "localStorage.setItem('claviger.theme', arguments[0]);
         localStorage.setItem('claviger.range', '1h');
         location.reload();",
        vec![json!(light)],
    );
    wait_for("the page to come back", || {
        let theme = app.js("return document.documentElement.dataset.theme ?? ''", vec![]);
        let is_there = app.js("return document.body.innerText.trim().length > 20", vec![]);
        (theme == light && is_there == true).then_some(())
    });
}

fn fill_vault(app: &App, upstream: &FakeProvider) {
    app.call("mutate", "vault.create", json!({ "password": PASSWORD })).expect("no vault was made");
    let url = upstream.url();
    let change = |name: &str, params: Value| {
        app.call("mutate", name, params).unwrap_or_else(|error| panic!("{name} failed: {error}"))
    };
    for (name, base, auth, usage) in [
        ("openai-gateway", format!("{url}/v1"), "bearer", json!("open-ai")),
        ("anthropic-gateway", url.clone(), "header:x-api-key", json!("anthropic")),
        ("crm", url.clone(), "bearer", Value::Null),
    ] {
        change(
            "service.add",
            json!({ "name": name, "base_url": base, "auth": auth, "allow_private": true, "usage": usage }),
        );
    }
    for (name, service) in [
        ("openai-team", "openai-gateway"),
        ("anthropic-team", "anthropic-gateway"),
        ("crm", "crm"),
        ("github-ci", "github"),
    ] {
        let secret = format!("example-{name}-0123456789abcdef0123456789");
        change("credential.add", json!({ "name": name, "service": service, "secret": secret }));
    }
    change("credential.freeze", json!({ "name": "github-ci" }));
}

/// Agents, their grants and their requests; the number of the last entry.
fn send_traffic(app: &App) -> String {
    let mut tokens = std::collections::BTreeMap::new();
    let mut grants = std::collections::BTreeMap::new();
    let mut routes: Vec<(SocketAddr, String, String, usize)> = Vec::new();
    for (agent, credential, path, times) in TRAFFIC {
        let token = tokens.entry(agent).or_insert_with(|| {
            let made = app.call("mutate", "agent.add", json!({ "name": agent })).expect("no agent was made");
            made["token"].as_str().unwrap_or_default().to_owned()
        });
        let base = grants.entry((agent, credential)).or_insert_with(|| {
            // The report may only read from the CRM, and tries to write.
            let methods = if credential == "crm" { json!(["GET"]) } else { json!([]) };
            let grant = json!({ "agent": agent, "credential": credential, "methods": methods });
            let made = app.call("mutate", "grant.add", grant).expect("no grant was made");
            made["base_url"].as_str().unwrap_or_default().to_owned()
        });
        let (host, root) = base.trim_start_matches("http://").split_once('/').expect("a base URL has a path");
        routes.push((host.parse().expect("an address"), format!("/{root}{path}"), token.clone(), times));
    }
    let rounds = rounds();
    for round in 0..rounds {
        for (nth, (proxy, path, token, times)) in routes.iter().enumerate() {
            // Not all of them all the time: the curves rise and fall.
            let share = if rounds == 1 { 6 } else { 1 + (round * (nth + 2) / 3) % 6 };
            for _ in 0..times * share / 6 {
                send(*proxy, path, token);
            }
        }
        if round + 1 < rounds {
            std::thread::sleep(ROUND);
        }
    }
    let sent = if rounds == 1 { TRAFFIC.iter().map(|(_, _, _, times)| times).sum() } else { 20_usize };
    let entries = wait_for("the record of every request", || {
        let page = app.call("query", "audit.list", json!({ "limit": 200 })).ok()?;
        let entries = page["entries"].as_array()?.clone();
        let requests = entries.iter().filter(|entry| entry["result"] != "act").count();
        (requests >= sent).then_some(entries)
    });
    entries
        .iter()
        .find(|entry| entry["result"] == "done")
        .map_or_else(String::new, |entry| entry["seq"].to_string())
}

fn send(proxy: SocketAddr, path: &str, token: &str) {
    let model = if path.ends_with("/messages") { "claude-sonnet-4-5" } else { "gpt-5-mini" };
    let body = json!({ "model": model, "max_tokens": 64, "input": "hello",
                       "messages": [{ "role": "user", "content": "hello" }] })
    .to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {proxy}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let reply = send_raw(proxy, format!("{head}{body}").as_bytes());
    assert_ne!(reply.status, 0, "the proxy gave no answer to {path}");
}
