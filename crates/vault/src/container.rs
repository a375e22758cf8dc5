//! The SQLite container: how it is opened, and that its schema is exactly ours.
//!
//! Must not know keys. A file from outside is hostile: SQLite runs defensive, follows no link, and finds no trigger, view
//! or function to run, because a schema that differs in one byte is refused.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use crate::FORMAT;
use crate::error::{Fault, OpenError};
use crate::file::APPLICATION_ID;

/// The largest content of one row, before padding.
pub(crate) const MAX_CONTENT: usize = 16 * 1024 * 1024 - 64;

/// The tables of format 1, word for word as in `docs/vault-format.md`.
const SCHEMA: [(&str, &str); 4] = [
    (
        "header",
        "CREATE TABLE header(k INTEGER PRIMARY KEY CHECK(k=1), vault BLOB NOT NULL, created INTEGER NOT NULL, record_key BLOB NOT NULL, digest BLOB NOT NULL) STRICT",
    ),
    (
        "item",
        "CREATE TABLE item(class INTEGER NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, key BLOB NOT NULL, body BLOB NOT NULL, PRIMARY KEY(class,id,version)) STRICT, WITHOUT ROWID",
    ),
    (
        "manifest",
        "CREATE TABLE manifest(k INTEGER PRIMARY KEY CHECK(k=1), epoch INTEGER NOT NULL, counter INTEGER NOT NULL, wraps INTEGER NOT NULL, log_seq INTEGER, log_hash BLOB, mac BLOB NOT NULL) STRICT",
    ),
    (
        "slot",
        "CREATE TABLE slot(id BLOB PRIMARY KEY, kind INTEGER NOT NULL, created INTEGER NOT NULL, kdf INTEGER NOT NULL, m INTEGER NOT NULL, t INTEGER NOT NULL, p INTEGER NOT NULL, salt BLOB NOT NULL, commitment BLOB NOT NULL, wrapped BLOB NOT NULL) STRICT, WITHOUT ROWID",
    ),
];

/// Opens an existing vault file. Nothing is written into it, not even when the connection closes.
pub(crate) fn open(path: &Path) -> Result<Connection, OpenError> {
    let what = "its container";
    let connection = connect(path).map_err(OpenError::sqlite(what))?;
    let mode: String =
        connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).map_err(OpenError::sqlite(what))?;
    if mode != "wal" {
        return Err(OpenError::Damaged { what: "its journal mode" });
    }
    connection.execute_batch("PRAGMA synchronous=FULL").map_err(OpenError::sqlite(what))?;
    let number = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, u32>(0));
    // The write-ahead log may say otherwise than the file did.
    let format = number("PRAGMA user_version").map_err(OpenError::sqlite(what))?;
    if format > FORMAT {
        return Err(OpenError::NewerVersion { found: format });
    }
    let application = number("PRAGMA application_id").map_err(OpenError::sqlite(what))?;
    if format != FORMAT || application != APPLICATION_ID {
        return Err(OpenError::NotAVault);
    }
    if !schema_is_ours(&connection).map_err(OpenError::sqlite("its schema"))? {
        return Err(OpenError::Damaged { what: "its schema" });
    }
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(OpenError::sqlite("its structure"))?;
    if verdict != "ok" {
        return Err(OpenError::Damaged { what: "its structure" });
    }
    Ok(connection)
}

/// Lays out a new vault in an empty file.
pub(crate) fn lay_out(path: &Path) -> Result<Connection, Fault> {
    let connection = connect(path)?;
    connection.execute_batch(&format!(
        "PRAGMA page_size=4096; PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={FORMAT}; \
         PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"
    ))?;
    for (_, table) in SCHEMA {
        connection.execute_batch(table)?;
    }
    Ok(connection)
}

/// Moves the write-ahead log into the file and empties it, so that deleted bytes are in neither.
pub(crate) fn empty_log(connection: &Connection) -> Result<(), Fault> {
    let blocked: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if blocked == 0 { Ok(()) } else { Err(Fault::Busy) }
}

/// Whether the write-ahead log goes into the file when the connection closes. Only once the vault was unlocked: before
/// that, the log may be a stranger's.
pub(crate) fn keep_log_on_close(connection: &Connection, keep: bool) -> Result<(), rusqlite::Error> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep).map(drop)
}

fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    keep_log_on_close(&connection, true)?;
    let limits = [
        (Limit::SQLITE_LIMIT_LENGTH, MAX_CONTENT as i32 + 4096),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 4096),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
        (Limit::SQLITE_LIMIT_COLUMN, 32),
    ];
    for (limit, value) in limits {
        connection.set_limit(limit, value)?;
    }
    // Exclusive before the first access: the log's index then lives in memory, and there is no -shm file to poison.
    connection.execute_batch(
        "PRAGMA locking_mode=EXCLUSIVE; PRAGMA secure_delete=ON; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF; \
         PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA foreign_keys=ON; PRAGMA fullfsync=ON; \
         PRAGMA checkpoint_fullfsync=ON",
    )?;
    Ok(connection)
}

fn schema_is_ours(connection: &Connection) -> Result<bool, rusqlite::Error> {
    let mut statement =
        connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name")?;
    let mut rows = statement.query([])?;
    for (name, sql) in SCHEMA {
        let Some(row) = rows.next()? else { return Ok(false) };
        let is = |column: usize, expected: &str| -> Result<bool, rusqlite::Error> {
            Ok(row.get_ref(column)?.as_str() == Ok(expected))
        };
        if !(is(0, "table")? && is(1, name)? && is(2, name)? && is(3, sql)?) {
            return Ok(false);
        }
    }
    Ok(rows.next()?.is_none())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A vault that is merely `synchronous=NORMAL` loses acknowledged changes in a power cut, and no kill shows it. So the
    /// settings themselves are looked at.
    #[test]
    fn sqlite_is_set_as_the_format_says() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap().join("vault.db");
        std::fs::write(&path, b"").unwrap();
        let check = |connection: &Connection| {
            for (pragma, expected) in [
                ("journal_mode", "wal"),
                ("synchronous", "2"),
                ("fullfsync", "1"),
                ("checkpoint_fullfsync", "1"),
                ("locking_mode", "exclusive"),
                ("secure_delete", "1"),
                ("temp_store", "2"),
                ("trusted_schema", "0"),
                ("cell_size_check", "1"),
                ("foreign_keys", "1"),
                ("page_size", "4096"),
                ("user_version", "1"),
                ("application_id", "1129070934"),
            ] {
                let found = connection
                    .query_row(&format!("PRAGMA {pragma}"), [], |row| {
                        let value = row.get_ref(0)?;
                        Ok(value
                            .as_str()
                            .map(str::to_owned)
                            .unwrap_or_else(|_| value.as_i64().unwrap().to_string()))
                    })
                    .unwrap();
                assert_eq!(found, expected, "{pragma} is not as the format says");
            }
            assert!(connection.db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE).unwrap(), "not defensive");
            assert!(
                connection.execute_batch("ATTACH ':memory:' AS other").is_err(),
                "something can be attached"
            );
        };
        let made = lay_out(&path).ok().unwrap();
        check(&made);
        keep_log_on_close(&made, false).unwrap();
        made.close().unwrap();
        check(&open(&path).unwrap());
    }
}
