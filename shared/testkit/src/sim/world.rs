//! The world of one history: what stands in it, and how one step is taken.
//!
//! Nothing here runs by itself. A step polls at most one sandbox, after one of its parked calls was given a verdict; then
//! whatever that wrote, changed or published is taken to the oracle, and what was put on the stream to the bus.

use super::bus::{Bus, LaneKey, Waiting};
use super::gate::{Phase, Verdict};
use super::history::{Choice, History};
use super::oracle::Oracle;
use super::report::{Counts, EDITED, OVERTAKEN};
use super::sandbox::{Function, Origin, Running, Told, Warm};
use super::setup::Setup;
use super::trace::Trace;
use crate::clock::{SeededRandom, TestClock};
use crate::cloud::FakeCloud;
use crate::memory::MemoryTable;
use crate::memory_stream::key_payload;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use understudy_core::control::later;
use understudy_engine::executor::HandlerError;
use understudy_engine::ports::{CallErrorKind, Clock};

/// How long a call takes that nothing holds up.
pub(crate) const LATENCY: SignedDuration = SignedDuration::from_millis(15);

/// What no call of a function can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Table,
    Cloud,
}

/// What is out of order for a while.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// These calls of this function find nobody.
    Partition(Function, Side),
    /// No call reaches the table.
    TableAway(CallErrorKind),
    /// The function can not be invoked.
    Gone(Function),
    /// No function of this Region can be invoked.
    RegionGone(usize),
    /// The functions of this Region find none of the services that they call; the table answers.
    CutOff(usize),
}

/// A call that stands before a gate, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) index: usize,
    pub(crate) ticket: u64,
    pub(crate) point: &'static str,
    pub(crate) phase: Phase,
    pub(crate) since: Timestamp,
    pub(crate) not_before: Timestamp,
}

/// The world of one history.
pub(crate) struct Sim {
    pub(crate) setup: Setup,
    pub(crate) exhaustive: bool,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) table: Arc<MemoryTable>,
    pub(crate) cloud: Arc<FakeCloud>,
    pub(crate) random: Arc<SeededRandom>,
    pub(crate) tickets: Arc<AtomicU64>,
    pub(crate) running: Vec<Running>,
    pub(crate) warm: [Option<Warm>; 2],
    pub(crate) bus: Bus,
    pub(crate) schedule_at: Option<Timestamp>,
    pub(crate) troubles: Vec<(Trouble, Timestamp)>,
    pub(crate) oracle: Oracle,
    pub(crate) trace: Trace,
    pub(crate) counts: Counts,
    pub(crate) requests: u32,
    /// Since when sites, by plan and name, answer anything but that they are well.
    pub(crate) ill_since: BTreeMap<(String, String), Timestamp>,
    /// When the cloud was changed last: reads may lag behind it for a while.
    pub(crate) changed_at: Option<Timestamp>,
    pub(crate) hunted: u16,
    /// A yes that comes when it is too late: when, for which plan, and what else it says.
    pub(crate) late: Option<(Timestamp, &'static str, Value)>,
}

