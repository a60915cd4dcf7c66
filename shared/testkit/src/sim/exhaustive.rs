//! Every interleaving of a small world: two executors on one wake, one crash anywhere, a plan of three steps.
//!
//! 1. A failover stands in the table. The first executor is invoked by its wake; the second, by a duplicate of it, at
//!    any moment. One of them may die: before any of its calls, or after the effect of any, with the reply unread.
//! 2. A move is one call of one executor, or the start of the duplicate, or the crash. Time passes only when nothing else
//!    can. When both are over, the next executors come as the probe would send them, and everything must come to rest:
//!    the plan moved, each resource changed exactly once, every invariant held at every step.
//! 3. The search goes depth first, taking a world anew along the moves so far, since a future can not be copied.
//!
//! *What is not walked twice.* A reply that waits can be seen by nobody else, so a call and its reply are one move, and a
//! death after a reply is a death before the next call. And two worlds with the same table, cloud, clock, and the
//! same answers given to each living executor are the same world: a handler is a function of its answers (here each one
//! draws its random bytes from a seed of its own). Such a world is entered once, and its interleavings are counted.

use super::gate::Verdict;
use super::history::History;
use super::sandbox::{Function, Origin};
use super::setup::{Setup, listener, zone};
use super::world::{Sim, Standing};
use crate::faults::Place;
use crate::memory_stream::key_payload;
use jiff::SignedDuration;
use serde_json::json;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use understudy_core::control::{Control, LEASE, TAKEOVER_MARGIN};

/// What came of the search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Searched {
    /// Interleavings from the beginning to the end.
    pub interleavings: u128,
    /// Different worlds on the way.
    pub worlds: usize,
    /// Ends that were walked to.
    pub ends: usize,
    /// The longest one, in moves.
    pub longest: usize,
    /// What did not hold, with the moves that lead there.
    pub violations: Vec<String>,
}

/// One move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    /// The duplicate comes.
    Duplicate,
    /// This executor makes its call and reads the reply.
    Call(u32),
    /// It dies here.
    Crash(u32, Place),
    /// Nobody can go on: time passes.
    Time,
}

struct Small {
    sim: Sim,
    duplicated: bool,
    crashed: bool,
}

/// Searches.
pub fn search() -> Searched {
    let mut searched = Searched::default();
    let mut known = HashMap::new();
    let mut moves = Vec::new();
    searched.interleavings = walk(Small::new(), &mut moves, &mut known, &mut searched);
    searched.worlds = known.len();
    searched
}

fn walk(mut world: Small, moves: &mut Vec<Move>, known: &mut HashMap<u64, u128>, searched: &mut Searched) -> u128 {
    let mark = world.mark();
    if let Some(count) = known.get(&mark) {
        return *count;
    }
    let possible = world.possible();
    if possible.is_empty() || !world.sim.oracle.violations.is_empty() {
        world.finish();
        searched.ends += 1;
        searched.longest = searched.longest.max(moves.len());
        for violation in &world.sim.oracle.violations {
            searched.violations.push(format!("{violation} after {moves:?}"));
        }
        known.insert(mark, 1);
        return 1;
    }
    let mut count = 0;
    let mut world = Some(world);
    for next in possible {
        // The world at hand goes on with the first move; for each other one it is made anew.
        let mut child = world.take().unwrap_or_else(|| Small::after(moves));
        child.make(next);
        moves.push(next);
        count += walk(child, moves, known, searched);
        moves.pop();
    }
    known.insert(mark, count);
    count
}

impl Small {
    fn new() -> Self {
        let history = History {
            seed: 1,
            setup: Setup::plain(),
            choices: Vec::new(),
        };
        let mut sim = Sim::new(&history, false, true);
        sim.open();
        while !sim.running.is_empty() {
            sim.progress();
        }
        let mut small = Self {
            sim,
            duplicated: false,
            crashed: false,
        };
        // The wake is delivered; its copy comes later.
        small.invoke();
        small
    }

    fn after(moves: &[Move]) -> Self {
        let mut small = Self::new();
        for next in moves {
            small.make(*next);
        }
        small
    }

    fn invoke(&mut self) {
        let keys = self.sim.bus.ready(self.sim.now(), |_, _| true);
        for key in keys {
            // From here on the lanes are left alone: who comes when is the search's to say.
            self.sim.bus.take(&key, self.sim.now());
        }
        let record = self
            .sim
            .bus
            .delivered
            .iter()
            .find(|record| Function::from(record.wake) == Function::Executor);
        if let Some(payload) = record.map(key_payload) {
            self.sim.invoke((Function::Executor, 0), payload, Origin::Copy);
        }
    }

