//! MCP both ways. Claviger's own server: agents ask what they may use, ask for more, ask why not, and can answer nothing
//! themselves. A remote server behind a grant: the official clients use it and know no upstream token.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use claviger_testkit::clients::Client;
use claviger_testkit::mcp::McpServer;
use claviger_testkit::{Engine, FakeProvider, Home, Reply, send_raw};
use serde_json::{Value, json};

use super::{BIN, Base, KEY};

const TOOLS: [&str; 3] = ["list_services", "request_access", "explain_denial"];
const UPSTREAM_TOKEN: &str = "mcp-upstream-token-4Xq8Zr1Lw7";
const POOR_TOKEN: &str = "mcp-poor-token-2Bn6Vc9Kd3";

/// An engine, an agent with a narrow grant, and an upstream.
struct Scene {
    upstream: FakeProvider,
    home: Home,
    engine: Engine,
    token: String,
    base: Base,
    grant: String,
}

impl Scene {
    fn new() -> Self {
        let upstream = FakeProvider::plain();
        let home = Home::with_vault(BIN);
        let engine = home.serve();
        let (token, base_url) = home.wire("local", &upstream.url(), "bearer", "", KEY);
        let grant = home.json(&["grant", "list"], "")[0]["grant"].as_str().unwrap().to_owned();
        home.json(&["grant", "set", &grant, "--method", "GET", "--path", "/v1/models"], "");
        Self { upstream, home, engine, token, base: Base::of(&base_url), grant }
    }

    /// The tracking id of a request that the grant does not allow.
    fn refused(&self) -> String {
        let reply = self.base.send("POST", "/v1/files", &self.token, "{}");
        assert_eq!(reply.status, 403, "{}", reply.text());
        reply.json()["error"]["event"].as_str().unwrap().to_owned()
    }

    fn proposals(&self) -> Vec<Value> {
        self.home.json(&["proposal", "list"], "").as_array().unwrap().clone()
    }
}

/// One JSON-RPC message to Claviger's own server.
fn post(to: SocketAddr, token: &str, more: &str, message: &Value) -> Reply {
    let body = message.to_string();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: {to}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2025-11-25\r\n{more}Content-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    send_raw(to, request.as_bytes())
}

/// Calls a tool; the result of the JSON-RPC answer.
#[track_caller]
fn call(to: SocketAddr, token: &str, tool: &str, arguments: &Value) -> Value {
    let params = json!({"name": tool, "arguments": arguments});
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let reply = post(to, token, "", &message);
    assert_eq!(reply.status, 200, "{tool}: {}", reply.text());
    reply.json()["result"].clone()
}

/// What a tool said went wrong.
fn fault(result: &Value) -> Value {
    assert_eq!(result["isError"], true, "it went well: {result}");
    let text = result["content"][0]["text"].as_str().unwrap_or_default();
    serde_json::from_str::<Value>(text).map(|v| v["error"].clone()).unwrap_or_default()
}

#[test]
fn python_clients_use_claviger_itself() {
    use_claviger_itself(Client::Python);
}

#[test]
fn node_clients_use_claviger_itself() {
    use_claviger_itself(Client::Node);
}

