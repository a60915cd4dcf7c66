//! The proof of one kind of step: what every kind must stand, whatever it is that it changes.
//!
//! A [`Proof`] names a step, its world, and what is to be looked at; the questions are the same for all kinds. Each
//! runs the step inside a whole execution of the sample plan, before its record (before its weights, if the step is one at
//! records itself): with that refused the execution goes back, and so the step is undone. Each answers with the violations that it found, as sentences.
//!
//! | question | what is asked |
//! |---|---|
//! | [`Proof::works`] | it is as wanted, by exactly the calls that were expected |
//! | [`Proof::is_done_once`] | what is as wanted already is not changed again |
//! | [`Proof::bears_errors`] | it fails at each read and each call, for a while or for good |
//! | [`Proof::bears_lost_replies`] | the reply of each call is lost after its effect |
//! | [`Proof::bears_deaths`] | the executor dies at each of the step's calls |
//! | [`Proof::is_undone`] | the pre-state is restored exactly, also where the undoing fails or loses replies |
//! | [`Proof::leaves_others_alone`] | somebody else changes the resource just before each call |

use crate::cloud::FakeCloud;
use crate::faults::{Fault, Place};
use crate::world::World;
use crate::world_oracle::violations;
use crate::world_plan::{furnish, sample_plan};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use understudy_core::execution::{Execution, Status, StepState, Style};
use understudy_engine::ports::CallErrorKind;
use understudy_engine::steps::{Goal, driver};

/// So many rounds of five seconds any of these executions may take.
const MOST_ROUNDS: u32 = 120;

/// At so many calls of one operation errors are tried: those that follow only wait.
const MOST_POINTS: u32 = 5;
/// At so many of the step's calls an executor dies, in either direction.
const MOST_DEATHS: usize = 12;

/// One kind of step, and how to look at it. The plan is `shop`: blue carries it, and it moves to green.
pub struct Proof {
    /// The step, as plan files state it.
    pub step: Value,
    /// In which style the plan moves.
    pub style: Style,
    /// Puts the step's resources there, as they are while blue carries the plan.
    pub furnish: fn(&FakeCloud),
    /// All that undoing restores, and all that the step must leave alone.
    pub snapshot: fn(&FakeCloud) -> Value,
    /// Whether the resource is as it shall be while green carries the plan.
    pub moved: fn(&FakeCloud) -> bool,
    /// The reads, as [`FakeCloud::faults`] spells them.
    pub reads: &'static [&'static str],
    /// The mutating calls of the way there, in order.
    pub calls: &'static [&'static str],
    /// Those of the way back.
    pub undo_calls: &'static [&'static str],
    /// Changes the resource as somebody else would.
    pub disturb: fn(&FakeCloud),
    /// Whether that is still so.
    pub is_disturbed: fn(&FakeCloud) -> bool,
}

impl Proof {
    /// All questions but [`Proof::bears_deaths`], which takes its time.
    pub async fn violations(&self) -> Vec<String> {
        let mut found = self.works().await;
        if !found.is_empty() {
            // All else would only be its echo.
            return found;
        }
        found.extend(self.is_done_once().await);
        found.extend(self.bears_errors().await);
        found.extend(self.bears_lost_replies().await);
        found.extend(self.is_undone().await);
        found.extend(self.leaves_others_alone().await);
        found
    }

    /// It moves, by the calls that were expected and no others.
    pub async fn works(&self) -> Vec<String> {
        let world = self.world().await;
        let execution = self.run(&world).await;
        self.is_moved("at rest", &world, execution)
    }

    /// What is as wanted already is seen to be so, and not changed again, nor undone.
    pub async fn is_done_once(&self) -> Vec<String> {
        let mut found = Vec::new();
        for refused in [false, true] {
            let when = if refused {
                "done already, and turned back"
            } else {
                "done already"
            };
            let world = self.world().await;
            if let Err(why) = self.drive(&world).await {
                return vec![format!("{when}: {why}")];
            }
            let (snapshot, made) = ((self.snapshot)(&world.cloud), self.made(&world).len());
            if refused {
                self.refuse_last(&world);
            }
            let Some(execution) = self.run(&world).await else {
                return vec![format!("{when}: no execution came to rest")];
            };
            let state = execution.steps.first().map(|run| run.state);
            if state != Some(StepState::Satisfied) {
                found.push(format!("{when}: the step is {state:?}, not satisfied: {execution:#?}"));
            }
            if self.made(&world).len() != made || (self.snapshot)(&world.cloud) != snapshot {
                found.push(format!("{when}: it was changed again: {:?}", self.made(&world)));
            }
        }
        found
    }

