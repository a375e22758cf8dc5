//! The official Python and Node clients that the journeys drive, in environments of their own outside the tree.
//!
//! Must not know what the journeys do with them.

use crate::shell::{Done, Failure, Step, cache, fingerprint, once, root};
use std::{fs, path::PathBuf};

/// Where tests find the clients.
pub(crate) struct Clients {
    /// The Python that has `openai` and `anthropic`.
    pub(crate) python: PathBuf,
    /// The folder that has `openai` and `@anthropic-ai/sdk`.
    pub(crate) node_modules: PathBuf,
}

/// Makes the environments as locked in `tests/clients`, unless they are there.
pub(crate) fn install() -> Done<Clients> {
    Ok(Clients {
        python: python("tests/clients/requirements.txt", "python")?,
        node_modules: node("tests/clients/node", "node")?,
    })
}

/// A Python of its own with what this file of the tree pins, in this folder of the cache.
pub(crate) fn python(pinned_in: &str, kept_in: &str) -> Done<PathBuf> {
    let requirements = root().join(pinned_in);
    let home = cache().join(kept_in);
    let python = home.join("bin/python");
    let mark = fingerprint(std::slice::from_ref(&requirements), &[])?;
    if !python.exists() {
        let _ = fs::remove_dir_all(&home);
    }
    once(&home.join("claviger-installed"), &mark, || {
        Step::new("python3").args(["-m", "venv", "--clear"]).args([&home]).run()?;
        // Everything is pinned in the file, so nothing is resolved here.
        Step::new(&python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--requirement",
            ])
            .args([&requirements])
            .run()
    })?;
    Ok(python)
}

/// The packages that are locked in this folder of the tree, in this folder of the cache.
pub(crate) fn node(locked_in: &str, kept_in: &str) -> Done<PathBuf> {
    let source = root().join(locked_in);
    let home = cache().join(kept_in);
    fs::create_dir_all(&home).map_err(|e| Failure::io("cannot make", &home, &e))?;
    let manifests = ["package.json", "package-lock.json"];
    let mark = fingerprint(&manifests.map(|name| source.join(name)), &[])?;
    once(&home.join("claviger-installed"), &mark, || {
        for name in manifests {
            fs::copy(source.join(name), home.join(name))
                .map_err(|e| Failure::io("cannot copy", &source.join(name), &e))?;
        }
        Step::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).dir(&home).run()
    })?;
    Ok(home.join("node_modules"))
}