fn use_claviger_itself(client: Client) {
    let scene = Scene::new();
    let event = scene.refused();
    let calls = json!([
        {"tool": "list_services", "arguments": {}},
        {"tool": "explain_denial", "arguments": {"event": event}},
        {"tool": "request_access", "arguments":
            {"service": "local", "why": "to upload the report", "methods": ["POST"], "paths": ["/v1/files"]}},
        {"tool": "request_access", "arguments": {"service": "nosuch", "why": "x"}},
    ])
    .to_string();
    let home = scene.home.path();
    let command = json!([BIN, "--home", home, "mcp"]).to_string();
    let url = format!("http://{}/mcp", scene.engine.proxy);
    let ways: [&[(&str, &str)]; 2] = [
        &[("MCP_COMMAND", &command), ("CLAVIGER_TOKEN", &scene.token), ("MCP_CALLS", &calls)],
        &[("MCP_URL", &url), ("MCP_TOKEN", &scene.token), ("MCP_CALLS", &calls)],
    ];
    for way in ways {
        let what = format!("{client:?} by {}", way[0].0);
        let said = client.mcp(way);
        assert_eq!(said[0]["tools"], json!(TOOLS), "{what}: the tools");
        let [listed, explained, asked, unknown] = &said[1..] else { panic!("{what}: {said:?}") };
        let service = &listed["structured"]["services"][0];
        assert_eq!(service["service"], "local", "{what}: {listed}");
        assert_eq!(service["allowed"], "GET on /v1/models", "{what}: in words");
        assert_eq!((&service["usable"], &service["protocol"]), (&json!(true), &json!("http")), "{what}");
        assert!(service["base_url"].as_str().unwrap().ends_with(&scene.base.path), "{what}: {service}");
        let denial = &explained["structured"];
        assert_eq!(denial["code"], "policy_denied", "{what}: {explained}");
        assert_eq!(denial["ask_for"]["service"], "local", "{what}: what could be asked for");
        assert_eq!(denial["ask_for"]["paths"], json!(["/v1/files"]), "{what}: where");
        assert_eq!(asked["structured"]["state"], "open", "{what}: {asked}");
        assert_eq!(
            (&unknown["is_error"], &unknown["error"]),
            (&json!(true), &Value::Null),
            "{what}: {unknown}"
        );
        let all = format!("{said:?}");
        assert!(
            !all.contains(KEY) && !all.contains("local-key"),
            "{what}: material or its name was shown: {all}"
        );
    }
    let proposals = scene.proposals();
    assert_eq!(proposals.len(), 1, "both ways asked the same, which is one question: {proposals:?}");
    assert_eq!(proposals[0]["agent"], "local-agent", "the token said who");
    assert_eq!(proposals[0]["why"], "to upload the report", "what for");
}

#[test]
fn what_is_asked_is_given_only_by_the_owner_and_never_more() {
    let scene = Scene::new();
    let ask = |paths: Value| {
        let arguments = json!({"service": "local", "why": "why", "methods": ["POST", "GET"], "paths": paths});
        call(scene.engine.proxy, &scene.token, "request_access", &arguments)["structuredContent"].clone()
    };
    let asked = ask(json!(["/v1/files", "/v1/files/**"]));
    assert_eq!(asked["state"], "open", "{asked}");
    assert_eq!(scene.base.send("POST", "/v1/files", &scene.token, "{}").status, 403, "asking gives nothing");
    let id = asked["request"].as_str().unwrap();
    let shown = scene.home.json(&["proposal", "show", id], "");
    let would = shown["would"].as_str().unwrap();
    assert!(would.contains("GET, POST") && would.contains("/v1/models"), "what would then hold: {would}");
    let more = scene.home.run(&["--json", "proposal", "allow", id, "--path", "/v1/**"], "");
    assert_eq!(
        (more.code, more.error()["code"].as_str()),
        (2, Some("usage")),
        "more than asked: {}",
        more.stderr
    );
    let given = scene.home.json(&["proposal", "allow", id, "--method", "POST", "--path", "/v1/files/a"], "");
    assert_eq!(given["grant"], scene.grant.as_str(), "the grant that there is was widened: {given}");
    assert_eq!(given["paths"], json!(["/v1/models", "/v1/files/a"]), "by no more than that");
    assert_ne!(scene.base.send("POST", "/v1/files/a", &scene.token, "{}").status, 403, "now it passes");
    assert_eq!(scene.base.send("POST", "/v1/files/b", &scene.token, "{}").status, 403, "and nothing else");
    let told =
        call(scene.engine.proxy, &scene.token, "list_services", &json!({}))["structuredContent"].clone();
    assert_eq!(told["requests"][0]["state"], "allowed", "the agent is told: {told}");

    let denied = ask(json!(["/v1/batches"]));
    let id = denied["request"].as_str().unwrap();
    scene.home.json(&["proposal", "deny", id], "");
    let arguments =
        json!({"service": "local", "why": "please", "methods": ["GET", "POST"], "paths": ["/v1/batches"]});
    let again = call(scene.engine.proxy, &scene.token, "request_access", &arguments);
    assert_eq!(fault(&again)["code"], "refused", "a no is a no for a day: {again}");
    let acts = scene.home.json(&["audit", "list"], "");
    for what in ["proposal.add", "proposal.allow", "proposal.deny"] {
        let is_there = acts.as_array().unwrap().iter().any(|entry| entry["code"] == what);
        assert!(is_there, "{what} is not on record");
    }
}

