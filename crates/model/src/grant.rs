//! Grants: agent × credential × scope × expiry, given by the human.

use crate::{AgentId, CredentialId, GrantId, Timestamp};
use serde::{Deserialize, Serialize};

/// What an agent may do with a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// Who may.
    pub agent: AgentId,
    /// With what.
    pub credential: CredentialId,
    /// The random path under which the agent reaches the service.
    pub base: BasePath,
    /// Allowed methods, upper case; empty means all but `CONNECT` and `TRACE`.
    pub methods: Vec<String>,
    /// Allowed paths as globs over the path at the service: `*` within a segment, `**` across segments. Empty
    /// means all.
    pub paths: Vec<String>,
    /// At most this many requests.
    pub rate: Option<Rate>,
    /// Only in these hours of the day (UTC offset included).
    pub hours: Option<Hours>,
    /// When it was given.
    pub created_at: Timestamp,
    /// After this moment it is refused.
    pub expires_at: Option<Timestamp>,
}

/// A random, non-descriptive path segment of 128 bits, as 26 characters of base32.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct BasePath(pub String);

/// A number of requests in a unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In which unit.
    pub per: RatePer,
}

/// The unit of a [`Rate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RatePer {
    /// One second.
    Second,
    /// One minute.
    Minute,
    /// One hour.
    Hour,
    /// 24 hours.
    Day,
}

/// A daily window in minutes since midnight; a window whose end is before its start spans midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// First minute that is inside.
    pub from_minute: u16,
    /// First minute that is outside again.
    pub to_minute: u16,
    /// Minutes east of UTC in which the window is meant.
    pub utc_offset_minutes: i16,
}

// === impl Rate ===

impl RatePer {
    /// The unit in milliseconds.
    pub const fn millis(self) -> i64 {
        match self {
            Self::Second => 1_000,
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }
}

impl std::str::FromStr for Rate {
    type Err = &'static str;

    /// Reads `N/s`, `N/min`, `N/h` or `N/hour`, `N/d` or `N/day`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SHAPE: &str = "not a rate; write a number and a unit, as in 5/s, 60/min, 100/h, 1000/day";
        let (count, unit) = text.split_once('/').ok_or(SHAPE)?;
        let count = count.parse().ok().filter(|n| *n > 0).ok_or(SHAPE)?;
        let per = match unit {
            "s" | "sec" => RatePer::Second,
            "m" | "min" => RatePer::Minute,
            "h" | "hour" => RatePer::Hour,
            "d" | "day" => RatePer::Day,
            _ => return Err(SHAPE),
        };
        Ok(Self { count, per })
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unit = match self.per {
            RatePer::Second => "s",
            RatePer::Minute => "min",
            RatePer::Hour => "hour",
            RatePer::Day => "day",
        };
        write!(f, "{}/{unit}", self.count)
    }
}

// === impl Hours ===

impl std::str::FromStr for Hours {
    type Err = &'static str;

    /// Reads `09-18` or `09:30-18:00`, in UTC.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SHAPE: &str = "not a window; write two times of day, as in 09-18 or 09:30-18:00";
        let minute = |part: &str| -> Option<u16> {
            let (hour, minute) = part.split_once(':').unwrap_or((part, "0"));
            let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
            (hour <= 24 && minute < 60 && hour * 60 + minute <= 1440).then_some(hour * 60 + minute)
        };
        let (from, to) = text.split_once('-').ok_or(SHAPE)?;
        let (from_minute, to_minute) = (minute(from).ok_or(SHAPE)?, minute(to).ok_or(SHAPE)?);
        if from_minute == to_minute {
            return Err("the window is empty; its two times must differ");
        }
        Ok(Self { from_minute, to_minute, utc_offset_minutes: 0 })
    }
}

impl std::fmt::Display for Hours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (a, b) = (self.from_minute, self.to_minute);
        write!(f, "{:02}:{:02}-{:02}:{:02}", a / 60, a % 60, b / 60, b % 60)
    }
}
