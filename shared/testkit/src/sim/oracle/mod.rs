//! What must hold after every step: the invariants of the design, watched as things happen.
//!
//! A state changes only by a write that the table accepted, a call that changed the cloud, or a message that SNS took.
//! The oracle is shown each of these in the very step in which it happens, and judges it against what came before, so
//! that looking after every step costs what the step changed and not what the world holds.
//!
//! | invariant | watched by |
//! |---|---|
//! | 1 one execution a plan | `control`: none gives way before it has ended |
//! | 2 the old holder is harmless | `control`: who may write what under which lease; `calls`: whose lease a call is made under |
//! | 3 intent before call | `calls`: intent, pre-state and attempt stand in the table when a call has its effect |
//! | 4, 5 evidence | `evidence`: what decision had read when it opened an automatic move |
//! | 6 consent to data loss | `consent`: who allowed it, and every figure of the lag that was ever shown |
//! | 7 budget, latch, fleet | `moves`: counted here, apart from the plan's own counts |
//! | 8 progress | `rest`: when faults have stopped; deadlines in `control` |
//! | 9 no table, no call | `calls`: every accepted call has an attempt of its own in the table |
//! | 10 everything is told | `control`: in the same write; `rest`: published |
//! | 11 nothing is dropped | `moves`: what an alarm or a health change came to; `rest`: no wake is left |
//! | 12 exact pre-state | `calls`: the order of undoing; `moves`: the resources at the end |
//! | 13 one effect | `calls`: one effective change a step and direction; `moves`: events too old |
//!
//! Beside them: `words` has the rules of people's words (stop, pause, maintenance, modes, yes and no, hold, skip), and
//! `regions` the rule of which Region's executor goes first.

mod calls;
mod consent;
mod control;
mod evidence;
mod happened;
mod moves;
mod regions;
mod rest;
mod words;

use super::sandbox::{Function, Origin, Running};
use super::setup::Setup;
use super::trace::Trace;
use crate::cloud::{Change, FakeCloud, Published};
use crate::memory::{MemoryTable, Write};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use understudy_core::control::{Control, Wake, later};
use understudy_core::fleet::FleetState;
use understudy_core::health::{Health, Observation};
use understudy_core::plan::Plan;
use understudy_core::report::EventKind;
use understudy_engine::ports::{Item, Key};
use understudy_engine::store::{CONTROL, DECISION, EXECUTION, FLEET, FLEET_STATE, FLEET_VELOCITY, OBSERVATION};

/// How far a sandbox's clock may be from the true time: two of them differ by the takeover's margin at most.
pub(crate) const MOST_SKEW: SignedDuration = SignedDuration::from_millis(2400);

/// After so many good looks at one probe, its observer does not call itself unfit any more because everything fails.
const SEEN_WELL: u32 = 3;
/// How long after a reference answers again an observer may still call itself unfit by it: its next look, and one that
/// was under way or frozen.
const REFERENCE_LIVES: SignedDuration = SignedDuration::from_secs(300);

/// What is known of an execution besides what it says itself.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// Effective changes by (step, whether undoing).
    changed: BTreeMap<(usize, bool), u32>,
    /// Calls that the cloud accepted, by step.
    accepted: BTreeMap<usize, u32>,
    /// Steps that were begun since somebody holds it.
    begun_while_held: usize,
    /// Whoever opened it said `accept_data_loss`.
    lossy_word: bool,
}

/// What an invocation has read and recorded so far.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The observations that it read last, and when by its own clock.
    evidence: Option<(Vec<Arc<Item>>, Timestamp)>,
    /// People's words on all plans, as it read them last.
    fleet: Option<FleetState>,
    /// When it entered its move among those of all plans.
    entered: Option<Timestamp>,
    recorded: bool,
    opened: bool,
}