#[test]
fn an_agent_cannot_answer_its_own_question() {
    let scene = Scene::new();
    let arguments = json!({"service": "local", "why": "why", "paths": ["/v1/**"]});
    let asked = call(scene.engine.proxy, &scene.token, "request_access", &arguments);
    let id = asked["structuredContent"]["request"].as_str().unwrap().to_owned();
    let still_open = |what: &str| {
        let proposals = scene.proposals();
        assert_eq!(proposals[0]["state"], "open", "{what} answered the question: {proposals:?}");
        let paths = scene.home.json(&["grant", "show", &scene.grant], "")["paths"].clone();
        assert_eq!(paths, json!(["/v1/models"]), "{what} widened the grant");
    };
    // Over HTTP: neither as a tool nor as a method, whatever else is called.
    for (method, params) in [
        ("proposal.allow", json!({"proposal": id})),
        ("tools/call", json!({"name": "proposal.allow", "arguments": {"proposal": id}})),
        ("tools/call", json!({"name": "allow", "arguments": {"proposal": id}})),
        (
            "tools/call",
            json!({"name": "request_access", "arguments": {"service": "local", "why": "x", "state": "allowed"}}),
        ),
        ("call", json!({"verb": "decide", "name": "proposal.allow", "params": {"proposal": id}})),
    ] {
        let reply = post(
            scene.engine.proxy,
            &scene.token,
            "",
            &json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}),
        );
        let answer = reply.json();
        let is_no = reply.status != 200 || !answer["error"].is_null() || answer["result"]["isError"] == true;
        assert!(is_no, "{method} {params}: {}", reply.text());
        still_open(method);
    }
    // In the control socket's own words, sent where an agent's token opens the door.
    let line = json!({"call": {"verb": "decide", "name": "proposal.allow", "params": {"proposal": id}}});
    let reply = post(scene.engine.proxy, &scene.token, "", &line);
    assert_ne!(reply.status, 200, "{}", reply.text());
    still_open("a line of the control socket over HTTP");
    // And over stdio, before and after the hello.
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params":
        {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}});
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let tool = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params":
        {"name": "proposal.allow", "arguments": {"proposal": id}}});
    for input in [format!("{line}\n"), format!("{hello}\n{ready}\n{line}\n{tool}\n")] {
        let mut command = scene.home.command(&["mcp"]);
        command.env("CLAVIGER_TOKEN", &scene.token);
        let ran = claviger_testkit::home::finish(command, &input);
        assert!(!ran.stdout.contains("\"isError\":false"), "{}", ran.stdout);
        still_open("stdio");
    }
}

#[test]
fn only_an_agents_own_refusals_are_explained() {
    let scene = Scene::new();
    let event = scene.refused();
    let other = scene.home.json(&["agent", "add", "other"], "")["token"].as_str().unwrap().to_owned();
    let own = call(scene.engine.proxy, &scene.token, "explain_denial", &json!({"event": event}));
    assert_eq!(own["structuredContent"]["request"], "POST /v1/files", "{own}");
    assert!(own["structuredContent"]["why"].as_str().unwrap().contains("POST"), "the rule in words: {own}");
    let foreign = fault(&call(scene.engine.proxy, &other, "explain_denial", &json!({"event": event})));
    let made_up = "EVT-aaaaaaaaaaaaaaaaaaaaaaaaaa";
    let unknown = fault(&call(scene.engine.proxy, &other, "explain_denial", &json!({"event": made_up})));
    let no_id = fault(&call(scene.engine.proxy, &other, "explain_denial", &json!({"event": "' OR 1=1"})));
    assert_eq!(foreign["code"], "not_found", "{foreign}");
    assert_eq!((&foreign, &unknown), (&unknown, &no_id), "another's and none look the same");
    let listed = call(scene.engine.proxy, &other, "list_services", &json!({}));
    assert_eq!(
        listed["structuredContent"]["services"],
        json!([]),
        "another's grants are not shown: {listed}"
    );
    // A path that is another agent's, and one that is nobody's.
    let theirs = scene.base.send("GET", "/v1/models", &other, "").json()["error"]["event"].clone();
    let nobodys = Base { host: scene.base.host.clone(), path: format!("/g/{}", "a".repeat(26)) };
    let nobodys = nobodys.send("GET", "/v1/models", &other, "").json()["error"]["event"].clone();
    let why = |event: Value| {
        let told = call(scene.engine.proxy, &other, "explain_denial", &json!({"event": event}));
        let told = &told["structuredContent"];
        (told["code"].clone(), told["why"].clone(), told["service"].clone(), told["ask_for"].clone())
    };
    assert_eq!(why(theirs), why(nobodys), "explaining tells the two apart");
}

