//! Rules about Rust source: how files begin, how long they are, where `unsafe` and exposed material may stand.
//!
//! Must not know more of Rust than lines.

use super::{File, assert_none, files, root};

/// No file is longer than a sitting.
const LONGEST: usize = 800;

/// How far above an exposure its reason may stand.
const REASON_WITHIN: usize = 3;

type Rule = fn(&File) -> Vec<String>;

fn begins_with_its_purpose(file: &File) -> Vec<String> {
    let begins = file.text.starts_with("//! ");
    if begins { vec![] } else { vec![format!("{}:1 does not begin with `//! …`", file.path)] }
}

fn is_short_enough(file: &File) -> Vec<String> {
    let length = file.text.lines().count();
    if length <= LONGEST { vec![] } else { vec![format!("{} has {length} lines", file.path)] }
}

fn has_unsafe_only_in_platform(file: &File) -> Vec<String> {
    if file.path.starts_with("crates/platform/") {
        return vec![];
    }
    let forms =
        ["{", "fn ", "impl ", "extern ", "trait ", "(no_mangle"].map(|form| format!("{}safe {form}", "un"));
    let is_fault = |line: &str| forms.iter().any(|form| code(line).contains(form.as_str()));
    file.lines()
        .filter(|(_, l)| is_fault(l))
        .map(|(n, l)| format!("{}:{n} {}", file.path, l.trim()))
        .collect()
}

fn says_why_it_exposes(file: &File) -> Vec<String> {
    let call = concat!(".exp", "ose()");
    let lines: Vec<(usize, &str)> = file.product_lines().collect();
    let has_reason = |at: usize| {
        let from = at.saturating_sub(REASON_WITHIN);
        lines[from..=at].iter().any(|(_, line)| line.contains("// EXPOSE: "))
    };
    let exposes = lines.iter().enumerate().filter(|(_, (_, line))| code(line).contains(call));
    exposes
        .filter(|(at, _)| !has_reason(*at))
        .map(|(_, (n, l))| format!("{}:{n} {}", file.path, l.trim()))
        .collect()
}

fn names_nothing_get(file: &File) -> Vec<String> {
    let is_fault = |line: &str| code(line).contains(concat!("pub fn g", "et_"));
    file.product_lines()
        .filter(|(_, l)| is_fault(l))
        .map(|(n, l)| format!("{}:{n} {}", file.path, l.trim()))
        .collect()
}

fn asks_for_no_system(file: &File) -> Vec<String> {
    let is_fault = |line: &str| code(line).contains(concat!("cfg(target", "_os"));
    file.lines()
        .filter(|(_, l)| is_fault(l))
        .map(|(n, l)| format!("{}:{n} {}", file.path, l.trim()))
        .collect()
}

fn reads_no_clock(file: &File) -> Vec<String> {
    let clocks = ["SystemTime", "Instant::now", "Utc::now", "Local::now", "Timestamp::now"];
    let is_fault = |line: &str| clocks.iter().any(|clock| code(line).contains(clock));
    file.product_lines()
        .filter(|(_, l)| is_fault(l))
        .map(|(n, l)| format!("{}:{n} {}", file.path, l.trim()))
        .collect()
}

/// The line without its comment.
fn code(line: &str) -> &str {
    let trimmed = line.trim_start();
    if trimmed.starts_with("//") { "" } else { trimmed.split(" // ").next().unwrap_or(trimmed) }
}

fn faults_of(rule: Rule, of: impl Fn(&File) -> bool) -> Vec<String> {
    files(&[".rs"]).iter().filter(|file| of(file)).flat_map(rule).collect()
}

fn anywhere(_: &File) -> bool {
    true
}

#[test]
fn every_file_says_what_it_is() {
    assert_none("the first line says what a file is:", &faults_of(begins_with_its_purpose, anywhere));
}

#[test]
fn no_file_is_too_long() {
    assert_none("split it before the third concept enters:", &faults_of(is_short_enough, anywhere));
}

#[test]
fn only_platform_is_unsafe() {
    assert_none("one room to review, crates/platform:", &faults_of(has_unsafe_only_in_platform, anywhere));
}

#[test]
fn every_exposure_says_why() {
    assert_none(
        "each exposure of material has an `// EXPOSE: ` reason above it:",
        &faults_of(says_why_it_exposes, anywhere),
    );
}

#[test]
fn no_function_is_named_get() {
    assert_none("a getter is named by its noun:", &faults_of(names_nothing_get, anywhere));
}

#[test]
fn only_platform_asks_for_the_system() {
    let is_room =
        |file: &File| file.path.starts_with("crates/") && !file.path.starts_with("crates/platform/");
    assert_none(
        "what differs between systems lives in crates/platform:",
        &faults_of(asks_for_no_system, is_room),
    );
}

#[test]
fn pure_rooms_read_no_clock() {
    let pure = [
        "crates/policy/src/",
        "crates/crypto/src/",
        "crates/vault/src/",
        "crates/meter/src/",
        "crates/proxy/src/route",
    ];
    let is_pure = |file: &File| pure.iter().any(|room| file.path.starts_with(room));
    assert_none("`now` is an argument here:", &faults_of(reads_no_clock, is_pure));
}

#[test]
fn every_package_keeps_the_lints() {
    let manifests = files(&["Cargo.toml"]);
    assert!(manifests.len() >= 16, "the search found {} manifests", manifests.len());
    let is_fault = |file: &&File| {
        !file.text.contains("[lints]\nworkspace = true") && !file.path.starts_with("crates/platform/")
    };
    let faults: Vec<String> = manifests.iter().filter(is_fault).map(|f| f.path.clone()).collect();
    assert_none("`[lints] workspace = true`, which forbids `unsafe`, is missing in:", &faults);
    let map = std::fs::read_to_string(root().join("Cargo.toml")).unwrap_or_default();
    assert!(map.contains("unsafe_code = \"forbid\""), "the workspace forbids what only platform may do");
}

#[test]
fn each_rule_finds_its_fault() {
    let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
    let un = "un";
    let call = concat!(".exp", "ose()");
    let long = "//! x\n".repeat(LONGEST + 1);
    let cases: [(Rule, File); 7] = [
        (begins_with_its_purpose, file("crates/a/src/lib.rs", "use std::fs;\n")),
        (is_short_enough, file("crates/a/src/lib.rs", &long)),
        (has_unsafe_only_in_platform, file("crates/a/src/lib.rs", &format!("let x = {un}safe {{ f() }};\n"))),
        (
            says_why_it_exposes,
            file("crates/a/src/lib.rs", &format!("// EXPOSE: far\n\n\n\nlet x = s{call};\n")),
        ),
        (names_nothing_get, file("crates/a/src/lib.rs", concat!("pub fn g", "et_name() {}\n"))),
        (asks_for_no_system, file("crates/a/src/lib.rs", concat!("#[cfg(target", "_os = \"linux\")]\n"))),
        (reads_no_clock, file("crates/policy/src/lib.rs", "let now = std::time::SystemTime::now();\n")),
    ];
    for (i, (rule, faulty)) in cases.iter().enumerate() {
        assert_eq!(rule(faulty).len(), 1, "rule {i} does not find a fault made for it");
    }
    let fine = file("crates/a/src/lib.rs", &format!("//! a\n// EXPOSE: because\nlet x = s{call};\n"));
    assert!(cases.iter().all(|(rule, _)| rule(&fine).is_empty()), "a rule finds a fault where none is");
}
