//! Turning into another program, and waiting for a process that is not a child. Must not know why.

use std::ffi::{OsStr, OsString};
use std::io;
use std::pin::Pin;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::harden::BEFORE;

/// Turns this process into `program`, with `variables` set and everything that hardening took away given back. Comes back
/// only when that fails.
#[cfg(unix)]
pub fn become_program(
    program: &OsStr,
    arguments: &[OsString],
    variables: &[(String, OsString)],
) -> io::Error {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    command.args(arguments);
    if let Some(before) = BEFORE.get() {
        command.envs(before.variables.iter().map(|(name, value)| (name, value)));
        if let Some(umask) = before.umask {
            rustix::process::umask(umask);
        }
        if let Some(core) = before.core {
            // The program is the user's; a limit that stays lower harms nothing.
            let _ = rustix::process::setrlimit(rustix::process::Resource::Core, core);
        }
    }
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command.exec()
}

/// Runs `program` and ends with its exit code. Comes back only when it cannot be started.
#[cfg(not(unix))]
pub fn become_program(
    program: &OsStr,
    arguments: &[OsString],
    variables: &[(String, OsString)],
) -> io::Error {
    let mut command = Command::new(program);
    command.args(arguments).envs(variables.iter().map(|(name, value)| (name, value)));
    if let Some(before) = BEFORE.get() {
        command.envs(before.variables.iter().map(|(name, value)| (name, value)));
    }
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => error,
    }
}

/// Is ready when the process has ended.
pub struct ProcessExit(Arc<Mutex<Exit>>);

#[derive(Default)]
struct Exit {
    has_ended: bool,
    waker: Option<Waker>,
}

/// Waits for the end of a process that need not be a child. A process that does not exist has ended. Where processes
/// cannot be watched, this never ends.
pub fn wait_for_exit(pid: u32) -> ProcessExit {
    let exit = Arc::new(Mutex::new(Exit::default()));
    let shared = exit.clone();
    let watch = move || {
        if wait_blocking(pid) {
            let mut exit = shared.lock().unwrap_or_else(PoisonError::into_inner);
            exit.has_ended = true;
            if let Some(waker) = exit.waker.take() {
                waker.wake();
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name("parent".into()).spawn(watch) {
        tracing::warn!("process {pid} cannot be watched: {error}");
    }
    ProcessExit(exit)
}

// === impl ProcessExit ===

impl Future for ProcessExit {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut exit = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if exit.has_ended {
            return Poll::Ready(());
        }
        exit.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// Whether the process has ended; waits until it has. `false` when it cannot be watched.
#[cfg(target_os = "linux")]
fn wait_blocking(pid: u32) -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::Errno;
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return true };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Err(Errno::SRCH) => true,
        Err(error) => {
            tracing::warn!("process {pid:?} cannot be watched: {error}");
            false
        }
        Ok(process) => loop {
            match poll(&mut [PollFd::new(&process, PollFlags::IN)], None) {
                Ok(_) => return true,
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        },
    }
}

#[cfg(not(target_os = "linux"))]
fn wait_blocking(_: u32) -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_end_of_a_process_is_seen() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let exit = wait_for_exit(child.id());
        assert!(!exit.0.lock().unwrap().has_ended, "it has not ended yet");
        let pid = child.id();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(wait_blocking(pid), "a process that is gone has ended");
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while !exit.0.lock().unwrap().has_ended {
            assert!(std::time::Instant::now() < deadline, "the end was not seen");
            std::thread::yield_now();
        }
    }
}
