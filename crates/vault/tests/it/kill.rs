//! A process that adds and rotates credentials is killed at random moments: nothing acknowledged is lost, and nothing is
//! there that was not asked for.
//!
//! `CLAVIGER_KILLS` sets how often (1,000 if unset).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use claviger_model::Credential;
use claviger_secret::RecoveryKey;
use claviger_vault::{Unlocked, Vault};

use crate::common::{NOW, Place, again, credential, credential_id, key_of, material, password};

const CHILD: &str = "CLAVIGER_TEST_KILL_CHILD";

/// After so many kills a fresh copy is taken, so that the vault stays small and opening it stays quick.
const KILLS_PER_VAULT: usize = 20;

/// Newest acknowledged version by credential; 0 when its material was removed.
type Acknowledged = BTreeMap<u64, u32>;

#[test]
fn nothing_acknowledged_is_lost_to_kill_9() {
    let kills: usize = std::env::var("CLAVIGER_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000);
    let template = Place::new();
    let (vault, first_key) = template.create();
    drop(vault);
    let start = Instant::now();
    let mut random = Random(u64::from_le_bytes(claviger_crypto::random_bytes()));
    let mut totals = Totals::default();
    let mut place = Place::new();
    let (mut key, mut known, mut counter) = (again(&first_key), Acknowledged::new(), 0);
    for kill in 0..kills {
        if kill % KILLS_PER_VAULT == 0 {
            place = Place::new();
            std::fs::copy(template.vault(), place.vault()).unwrap();
            (key, known, counter) = (again(&first_key), Acknowledged::new(), 1);
        }
        let (lines, new_key) = run_and_kill(&place.vault(), &key, &mut random);
        for line in &lines {
            totals.count(line, &mut known);
        }
        counter += lines.len() as u64;
        key = new_key.unwrap_or(key);

        let mut vault = match place.open().unlock_with_recovery(&again(&key)) {
            Ok(vault) => vault,
            // Its new recovery key was committed and never told: then the password must open it.
            Err((vault, _)) => {
                totals.untold += 1;
                vault.unlock(&password(), None).map_err(|(_, e)| e).expect("neither key opens the vault")
            }
        };
        let ahead = vault.anchor().counter - counter;
        assert!(ahead <= 1, "kill {kill}: {ahead} changes were made that nobody was told of");
        totals.unacknowledged += ahead;
        check(&vault, &known, ahead, kill);
        key = vault.renew_recovery(NOW).unwrap();
        known = state_of(&vault);
        counter = vault.anchor().counter;
    }
    let Totals { adds, rotations, removals, keys, untold, unacknowledged } = totals;
    println!(
        "{kills} kills in {:.1} s: acknowledged {adds} adds, {rotations} rotations, {removals} removals, {keys} new \
         recovery keys; 0 lost, 0 mixed; {unacknowledged} committed just before their acknowledgement ({untold} of \
         them new keys)",
        start.elapsed().as_secs_f64()
    );
    assert!(
        adds > kills as u64 / 4 && rotations > kills as u64 / 8,
        "too little was written to prove anything"
    );
}

/// Starts the writing process, kills it at a random moment, and returns what it acknowledged.
fn run_and_kill(path: &Path, key: &RecoveryKey, random: &mut Random) -> (Vec<String>, Option<RecoveryKey>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["kill::writes_until_it_is_killed", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(CHILD, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(key.secret().expose()).unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    // One in eight dies while it opens; the others after some acknowledgements, at any moment of the next change.
    let wanted = if random.below(8) == 0 { 0 } else { 1 + random.below(12) };
    let mut seen: Vec<String> = Vec::new();
    while (seen.len() as u64) < wanted {
        match lines.next() {
            Some(line) if line.starts_with("ACK ") => seen.push(line),
            Some(_) => {}
            None => panic!("the writing process ended by itself after {seen:?}"),
        }
    }
    let moment =
        Instant::now() + Duration::from_micros(random.below(if wanted == 0 { 20_000 } else { 3_000 }));
    while Instant::now() < moment {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    seen.extend(lines.filter(|line| line.starts_with("ACK ")));
    let new_key = seen.iter().rev().find_map(|line| line.strip_prefix("ACK key ")).map(str::to_owned);
    (seen, new_key.map(RecoveryKey::from))
}

#[test]
#[ignore = "started and killed by the test above"]
fn writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let mut key = String::new();
    std::io::stdin().read_to_string(&mut key).unwrap();
    let mut vault = Vault::open(&path).unwrap().unlock_with_recovery(&RecoveryKey::from(key)).unwrap();
    let mut state = state_of(&vault);
    let acknowledge = |line: String| {
        let mut out = std::io::stdout().lock();
        out.write_all(line.as_bytes()).unwrap();
        out.flush().unwrap();
    };
    // The harness began a line of its own.
    acknowledge("\n".to_owned());
    for step in 1_u64.. {
        let newest = state.keys().next_back().copied().unwrap_or(0);
        let rotating = state.iter().rev().nth(1).map(|(n, version)| (*n, *version));
        match (step % 5, rotating) {
            (0, _) => {
                let key = vault.renew_recovery(NOW).unwrap();
                acknowledge(format!("ACK key {}\n", std::str::from_utf8(key.secret().expose()).unwrap()));
            }
            (4, Some((n, version))) if version > 0 => {
                vault.write(NOW, |w| w.remove_material(credential_id(n))).unwrap();
                state.insert(n, 0);
                acknowledge(format!("ACK remove {n} 0\n"));
            }
            (2 | 3, Some((n, version))) if version > 0 => {
                write(&mut vault, n, version + 1);
                state.insert(n, version + 1);
                acknowledge(format!("ACK rotate {n} {}\n", version + 1));
            }
            _ => {
                write(&mut vault, newest + 1, 1);
                state.insert(newest + 1, 1);
                acknowledge(format!("ACK add {} 1\n", newest + 1));
            }
        }
    }
}

/// A credential and its material, in one transaction, saying the same.
fn write(vault: &mut Unlocked, n: u64, version: u32) {
    let mut noun = credential(n, &format!("credential {n}"));
    noun.version = version;
    vault
        .write(NOW, |w| {
            w.put(&noun)?;
            w.put_material(noun.id, version, &material(&text(n, version)))
        })
        .unwrap();
}

fn text(n: u64, version: u32) -> String {
    format!("sk-{n}-{version}")
}

/// What the vault holds, by the credentials' own word.
fn state_of(vault: &Unlocked) -> Acknowledged {
    let all = vault.all::<Credential>().unwrap();
    all.iter()
        .map(|credential| {
            let n = u64::from_be_bytes(credential.id.bytes()[..8].try_into().unwrap());
            let has_material = !vault.material_versions(credential.id).unwrap().is_empty();
            (n, if has_material { credential.version } else { 0 })
        })
        .collect()
}

/// All that was acknowledged is there, all that is there belongs together, and at most one change is ahead.
fn check(vault: &Unlocked, known: &Acknowledged, ahead: u64, kill: usize) {
    let found = state_of(vault);
    let mut differences = 0;
    for (n, version) in known {
        let there = *found.get(n).unwrap_or_else(|| panic!("kill {kill}: credential {n} is lost"));
        if there != *version {
            let is_next = there == version + 1 || there == 0;
            assert!(is_next, "kill {kill}: credential {n} was acknowledged at {version} and is at {there}");
            differences += 1;
        }
    }
    differences += found.keys().filter(|n| !known.contains_key(n)).count() as u64;
    assert!(differences <= ahead, "kill {kill}: {differences} changes in {ahead} transactions");
    let opener = vault.opener();
    for (n, version) in found {
        for version in 1..=version {
            let sealed = vault.sealed_material(credential_id(n), version).unwrap();
            let sealed =
                sealed.unwrap_or_else(|| panic!("kill {kill}: material {n} version {version} is lost"));
            assert_eq!(key_of(&opener.open(&sealed).unwrap()), text(n, version), "kill {kill}: mixed up");
        }
    }
}

#[derive(Default)]
struct Totals {
    adds: u64,
    rotations: u64,
    removals: u64,
    keys: u64,
    untold: u64,
    unacknowledged: u64,
}

impl Totals {
    fn count(&mut self, line: &str, known: &mut Acknowledged) {
        let words: Vec<&str> = line.split(' ').collect();
        let counted = match words[1] {
            "add" => &mut self.adds,
            "rotate" => &mut self.rotations,
            "remove" => &mut self.removals,
            "key" => {
                self.keys += 1;
                return;
            }
            other => panic!("the writing process said {other}"),
        };
        *counted += 1;
        known.insert(words[2].parse().unwrap(), words[3].parse().unwrap());
    }
}

/// Moments need no good randomness.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
