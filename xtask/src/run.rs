//! `run` and `build`: from a fresh clone to the open window.
//!
//! Must not know tests.

use crate::{
    packages,
    shell::{Done, Failure, Step, target},
    ui,
};

/// Builds what this machine can show and opens it.
pub(crate) fn run(args: &[String]) -> Done {
    if has_display() {
        build()?;
        eprintln!("\nOpening Claviger. Closing the window keeps it in the tray; Quit is in the tray's menu.");
        return Step::new(release("claviger-desktop")).args(args).run();
    }
    eprintln!(
        "There is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set), so no window can open.\n\
         Running the same job in the terminal instead: claviger demo."
    );
    packages::install(&[packages::COMPILER])?;
    // Without the window: no GTK, no page, and a much shorter build.
    Step::cargo(["build", "--release", "--package", "claviger", "--bin", "claviger"]).run()?;
    Step::new(release("claviger")).args(["demo"]).run()
}

/// Both release programs.
pub(crate) fn build() -> Done {
    packages::install(&[packages::COMPILER, packages::WINDOW])?;
    ui::build()?;
    Step::cargo(["build", "--release", "--package", "claviger", "--bins", "--features", "desktop"]).run()
}

fn release(program: &str) -> std::path::PathBuf {
    target().join("release").join(format!("{program}{}", std::env::consts::EXE_SUFFIX))
}

/// The command line alone, as it is measured.
pub(crate) fn build_terminal_program() -> Done<std::path::PathBuf> {
    Step::cargo(["build", "--release", "--package", "claviger", "--bin", "claviger"]).run()?;
    let program = release("claviger");
    if program.exists() {
        Ok(program)
    } else {
        Err(Failure::new(
            format!("{} was not built", program.display()),
            "is build.target-dir set somewhere?",
        ))
    }
}

fn has_display() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")
}