    /// Errors that pass are outlasted; for good, they leave nothing behind.
    pub async fn bears_errors(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (operation, nth) in self.points().await {
            for kind in [CallErrorKind::Retryable, CallErrorKind::Fault, CallErrorKind::Lost] {
                let world = self.world().await;
                world.cloud.faults.nth(operation, nth, Fault::Before(kind));
                let execution = self.run(&world).await;
                found.extend(self.is_moved(&format!("{operation} {nth} fails: {kind:?}"), &world, execution));
            }
            let world = self.world().await;
            let before = (self.snapshot)(&world.cloud);
            let refused = Fault::Before(CallErrorKind::Refused);
            world.cloud.faults.nth(operation, nth, refused);
            let execution = self.run(&world).await;
            let when = format!("{operation} {nth} is refused");
            found.extend(self.is_restored(&when, &world, execution, &before));
        }
        found
    }

    /// A call whose reply is lost had its effect: it is seen, and nothing is done twice.
    pub async fn bears_lost_replies(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (operation, nth) in ordinals(self.calls) {
            for (fault, becomes) in [(Fault::ReplyLost, "is lost"), (Fault::Breaks, "is HTTP 5xx")] {
                let world = self.world().await;
                world.cloud.faults.nth(operation, nth, fault);
                let execution = self.run(&world).await;
                let when = format!("the reply of {operation} {nth} {becomes}");
                found.extend(self.is_moved(&when, &world, execution));
            }
        }
        found
    }

    /// Executors that die leave it to the next one, who goes on from where it is, or goes back from there.
    pub async fn bears_deaths(&self) -> Vec<String> {
        self.deaths(&[false, true]).await
    }

    /// The same on the way there alone, for what can not be taken back.
    pub async fn bears_deaths_going_forward(&self) -> Vec<String> {
        self.deaths(&[false]).await
    }

    async fn deaths(&self, refusals: &[bool]) -> Vec<String> {
        let mut found = Vec::new();
        for refused in refusals.iter().copied() {
            let counting = self.world().await;
            let before = counting.executor_wire.calls().len();
            if refused {
                self.refuse_last(&counting);
            }
            self.run(&counting).await;
            // What lies between two calls of the step is the table's, and proved once for all kinds.
            let mut nths: BTreeSet<u32> = BTreeSet::new();
            let mut calls: BTreeMap<String, u32> = BTreeMap::new();
            for call in counting.executor_wire.calls().into_iter().skip(before) {
                let nth = calls.entry(call.request_id).or_default();
                *nth += 1;
                if self.is_ours(call.operation) {
                    nths.insert(*nth);
                }
            }
            for place in Place::ALL {
                for nth in nths.iter().copied().take(MOST_DEATHS) {
                    let world = self.world().await;
                    let before = (self.snapshot)(&world.cloud);
                    if refused {
                        self.refuse_last(&world);
                    }
                    world.executor_wire.kill_at(nth, place);
                    let execution = self.run(&world).await;
                    let when = format!("killed at call {nth} {place:?}, refused: {refused}");
                    // Killed before it heard the refusal, the next executor's call goes through: that is as right.
                    let restored = execution
                        .as_ref()
                        .is_some_and(|execution| execution.status == Status::RolledBack);
                    found.extend(if restored && refused {
                        self.is_restored(&when, &world, execution, &before)
                    } else {
                        self.is_moved(&when, &world, execution)
                    });
                }
            }
        }
        found
    }

