//! Starting over with a clean environment, for a program whose libraries have threads before `main` begins: it cannot
//! take a variable away safely, and what reads it may have read it already. Must not know what the program does.

use crate::harden::{is_injection, is_remote_control};
use crate::locale::to_settle;
use std::ffi::{OsStr, OsString};

/// Set for the second start, so that there is no third.
const MARK: &str = "CLAVIGER_STARTED_CLEAN";

/// Starts this program over when its environment holds anything by which it could be made to run foreign code, to write
/// down keys or, unless `may_be_driven`, to have its window driven or inspected from outside; and when its locale is
/// one that the web view does not know. Comes back with a clean environment. The first line of a `main` with a window,
/// before `harden`.
///
/// An environment that cannot be cleaned ends the process.
pub fn start_clean(may_be_driven: bool) {
    let is_unwanted = |name: &OsStr| is_injection(name) || (!may_be_driven && is_remote_control(name));
    let unwanted: Vec<OsString> =
        std::env::vars_os().map(|(name, _)| name).filter(|name| is_unwanted(name)).collect();
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = to_settle(named("LC_ALL"), named("LC_CTYPE"), named("LANG"));
    if unwanted.is_empty() && locale.is_none() {
        return;
    }
    if std::env::var_os(MARK).is_some() {
        give_up(&format!("these variables came back after they were removed: {unwanted:?} {locale:?}"));
    }
    give_up(&start_over(&unwanted, locale).to_string());
}

/// Turns this process into a new start of the same program. Comes back only when that fails.
#[cfg(unix)]
fn start_over(unwanted: &[OsString], locale: Option<&str>) -> std::io::Error {
    use std::os::unix::process::CommandExt;
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error,
    };
    let mut command = std::process::Command::new(program);
    let mut arguments = std::env::args_os();
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments).env(MARK, "1");
    for name in unwanted {
        command.env_remove(name);
    }
    if let Some(name) = locale {
        command.env(name, "C");
    }
    command.exec()
}

#[cfg(not(unix))]
fn start_over(_unwanted: &[OsString], _locale: Option<&str>) -> std::io::Error {
    std::io::Error::from(std::io::ErrorKind::Unsupported)
}

#[expect(clippy::print_stderr, reason = "there is no log yet")]
fn give_up(why: &str) -> ! {
    eprintln!("error: the environment could not be cleaned: {why}");
    eprintln!(
        "hint: start Claviger without the variables LD_*, SSLKEYLOGFILE, TAURI_WEBVIEW_AUTOMATION and WEBKIT_INSPECTOR_*"
    );
    std::process::exit(1)
}
