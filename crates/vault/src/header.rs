//! The tables `header` and `slot` as they were read: what is known before any key is.
//!
//! Must not know keys. Lengths, kinds and costs are checked here, before anything is spent on them.

use claviger_crypto::{Aad, Kdf, sha256_of};
use claviger_model::{Timestamp, VaultId};
use rusqlite::{Connection, Row, params};

use crate::FORMAT;
use crate::error::OpenError;

/// The largest number of slots that is read. A vault has two.
const MAX_SLOTS: usize = 8;

/// The vault's public facts and its slots, in ascending order of id.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) vault: VaultId,
    pub(crate) created_at: Timestamp,
    pub(crate) record_key: [u8; 32],
    pub(crate) slots: Vec<Slot>,
}

/// One way to the root key.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) id: [u8; 16],
    pub(crate) kind: SlotKind,
    pub(crate) created_at: Timestamp,
    pub(crate) salt: [u8; 32],
    pub(crate) commitment: [u8; 32],
    pub(crate) wrapped: Vec<u8>,
}

/// What opens a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotKind {
    Password(Kdf),
    PasswordAndDevice(Kdf),
    Recovery,
}

// === impl Header ===

impl Header {
    /// Reads and checks both tables.
    pub(crate) fn read(connection: &Connection) -> Result<Self, OpenError> {
        const WHAT: &str = "its header";
        let damaged = || OpenError::Damaged { what: WHAT };
        let (vault, created, record_key, digest) = connection
            .query_row("SELECT vault, created, record_key, digest FROM header", [], |row| {
                Ok((row.get::<_, [u8; 16]>(0)?, row.get(1)?, row.get(2)?, row.get::<_, [u8; 32]>(3)?))
            })
            .map_err(OpenError::sqlite(WHAT))?;
        let mut slots = Vec::new();
        let mut statement = connection
            .prepare(
                "SELECT id, kind, created, kdf, m, t, p, salt, commitment, wrapped FROM slot ORDER BY id",
            )
            .map_err(OpenError::sqlite(WHAT))?;
        let mut rows = statement.query([]).map_err(OpenError::sqlite(WHAT))?;
        while let Some(row) = rows.next().map_err(OpenError::sqlite(WHAT))? {
            if slots.len() == MAX_SLOTS {
                return Err(damaged());
            }
            slots.push(Slot::read(row)?);
        }
        let header =
            Self { vault: VaultId::from_bytes(vault), created_at: Timestamp(created), record_key, slots };
        if header.digest() != digest {
            return Err(damaged());
        }
        let count =
            |wanted: fn(&SlotKind) -> bool| header.slots.iter().filter(|slot| wanted(&slot.kind)).count();
        let passwords = count(|kind| !matches!(kind, SlotKind::Recovery));
        if passwords != 1 || count(|kind| matches!(kind, SlotKind::Recovery)) > 1 {
            return Err(OpenError::Damaged { what: "its slots" });
        }
        Ok(header)
    }

