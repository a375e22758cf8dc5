//! The canary test for connections: no token of theirs in any file, log, view, argument or, once locked, in memory.

use std::time::{Duration, Instant};

use claviger_testkit::{Home, Needles};

use super::provider::SECRET;
use super::{Provider, Upstream, add_service, connect, grant, holds_none, within};
use crate::journeys::BIN;

#[test]
fn no_token_of_a_connection_is_anywhere_but_at_its_server_and_its_service() {
    let (provider, upstream) = (Provider::start(3), Upstream::start());
    let home = Home::with_vault(BIN);
    let engine = home.serve_with(
        &["--port", "0", "--password-stdin"],
        &[("RUST_LOG", "trace"), ("RUST_BACKTRACE", "full")],
        &format!("{}\n", home.password),
    );
    add_service(&home, &upstream);
    connect(&home, &provider, "conn");
    let issuer = provider.issuer.as_str();
    let robot = ["oauth", "connect", "api", "robot", "--issuer", issuer, "--flow", "client-credentials"];
    let robot =
        [&robot[..], &["--client-id", "svc", "--client-secret-stdin", "--scope", "api:read"]].concat();
    home.json(&robot, &format!("{SECRET}\n"));
    let (token, base) = grant(&home, "conn");
    let (robot_token, robot_base) = grant(&home, "robot");
    for _ in 0..3 {
        let first = provider.times_asked();
        for (base, token) in [(&base, &token), (&robot_base, &robot_token)] {
            let reply = base.send("POST", "/v1/x?a=b", token, "{}");
            assert_eq!(reply.status, 200, "{}", reply.text());
            holds_none(&reply, &provider.all_tokens());
        }
        within(10, "tokens end and are renewed", || {
            base.send("GET", "/v1/x", &token, "");
            robot_base.send("GET", "/v1/x", &robot_token, "");
            (provider.times_asked() >= first + 2).then_some(())
        });
    }
    let tokens = provider.all_tokens();
    assert!(tokens.len() >= 12, "there is something to look for: {} tokens", tokens.len());
    let needles = || {
        let known = [("client secret", SECRET.as_bytes()), ("agent token", token.as_bytes())];
        let tokens = tokens.iter().map(|token| ("OAuth token", token.as_bytes()));
        Needles::new(known.into_iter().chain(tokens))
    };
    for view in [
        &["oauth", "status"][..],
        &["oauth", "status", "conn"],
        &["oauth", "targets"],
        &["credential", "list"],
        &["credential", "show", "conn"],
        &["credential", "history", "conn"],
        &["audit", "list"],
        &["audit", "export", "--format", "jsonl"],
        &["status"],
        &["env", "conn-agent"],
    ] {
        let ran = home.run(view, "");
        assert_eq!(ran.code, 0, "{view:?}: {ran:?}");
        let shown = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(needles().in_bytes(&view.join(" "), shown.as_bytes()), [], "a view shows a token");
    }
    assert_eq!(needles().in_process_table(), [], "a token stands in a process's arguments or environment");
    home.json(&["oauth", "disconnect", "robot"], "");
    home.json(&["lock"], "");
    let locked_at = Instant::now();
    within(5, "a second has passed", || (locked_at.elapsed() >= Duration::from_secs(1)).then_some(()));
    match needles().in_memory(engine.pid()) {
        Err(why) => {
            assert_eq!(why.kind(), std::io::ErrorKind::PermissionDenied, "the memory is closed: {why}")
        }
        Ok((searched, finds)) => {
            assert!(searched > 1 << 20, "only {searched} bytes of memory were searched");
            assert_eq!(finds, [], "a token is still in memory");
        }
    }
    assert!(engine.stderr().contains("claviger"), "the log at trace level has our own lines");
    assert_eq!(engine.terminate(), 0, "it ends properly");
    let (files, finds) = needles().in_tree(home.root());
    assert!(files >= 3, "vault, record and log are there: {files} files");
    assert_eq!(finds, [], "a token stands in a file");
}
