//! What the page cannot do, whatever is injected into it: no command but the three, no call by the wrong verb, no way
//! out to any network, no other page in the window.

use crate::app::App;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::Duration;

/// Commands that Tauri itself brings along and that no capability grants.
const FOREIGN: [&str; 16] = [
    "plugin:app|version",
    "plugin:app|set_app_theme",
    "plugin:event|emit",
    "plugin:event|emit_to",
    "plugin:fs|read_text_file",
    "plugin:image|from_path",
    "plugin:menu|new",
    "plugin:path|resolve_directory",
    "plugin:resources|close",
    "plugin:shell|execute",
    "plugin:tray|new",
    "plugin:webview|create_webview_window",
    "plugin:webview|internal_toggle_devtools",
    "plugin:window|create",
    "plugin:window|destroy",
    "call",
];

#[test]
fn the_page_is_held_inside() {
    // One window for all of it: starting one is what takes time.
    let app = App::start();
    app.wait_for_crossing("the page's first call", |crossing| crossing.way == "out");
    only_the_three_commands_are_there(&app);
    a_call_by_the_wrong_verb_is_refused(&app);
    nonsense_is_refused_and_breaks_nothing(&app);
    the_page_reaches_no_network(&app);
    no_code_can_be_brought_in(&app);
    the_window_shows_the_app_alone(&app);
    // After all of it the bridge still works.
    app.call("query", "vault.status", json!({})).expect("the bridge broke");
}

fn only_the_three_commands_are_there(app: &App) {
    for command in FOREIGN {
        let refused = app.invoke(
            command,
            json!({ "label": "main", "event": "claviger://changed", "path": "/etc/passwd" }),
        );
        assert!(refused.is_err(), "the page may call {command}: {refused:?}");
    }
}

fn a_call_by_the_wrong_verb_is_refused(app: &App) {
    for (verb, name) in [
        ("query", "vault.lock"),
        ("query", "agent.add"),
        ("query", "settings.set"),
        ("mutate", "vault.status"),
        ("mutate", "audit.list"),
        ("decide", "vault.lock"),
        ("decide", "vault.status"),
        ("query", "no.such.call"),
        ("query", ""),
        ("query", "vault.status\u{0}"),
        ("mutate", "VAULT.LOCK"),
    ] {
        let refused = app.call(verb, name, json!({}));
        let code = refused.as_ref().err().and_then(|error| error["code"].as_str());
        assert_eq!(code, Some("usage"), "{name:?} by {verb} gave {refused:?}");
    }
}

fn nonsense_is_refused_and_breaks_nothing(app: &App) {
    for arguments in [
        json!({}),
        json!({ "name": "vault.status" }),
        json!({ "name": 7, "params": {} }),
        json!({ "name": ["vault.status"], "params": {} }),
        json!({ "name": "vault.unlock", "params": [1, 2, 3] }),
        json!({ "name": "vault.unlock", "params": "x" }),
        json!({ "name": "vault.unlock", "params": { "password": { "deep": [] } } }),
        json!({ "name": "a".repeat(1 << 20), "params": {} }),
    ] {
        for command in ["query", "mutate", "decide"] {
            let answer = app.invoke(command, arguments.clone());
            let is_fine = command == "query" && arguments == json!({ "name": "vault.status" });
            assert!(answer.is_err() || is_fine, "{command} took {arguments:.80}: {answer:?}");
        }
    }
}

