//! Points in time and spans of time as plain numbers. Must not know the clock: time is passed in.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

/// A span in milliseconds, written `90s 15m 24h 30d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Duration(pub i64);

/// The text is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a duration; write a number and s, m, h or d, as in 90s, 15m, 24h, 30d")]
pub struct DurationError(());

// === impl Timestamp ===

impl Timestamp {
    /// The start of the UTC hour that this point lies in.
    pub fn hour(self) -> Self {
        Self(self.0.div_euclid(3_600_000) * 3_600_000)
    }

    /// This point moved later by `span`.
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// RFC 3339 in UTC with milliseconds, as in `2026-11-21T09:30:00.000Z`.
    pub fn to_rfc3339(self) -> String {
        DateTime::<Utc>::from_timestamp_millis(self.0)
            .unwrap_or_default()
            .to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// Reads RFC 3339, or a bare date (its first moment in UTC).
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Some(Self(at.timestamp_millis()));
        }
        let date = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        Some(Self(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis()))
    }
}

// === impl Duration ===

impl std::str::FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or(DurationError(()))?;
        let (number, unit) = text.split_at(unit_at);
        let number: i64 = number.parse().map_err(|_| DurationError(()))?;
        let millis = match unit {
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(DurationError(())),
        };
        number.checked_mul(millis).map(Self).ok_or(DurationError(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_written_in_the_contract() {
        assert_eq!("90s".parse(), Ok(Duration(90_000)), "seconds");
        assert_eq!("30d".parse(), Ok(Duration(30 * 86_400_000)), "days");
        for bad in ["", "10", "h", "1w", "-1s", "99999999999999999d", "1.5h"] {
            assert!(bad.parse::<Duration>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn timestamps_are_rfc_3339() {
        let at = Timestamp::parse("2026-11-21T09:30:00.250Z").unwrap();
        assert_eq!(at.to_rfc3339(), "2026-11-21T09:30:00.250Z", "milliseconds are kept");
        assert_eq!(
            Timestamp::parse("2026-11-21").unwrap().to_rfc3339(),
            "2026-11-21T00:00:00.000Z",
            "a date is its start"
        );
        assert_eq!(at.hour().to_rfc3339(), "2026-11-21T09:00:00.000Z", "the hour");
    }
}
