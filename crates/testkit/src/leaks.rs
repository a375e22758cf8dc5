//! The search for leaked secrets: in files, in the process table, in a process's memory. Knows the encodings in which
//! a secret tends to travel; must not know where Claviger keeps things.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use memchr::memmem::Finder;

/// Secrets that must not be found, each in every form that is searched for.
pub struct Needles(Vec<Needle>);

struct Needle {
    name: String,
    form: &'static str,
    finder: Finder<'static>,
}

/// One place where a secret was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Find {
    /// Which secret.
    pub name: String,
    /// In which form.
    pub form: &'static str,
    /// Where.
    pub place: String,
}

// === impl Needles ===

impl Needles {
    /// Secrets by name. Each should be at least 12 bytes long, so that chance hits are out of the question.
    pub fn new<'a>(secrets: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut needles = Vec::new();
        for (name, secret) in secrets {
            assert!(secret.len() >= 12, "{name} is too short to be searched for");
            for (form, bytes) in forms(secret) {
                if !needles.iter().any(|n: &Needle| n.finder.needle() == bytes && n.name == name) {
                    needles.push(Needle {
                        name: name.to_owned(),
                        form,
                        finder: Finder::new(&bytes).into_owned(),
                    });
                }
            }
        }
        Self(needles)
    }

    /// Everything found in these bytes.
    pub fn in_bytes(&self, place: &str, bytes: &[u8]) -> Vec<Find> {
        self.0
            .iter()
            .filter(|needle| needle.finder.find(bytes).is_some())
            .map(|n| Find { name: n.name.clone(), form: n.form, place: place.to_owned() })
            .collect()
    }

    /// Everything found in the files below a directory, their names included. Returns how many files were read too,
    /// so that a test can tell a clean tree from an empty one.
    pub fn in_tree(&self, dir: &Path) -> (usize, Vec<Find>) {
        let (mut files, mut finds, mut todo) = (0, Vec::new(), vec![dir.to_owned()]);
        while let Some(path) = todo.pop() {
            finds.extend(
                self.in_bytes(&format!("name of {}", path.display()), path.as_os_str().as_encoded_bytes()),
            );
            let Ok(meta) = path.symlink_metadata() else { continue };
            if meta.is_dir() {
                todo.extend(std::fs::read_dir(&path).unwrap().flatten().map(|entry| entry.path()));
            } else if meta.is_file() {
                files += 1;
                finds.extend(
                    self.in_bytes(&path.display().to_string(), &std::fs::read(&path).unwrap_or_default()),
                );
            }
        }
        (files, finds)
    }

    /// Everything found in argv and environ of every process that can be looked at, other than this one.
    pub fn in_process_table(&self) -> Vec<Find> {
        let own = std::process::id().to_string();
        let mut finds = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let pid = entry.file_name().to_string_lossy().into_owned();
            if pid == own || !pid.bytes().all(|b| b.is_ascii_digit()) {
                continue;
            }
            for part in ["cmdline", "environ"] {
                let path: PathBuf = entry.path().join(part);
                if let Ok(bytes) = std::fs::read(&path) {
                    finds.extend(self.in_bytes(&path.display().to_string(), &bytes));
                }
            }
        }
        finds
    }

    /// Everything found in a process's readable memory, with how many bytes were searched; an error when the system
    /// does not let us look (which is itself a protection: only root may look at a process that is not dumpable).
    pub fn in_memory(&self, pid: u32) -> std::io::Result<(u64, Vec<Find>)> {
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))?;
        let mut memory = File::open(format!("/proc/{pid}/mem"))?;
        let pages = File::open(format!("/proc/{pid}/pagemap"))?;
        let (mut searched, mut finds) = (0, Vec::new());
        for line in maps.lines() {
            let mut words = line.split_whitespace();
            let (Some(range), Some(flags)) = (words.next(), words.next()) else { continue };
            let place = words.nth(3).unwrap_or("anonymous");
            if !flags.starts_with('r') || matches!(place, "[vvar]" | "[vsyscall]" | "[vvar_vclock]") {
                continue;
            }
            // A program's own code and constants, as they stand in its file.
            if place.starts_with('/') && !flags.contains('w') {
                continue;
            }
            let Some((from, to)) = range.split_once('-') else { continue };
            let (from, to) = (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
            for (from, to) in touched(&pages, from, to)? {
                let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
                memory.seek(SeekFrom::Start(from))?;
                let mut filled = 0;
                while filled < bytes.len() {
                    match memory.read(&mut bytes[filled..]) {
                        Ok(0) | Err(_) => break,
                        Ok(n) => filled += n,
                    }
                }
                searched += filled as u64;
                for written in written_runs(&bytes[..filled]) {
                    finds.extend(self.in_bytes(&format!("memory of {pid} at {range} ({place})"), written));
                }
            }
        }
        Ok((searched, finds))
    }
}

/// The stretches of memory that are not all zero, in whole pages: most of a process's memory was never written.
fn written_runs(bytes: &[u8]) -> Vec<&[u8]> {
    const PAGE: usize = 4096;
    const ZERO: [u8; PAGE] = [0; PAGE];
    let (mut runs, mut start) = (Vec::new(), None);
    for (i, page) in bytes.chunks(PAGE).enumerate() {
        match (page == &ZERO[..page.len()], start) {
            (false, None) => start = Some(i * PAGE),
            (true, Some(from)) => {
                runs.push(&bytes[from..i * PAGE]);
                start = None;
            }
            _ => {}
        }
    }
    runs.extend(start.map(|from| &bytes[from..]));
    runs
}

