//! Where Claviger's files lie. Must not know what is in them.

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The directories of one installation, all of mode 0700.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dirs {
    data: PathBuf,
    runtime: PathBuf,
}

/// Neither `--home`, `CLAVIGER_HOME` nor the platform names a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no home directory is known; name one with --home or CLAVIGER_HOME")]
pub struct NoHome;

// === impl Dirs ===

impl Dirs {
    /// Everything in one directory, as `--home` and `CLAVIGER_HOME` ask.
    pub fn at(home: &Path) -> Self {
        // Made absolute, so that a later change of directory means nothing.
        let home = std::path::absolute(home).unwrap_or_else(|_| home.to_owned());
        Self { data: home.clone(), runtime: home }
    }

    /// `home` if given, else `CLAVIGER_HOME`, else the platform's directories.
    pub fn find(home: Option<&Path>) -> Result<Self, NoHome> {
        if let Some(home) = home {
            return Ok(Self::at(home));
        }
        if let Some(home) = std::env::var_os("CLAVIGER_HOME").filter(|home| !home.is_empty()) {
            return Ok(Self::at(Path::new(&home)));
        }
        use etcetera::BaseStrategy;
        let base = etcetera::choose_base_strategy().map_err(|_| NoHome)?;
        let data = base.data_dir().join("claviger");
        let runtime = base.runtime_dir().map_or_else(|| data.clone(), |dir| dir.join("claviger"));
        Ok(Self { data, runtime })
    }

    /// Makes the directories. One that others can enter is closed to them.
    pub fn create(&self) -> std::io::Result<()> {
        for dir in [&self.data, &self.runtime] {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
            let mode = std::fs::metadata(dir)?.permissions().mode();
            if mode & 0o077 != 0 {
                std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
            }
        }
        Ok(())
    }

    /// The directory that holds everything but the socket.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The vault.
    pub fn vault_file(&self) -> PathBuf {
        self.data.join("vault.db")
    }

    /// The sealed log's directory.
    pub fn log_dir(&self) -> PathBuf {
        self.data.join("log")
    }

    /// Preferences that are needed while locked.
    pub fn settings_file(&self) -> PathBuf {
        self.data.join("settings.json")
    }

    /// Where a running engine answers.
    pub fn control_socket(&self) -> PathBuf {
        self.runtime.join("control.sock")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn directories_are_closed_to_others() {
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let dirs = Dirs::at(home.path());
        dirs.create().unwrap();
        let mode = std::fs::metadata(home.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "others can enter the directory");
    }
}
