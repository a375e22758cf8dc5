//! The authorization servers that the OAuth tests consent at, outside the tree: two from npm, two from PyPI, and Debian's
//! Glewlwyd, which is unpacked and not installed: its package would set up a database and a service of this machine.
//!
//! Must not know what is done with them.

use crate::{
    clients, packages,
    shell::{Done, Failure, Step, cache, once},
};
use std::{fs, path::PathBuf};

/// Where tests find the servers.
pub(crate) struct Servers {
    /// The folder that has `oidc-provider` and `oauth2-mock-server`.
    node_modules: PathBuf,
    /// The Python that has `django-oauth-toolkit` and `oidc-provider-mock`.
    python: PathBuf,
    /// The folder that Glewlwyd was unpacked to.
    glewlwyd: PathBuf,
}

/// What is downloaded and unpacked. Its libraries are installed as ever.
const GLEWLWYD: [&str; 2] = ["glewlwyd", "glewlwyd-common"];

/// Installs what is missing, as locked in `tests/oauth`.
pub(crate) fn install() -> Done<Servers> {
    Ok(Servers {
        node_modules: clients::node("tests/oauth", "oauth")?,
        python: clients::python("tests/oauth/requirements.txt", "oauth-python")?,
        glewlwyd: glewlwyd()?,
    })
}

impl Servers {
    /// Names them to a step.
    pub(crate) fn named_to(&self, step: Step) -> Step {
        step.var("CLAVIGER_TEST_OAUTH_MODULES", &self.node_modules)
            .var("CLAVIGER_TEST_OAUTH_PYTHON", &self.python)
            .var("CLAVIGER_TEST_GLEWLWYD", &self.glewlwyd)
    }
}

fn glewlwyd() -> Done<PathBuf> {
    let home = cache().join("glewlwyd");
    let libraries = match libraries() {
        found if found.is_empty() => {
            packages::refresh()?;
            libraries()
        }
        found => found,
    };
    if libraries.is_empty() {
        return Err(Failure::new(
            "the package lists of this system have no glewlwyd",
            "the OAuth tests run against Debian's package of it; use Debian 12 or a system that has it",
        ));
    }
    packages::install_named("to test OAuth against Glewlwyd", &libraries)?;
    fs::create_dir_all(&home).map_err(|e| Failure::io("cannot make", &home, &e))?;
    let root = home.join("root");
    once(&home.join("claviger-installed"), GLEWLWYD[0], || {
        let _ = fs::remove_dir_all(&root);
        // Its own user cannot write into the cache, and the packages are checked all the same.
        let download = ["-q", "-o", "APT::Sandbox::User=root", "download"];
        let fetch = || Step::new("apt-get").args(download).args(GLEWLWYD).dir(&home).run();
        fetch().or_else(|_| packages::refresh().and_then(|()| fetch()))?;
        let files = fs::read_dir(&home).map_err(|e| Failure::io("cannot read", &home, &e))?;
        for file in files.flatten().map(|f| f.path()).filter(|p| p.extension().is_some_and(|e| e == "deb")) {
            Step::new("dpkg-deb").args(["--extract"]).args([&file, &root]).run()?;
            fs::remove_file(&file).map_err(|e| Failure::io("cannot remove", &file, &e))?;
        }
        Ok(())
    })?;
    Ok(root)
}

/// The libraries that Glewlwyd needs on this system.
fn libraries() -> Vec<String> {
    let said = Step::new("apt-cache").args(["depends", GLEWLWYD[0]]).ask().unwrap_or_default();
    let names = said.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    let mut names: Vec<String> = names.filter(|name| name.starts_with("lib")).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}
