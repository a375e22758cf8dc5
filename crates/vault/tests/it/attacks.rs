//! Attacks on rows, header, slots and counters: each is refused, or shows by the anchor.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::time::{Duration, Instant};

use claviger_model::Credential;
use claviger_secret::{Passphrase, RecoveryKey};
use claviger_vault::{Kdf, OpenError, ReadError, UnlockError, Unlocked, Vault};

use crate::common::{NOW, Place, again, credential, credential_id, device, material, password};
use crate::outside::{edit, put_digest_right, sql, sql_with_digest};

/// A vault with two credentials, three versions of material and two settings.
fn filled() -> (Place, RecoveryKey) {
    let place = Place::new();
    let (mut vault, recovery) = place.create();
    vault
        .write(NOW, |w| {
            for n in 1..=2 {
                w.put(&credential(n, &format!("credential {n}")))?;
                w.put_material(credential_id(n), 1, &material(&format!("sk-{n}-1")))?;
            }
            w.put_material(credential_id(1), 2, &material("sk-1-2"))?;
            w.put_setting("one", b"1")?;
            w.put_setting("two", b"2")
        })
        .unwrap();
    vault.set_log_head(5, [5; 32]).unwrap();
    (place, recovery)
}

fn unlock(place: &Place, key: &RecoveryKey) -> Result<Unlocked, UnlockError> {
    place.open().unlock_with_recovery(&again(key)).map_err(|(_, error)| error)
}

fn expect_tampered(place: &Place, key: &RecoveryKey, attack: &str) {
    match unlock(place, key) {
        Err(UnlockError::Tampered { .. }) => {}
        Err(other) => panic!("{attack}: refused for another reason: {other:?}"),
        Ok(_) => panic!("{attack}: went unseen"),
    }
}

#[test]
fn every_change_of_rows_is_seen_at_unlock() {
    let attacks = [
        "DELETE FROM item WHERE class=2 AND rowid_is(1)",
        "DELETE FROM item WHERE class=5 AND version=2",
        "DELETE FROM item WHERE class=6 AND id=(SELECT min(id) FROM item WHERE class=6)",
        "DELETE FROM item",
        // One thing's row under another's name.
        "UPDATE item SET version=3 WHERE class=5 AND version=2",
        "UPDATE item SET class=1 WHERE class=2 AND id=(SELECT min(id) FROM item WHERE class=2)",
        "UPDATE item SET id=randomblob(16) WHERE class=2 AND id=(SELECT min(id) FROM item WHERE class=2)",
        "INSERT INTO item SELECT class, randomblob(16), version, key, body FROM item WHERE class=2 LIMIT 1",
        "INSERT INTO item SELECT class, id, version+7, key, body FROM item WHERE class=5 LIMIT 1",
        "INSERT INTO item VALUES(4, randomblob(16), 1, randomblob(76), randomblob(92))",
        "INSERT INTO item VALUES(9, randomblob(16), 1, randomblob(76), randomblob(92))",
        "INSERT INTO item VALUES(4, x'00', 1, randomblob(76), randomblob(92))",
        "INSERT INTO item VALUES(4, randomblob(16), -1, randomblob(76), randomblob(92))",
        "INSERT INTO item VALUES(4, randomblob(16), 1, x'', x'')",
        // Parts exchanged between rows of the same class and size.
        "UPDATE item SET body=(SELECT max(body) FROM item WHERE class=2) WHERE class=2",
        "UPDATE item SET key=(SELECT max(key) FROM item WHERE class=2) WHERE class=2",
        "UPDATE item SET body=(SELECT body FROM item WHERE class=5 AND version=2) WHERE class=5 AND version=1",
        "UPDATE item SET (key, body)=(SELECT key, body FROM item WHERE class=5 AND version=2) WHERE class=5 AND version=1",
        // The manifest itself.
        "UPDATE manifest SET counter=counter+1",
        "UPDATE manifest SET counter=1",
        "UPDATE manifest SET counter=-1",
        "UPDATE manifest SET epoch=2",
        "UPDATE manifest SET wraps=0",
        "UPDATE manifest SET log_seq=4",
        "UPDATE manifest SET log_hash=zeroblob(32)",
        "UPDATE manifest SET log_seq=NULL, log_hash=NULL",
        "UPDATE manifest SET log_seq=NULL",
        "UPDATE manifest SET mac=zeroblob(32)",
        "UPDATE manifest SET mac=x''",
        "DELETE FROM manifest",
    ];
    for attack in attacks {
        let (place, recovery) = filled_copy();
        let attack = attack.replace("rowid_is(1)", "id=(SELECT min(id) FROM item WHERE class=2)");
        sql(&place.vault(), &attack);
        expect_tampered(&place, &recovery, &attack);
    }
}