/// The parts of a range that were ever touched: a web view reserves tens of gigabytes and uses few of them.
fn touched(pages: &File, from: u64, to: u64) -> std::io::Result<Vec<(u64, u64)>> {
    use std::os::unix::fs::FileExt;
    const PAGE: u64 = 4096;
    let mut parts: Vec<(u64, u64)> = Vec::new();
    let mut entries = vec![0; 1 << 20];
    let mut at = from;
    while at < to {
        let wanted = usize::try_from((to - at) / PAGE * 8).unwrap_or(usize::MAX).min(entries.len());
        let read = pages.read_at(&mut entries[..wanted], at / PAGE * 8)?;
        if read < 8 {
            break;
        }
        for entry in entries[..read / 8 * 8].chunks_exact(8) {
            // Bit 63: in memory. Bit 62: swapped out.
            let is_touched = entry[7] & 0b1100_0000 != 0;
            match parts.last_mut() {
                Some(last) if is_touched && last.1 == at => last.1 += PAGE,
                _ if is_touched => parts.push((at, at + PAGE)),
                _ => {}
            }
            at += PAGE;
        }
    }
    Ok(parts)
}

/// Every form of a secret that is searched for.
fn forms(secret: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = vec![("raw", secret.to_vec())];
    // Base64 of a text that holds the secret at any of the three alignments: the characters it alone decides.
    for offset in 0..3usize {
        let mut padded = vec![0u8; offset];
        padded.extend_from_slice(secret);
        for (form, engine) in [
            ("base64", base64::engine::general_purpose::STANDARD_NO_PAD),
            ("base64url", base64::engine::general_purpose::URL_SAFE_NO_PAD),
        ] {
            let text = engine.encode(&padded);
            let skip = [0, 2, 3][offset];
            let cut = usize::from(!padded.len().is_multiple_of(3));
            all.push((form, text.as_bytes()[skip..text.len() - cut].to_vec()));
        }
    }
    all.push(("hex", data_encoding::HEXLOWER.encode(secret).into_bytes()));
    all.push(("hex", data_encoding::HEXUPPER.encode(secret).into_bytes()));
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let percent = |keep: bool, upper: bool| {
        let mut text = Vec::new();
        for &b in secret {
            match (keep && unreserved(b), upper) {
                (true, _) => text.push(b),
                (false, true) => text.extend(format!("%{b:02X}").bytes()),
                (false, false) => text.extend(format!("%{b:02x}").bytes()),
            }
        }
        text
    };
    all.push(("percent", percent(true, true)));
    all.push(("percent", percent(true, false)));
    all.push(("percent", percent(false, true)));
    all.push(("percent", percent(false, false)));
    all.push(("utf-16le", secret.iter().flat_map(|b| [*b, 0]).collect()));
    all.push(("utf-16be", secret.iter().flat_map(|b| [0, *b]).collect()));
    all.push(("reversed", secret.iter().rev().copied().collect()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"sk-canary+/=8Jq2vX";

    fn needles() -> Needles {
        Needles::new([("canary", SECRET)])
    }

    #[test]
    fn every_form_is_found_where_it_stands() {
        let mut texts = vec![
            ("raw", SECRET.to_vec()),
            ("hex", data_encoding::HEXLOWER.encode(SECRET).into_bytes()),
            ("percent", b"sk-canary%2B%2F%3D8Jq2vX".to_vec()),
            ("percent", b"sk-canary%2b%2f%3d8Jq2vX".to_vec()),
            ("utf-16le", SECRET.iter().flat_map(|b| [*b, 0]).collect()),
        ];
        for before in ["", "u", "us", "use", "user:"] {
            for after in ["", "\n", "\r\n"] {
                let text = [before.as_bytes(), SECRET, after.as_bytes()].concat();
                texts.push(("base64", base64::engine::general_purpose::STANDARD.encode(&text).into_bytes()));
                texts.push((
                    "base64url",
                    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&text).into_bytes(),
                ));
            }
        }
        for (form, text) in texts {
            let shown = String::from_utf8_lossy(&text).into_owned();
            assert!(!needles().in_bytes("x", &text).is_empty(), "{form} was not found in {shown:?}");
        }
        assert_eq!(needles().in_bytes("x", b"sk-canary+/=8Jq2v"), [], "a part of it is not the secret");
    }

    #[test]
    fn written_memory_is_cut_out_of_the_rest() {
        let mut bytes = vec![0; 10 * 4096 + 100];
        bytes[3 * 4096 - 5..3 * 4096 + 5].copy_from_slice(b"0123456789");
        *bytes.last_mut().unwrap() = 1;
        let lengths: Vec<usize> = written_runs(&bytes).iter().map(|run| run.len()).collect();
        assert_eq!(lengths, [2 * 4096, 100], "a text across two pages stays whole, and the end counts");
    }

    #[test]
    fn memory_that_holds_it_is_found() {
        let held = std::hint::black_box([SECRET, b"!"].concat());
        let (searched, finds) = needles().in_memory(std::process::id()).expect("our own memory can be read");
        assert!(searched > 100_000, "only {searched} bytes were searched");
        assert!(finds.iter().any(|f| f.form == "raw"), "held in {} bytes and not found", held.len());
    }

    #[test]
    fn a_file_that_holds_it_is_found() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("deep")).unwrap();
        std::fs::write(dir.path().join("deep/file"), [b"x".as_slice(), SECRET].concat()).unwrap();
        let (files, finds) = needles().in_tree(dir.path());
        assert_eq!((files, finds.len()), (1, 1), "one file, one find: {finds:?}");
    }
}
