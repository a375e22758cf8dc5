//! What someone with the file and this source, but without a key, can do to a vault: rows edited through SQLite, with
//! every checksum that needs no key put right again.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use claviger_crypto::{Aad, sha256_of};
use rusqlite::Connection;

/// Edits a closed vault through a connection of its own.
pub(crate) fn edit(path: &Path, work: impl FnOnce(&Connection)) {
    let connection = Connection::open(path).unwrap();
    work(&connection);
    connection.close().unwrap();
}

/// Runs SQL on a closed vault. How many rows it changed is checked: an attack that changes nothing proves nothing.
pub(crate) fn sql(path: &Path, text: &str) {
    edit(path, |connection| {
        let changed = connection.execute(text, []).unwrap();
        assert!(changed > 0, "{text} changed nothing");
    });
}

/// Like [`sql`], and then the header's digest is computed anew, as anybody can.
pub(crate) fn sql_with_digest(path: &Path, text: &str) {
    sql(path, text);
    edit(path, put_digest_right);
}

/// The header's digest as `docs/vault-format.md` has it, from the rows as they are.
pub(crate) fn put_digest_right(connection: &Connection) {
    let (vault, created, record_key): (Vec<u8>, i64, Vec<u8>) = connection
        .query_row("SELECT vault, created, record_key FROM header", [], |r| {
            Ok((r.get(0)?, r.get(1)?, r.get(2)?))
        })
        .unwrap();
    let format: i64 = connection.query_row("PRAGMA user_version", [], |r| r.get(0)).unwrap();
    let count: i64 = connection.query_row("SELECT count(*) FROM slot", [], |r| r.get(0)).unwrap();
    let mut all = Aad::new("clav1|header")
        .number(format as u64)
        .field(&vault)
        .signed(created)
        .field(&record_key)
        .number(count as u64);
    let columns = "id, kind, created, kdf, m, t, p, salt, commitment, wrapped";
    let mut statement = connection.prepare(&format!("SELECT {columns} FROM slot ORDER BY id")).unwrap();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        for column in 0..10 {
            all = match row.get_ref(column).unwrap() {
                rusqlite::types::ValueRef::Integer(number) => all.signed(number),
                rusqlite::types::ValueRef::Blob(bytes) => all.field(bytes),
                other => panic!("column {column} holds {other:?}"),
            };
        }
    }
    connection.execute("UPDATE header SET digest=?1", [sha256_of(&all)]).unwrap();
}
