//! What a running process costs, read from `/proc`. Must not know what the process does.

use crate::Outcome;
use std::fs;

/// Ticks of `/proc/PID/stat` per second on every Linux that matters here (`getconf CLK_TCK`).
const TICKS_PER_SECOND: u64 = 100;

/// Processor time of a process, and the memory it holds now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// User and system time so far, all threads, in microseconds (in steps of 10,000).
    pub cpu_us: u64,
    /// Resident memory in KiB.
    pub rss_kb: u64,
}

/// What the processes cost so far, together.
pub fn cost_of(pids: &[u32]) -> Outcome<Cost> {
    let mut total = Cost::default();
    for pid in pids {
        let stat =
            fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|e| format!("process {pid}: {e}"))?;
        total.cpu_us += ticks(&stat).ok_or("unreadable /proc/PID/stat")? * (1_000_000 / TICKS_PER_SECOND);
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        total.rss_kb += field_kb(&status, "VmRSS:").unwrap_or(0);
    }
    Ok(total)
}

/// utime + stime. The name in parentheses may hold anything, so fields are counted behind it.
fn ticks(stat: &str) -> Option<u64> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

fn field_kb(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// Share of processor time that the host took from this machine between two readings, in percent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Steal {
    stolen: u64,
    total: u64,
}

// === impl Steal ===

impl Steal {
    /// The counters as they stand.
    pub fn read() -> Self {
        let text = fs::read_to_string("/proc/stat").unwrap_or_default();
        let first = text.lines().next().unwrap_or_default();
        let counters: Vec<u64> =
            first.split_whitespace().skip(1).take(8).filter_map(|n| n.parse().ok()).collect();
        Self { stolen: counters.get(7).copied().unwrap_or(0), total: counters.iter().sum() }
    }

    /// Percent since then.
    pub fn percent_since(self) -> f64 {
        let now = Self::read();
        let total = now.total.saturating_sub(self.total).max(1);
        now.stolen.saturating_sub(self.stolen) as f64 * 100.0 / total as f64
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 30 12 0 0 20 0 1 0 1 1 1";
        assert_eq!(ticks(stat), Some(42), "utime + stime");
    }

    #[test]
    fn this_process_costs_something() {
        let cost = cost_of(&[std::process::id()]).unwrap();
        assert!(cost.rss_kb > 100, "resident memory was read: {cost:?}");
        assert!(cost_of(&[u32::MAX]).is_err(), "a process that is not there is an error, not free");
    }
}
