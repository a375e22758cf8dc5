//! From `oauth connect` to a request that carries the token, by every flow.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use claviger_testkit::{Home, eventually};
use serde_json::{Value, json};

use super::provider::SECRET;
use super::{
    Connecting, Provider, SCOPES, Upstream, Walker, add_service, connect, grant, holds_none, status,
};
use crate::journeys::{BIN, entry};

#[test]
fn a_consent_by_browser_ends_in_a_credential_that_agents_use_and_never_see() {
    let (provider, upstream) = (Provider::start(120), Upstream::start());
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    add_service(&home, &upstream);
    let connected = connect(&home, &provider, "conn");
    assert_eq!(connected["credential"], "conn", "{connected}");
    assert_eq!(connected["account"], "alice@example.com", "whose it is: {connected}");
    assert!(connected["scopes"].as_array().unwrap().contains(&"api:read".into()), "{connected}");
    assert!(connected["expires"].is_string() && connected["refreshable"] == true, "{connected}");
    let (token, base) = grant(&home, "conn");
    let reply = base.send("POST", "/v1/things", &token, "{\"a\":1}");
    assert_eq!(reply.status, 200, "{}", reply.text());
    let sent = upstream.last_token();
    assert!(provider.all_tokens().contains(&sent), "the upstream was shown the server's own token");
    assert!(!upstream.heads()[0].contains(&token), "the upstream saw the agent's token");
    holds_none(&reply, &provider.all_tokens());
    let now = status(&home, "conn");
    assert_eq!((now["state"].as_str(), now["flow"].as_str()), (Some("fresh"), Some("code")), "{now}");
    assert_eq!(now["issuer"], provider.issuer.as_str(), "{now}");
    let shown = home.json(&["credential", "show", "conn"], "");
    assert_eq!((shown["kind"].as_str(), shown["state"].as_str()), (Some("oauth"), Some("active")), "{shown}");
    let acts = home.json(&["audit", "list", "--result", "act"], "");
    assert!(acts.to_string().contains("oauth.connect"), "the consent is on record: {acts}");
}

#[test]
fn an_app_that_nobody_registered_registers_itself() {
    let (provider, upstream) = (Provider::start(120), Upstream::start());
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    add_service(&home, &upstream);
    let found = home.json(&["oauth", "discover", "--service", "api", "--issuer", &provider.issuer], "");
    assert_eq!(found["registration"], "automatic", "{found}");
    assert_eq!(found["flows"], serde_json::json!(["code", "device", "client-credentials"]), "{found}");
    assert_eq!(found["supports_revocation"], true, "{found}");
    let args = ["connect", "api", "own", "--issuer", &provider.issuer, "--scope", SCOPES, "--no-browser"];
    let mut connecting = Connecting::start(&home, &args, "");
    let open = connecting.line();
    let flows = home.run(&["--json", "oauth", "status"], "");
    assert_eq!(flows.stdout.trim(), "[]", "nothing is stored before consent");
    Walker::new().consent(open["open"].as_str().unwrap());
    assert_eq!(connecting.line()["credential"], "own", "connected");
    assert_eq!(connecting.end().0, 0, "and done");
    let (token, base) = grant(&home, "own");
    assert_eq!(base.send("GET", "/v1/x", &token, "").status, 200, "it works");
    // The same app is used again, on the same redirect URI.
    let mut again = Connecting::start(&home, &["reconnect", "own", "--no-browser"], "");
    Walker::new().consent(again.line()["open"].as_str().unwrap());
    assert_eq!(again.line()["credential"], "own", "connected again");
    let first = upstream.last_token();
    assert_eq!(base.send("GET", "/v1/x", &token, "").status, 200, "the grant stayed");
    assert_ne!(upstream.last_token(), first, "with a new token");
}

