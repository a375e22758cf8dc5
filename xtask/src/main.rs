//! The workshop's commands: run, build, test, check, gen, bench, faults, oauth-matrix, shots.
//!
//! Must not know the product's crates: it starts in seconds because it depends on nearly nothing, and it drives
//! cargo, npm and the system's package tool from outside.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command whose output is for people")]

mod bench;
mod check;
mod clients;
mod generate;
mod packages;
mod run;
mod servers;
mod shell;
mod tally;
mod test;
mod ui;

use shell::{Failure, Step};
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  run            install what is missing, build, open the app (no display: the same job in the terminal)
  build          build both release programs
  test           install what tests need, then run all tests
  check          formatting, lints, tidiness, generated types, page types
  gen            write the page's types from the contract          (also: cargo gen)
  bench          measure the proxy beside nginx and a bare proxy   [--quick] [--rounds N] [--no-write]
  faults         every bit flip of a vault, ten thousand kills, a million forged tokens
  oauth-matrix   do each thing at each authorization server, write docs/oauth-matrix.md
  shots          screenshots of the real window, light and dark
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = args.split_first().map_or(("help", &[][..]), |(c, r)| (c.as_str(), r));
    let done = match command {
        "run" => run::run(rest),
        "build" => run::build(),
        "test" => test::all(),
        "check" => check::all(),
        "gen" => generate::write(),
        "bench" => bench::compare(rest),
        "faults" => test::faults(),
        "oauth-matrix" => test::oauth_matrix(),
        "shots" => test::shots(),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(Failure::new(format!("there is no command `{other}`"), "see: cargo xtask help")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Cargo's arguments for the one feature set that everything is built and tested with, so that nothing is built twice.
const ONE_FEATURE_SET: [&str; 3] = ["--workspace", "--features", "desktop,e2e"];

/// `cargo VERB` over the whole workspace in the one feature set.
fn cargo_workspace(verb: &str) -> Step {
    Step::cargo([verb]).args(ONE_FEATURE_SET)
}