#[test]
fn claviger_itself_speaks_with_old_clients_and_holds_no_session() {
    let scene = Scene::new();
    for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params":
            {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}});
        let body = hello.to_string();
        let to = scene.engine.proxy;
        let request = format!(
            "POST /mcp HTTP/1.1\r\nHost: {to}\r\nx-api-key: {}\r\nContent-Type: application/json\r\nAccept: \
             application/json, text/event-stream\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            scene.token,
            body.len()
        );
        let reply = send_raw(to, request.as_bytes());
        assert_eq!(reply.json()["result"]["protocolVersion"], version, "{version}: {}", reply.text());
        assert_eq!(reply.header("mcp-session-id"), None, "{version}: a session was begun");
        assert_eq!(reply.header("content-type"), Some("application/json"), "{version}: {reply:?}");
    }
    for method in ["GET", "DELETE", "PUT"] {
        let to = scene.engine.proxy;
        let request = format!(
            "{method} /mcp HTTP/1.1\r\nHost: {to}\r\nAuthorization: Bearer {}\r\nAccept: text/event-stream\r\n\
             Connection: close\r\n\r\n",
            scene.token
        );
        assert_eq!(send_raw(to, request.as_bytes()).status, 405, "{method}");
    }
}

#[test]
fn claviger_itself_answers_nobody_without_a_good_token() {
    let scene = Scene::new();
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    for (token, more, status, code) in [
        ("", "", 401, "unauthenticated"),
        ("not-a-token", "", 401, "unauthenticated"),
        (scene.token.as_str(), "Origin: http://127.0.0.1\r\n", 403, "policy_denied"),
        (scene.token.as_str(), "Sec-Fetch-Site: cross-site\r\n", 403, "policy_denied"),
    ] {
        let reply = post(scene.engine.proxy, token, more, &list);
        let told = reply.json()["error"]["code"].clone();
        assert_eq!((reply.status, told.as_str()), (status, Some(code)), "{more}{}", reply.text());
    }
    assert_eq!(post(scene.engine.proxy, &scene.token, "", &list).status, 200, "with it, it is");
    scene.home.json(&["agent", "revoke", "local-agent", "--yes"], "");
    assert_eq!(post(scene.engine.proxy, &scene.token, "", &list).status, 401, "not after it was revoked");
    let mut command = scene.home.command(&["mcp"]);
    command.env("CLAVIGER_TOKEN", &scene.token);
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params":
        {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}});
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let tool =
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list_services"}});
    let ran = claviger_testkit::home::finish(command, &format!("{hello}\n{ready}\n{tool}\n"));
    assert!(
        ran.stdout.contains("does not know this agent token"),
        "over stdio: {} {}",
        ran.stdout,
        ran.stderr
    );
    scene.home.json(&["lock"], "");
    assert_eq!(post(scene.engine.proxy, &scene.token, "", &list).status, 503, "not while it is locked");
    assert_eq!(scene.upstream.connections(), 0, "and nothing of it ever went upstream");
}

#[test]
fn python_clients_use_a_remote_server_behind_a_grant() {
    use_a_remote_server(Client::Python);
}

#[test]
fn node_clients_use_a_remote_server_behind_a_grant() {
    use_a_remote_server(Client::Node);
}

