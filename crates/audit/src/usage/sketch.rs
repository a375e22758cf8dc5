//! Latency histograms that can be added up: 32 buckets for each doubling, so at most 1.6 % off. Must not know units.

use serde::{Deserialize, Serialize};

/// Buckets for each doubling, as a power of two.
const SUB_BITS: u32 = 5;
const SUB: u32 = 1 << SUB_BITS;

/// A sparse histogram: bucket and count, in order of buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sketch(Vec<(u16, u64)>);

fn bucket_of(value: u32) -> u16 {
    let bucket = if value < SUB {
        value
    } else {
        let shift = value.ilog2() - SUB_BITS;
        (shift + 1) * SUB + ((value >> shift) - SUB)
    };
    // At most 28 * 32.
    bucket as u16
}

/// The middle of a bucket.
fn middle(bucket: u16) -> f64 {
    let bucket = u32::from(bucket);
    if bucket < SUB {
        return f64::from(bucket);
    }
    let shift = bucket / SUB - 1;
    let low = u64::from(SUB + bucket % SUB) << shift;
    low as f64 + ((1u64 << shift) - 1) as f64 / 2.0
}

// === impl Sketch ===

impl Sketch {
    pub(crate) fn add(&mut self, value: u32) {
        self.add_to(bucket_of(value), 1);
    }

    fn add_to(&mut self, bucket: u16, count: u64) {
        match self.0.binary_search_by_key(&bucket, |(b, _)| *b) {
            Ok(at) => self.0[at].1 = self.0[at].1.saturating_add(count),
            Err(at) => self.0.insert(at, (bucket, count)),
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        for (bucket, count) in &other.0 {
            self.add_to(*bucket, *count);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// The value that this share of all values does not exceed; 0 when there are none.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let total = self.count();
        let rank = (share * total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in &self.0 {
            seen += count;
            if seen >= rank {
                return middle(*bucket);
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_within_its_error() {
        let mut value = 0u32;
        while value < u32::MAX / 2 {
            let shown = middle(bucket_of(value));
            let off = (shown - f64::from(value)).abs() / f64::from(value.max(1));
            assert!(off <= 1.0 / 63.0, "{value} is shown as {shown}");
            value = value + 1 + value / 97;
        }
        assert!(bucket_of(u32::MAX) < 28 * 32, "the largest value has a bucket");
    }

    #[test]
    fn quantiles_survive_merging() {
        let (mut left, mut right, mut all) = (Sketch::default(), Sketch::default(), Sketch::default());
        for value in 1..=1000u32 {
            if value % 3 == 0 {
                left.add(value * 100)
            } else {
                right.add(value * 100)
            }
            all.add(value * 100);
        }
        left.merge(&right);
        assert_eq!(left, all, "merging is adding");
        for (share, exact) in [(0.5, 50_000.0), (0.99, 99_000.0)] {
            let shown = all.quantile(share);
            assert!((shown - exact).abs() / exact < 0.02, "quantile {share} is {shown}, not {exact}");
        }
        assert_eq!(Sketch::default().quantile(0.5), 0.0, "nothing has no latency");
    }
}
