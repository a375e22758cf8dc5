//! Rules about every text in the tree, and about the page's one door to the engine.
//!
//! Must not know the page's framework.

use super::{File, assert_none, files};

/// Words that promise work to nobody. Work that is left to do is an issue.
const PROMISES: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

const TEXTS: [&str; 10] = [".rs", ".ts", ".svelte", ".js", ".mjs", ".py", ".toml", ".md", ".css", ".html"];

fn promises_nothing(file: &File) -> Vec<String> {
    let is_fault = |line: &str| {
        let mut words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.any(|word| PROMISES.contains(&word))
    };
    file.lines()
        .filter(|(_, l)| is_fault(l))
        .map(|(n, l)| format!("{}:{n} {}", file.path, l.trim()))
        .collect()
}

fn goes_through_the_door(file: &File) -> Vec<String> {
    let is_fault = |line: &str| {
        ["@tauri-apps/", "__TAURI__", "__TAURI_INTERNALS__."].iter().any(|way| line.contains(way))
    };
    if file.path.starts_with("ui/src/ipc/") {
        return vec![];
    }
    file.lines()
        .filter(|(_, l)| is_fault(l))
        .map(|(n, l)| format!("{}:{n} {}", file.path, l.trim()))
        .collect()
}

#[test]
fn no_text_promises_work() {
    let faults: Vec<String> = files(&TEXTS).iter().flat_map(promises_nothing).collect();
    assert_none("file an issue instead:", &faults);
}

#[test]
fn the_page_has_one_door() {
    let page = files(&[".ts", ".svelte", ".js"]);
    let faults: Vec<String> =
        page.iter().filter(|f| f.path.starts_with("ui/src/")).flat_map(goes_through_the_door).collect();
    assert_none("only ui/src/ipc speaks to the engine:", &faults);
}

#[test]
fn each_rule_finds_its_fault() {
    let promise = File { path: "crates/a.rs".into(), text: format!("// {}: later\n", PROMISES[0]) };
    assert_eq!(promises_nothing(&promise).len(), 1, "a promise is found");
    let import = |path: &str| File {
        path: path.into(),
        text: "import { invoke } from '@tauri-apps/api/core'\n".into(),
    };
    assert_eq!(goes_through_the_door(&import("ui/src/views/a.ts")).len(), 1, "a second door is found");
    assert_eq!(goes_through_the_door(&import("ui/src/ipc/client.ts")).len(), 0, "the door itself is allowed");
}
