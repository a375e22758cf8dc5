//! Makes this process harder to look into, before it holds anything worth looking for.
//!
//! Must not know what will be held. Everything done here for this process is undone for a program that it turns into
//! ([`crate::become_program`]): that one is the user's.

use std::ffi::{OsStr, OsString};
use std::sync::OnceLock;

/// What was there before, for a program that this process turns into.
#[derive(Debug, Default)]
pub(crate) struct Before {
    pub(crate) variables: Vec<(OsString, OsString)>,
    #[cfg(unix)]
    pub(crate) umask: Option<rustix::fs::Mode>,
    #[cfg(unix)]
    pub(crate) core: Option<rustix::process::Rlimit>,
}

pub(crate) static BEFORE: OnceLock<Before> = OnceLock::new();

/// Variables that make a loader, TLS library or allocator run or write what this process did not ask for.
const NEVER: [&str; 9] = [
    "SSLKEYLOGFILE",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
    "MALLOC_CHECK_",
    "MALLOC_PERTURB_",
    "MALLOC_TRACE",
    "GTK_MODULES",
    "GTK3_MODULES",
    "GIO_EXTRA_MODULES",
];

/// Variables that let a window be driven or inspected from outside.
const REMOTE_CONTROL: [&str; 4] = [
    "TAURI_WEBVIEW_AUTOMATION",
    "TAURI_AUTOMATION",
    "WEBKIT_INSPECTOR_SERVER",
    "WEBKIT_INSPECTOR_HTTP_SERVER",
];

/// No core files, no debugger, private files, no injected libraries for children. The first line of every `main`:
/// variables are only taken away while there is a single thread.
pub fn harden() {
    let mut before = Before::default();
    #[cfg(unix)]
    {
        before.umask = Some(rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077)));
        let core = rustix::process::getrlimit(rustix::process::Resource::Core);
        // The hard limit stays, so that a program started from here can have its own back.
        let none = rustix::process::Rlimit { current: Some(0), maximum: core.maximum };
        match rustix::process::setrlimit(rustix::process::Resource::Core, none) {
            Ok(()) => before.core = Some(core),
            Err(why) => tracing::warn!("core files could not be forbidden: {why}"),
        }
    }
    #[cfg(target_os = "linux")]
    if let Err(why) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable) {
        tracing::warn!("debuggers could not be kept out: {why}");
    }
    before.variables = remove_variables(is_injection);
    // A second call keeps what the first one found.
    let _ = BEFORE.set(before);
}

/// Takes away the variables by which a window could be driven or inspected from outside. For a program with a single
/// thread; one with a window calls [`crate::start_clean`] instead.
pub fn forbid_remote_control() {
    remove_variables(is_remote_control);
}

pub(crate) fn is_remote_control(name: &OsStr) -> bool {
    REMOTE_CONTROL.iter().any(|never| name == *never)
}

pub(crate) fn is_injection(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    bytes.starts_with(b"LD_") || bytes.starts_with(b"DYLD_") || NEVER.iter().any(|never| name == *never)
}

fn remove_variables(unwanted: impl Fn(&OsStr) -> bool) -> Vec<(OsString, OsString)> {
    let found: Vec<_> = std::env::vars_os().filter(|(name, _)| unwanted(name)).collect();
    if found.is_empty() {
        return found;
    }
    if !is_the_only_thread() {
        tracing::error!(
            "hardening came too late to clean the environment; it must be the first thing that main does"
        );
        return Vec::new();
    }
    for (name, _) in &found {
        // SAFETY: changing the environment is unsound only while another thread may read it, and it was just checked
        // that there is no other thread.
        #[allow(unsafe_code, clippy::disallowed_methods)]
        unsafe {
            std::env::remove_var(name);
        }
    }
    found
}

/// Whether this process has one thread. Where that cannot be known, the answer is the caller's promise: yes.
fn is_the_only_thread() -> bool {
    #[cfg(target_os = "linux")]
    {
        std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1)
    }
    #[cfg(not(target_os = "linux"))]
    {
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use std::process::Command;

    #[test]
    fn the_lists_name_what_is_dangerous_and_no_more() {
        for bad in ["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "SSLKEYLOGFILE"] {
            assert!(is_injection(OsStr::new(bad)), "{bad} is kept");
        }
        for good in ["PATH", "HOME", "LANG", "OLD_VALUE", "SSL_CERT_FILE", "DBUS_SESSION_BUS_ADDRESS"] {
            assert!(!is_injection(OsStr::new(good)), "{good} is taken away");
        }
    }

    /// Hardening changes the whole process, so it is looked at in one of its own: `tests/hardened.rs`.
    #[test]
    fn with_other_threads_running_the_environment_is_left_alone() {
        let found = Command::new(std::env::current_exe().unwrap())
            .args(["harden::tests::removes_nothing_here", "--exact", "--nocapture", "--ignored"])
            .env("LD_BIND_NOW_FOR_TEST", "1")
            .output()
            .unwrap();
        assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stdout));
    }

    #[test]
    #[ignore = "run by the test above, in a process of its own"]
    fn removes_nothing_here() {
        // The test harness has a main thread and this one.
        assert!(!is_the_only_thread(), "the harness has two threads");
        assert_eq!(remove_variables(|name| name == "LD_BIND_NOW_FOR_TEST"), [], "something was removed");
        assert!(std::env::var_os("LD_BIND_NOW_FOR_TEST").is_some(), "the variable is gone");
    }
}
