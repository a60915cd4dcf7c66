//! What the proxy does to calls on a bad day.
//!
//! A [`FaultRule`] says which calls it is about (by caller, service and operation), and how many of a hundred meet
//! which [`Fault`]. The first rule that is about a call decides. Chance comes from a seed, so two runs that send the
//! same calls in the same order meet the same faults.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::record::CallRecord;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Refused by throttling, in the service's own words: no effect.
    Throttled,
    /// Refused with status 500: no effect.
    ServerError,
    /// The connection is closed before the call has reached anybody: no effect, no answer.
    Reset,
    /// The call has its effect, and the connection is closed instead of an answer.
    ReplyLost,
}

/// Which calls meet which faults.
#[derive(Clone, Debug, Default)]
pub struct FaultRule {
    callers: Vec<String>,
    service: Option<String>,
    operations: Vec<String>,
    percent: Vec<(Fault, u8)>,
    left: Option<u32>,
}

impl FaultRule {
    /// A rule about every call, which does nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only calls of these callers, by the names of the caller registry.
    #[must_use]
    pub fn of_callers<S: Into<String>>(mut self, callers: impl IntoIterator<Item = S>) -> Self {
        self.callers = callers.into_iter().map(Into::into).collect();
        self
    }

    /// Only calls of this service, by its signing name.
    #[must_use]
    pub fn of_service(mut self, service: impl Into<String>) -> Self {
        self.service = Some(service.into());
        self
    }

    /// Only these operations.
    #[must_use]
    pub fn of_operations(mut self, operations: &[&str]) -> Self {
        self.operations = operations.iter().map(|&name| name.to_owned()).collect();
        self
    }

    /// So many of a hundred calls meet this fault. Several faults of one rule share the hundred.
    #[must_use]
    pub fn with(mut self, fault: Fault, percent: u8) -> Self {
        self.percent.push((fault, percent));
        self
    }

    /// The rule is over after so many faults.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.left = Some(times);
        self
    }

    fn is_about(&self, call: &CallRecord) -> bool {
        let of_caller = || call.caller.as_ref().is_some_and(|caller| self.callers.contains(caller));
        let of_service = || self.service == call.service;
        self.left != Some(0)
            && (self.callers.is_empty() || of_caller())
            && (self.service.is_none() || of_service())
            && (self.operations.is_empty() || self.operations.contains(&call.operation))
    }

    /// Which fault a draw from 0 to 99 meets.
    fn drawn(&self, draw: u8) -> Option<Fault> {
        let mut upto = 0_u8;
        self.percent.iter().find_map(|(fault, percent)| {
            upto = upto.saturating_add(*percent);
            (draw < upto).then_some(*fault)
        })
    }
}

/// The rules of a proxy; may be changed at any time. Without any, every call goes through.
#[derive(Clone, Debug, Default)]
pub struct ProxyFaults {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    rules: Vec<FaultRule>,
    state: u64,
    struck: BTreeMap<Fault, usize>,
}

impl ProxyFaults {
    /// Chance begins anew from `seed`.
    pub fn seed(&self, seed: u64) {
        self.lock().state = seed;
    }

    /// Adds a rule behind those that are there.
    pub fn add(&self, rule: FaultRule) {
        self.lock().rules.push(rule);
    }

    /// All is well again. What struck so far stays counted.
    pub fn clear(&self) {
        self.lock().rules.clear();
    }

    /// How often each fault has struck.
    pub fn struck(&self) -> BTreeMap<Fault, usize> {
        self.lock().struck.clone()
    }

    /// What happens to this call.
    pub(super) fn strike(&self, call: &CallRecord) -> Option<Fault> {
        let mut inner = self.lock();
        let Inner { rules, state, struck } = &mut *inner;
        let rule = rules.iter_mut().find(|rule| rule.is_about(call))?;
        let fault = rule.drawn(draw(state))?;
        if let Some(left) = &mut rule.left {
            *left -= 1;
        }
        *struck.entry(fault).or_default() += 1;
        Some(fault)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Whole whatever a holder died of: each change above is a single push, set or count.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next number from 0 to 99: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
fn draw(state: &mut u64) -> u8 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    u8::try_from((mixed ^ (mixed >> 31)) % 100).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn faults_come_as_often_as_asked_and_the_same_for_one_seed() {
        let rule = FaultRule::new()
            .with(Fault::Throttled, 30)
            .with(Fault::ServerError, 10)
            .with(Fault::ReplyLost, 5);
        let run =
            |mut state: u64| -> Vec<Option<Fault>> { (0..20_000).map(|_| rule.drawn(draw(&mut state))).collect() };
        let drawn = run(7);
        assert_eq!(drawn, run(7));
        assert_ne!(drawn, run(8));
        for (fault, percent) in [(Fault::Throttled, 30), (Fault::ServerError, 10), (Fault::ReplyLost, 5)] {
            let share = drawn.iter().filter(|found| **found == Some(fault)).count() * 100 / drawn.len();
            assert!(share.abs_diff(percent) <= 1, "{fault:?}: {share} of a hundred");
        }
        assert!(!drawn.contains(&Some(Fault::Reset)));
    }
}
