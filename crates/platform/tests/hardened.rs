//! Hardening, looked at in a process of its own: without the harness, because that has threads.
//!
//! Without arguments this program starts itself anew for each case and reports; with one it is the case.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    use std::process::{Command, Stdio};
    if let Some(case) = std::env::args().nth(1).filter(|name| !name.starts_with('-')) {
        return linux::case(&case);
    }
    let me = std::env::current_exe().unwrap();
    // What the last case expects back, whatever this was started with.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let cases = ["nothing_injected_is_left", "the_process_is_closed", "a_program_gets_its_environment_back"];
    for case in cases {
        let ended = Command::new(&me)
            .arg(case)
            .env("LD_BIND_NOW", "1")
            .env("SSLKEYLOGFILE", "/tmp/keys")
            .env("WEBKIT_INSPECTOR_SERVER", "127.0.0.1:1")
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .stdin(Stdio::null())
            .status()
            .unwrap();
        assert!(ended.success(), "{case} failed: {ended}");
        println!("test {case} ... ok");
    }
    println!("\ntest result: ok. {} passed; 0 failed; 0 ignored", cases.len());
}

#[cfg(target_os = "linux")]
mod linux {
    //! The cases. Must not start threads.

    use std::ffi::OsStr;
    use std::os::unix::fs::PermissionsExt;

    pub(crate) fn case(name: &str) {
        claviger_platform::harden();
        match name {
            "nothing_injected_is_left" => {
                claviger_platform::forbid_remote_control();
                for gone in
                    ["LD_BIND_NOW", "SSLKEYLOGFILE", "WEBKIT_INSPECTOR_SERVER", "TAURI_WEBVIEW_AUTOMATION"]
                {
                    assert!(std::env::var_os(gone).is_none(), "{gone} is still there");
                }
                assert!(std::env::var_os("PATH").is_some(), "harmless variables stay");
            }
            "the_process_is_closed" => {
                let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
                let core = limits.lines().find(|l| l.starts_with("Max core file size")).unwrap();
                assert_eq!(core.split_whitespace().nth(4), Some("0"), "core files are possible: {core}");
                // A process that is not dumpable has its /proc entries owned by root, whoever runs it.
                let dumpable = rustix::process::dumpable_behavior().unwrap();
                assert_eq!(dumpable, rustix::process::DumpableBehavior::NotDumpable, "debuggers may attach");
                let file = tempfile::NamedTempFile::new().unwrap();
                let path = file.path().with_extension("umask");
                std::fs::write(&path, b"x").unwrap();
                let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
                std::fs::remove_file(&path).unwrap();
                assert_eq!(mode, 0o600, "a new file is open to others");
            }
            "a_program_gets_its_environment_back" => {
                let script =
                    "test \"$LD_BIND_NOW\" = 1 && test \"$GIVEN\" = yes && test \"$(umask)\" != 0077";
                let arguments = ["-c".into(), script.into()];
                let given = [("GIVEN".to_owned(), "yes".into())];
                let error = claviger_platform::become_program(OsStr::new("sh"), &arguments, &given);
                panic!("sh could not be run: {error}");
            }
            other => panic!("no case named {other}"),
        }
    }
}
