//! The tree's own rules, as tests: each failure names the file, the line and the rule.
//!
//! Must not know what the product does, only how its source is laid out. Every rule is a function from a tree to its
//! faults, and is tried on a faulty line first: a rule that finds nothing anywhere proves nothing.

mod directions;
mod source;
mod text;

use std::path::{Path, PathBuf};

/// The work tree.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Folders that are ours to keep tidy.
const OURS: [&str; 7] = ["crates", "src-tauri", "ui", "tests", "xtask", "bench", "docs"];

/// Folders that hold what tools made.
const MADE: [&str; 8] =
    ["target", "node_modules", "dist", "dist-fake", "gen", "generated", ".svelte-kit", "test-results"];

/// A source file.
struct File {
    /// Its path in the tree, with `/`.
    path: String,
    text: String,
}

// === impl File ===

impl File {
    /// The lines with their numbers, from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(i, line)| (i + 1, line))
    }

    /// Whether all of it is a test.
    fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || self.path.contains("/benches/")
            || self.path.ends_with("/tests.rs")
            || self.path.ends_with("_tests.rs")
            || self.path.starts_with("crates/testkit/")
    }

    /// The lines before its test module; the whole of it when there is none. Tests stand last in a file.
    fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = self.text.lines().position(|line| line.trim_start().starts_with("#[cfg(test)]"));
        self.lines().take(if self.is_test() { 0 } else { end.unwrap_or(usize::MAX) })
    }
}

/// Our files with one of these endings.
fn files(endings: &[&str]) -> Vec<File> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = OURS.iter().map(|name| root().join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if !MADE.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                let path = path.strip_prefix(root()).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                found.push(File { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Fails with every fault on a line of its own.
#[track_caller]
fn assert_none(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}\n  {}\n", faults.join("\n  "));
}
