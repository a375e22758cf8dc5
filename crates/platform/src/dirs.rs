//! Where Claviger keeps its things: all in one directory when told so, else where the platform puts them.
//!
//! Must not know what is in the files.

use std::io;
use std::path::{Path, PathBuf, absolute};

use etcetera::AppStrategy;

/// Where Claviger keeps its things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dirs {
    data: PathBuf,
    runtime: PathBuf,
}

/// There is no place to keep things.
#[derive(Debug, thiserror::Error)]
pub enum DirsError {
    /// The environment names no home directory.
    #[error("the home directory is not known; set HOME, or CLAVIGER_HOME to a directory for Claviger alone")]
    NoHome,
    /// The given path makes no sense.
    #[error("{} is no usable path: {source}", .path.display())]
    BadPath {
        /// As it was given.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

// === impl Dirs ===

impl Dirs {
    /// Everything in this one directory.
    pub fn at(home: &Path) -> Self {
        Self { data: home.to_owned(), runtime: home.to_owned() }
    }

    /// `home` if given, else `CLAVIGER_HOME`, else the platform's directories.
    pub fn resolve(home: Option<PathBuf>) -> Result<Self, DirsError> {
        let told = home.or_else(|| std::env::var_os("CLAVIGER_HOME").map(PathBuf::from));
        if let Some(home) = told.filter(|home| !home.as_os_str().is_empty()) {
            return match absolute(&home) {
                Ok(home) => Ok(Self::at(&home)),
                Err(source) => Err(DirsError::BadPath { path: home, source }),
            };
        }
        let strategy = etcetera::choose_app_strategy(etcetera::AppStrategyArgs {
            top_level_domain: "dev".to_owned(),
            author: "claviger".to_owned(),
            app_name: "claviger".to_owned(),
        })
        .map_err(|_| DirsError::NoHome)?;
        let data = strategy.data_dir();
        // A runtime directory that others can enter is none.
        let runtime = strategy.runtime_dir().filter(|dir| dir.parent().is_some_and(is_ours_alone));
        Ok(Self { runtime: runtime.unwrap_or_else(|| data.clone()), data })
    }

    /// `CLAVIGER_HOME`, else the platform's directories.
    pub fn from_env() -> Result<Self, DirsError> {
        Self::resolve(None)
    }

    /// Makes the directories, for this user alone. One that other users can write into is refused.
    pub fn create(&self) -> io::Result<()> {
        for dir in [&self.data, &self.log_dir(), &self.runtime] {
            create_private(dir)?;
        }
        Ok(())
    }

    /// Where vault, settings and log lie.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// The vault.
    pub fn vault_file(&self) -> PathBuf {
        self.data.join("vault.db")
    }

    /// The settings.
    pub fn settings_file(&self) -> PathBuf {
        self.data.join("settings.json")
    }

    /// The audit log's directory.
    pub fn log_dir(&self) -> PathBuf {
        self.data.join("log")
    }

    /// The socket on which a running engine answers.
    pub fn control_socket(&self) -> PathBuf {
        self.runtime.join("control.sock")
    }
}

fn create_private(dir: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let facts = std::fs::metadata(dir)?;
        let refuse =
            |why: &str| io::Error::new(io::ErrorKind::PermissionDenied, format!("{} {why}", dir.display()));
        if facts.uid() != crate::own_uid() {
            return Err(refuse("belongs to another user; Claviger needs a directory of its own"));
        }
        if facts.mode() & 0o022 != 0 {
            return Err(refuse("can be written by other users; take that away with chmod go-w"));
        }
    }
    Ok(())
}

#[cfg(unix)]
fn is_ours_alone(dir: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(dir).is_ok_and(|facts| facts.uid() == crate::own_uid() && facts.mode() & 0o077 == 0)
}

#[cfg(not(unix))]
fn is_ours_alone(_: &Path) -> bool {
    true
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_home_holds_everything() {
        let dirs = Dirs::resolve(Some(PathBuf::from("/srv/claviger"))).unwrap();
        assert_eq!(dirs, Dirs::at(Path::new("/srv/claviger")), "the given home is used");
        for path in [dirs.vault_file(), dirs.settings_file(), dirs.log_dir(), dirs.control_socket()] {
            assert!(path.starts_with("/srv/claviger"), "{} lies elsewhere", path.display());
        }
        let relative = Dirs::resolve(Some(PathBuf::from("here"))).unwrap();
        assert!(relative.data_dir().is_absolute(), "a relative home would move with the working directory");
    }

    #[test]
    fn directories_are_made_private_and_open_ones_refused() {
        let place = tempfile::tempdir().unwrap();
        let home = place.path().join("deep/home");
        let dirs = Dirs::at(&home);
        dirs.create().unwrap();
        dirs.create().unwrap();
        for dir in [home.clone(), dirs.log_dir(), place.path().join("deep")] {
            let mode = std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o700, "{} is open to others", dir.display());
        }
        std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o777)).unwrap();
        let error = dirs.create().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "a directory that all can write was taken");
        assert!(error.to_string().contains("chmod"), "it does not say what to do: {error}");
    }
}