/// The oracle of one history.
#[derive(Debug)]
pub(crate) struct Oracle {
    /// What does not hold, in the order found. Empty is well.
    pub(crate) violations: Vec<String>,
    pub(crate) executions: u64,
    pub(crate) plans: BTreeMap<String, Plan>,
    controls: BTreeMap<String, Control>,
    observed: BTreeMap<Key, (Observation, Option<Wake>)>,
    versions: BTreeMap<Key, u64>,
    watched: BTreeMap<String, Watched>,
    known: BTreeMap<String, Known>,
    published: BTreeSet<String>,
    /// Automatic failovers: plan, when, cooldown in seconds.
    automatic: Vec<(String, Timestamp, i64)>,
    acknowledged: BTreeMap<String, Timestamp>,
    /// Every figure of a plan's lag.
    lags: BTreeMap<String, Vec<consent::Figure>>,
    /// When somebody else changed a resource last.
    outside: BTreeMap<String, Timestamp>,
    fleet_limit: usize,
    concurrent: usize,
    quorum: usize,
    /// The hours of automatic failbacks, in minutes of the day.
    failback_hours: Option<(u32, u32)>,
    /// When the reference endpoint fell silent; none while it answers.
    reference_silent_since: Option<Timestamp>,
    /// When it last was silent.
    reference_silent_at: Option<Timestamp>,
    /// When executions were opened.
    opened_at: BTreeMap<String, Timestamp>,
    /// The plan whose sites are both bad from the beginning, and have not been touched since.
    pub(crate) both_bad: Option<&'static str>,
    alerted: BTreeSet<String>,
}

impl Oracle {
    pub(crate) fn new(plans: Vec<Plan>, setup: &Setup) -> Self {
        let controls = plans.iter().map(|plan| {
            let mut control = Control::new(&plan.name, "blue", "revision#00000001");
            control.version = 1;
            (plan.name.clone(), control)
        });
        Self {
            violations: Vec::new(),
            executions: 0,
            controls: controls.collect(),
            plans: plans.into_iter().map(|plan| (plan.name.clone(), plan)).collect(),
            observed: BTreeMap::new(),
            versions: BTreeMap::new(),
            watched: BTreeMap::new(),
            known: BTreeMap::new(),
            published: BTreeSet::new(),
            automatic: Vec::new(),
            acknowledged: BTreeMap::new(),
            lags: BTreeMap::new(),
            outside: BTreeMap::new(),
            fleet_limit: setup.fleet_limit as usize,
            concurrent: setup.wide.concurrent as usize,
            quorum: setup.wide.quorum as usize,
            failback_hours: setup.wide.hours_of_day(),
            reference_silent_since: None,
            reference_silent_at: None,
            opened_at: BTreeMap::new(),
            both_bad: None,
            alerted: BTreeSet::new(),
        }
    }

    pub(crate) fn violate(&mut self, invariant: u32, what: String) {
        self.violations.push(format!("invariant {invariant}: {what}"));
    }

    /// What does not hold of a rule that is no invariant of the design.
    pub(crate) fn rule(&mut self, name: &str, what: String) {
        self.violations.push(format!("rule of the {name}: {what}"));
    }

    /// The reference endpoint falls silent, or answers again.
    pub(crate) fn reference_answers(&mut self, answers: bool, now: Timestamp) {
        if !answers {
            self.reference_silent_since.get_or_insert(now);
        } else if self.reference_silent_since.take().is_some() {
            self.reference_silent_at = Some(now);
        }
    }

    /// An observer could not look at something: it may have been the reference, which is out of its reach then.
    pub(crate) fn check_failed(&mut self, now: Timestamp) {
        self.reference_silent_at = self.reference_silent_at.max(Some(now));
    }

    /// The control item of a plan as it stands.
    pub(crate) fn control(&self, plan: &str) -> Option<&Control> {
        self.controls.get(plan)
    }

    /// All of them.
    pub(crate) fn controls(&self) -> impl Iterator<Item = &Control> {
        self.controls.values()
    }

