//! Other programs run from here: said before they start, their failure turned into words.
//!
//! Must not know what any of them is for.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt, fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What went wrong, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    remedy: String,
}

// === impl Failure ===

impl Failure {
    pub(crate) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }

    /// A failure of the file system.
    pub(crate) fn io(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::new(
            format!("{doing} {}: {error}", path.display()),
            "check the path's permissions and the disk's space",
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "\nhint:  {}", self.remedy) }
    }
}

pub(crate) type Done<T = ()> = Result<T, Failure>;

/// A program about to be run.
pub(crate) struct Step {
    program: OsString,
    args: Vec<OsString>,
    dir: PathBuf,
    vars: Vec<(String, OsString)>,
}

// === impl Step ===

impl Step {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self { program: program.as_ref().to_owned(), args: Vec::new(), dir: root(), vars: Vec::new() }
    }

    /// Cargo, the same that runs this command.
    pub(crate) fn cargo<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Self {
        Self::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).args(args)
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    pub(crate) fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = dir.into();
        self
    }

    pub(crate) fn var(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.vars.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Runs it with our own input and output; anything but exit 0 is a failure.
    pub(crate) fn run(self) -> Done {
        self.announce();
        let status = self.command().status().map_err(|e| self.cannot_start(&e))?;
        if status.success() {
            Ok(())
        } else {
            Err(Failure::new(format!("`{}` failed: {status}", self.shown()), ""))
        }
    }

    /// Runs it, passes each line of its standard output on and hands it to `read`. Says whether it exited 0.
    pub(crate) fn run_reading(self, mut read: impl FnMut(&str)) -> Done<bool> {
        self.announce();
        let mut child = self.command().stdout(Stdio::piped()).spawn().map_err(|e| self.cannot_start(&e))?;
        if let Some(out) = child.stdout.take() {
            let mut lines = BufReader::new(out);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                // Our own output may be gone (a closed pipe); the tests still have to end.
                let _ = std::io::stdout().write_all(&line);
                read(String::from_utf8_lossy(&line).trim_end());
                line.clear();
            }
        }
        let status = child.wait().map_err(|e| self.cannot_start(&e))?;
        Ok(status.success())
    }

    /// Runs it silently and returns its standard output, or `None` when it fails or is not there.
    pub(crate) fn ask(self) -> Option<String> {
        let out = self.command().stderr(Stdio::null()).stdin(Stdio::null()).output().ok()?;
        out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).current_dir(&self.dir).envs(self.vars.iter().map(|(k, v)| (k, v)));
        command
    }

    fn announce(&self) {
        eprintln!("\n$ {}", self.shown());
    }

    fn shown(&self) -> String {
        let vars = self.vars.iter().map(|(k, v)| format!("{k}={} ", v.to_string_lossy()));
        let program =
            Path::new(&self.program).file_name().unwrap_or(&self.program).to_string_lossy().into_owned();
        let args = self.args.iter().map(|a| format!(" {}", a.to_string_lossy()));
        vars.chain([program]).chain(args).collect()
    }

    fn cannot_start(&self, error: &std::io::Error) -> Failure {
        Failure::new(
            format!("cannot start `{}`: {error}", self.program.to_string_lossy()),
            "is it installed and on the PATH?",
        )
    }
}

/// The work tree.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Where things are kept that outlive the work tree: clients for tests.
pub(crate) fn cache() -> PathBuf {
    let home = || env::var_os("HOME").map_or_else(env::temp_dir, PathBuf::from).join(".cache");
    env::var_os("XDG_CACHE_HOME")
        .filter(|v| !v.is_empty())
        .map_or_else(home, PathBuf::from)
        .join("claviger-dev")
}

/// A fingerprint of files and folders, by name and content, so that finished work is not done again.
pub(crate) fn fingerprint(paths: &[PathBuf], skip: &[&str]) -> Done<String> {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        hash_into(path, skip, &mut hasher)?;
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn hash_into(path: &Path, skip: &[&str], hasher: &mut DefaultHasher) -> Done {
    let name = path.file_name().unwrap_or_default();
    if skip.iter().any(|s| name == OsStr::new(s)) {
        return Ok(());
    }
    name.hash(hasher);
    if path.is_dir() {
        let entries = fs::read_dir(path).map_err(|e| Failure::io("cannot read", path, &e))?;
        let mut entries: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
        entries.sort();
        entries.iter().try_for_each(|entry| hash_into(entry, skip, hasher))
    } else {
        fs::read(path).map_err(|e| Failure::io("cannot read", path, &e))?.hash(hasher);
        Ok(())
    }
}

/// Does `work` unless `stamp` already holds `mark`, and stamps it afterwards.
pub(crate) fn once(stamp: &Path, mark: &str, work: impl FnOnce() -> Done) -> Done {
    if fs::read_to_string(stamp).is_ok_and(|found| found == mark) {
        return Ok(());
    }
    work()?;
    fs::write(stamp, mark).map_err(|e| Failure::io("cannot write", stamp, &e))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn work_is_done_once_for_the_same_mark() {
        let stamp = env::temp_dir().join(format!("claviger-xtask-stamp-{}", std::process::id()));
        let _ = fs::remove_file(&stamp);
        let mut done = 0;
        for mark in ["a", "a", "b"] {
            once(&stamp, mark, || {
                done += 1;
                Ok(())
            })
            .unwrap();
        }
        fs::remove_file(&stamp).unwrap();
        assert_eq!(done, 2, "the second `a` is skipped, `b` is new");
    }

    #[test]
    fn a_failure_shows_its_remedy() {
        let shown = Failure::new("it broke", "mend it").to_string();
        assert_eq!(shown, "it broke\nhint:  mend it", "what happened, then what to do");
    }
}
