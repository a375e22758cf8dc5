//! What is shown: exports and lists of hostile text, and the record as it comes.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use claviger_testkit::{FakeProvider, Home, eventually};
use serde_json::{Value, json};

use super::{BIN, Base, KEY};

/// What an upstream, or an agent that asks for it, may call a model.
const HOSTILE: &[&str] =
    &["=HYPERLINK(\"http://evil\")", "+1", "-1", "@SUM(A1)", "a\"b,c", "a\nb", "\u{1b}[2Jx", "\u{202e}x"];

#[test]
fn what_a_model_is_called_is_never_a_formula_a_line_or_a_colour() {
    let upstream = FakeProvider::plain();
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    let (token, base) = home.wire("local", &upstream.url(), "bearer", "open-ai", KEY);
    for model in HOSTILE {
        let body = json!({"model": model, "messages": []}).to_string();
        assert_eq!(
            Base::of(&base).send("POST", "/v1/chat/completions", &token, &body).status,
            200,
            "{model:?}"
        );
    }
    eventually("every request is recorded as done", || {
        let done = home.json(&["audit", "list", "--result", "done"], "");
        (done.as_array().map(Vec::len) == Some(HOSTILE.len())).then_some(())
    });
    let records = home.json(&["audit", "list"], "").as_array().map_or(0, Vec::len);

    let csv = home.run(&["audit", "export", "--format", "csv"], "").stdout;
    let lines: Vec<&str> = csv.split("\r\n").filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), records + 1, "one record, one line, and the names: {csv}");
    for line in &lines {
        assert!(!line.contains('\n'), "a cell broke its line: {line:?}");
        for cell in cells(line) {
            assert!(
                !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\u{1b}']),
                "a cell is a formula: {cell:?} in {line:?}"
            );
        }
    }
    let jsonl = home.run(&["audit", "export", "--format", "jsonl"], "").stdout;
    let parsed: Vec<Value> =
        jsonl.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect();
    assert_eq!(parsed.len(), records, "one record, one line");
    for view in [&["audit", "list"][..], &["usage", "--by", "model"]] {
        let shown = home.run(view, "").stdout;
        let acts = shown.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}');
        assert!(!acts, "{view:?} lets a name act on the terminal: {shown:?}");
    }
}

#[test]
fn new_entries_are_followed_as_they_come() {
    let upstream = FakeProvider::plain();
    let home = Home::with_vault(BIN);
    let engine = home.serve();
    let (token, base) = home.wire("local", &upstream.url(), "bearer", "open-ai", KEY);
    let mut command = home.command(&["--json", "audit", "list", "--follow"]);
    let mut follower =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let _ = tell.send(serde_json::from_str::<Value>(&line).expect("one object a line"));
        }
    });
    let found = eventually("a request made while following is told", || {
        Base::of(&base).send("GET", "/v1/models", &token, "");
        std::iter::from_fn(|| told.try_recv().ok()).find(|entry| entry["path"] == "/v1/models")
    });
    assert_eq!(found["agent"], "local-agent", "{found}");
    assert_eq!(engine.terminate(), 0, "a follower does not hold up the end");
    eventually("the follower ends with the engine", || follower.try_wait().unwrap());
}

/// The cells of a line of RFC 4180, without their quotes.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    cells.push(cell);
    cells
}
