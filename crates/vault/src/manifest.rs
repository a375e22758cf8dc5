//! The manifest: one MAC over header, slots, counters, the log's head and the tags of every row.
//!
//! Must not know content. After it verified, the index in memory is the truth, and a row read later must match it.

use std::collections::{BTreeMap, HashSet};

use claviger_crypto::{Aad, MacKey};
use claviger_model::VaultId;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{ReadError, WriteError};
use crate::item::{ItemKey, Tags};

/// More rows than this are refused.
const MAX_ITEMS: usize = 1_000_000;

/// After this many wraps under one key a random nonce might repeat (SP 800-38D allows 2^32).
const MAX_WRAPS: u64 = 1 << 31;

const WHAT: &str = "its manifest";

/// What identifies one state of one vault. Kept outside the file, it shows when an older copy comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Which vault.
    pub vault: VaultId,
    /// Counts up with every change; an older copy has a lower one.
    pub counter: u64,
    /// The manifest's MAC: two states with one counter are told apart by it.
    pub manifest: [u8; 32],
}

/// The row of the table `manifest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) epoch: u32,
    pub(crate) counter: u64,
    pub(crate) wraps: u64,
    pub(crate) log_head: Option<(u64, [u8; 32])>,
    pub(crate) mac: [u8; 32],
}

/// Every row that there is, with its tags.
#[derive(Debug, Default)]
pub(crate) struct Index {
    items: BTreeMap<ItemKey, Tags>,
    nonces: HashSet<[u8; 12]>,
}

/// Rows to be added (or replaced) and rows to be gone.
pub(crate) type Changes = BTreeMap<ItemKey, Option<Tags>>;

// === impl Manifest ===

impl Manifest {
    /// Of a vault that holds nothing yet. Its MAC is still to be computed.
    pub(crate) fn first() -> Self {
        Self { epoch: 1, counter: 1, wraps: 0, log_head: None, mac: [0; 32] }
    }

    pub(crate) fn read(connection: &Connection) -> Result<Self, ReadError> {
        let row = connection
            .query_row("SELECT epoch, counter, wraps, log_seq, log_hash, mac FROM manifest", [], |row| {
                let number = |column: usize| row.get::<_, i64>(column).map(u64::try_from);
                let head = (row.get::<_, Option<i64>>(3)?, row.get::<_, Option<[u8; 32]>>(4)?);
                Ok((row.get(0)?, number(1)?, number(2)?, head, row.get(5)?))
            })
            .optional()
            .map_err(ReadError::sqlite(WHAT))?;
        let tampered = || ReadError::Tampered { what: WHAT };
        let (epoch, counter, wraps, head, mac) = row.ok_or_else(tampered)?;
        let log_head = match head {
            (None, None) => None,
            (Some(seq), Some(hash)) => Some((u64::try_from(seq).map_err(|_| tampered())?, hash)),
            _ => return Err(tampered()),
        };
        let (counter, wraps) = (counter.map_err(|_| tampered())?, wraps.map_err(|_| tampered())?);
        Ok(Self { epoch, counter, wraps, log_head, mac })
    }

    /// The MAC over everything. `self.mac` is not part of it.
    pub(crate) fn compute(&self, key: &MacKey, header_digest: &[u8; 32], index: &Index) -> [u8; 32] {
        self.stream(key, header_digest, index).finish()
    }

    /// Checks the MAC in constant time.
    pub(crate) fn verify(
        &self,
        key: &MacKey,
        header_digest: &[u8; 32],
        index: &Index,
    ) -> Result<(), ReadError> {
        self.stream(key, header_digest, index).verify(&self.mac).map_err(ReadError::tampered(WHAT))
    }

    /// The manifest after one more transaction. Its MAC is still to be computed.
    pub(crate) fn next(&self, new_wraps: u64) -> Result<Self, WriteError> {
        let counter = self.counter.checked_add(1).filter(|n| i64::try_from(*n).is_ok());
        let wraps = self.wraps.checked_add(new_wraps).filter(|n| *n <= MAX_WRAPS);
        match (counter, wraps) {
            (Some(counter), Some(wraps)) => Ok(Self { counter, wraps, ..*self }),
            _ => Err(WriteError::KeyWornOut),
        }
    }

    pub(crate) fn insert(&self, connection: &Connection) -> Result<(), rusqlite::Error> {
        let (seq, hash) = self.head_columns();
        connection.execute(
            "INSERT INTO manifest(k, epoch, counter, wraps, log_seq, log_hash, mac) VALUES(1, ?1, ?2, ?3, ?4, ?5, ?6)",
            params![self.epoch, self.counter as i64, self.wraps as i64, seq, hash, self.mac],
        )?;
        Ok(())
    }