#[test]
fn a_typed_code_connects_as_well() {
    let (provider, upstream) = (Provider::start(120), Upstream::start());
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    add_service(&home, &upstream);
    let args =
        ["connect", "api", "tv", "--issuer", &provider.issuer, "--client-id", "native", "--flow", "device"];
    let mut connecting = Connecting::start(&home, &[&args[..], &["--scope", SCOPES]].concat(), "");
    let prompt = connecting.line();
    assert!(!prompt["user_code"].as_str().unwrap().is_empty(), "the code is shown: {prompt}");
    assert!(
        prompt["verification_uri"].as_str().unwrap().starts_with(&provider.issuer),
        "and where to type it: {prompt}"
    );
    Walker::new().consent(prompt["verification_uri_complete"].as_str().unwrap());
    assert_eq!(connecting.line()["credential"], "tv", "connected");
    assert_eq!(status(&home, "tv")["flow"], "device", "by which flow");
    let (token, base) = grant(&home, "tv");
    assert_eq!(base.send("GET", "/v1/x", &token, "").status, 200, "it works");
    assert!(provider.all_tokens().contains(&upstream.last_token()), "with the server's token");
    // Also as an app that registers itself, which has no redirect URI then.
    let args = ["connect", "api", "tv2", "--issuer", &provider.issuer, "--flow", "device", "--scope", SCOPES];
    let mut connecting = Connecting::start(&home, &args, "");
    Walker::new().consent(connecting.line()["verification_uri_complete"].as_str().unwrap());
    assert_eq!(connecting.line()["credential"], "tv2", "connected");
}

#[test]
fn a_flow_goes_on_when_whoever_began_it_is_gone() {
    let (provider, upstream) = (Provider::start(120), Upstream::start());
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    add_service(&home, &upstream);
    let args =
        ["connect", "api", "left", "--issuer", &provider.issuer, "--client-id", "native", "--no-browser"];
    let mut connecting = Connecting::start(&home, &args, "");
    let open = connecting.line()["open"].clone();
    drop(connecting);
    let flows = || ask(&home, "query", "oauth.flows", &json!({}))["ok"].clone();
    let flow = flows()[0].clone();
    assert_eq!((&flow["step"]["state"], &flow["step"]["url"]), (&"waiting_browser".into(), &open), "{flow}");
    assert_eq!((&flow["name"], &flow["flow"]), (&"left".into(), &"code".into()), "{flow}");
    let early = ask(&home, "mutate", "oauth.dismiss", &json!({"id": flow["id"]}));
    assert_eq!(early["error"]["code"], "conflict", "it is under way: {early}");
    Walker::new().consent(open.as_str().unwrap());
    let done = eventually("it is connected", || {
        let flow = flows()[0].clone();
        (flow["step"]["state"] == "connected").then_some(flow)
    });
    assert_eq!((&done["step"]["credential"], &done["id"]), (&"left".into(), &flow["id"]), "{done}");
    assert_eq!(status(&home, "left")["state"], "fresh", "and stored");
    ask(&home, "mutate", "oauth.dismiss", &json!({"id": flow["id"]}));
    assert_eq!(flows(), json!([]), "dismissed");
    // By the wrong verb, and for a flow that is none.
    assert_eq!(
        ask(&home, "query", "oauth.begin", &json!({}))["error"]["code"],
        "usage",
        "by its own verb alone"
    );
    let none = ask(&home, "query", "oauth.flow", &json!({"id": "flw_none"}));
    assert_eq!(none["error"]["code"], "not_found", "{none}");
}

/// One call of the contract over the control socket, as the window makes it.
fn ask(home: &Home, verb: &str, name: &str, params: &Value) -> Value {
    let mut socket = UnixStream::connect(home.path().join("control.sock")).expect("the engine answers");
    let line = json!({"call": {"verb": verb, "name": name, "params": params}});
    socket.write_all(format!("{line}\n").as_bytes()).unwrap();
    let mut reply = String::new();
    BufReader::new(socket).read_line(&mut reply).unwrap();
    serde_json::from_str(&reply).expect("a line of JSON")
}

