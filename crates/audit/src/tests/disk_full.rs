//! when the disk is full or fails, nothing is acknowledged, nothing is half written, and the log recovers.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crate::disk::{Disk, open_to_append};
use crate::seal::Keys;
use crate::tests::{Home, VAULT, key, release};
use crate::writer::MakeDisk;
use crate::{AppendError, Durability, Filter, Log};

/// A real file on a disk with so many bytes left.
struct SmallDisk {
    file: File,
    faults: Arc<Faults>,
}

#[derive(Default)]
struct Faults {
    left: AtomicI64,
    cut_fails: AtomicBool,
    sync_fails: AtomicBool,
}

impl Disk for SmallDisk {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let left = self.faults.left.fetch_sub(bytes.len() as i64, Ordering::SeqCst);
        let fits = bytes.len().min(usize::try_from(left).unwrap_or(0));
        // As `write` does: what fits is written, the rest is not.
        self.file.append(&bytes[..fits])?;
        if fits == bytes.len() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        if self.faults.cut_fails.load(Ordering::SeqCst) {
            Err(io::ErrorKind::Other.into())
        } else {
            self.file.cut(len)
        }
    }

    fn sync(&self) -> io::Result<()> {
        if self.faults.sync_fails.load(Ordering::SeqCst) {
            Err(io::ErrorKind::Other.into())
        } else {
            self.file.sync()
        }
    }
}

fn open_small(home: &Home, left: i64, durability: Durability) -> (Log, Arc<Faults>) {
    let faults = Arc::new(Faults { left: AtomicI64::new(left), ..Faults::default() });
    let shared = Arc::clone(&faults);
    let make: MakeDisk = Arc::new(move |path: &Path| {
        Ok(Arc::new(SmallDisk { file: open_to_append(path)?, faults: Arc::clone(&shared) }) as Arc<dyn Disk>)
    });
    let (log, _) = Log::open_on(&home.log_dir(), Keys::new(VAULT, &key()), durability, None, &make).unwrap();
    (log, faults)
}

#[test]
fn a_full_disk_ends_appending_and_leaves_no_half_record() {
    for left in [0, 1, 3, 4, 200, 1000, 5000, 20_011] {
        for cut_fails in [false, true] {
            let home = Home::new();
            let (log, faults) = open_small(&home, left, Durability::Relaxed);
            faults.cut_fails.store(cut_fails, Ordering::SeqCst);
            let mut acknowledged = 0;
            let failed = loop {
                match log.append(&release(acknowledged)) {
                    Ok(seq) => {
                        acknowledged += 1;
                        assert_eq!(seq, acknowledged, "sequence numbers have no gaps");
                    }
                    Err(error) => break error,
                }
            };
            assert_eq!(failed, AppendError::Unavailable, "the caller is told");
            // Space returning does not help: what follows a failure would not be covered by a report to the user.
            faults.left.store(1 << 30, Ordering::SeqCst);
            assert_eq!(log.append(&release(99)), Err(AppendError::Unavailable), "it stays closed to appends");
            assert_eq!(log.append_soon(&release(99)), Err(AppendError::Unavailable), "for completions too");
            assert_eq!(log.flush(), Err(AppendError::Unavailable), "flush does not claim success");
            assert_eq!(log.head().seq, acknowledged, "the head is the last acknowledged record");
            let page = log.entries(&Filter::default(), 10_000, None).unwrap();
            assert_eq!(
                page.entries.len() as u64,
                acknowledged,
                "readers see what was acknowledged, and no more"
            );
            log.close();

            let (log, report) = home.open();
            assert!(cut_fails || report.torn_tail.is_none(), "a half record was left: {report:?}");
            assert!(report.damage.is_none() && report.truncated.is_none(), "{left} bytes: {report:?}");
            assert_eq!(report.unfinished, acknowledged, "every acknowledged release is there");
            log.append(&release(1000)).expect("after opening again it works");
            assert!(log.verify().unwrap().ok, "{left} bytes left, cut fails: {cut_fails}");
        }
    }
}

#[test]
fn a_batch_that_fits_in_part_is_acknowledged_in_part() {
    let home = Home::new();
    let (log, _) = open_small(&home, 100_000, Durability::Relaxed);
    let results: Vec<_> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..4u64)
            .map(|thread| {
                let log = log.clone();
                scope.spawn(move || {
                    (0..400).map(|i| log.append(&release(thread * 1000 + i)).ok()).collect::<Vec<_>>()
                })
            })
            .collect();
        handles.into_iter().flat_map(|handle| handle.join().unwrap()).collect()
    });
    let mut acknowledged: Vec<u64> = results.into_iter().flatten().collect();
    acknowledged.sort_unstable();
    assert_eq!(
        acknowledged,
        (1..=log.head().seq).collect::<Vec<_>>(),
        "what is acknowledged is exactly what is there"
    );
    log.close();
    let (log, report) = home.open();
    assert_eq!(report.unfinished, acknowledged.len() as u64, "and is there again after opening");
    assert!(log.verify().unwrap().ok, "the chain is whole");
}

#[test]
fn a_failed_sync_tells_the_waiter_no_and_ends_appending() {
    let home = Home::new();
    let (log, faults) = open_small(&home, 1 << 30, Durability::Strict);
    let ask = |n| {
        let (send, receive) = std::sync::mpsc::channel();
        log.append_durable(&release(n), move |kept| send.send(kept).unwrap()).map(|_| receive)
    };
    let patience = std::time::Duration::from_secs(10);
    assert_eq!(ask(1).unwrap().recv_timeout(patience), Ok(true), "a good disk");
    faults.sync_fails.store(true, Ordering::SeqCst);
    assert_eq!(ask(2).unwrap().recv_timeout(patience), Ok(false), "a failing disk");
    // A second sync could succeed without the data being there.
    faults.sync_fails.store(false, Ordering::SeqCst);
    assert!(ask(3).is_err(), "nothing is taken after a failed sync");
    assert!(log.flush().is_err(), "and no success is claimed");
}

/// On a real file system, if this process may mount one.
#[test]
fn a_full_tmpfs_ends_appending() {
    let home = Home::new();
    fs::create_dir(home.log_dir()).unwrap();
    let mount = |args: &[&str]| {
        std::process::Command::new("mount")
            .args(args)
            .arg(home.log_dir())
            .status()
            .is_ok_and(|status| status.success())
    };
    if !mount(&["-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs"]) {
        eprintln!("no right to mount: the small disk above stands in for this test");
        return;
    }
    struct Unmount(std::path::PathBuf);
    impl Drop for Unmount {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount").arg(&self.0).status();
        }
    }
    let _unmount = Unmount(home.log_dir());
    let (log, _) = home.open();
    let mut acknowledged = 0;
    while log.append(&release(acknowledged)).is_ok() {
        acknowledged += 1;
        assert!(acknowledged < 100_000, "the file system never ran full");
    }
    assert!(acknowledged > 100, "some fitted: {acknowledged}");
    assert_eq!(log.head().seq, acknowledged, "the head is the last acknowledged record");
    assert!(log.verify().unwrap().ok, "what is there is whole");
    log.close();
    let report = crate::verify_offline(&home.log_dir(), VAULT, &key());
    assert_eq!((report.ok, report.records), (true, acknowledged), "on disk too");
}