    /// Puts this in the place of `old`, and only of `old`.
    pub(crate) fn replace(&self, old: &Self, connection: &Connection) -> Result<(), WriteError> {
        let (seq, hash) = self.head_columns();
        let changed = connection
            .prepare_cached(
                "UPDATE manifest SET epoch=?1, counter=?2, wraps=?3, log_seq=?4, log_hash=?5, mac=?6 \
                 WHERE k=1 AND counter=?7 AND mac=?8",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    self.epoch,
                    self.counter as i64,
                    self.wraps as i64,
                    seq,
                    hash,
                    self.mac,
                    old.counter as i64,
                    old.mac
                ])
            })
            .map_err(WriteError::sqlite(WHAT))?;
        if changed == 1 { Ok(()) } else { Err(WriteError::Tampered { what: WHAT }) }
    }

    fn head_columns(&self) -> (Option<i64>, Option<[u8; 32]>) {
        (self.log_head.map(|(seq, _)| seq as i64), self.log_head.map(|(_, hash)| hash))
    }

    fn stream(&self, key: &MacKey, header_digest: &[u8; 32], index: &Index) -> claviger_crypto::MacStream {
        let (seq, hash) = match &self.log_head {
            Some((seq, hash)) => (seq.to_be_bytes().to_vec(), hash.as_slice()),
            None => (Vec::new(), [].as_slice()),
        };
        let facts = Aad::new("clav1|manifest")
            .field(header_digest)
            .number(self.epoch.into())
            .number(self.counter)
            .number(self.wraps)
            .field(&seq)
            .field(hash)
            .number(index.items.len() as u64);
        let mut stream = key.begin();
        stream.update(facts.as_bytes());
        for (item, tags) in &index.items {
            let mut row = [0; 1 + 16 + 4 + 16 + 16];
            row[0] = item.class;
            row[1..17].copy_from_slice(&item.id);
            row[17..21].copy_from_slice(&item.version.to_be_bytes());
            row[21..37].copy_from_slice(&tags.key);
            row[37..].copy_from_slice(&tags.body);
            stream.update(&row);
        }
        stream
    }
}

// === impl Index ===

impl Index {
    /// Reads ids, versions and tags of all rows. Nothing is opened.
    pub(crate) fn read(connection: &Connection) -> Result<Self, ReadError> {
        const WHAT: &str = "its rows";
        let tampered = || ReadError::Tampered { what: WHAT };
        let mut statement = connection
            .prepare("SELECT class, id, version, key, body FROM item ORDER BY class, id, version")
            .map_err(ReadError::sqlite(WHAT))?;
        let mut rows = statement.query([]).map_err(ReadError::sqlite(WHAT))?;
        let mut read: Vec<(ItemKey, Tags)> = Vec::new();
        while let Some(row) = rows.next().map_err(ReadError::sqlite(WHAT))? {
            if read.len() == MAX_ITEMS {
                return Err(tampered());
            }
            let fields = || -> Result<_, rusqlite::Error> {
                let key = ItemKey { class: row.get(0)?, id: row.get(1)?, version: row.get(2)? };
                Ok((key, Tags::of(row.get_ref(3)?.as_blob()?, row.get_ref(4)?.as_blob()?)))
            };
            let (key, tags) = fields().map_err(ReadError::sqlite(WHAT))?;
            // Exchanged pages give the right rows in a wrong order, in which SQLite would not find them.
            if read.last().is_some_and(|(last, _)| *last >= key) {
                return Err(tampered());
            }
            read.push((key, tags.ok_or_else(tampered)?));
        }
        let nonces = read.iter().map(|(_, tags)| tags.key_nonce).collect();
        Ok(Self { items: read.into_iter().collect(), nonces })
    }

    /// The tags of one row.
    pub(crate) fn tags(&self, key: &ItemKey) -> Option<&Tags> {
        self.items.get(key)
    }

    /// The rows of one class.
    pub(crate) fn of_class(&self, class: u8) -> impl Iterator<Item = &ItemKey> {
        let low = ItemKey { class, id: [0; 16], version: 0 };
        let high = ItemKey { class, id: [0xff; 16], version: u32::MAX };
        self.items.range(low..=high).map(|(key, _)| key)
    }

    /// The rows of one thing, oldest version first.
    pub(crate) fn versions(&self, class: u8, id: [u8; 16]) -> impl Iterator<Item = &ItemKey> {
        let low = ItemKey { class, id, version: 0 };
        self.items.range(low..=ItemKey { version: u32::MAX, ..low }).map(|(key, _)| key)
    }

