//! The record while the vault is locked: sealed to a public key, bounded, and taken over into the log at unlock.
//!
//! Must not know any secret key.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use claviger_crypto::seal_to;
use claviger_model::{Record, VaultId};
use parking_lot::Mutex;

use crate::body;
use crate::disk;
use crate::error::{AppendError, LockedLogError};
use crate::seal::{Hash, locked_aad, locked_genesis, locked_link};

pub(crate) const MAGIC: &[u8; 8] = b"CLAVLKD1";
pub(crate) const COUNT_AT: usize = 24;
pub(crate) const HEADER: usize = 32;
/// So many records are kept; later ones are only counted.
/// Tests make do with less: each costs a key agreement.
const RECORDS: u64 = if cfg!(test) { 100 } else { 10_000 };
/// A frame is never longer.
pub(crate) const FRAME_MAX: usize = 70 * 1024;

/// Takes records while no key is in memory.
pub struct LockedLog(Mutex<State>);

struct State {
    vault: VaultId,
    public: [u8; 32],
    file: File,
    /// Length of the file up to the last whole frame.
    len: u64,
    records: u64,
    counted: u64,
    hash: Hash,
    is_poisoned: bool,
}

pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("locked.seg")
}

/// What a file of the locked time holds, as far as it can be told without the secret key.
pub(crate) struct Contents {
    /// Each sealed record, with its index and the hash before it.
    pub(crate) frames: Vec<(Vec<u8>, Hash)>,
    pub(crate) counted: u64,
    /// Bytes up to the end of the last whole frame.
    pub(crate) len: u64,
    pub(crate) hash: Hash,
    /// Bytes follow that are no frame.
    pub(crate) is_torn: bool,
}

/// Parses the file; nothing if it is none, or another vault's.
pub(crate) fn parse(bytes: &[u8], vault: VaultId) -> Option<Contents> {
    let header = bytes.get(..HEADER)?;
    if !header.starts_with(MAGIC) || &header[MAGIC.len()..COUNT_AT] != vault.bytes() {
        return None;
    }
    let counted = u64::from_be_bytes(*header[COUNT_AT..].first_chunk()?);
    let mut contents = Contents {
        frames: Vec::new(),
        counted,
        len: HEADER as u64,
        hash: locked_genesis(vault),
        is_torn: false,
    };
    let mut rest = &bytes[HEADER..];
    while !rest.is_empty() {
        let sealed = rest
            .split_first_chunk::<4>()
            .map(|(len, after)| (u32::from_be_bytes(*len) as usize, after))
            .filter(|(len, _)| *len > 0 && *len <= FRAME_MAX)
            .and_then(|(len, after)| after.get(..len));
        let Some(sealed) = sealed else {
            contents.is_torn = true;
            break;
        };
        let frame = &rest[..4 + sealed.len()];
        contents.frames.push((sealed.to_vec(), contents.hash));
        contents.hash = locked_link(&contents.hash, frame);
        contents.len += frame.len() as u64;
        rest = &rest[frame.len()..];
    }
    Some(contents)
}

// === impl LockedLog ===

impl LockedLog {
    /// Opens or begins the file in the log's directory. `public` is the public key in the vault's header. What is in
    /// the file already is kept.
    pub fn open(dir: &Path, vault: VaultId, public: [u8; 32]) -> Result<Self, LockedLogError> {
        disk::ensure_dir(dir).map_err(LockedLogError::io("make the directory", dir))?;
        let path = path(dir);
        let mut file = disk::open_to_edit(&path).map_err(LockedLogError::io("open", &path))?;
        let mut state = Self::state(&mut file, vault)
            .map_err(LockedLogError::io("read", &path))?
            .unwrap_or((HEADER as u64, 0, 0, locked_genesis(vault)));
        if state.0 == HEADER as u64 {
            // New, or not one of ours: begun anew. There is nothing in it that could be opened.
            state = (HEADER as u64, 0, state.2, locked_genesis(vault));
            let header = [MAGIC.as_slice(), vault.bytes(), &state.2.to_be_bytes()].concat();
            let begin = |file: &mut File| {
                file.set_len(0)?;
                file.seek(SeekFrom::Start(0))?;
                file.write_all(&header)
            };
            begin(&mut file).map_err(LockedLogError::io("begin", &path))?;
        }
        let (len, records, counted, hash) = state;
        file.set_len(len).map_err(LockedLogError::io("cut the torn end of", &path))?;
        let state = State { vault, public, file, len, records, counted, hash, is_poisoned: false };
        Ok(Self(Mutex::new(state)))
    }

    fn state(file: &mut File, vault: VaultId) -> io::Result<Option<(u64, u64, u64, Hash)>> {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(parse(&bytes, vault).map(|c| (c.len, c.frames.len() as u64, c.counted, c.hash)))
    }

    /// Adds a record. When this returns, it is with the operating system. After 10,000, records are only
    /// counted.
    pub fn append(&self, record: &Record) -> Result<(), AppendError> {
        let state = &mut *self.0.lock();
        if state.is_poisoned {
            return Err(AppendError::Unavailable);
        }
        let written =
            if state.records >= RECORDS { state.count() } else { state.write(&body::encode(record)?) };
        written.map_err(|error| {
            tracing::error!(%error, "the record of the locked time cannot be written");
            state.is_poisoned = true;
            // What was half written goes away; should that fail too, the next open cuts it.
            if let Err(second) = state.file.set_len(state.len) {
                tracing::error!(error = %second, "cannot cut the record of the locked time back");
            }
            AppendError::Unavailable
        })
    }

    /// How many records are kept, and how many more were only counted.
    pub fn len(&self) -> (u64, u64) {
        let state = self.0.lock();
        (state.records, state.counted)
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == (0, 0)
    }
}

// === impl State ===

impl State {
    fn write(&mut self, body: &[u8]) -> io::Result<()> {
        let aad = locked_aad(self.vault, self.records, &self.hash);
        let sealed = seal_to(&self.public, &aad, &body::pad(body))
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut frame = (sealed.len() as u32).to_be_bytes().to_vec();
        frame.extend_from_slice(&sealed);
        self.file.seek(SeekFrom::Start(self.len))?;
        self.file.write_all(&frame)?;
        self.hash = locked_link(&self.hash, &frame);
        self.len += frame.len() as u64;
        self.records += 1;
        Ok(())
    }

    fn count(&mut self) -> io::Result<()> {
        self.counted = self.counted.saturating_add(1);
        self.file.seek(SeekFrom::Start(COUNT_AT as u64))?;
        self.file.write_all(&self.counted.to_be_bytes())
    }
}