    /// SHA-256 over everything in both tables.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let start = Aad::new("clav1|header")
            .number(FORMAT.into())
            .field(self.vault.bytes())
            .signed(self.created_at.0)
            .field(&self.record_key)
            .number(self.slots.len() as u64);
        sha256_of(
            &self
                .slots
                .iter()
                .fold(start, |all, slot| slot.facts(all).field(&slot.commitment).field(&slot.wrapped)),
        )
    }

    /// What a slot's wrapped key is bound to.
    pub(crate) fn slot_context(&self, slot: &Slot) -> Aad {
        slot.facts(
            Aad::new("clav1|slot")
                .number(FORMAT.into())
                .field(self.vault.bytes())
                .signed(self.created_at.0)
                .field(&self.record_key),
        )
    }

    /// The slot that the password opens.
    pub(crate) fn password_slot(&self) -> Option<&Slot> {
        self.slots.iter().find(|slot| !matches!(slot.kind, SlotKind::Recovery))
    }

    /// The slot that the recovery key opens.
    pub(crate) fn recovery_slot(&self) -> Option<&Slot> {
        self.slots.iter().find(|slot| matches!(slot.kind, SlotKind::Recovery))
    }

    pub(crate) fn needs_device_secret(&self) -> bool {
        self.password_slot().is_some_and(|slot| matches!(slot.kind, SlotKind::PasswordAndDevice(_)))
    }

    /// The same header with `slot` in the place of the one for the same purpose.
    pub(crate) fn with_slot(&self, slot: Slot) -> Self {
        let is_recovery = |slot: &Slot| matches!(slot.kind, SlotKind::Recovery);
        let mut next = self.clone();
        next.slots.retain(|old| is_recovery(old) != is_recovery(&slot));
        next.slots.push(slot);
        next.slots.sort_by_key(|slot| slot.id);
        next
    }

    /// Writes both tables anew.
    pub(crate) fn write(&self, connection: &Connection) -> Result<(), rusqlite::Error> {
        connection.execute("DELETE FROM slot", [])?;
        connection.execute("DELETE FROM header", [])?;
        connection.execute(
            "INSERT INTO header(k, vault, created, record_key, digest) VALUES(1, ?1, ?2, ?3, ?4)",
            params![self.vault.bytes(), self.created_at.0, self.record_key, self.digest()],
        )?;
        for slot in &self.slots {
            let (kind, kdf, [m, t, p]) = slot.kind.columns();
            connection.execute(
                "INSERT INTO slot(id, kind, created, kdf, m, t, p, salt, commitment, wrapped) \
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                params![
                    slot.id,
                    kind,
                    slot.created_at.0,
                    kdf,
                    m,
                    t,
                    p,
                    slot.salt,
                    slot.commitment,
                    slot.wrapped
                ],
            )?;
        }
        Ok(())
    }
}

// === impl Slot ===

impl Slot {
    fn read(row: &Row<'_>) -> Result<Self, OpenError> {
        const WHAT: &str = "its slots";
        let fault = || OpenError::Damaged { what: WHAT };
        let number = |column: usize| row.get::<_, u32>(column).map_err(OpenError::sqlite(WHAT));
        let kdf = || {
            Kdf::new(number(4)?, number(5)?, number(6)?)
                .map_err(|_| OpenError::Damaged { what: "the cost of its key derivation is out of bounds" })
        };
        let kind = match (number(1)?, number(3)?) {
            (1, 1) => SlotKind::Password(kdf()?),
            (2, 1) => SlotKind::PasswordAndDevice(kdf()?),
            (3, 0) if (number(4)?, number(5)?, number(6)?) == (0, 0, 0) => SlotKind::Recovery,
            _ => return Err(fault()),
        };
        let read = || {
            Ok(Self {
                id: row.get(0)?,
                kind,
                created_at: Timestamp(row.get(2)?),
                salt: row.get(7)?,
                commitment: row.get(8)?,
                wrapped: row.get(9)?,
            })
        };
        let slot = read().map_err(OpenError::sqlite(WHAT))?;
        if slot.wrapped.len() == 32 + claviger_crypto::SEALED_OVERHEAD { Ok(slot) } else { Err(fault()) }
    }

    /// Everything of the slot but the key itself.
    fn facts(&self, list: Aad) -> Aad {
        let (kind, kdf, [m, t, p]) = self.kind.columns();
        list.field(&self.id)
            .number(kind.into())
            .signed(self.created_at.0)
            .number(kdf.into())
            .number(m.into())
            .number(t.into())
            .number(p.into())
            .field(&self.salt)
    }
}

// === impl SlotKind ===

impl SlotKind {
    /// The numbers that stand for it: kind, derivation, its cost.
    fn columns(self) -> (u8, u8, [u32; 3]) {
        let cost = |kdf: Kdf| [kdf.memory_kib(), kdf.passes(), kdf.lanes()];
        match self {
            Self::Password(kdf) => (1, 1, cost(kdf)),
            Self::PasswordAndDevice(kdf) => (2, 1, cost(kdf)),
            Self::Recovery => (3, 0, [0; 3]),
        }
    }
}
