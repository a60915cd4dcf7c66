//! What setup has made: the record that teardown goes by.
//!
//! 1. A setup is an execution over the plan's `setup`. While it runs, its own steps hold what undo restores, as in every
//!    execution; one that fails is undone, and nothing is remembered of it.
//! 2. At its good end the executor writes this record ([`SetupRecord::remember`]), and then ends the execution: for each
//!    item what was there before, what was made of it, when and by which execution. A repetition writes the same again.
//! 3. A later setup of the same item keeps the *oldest* pre-state: what was there before anybody set anything up. What
//!    the plan no longer states stays in the record, until it is taken back.
//! 4. A teardown is an execution that begins with all of that done and goes back, the newest first. At its good end the
//!    record is emptied. It is never deleted: its epoch refuses an executor of long ago that thaws and would write its
//!    own setup over it ([`Outdated`]).
//!
//! The step is remembered as it was made, with its Region: the plan may be another one by the time it is taken back.

use crate::control::later;
use crate::execution::{Direction, Execution, PreState, StepRun, StepState};
use crate::plan::{Plan, Step};
use crate::state::{ResourceState, same_database};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What setup has made of a plan's resources, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SetupRecord {
    /// The epoch in which it was written: an older one does not write it any more.
    pub epoch: u64,
    /// What was made, in the order in which it was.
    #[serde(default)]
    pub items: Vec<SetupItem>,
}

/// One item that setup has made or adjusted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetupItem {
    /// The step as it was made, its Region included.
    pub step: Step,
    /// What was there before the first setup: what teardown restores.
    pub pre_state: PreState,
    /// What the last setup made of it: what teardown recognises as its own.
    pub wanted: ResourceState,
    /// When that was.
    pub made_at: Timestamp,
    /// The execution that made it.
    pub execution: String,
}

/// What the control item says of the record, so that nobody needs to read it to know that there is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetUp {
    /// How many items are remembered.
    pub items: usize,
    /// When they were set up last.
    pub at: Timestamp,
    /// The execution that did.
    pub execution: String,
}

/// The record was written in a later epoch: somebody else acts, and this executor must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record of the setup is of epoch {written}, this executor of epoch {own}: another one took over")]
pub struct Outdated {
    /// The record's.
    pub written: u64,
    /// The writer's.
    pub own: u64,
}

impl SetupItem {
    /// The item's name.
    pub fn name(&self) -> &str {
        self.step.name()
    }

    /// The step as it was made. Records that were written before steps were narrowed to one site hold the replicas of all
    /// of them: which one was made, its source tells.
    fn as_made(&self) -> Step {
        let (Step::RdsReadReplica(step), ResourceState::DbReadReplica { replica: Some(made) }) =
            (&self.step, &self.wanted)
        else {
            return self.step.clone();
        };
        let source = made.replica_of.as_deref().unwrap_or_default();
        let site = step
            .replicas
            .iter()
            .find(|(_, replica)| same_database(&replica.source, source));
        match site {
            Some((site, _)) => Step::RdsReadReplica(step.made_at(site)),
            None => self.step.clone(),
        }
    }

    /// The step of a teardown that takes it back: done, with what undo restores.
    pub fn run(&self) -> StepRun {
        StepRun {
            state: StepState::Done,
            pre_state: Some(self.pre_state.clone()),
            wanted: Some(self.wanted.clone()),
            attempts: 1,
            detail: format!(
                "set up at {} by execution {}: {}",
                self.made_at.strftime("%Y-%m-%d %H:%M:%SZ"),
                self.execution,
                self.wanted.sentence()
            ),
            ..StepRun::new(&self.step)
        }
    }
}

impl Execution {
    /// The execution as one that takes back what setup made: every step done, the way back before it.
    pub fn take_back(mut self, record: &SetupRecord) -> Self {
        self.plan.steps = record.items.iter().map(SetupItem::as_made).collect();
        self.steps = record.items.iter().map(SetupItem::run).collect();
        self.direction = Direction::Back;
        self.deadline = later(self.created_at, self.longest());
        self
    }
}

impl SetupRecord {
    /// Adds what an execution of setup has made, which has come to its good end. Doing so twice changes nothing.
    ///
    /// # Errors
    /// The record is of a later epoch.
    pub fn remember(&mut self, execution: &Execution, epoch: u64, now: Timestamp) -> Result<(), Outdated> {
        self.enter(epoch)?;
        let region = execution.plan.region.as_ref();
        for (step, run) in execution.plan.steps.iter().zip(&execution.steps) {
            let known = self.items.iter().position(|item| item.name() == step.name());
            let known = known.map(|index| self.items.remove(index));
            let made = changed(run).map(|(pre_state, wanted)| {
                let step = step.as_set_up(region, &execution.to);
                SetupItem {
                    step,
                    pre_state: known.as_ref().map_or(pre_state, |known| &known.pre_state).clone(),
                    wanted: wanted.clone(),
                    made_at: run.ended_at.unwrap_or(now),
                    execution: execution.id.clone(),
                }
            });
            // In the plan's order, also what was as wanted already: what comes later may rest on what comes before.
            self.items.extend(made.or(known));
        }
        Ok(())
    }

    /// Forgets all of it: it has been taken back.
    ///
    /// # Errors
    /// The record is of a later epoch.
    pub fn clear(&mut self, epoch: u64) -> Result<(), Outdated> {
        self.enter(epoch)?;
        self.items.clear();
        Ok(())
    }

    /// The items of this plan, with `site` carrying it, that are remembered under the same name for another resource:
    /// setting them up would lose what was there before.
    pub fn strangers(&self, plan: &Plan, site: &str) -> Vec<String> {
        let stated = |name: &str| {
            let step = plan.setup.iter().find(|step| step.name() == name)?;
            // What makes nothing at this site leaves alone what is remembered.
            let makes = !matches!(step, Step::RdsReadReplica(step) if step.wanted(site).is_none());
            makes.then(|| step.as_set_up(plan.region.as_ref(), site))
        };
        let is_other = |item: &&SetupItem| {
            stated(item.name()).is_some_and(|stated| !stated.changes_same_as(&item.as_made(), &plan.sites))
        };
        let others = self.items.iter().filter(is_other);
        others.map(|item| item.name().to_owned()).collect()
    }

    fn enter(&mut self, epoch: u64) -> Result<(), Outdated> {
        if self.epoch > epoch {
            return Err(Outdated {
                written: self.epoch,
                own: epoch,
            });
        }
        self.epoch = epoch;
        Ok(())
    }
}

// What undo would restore, and what the step made of it, if a call of it may have had an effect that still stands.
fn changed(run: &StepRun) -> Option<(&PreState, &ResourceState)> {
    let stands = !matches!(
        run.state,
        StepState::Pending | StepState::Satisfied | StepState::Undone | StepState::Omitted
    );
    let (pre_state, wanted) = (run.pre_state.as_ref()?, run.wanted.as_ref()?);
    (stands && run.attempts > 0 && !pre_state.is_gate()).then_some((pre_state, wanted))
}
