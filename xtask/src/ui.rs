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
    require_node()?;
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

/// The page's tools need this Node; an older one fails with words that nobody understands.
const OLDEST_NODE: (u32, u32) = (20, 19);

fn require_node() -> Done {
    let (major, minor) = OLDEST_NODE;
    let remedy = format!(
        "install Node {major}.{minor} or newer with npm (Debian 12's own package is older), then run this again"
    );
    match Step::new("node").args(["--version"]).ask() {
        Some(version) if is_recent(&version) => Ok(()),
        Some(version) => Err(Failure::new(format!("Node {version} is too old for the page's tools"), remedy)),
        None => Err(Failure::new("Node is not installed", remedy)),
    }
}

/// Whether `v20.19.1` is new enough.
fn is_recent(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split('.').map(str::parse);
    matches!((numbers.next(), numbers.next()), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= OLDEST_NODE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_nodes_are_told_from_new_ones() {
        let told: Vec<bool> = ["v18.20.4", "v20.18.9", "v20.19.0", "v24.1.0", "what"].map(is_recent).into();
        assert_eq!(told, [false, false, true, true, false], "from 20.19 on, and never a guess");
    }
}