fn use_a_remote_server(client: Client) {
    let server =
        McpServer::with_tokens(&json!({UPSTREAM_TOKEN: "mcp:read mcp:write", POOR_TOKEN: "mcp:read"}));
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    home.json(&["service", "add", "remote", "--mcp", "--base-url", &server.url, "--allow-private"], "");
    let token = home.json(&["agent", "add", "program"], "")["token"].as_str().unwrap().to_owned();
    let grant_on = |credential: &str, secret: &str| {
        home.json(&["credential", "add", credential, "--service", "remote", "--secret-stdin"], secret);
        home.json(&["grant", "add", "program", credential], "")["base_url"].as_str().unwrap().to_owned()
    };
    let calls = json!([
        {"tool": "echo", "arguments": {"text": "through"}},
        {"tool": "count", "arguments": {}},
        {"tool": "write", "arguments": {}},
    ])
    .to_string();

    let url = grant_on("rich", UPSTREAM_TOKEN);
    assert!(url.ends_with("/mcp"), "the base URL of an MCP service is an endpoint: {url}");
    let said = client.mcp(&[("MCP_URL", &url), ("MCP_TOKEN", &token), ("MCP_CALLS", &calls)]);
    assert_eq!(said[0]["tools"], json!(["echo", "write", "count"]), "{said:?}");
    let texts: Vec<&str> = said[1..].iter().map(|call| call["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["through", "3", "written"], "{said:?}");
    assert_eq!(said[2]["progress"], 3, "what the server tells on the way arrives: {said:?}");
    let seen = server.seen();
    for method in ["POST /mcp", "GET /mcp", "DELETE /mcp"] {
        assert!(seen.iter().any(|request| request["seen"] == method), "{method} never arrived: {seen:?}");
    }
    for request in &seen {
        assert_eq!(request["authorization"], format!("Bearer {UPSTREAM_TOKEN}"), "{request}");
        assert!(!request.to_string().contains(&token), "the agent's token went up: {request}");
    }
    let sessions: Vec<&str> = seen.iter().filter_map(|request| request["session"].as_str()).collect();
    assert!(sessions.len() >= 4, "the session's id goes both ways: {seen:?}");
    assert!(!format!("{said:?}").contains(UPSTREAM_TOKEN), "the client was shown the upstream's token");

    // A credential that is not enough: our own words, no challenge, and the owner is told.
    let url = grant_on("poor", POOR_TOKEN);
    let said = client.mcp(&[("MCP_URL", &url), ("MCP_TOKEN", &token), ("MCP_CALLS", &calls)]);
    assert_eq!(said[1]["text"], "through", "{said:?}");
    assert_eq!(said[3]["is_error"], true, "{said:?}");
    assert!(!said[3].to_string().contains("resource_metadata"), "a challenge came through: {said:?}");
    let entries = home.json(&["audit", "list"], "");
    let lacks = |entry: &&Value| entry["code"] == "insufficient_scope";
    let entry = entries.as_array().unwrap().iter().find(lacks).expect("it is on record");
    assert_eq!(entry["credential"], "poor", "{entry}");
    let warnings = home.json(&["status"], "")["warnings"].to_string();
    assert!(warnings.contains("poor") && warnings.contains("mcp:write"), "the owner is told: {warnings}");
    let event = entry["event"].as_str().unwrap();
    let proxy: SocketAddr = url.trim_start_matches("http://").split('/').next().unwrap().parse().unwrap();
    let told = call(proxy, &token, "explain_denial", &json!({"event": event}));
    assert_eq!(told["structuredContent"]["code"], "insufficient_scope", "{told}");

    // A credential that is none any more: nothing that a client would take for an invitation to sign in.
    let url = grant_on("dead", "mcp-token-that-nobody-knows");
    let reply = Base::of(&url).send("POST", "", &token, "{}");
    assert_eq!(
        (reply.status, reply.header("x-claviger-error")),
        (502, Some("credential_expired")),
        "{reply:?}"
    );
    assert_eq!(reply.header("www-authenticate"), None, "{reply:?}");
}

/// `oauth connect`, with a willing user in the browser. The last object that it prints.
#[track_caller]
fn connect(home: &Home, service: &str, name: &str, more: &[&str]) -> Value {
    consent(home, &[&["connect", service, name], more].concat())
}

/// An `oauth` command that walks a consent.
#[track_caller]
fn consent(home: &Home, command: &[&str]) -> Value {
    let args = [&["--json", "oauth"], command, &["--no-browser"]].concat();
    let mut child = home.command(&args).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(|line| line.unwrap());
    let mut last = Value::Null;
    for line in lines {
        last = serde_json::from_str(&line).unwrap_or_else(|why| panic!("{line}: {why}"));
        if let Some(url) = last["open"].as_str() {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/consent.mjs");
            let mut browser = Command::new("node");
            browser.arg(script).env("CONSENT_URL", url);
            let ran = claviger_testkit::home::finish(browser, "");
            assert_eq!(ran.code, 0, "the consent failed: {}{}", ran.stdout, ran.stderr);
        }
    }
    let code = child.wait().unwrap().code();
    assert_eq!(code, Some(0), "oauth connect ended with {code:?} after {last}");
    last
}

#[test]
fn python_clients_use_an_oauth_protected_server_through_claviger() {
    use_an_oauth_protected_server(Client::Python);
}

#[test]
fn node_clients_use_an_oauth_protected_server_through_claviger() {
    use_an_oauth_protected_server(Client::Node);
}

/// Found by its own challenge, registered, consented with PKCE and the resource, renewed, and used by a client that
/// knows a URL and its agent token.
fn use_an_oauth_protected_server(client: Client) {
    let server = McpServer::with_oauth(8);
    let issuer = server.issuer.clone().unwrap();
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    home.json(&["service", "add", "remote", "--mcp", "--base-url", &server.url, "--allow-private"], "");
    let found = home.json(&["oauth", "discover", "--service", "remote"], "");
    assert_eq!(found["issuer"], issuer.as_str(), "the server says who gives tokens for it: {found}");
    let other = McpServer::with_oauth(60).issuer.clone().unwrap();
    let wrong =
        home.run(&["--json", "oauth", "connect", "remote", "wrong", "--no-browser", "--issuer", &other], "");
    assert_ne!(wrong.code, 0, "an issuer that the server does not name was taken: {}", wrong.stdout);

    let connected = connect(&home, "remote", "remote-me", &["--scope", "mcp:read offline_access"]);
    assert_eq!(connected["credential"], "remote-me", "{connected}");
    let token = home.json(&["agent", "add", "program"], "")["token"].as_str().unwrap().to_owned();
    let url =
        home.json(&["grant", "add", "program", "remote-me"], "")["base_url"].as_str().unwrap().to_owned();
    let calls = json!([
        {"tool": "echo", "arguments": {"text": "through"}},
        {"tool": "count", "arguments": {}},
        {"tool": "write", "arguments": {}},
    ])
    .to_string();
    let way = [("MCP_URL", url.as_str()), ("MCP_TOKEN", &token), ("MCP_CALLS", &calls)];
    let upstream_tokens = || -> BTreeSet<String> {
        let seen = server.seen();
        let to_endpoint = |request: &&Value| request["seen"].as_str().unwrap_or_default().ends_with(" /mcp");
        let tokens = seen.iter().filter(to_endpoint).filter_map(|request| request["authorization"].as_str());
        tokens.map(str::to_owned).collect()
    };
    let first = client.mcp(&way);
    assert_eq!(first[0]["tools"], json!(["echo", "write", "count"]), "{first:?}");
    assert_eq!((&first[1]["text"], &first[2]["progress"]), (&json!("through"), &json!(3)), "{first:?}");
    assert_eq!(first[3]["is_error"], true, "what was not consented to is refused: {first:?}");
    let before = upstream_tokens();
    assert!(!before.is_empty(), "nothing reached the server");
    // The token lives eight seconds: the next calls come with another, and the client notices nothing.
    std::thread::sleep(std::time::Duration::from_secs(9));
    let second = client.mcp(&way);
    assert_eq!(second[1]["text"], "through", "after the first token's end: {second:?}");
    let all = upstream_tokens();
    assert!(all.len() > before.len(), "the token was never renewed: {all:?}");
    let told = format!("{first:?}{second:?}");
    for used in &all {
        let bare = used.trim_start_matches("Bearer ");
        assert!(!told.contains(bare), "the client was shown an upstream token");
        assert_ne!(bare, token, "the agent's token went up");
    }
    assert!(
        server.seen().iter().all(|request| !request.to_string().contains(&token)),
        "the agent's token went up somewhere"
    );
    let status = home.json(&["oauth", "status", "remote-me"], "").to_string();
    assert!(status.contains("mcp:write"), "the owner is told which permission is wanted: {status}");
    // Nothing on the disk but the vault knows a token.
    for used in &all {
        let needles = claviger_testkit::Needles::new([(
            "upstream token",
            used.trim_start_matches("Bearer ").as_bytes(),
        )]);
        let (files, finds) = needles.in_tree(home.root());
        assert!(files > 0 && finds.is_empty(), "a token lies on the disk: {finds:?}");
    }
    // The server said what it wants beyond that (RFC 6750 §3.1); the owner says yes once more.
    let warnings = home.json(&["status"], "")["warnings"].to_string();
    assert!(
        warnings.contains("remote-me") && warnings.contains("mcp:write"),
        "the owner is told: {warnings}"
    );
    consent(&home, &["reconnect", "remote-me"]);
    let third = client.mcp(&way);
    assert_eq!(third[3]["text"], "written", "after the step up, behind the same grant: {third:?}");
    let warnings = home.json(&["status"], "")["warnings"].to_string();
    assert!(!warnings.contains("mcp:write"), "and nothing is wanted any more: {warnings}");
}
