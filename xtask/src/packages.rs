//! The system's packages: which are needed for what, which are missing, and their installation.
//!
//! Must not know cargo or npm.

use crate::shell::{Done, Failure, Step};

/// A set of Debian packages and the reason for it.
pub(crate) struct Need {
    why: &'static str,
    packages: &'static [&'static str],
}

/// A C toolchain: the cryptography and SQLite are compiled from source.
pub(crate) const COMPILER: Need =
    Need { why: "to compile SQLite and AWS-LC", packages: &["build-essential", "pkg-config"] };

/// What the window is built on. The tray library is opened at run time.
pub(crate) const WINDOW: Need = Need {
    why: "for the window and the tray icon",
    packages: &["libwebkit2gtk-4.1-dev", "libayatana-appindicator3-1"],
};

/// A private desktop in which the real window is driven.
pub(crate) const PRIVATE_DESKTOP: Need = Need {
    why: "to test the real window: a display, a WebDriver, a keychain and a message bus of its own",
    packages: &["xvfb", "webkit2gtk-driver", "gnome-keyring", "dbus", "fonts-dejavu-core", "imagemagick"],
};

/// The page alone, in a browser.
pub(crate) const BROWSER: Need = Need { why: "to test the page in a browser", packages: &["chromium"] };

/// The official Python clients run in an environment of their own.
pub(crate) const PYTHON: Need =
    Need { why: "to test with the official Python clients", packages: &["python3", "python3-venv"] };

/// The practical limit that the proxy is measured against.
pub(crate) const NGINX: Need =
    Need { why: "to measure the proxy against nginx", packages: &["nginx-light", "util-linux"] };

/// Installs what is missing of `needs`, and says what and why. Silent and quick when nothing is.
pub(crate) fn install(needs: &[Need]) -> Done {
    let missing: Vec<(&str, Vec<&str>)> = needs
        .iter()
        .map(|need| (need.why, need.packages.iter().copied().filter(|p| !is_installed(p)).collect()))
        .collect();
    install_missing(&missing)
}

/// The same for packages whose names are known at run time only.
pub(crate) fn install_named(why: &str, packages: &[String]) -> Done {
    let missing: Vec<&str> = packages.iter().map(String::as_str).filter(|p| !is_installed(p)).collect();
    install_missing(&[(why, missing)])
}

fn install_missing(missing: &[(&str, Vec<&str>)]) -> Done {
    let names: Vec<&str> = missing.iter().flat_map(|(_, packages)| packages.iter().copied()).collect();
    if names.is_empty() {
        return Ok(());
    }
    eprintln!("Missing system packages:");
    for (why, packages) in missing.iter().filter(|(_, packages)| !packages.is_empty()) {
        eprintln!("  {}  ({why})", packages.join(" "));
    }
    if Step::new("apt-get").args(["--version"]).ask().is_none() {
        return Err(Failure::new(
            "this system has no apt-get, so nothing was installed",
            format!(
                "install what corresponds to these Debian packages, then run this again: {}",
                names.join(" ")
            ),
        ));
    }
    apt(&["update"])?;
    let install: Vec<&str> =
        ["install", "-y", "--no-install-recommends"].into_iter().chain(names.iter().copied()).collect();
    // A second try: package lists and archives may change, or be cleaned, between two steps of the first.
    apt(&install).or_else(|_| apt(&["update"]).and_then(|()| apt(&install))).map_err(|_| {
        Failure::new(
            "the packages could not be installed",
            format!("install them by hand, then run this again: {}", names.join(" ")),
        )
    })
}

/// Reads the package lists anew.
pub(crate) fn refresh() -> Done {
    apt(&["update"])
}

fn is_installed(package: &str) -> bool {
    Step::new("dpkg-query")
        .args(["--show", "--showformat=${db:Status-Status}\n", package])
        .ask()
        .is_some_and(|status| status.lines().any(|line| line == "installed"))
}

/// `apt-get`, as root: directly, or by sudo, which asks for the password itself.
fn apt(args: &[&str]) -> Done {
    let is_root = Step::new("id").args(["-u"]).ask().is_some_and(|uid| uid == "0");
    // Given by `env` rather than by our own environment, which sudo drops.
    let command = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"];
    let step =
        if is_root { Step::new(command[0]).args(&command[1..]) } else { Step::new("sudo").args(command) };
    step.args(args).run()
}
