//! Waiting for a condition with a deadline, in place of sleeping. Must not know what is waited for.

use std::time::{Duration, Instant};

/// Asks until the answer is there, and fails the test with `what` when it has not come within ten seconds
/// (`CLAVIGER_TEST_PATIENCE`, in seconds, changes that).
#[track_caller]
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let patience = std::env::var("CLAVIGER_TEST_PATIENCE").ok().and_then(|s| s.parse().ok()).unwrap_or(10);
    let deadline = Instant::now() + Duration::from_secs(patience);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {patience} s: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