/// The same vault for many attacks: made once, copied for each.
fn filled_copy() -> (Place, RecoveryKey) {
    use std::sync::OnceLock;
    static MADE: OnceLock<(Vec<u8>, String)> = OnceLock::new();
    let (bytes, key) = MADE.get_or_init(|| {
        let (place, recovery) = filled();
        let key = String::from_utf8(recovery.secret().expose().to_vec()).unwrap();
        (fs::read(place.vault()).unwrap(), key)
    });
    let place = Place::new();
    fs::write(place.vault(), bytes).unwrap();
    (place, RecoveryKey::from(key.clone()))
}

#[test]
fn the_untouched_copy_opens() {
    // Without this, every attack above could be "seen" for a wrong reason.
    let (place, recovery) = filled_copy();
    let vault = unlock(&place, &recovery).unwrap();
    assert_eq!(vault.all::<Credential>().unwrap().len(), 2, "the credentials are there");
    assert_eq!(vault.log_head(), Some((5, [5; 32])), "the log's head is there");
    drop(vault);
    edit(&place.vault(), put_digest_right);
    assert!(unlock(&place, &recovery).is_ok(), "the tests compute the digest as the vault does");
}

#[test]
fn a_flipped_bit_inside_a_row_is_seen_when_it_is_read() {
    let (place, recovery) = filled_copy();
    // The first byte of the ciphertext, which is in no tag: the manifest cannot see it, the row's own seal does.
    edit(&place.vault(), |connection| {
        let (id, mut body): (Vec<u8>, Vec<u8>) = connection
            .query_row("SELECT id, body FROM item WHERE class=2 LIMIT 1", [], |r| Ok((r.get(0)?, r.get(1)?)))
            .unwrap();
        body[12] ^= 1;
        connection.execute("UPDATE item SET body=?1 WHERE class=2 AND id=?2", (body, id)).unwrap();
        connection
            .execute(
                "UPDATE item SET key=CAST(substr(key,1,20)||x'00'||substr(key,22) AS BLOB) WHERE class=5 AND version=2",
                [],
            )
            .unwrap();
    });
    let vault = unlock(&place, &recovery).unwrap();
    assert!(matches!(vault.all::<Credential>(), Err(ReadError::Tampered { .. })), "a changed row was read");
    let sealed = vault.sealed_material(credential_id(1), 2).unwrap().unwrap();
    assert!(vault.opener().open(&sealed).is_err(), "changed material was opened");
    let whole = vault.sealed_material(credential_id(1), 1).unwrap().unwrap();
    assert!(vault.opener().open(&whole).is_ok(), "what was not changed still opens");
}

#[test]
fn an_older_state_of_one_row_does_not_come_back() {
    let (place, recovery) = filled_copy();
    let old: (Vec<u8>, i64, Vec<u8>, Vec<u8>) = Connection::read(&place);
    let mut vault = unlock(&place, &recovery).unwrap();
    vault
        .write(NOW, |w| {
            w.put(&credential(1, "renamed"))?;
            w.remove_material(credential_id(1))?;
            w.put_material(credential_id(1), 1, &material("after"))
        })
        .unwrap();
    drop(vault);
    let newer = fs::read(place.vault()).unwrap();
    // In its old place, beside the new row, and in the new row's place.
    for attack in [
        "INSERT INTO item VALUES(2, ?1, ?2, ?3, ?4)",
        "UPDATE item SET version=?2, key=?3, body=?4 WHERE class=2 AND id=?1",
        "UPDATE item SET key=?3, body=?4, version=version+0*?2 WHERE class=2 AND id=?1",
    ] {
        fs::write(place.vault(), &newer).unwrap();
        edit(&place.vault(), |c| {
            assert_eq!(c.execute(attack, old.clone()).unwrap(), 1, "{attack} changed nothing")
        });
        expect_tampered(&place, &recovery, attack);
    }
}