#[test]
fn a_service_account_connects_without_anybody() {
    let (provider, upstream) = (Provider::start(120), Upstream::start());
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    add_service(&home, &upstream);
    let args = [
        "oauth",
        "connect",
        "api",
        "robot",
        "--issuer",
        &provider.issuer,
        "--flow",
        "client-credentials",
        "--client-id",
        "svc",
        "--scope",
        "api:read",
    ];
    let without = home.run(&[&["--json"], &args[..]].concat(), "");
    assert_eq!(without.code, 2, "without its secret it cannot begin: {without:?}");
    let wrong = home.run(&[&["--json"], &args[..], &["--client-secret-stdin"]].concat(), "not-the-secret\n");
    assert_eq!(wrong.code, 6, "a wrong secret is refused: {wrong:?}");
    assert!(wrong.error()["message"].as_str().unwrap().contains("invalid_client"), "{wrong:?}");
    let connected = home.json(&[&args[..], &["--client-secret-stdin"]].concat(), &format!("{SECRET}\n"));
    assert_eq!(
        (&connected["credential"], &connected["refreshable"]),
        (&"robot".into(), &true.into()),
        "{connected}"
    );
    let (token, base) = grant(&home, "robot");
    assert_eq!(base.send("GET", "/v1/x", &token, "").status, 200, "it works");
    let first = upstream.last_token();
    home.json(&["oauth", "disconnect", "robot"], "");
    assert!(!provider.is_active(&first), "given back");
}

#[test]
fn without_a_running_engine_the_command_is_the_engine_until_the_flow_is_over() {
    let (provider, upstream) = (Provider::start(120), Upstream::start());
    let home = Home::with_vault(BIN);
    let password = format!("{}\n", home.password);
    home.json(
        &[
            "--password-stdin",
            "service",
            "add",
            "api",
            "--base-url",
            &upstream.url(),
            "--auth",
            "bearer",
            "--allow-private",
        ],
        &password,
    );
    let args = ["connect", "api", "alone", "--issuer", &provider.issuer, "--client-id", "native", "--scope"];
    let args = [&args[..], &[SCOPES, "--no-browser", "--password-stdin"]].concat();
    let mut connecting = Connecting::start(&home, &args, &password);
    Walker::new().consent(connecting.line()["open"].as_str().unwrap());
    assert_eq!(connecting.line()["credential"], "alone", "connected");
    assert_eq!(connecting.end().0, 0, "and done");
    let status = home.json(&["--password-stdin", "oauth", "status", "alone"], &password);
    assert_eq!(status["state"], "fresh", "it is in the vault: {status}");
    home.json(&["--password-stdin", "oauth", "refresh", "alone"], &password);
    let done = home.json(&["--password-stdin", "oauth", "disconnect", "alone"], &password);
    assert_eq!(done["revocation"], "done", "{done}");
}

#[test]
fn a_flow_that_nobody_wants_any_more_leaves_nothing() {
    let (provider, upstream) = (Provider::start(120), Upstream::start());
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    add_service(&home, &upstream);
    let args =
        ["connect", "api", "never", "--issuer", &provider.issuer, "--client-id", "native", "--no-browser"];
    let mut connecting = Connecting::start(&home, &args, "");
    let open = connecting.line()["open"].as_str().unwrap().to_owned();
    let twice = home.run(&[&["--json", "oauth"], &args[..]].concat(), "");
    assert_eq!(twice.code, 5, "one sign-in a name: {twice:?}");
    connecting.interrupt();
    let (code, errors) = connecting.end();
    assert_eq!(code, 6, "cancelled: {errors}");
    assert_eq!(home.json(&["oauth", "status"], ""), serde_json::json!([]), "nothing is stored");
    let redirect = open.split("redirect_uri=http%3A%2F%2F").nth(1).unwrap();
    let port = redirect.split("%3A").nth(1).unwrap().split("%2F").next().unwrap();
    eventually("the listener is closed", || {
        std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_err().then_some(())
    });
    // Locking ends a flow, too, and says so.
    let mut locked = Connecting::start(&home, &args, "");
    locked.line();
    home.json(&["lock"], "");
    let (code, errors) = locked.end();
    assert_eq!(code, 3, "locked: {errors}");
    assert_eq!(provider.times_asked(), 0, "no token was given at any time");
}

