//! The rate rule: at most N requests in *any* stretch of one unit, not only between two strokes of the clock.
//!
//! Must not know the clock: time is passed in. The unit is cut into 60 slots and a request counts until its whole slot
//! has left the unit, so the count errs on the side of too few (by at most a sixtieth of the unit), never too many.

use std::sync::{Mutex, PoisonError};

use claviger_model::{Rate, Timestamp};

const SLOTS: usize = 61;

/// Counts the requests of the last unit of time. Shared between the old and the new rules of a grant, so that a change
/// elsewhere never gives more.
#[derive(Debug)]
pub(crate) struct Window {
    rate: Rate,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    /// How much the passed-in clock is to be corrected, after it was set back.
    offset_us: i64,
    /// The latest corrected time, so that time never runs backwards here.
    latest_us: i64,
    slots: [u32; SLOTS],
    total: u32,
}

/// A clock that is back by more than this was set back; by less, two threads read it in another order than they came.
const JITTER_US: i64 = 2_000_000;

// === impl Window ===

impl Window {
    pub(crate) const fn new(rate: Rate) -> Self {
        let counts = Counts { offset_us: 0, latest_us: i64::MIN, slots: [0; SLOTS], total: 0 };
        Self { rate, counts: Mutex::new(counts) }
    }

    pub(crate) const fn rate(&self) -> Rate {
        self.rate
    }

    /// Counts one request, or says after how many milliseconds there may be room. `spend` false only looks.
    pub(crate) fn pass(&self, now: Timestamp, spend: bool) -> Result<(), i64> {
        // The counts are plain numbers and valid at each step, so a panic elsewhere cannot have broken them.
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let slot_us = self.slot_us();
        counts.advance(now.0.saturating_mul(1_000), slot_us);
        if counts.total < self.rate.count {
            if spend {
                let slot = counts.latest_us.div_euclid(slot_us).rem_euclid(SLOTS as i64) as usize;
                counts.slots[slot] += 1;
                counts.total += 1;
            }
            return Ok(());
        }
        Err(counts.wait_us(slot_us).div_euclid(1_000) + 1)
    }

    const fn slot_us(&self) -> i64 {
        (self.rate.per.millis() * 1_000 + SLOTS as i64 - 2) / (SLOTS as i64 - 1)
    }
}

// === impl Counts ===

impl Counts {
    /// Moves time on and forgets the slots that left the unit.
    fn advance(&mut self, now_us: i64, slot_us: i64) {
        let mut now = now_us.saturating_add(self.offset_us);
        if self.latest_us == i64::MIN {
            self.latest_us = now;
            return;
        }
        if now < self.latest_us {
            if self.latest_us.saturating_sub(now) > JITTER_US {
                // Nothing ages while the clock is set back; from here on time passes as before.
                self.offset_us = self.latest_us.saturating_sub(now_us);
            }
            now = self.latest_us;
        }
        let (from, to) = (self.latest_us.div_euclid(slot_us), now.div_euclid(slot_us));
        let passed = to.saturating_sub(from);
        if passed >= SLOTS as i64 {
            self.slots = [0; SLOTS];
            self.total = 0;
        } else {
            for slot in from + 1..=to {
                let slot = slot.rem_euclid(SLOTS as i64) as usize;
                self.total -= self.slots[slot];
                self.slots[slot] = 0;
            }
        }
        self.latest_us = now;
    }

    /// How long until the oldest counted slot leaves the unit.
    fn wait_us(&self, slot_us: i64) -> i64 {
        let current = self.latest_us.div_euclid(slot_us);
        for ahead in 1..=SLOTS as i64 {
            let slot = (current + ahead).rem_euclid(SLOTS as i64) as usize;
            if self.slots[slot] > 0 {
                return (current + ahead) * slot_us - self.latest_us;
            }
        }
        slot_us
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use claviger_model::RatePer;

    const START: i64 = 1_795_000_000_000;

    fn window(count: u32, per: RatePer) -> Window {
        Window::new(Rate { count, per })
    }

    fn passes(window: &Window, at: i64) -> bool {
        window.pass(Timestamp(at), true).is_ok()
    }

    #[test]
    fn a_burst_at_the_edge_of_the_unit_never_gets_more_than_the_rate() {
        let window = window(10, RatePer::Minute);
        let before = (0..100).filter(|_| passes(&window, START + 59_999)).count();
        let after = (0..100).filter(|_| passes(&window, START + 60_001)).count();
        assert_eq!((before, after), (10, 0), "the edge of a minute gave more");
    }

    #[test]
    fn waiting_as_told_is_enough_and_never_longer_than_a_unit_and_a_slot() {
        for per in [RatePer::Second, RatePer::Minute, RatePer::Hour, RatePer::Day] {
            let window = window(3, per);
            for i in 0..3 {
                assert!(passes(&window, START + i), "request {i} is inside the rate");
            }
            let wait = window.pass(Timestamp(START + 5), true).unwrap_err();
            assert!(wait <= per.millis() + per.millis() / 60 + 2, "told to wait {wait} ms for {per:?}");
            assert!(passes(&window, START + 5 + wait), "waited {wait} ms as told and was refused ({per:?})");
        }
    }

    #[test]
    fn setting_the_clock_back_never_gives_more() {
        let window = window(5, RatePer::Hour);
        assert_eq!((0..9).filter(|_| passes(&window, START)).count(), 5, "the rate itself");
        for at in [START - 1, START - 3_600_000, START - 86_400_000, 0, -5, i64::MIN / 2_000, i64::MIN] {
            assert!(!passes(&window, at), "set back to {at}: gave more");
        }
    }

    #[test]
    fn time_passes_again_after_the_clock_was_set_back() {
        let window = window(1, RatePer::Minute);
        assert!(passes(&window, START), "first");
        let back = START - 7_200_000;
        assert!(!passes(&window, back), "set back by two hours");
        assert!(!passes(&window, back + 59_000), "59 s later");
        assert!(passes(&window, back + 62_000), "62 s later there is room");
    }

    #[test]
    fn looking_spends_nothing() {
        let window = window(1, RatePer::Day);
        for _ in 0..10 {
            assert!(window.pass(Timestamp(START), false).is_ok(), "looking was counted");
        }
        assert!(passes(&window, START), "the one request is still there");
        assert!(window.pass(Timestamp(START), false).is_err(), "looking sees that it is used up");
    }
}