/// Reads the oldest credential's row.
struct Connection;

impl Connection {
    fn read(place: &Place) -> (Vec<u8>, i64, Vec<u8>, Vec<u8>) {
        let connection = rusqlite::Connection::open(place.vault()).unwrap();
        let sql = "SELECT id, version, key, body FROM item WHERE class=2 ORDER BY id LIMIT 1";
        connection.query_row(sql, [], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))).unwrap()
    }
}

#[test]
fn rows_and_slots_of_another_vault_are_refused() {
    let (place, recovery) = filled();
    let (other, other_recovery) = filled();
    let attach = format!("ATTACH '{}' AS other", other.vault().display());
    let steal = |text: &str| {
        edit(&place.vault(), |c| {
            c.execute(&attach, []).unwrap();
            assert!(c.execute(text, []).unwrap() > 0, "{text} changed nothing");
            put_digest_right(c);
        });
    };
    let kept = fs::read(place.vault()).unwrap();
    steal(
        "UPDATE item SET (key, body)=(SELECT key, body FROM other.item o WHERE o.class=item.class AND o.id=item.id AND o.version=item.version) WHERE class=5",
    );
    expect_tampered(&place, &recovery, "another vault's material");
    fs::write(place.vault(), &kept).unwrap();
    steal("UPDATE manifest SET (counter, wraps, mac)=(SELECT counter, wraps, mac FROM other.manifest)");
    expect_tampered(&place, &recovery, "another vault's manifest");
    // The other vault's slot, with the same password and with a recovery key that is known.
    for kind in ["kind<3", "kind=3"] {
        fs::write(place.vault(), &kept).unwrap();
        edit(&place.vault(), |c| {
            c.execute(&attach, []).unwrap();
            c.execute(&format!("DELETE FROM slot WHERE {kind}"), []).unwrap();
            c.execute(&format!("INSERT INTO slot SELECT * FROM other.slot WHERE {kind}"), []).unwrap();
            put_digest_right(c);
        });
        let error = match kind {
            "kind=3" => place.open().unlock_with_recovery(&again(&other_recovery)).unwrap_err().1,
            _ => place.open().unlock(&password(), None).unwrap_err().1,
        };
        assert!(
            matches!(
                error,
                UnlockError::WrongPassword | UnlockError::WrongRecoveryKey | UnlockError::Tampered { .. }
            ),
            "another vault's slot ({kind}): {error:?}"
        );
    }
}

#[test]
fn header_and_slots_are_bound_together() {
    let (place, recovery) = filled_copy();
    let kept = fs::read(place.vault()).unwrap();
    let password_slot = [
        "UPDATE slot SET m=m+1 WHERE kind=1",
        "UPDATE slot SET m=m*2 WHERE kind=1",
        "UPDATE slot SET t=t+1 WHERE kind=1",
        "UPDATE slot SET p=p+1 WHERE kind=1",
        "UPDATE slot SET salt=randomblob(32) WHERE kind=1",
        "UPDATE slot SET kind=2 WHERE kind=1",
        "UPDATE slot SET created=created+1 WHERE kind=1",
        "UPDATE slot SET commitment=randomblob(32) WHERE kind=1",
        "UPDATE slot SET wrapped=randomblob(60) WHERE kind=1",
        "UPDATE slot SET id=randomblob(16) WHERE kind=1",
        "UPDATE header SET vault=randomblob(16)",
        "UPDATE header SET created=created+1",
        "UPDATE header SET record_key=randomblob(32)",
    ];
    for attack in password_slot {
        fs::write(place.vault(), &kept).unwrap();
        sql(&place.vault(), attack);
        let opened = Vault::open(&place.vault());
        assert!(matches!(opened, Err(OpenError::Damaged { .. })), "{attack}, digest as it was: {opened:?}");
        edit(&place.vault(), put_digest_right);
        let device = device(1);
        let error = place.open().unlock(&password(), Some(&device)).unwrap_err().1;
        assert!(
            matches!(error, UnlockError::WrongPassword | UnlockError::Tampered { .. }),
            "{attack}, digest put right: {error:?}"
        );
        // The other way in must not be fooled by it either.
        assert!(unlock(&place, &recovery).is_err(), "{attack}: the recovery key opened a changed header");
    }
}

