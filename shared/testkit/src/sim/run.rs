//! One history from its beginning to its rest.
//!
//! 1. It opens: calm, or with a move asked for, or with a site dead.
//! 2. Its choices are taken one by one. After each the invariants hold, or the history ends there.
//! 3. *Quiet*: faults stop, clocks are set right, what was frozen thaws, functions return. The sites stay as they are.
//!    From now on only the oldest thing goes on, until nothing is left to do or far too much time has passed.
//! 4. At rest every execution has ended or waits for a person, everything was told, and a plan that has every reason to
//!    have moved has moved.

use super::actions::PARTITION;
use super::history::{Choice, History};
use super::outside::OF_NOBODY;
use super::report::{Counts, RARE, UNBOUND};
use super::setup::{MAX_DURATION_SECONDS, Opening};
use super::wide::REFERENCE_HOST;
use super::world::{Sim, Trouble};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::json;
use understudy_core::control::{Control, LEASE, TAKEOVER_MARGIN, later};
use understudy_core::execution::Status;
use understudy_core::fleet::{FleetState, Maintenance};
use understudy_core::health::Health;
use understudy_core::plan::Mode;
use understudy_engine::store::{FLEET, FLEET_STATE};

/// What came of a history.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The first violations, in the step in which they happened. Empty is well.
    pub violations: Vec<String>,
    /// The trace as one number.
    pub hash: u64,
    /// The trace in plain words, if it was asked for.
    pub trace: Vec<String>,
    /// What was done.
    pub counts: Counts,
    /// How many of its choices were taken.
    pub taken: usize,
}

/// Steps after which a quiet world that is not at rest never will be.
const MOST_QUIET_STEPS: u64 = 20_000;
/// A minute in which every probe has looked, and what that needs.
const LOOKED: SignedDuration = SignedDuration::from_secs(75);

impl History {
    /// Runs it.
    pub fn run(&self) -> Outcome {
        self.run_and(false)
    }

    /// Runs it, and tells each step in plain words.
    pub fn tell(&self) -> Outcome {
        self.run_and(true)
    }

    fn run_and(&self, told: bool) -> Outcome {
        let mut sim = Sim::new(self, told, false);
        sim.open();
        let mut taken = 0;
        for choice in &self.choices {
            sim.step(*choice);
            taken += 1;
            if !sim.oracle.violations.is_empty() {
                break;
            }
        }
        if sim.oracle.violations.is_empty() {
            sim.come_to_rest();
        }
        sim.into_outcome(taken)
    }
}

impl Sim {
    pub(crate) fn open(&mut self) {
        let names: Vec<&str> = self.setup.names().collect();
        if self.setup.hunted() == Some(UNBOUND) {
            self.alarm(0, OF_NOBODY, 2);
        }
        match self.setup.opening {
            Opening::Calm => {}
            Opening::Move => {
                let hunted = self.setup.hunted();
                if hunted == Some(RARE[0]) {
                    self.say("shop", "failover", json!({}), true);
                }
                let wait_seconds = if hunted == Some(RARE[1]) { 60 } else { 0 };
                self.say("shop", "failover", json!({"wait_seconds": wait_seconds}), false);
            }
            Opening::Dead => self.set_site("shop", "blue", Health::Unhealthy, "connection refused"),
            Opening::AllDead => {
                for name in names {
                    self.set_site(name, "blue", Health::Unhealthy, "connection refused");
                }
            }
            Opening::BothBad => {
                for site in ["blue", "green"] {
                    self.set_site("shop", site, Health::Unhealthy, "connection refused");
                }
                self.oracle.both_bad = Some("shop");
            }
            Opening::InMaintenance => {
                self.say("shop", "maintenance", json!({"for_seconds": 600}), false);
                self.set_site("shop", "blue", Health::Unhealthy, "connection refused");
            }
            Opening::CutOff => {
                self.trouble_begins(Trouble::CutOff(1), PARTITION);
                self.say("shop", "failover", json!({}), false);
            }
            Opening::SetUp => self.say("shop", "setup", json!({}), false),
            Opening::Stopped => {
                self.say("shop", "stop-all", json!({}), false);
                self.say("shop", "start-all", json!({}), false);
                let plan = self.setup.plan_file("shop", true);
                self.say("shop", "put-plan", json!({"plan": plan}), false);
            }
        }
    }

    pub(crate) fn into_outcome(mut self, taken: usize) -> Outcome {
        self.counts.histories = 1;
        self.counts.executions = self.oracle.executions;
        Outcome {
            violations: self.oracle.violations,
            hash: self.trace.hash(),
            trace: self.trace.into_lines(),
            counts: self.counts,
            taken,
        }
    }

