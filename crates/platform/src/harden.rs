//! What a process does before anything else, so that others cannot look into it. Must run while there is one thread.

/// Variables by which a caller could make this process load code, write keys down, or go another way.
const STRIPPED: &[&str] = &[
    "LD_PRELOAD",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "DYLD_INSERT_LIBRARIES",
    "DYLD_LIBRARY_PATH",
    "SSLKEYLOGFILE",
    "MALLOC_TRACE",
    "GCONV_PATH",
    "GTK_MODULES",
    "GTK_PATH",
];

/// Variables by which the web view can be driven or looked into from outside.
const REMOTE_CONTROL: &[&str] = &[
    "TAURI_WEBVIEW_AUTOMATION",
    "WEBKIT_INSPECTOR_SERVER",
    "WEBKIT_INSPECTOR_HTTP_SERVER",
    "WEBKIT_EXEC_PATH",
];

/// Turns off core files, debuggers and `/proc/PID/mem` for programs of the same user, makes new files private, and
/// drops dangerous variables. The first line of every `main`.
pub fn harden() {
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    // Each of these can only fail where the system does not know it; the others still count.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    drop_variables(STRIPPED);
}

/// Makes the web view deaf to WebDriver and the remote inspector. Release builds have no other gate.
pub fn forbid_remote_control() {
    drop_variables(REMOTE_CONTROL);
}

fn drop_variables(names: &[&str]) {
    for name in names {
        // SAFETY: `main` calls this before it starts a thread, so nobody reads the environment meanwhile.
        #[allow(unsafe_code, reason = "the environment can only be changed this way")]
        unsafe {
            std::env::remove_var(name);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::process::Command;

    /// Runs this test binary again with `run` as its marker, in a process of its own.
    fn in_a_child(test: &str, variables: &[(&str, &str)]) -> String {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args([test, "--exact", "--nocapture", "--test-threads=1"]).env("HARDEN_CHILD", "1");
        let out = child.envs(variables.iter().copied()).output().unwrap();
        assert!(out.status.success(), "the child failed: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    #[test]
    #[allow(clippy::print_stdout)]
    fn the_process_is_closed_and_its_variables_are_gone() {
        if std::env::var_os("HARDEN_CHILD").is_some() {
            super::harden();
            super::forbid_remote_control();
            let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
            let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
            let dumpable = rustix::process::dumpable_behavior().unwrap();
            let left: Vec<_> = std::env::vars().map(|(name, _)| name).collect();
            println!("CORE {core} DUMPABLE {dumpable:?} LEFT {left:?} END");
            return;
        }
        let name = "harden::tests::the_process_is_closed_and_its_variables_are_gone";
        let told = in_a_child(
            name,
            &[
                ("SSLKEYLOGFILE", "/nonexistent"),
                ("TAURI_WEBVIEW_AUTOMATION", "true"),
                ("WEBKIT_INSPECTOR_SERVER", "x"),
            ],
        );
        assert!(told.contains("DUMPABLE NotDumpable"), "still dumpable: {told}");
        assert!(
            told.contains("Max core file size        0                    0"),
            "core files are on: {told}"
        );
        for gone in ["SSLKEYLOGFILE", "TAURI_WEBVIEW_AUTOMATION", "WEBKIT_INSPECTOR_SERVER"] {
            assert!(!told.contains(gone), "{gone} is still there: {told}");
        }
    }
}