impl Sim {
    /// The world of this history before its first step.
    pub(crate) fn new(history: &History, told: bool, exhaustive: bool) -> Self {
        let start = Timestamp::from_second(1_795_255_200).unwrap_or(Timestamp::UNIX_EPOCH);
        let clock = Arc::new(TestClock::new(start));
        let table = Arc::new(MemoryTable::new(clock.clone()));
        let mut cloud = FakeCloud::new(clock.clone(), table.clone());
        // Here time passes at the gate.
        cloud.latency = SignedDuration::ZERO;
        let cloud = Arc::new(cloud);
        let random = Arc::new(SeededRandom::new(history.seed));
        crate::world::answer_questions(&clock, &table, &random, &cloud);
        let plans = history.setup.furnish(&cloud, &table, start);
        let schedule_at = (!exhaustive).then(|| later(start, SignedDuration::from_secs(2)));
        let mut sim = Self {
            setup: history.setup.clone(),
            exhaustive,
            clock,
            table,
            cloud,
            random,
            tickets: Arc::new(AtomicU64::new(1)),
            running: Vec::new(),
            warm: [None, None],
            bus: Bus::default(),
            schedule_at,
            troubles: Vec::new(),
            oracle: Oracle::new(plans, &history.setup),
            trace: Trace::new(told),
            counts: Counts::default(),
            requests: 0,
            ill_since: BTreeMap::new(),
            changed_at: None,
            hunted: 0,
            late: None,
        };
        sim.show_lags(later(start, -SignedDuration::from_secs(60)));
        sim
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Takes one step.
    pub(crate) fn step(&mut self, choice: Choice) {
        self.counts.steps += 1;
        let now = self.now();
        self.somebody_takes_their_time();
        if let Some((_, plan, more)) = self.late.take_if(|(at, ..)| *at <= now) {
            self.say(plan, "approve", more, false);
        } else if !self.act(choice) {
            self.progress();
        }
    }

    // The yes to what waits is thought about until nobody waits for it any more.
    fn somebody_takes_their_time(&mut self) {
        if !self.setup.wide.answers_late || self.late.is_some() {
            return;
        }
        let waits = self
            .oracle
            .control("shop")
            .and_then(|control| control.proposal.as_ref().filter(|proposal| proposal.is_open()));
        let until = waits.map(|proposal| proposal.expires_at).filter(|at| *at > self.now());
        self.late = until.map(|at| (at, "shop", json!({})));
    }

    /// The harmless step: the oldest thing goes on.
    pub(crate) fn progress(&mut self) {
        let now = self.now();
        let next = self.standing(|standing| standing.not_before <= now);
        if let Some(standing) = next.into_iter().min_by_key(|standing| standing.ticket) {
            self.release(standing, Verdict::Go);
            return;
        }
        let ready = self.bus.ready(now, |function, place| !self.is_gone(function, place));
        if let Some(key) = ready.first() {
            return self.deliver(&key.clone());
        }
        let knocks = self.bus.knocks.iter();
        let knock = knocks
            .clone()
            .position(|knock| knock.at <= now && !self.is_gone(knock.function, knock.place));
        if let Some(waiting) = knock.and_then(|index| self.bus.knocks.remove(index)) {
            return self.answer_knock(waiting);
        }
        if self.schedule_at.is_some_and(|at| at <= now) {
            return self.run_schedule();
        }
        self.pass_time();
    }

    /// The calls that could go on: of whoever is awake; and of whoever is not, those whose service does not know it.
    pub(crate) fn standing(&self, wanted: impl Fn(&Standing) -> bool) -> Vec<Standing> {
        let now = self.now();
        let mut found = Vec::new();
        for (index, running) in self.running.iter().enumerate() {
            let awake = running.is_awake(now);
            running.gate.each(|parked| {
                let standing = Standing {
                    index,
                    ticket: parked.ticket,
                    point: parked.point,
                    phase: parked.phase,
                    since: parked.since,
                    not_before: parked.not_before,
                };
                let possible = match running.orphan {
                    Some(orphan) => orphan == parked.ticket,
                    None => awake || (parked.phase == Phase::Sent && !parked.is_sleep()),
                };
                if possible && wanted(&standing) {
                    found.push(standing);
                }
            });
        }
        found
    }

    pub(crate) fn index_of(&self, request_id: &str) -> Option<usize> {
        self.running.iter().position(|running| running.request_id == request_id)
    }

    /// Lets a sandbox go on until it can not.
    pub(crate) fn poll(&mut self, index: usize) {
        let Some(running) = self.running.get_mut(index) else {
            return;
        };
        let done = running.poll();
        self.absorb(index);
        if let Some(done) = done {
            let doomed = self.running.get(index).is_some_and(|running| running.doomed);
            self.end(index, (!doomed).then_some(done));
        }
    }

    // What the newest step has left in the world.
    fn absorb(&mut self, index: usize) {
        let now = self.clock.now();
        let mut place = 0;
        if let Some(running) = self.running.get(index) {
            place = running.place.min(self.setup.wide.places() - 1);
            for write in self.table.drain_writes() {
                self.counts.writes += 1;
                if self.oracle.is_edit(&write) {
                    self.counts.happens(EDITED);
                }
                if self.oracle.is_overtaken(running, &write) {
                    self.counts.happens(OVERTAKEN);
                }
                self.oracle.written(running, &write, &self.cloud, &mut self.trace);
            }
            for change in self.cloud.drain_changes() {
                self.counts.changes += 1;
                self.changed_at = Some(now);
                self.oracle.changed(running, &change, &mut self.trace);
            }
            for published in self.cloud.drain_published() {
                self.oracle.published(&published);
            }
        }
        while let Some(record) = self.table.take_record() {
            self.bus.carry(&record, self.setup.wide.places(), now);
        }
        while let Some((function, plan)) = self.cloud.take_nudge() {
            self.counts.nudges += 1;
            self.bus.knock(Waiting {
                function: function.into(),
                place,
                payload: json!({"plan": plan}),
                tries: 0,
                at: now,
                told: None,
            });
        }
    }

    /// An invocation is over: with an answer, or (`None`) because its sandbox died or its time was over.
    pub(crate) fn end(&mut self, index: usize, done: Option<Result<Value, HandlerError>>) {
        let now = self.now();
        let running = self.running.remove(index);
        let well = match &done {
            Some(Ok(answer)) => answer["batchItemFailures"].as_array().is_none_or(Vec::is_empty),
            _ => false,
        };
        self.trace.note(now, || {
            let word = match (&done, well) {
                (Some(Ok(_)), true) => "ends".to_owned(),
                (Some(Ok(_)), false) => "ends with a failed record".to_owned(),
                (Some(Err(error)), _) => format!("fails: {error}"),
                (None, _) => "is gone".to_owned(),
            };
            format!("{} {word}", running.request_id)
        });
        self.oracle.ended(
            &running,
            well.then_some(done.as_ref())
                .flatten()
                .and_then(|done| done.as_ref().ok()),
        );
        self.conclude((running.function, running.place), running.origin.clone(), well);
        if done.is_some() && running.function == Function::Probe {
            let place = running.place;
            if let (Some(warm), Some(kept)) = (running.into_warm(), self.warm.get_mut(place)) {
                *kept = Some(warm);
            }
        }
    }

    /// Tells whoever invoked how it went: the stream and Lambda may try again.
    pub(crate) fn conclude(&mut self, (function, place): (Function, usize), origin: Origin, well: bool) {
        let now = self.now();
        match origin {
            Origin::Stream(record, written) => self.bus.release((record, written), place, well, now),
            Origin::Knock { payload, tries, told } if !well && tries < 2 => self.bus.knock(Waiting {
                function,
                place,
                payload,
                tries: tries + 1,
                at: later(now, SignedDuration::from_secs(20 * i64::from(tries + 1))),
                told,
            }),
            Origin::Knock { .. } | Origin::Copy | Origin::Schedule | Origin::Person { .. } => {}
        }
    }

    // An orphan's last call has landed: nothing of it is left.
    pub(crate) fn bury(&mut self, index: usize) {
        if index < self.running.len() {
            self.running.remove(index);
        }
    }

    /// Delivers the next record of a lane.
    pub(crate) fn deliver(&mut self, key: &LaneKey) {
        let Some((record, written)) = self.bus.take(key, self.now()) else {
            self.trace.note(self.clock.now(), || {
                format!("the lane of {} has only dead letters", key.2)
            });
            return;
        };
        self.clock.advance(LATENCY);
        self.trace.note(self.clock.now(), || {
            format!(
                "the stream wakes {}{} for {} ({})",
                key.0.as_str(),
                elsewhere(key.1),
                key.2,
                record.item.key.item
            )
        });
        let payload = key_payload(&record);
        self.invoke((key.0, key.1), payload, Origin::Stream(record, written));
    }

    /// Makes an asynchronous invocation.
    pub(crate) fn answer_knock(&mut self, waiting: Waiting) {
        let Waiting {
            function,
            place,
            payload,
            tries,
            told,
            ..
        } = waiting;
        self.clock.advance(LATENCY);
        self.trace.note(self.clock.now(), || {
            format!("{} is invoked: {payload}", function.as_str())
        });
        let origin = Origin::Knock {
            payload: payload.clone(),
            tries,
            told,
        };
        self.invoke((function, place), payload, origin);
    }

    /// Hands an event to a function of the first Region, asynchronously.
    pub(crate) fn send(&mut self, function: Function, payload: Value, delay: SignedDuration, told: Option<Told>) {
        let at = later(self.now(), delay);
        self.bus.knock(Waiting {
            function,
            place: 0,
            payload,
            tries: 0,
            at,
            told,
        });
    }

    /// The schedule's minute.
    pub(crate) fn run_schedule(&mut self) {
        let now = self.now();
        if self.schedule_at.is_some_and(|at| at <= now) {
            let minute = (now.as_second().div_euclid(60) + 1) * 60 + 2;
            self.schedule_at = Timestamp::from_second(minute).ok();
        }
        for observer in 0..self.setup.observers as usize {
            if self.is_gone(Function::Probe, observer) {
                continue;
            }
            self.trace.note(now, || "the schedule runs the probe".to_owned());
            self.invoke_probe(observer);
        }
    }

    /// Whether a function can not be invoked there.
    pub(crate) fn is_gone(&self, function: Function, place: usize) -> bool {
        self.troubles.iter().any(|(trouble, _)| match trouble {
            Trouble::Gone(gone) => *gone == function,
            Trouble::RegionGone(gone) => *gone == place,
            _ => false,
        })
    }

    // Nothing can go on now: time passes until something can.
    fn pass_time(&mut self) {
        let now = self.now();
        let mut times: Vec<Timestamp> = self
            .standing(|_| true)
            .iter()
            .map(|standing| standing.not_before)
            .collect();
        times.extend(
            self.running
                .iter()
                .flat_map(|running| [Some(running.deadline), running.frozen_until])
                .flatten(),
        );
        times.extend(self.troubles.iter().map(|(_, until)| *until));
        times.extend(self.bus.next_at());
        times.extend(self.schedule_at);
        times.extend(self.late.as_ref().map(|(at, ..)| *at));
        let next = times.into_iter().filter(|at| *at > now).min();
        let next = next.unwrap_or_else(|| later(now, SignedDuration::from_secs(1)));
        self.advance(next.duration_since(now));
    }

    /// Moves time, and ends what is over by then.
    pub(crate) fn advance(&mut self, by: SignedDuration) {
        self.clock.advance(by);
        let now = self.now();
        self.trace.note(now, || format!("time passes: {} s", by.as_secs_f32()));
        self.troubles.retain(|(_, until)| *until > now);
        while let Some(index) = self.running.iter().position(|running| running.deadline <= now) {
            if self.running.get(index).is_some_and(|running| running.orphan.is_some()) {
                self.bury(index);
            } else {
                self.counts.timeouts += 1;
                self.end(index, None);
            }
        }
    }
}

// Where, if it is not where everything else is.
fn elsewhere(place: usize) -> &'static str {
    if place == 0 { "" } else { " of the second Region" }
}
