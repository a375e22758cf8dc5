//! `test`: everything that can fail, in one command. `faults` and `shots`: the long and the pictured part of it.
//!
//! Must not know what is tested.

use crate::{
    cargo_workspace, clients, packages, servers,
    shell::{Done, Failure, Step},
    tally::Tally,
    ui,
};
use std::time::{Duration, Instant};

/// One row of the closing table.
struct Row {
    name: &'static str,
    tally: Tally,
    took: Duration,
}

/// Installs what tests need and runs all of them, to the end even when some fail.
pub(crate) fn all() -> Done {
    packages::install(&[
        packages::COMPILER,
        packages::WINDOW,
        packages::PRIVATE_DESKTOP,
        packages::BROWSER,
        packages::PYTHON,
    ])?;
    let clients = clients::install()?;
    let servers = servers::install()?;
    ui::build()?;

    let rust = cargo_workspace("test")
        .args(["--no-fail-fast"])
        .var("CLAVIGER_TEST_PYTHON", clients.python)
        .var("CLAVIGER_TEST_NODE_MODULES", clients.node_modules);
    let rows = [
        counted("rust", servers.named_to(rust))?,
        counted("page: types", ui::npm(["run", "check"]))?,
        counted("page: units", ui::npm(["test"]))?,
        counted("page: in a browser", ui::npm(["run", "test:ui"]))?,
    ];
    summary(&rows)
}

/// Does each thing at each authorization server and writes what came of it to `docs/oauth-matrix.md`.
pub(crate) fn oauth_matrix() -> Done {
    packages::install(&[packages::COMPILER, packages::PYTHON])?;
    let servers = servers::install()?;
    let step = Step::cargo(["test", "--package", "claviger-oauth", "--test", "it", "matrix"]);
    servers.named_to(step).var("CLAVIGER_OAUTH_MATRIX", "write").args(["--", "--nocapture"]).run()
}

/// Every single-bit flip of a vault, and many more kills, storms and mutants than the everyday run has time for.
pub(crate) fn faults() -> Done {
    packages::install(&[packages::COMPILER])?;
    let step = Step::cargo(["test", "--release", "--package", "claviger-vault", "--no-fail-fast"])
        .var("CLAVIGER_FLIPS", "all")
        .var("CLAVIGER_KILLS", "10000")
        .args(["--", "--nocapture"]);
    let oauth = Step::cargo(["test", "--release", "--package", "claviger-oauth", "--test", "it", "storm"])
        .var("CLAVIGER_OAUTH_STORMS", "10000")
        .var("CLAVIGER_OAUTH_KILLS", "1000")
        .args(["--", "--nocapture"]);
    let tokens = Step::cargo(["test", "--release", "--package", "claviger-engine", "--lib", "mutants"])
        .var("CLAVIGER_MUTANTS", "1000000")
        .args(["--", "--nocapture"]);
    summary(&[counted("faults", step)?, counted("faults: oauth", oauth)?, counted("faults: tokens", tokens)?])
}

/// Drives the real window through each screen and writes `docs/screenshots`.
pub(crate) fn shots() -> Done {
    packages::install(&[
        packages::COMPILER,
        packages::WINDOW,
        packages::PRIVATE_DESKTOP,
        packages::BROWSER,
        packages::PYTHON,
    ])?;
    let servers = servers::install()?;
    ui::build()?;
    let step = cargo_workspace("test").args(["--test", "desktop"]).var("CLAVIGER_SHOTS", "1");
    servers.named_to(step).run()
}

fn counted(name: &'static str, step: Step) -> Done<Row> {
    let started = Instant::now();
    let mut tally = Tally::default();
    let succeeded = step.run_reading(|line| tally.read(line))?;
    // A runner that fails without naming a test (it did not compile, it was killed) still counts as a failure.
    if !succeeded && tally.failed == 0 {
        tally.failed = 1;
    }
    // And one that counted a failure has failed, whatever it returned.
    Ok(Row { name, tally, took: started.elapsed() })
}

fn summary(rows: &[Row]) -> Done {
    let mut total = Tally::default();
    println!();
    for row in rows {
        total += row.tally;
        println!(
            "{:<20} {:>6} ok {:>6} failed {:>7.1} s",
            row.name,
            row.tally.passed,
            row.tally.failed,
            row.took.as_secs_f64()
        );
    }
    println!("\n{} passed, {} failed", total.passed, total.failed);
    match (total.failed, total.passed) {
        (0, 0) => Err(Failure::new("no test ran", "look above for the reason")),
        (0, _) => Ok(()),
        _ => Err(Failure::new("some tests failed", "their names stand above, under `failures:`")),
    }
}
