//! Counts by time and by who, in cells that grow coarser with age. Must not know records or names: ids are numbers here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::sketch::Sketch;

/// Minutes since 1970; where a cell begins.
pub(crate) type Minute = i64;

/// What is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) denied: u64,
    pub(crate) tokens_in: u64,
    pub(crate) tokens_out: u64,
    pub(crate) tokens_cached: u64,
    pub(crate) bytes_up: u64,
    pub(crate) bytes_down: u64,
    /// Microseconds to the end of the answer.
    pub(crate) latency: Sketch,
}

/// Who a cell is of: numbers that stand for ids, 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Who {
    pub(crate) agent: u32,
    pub(crate) credential: u32,
    pub(crate) service: u32,
    pub(crate) model: u32,
}

/// One step of coarseness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Minute,
    Hour,
    Day,
    Month,
}

/// All cells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cells {
    tiers: [Tier; 4],
    /// The latest minute that was counted in.
    latest: Minute,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Tier {
    cells: BTreeMap<(Minute, Who), Counts>,
    /// What lies before this is counted in the next tier.
    floor: Minute,
}

const HOUR: Minute = 60;
const DAY: Minute = 24 * HOUR;
const STEPS: [Step; 4] = [Step::Minute, Step::Hour, Step::Day, Step::Month];

// === impl Counts ===

impl Counts {
    pub(crate) fn merge(&mut self, other: &Self) {
        let pairs = [
            (&mut self.requests, other.requests),
            (&mut self.errors, other.errors),
            (&mut self.denied, other.denied),
            (&mut self.tokens_in, other.tokens_in),
            (&mut self.tokens_out, other.tokens_out),
            (&mut self.tokens_cached, other.tokens_cached),
            (&mut self.bytes_up, other.bytes_up),
            (&mut self.bytes_down, other.bytes_down),
        ];
        for (sum, add) in pairs {
            *sum = sum.saturating_add(add);
        }
        self.latency.merge(&other.latency);
    }
}

// === impl Step ===

impl Step {
    /// Where the cell begins that this minute falls into. Months are of 30 days; nobody reads them by the day.
    const fn start(self, minute: Minute) -> Minute {
        let width = self.width();
        minute.div_euclid(width) * width
    }

    const fn width(self) -> Minute {
        match self {
            Self::Minute => 1,
            Self::Hour => HOUR,
            Self::Day => DAY,
            Self::Month => 30 * DAY,
        }
    }

    /// How far back this step is used.
    const fn reach(self) -> Minute {
        match self {
            Self::Minute => 26 * HOUR,
            Self::Hour => 35 * DAY,
            Self::Day => 400 * DAY,
            Self::Month => Minute::MAX,
        }
    }

    const fn most_cells(self) -> usize {
        match self {
            Self::Minute => 10_000,
            Self::Hour => 30_000,
            Self::Day => 50_000,
            Self::Month => usize::MAX,
        }
    }
}

// === impl Cells ===

impl Cells {
    /// The cell to count in.
    pub(crate) fn at(&mut self, minute: Minute, who: Who) -> &mut Counts {
        if minute > self.latest {
            self.latest = minute;
            self.age();
        }
        let index = (0..3).find(|i| minute >= self.tiers[*i].floor).unwrap_or(3);
        if self.tiers[index].cells.len() >= STEPS[index].most_cells() {
            self.shrink(index);
        }
        self.tiers[index].cells.entry((STEPS[index].start(minute), who)).or_default()
    }

    /// Every cell that reaches past `since` and begins before `until`, with its beginning.
    pub(crate) fn between(
        &self,
        since: Option<Minute>,
        until: Option<Minute>,
    ) -> impl Iterator<Item = (Minute, Who, &Counts)> {
        STEPS.iter().zip(&self.tiers).flat_map(move |(step, tier)| {
            let from = since.map_or(Minute::MIN, |since| step.start(since));
            tier.cells
                .range((from, Who::default())..)
                .take_while(move |((start, _), _)| until.is_none_or(|until| *start < until))
                .map(|((start, who), counts)| (*start, *who, counts))
        })
    }

