//! The canary test: after a whole run no secret is in any file, log, argument list or environment, and one second
//! after locking none is in the engine's memory.

use std::time::{Duration, Instant};

use base64::Engine as _;
use claviger_testkit::{FakeProvider, Find, Home, Needles, eventually};

use crate::journeys::{BIN, Base};

const FIRST: &str = "sk-canary-first-8Jq2vX+/=w7Rt5Yp";
const SECOND: &str = "sk-canary-second-3Kd9mZ+/=b6Nf4Lc";
const BASIC_PASSWORD: &str = "canary-basic-password-5Hs7+/=gW2";
const QUERY_KEY: &str = "canary-query-key-1Vx8cB4nM6";
const WRONG: &str = "canary wrong password typed by mistake 9";

/// Ends the process table's watcher when the run is over.
struct Watcher {
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    thread: std::thread::JoinHandle<(usize, Vec<Find>)>,
}

impl Watcher {
    /// Looks at argv and environ of every process, over and over, while the run goes on.
    fn start(secrets: Vec<(String, String)>) -> Self {
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let told = stop.clone();
        let thread = std::thread::spawn(move || {
            let needles =
                Needles::new(secrets.iter().map(|(name, secret)| (name.as_str(), secret.as_bytes())));
            let (mut looks, mut finds) = (0, Vec::new());
            while !told.load(std::sync::atomic::Ordering::SeqCst) {
                finds.extend(needles.in_process_table());
                looks += 1;
                std::thread::park_timeout(Duration::from_millis(100));
            }
            (looks, finds)
        });
        Self { stop, thread }
    }

