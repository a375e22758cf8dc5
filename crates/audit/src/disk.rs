//! The few file operations that the log needs, behind a trait so that tests can let the disk run full.
//!
//! Must not know what is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// An open file that bytes are added to.
pub(crate) trait Disk: Send + Sync {
    /// Adds bytes at the end. On an error some of them may have been written.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;
    /// Cuts the file to this length.
    fn cut(&self, len: u64) -> io::Result<()>;
    /// Returns when the disk has everything.
    fn sync(&self) -> io::Result<()>;
}

impl Disk for File {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = self;
        file.write_all(bytes)
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Makes the directory, readable by its owner only, unless it is there. A link in its place is refused.
pub(crate) fn ensure_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)?;
    if fs::symlink_metadata(dir)?.is_dir() { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Opens a file for adding to its end. Anything but a regular file is refused.
pub(crate) fn open_to_append(path: &Path) -> io::Result<File> {
    ensure_regular(path)?;
    options().append(true).open(path)
}

/// Opens a file for reading and writing anywhere in it, making it if it is not there.
pub(crate) fn open_to_edit(path: &Path) -> io::Result<File> {
    match ensure_regular(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            options().read(true).write(true).create_new(true).open(path)
        }
        Err(error) => Err(error),
        Ok(()) => options().read(true).write(true).open(path),
    }
}

/// Reads a whole regular file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    ensure_regular(path)?;
    fs::read(path)
}

/// A link could lead the log's bytes elsewhere; a pipe would block.
fn ensure_regular(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_file() {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

/// The name under which a file is written before it gets its own.
fn new_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// Puts a file with these bytes in place, whole or not at all, and on the disk when this returns.
pub(crate) fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = new_name(path);
    remove_if_there(&new)?;
    let mut file = options().write(true).create_new(true).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&new, path)?;
    sync_dir(path)
}

/// Removes a file; that it is not there is no error.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A new name is only on the disk when its directory is. Where directories cannot be opened (Windows), they need not be.
fn sync_dir(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(dir) if cfg!(unix) => File::open(dir)?.sync_all(),
        _ => Ok(()),
    }
}
