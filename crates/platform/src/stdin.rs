//! Standard input without a buffer of its own. Must not know what is read.

use std::fs::File;
use std::io;

/// Standard input, unbuffered. The library's own handle keeps what it read in a buffer that is never wiped and lives as
/// long as the process; a password must not pass through it.
#[cfg(unix)]
pub fn raw_stdin() -> io::Result<File> {
    use std::os::fd::AsFd;
    io::stdin().as_fd().try_clone_to_owned().map(File::from)
}

/// Standard input, unbuffered.
#[cfg(windows)]
pub fn raw_stdin() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    io::stdin().as_handle().try_clone_to_owned().map(File::from)
}