    /// How many cells there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.tiers.iter().map(|tier| tier.cells.len()).sum()
    }

    /// Moves what has grown old into the coarser step.
    fn age(&mut self) {
        for (index, step) in STEPS.iter().enumerate().take(3) {
            // Whole cells of the coarser step move at once.
            let floor = STEPS[index + 1].start(self.latest.saturating_sub(step.reach()));
            if floor > self.tiers[index].floor {
                self.move_up(index, floor);
            }
        }
    }

    /// Makes room in a tier by moving its older half up.
    fn shrink(&mut self, index: usize) {
        let cells = &self.tiers[index].cells;
        let Some((middle, _)) = cells.keys().nth(cells.len() / 2).copied() else { return };
        let coarse = STEPS[index + 1];
        // At least the oldest coarse cell moves, even if everything lies within it.
        let oldest = cells.keys().next().map_or(middle, |(start, _)| *start);
        let floor = coarse.start(middle).max(coarse.start(oldest) + coarse.width());
        self.move_up(index, floor);
    }

    fn move_up(&mut self, index: usize, floor: Minute) {
        let tier = &mut self.tiers[index];
        tier.floor = tier.floor.max(floor);
        let keep = tier.cells.split_off(&(floor, Who::default()));
        let old = std::mem::replace(&mut tier.cells, keep);
        // The coarser tier's own floor may already lie above: then it goes further up.
        for ((start, who), counts) in old {
            let into = (index + 1..3).find(|i| start >= self.tiers[*i].floor).unwrap_or(3);
            let key = (STEPS[into].start(start), who);
            self.tiers[into].cells.entry(key).or_default().merge(&counts);
        }
        if let Some(above) = (index + 1..3).find(|i| self.tiers[*i].cells.len() > STEPS[*i].most_cells()) {
            // Goes on upwards from there by itself.
            self.shrink(above);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(agent: u32) -> Who {
        Who { agent, ..Who::default() }
    }

    fn total(cells: &Cells) -> u64 {
        cells.between(None, None).map(|(_, _, counts)| counts.requests).sum()
    }

    #[test]
    fn age_moves_counts_and_loses_none() {
        let mut cells = Cells::default();
        let mut counted = 0;
        for minute in (0..800 * DAY).step_by(97) {
            cells.at(minute, who(1)).requests += 1;
            counted += 1;
        }
        assert_eq!(total(&cells), counted, "aging lost counts");
        cells.at(5, who(1)).requests += 1;
        assert_eq!(total(&cells), counted + 1, "a late count is kept");
        assert!(cells.len() < 26 * 60 / 97 + 36 * 24 + 401 + 30, "{} cells remain", cells.len());
    }

    #[test]
    fn the_number_of_cells_is_bounded() {
        let mut cells = Cells::default();
        for n in 0..200_000u32 {
            cells.at(1000 + Minute::from(n % 3), who(n)).requests += 1;
        }
        assert_eq!(total(&cells), 200_000, "the bound lost counts");
        assert!(cells.tiers[0].cells.len() <= 10_000, "minutes: {}", cells.tiers[0].cells.len());
        assert!(cells.tiers[1].cells.len() <= 30_000, "hours: {}", cells.tiers[1].cells.len());
        assert!(cells.tiers[2].cells.len() <= 50_000, "days: {}", cells.tiers[2].cells.len());
    }

    #[test]
    fn a_range_takes_whole_cells() {
        let mut cells = Cells::default();
        for minute in 0..120 {
            cells.at(10_000_000 + minute, who(1)).requests += 1;
        }
        let in_range: u64 =
            cells.between(Some(10_000_030), Some(10_000_090)).map(|(_, _, counts)| counts.requests).sum();
        assert_eq!(in_range, 60, "minutes are told apart while they are young");
    }
}
