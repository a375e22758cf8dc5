//! Numbers gathered and put in order. Must not know what they measure.

/// The value below which `share` of the sorted numbers lie; 0 for none.
pub fn percentile(sorted: &[u64], share: f64) -> u64 {
    let last = sorted.len().saturating_sub(1);
    // A share of a length far below 2^52: neither cast can lose anything that matters.
    let at = (last as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or(0)
}

/// The middle one; of an even count, the mean of the two in the middle. `NaN` for none.
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = numbers.iter().copied().filter(|n| n.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[half],
        _ => f64::midpoint(sorted[half - 1], sorted[half]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_and_medians() {
        let sorted: Vec<u64> = (1..=101).collect();
        assert_eq!(percentile(&sorted, 0.5), 51, "the middle");
        assert_eq!(percentile(&sorted, 0.99), 100, "the tail");
        assert_eq!(percentile(&[], 0.5), 0, "nothing");
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9, "odd");
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9, "even");
        assert!(median(&[]).is_nan(), "none");
    }
}
