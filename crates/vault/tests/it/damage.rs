//! Damage at random: every flipped bit, every cut, every exchanged page of a 64 KiB vault is noticed or without effect.
//!
//! One of every 16 bits is flipped (64 in a debug build), another one in each group; `CLAVIGER_FLIPS=all` flips all
//! 524,288 (best with `--release`), `CLAVIGER_FLIPS=1000` about so many.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use claviger_model::{Agent, Credential, Grant, Service};
use claviger_secret::RecoveryKey;
use claviger_vault::{Anchor, MaterialVersion, OpenError, ReadError, UnlockError, Vault};

use crate::common::{NOW, Place, again, credential, credential_id, key_of, material};

const PAGE: usize = 4096;

/// Everything that a vault says.
#[derive(Debug, PartialEq, Eq)]
struct Content {
    anchor: Anchor,
    needs_device_secret: bool,
    log_head: Option<(u64, [u8; 32])>,
    credentials: Vec<Credential>,
    others: (usize, usize, usize),
    setting: Option<Vec<u8>>,
    versions: Vec<Vec<MaterialVersion>>,
    material: Vec<String>,
}

#[derive(Default)]
struct Tally {
    detected: AtomicUsize,
    harmless: AtomicUsize,
    silent: AtomicUsize,
}

/// A vault of 64 KiB, the key to it, and what it says.
fn vault_of_64_kib() -> (Vec<u8>, RecoveryKey, Content) {
    let place = Place::new();
    let (mut vault, recovery) = place.create();
    vault.set_log_head(77, [7; 32]).unwrap();
    vault.write(NOW, |w| w.put_setting("setting", b"value")).unwrap();
    let mut n = 0;
    loop {
        n += 1;
        vault
            .write(NOW, |w| {
                w.put(&credential(n, &format!("credential {n}")))?;
                w.put_material(credential_id(n), 1, &material(&format!("sk-{n:0>120}")))
            })
            .unwrap();
        vault = vault.lock().unwrap().unlock_with_recovery(&again(&recovery)).map_err(|(_, e)| e).unwrap();
        if fs::metadata(place.vault()).unwrap().len() >= 65_536 {
            break;
        }
        assert!(n < 500, "the vault does not grow");
    }
    drop(vault);
    let bytes = fs::read(place.vault()).unwrap();
    assert_eq!(bytes.len(), 65_536, "the vault is 64 KiB");
    let content = read(&place, &recovery).expect("the untouched vault reads");
    assert_eq!(content.credentials.len() as u64, n, "all that was written is read");
    (bytes, recovery, content)
}

/// Everything, or what was noticed. A test that ran out of files or memory has noticed nothing: that is a failure.
fn read(place: &Place, recovery: &RecoveryKey) -> Result<Content, String> {
    let vault = Vault::open(&place.vault()).map_err(|error| match error {
        OpenError::Damaged { .. } | OpenError::NotAVault | OpenError::NewerVersion { .. } => {
            error.to_string()
        }
        // SQLite calls a page that lies beyond the end of the file a failed read.
        OpenError::Io(why) if why.to_string().contains("disk I/O error") => why.to_string(),
        other => panic!("not damage but a failing test: {other:?}"),
    })?;
    let vault = vault.unlock_with_recovery(&again(recovery)).map_err(|(_, error)| match error {
        UnlockError::Io(why) => panic!("not damage but a failing test: {why:?}"),
        other => other.to_string(),
    })?;
    let credentials = vault.all::<Credential>().map_err(noticed)?;
    let others = (
        vault.all::<Agent>().map_err(noticed)?.len(),
        vault.all::<Grant>().map_err(noticed)?.len(),
        vault.all::<Service>().map_err(noticed)?.len(),
    );
    let (mut versions, mut opened) = (Vec::new(), Vec::new());
    let opener = vault.opener();
    for credential in &credentials {
        versions.push(vault.material_versions(credential.id).map_err(noticed)?);
        let sealed =
            vault.sealed_material(credential.id, 1).map_err(noticed)?.ok_or("material is missing")?;
        opened.push(key_of(&opener.open(&sealed).map_err(|error| error.to_string())?));
    }
    Ok(Content {
        anchor: vault.anchor(),
        needs_device_secret: vault.needs_device_secret(),
        log_head: vault.log_head(),
        credentials,
        others,
        setting: vault.setting("setting").map_err(noticed)?.map(|value| value.expose().to_vec()),
        versions,
        material: opened,
    })
}