#[test]
fn slots_can_be_neither_removed_nor_doubled_nor_brought_back() {
    let (place, recovery) = filled();
    let old = fs::read(place.vault()).unwrap();
    let new = Passphrase::from("another password".to_owned());
    let mut vault = unlock(&place, &recovery).unwrap();
    vault.set_passphrase(&new, None, Kdf::floor(), NOW).unwrap();
    drop(vault);
    let kept = fs::read(place.vault()).unwrap();

    sql_with_digest(&place.vault(), "DELETE FROM slot WHERE kind=3");
    let error = place.open().unlock(&new, None).unwrap_err().1;
    assert!(matches!(error, UnlockError::Tampered { .. }), "the recovery slot was removed unseen: {error:?}");

    fs::write(place.vault(), &kept).unwrap();
    sql_with_digest(
        &place.vault(),
        "INSERT INTO slot SELECT randomblob(16), kind, created, kdf, m, t, p, salt, commitment, wrapped FROM slot WHERE kind=1",
    );
    assert!(
        matches!(Vault::open(&place.vault()), Err(OpenError::Damaged { .. })),
        "two password slots were taken"
    );

    // The slot of the old password, genuine but retired.
    fs::write(place.vault(), &kept).unwrap();
    let older = Place::new();
    fs::write(older.vault(), &old).unwrap();
    edit(&place.vault(), |c| {
        c.execute(&format!("ATTACH '{}' AS other", older.vault().display()), []).unwrap();
        c.execute("DELETE FROM slot WHERE kind=1", []).unwrap();
        c.execute("INSERT INTO slot SELECT * FROM other.slot WHERE kind=1", []).unwrap();
        put_digest_right(c);
    });
    let error = place.open().unlock(&password(), None).unwrap_err().1;
    assert!(matches!(error, UnlockError::Tampered { .. }), "the old password came back: {error:?}");
}

#[test]
fn costs_out_of_bounds_are_refused_before_they_are_spent() {
    let (place, _) = filled_copy();
    let kept = fs::read(place.vault()).unwrap();
    // 8 KiB, 1 TiB, and everything else just outside.
    for change in
        ["m=8", "m=1073741824", "m=65535", "m=2097153", "m=-1", "t=2", "t=17", "p=3", "p=17", "p=0", "kdf=0"]
    {
        fs::write(place.vault(), &kept).unwrap();
        sql_with_digest(&place.vault(), &format!("UPDATE slot SET {change} WHERE kind=1"));
        let start = Instant::now();
        let opened = Vault::open(&place.vault());
        assert!(matches!(opened, Err(OpenError::Damaged { .. })), "{change} was accepted: {opened:?}");
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "{change}: something was spent before it was refused"
        );
    }
}

#[test]
fn an_older_copy_shows_by_its_anchor() {
    let (place, recovery) = filled();
    let old = fs::read(place.vault()).unwrap();
    let mut vault = unlock(&place, &recovery).unwrap();
    let before = vault.anchor();
    vault.write(NOW, |w| w.put(&credential(9, "later"))).unwrap();
    let after = vault.anchor();
    assert!(
        after.counter == before.counter + 1 && after.manifest != before.manifest,
        "every change moves the anchor"
    );
    drop(vault);
    fs::write(place.vault(), &old).unwrap();
    let vault = unlock(&place, &recovery).unwrap();
    assert_eq!(vault.anchor(), before, "a whole older copy is genuine");
    assert!(vault.anchor().counter < after.counter, "and it is the counter that tells");
    assert_eq!(vault.anchor().vault, after.vault, "of the same vault");
}
