//! Who may depend on whom. The table repeats, exactly, the layers drawn in the root `Cargo.toml`.
//!
//! Must not know why a crate needs another; a new edge is a decision, made here and there together.

use super::{assert_none, root};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

/// Each of our packages and which of ours it may use. Nothing else may.
const MAY_USE: [(&str, &[&str]); 19] = [
    ("claviger-secret", &[]),
    ("claviger-model", &[]),
    ("claviger-crypto", &["claviger-secret"]),
    ("claviger-policy", &["claviger-model"]),
    ("claviger-catalog", &["claviger-model"]),
    ("claviger-meter", &["claviger-model"]),
    ("claviger-platform", &["claviger-secret"]),
    ("claviger-vault", &["claviger-secret", "claviger-model", "claviger-crypto"]),
    ("claviger-audit", &["claviger-secret", "claviger-model", "claviger-crypto"]),
    ("claviger-oauth", &["claviger-secret", "claviger-model", "claviger-crypto"]),
    ("claviger-proxy", &["claviger-secret", "claviger-model", "claviger-policy", "claviger-meter"]),
    (
        "claviger-engine",
        &[
            "claviger-secret",
            "claviger-model",
            "claviger-crypto",
            "claviger-policy",
            "claviger-catalog",
            "claviger-meter",
            "claviger-platform",
            "claviger-vault",
            "claviger-audit",
            "claviger-oauth",
            "claviger-proxy",
        ],
    ),
    ("claviger-api", &["claviger-secret", "claviger-model", "claviger-engine", "claviger-platform"]),
    ("claviger-mcp", &["claviger-api"]),
    ("claviger-cli", &["claviger-secret", "claviger-api", "claviger-mcp", "claviger-platform"]),
    ("claviger", &["claviger-api", "claviger-cli", "claviger-engine", "claviger-mcp", "claviger-platform"]),
    // Doubles stand beside the product, not in it.
    ("claviger-testkit", &[]),
    // Neither knows the product: one drives it from outside, the other measures it from outside.
    ("xtask", &[]),
    ("claviger-bench", &[]),
];

/// What must not be anywhere below a package, and why.
const MUST_NOT_REACH: [(&str, &[&str], &str); 7] = [
    (
        "claviger-secret",
        &["serde", "serde_core", "tokio"],
        "what can be serialised sits on a boundary; material never does",
    ),
    ("claviger-model", &["tokio", "hyper", "rusqlite"], "the nouns are pure data"),
    ("claviger-crypto", &["tokio", "hyper", "rusqlite", "chrono", "serde"], "no IO, no clock, no formats"),
    (
        "claviger-policy",
        &["tokio", "hyper", "http", "futures-util", "rusqlite"],
        "a decision is pure and total",
    ),
    (
        "claviger-vault",
        &["hyper", "http", "reqwest", "h2", "rustls", "tokio"],
        "the format outlives every protocol",
    ),
    (
        "claviger-oauth",
        &["rusqlite", "reqwest", "claviger-vault", "claviger-proxy"],
        "it keeps tokens through a trait and has one HTTP client",
    ),
    ("claviger-proxy", &["rusqlite", "claviger-vault", "claviger-audit"], "it sees doors, never a store"),
];

/// The window's libraries: only the root package may reach them.
const WINDOW: [&str; 6] = ["tauri", "gtk", "webkit2gtk", "wry", "tao", "tauri-build"];

fn cargo(args: &[&str]) -> String {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program).args(args).current_dir(root()).output().expect("cargo starts");
    assert!(output.status.success(), "cargo {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Our packages' direct dependencies: (name, is one for tests only).
fn ours() -> BTreeMap<String, Vec<(String, bool)>> {
    let printed = cargo(&["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&printed).expect("cargo metadata prints JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    list(&metadata["packages"])
        .iter()
        .map(|package| {
            let dependencies = list(&package["dependencies"]);
            let dependencies = dependencies.iter().map(|d| (text(&d["name"]), d["kind"] == "dev"));
            (text(&package["name"]), dependencies.collect())
        })
        .collect()
}

/// Everything below a package as it is built alone for this system, by name; tests' own dependencies do not count.
fn tree_of(package: &str, more: &[&str]) -> BTreeSet<String> {
    let tree = [
        "tree",
        "--offline",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}",
        "--package",
        package,
    ];
    let printed = cargo(&[&tree[..], more].concat());
    printed
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| *name != package)
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_package_is_in_the_table() {
    let known: BTreeSet<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    let found = ours();
    let found: BTreeSet<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(found, known, "a package and its place among the layers are decided together");
}

#[test]
fn dependencies_point_downwards_only() {
    let ours = ours();
    let mut faults = Vec::new();
    for (package, allowed) in MAY_USE {
        for (name, for_tests) in &ours[package] {
            let is_double = *for_tests && name == "claviger-testkit";
            if ours.contains_key(name) && !allowed.contains(&name.as_str()) && !is_double {
                faults.push(format!("{package} uses {name}"));
            }
        }
    }
    assert_none("this dependency points the wrong way:", &faults);
}

#[test]
fn nothing_reaches_what_it_must_not_know() {
    let mut faults = Vec::new();
    for (package, banned, why) in MUST_NOT_REACH {
        let tree = tree_of(package, &[]);
        faults.extend(
            banned.iter().filter(|b| tree.contains(**b)).map(|b| format!("{package} reaches {b}: {why}")),
        );
    }
    assert_none("a room knows what it must not know:", &faults);
}

#[test]
fn only_the_root_reaches_the_window() {
    let mut faults = Vec::new();
    for package in ours().keys().filter(|name| *name != "claviger") {
        let tree = tree_of(package, &[]);
        faults.extend(WINDOW.iter().filter(|b| tree.contains(**b)).map(|b| format!("{package} reaches {b}")));
    }
    assert_none("everything but the window builds without GTK:", &faults);
}

#[test]
fn the_search_sees_the_whole_tree() {
    let product = tree_of("claviger", &["--features", "desktop"]);
    for name in ["claviger-secret", "hyper", "rusqlite", "serde_core", "tauri"] {
        assert!(product.contains(name), "the product reaches {name}, so a search that misses it is broken");
    }
}