fn the_page_reaches_no_network(app: &App) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let tried = app.js_async(
        r##"
        const [to, done] = arguments;
        const tried = [];
        const attempt = (name, work) => { try { work(); tried.push(name); } catch (e) { tried.push(name + ": " + e.name); } };
        const add = (tag, fields) => document.body.appendChild(Object.assign(document.createElement(tag), fields));
        attempt("fetch", () => void fetch("http://" + to + "/fetch", { mode: "no-cors" }).catch(() => {}));
        attempt("xhr", () => { const x = new XMLHttpRequest(); x.open("GET", "http://" + to + "/xhr"); x.send(); });
        attempt("beacon", () => navigator.sendBeacon("http://" + to + "/beacon", "x"));
        attempt("socket", () => new WebSocket("ws://" + to + "/socket"));
        attempt("events", () => new EventSource("http://" + to + "/events"));
        attempt("image", () => add("img", { src: "http://" + to + "/image" }));
        attempt("script", () => add("script", { src: "http://" + to + "/script" }));
        attempt("style", () => add("link", { rel: "stylesheet", href: "http://" + to + "/style" }));
        attempt("prefetch", () => add("link", { rel: "prefetch", href: "http://" + to + "/prefetch" }));
        attempt("frame", () => add("iframe", { src: "http://" + to + "/frame" }));
        attempt("object", () => add("object", { data: "http://" + to + "/object" }));
        attempt("video", () => add("video", { src: "http://" + to + "/video" }));
        attempt("form", () => add("form", { action: "http://" + to + "/form", method: "post" }).submit());
        attempt("worker", () => new Worker("http://" + to + "/worker"));
        attempt("font", () => document.fonts.add(new FontFace("x", "url(http://" + to + "/font)")) && document.fonts.load("1em x"));
        attempt("open", () => window.open("http://" + to + "/open"));
        attempt("ping", () => { const a = add("a", { href: "#", ping: "http://" + to + "/ping" }); a.click(); });
        attempt("navigate", () => { location.href = "http://" + to + "/navigate"; });
        setTimeout(() => done(tried), 1500);
        "##,
        vec![json!(format!("127.0.0.1:{port}"))],
    );
    assert_eq!(tried.as_array().map(Vec::len), Some(18), "not every way out was tried: {tried}");
    let mut reached = Vec::new();
    while let Ok((mut socket, _)) = listener.accept() {
        use std::io::Read;
        let mut head = [0; 256];
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let read = socket.read(&mut head).unwrap_or(0);
        reached.push(String::from_utf8_lossy(&head[..read]).lines().next().unwrap_or_default().to_owned());
    }
    assert!(reached.is_empty(), "the page reached the network: {reached:?}");
}

fn no_code_can_be_brought_in(app: &App) {
    let ran: Value = app.js_async(
        r##"
        const done = arguments[arguments.length - 1];
        const inline = document.createElement("script");
        inline.textContent = "window.inlineRan = true";
        document.body.appendChild(inline);
        const frame = document.createElement("div");
        frame.innerHTML = "<img src=x onerror='window.handlerRan = true'>";
        document.body.appendChild(frame);
        let evaluated = false;
        try { evaluated = new Function("return true")(); } catch {}
        try { Object.prototype.polluted = true; } catch {}
        setTimeout(() => done({
          inline: window.inlineRan === true,
          handler: window.handlerRan === true,
          evaluated,
          polluted: ({}).polluted === true,
          global: "__TAURI__" in window,
        }), 300);
        "##,
        vec![],
    );
    let nothing =
        json!({ "inline": false, "handler": false, "evaluated": false, "polluted": false, "global": false });
    assert_eq!(ran, nothing, "the page's policy lets foreign code in");
}

fn the_window_shows_the_app_alone(app: &App) {
    for elsewhere in
        ["https://example.com/", "file:///etc/passwd", "data:text/html,<h1>x</h1>", "tauri://elsewhere/"]
    {
        app.js("location.href = arguments[0];", vec![json!(elsewhere)]);
        let here = app.js_async("setTimeout(() => arguments[0](location.href), 200)", vec![]);
        let here = here.as_str().unwrap_or_default().to_owned();
        assert!(here.starts_with("tauri://localhost"), "{elsewhere} took the window to {here}");
    }
    assert_eq!(app.desktop.windows("Claviger").len(), 1, "a second window was opened");
}
