//! The list of segments: which there are, where each begins, and reading one. Must not know what records mean.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use claviger_crypto::AeadKey;

use crate::disk;
use crate::frame::{Place, Walk};
use crate::header::{HEADER_LEN, Header, HeaderFault};
use crate::seal::Keys;

/// A segment is closed when it has reached this size. Tests make do with less, so that they need not write so much.
pub(crate) const SEGMENT_BYTES: u64 = if cfg!(test) { 512 * 1024 } else { 8 * 1024 * 1024 };

/// The segment's file.
pub(crate) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:08}.seg"))
}

/// Before the first record of a segment.
pub(crate) fn start(header: &Header) -> Place {
    Place {
        segment: header.number,
        offset: HEADER_LEN as u64,
        seq: header.first_seq.saturating_sub(1),
        hash: header.prev,
    }
}

/// The numbers of the segments in the directory, in order.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(".seg")) else { continue };
        if stem.len() >= 8 && stem.bytes().all(|b| b.is_ascii_digit()) {
            numbers.extend(
                stem.parse::<u64>().ok().filter(|n| path(dir, *n).file_name() == Some(name.as_os_str())),
            );
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Removes what a process left that ended while it made a file.
pub(crate) fn sweep(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.ends_with(".new")) {
            disk::remove_if_there(&entry.path())?;
        }
    }
    Ok(())
}

/// Reads and opens one segment's header alone.
pub(crate) fn header(dir: &Path, number: u64, keys: &Keys) -> io::Result<Result<Header, HeaderFault>> {
    use std::io::Read;
    let path = path(dir, number);
    if !fs::symlink_metadata(&path)?.is_file() {
        return Ok(Err(HeaderFault::NotALog));
    }
    let mut bytes = Vec::with_capacity(HEADER_LEN);
    fs::File::open(path)?.take(HEADER_LEN as u64).read_to_end(&mut bytes)?;
    Ok(decode(&bytes, number, keys).map(|(header, _)| header))
}

fn decode(bytes: &[u8], number: u64, keys: &Keys) -> Result<(Header, AeadKey), HeaderFault> {
    let (header, key) = Header::decode(bytes, keys)?;
    // A segment under another's name is one that was moved.
    if header.number == number { Ok((header, key)) } else { Err(HeaderFault::Unauthentic) }
}

/// One whole segment in memory.
pub(crate) struct Segment {
    pub(crate) header: Header,
    pub(crate) bytes: Vec<u8>,
    key: AeadKey,
}

// === impl Segment ===

impl Segment {
    /// Reads the segment up to `len` bytes (all of it by default).
    pub(crate) fn read(
        dir: &Path,
        number: u64,
        keys: &Keys,
        len: Option<u64>,
    ) -> io::Result<Result<Self, HeaderFault>> {
        let mut bytes = disk::read(&path(dir, number))?;
        if let Some(len) = len.and_then(|len| usize::try_from(len).ok()) {
            bytes.truncate(len);
        }
        Ok(decode(&bytes, number, keys).map(|(header, key)| Self { header, bytes, key }))
    }

    /// A walk from the first record on.
    pub(crate) fn walk(&self) -> Walk<'_> {
        self.walk_from(start(&self.header))
    }

    /// A walk from a known place on.
    pub(crate) fn walk_from(&self, place: Place) -> Walk<'_> {
        Walk::new(&self.key, self.header.vault, &self.bytes, place)
    }
}