    /// Whether a key was wrapped under this nonce already.
    pub(crate) fn has_nonce(&self, nonce: &[u8; 12]) -> bool {
        self.nonces.contains(nonce)
    }

    /// Makes the changes and gives back what undoes them.
    pub(crate) fn apply(&mut self, changes: &Changes) -> Result<Changes, WriteError> {
        let added = changes.values().flatten().count();
        if self.items.len() + added > MAX_ITEMS {
            return Err(WriteError::TooLarge);
        }
        Ok(self.swap(changes))
    }

    /// Undoes [`Index::apply`].
    pub(crate) fn undo(&mut self, changes: &Changes) {
        self.swap(changes);
    }

    fn swap(&mut self, changes: &Changes) -> Changes {
        let mut before = Changes::new();
        for (key, tags) in changes {
            let old = match tags {
                Some(tags) => {
                    self.nonces.insert(tags.key_nonce);
                    self.items.insert(*key, *tags)
                }
                None => self.items.remove(key),
            };
            if let Some(old) = old.filter(|old| tags.is_none_or(|new| new.key_nonce != old.key_nonce)) {
                self.nonces.remove(&old.key_nonce);
            }
            before.insert(*key, old);
        }
        before
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn row(id: u8, nonce: u8) -> (ItemKey, Tags) {
        let key = ItemKey { class: 1, id: [id; 16], version: 1 };
        (key, Tags { key_nonce: [nonce; 12], key: [nonce; 16], body: [id; 16] })
    }

    #[test]
    fn a_worn_out_key_wraps_no_more() {
        let fresh = Manifest::first();
        assert!(fresh.next(MAX_WRAPS).is_ok(), "the last wrap is allowed");
        assert!(matches!(fresh.next(MAX_WRAPS + 1), Err(WriteError::KeyWornOut)), "one too many was allowed");
        let worn = Manifest { wraps: MAX_WRAPS, ..fresh };
        assert!(worn.next(0).is_ok(), "removing goes on");
        assert!(matches!(worn.next(1), Err(WriteError::KeyWornOut)), "a worn-out key was used");
        let last = Manifest { counter: i64::MAX as u64, ..fresh };
        assert!(matches!(last.next(0), Err(WriteError::KeyWornOut)), "the counter came back to the start");
    }

    #[test]
    fn changes_can_be_undone_with_their_nonces() {
        let mut index = Index::default();
        let ((one, tags), (two, others)) = (row(1, 1), row(2, 2));
        index.apply(&Changes::from([(one, Some(tags))])).unwrap();
        let replaced = Tags { key_nonce: [9; 12], ..tags };
        let undo = index.apply(&Changes::from([(one, Some(replaced)), (two, Some(others))])).unwrap();
        assert!(
            index.has_nonce(&[9; 12]) && !index.has_nonce(&[1; 12]),
            "the new nonce took the old one's place"
        );
        index.undo(&undo);
        assert_eq!(index.tags(&one), Some(&tags), "the old row is back");
        assert_eq!(index.tags(&two), None, "the added row is gone");
        assert!(index.has_nonce(&[1; 12]) && !index.has_nonce(&[9; 12]), "and so are the nonces");
    }

    #[test]
    fn every_fact_and_every_row_is_in_the_mac() {
        let key = MacKey::from_secret(claviger_secret::Secret::from(vec![1; 32]));
        let mut index = Index::default();
        index
            .apply(&Changes::from([(row(1, 1).0, Some(row(1, 1).1)), (row(2, 2).0, Some(row(2, 2).1))]))
            .unwrap();
        let base = Manifest { log_head: Some((1, [1; 32])), ..Manifest::first() };
        let mac = base.compute(&key, &[0; 32], &index);
        for other in [
            Manifest { epoch: 2, ..base },
            Manifest { counter: 2, ..base },
            Manifest { wraps: 1, ..base },
            Manifest { log_head: None, ..base },
            Manifest { log_head: Some((2, [1; 32])), ..base },
            Manifest { log_head: Some((1, [2; 32])), ..base },
        ] {
            assert_ne!(other.compute(&key, &[0; 32], &index), mac, "{other:?} has the same MAC");
        }
        assert_ne!(base.compute(&key, &[1; 32], &index), mac, "another header has the same MAC");
        index.apply(&Changes::from([(row(2, 2).0, None)])).unwrap();
        assert_ne!(base.compute(&key, &[0; 32], &index), mac, "a row less has the same MAC");
    }
}
