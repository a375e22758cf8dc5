//! `bench`: builds what is measured and hands over to the measuring program in `bench/`.
//!
//! Must not know what is measured.

use crate::{
    packages, run,
    shell::{Done, Step, target},
};

/// Direct, nginx, the bare proxy and Claviger side by side; the table goes to `docs/performance.md`.
pub(crate) fn compare(args: &[String]) -> Done {
    packages::install(&[packages::COMPILER, packages::NGINX])?;
    Step::cargo(["build", "--release", "--package", "claviger-bench", "--bins"]).run()?;
    let claviger = run::build_terminal_program()?;
    Step::new(target().join("release/bench-compare")).args(["--claviger"]).args([claviger]).args(args).run()
}