    /// Undone, it is exactly as before, by the calls that were expected; undone twice, too.
    pub async fn is_undone(&self) -> Vec<String> {
        let world = self.world().await;
        let before = (self.snapshot)(&world.cloud);
        self.refuse_last(&world);
        let execution = self.run(&world).await;
        let mut found = self.is_restored("undone", &world, execution, &before);
        let there_and_back: Vec<&'static str> = self.calls.iter().chain(self.undo_calls).copied().collect();
        if self.made(&world) != there_and_back {
            found.push(format!(
                "undone: {:?} was called, not {there_and_back:?}",
                self.made(&world)
            ));
        }
        for (operation, nth) in ordinals(&there_and_back).into_iter().skip(self.calls.len()) {
            for fault in [
                Fault::ReplyLost,
                Fault::Breaks,
                Fault::Before(CallErrorKind::Retryable),
                Fault::Before(CallErrorKind::Fault),
                Fault::Before(CallErrorKind::Lost),
            ] {
                let when = format!(
                    "undoing, {operation} {nth} {}",
                    match &fault {
                        Fault::ReplyLost => "loses its reply".to_owned(),
                        Fault::Breaks => "is carried out and answered with HTTP 5xx".to_owned(),
                        Fault::Before(kind) => format!("fails: {kind:?}"),
                        _ => String::new(),
                    }
                );
                let world = self.world().await;
                let before = (self.snapshot)(&world.cloud);
                self.refuse_last(&world);
                world.cloud.faults.nth(operation, nth, fault);
                let execution = self.run(&world).await;
                found.extend(self.is_restored(&when, &world, execution, &before));
                if self.made(&world) != there_and_back {
                    found.push(format!("{when}: {:?} was called", self.made(&world)));
                }
            }
        }
        found
    }

    /// What somebody else makes of the resource, just before a call, is not overwritten.
    pub async fn leaves_others_alone(&self) -> Vec<String> {
        let mut found = Vec::new();
        let there_and_back: Vec<&'static str> = self.calls.iter().chain(self.undo_calls).copied().collect();
        for (operation, nth) in ordinals(&there_and_back) {
            let world = self.world().await;
            self.refuse_last(&world);
            world
                .cloud
                .faults
                .nth(operation, nth, Fault::Outside(Box::new(self.disturb)));
            let execution = self.run(&world).await;
            let when = format!("somebody else is quicker than {operation} {nth}");
            if !(self.is_disturbed)(&world.cloud) {
                let now = (self.snapshot)(&world.cloud);
                found.push(format!(
                    "{when}: what they made was overwritten: {now:#}; {execution:#?}"
                ));
            }
            if execution.is_none() {
                found.push(format!("{when}: no execution came to rest"));
            }
            found.extend(violations(&world).iter().map(|found| format!("{when}: {found}")));
        }
        found
    }

    /// The world after one move, and the execution that came of it, if one came to rest: for questions of one kind alone.
    pub async fn run_once(&self) -> (World, Option<Execution>) {
        let world = self.world().await;
        let execution = self.run(&world).await;
        (world, execution)
    }

    /// The world before a move, with something more in it: for questions of one kind alone.
    pub async fn world_with(&self, more: impl Fn(&FakeCloud)) -> World {
        let world = self.world().await;
        more(&world.cloud);
        world
    }

    // What comes after the step: its place in the sample plan, and its call, which must be none of the step's own.
    fn last(&self) -> (usize, &'static str) {
        if self.is_ours("dns.change_records") {
            (1, "traffic.set_weights")
        } else {
            (2, "dns.change_records")
        }
    }

    // Refused, it turns the execution back.
    fn refuse_last(&self, world: &World) {
        let refused = Fault::Before(CallErrorKind::Refused);
        world.cloud.faults.next(self.last().1, refused);
    }

    async fn world(&self) -> World {
        let mut plan = sample_plan("shop");
        plan["steps"] = json!([self.step, plan["steps"][self.last().0]]);
        plan["policy"]["max_duration_seconds"] = json!(3600);
        let world = World::new(17);
        furnish(&world.cloud);
        (self.furnish)(&world.cloud);
        world.put_plan(plan).await;
        world.run_rounds(6).await;
        world
    }

    /// Moves the plan, and waits until its execution has ended or a person must look: that execution, if it came to rest.
    pub async fn run(&self, world: &World) -> Option<Execution> {
        let command = json!({
            "command": "failover", "plan": "shop", "operator": "mia", "reason": "a proof", "style": self.style,
            "accept_data_loss": true,
        });
        let answer = world.command(command).await;
        if answer["ok"] != json!(true) {
            return None;
        }
        world.deliver().await;
        let at_rest = |world: &World| {
            let control = world.table.control("shop");
            let execution = control.and_then(|control| control.execution);
            execution.is_none_or(|execution| execution.status == Status::Stuck)
        };
        if !world.run_until(MOST_ROUNDS, at_rest).await {
            return None;
        }
        let running = world.table.control("shop").and_then(|control| control.execution);
        running.or_else(|| {
            let history = world.table.peek_all("shop", "execution#");
            serde_json::from_value(history.last()?.body.clone()).ok()
        })
    }

