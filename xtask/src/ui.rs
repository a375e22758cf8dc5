//! The page: its packages, its build, its own checks.
//!
//! Must not know the Rust side, except that the programs embed `ui/dist`.

use crate::shell::{Done, Failure, Step, fingerprint, once, root};
use std::path::PathBuf;

fn folder() -> PathBuf {
    root().join("ui")
}

/// `npm ARGS` in the page's folder.
pub(crate) fn npm<const N: usize>(args: [&str; N]) -> Step {
    Step::new("npm").args(args).dir(folder())
}

/// The page's packages, exactly as locked. No package's install script runs.
pub(crate) fn install() -> Done {
    let lock = folder().join("package-lock.json");
    if !lock.exists() {
        return Err(Failure::new(
            "ui/package-lock.json is missing",
            "restore it from git: git checkout ui/package-lock.json",
        ));
    }
    let mark = fingerprint(&[folder().join("package.json"), lock], &[])?;
    once(&folder().join("node_modules/.claviger-installed"), &mark, || {
        npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).run()
    })
}

/// `ui/dist`, which the window's program embeds.
pub(crate) fn build() -> Done {
    install()?;
    let mark = fingerprint(&[folder()], &["node_modules", "dist", ".svelte-kit"])?;
    let is_built = folder().join("dist/index.html").exists();
    // The stamp lies beside the packages, not in `dist`: everything there is embedded.
    let stamp = folder().join("node_modules/.claviger-built");
    once(&stamp, if is_built { &mark } else { "" }, || npm(["run", "build"]).run())?;
    std::fs::write(&stamp, mark).map_err(|e| Failure::io("cannot write", &stamp, &e))
}
