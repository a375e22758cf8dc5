//! The providers' own clients in Python and Node, with only base URL and key changed: chat, streaming, responses,
//! embeddings, a 20 MB upload, messages. Every call succeeds, the upstream sees the real key exactly once and the
//! agent's token never, and `usage` shows the exact token counts.

use claviger_testkit::clients::Client;
use claviger_testkit::{FakeProvider, Home, eventually};
use serde_json::Value;

use super::BIN;

const OPENAI_KEY: &str = "sk-proj-real-5Tn8Qw2Zx7Lc4Vb9";
const ANTHROPIC_KEY: &str = "sk-ant-api03-real-9Mk3Hj6Gf1Ds8";

#[test]
fn python_clients_work_through_the_proxy() {
    journey(Client::Python);
}

#[test]
fn node_clients_work_through_the_proxy() {
    journey(Client::Node);
}

#[test]
fn python_clients_work_through_the_proxy_to_a_tls_upstream() {
    let (openai, anthropic) = (FakeProvider::tls(), FakeProvider::tls());
    through(Client::Python, &openai, &anthropic);
    assert!(
        openai.requests().iter().all(|r| r.version == "HTTP/2.0"),
        "over TLS the upstream is spoken to in HTTP/2"
    );
}

fn journey(client: Client) {
    through(client, &FakeProvider::plain(), &FakeProvider::plain());
}

fn through(client: Client, openai: &FakeProvider, anthropic: &FakeProvider) {
    openai.accept_only(&[OPENAI_KEY]);
    anthropic.accept_only(&[ANTHROPIC_KEY]);
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    // Each service as its provider has it: OpenAI's base URL ends in /v1, Anthropic's does not.
    add_service(&home, "fake-openai", &format!("{}/v1", openai.url()), "bearer", "open-ai", openai);
    add_service(&home, "fake-anthropic", &anthropic.url(), "header:x-api-key", "anthropic", anthropic);
    home.json(&["credential", "add", "openai-key", "--service", "fake-openai", "--secret-stdin"], OPENAI_KEY);
    home.json(
        &["credential", "add", "anthropic-key", "--service", "fake-anthropic", "--secret-stdin"],
        ANTHROPIC_KEY,
    );
    let token = home.json(&["agent", "add", "program"], "")["token"].as_str().unwrap().to_owned();
    let base = |credential: &str| {
        let grant = home.json(&["grant", "add", "program", credential], "");
        grant["base_url"].as_str().unwrap().to_owned()
    };
    let calls = client.journey(&[
        ("OPENAI_BASE_URL", &base("openai-key")),
        ("OPENAI_API_KEY", &token),
        ("ANTHROPIC_BASE_URL", &base("anthropic-key")),
        ("ANTHROPIC_API_KEY", &token),
    ]);

    openai.assert_key_once_and_never(OPENAI_KEY, &[&token, ANTHROPIC_KEY]);
    anthropic.assert_key_once_and_never(ANTHROPIC_KEY, &[&token, OPENAI_KEY]);
    assert_eq!(
        openai.requests().len() + anthropic.requests().len(),
        calls.len(),
        "one request a call, no retries"
    );
    let upload = calls.iter().find(|call| call["call"] == "upload").expect("the upload is made");
    let seen = openai.requests().into_iter().find(|r| r.target.ends_with("/files")).expect("and arrives");
    assert!(seen.body.len() as u64 > upload["size"].as_u64().unwrap(), "whole: {} bytes", seen.body.len());
    assert!(seen.body.len() >= 20 << 20, "20 MB and the form around them");

    let told = |field: &str| calls.iter().map(|call| call[field].as_u64().unwrap()).sum::<u64>();
    let billed = (
        openai.billed().input + anthropic.billed().input,
        openai.billed().output + anthropic.billed().output,
        openai.billed().cached + anthropic.billed().cached,
    );
    assert_eq!(
        (told("in"), told("out"), told("cached")),
        billed,
        "what the clients were told is what was billed"
    );
    let used = eventually("usage has caught up with the last completion", || {
        let used = super::usage(&home);
        let counted = ["tokens_in", "tokens_out", "tokens_cached"].map(|f| used[f].as_u64().unwrap_or(0));
        (counted == [billed.0, billed.1, billed.2]).then_some(used)
    });
    assert_eq!(used["requests"], calls.len() as u64, "{used}");
    assert_eq!((&used["errors"], &used["denied"]), (&Value::from(0), &Value::from(0)), "{used}");
    by_model(&home, &calls);
    let by_credential = home.json(&["usage", "--by", "credential"], "");
    let row =
        by_credential.as_array().unwrap().iter().find(|r| r["key"] == "anthropic-key").expect("its own row");
    assert_eq!(row["tokens_in"], anthropic.billed().input, "{by_credential}");
    assert_eq!(home.json(&["audit", "verify"], "")["ok"], true, "the record is whole");
}

fn add_service(home: &Home, name: &str, base_url: &str, auth: &str, usage: &str, provider: &FakeProvider) {
    let ca = home.root().join(format!("{name}.pem"));
    let ca_path = ca.to_str().unwrap();
    let mut args = vec![
        "service",
        "add",
        name,
        "--base-url",
        base_url,
        "--auth",
        auth,
        "--usage",
        usage,
        "--allow-private",
    ];
    if let Some(pem) = provider.ca_pem() {
        std::fs::write(&ca, pem).unwrap();
        args.extend(["--ca", ca_path]);
    }
    home.json(&args, "");
}

/// Every model's row has the sum of the calls that named it.
fn by_model(home: &Home, calls: &[Value]) {
    let rows = home.json(&["usage", "--by", "model"], "");
    for model in ["gpt-test", "embed-test", "claude-test"] {
        let told: u64 = calls.iter().filter(|c| c["model"] == model).map(|c| c["in"].as_u64().unwrap()).sum();
        let row = rows.as_array().unwrap().iter().find(|row| row["key"] == model);
        assert_eq!(row.map(|row| row["tokens_in"].clone()), Some(Value::from(told)), "{model} in {rows}");
    }
}