    /// Faults stop, everything is delivered, rounds run; then what was left is looked at.
    pub(crate) fn come_to_rest(&mut self) {
        let began = self.now();
        self.trace.note(began, || "from now on all is quiet".to_owned());
        self.setup.hunt = None;
        let minute = later(began, SignedDuration::from_secs(60));
        self.schedule_at = self.schedule_at.map(|at| at.min(minute));
        self.troubles.clear();
        self.cloud.faults.clear();
        for lane in self.bus.lanes.values_mut() {
            lane.not_before = None;
        }
        for running in &mut self.running {
            running.frozen_until = None;
            running.jumped |= running.gate.skew() != SignedDuration::ZERO;
            running.gate.set_skew(SignedDuration::ZERO);
        }
        if self.setup.wide.lifted {
            self.lift();
        }
        // What went away by itself may come home now, within its hours.
        if self.setup.wide.hours.is_some() {
            self.set_site("shop", "blue", Health::Healthy, "HTTP 200");
        }
        let may_last = SignedDuration::from_secs(i64::from(MAX_DURATION_SECONDS)) + LOOKED + LOOKED;
        let watch = later(began, LEASE + TAKEOVER_MARGIN + LOOKED);
        let versions: Vec<u64> = self.unfinished().map(|control| control.version).collect();
        let mut watched = false;
        let begun = self.counts.steps;
        loop {
            let now = self.now();
            if !watched && now >= watch {
                watched = true;
                self.watch_progress(&versions, now);
            }
            let looked = now.duration_since(began) > LOOKED;
            // What begins late, a way home for instance, has its own time.
            let created = self
                .unfinished()
                .filter_map(|control| Some(control.execution.as_ref()?.created_at));
            let longest = later(created.fold(began, Ord::max), may_last);
            let owes = self.owes_a_move() || self.oracle.untold().is_some();
            let at_rest = looked && self.oracle.is_at_rest(now) && self.bus.is_quiet() && !owes;
            if at_rest || now > longest || self.counts.steps - begun > MOST_QUIET_STEPS {
                break;
            }
            self.step(Choice::PROGRESS);
            if !self.oracle.violations.is_empty() {
                return;
            }
        }
        let now = self.now();
        self.oracle.unrest(now);
        self.oracle.paged();
        if self.owes_a_move() {
            self.oracle.unmoved(
                "shop",
                "its active site is dead, the other one is well, nothing holds it back, and it has not moved",
            );
        }
    }

    fn unfinished(&self) -> impl Iterator<Item = &understudy_core::control::Control> {
        self.oracle.controls().filter(|control| {
            let execution = control.execution.as_ref();
            execution.is_some_and(|execution| {
                execution.status != Status::Stuck && !execution.status.is_final() && !execution.rests()
            })
        })
    }

    // Within one lease and one round, an execution has gone on, or waits for a time that is to come.
    fn watch_progress(&mut self, versions: &[u64], now: jiff::Timestamp) {
        let stands: Vec<String> = self
            .unfinished()
            .filter(|control| versions.contains(&control.version))
            .filter(|control| {
                control
                    .execution
                    .as_ref()
                    .is_none_or(|execution| execution.wake_at.is_none_or(|at| at < now))
            })
            .map(|control| control.plan.clone())
            .collect();
        for plan in stands {
            self.oracle.violate(
                8,
                format!("the execution of {plan} did not go on within one lease and one round"),
            );
        }
    }

    // The plan `shop` has every reason to move, by the truth and not by what anybody has seen.
    fn owes_a_move(&self) -> bool {
        let Some((control, plan)) = self.oracle.control("shop").zip(self.oracle.plans.get("shop")) else {
            return false;
        };
        let answers = |site: &str| self.cloud.health_of(&super::setup::host("shop", site));
        let other = super::setup::other_site(&control.active_site);
        let now = self.now();
        let spent = control
            .automatic_failovers
            .iter()
            .filter(|at| now.duration_since(**at) < SignedDuration::from_hours(1));
        control.execution.is_none()
            && answers(&control.active_site) == Some(Health::Unhealthy)
            && answers(other) == Some(Health::Healthy)
            && self.moves_by_itself(control)
            // Consent to losing data depends on what was measured, and when.
            && self.setup.data.is_none()
            && control.paused.is_none()
            && control.latch.as_ref().is_none_or(|latch| latch.until <= now)
            && spent.count() < plan.policy.automatic_failovers_per_hour as usize
            && self.setup.plans == 1
            && self.setup.fleet_limit > 1
    }

    // Its mode lets it move, and nobody's word holds it back; in mode `approve`, nobody has been asked.
    fn moves_by_itself(&self, control: &Control) -> bool {
        let fleet = self.table.peek(FLEET, FLEET_STATE);
        let fleet = fleet
            .and_then(|item| FleetState::deserialize(&item.body).ok())
            .unwrap_or_default();
        let now = self.now();
        let open = |window: &Option<Maintenance>| window.as_ref().is_some_and(|window| window.until > now);
        let free = fleet.paused.is_none() && fleet.stopped.is_none();
        let mode = match self.setup.mode() {
            Mode::Automatic => true,
            Mode::Approve => control.proposal.is_none(),
            Mode::Observe | Mode::Manual => false,
        };
        let heard = self.cloud.health_of(REFERENCE_HOST) == Some(Health::Healthy);
        free && mode && heard && !open(&fleet.maintenance) && !open(&control.maintenance)
    }
}
