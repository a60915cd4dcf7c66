//! The stream and the asynchronous invocations, as Lambda serves them.
//!
//! - A lane is a function in one Region and a partition key: each Region's stream brings every record to its own functions. Its records come in order, one at a time; it is blocked while a turn runs.
//! - A failed batch comes again, twice; a record older than a minute, or one that failed three times, is a dead letter.
//! - An asynchronous invocation that fails is made again, twice.

use super::sandbox::{Function, Told};
use crate::memory::StreamRecord;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use understudy_core::control::later;

/// How often a record is delivered before it is a dead letter.
pub(crate) const DELIVERIES: u32 = 3;
/// How old a record may become.
const RECORD_AGE: SignedDuration = SignedDuration::from_secs(60);

/// The records of one partition key for one function.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub(crate) waiting: VecDeque<(StreamRecord, Timestamp)>,
    pub(crate) busy: bool,
    pub(crate) failures: u32,
    pub(crate) not_before: Option<Timestamp>,
}

/// A function, the number of its Region, and a partition key.
pub(crate) type LaneKey = (Function, usize, String);

/// An asynchronous invocation that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) function: Function,
    /// In which Region.
    pub(crate) place: usize,
    pub(crate) payload: Value,
    pub(crate) tries: u32,
    pub(crate) at: Timestamp,
    pub(crate) told: Option<Told>,
}

/// All that is on its way to a function.
#[derive(Debug, Default)]
pub(crate) struct Bus {
    pub(crate) lanes: BTreeMap<LaneKey, Lane>,
    pub(crate) knocks: VecDeque<Waiting>,
    /// What was delivered once, for those who want to deliver it again.
    pub(crate) delivered: Vec<StreamRecord>,
    pub(crate) dead_letters: u64,
}

impl Bus {
    /// A record has been written: it comes to the functions of every one of so many Regions.
    pub(crate) fn carry(&mut self, record: &StreamRecord, places: usize, now: Timestamp) {
        for place in 0..places {
            let key = (Function::from(record.wake), place, record.item.key.plan.clone());
            self.lanes
                .entry(key)
                .or_default()
                .waiting
                .push_back((record.clone(), now));
        }
    }

    /// The lanes that could deliver now, oldest record first.
    pub(crate) fn ready(&self, now: Timestamp, open: impl Fn(Function, usize) -> bool) -> Vec<LaneKey> {
        let mut ready: Vec<_> = self
            .lanes
            .iter()
            .filter(|((function, place, _), lane)| {
                !lane.busy && open(*function, *place) && lane.not_before.is_none_or(|at| at <= now)
            })
            .filter_map(|(key, lane)| Some((lane.waiting.front()?.0.sequence, key.clone())))
            .collect();
        ready.sort();
        ready.into_iter().map(|(_, key)| key).collect()
    }

    /// Takes the next record of a lane, which is blocked from now on. Records that are too old are dead letters.
    pub(crate) fn take(&mut self, key: &LaneKey, now: Timestamp) -> Option<(StreamRecord, Timestamp)> {
        let lane = self.lanes.get_mut(key)?;
        while let Some((record, written)) = lane.waiting.pop_front() {
            if now.duration_since(written) > RECORD_AGE {
                self.dead_letters += 1;
                lane.failures = 0;
                continue;
            }
            lane.busy = true;
            self.delivered.push(record.clone());
            return Some((record, written));
        }
        None
    }

    /// The turn that blocked a lane is over.
    pub(crate) fn release(
        &mut self,
        (record, written): (StreamRecord, Timestamp),
        place: usize,
        well: bool,
        now: Timestamp,
    ) {
        let key = (Function::from(record.wake), place, record.item.key.plan.clone());
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        lane.busy = false;
        if well {
            lane.failures = 0;
            return;
        }
        lane.failures += 1;
        if lane.failures >= DELIVERIES {
            lane.failures = 0;
            self.dead_letters += 1;
            return;
        }
        lane.waiting.push_front((record, written));
        lane.not_before = Some(later(now, SignedDuration::from_secs(1)));
    }

    /// An asynchronous invocation is made, now or later.
    pub(crate) fn knock(&mut self, waiting: Waiting) {
        self.knocks.push_back(waiting);
    }

    /// When something of the bus becomes ready.
    pub(crate) fn next_at(&self) -> impl Iterator<Item = Timestamp> {
        let lanes = self
            .lanes
            .values()
            .filter(|lane| !lane.busy && !lane.waiting.is_empty());
        lanes
            .filter_map(|lane| lane.not_before)
            .chain(self.knocks.iter().map(|knock| knock.at))
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.knocks.is_empty() && self.lanes.values().all(|lane| lane.waiting.is_empty() && !lane.busy)
    }
}
