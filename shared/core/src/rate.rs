//! The calls-per-second budget: how often the probe may ask one Region.
//!
//! Describes are free and throttled: an account has a bucket of them for each Region, shared by everything
//! that runs in it. A probe that empties the bucket blinds the team's own tools, and itself. So it keeps a
//! budget of its own: a steady rate, and a reserve that lets a whole round go out at once.
//!
//! [`Budget`] is the generic cell rate algorithm: one timestamp says it all, and nothing has to be refilled.

use crate::control::later;
use jiff::{SignedDuration, Timestamp};

/// For how many seconds unused calls are saved up. A round of describes comes every 30 seconds, all at once.
const SAVED_SECONDS: u32 = 30;

/// A budget of calls: so many a second in the long run, and at most 30 seconds' worth of them at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    interval: SignedDuration,
    saved: SignedDuration,
    /// When every call that was granted so far would have been made at the steady rate.
    spent_until: Timestamp,
}

impl Budget {
    /// A full budget of `per_second` calls a second, at least one.
    pub fn new(per_second: u32) -> Self {
        let per_second = i64::from(per_second.max(1));
        Self {
            interval: SignedDuration::from_nanos(1_000_000_000 / per_second),
            saved: SignedDuration::from_secs(i64::from(SAVED_SECONDS)),
            spent_until: Timestamp::MIN,
        }
    }

    /// Takes one call out of the budget, and answers how long to wait before it is made.
    pub fn take(&mut self, now: Timestamp) -> SignedDuration {
        self.spent_until = later(self.spent_until.max(now), self.interval);
        let ahead = self.spent_until.duration_since(now);
        (ahead - self.saved).max(SignedDuration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_795_255_200_000 + millis).unwrap()
    }

    #[test]
    fn a_round_within_the_reserve_goes_out_at_once() {
        let mut budget = Budget::new(10);
        let waits: Vec<_> = (0..300).map(|_| budget.take(at(0))).collect();
        assert!(waits.iter().all(|wait| wait.is_zero()), "{waits:?}");
    }

    #[test]
    fn what_exceeds_the_reserve_goes_out_at_the_steady_rate() {
        let mut budget = Budget::new(10);
        let waits: Vec<i128> = (0..340).map(|_| budget.take(at(0)).as_millis()).collect();
        assert_eq!(&waits[299..304], &[0, 100, 200, 300, 400]);
        assert_eq!(waits[339], 4000);
    }

    #[test]
    fn an_idle_budget_fills_up_and_no_further() {
        let mut budget = Budget::new(10);
        for _ in 0..300 {
            budget.take(at(0));
        }
        let an_hour_later = (0..301).map(|_| budget.take(at(3_600_000)).as_millis()).max();
        assert_eq!(an_hour_later, Some(100));
    }

    #[test]
    fn a_budget_of_nothing_is_one_call_a_second() {
        let mut budget = Budget::new(0);
        let waits: Vec<_> = (0..31).map(|_| budget.take(at(0)).as_secs()).collect();
        assert_eq!(waits[29..], [0, 1]);
    }

    proptest! {
        // Whatever comes when, no window of time sees more calls than the rate and the reserve allow.
        #[test]
        fn no_window_exceeds_rate_and_reserve(gaps in prop::collection::vec(0_i64..400, 1..400), per_second in 1_u32..50) {
            let mut budget = Budget::new(per_second);
            let mut now = 0;
            let mut made = Vec::new();
            for gap in gaps {
                now += gap;
                made.push(now + i64::try_from(budget.take(at(now)).as_millis()).unwrap());
            }
            made.sort_unstable();
            for (first, begin) in made.iter().enumerate() {
                for (last, end) in made.iter().enumerate().skip(first) {
                    let allowed = (end - begin + 1) * i64::from(per_second) / 1000 + i64::from(SAVED_SECONDS * per_second) + 1;
                    prop_assert!((last - first + 1) as i64 <= allowed);
                }
            }
        }
    }
}