    /// Calls that changed the world.
    pub(crate) fn effective_changes(&self) -> u32 {
        self.watched.values().flat_map(|watched| watched.changed.values()).sum()
    }

    /// Somebody else changes a resource.
    pub(crate) fn outside(&mut self, resource: &str, now: Timestamp) {
        self.outside.insert(resource.to_owned(), now);
    }

    /// A call is about to have its effect.
    pub(crate) fn before_effect(
        &mut self,
        running: &Running,
        point: &'static str,
        sent: Timestamp,
        table: &MemoryTable,
    ) {
        let changes = [
            "traffic.set_weights",
            "dns.change_records",
            "databases.switch_over_global",
            "databases.fail_over_global",
            "traffic.set_health_check",
        ];
        if changes.contains(&point) {
            self.fits_the_lease(running, point, sent);
            self.kill_switch_read(running, point);
        }
        if point == "table.get word" {
            self.fleet_read(running, table.peek(FLEET, FLEET_STATE).as_ref());
        }
        if running.function == Function::Decision && point == "table.query observation" {
            // A read answers what stands there at this moment.
            let items = self
                .plans
                .keys()
                .flat_map(|plan| table.share_all(plan, OBSERVATION))
                .collect();
            let known = self.known.entry(running.request_id.clone()).or_default();
            // Judged by the moment at which they were asked for.
            known.evidence = Some((items, later(sent, running.gate.skew())));
        }
    }

    /// The table was written, or a write was refused.
    pub(crate) fn written(&mut self, running: &Running, write: &Write, cloud: &FakeCloud, trace: &mut Trace) {
        let name = &write.key.item;
        if !write.accepted {
            trace.note(write.at, || {
                format!("  {name} of {} was written by another meanwhile", write.key.plan)
            });
            return;
        }
        let Some(item) = &write.item else {
            self.versions.remove(&write.key);
            return;
        };
        let before = self.versions.insert(write.key.clone(), item.version);
        let before = before.unwrap_or(u64::from(write.expected == 1));
        if item.version != write.expected + 1 || before != write.expected {
            self.violate(
                2,
                format!(
                    "{name} of {} went from version {before} to {} over {}",
                    write.key.plan, item.version, write.expected
                ),
            );
        }
        if let Origin::Person {
            dry_run: true, word, ..
        } = &running.origin
        {
            self.violate(13, format!("a dry run of {word} wrote {name} of {}", write.key.plan));
        }
        if name == CONTROL {
            match Control::deserialize(&item.body) {
                Ok(control) => self.control_written(running, control, write.at, cloud, trace),
                Err(error) => self.violate(1, format!("the control item can not be read: {error}")),
            }
        } else if name.starts_with(OBSERVATION) {
            self.observation_written(running, item, trace, write.at);
        } else if name.starts_with(DECISION) || name.starts_with("alarm#") {
            self.known.entry(running.request_id.clone()).or_default().recorded = true;
        } else if name == FLEET_VELOCITY {
            self.known.entry(running.request_id.clone()).or_default().entered = Some(write.at);
        } else if name.starts_with(EXECUTION) && write.expected != 0 {
            self.violate(10, format!("the history item {name} was written a second time"));
        }
    }