fn noticed(error: ReadError) -> String {
    match error {
        ReadError::Tampered { .. } => error.to_string(),
        ReadError::Io(why) => panic!("not damage but a failing test: {why:?}"),
    }
}

/// Puts `bytes` in the vault's place, reads, and counts what came of it.
fn try_one(place: &Place, bytes: &[u8], recovery: &RecoveryKey, good: &Content, tally: &Tally, what: &str) {
    fs::write(place.vault(), bytes).unwrap();
    match read(place, recovery) {
        Err(_) => tally.detected.fetch_add(1, Ordering::Relaxed),
        Ok(content) if &content == good => tally.harmless.fetch_add(1, Ordering::Relaxed),
        Ok(_) => {
            println!("SILENT: {what}");
            tally.silent.fetch_add(1, Ordering::Relaxed)
        }
    };
    for suffix in ["-wal", "-journal"] {
        let _ = fs::remove_file(place.beside(suffix));
    }
}

/// Works through `count` damages on two threads and prints the totals.
fn try_all(name: &str, count: usize, damage: impl Fn(usize, &[u8]) -> Vec<u8> + Sync) {
    let (bytes, recovery, good) = vault_of_64_kib();
    let (tally, next, start) = (Tally::default(), AtomicUsize::new(0), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let place = Place::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        return;
                    }
                    let damaged = damage(n, &bytes);
                    try_one(&place, &damaged, &recovery, &good, &tally, &format!("{name} {n}"));
                }
            });
        }
    });
    let Tally { detected, harmless, silent } = &tally;
    let (detected, harmless, silent) =
        (detected.load(Ordering::SeqCst), harmless.load(Ordering::SeqCst), silent.load(Ordering::SeqCst));
    println!(
        "{count} {name}: {detected} detected, {harmless} harmless (content identical), {silent} silent, {:.1} s",
        start.elapsed().as_secs_f64()
    );
    assert_eq!(detected + harmless + silent, count, "{name}: not all were tried");
    assert_eq!(silent, 0, "{name}: something changed and nobody noticed");
    assert!(detected > 0, "{name}: nothing was detected, so nothing was damaged");
}

#[test]
fn no_flipped_bit_goes_unseen() {
    const BITS: usize = 65_536 * 8;
    // Unoptimised, reading 64 KiB takes ten times as long.
    const BY_DEFAULT: usize = if cfg!(debug_assertions) { 64 } else { 16 };
    let wanted = std::env::var("CLAVIGER_FLIPS").unwrap_or_default();
    let group = match wanted.as_str() {
        "all" => 1,
        number => number.parse().map_or(BY_DEFAULT, |count: usize| BITS / count.clamp(1, BITS)),
    };
    // One of each group of neighbours, picked by a multiplicative hash, so that every bit of a byte has its turn.
    let pick = |n: usize| n * group + ((n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % group;
    try_all(&format!("bit flips (one of {group})"), BITS / group, |n, bytes| {
        let (mut damaged, bit) = (bytes.to_vec(), pick(n));
        damaged[bit / 8] ^= 1 << (bit % 8);
        damaged
    });
}

#[test]
fn no_cut_goes_unseen() {
    try_all("cuts", 65_536 / 512, |n, bytes| bytes[..n * 512].to_vec());
}

#[test]
fn no_exchanged_zeroed_or_doubled_page_goes_unseen() {
    const PAGES: usize = 16;
    try_all("page changes", PAGES * PAGES + PAGES, |n, bytes| {
        let mut damaged = bytes.to_vec();
        let (one, two) = (n / PAGES, n % PAGES);
        let page = |n: usize| n * PAGE..(n + 1) * PAGE;
        if one == PAGES {
            damaged[page(two)].fill(0);
        } else if one < two {
            let kept = damaged[page(one)].to_vec();
            damaged.copy_within(page(two), one * PAGE);
            damaged[page(two)].copy_from_slice(&kept);
        } else {
            damaged.copy_within(page(one), two * PAGE);
        }
        damaged
    });
}

#[test]
fn garbage_at_the_end_changes_nothing_unseen() {
    let (bytes, recovery, good) = vault_of_64_kib();
    let (place, tally) = (Place::new(), Tally::default());
    for len in [1, 511, 512, PAGE, 10 * PAGE] {
        let longer = [bytes.clone(), vec![0x5a; len]].concat();
        try_one(&place, &longer, &recovery, &good, &tally, &format!("{len} bytes of garbage"));
    }
    assert_eq!(tally.silent.load(Ordering::SeqCst), 0, "garbage at the end changed the content");
}