    // The step alone, without an execution.
    async fn drive(&self, world: &World) -> Result<(), String> {
        let ports = world.step_ports();
        let control = world.table.control("shop").ok_or("the plan was refused")?;
        let plan = ports.store.plan_of(&control).await.map_err(|error| error.message)?;
        let step = plan.steps.first().ok_or("the plan has no step")?;
        let goal = Goal {
            from: "blue".into(),
            to: "green".into(),
            style: self.style,
            started_at: None,
            doing: None,
        };
        let driver = driver(&ports, &plan, step, &goal);
        for _ in 0..100 {
            let reading = driver.read(&goal).await.map_err(|error| error.message)?;
            if reading.is_satisfied() {
                return Ok(());
            }
            let held = driver.holds(&reading, &reading.wanted, false).await;
            if held.map_err(|error| error.message)?.is_some() {
                continue;
            }
            if !reading.current.same_as(&reading.wanted) {
                let called = driver.change(&reading.current, &reading.wanted, "Understudy shop a proof");
                let called = called.await;
                called.map_err(|error| error.message)?;
            }
            // Targets drain, instances start: by the clock, and somebody goes on looking at the sites.
            world.run_rounds(1).await;
        }
        Err("it never became as wanted".into())
    }

    // Every point at which one clean run of the step could fail: each operation, each time.
    async fn points(&self) -> Vec<(&'static str, u32)> {
        let world = self.world().await;
        let before = world.executor_wire.calls().len();
        self.run(&world).await;
        let mut counts: BTreeMap<&'static str, u32> = BTreeMap::new();
        for call in world.executor_wire.calls().into_iter().skip(before) {
            let known = self
                .reads
                .iter()
                .chain(self.calls)
                .find(|known| **known == call.operation);
            if let Some(operation) = known {
                *counts.entry(operation).or_default() += 1;
            }
        }
        let points = counts.into_iter();
        points
            .flat_map(|(operation, count)| (1..=count.min(MOST_POINTS)).map(move |nth| (operation, nth)))
            .collect()
    }

    fn is_ours(&self, operation: &str) -> bool {
        let mut known = self.reads.iter().chain(self.calls).chain(self.undo_calls);
        known.any(|known| *known == operation)
    }

    // The step's own calls that changed something, in order.
    fn made(&self, world: &World) -> Vec<&'static str> {
        let changes = world.cloud.effective_changes().into_iter();
        changes
            .map(|change| change.operation)
            .filter(|operation| self.calls.contains(operation) || self.undo_calls.contains(operation))
            .collect()
    }

    fn is_moved(&self, when: &str, world: &World, execution: Option<Execution>) -> Vec<String> {
        let mut found: Vec<String> = violations(world)
            .iter()
            .map(|found| format!("{when}: {found}"))
            .collect();
        let Some(execution) = execution else {
            found.push(format!("{when}: no execution came to rest"));
            return found;
        };
        if execution.status != Status::Completed {
            found.push(format!("{when}: the execution is {}: {execution:#?}", execution.status));
        }
        if !(self.moved)(&world.cloud) {
            found.push(format!("{when}: it is {:#}", (self.snapshot)(&world.cloud)));
        }
        if self.made(world) != self.calls {
            found.push(format!(
                "{when}: {:?} was called, not {:?}",
                self.made(world),
                self.calls
            ));
        }
        found
    }

    fn is_restored(&self, when: &str, world: &World, execution: Option<Execution>, before: &Value) -> Vec<String> {
        let mut found: Vec<String> = violations(world)
            .iter()
            .map(|found| format!("{when}: {found}"))
            .collect();
        let Some(execution) = execution else {
            found.push(format!("{when}: no execution came to rest"));
            return found;
        };
        if execution.status != Status::RolledBack {
            found.push(format!("{when}: the execution is {}: {execution:#?}", execution.status));
        }
        let now = (self.snapshot)(&world.cloud);
        if now != *before {
            found.push(format!("{when}: it was {before:#}, it is {now:#}"));
        }
        found
    }
}

// Each operation with how often it has been named: what a rule of faults counts by.
fn ordinals(operations: &[&'static str]) -> Vec<(&'static str, u32)> {
    let mut counts: BTreeMap<&'static str, u32> = BTreeMap::new();
    operations
        .iter()
        .map(|operation| {
            let count = counts.entry(operation).or_default();
            *count += 1;
            (*operation, *count)
        })
        .collect()
}
