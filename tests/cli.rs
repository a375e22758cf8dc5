//! The command line's words, one case a file in `tests/cli/`: arguments and stdin in; stdout, stderr and exit code
//! out. `TRYCMD=overwrite` writes down what it says now; read the difference before you commit it.

use claviger_testkit::Home;
use trycmd::TestCases;
use trycmd::schema::Bin;

use crate::journeys::BIN;

fn cases(home: &Home) -> TestCases {
    let cases = TestCases::new();
    cases
        .register_bin("claviger", Bin::Path(BIN.into()))
        .env("CLAVIGER_HOME", home.path().to_str().unwrap())
        .env("NO_COLOR", "1")
        .timeout(std::time::Duration::from_secs(60));
    cases
}

#[test]
fn without_a_vault() {
    let home = Home::new(BIN);
    cases(&home).case("tests/cli/absent/*.toml").run();
    assert!(!home.path().join("vault.db").exists(), "none of these makes a vault");
}

#[test]
fn with_a_locked_vault_and_no_engine() {
    let home = Home::with_vault(BIN);
    // One after the other: without an engine each command opens the vault itself, and one at a time may.
    let mut files: Vec<_> =
        std::fs::read_dir("tests/cli/locked").unwrap().flatten().map(|e| e.path()).collect();
    files.sort();
    assert!(files.len() >= 8, "only {} cases", files.len());
    for file in files {
        cases(&home).case(file).run();
    }
}

#[test]
fn with_a_running_engine() {
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    home.json(
        &["service", "add", "mine", "--base-url", "https://api.example.com/v1", "--auth", "bearer"],
        "",
    );
    home.json(&["credential", "add", "key", "--service", "mine", "--secret-stdin"], "sk-0123456789abcdef");
    home.json(&["agent", "add", "bot"], "");
    home.json(&["grant", "add", "bot", "key", "--method", "GET", "--path", "/v1/models"], "");
    cases(&home).case("tests/cli/running/*.toml").run();
}
