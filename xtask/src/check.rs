//! `check`: everything that a reviewer should not have to say.
//!
//! Must not know the rules themselves: they stand in rustfmt.toml, clippy.toml, Cargo.toml and tests/tidy.rs.

use crate::{
    cargo_workspace, generate, packages,
    shell::{Done, Step},
    ui,
};

/// Formatting, lints, tidiness, generated types, the page's types; stops at the first that fails.
pub(crate) fn all() -> Done {
    Step::cargo(["fmt", "--all", "--check"]).run()?;
    packages::install(&[packages::COMPILER, packages::WINDOW])?;
    // Before the lints: the window's program does not compile without the page.
    ui::build()?;
    cargo_workspace("clippy").args(["--all-targets", "--", "--deny", "warnings"]).run()?;
    cargo_workspace("test").args(["--quiet", "--test", "it", "tidy"]).run()?;
    if Step::cargo(["deny", "--version"]).ask().is_some() {
        Step::cargo(["deny", "check", "bans", "licenses", "sources"]).run()?;
    } else {
        eprintln!("\ncargo-deny is not installed: licences and banned crates were not looked at");
    }
    generate::verify()?;
    ui::npm(["run", "check"]).run()?;
    println!("\nAll checks passed.");
    Ok(())
}
