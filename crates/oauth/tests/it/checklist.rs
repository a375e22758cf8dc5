//! `docs/oauth.md` names tests that exist, and has every line of the checklist.

use std::collections::BTreeSet;
use std::path::Path;

fn sources(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.path() {
            path if path.is_dir() => sources(&path, into),
            path => into.push_str(&std::fs::read_to_string(path).unwrap()),
        }
    }
}

#[test]
fn every_line_has_its_row_and_every_named_test_exists() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(here.join("../../docs/oauth.md")).unwrap();
    let mut code = String::new();
    sources(&here.join("src"), &mut code);
    sources(&here.join("tests"), &mut code);
    let mut lines = BTreeSet::new();
    for row in document.lines().filter(|l| l.starts_with("| O-")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        lines.insert(cells[1].to_owned());
        for name in cells[3].split('`').skip(1).step_by(2).filter(|n| n.starts_with('o') && n.len() > 20) {
            assert!(code.contains(&format!("fn {name}(")), "{}: there is no test {name}", cells[1]);
        }
    }
    let expected: BTreeSet<String> = (1..=80).map(|n| format!("O-{n:02}")).collect();
    assert_eq!(lines, expected, "every line once");
}
