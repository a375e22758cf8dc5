//! The vault's files: where they are, that they are regular, private and held by one process.
//!
//! Must not know what is in them, beyond the first hundred bytes that say which format it is.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// `CLAV` at byte 68 of the database.
pub(crate) const APPLICATION_ID: u32 = 0x434C_4156;

/// The vault's path, and the lock that makes this process the only one to open it. Released when dropped, also by the
/// kernel when the process dies.
#[derive(Debug)]
pub(crate) struct HeldFile {
    path: PathBuf,
    lock: File,
}

/// Why the lock was not had.
pub(crate) enum HoldError {
    HeldByAnother,
    NotRegular(PathBuf),
    Io(io::Error),
}

/// What the first bytes of a file say.
pub(crate) enum Kind {
    Vault { format: u32 },
    Other,
}

// === impl HeldFile ===

impl HeldFile {
    /// Takes the lock for `path`. The directory must exist.
    pub(crate) fn hold(path: &Path) -> Result<Self, HoldError> {
        let path = resolve(path).map_err(HoldError::Io)?;
        let lock = open_lock(&beside(&path, ".lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, lock }),
            Err(TryLockError::WouldBlock) => Err(HoldError::HeldByAnother),
            Err(TryLockError::Error(error)) => Err(HoldError::Io(error)),
        }
    }

    /// The database.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A file that belongs to the database: its path with `suffix` at the end.
    pub(crate) fn beside(&self, suffix: &str) -> PathBuf {
        beside(&self.path, suffix)
    }
}

impl Drop for HeldFile {
    /// Lets go at once. Closing alone would leave the lock with a child that was just forked and still has the
    /// descriptor.
    fn drop(&mut self) {
        // If this fails, closing does it.
        let _ = self.lock.unlock();
    }
}

/// Whether anything is at this path, a dangling link included.
pub(crate) fn is_there(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a regular file is at this path and not a link to one.
pub(crate) fn is_regular(path: &Path) -> io::Result<bool> {
    Ok(fs::symlink_metadata(path)?.file_type().is_file())
}

/// Whether a regular file without content is at this path.
pub(crate) fn is_empty(path: &Path) -> io::Result<bool> {
    let facts = fs::symlink_metadata(path)?;
    Ok(facts.file_type().is_file() && facts.len() == 0)
}

/// Reads which kind of file it is, without changing it or anything beside it.
pub(crate) fn kind(path: &Path) -> io::Result<Kind> {
    let mut head = [0; 100];
    let mut file = File::open(path)?;
    if let Err(error) = file.read_exact(&mut head) {
        return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(Kind::Other) } else { Err(error) };
    }
    let number = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let format = number(60);
    if &head[..16] != b"SQLite format 3\0" || number(68) != APPLICATION_ID || format == 0 {
        return Ok(Kind::Other);
    }
    Ok(Kind::Vault { format })
}

/// A new, empty file that only this user can read. Fails if anything is there.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    private(OpenOptions::new().write(true).create_new(true)).open(path)
}

/// The directory, made private if it has to be made.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Takes away what a looser umask, a backup or a copy gave to others.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(())
}

/// Brings the file's content, then its name, to the disk.
pub(crate) fn rename_durably(from: &Path, to: &Path) -> io::Result<()> {
    File::open(from)?.sync_all()?;
    fs::rename(from, to)?;
    match to.parent() {
        #[cfg(unix)]
        Some(dir) => File::open(dir)?.sync_all(),
        _ => Ok(()),
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

fn open_lock(path: &Path) -> Result<File, HoldError> {
    match private(OpenOptions::new().read(true).write(true).create_new(true)).open(path) {
        Ok(file) => return Ok(file),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(HoldError::Io(error)),
    }
    if !is_regular(path).map_err(HoldError::Io)? {
        return Err(HoldError::NotRegular(path.to_owned()));
    }
    OpenOptions::new().read(true).write(true).open(path).map_err(HoldError::Io)
}

/// The directory's true path with the file's name: SQLite is told to follow no link, and the way to the directory may
/// well have some.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    Ok(dir.canonicalize()?.join(name))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}