    // A slot is counted once, a run grows by one look at a time, and a change is not forgotten before it was judged.
    fn observation_written(&mut self, running: &Running, item: &Item, trace: &mut Trace, now: Timestamp) {
        let Ok(new) = Observation::deserialize(&item.body) else {
            return self.violate(11, format!("the observation {} can not be read", item.key.item));
        };
        // By a reference that fell silent, and no longer ago than words about it live.
        let silent = self.reference_silent_since.is_some()
            || self
                .reference_silent_at
                .is_some_and(|at| later(at, REFERENCE_LIVES) > now);
        let by_reference = new.unfit.as_ref().map(|why| why.contains("reference"));
        if !silent && by_reference == Some(true) {
            self.violate(
                5,
                format!("{} calls itself unfit by a reference that answers", item.key.item),
            );
        }
        if by_reference == Some(false) && new.streak.health == Health::Healthy && new.streak.slots >= SEEN_WELL {
            self.violate(
                5,
                format!("{} is called well by an observer to whom all is down", item.key.item),
            );
        }
        if let Some((old, wake)) = self.observed.get(&item.key) {
            let (old, wake) = (old.clone(), *wake);
            if running.function == Function::Probe {
                if new.slot <= old.slot {
                    self.violate(
                        13,
                        format!("{} counted slot {} after slot {}", item.key.item, new.slot, old.slot),
                    );
                }
                if new.streak.health == old.streak.health && new.streak.slots > old.streak.slots + 1 {
                    self.violate(13, format!("{} counted several looks at once", item.key.item));
                }
                if wake.is_some() && item.wake.is_none() {
                    self.violate(
                        11,
                        format!("{} was written without the wake that nobody had taken", item.key.item),
                    );
                }
            }
        }
        let probe = self.plans.get(&item.key.plan).and_then(|plan| {
            plan.probes
                .iter()
                .find(|probe| probe.name() == new.probe)
                .map(|probe| probe.common().unhealthy_threshold)
        });
        let was = self.observed.get(&item.key).map(|(old, _)| old.health);
        let turned = was.is_some_and(|was| was != new.health);
        if turned && new.health == Health::Unhealthy && probe.is_some_and(|most| new.streak.slots < most) {
            self.violate(
                5,
                format!("{} is unhealthy after {} looks", item.key.item, new.streak.slots),
            );
        }
        let cleared = item.wake.is_none() && self.observed.get(&item.key).is_some_and(|(_, wake)| wake.is_some());
        if cleared && running.function == Function::Decision {
            let known = self.known.get(&running.request_id);
            if known.is_none_or(|known| !known.recorded && !known.opened) {
                self.violate(
                    11,
                    format!("the wake of {} was taken and nothing was recorded", item.key.item),
                );
            }
        }
        if item.wake.is_some() && running.function == Function::Probe {
            trace.note(now, || {
                format!(
                    "  {} of {} is {} ({})",
                    new.probe, item.key.plan, new.health, new.reason
                )
            });
        }
        self.observed.insert(item.key.clone(), (new, item.wake));
    }

    /// The cloud was changed, or refused to be.
    pub(crate) fn changed(&mut self, running: &Running, change: &Change, trace: &mut Trace) {
        trace.note(change.at, || {
            let word = if change.accepted {
                "is now"
            } else {
                "was not as expected, and stays"
            };
            let state = if change.accepted { &change.after } else { &change.before };
            format!("  the resource of {} {word} {}", change.operation, state.sentence())
        });
        self.call_made(running, change);
    }

    /// SNS took a message.
    pub(crate) fn published(&mut self, published: &Published) {
        if published.announcement.event == EventKind::Alert {
            self.alerted.insert(published.plan.clone());
        }
        self.published.insert(published.announcement.id.clone());
    }

    /// An invocation is over; with its answer if it went well.
    pub(crate) fn ended(&mut self, running: &Running, answer: Option<&Value>) {
        let known = self.known.remove(&running.request_id).unwrap_or_default();
        if let (Origin::Person { word, .. }, Some(answer)) = (&running.origin, answer)
            && known.opened
            && matches!(*word, "failover" | "failback" | "approve" | "setup" | "teardown")
            && answer["ok"] == false
            && answer["retryable"] != true
        {
            self.violate(
                13,
                format!(
                    "{word} opened an execution and was told that it did not: {}",
                    answer["error"]
                ),
            );
        }
        if let Origin::Knock { told: Some(told), .. } = &running.origin
            && answer.is_some()
            && !known.recorded
            && !known.opened
        {
            self.violate(11, format!("the event of alarm {} left no record", told.alarm));
        }
    }
}