    fn calls(&self) -> Vec<Standing> {
        let now = self.sim.now();
        self.sim.standing(|standing| standing.not_before <= now)
    }

    fn number(&self, standing: &Standing) -> u32 {
        let running = self.sim.running.get(standing.index);
        let number = running.and_then(|running| running.request_id.rsplit('-').next()?.parse().ok());
        number.unwrap_or_default()
    }

    fn possible(&self) -> Vec<Move> {
        let calls = self.calls();
        let mut moves: Vec<Move> = calls.iter().map(|call| Move::Call(self.number(call))).collect();
        if !self.duplicated {
            moves.push(Move::Duplicate);
        }
        if !self.crashed {
            for call in calls.iter().filter(|call| call.point != super::gate::SLEEP) {
                let number = self.number(call);
                moves.push(Move::Crash(number, Place::BeforeEffect));
                moves.push(Move::Crash(number, Place::AfterEffect));
            }
        }
        if calls.is_empty() && !self.sim.running.is_empty() {
            moves.push(Move::Time);
        }
        moves
    }

    fn make(&mut self, next: Move) {
        let of = |small: &Self, wanted: u32| small.calls().into_iter().find(|call| small.number(call) == wanted);
        match next {
            Move::Duplicate => {
                self.duplicated = true;
                self.invoke();
            }
            Move::Call(number) => {
                if let Some(call) = of(self, number) {
                    self.sim.release(call, Verdict::Go);
                }
            }
            Move::Crash(number, place) => {
                self.crashed = true;
                if let Some(call) = of(self, number) {
                    self.sim.kill_at(call, place);
                }
            }
            Move::Time => self.sim.progress(),
        }
    }

    // Everything that what follows depends on, as one number.
    fn mark(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.duplicated, self.crashed, self.sim.now()).hash(&mut hasher);
        for item in self.sim.table.items() {
            (
                item.key,
                item.version,
                item.write_id,
                item.wake.map(|wake| wake.as_str()),
            )
                .hash(&mut hasher);
            item.body.to_string().hash(&mut hasher);
        }
        self.sim.cloud.weights_of(&listener("shop")).hash(&mut hasher);
        format!("{:?}", self.sim.cloud.zone(zone("shop"))).hash(&mut hasher);
        for running in &self.sim.running {
            running.request_id.hash(&mut hasher);
            running.gate.knowledge().hash(&mut hasher);
        }
        hasher.finish()
    }

    // The next executors come as the probe would send them, until nothing is left to do.
    fn finish(&mut self) {
        for _ in 0..12 {
            if !self.sim.oracle.violations.is_empty() {
                return;
            }
            if self.sim.oracle.is_at_rest(self.sim.now()) {
                break;
            }
            // What is due says when: a lease that has run out with its margin, or a recorded wait.
            let due = self.sim.oracle.control("shop").and_then(Control::next_due);
            // Nothing due: what is left is the lease of one that died with nothing more to do.
            let wait = due.map_or(LEASE + TAKEOVER_MARGIN, |(at, _)| at.duration_since(self.sim.now()));
            self.sim
                .advance(wait.max(SignedDuration::ZERO) + SignedDuration::from_secs(1));
            self.sim
                .invoke((Function::Executor, 0), json!({"plan": "shop"}), Origin::Copy);
            while !self.sim.running.is_empty() {
                self.sim.progress();
            }
            // Decision hears of the end; nothing of it is this search's matter.
            self.sim
                .invoke((Function::Decision, 0), json!({"plan": "shop"}), Origin::Copy);
            while !self.sim.running.is_empty() {
                self.sim.progress();
            }
        }
        let now = self.sim.now();
        self.sim.oracle.unrest(now);
        let active = self
            .sim
            .oracle
            .control("shop")
            .map(|control| control.active_site.clone());
        if active.as_deref() != Some("green") {
            self.sim
                .oracle
                .violate(8, format!("the plan is at {active:?} and not at green"));
        }
        if self.sim.oracle.effective_changes() != 2 {
            let changes = self.sim.oracle.effective_changes();
            self.sim
                .oracle
                .violate(13, format!("{changes} changes were made and not two"));
        }
    }
}