#[test]
fn what_goes_wrong_is_said_with_what_to_do() {
    let (provider, upstream) = (Provider::start(120), Upstream::start());
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    add_service(&home, &upstream);
    home.json(&["service", "add", "public", "--base-url", "https://api.example.com", "--auth", "bearer"], "");
    home.json(
        &["service", "add", "query", "--base-url", "https://api.example.com", "--auth", "query:key"],
        "",
    );
    home.json(&["credential", "add", "taken", "--service", "public", "--secret-stdin"], "sk-0123456789");
    let issuer = provider.issuer.as_str();
    let slash = format!("{issuer}/");
    let cases: [(&[&str], i32, &str); 10] = [
        (&["nowhere", "n", "--issuer", issuer], 4, "no service named"),
        (&["api", "taken", "--issuer", issuer], 5, "already exists"),
        (&["api", "bad\nname", "--issuer", issuer], 2, "name"),
        (&["query", "n", "--issuer", issuer], 2, "in the query"),
        (&["public", "n", "--issuer", issuer], 6, "https"),
        (&["api", "n", "--issuer", &slash, "--client-id", "native"], 7, "another issuer"),
        (&["api", "n", "--issuer", "http://127.0.0.1:1"], 7, "reached"),
        (&["api", "n", "--issuer", "javascript:alert(1)"], 6, "URL"),
        (&["api", "n"], 6, "does not say which server"),
        (
            &[
                "api",
                "n",
                "--issuer",
                issuer,
                "--client-id",
                "native",
                "--redirect-uri",
                "http://evil.example/x",
            ],
            7,
            "redirect",
        ),
    ];
    for (args, exit, words) in cases {
        let ran = home.run(&[&["--json", "oauth", "connect", "--no-browser"], args].concat(), "");
        assert_eq!(ran.code, exit, "{args:?}: {ran:?}");
        let error = ran.error();
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains(words), "{args:?}: {error}");
        if exit != 4 && exit != 2 {
            assert!(
                !error["hint"].as_str().unwrap_or_default().is_empty(),
                "{args:?} says what to do: {error}"
            );
        }
    }
    for verb in ["refresh", "disconnect", "reconnect", "status"] {
        let ran = home.run(&["--json", "oauth", verb, "taken"], "");
        assert_eq!(ran.code, 2, "{verb} of an API key: {ran:?}");
    }
    let added = home.run(
        &["--json", "credential", "add", "x", "--service", "api", "--kind", "oauth", "--secret-stdin"],
        "{}",
    );
    assert_eq!(added.code, 2, "a connection is not typed: {added:?}");
    assert_eq!(provider.times_asked(), 0, "nobody was given a token");
}

#[test]
fn a_token_goes_to_its_services_host_alone_and_its_refusals_are_recorded() {
    let (provider, upstream, other) = (Provider::start(120), Upstream::start(), Upstream::start());
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    add_service(&home, &upstream);
    connect(&home, &provider, "conn");
    let (token, base) = grant(&home, "conn");
    for path in ["//evil.example/x", "/../x", "/v1/%2e%2e/x"] {
        let reply = base.send("GET", path, &token, "");
        holds_none(&reply, &provider.all_tokens());
    }
    assert_eq!(other.heads().len(), 0, "no other host was asked");
    home.json(&["credential", "freeze", "conn"], "");
    let before = upstream.heads().len();
    let reply = base.send("GET", "/v1/x", &token, "");
    assert_eq!((reply.status, reply.header("x-claviger-error")), (403, Some("credential_frozen")), "frozen");
    let event = reply.json()["error"]["event"].as_str().unwrap().to_owned();
    assert_eq!(entry(&home, &event)["credential"], "conn", "on record");
    assert_eq!(upstream.heads().len(), before, "nothing was sent");
    home.json(&["credential", "unfreeze", "conn"], "");
    assert_eq!(base.send("GET", "/v1/x", &token, "").status, 200, "it goes on");
}
