//! How many tests passed and failed, read from the runners' own closing lines.
//!
//! Must not know how a runner is started.

/// Tests counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

// === impl Tally ===

impl Tally {
    /// Adds what a line of a runner's output says, if it is a closing line: cargo's, vitest's, or node's.
    pub(crate) fn read(&mut self, line: &str) {
        let line = without_colour(line);
        let line = line.trim();
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.passed += number_before(counts, "passed");
            self.failed += number_before(counts, "failed");
        } else if let Some(counts) = line.strip_prefix("Tests ") {
            self.passed += number_before(counts, "passed");
            self.failed += number_before(counts, "failed");
        } else if let Some(count) = node_count(line, "pass") {
            self.passed += count;
        } else if let Some(count) = node_count(line, "fail") {
            self.failed += count;
        } else if is_plain(line) {
            self.passed += number_before(line, "passed");
            self.failed += number_before(line, "failed");
        }
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// The number that stands before `word`: 3 in `2 failed | 3 passed (5)`.
fn number_before(text: &str, word: &str) -> u64 {
    let mut before = "";
    for token in text.split([' ', ';', '.', ',', '|', '(', ')']).filter(|t| !t.is_empty()) {
        if token == word {
            return before.parse().unwrap_or(0);
        }
        before = token;
    }
    0
}

/// `# pass 3` (TAP) and `ℹ pass 3` (spec), the closing lines of node's own runner.
fn node_count(line: &str, word: &str) -> Option<u64> {
    let rest = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ "))?;
    rest.strip_prefix(word)?.strip_prefix(' ')?.parse().ok()
}

/// `N passed, N failed`, alone on its line.
fn is_plain(line: &str) -> bool {
    let mut words = line.split([' ', ',']).filter(|w| !w.is_empty());
    let is_number = |w: Option<&str>| w.is_some_and(|w| w.bytes().all(|b| b.is_ascii_digit()));
    is_number(words.next())
        && words.next() == Some("passed")
        && is_number(words.next())
        && words.next() == Some("failed")
}

fn without_colour(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> (u64, u64) {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.read(line));
        (tally.passed, tally.failed)
    }

    #[test]
    fn reads_the_closing_lines_of_each_runner() {
        let cargo = "test result: FAILED. 12 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        assert_eq!(read(&[cargo]), (12, 2), "cargo test");
        assert_eq!(
            read(&[
                "\u{1b}[2m      Tests \u{1b}[22m \u{1b}[31m1 failed\u{1b}[39m | \u{1b}[32m27 passed\u{1b}[39m (28)"
            ]),
            (27, 1),
            "vitest"
        );
        assert_eq!(read(&["ℹ tests 5", "ℹ pass 4", "ℹ fail 1"]), (4, 1), "node, spec");
        assert_eq!(read(&["# pass 4", "# fail 0"]), (4, 0), "node, TAP");
        assert_eq!(read(&["7 passed, 1 failed"]), (7, 1), "the plain line");
    }

    #[test]
    fn counts_nothing_else() {
        let lines =
            ["running 3 tests", "test a_test_that ... ok", "Test Files  4 passed (4)", "we passed 3 gates"];
        assert_eq!(read(&lines), (0, 0), "only closing lines count");
    }
}