    fn finish(self) -> (usize, Vec<Find>) {
        self.stop.store(true, std::sync::atomic::Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

#[test]
fn after_a_whole_run_no_secret_is_anywhere() {
    let (upstream, refusing) = (FakeProvider::plain(), FakeProvider::plain());
    refusing.accept_only(&["a key that nobody has"]);
    let home = Home::new(BIN);
    let known = [
        ("first key", FIRST),
        ("second key", SECOND),
        ("basic password", BASIC_PASSWORD),
        ("query key", QUERY_KEY),
        ("wrong password", WRONG),
        ("password", home.password.as_str()),
    ];
    let watcher = Watcher::start(known.iter().map(|(n, s)| ((*n).to_owned(), (*s).to_owned())).collect());
    let recovery_key = home.init();
    let key_log = home.root().join("tls-keys.log");
    let engine = home.serve_with(
        &["--port", "0", "--password-stdin"],
        &[("RUST_LOG", "trace"), ("RUST_BACKTRACE", "full"), ("SSLKEYLOGFILE", key_log.to_str().unwrap())],
        &format!("{}\n", home.password),
    );

    // Everything that touches a secret: store, use by each kind, fail, rotate, lock, mistype, unlock, use again.
    let (token, base) = home.wire("one", &upstream.url(), "bearer", "open-ai", FIRST);
    let basic = format!("{{\"username\":\"user\",\"password\":\"{BASIC_PASSWORD}\"}}");
    let (basic_token, basic_base) = home.wire("two", &upstream.url(), "basic", "", &basic);
    let (query_token, query_base) = home.wire("three", &upstream.url(), "query:key", "", QUERY_KEY);
    let (refused_token, refused_base) = home.wire("four", &refusing.url(), "header:x-api-key", "", SECOND);
    let tokens = [&token, &basic_token, &query_token, &refused_token];
    let chat = r#"{"model":"gpt-test","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#;
    let all_kinds = || {
        assert_eq!(Base::of(&base).send("POST", "/v1/chat/completions", &token, chat).status, 200, "bearer");
        assert_eq!(Base::of(&basic_base).send("GET", "/v1/models", &basic_token, "").status, 200, "basic");
        assert_eq!(Base::of(&query_base).send("GET", "/v1/models", &query_token, "").status, 200, "query");
        assert_eq!(
            Base::of(&refused_base).send("GET", "/v1/models", &refused_token, "").status,
            401,
            "the upstream's"
        );
    };
    all_kinds();
    let in_basic = base64::engine::general_purpose::STANDARD.encode(format!("user:{BASIC_PASSWORD}"));
    assert!(
        upstream.requests().iter().any(|r| r.header("authorization") == Some(format!("Basic {in_basic}"))),
        "the Basic credential was sent as RFC 7617 asks"
    );
    assert!(upstream.requests().iter().any(|r| r.target.contains(QUERY_KEY)), "the query key was sent");
    assert_eq!(Base::of(&base).send("GET", "/../etc/passwd", &token, "").status, 400, "malformed");
    home.json(&["credential", "rotate", "one-key", "--secret-stdin"], SECOND);
    all_kinds();
    for view in [
        &["credential", "list"][..],
        &["credential", "show", "one-key"],
        &["credential", "history", "one-key"],
        &["agent", "list"],
        &["grant", "list"],
        &["service", "list"],
        &["audit", "list"],
        &["usage"],
        &["env", "one-agent"],
        &["audit", "export", "--format", "jsonl"],
        &["audit", "export", "--format", "csv"],
        &["settings", "show"],
    ] {
        let ran = home.run(view, "");
        assert_eq!(ran.code, 0, "{view:?}: {ran:?}");
        let shown = format!("{}{}", ran.stdout, ran.stderr);
        let finds = needles(&known, &recovery_key, &tokens).in_bytes(&view.join(" "), shown.as_bytes());
        assert_eq!(finds, [], "a view shows a secret");
    }
    home.json(&["lock"], "");
    assert_eq!(home.run(&["unlock", "--password-stdin"], &format!("{WRONG}\n")).code, 9, "mistyped");
    home.json(&["unlock", "--password-stdin"], &format!("{}\n", home.password));
    all_kinds();
    home.json(&["lock"], "");
    let locked_at = Instant::now();

    let everything = needles(&known, &recovery_key, &tokens);
    memory_is_clean(&engine, &home, &everything, locked_at);
    let log = engine.stderr();
    assert!(log.contains("claviger"), "the log at trace level has our own lines: {log:?}");
    assert_eq!(engine.terminate(), 0, "it ends properly");
    let (looks, finds) = watcher.finish();
    assert!(looks > 10, "the process table was looked at only {looks} times");
    assert_eq!(finds, [], "a secret stood in a process's arguments or environment");
    let (files, finds) = everything.in_tree(home.root());
    assert!(files >= 3, "vault, record and log are there: {files} files");
    assert_eq!(finds, [], "a secret stands in a file");
    assert!(!key_log.exists(), "TLS keys were written down because the environment said so");
}

fn needles(known: &[(&str, &str)], recovery_key: &str, tokens: &[&String]) -> Needles {
    let bare: String = recovery_key.chars().filter(char::is_ascii_alphanumeric).collect();
    let mut all: Vec<(&str, &[u8])> = known.iter().map(|(name, secret)| (*name, secret.as_bytes())).collect();
    all.push(("recovery key", recovery_key.as_bytes()));
    all.push(("recovery key without its groups", bare.as_bytes()));
    all.extend(tokens.iter().map(|token| ("agent token", token.as_bytes())));
    Needles::new(all)
}

/// One second after locking. Only root may look into a process that is not dumpable; for anybody else being shut out
/// is what is checked.
fn memory_is_clean(engine: &claviger_testkit::Engine, home: &Home, needles: &Needles, locked_at: Instant) {
    eventually("one second has passed", || (locked_at.elapsed() >= Duration::from_secs(1)).then_some(()));
    match needles.in_memory(engine.pid()) {
        Err(why) => assert_eq!(
            why.kind(),
            std::io::ErrorKind::PermissionDenied,
            "the engine's memory is closed: {why}"
        ),
        Ok((searched, finds)) => {
            assert!(searched > 1 << 20, "only {searched} bytes of memory were searched");
            assert_eq!(finds, [], "a secret is still in memory");
            let path = home.path().display().to_string();
            let control = Needles::new([("the home's path", path.as_bytes())]);
            let (_, found) = control.in_memory(engine.pid()).unwrap();
            assert!(!found.is_empty(), "the search finds what is there: the home's path");
        }
    }
}
