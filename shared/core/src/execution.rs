//! One run of a plan, as a state machine.
//!
//! [`Execution::next`] says what to do; the executor does it and reports the result to one of the
//! transition methods, which is then written by compare-and-set. Neither half knows the other's business:
//! this one makes no call, that one takes no decision.
//!
//! ```text
//! step:  pending ─ read ─▶ satisfied                         (it was as wanted)
//!                    └───▶ intended ─ call ─▶ applied ─ read ─▶ done
//!                             │ (pre-state and intent are durable before the call)
//!                             └─ can not be done ─▶ failed ─▶ roll back, or halt
//! undo:  done | applied | intended | failed ─ restore the pre-state, read ─▶ undone
//! ```
//!
//! A transition that is not in the drawing is an [`IllegalTransition`]: a bug, or an item written by
//! somebody else. It is never "repaired" here.

use crate::control::MAX_TAKEOVERS;
use crate::decide::Move;
use crate::guard::Verdict;
use crate::plan::{OnFailure, Plan, Step};
use crate::state::ResourceState;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What an execution is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Away from a site.
    Failover,
    /// Home to the primary.
    Failback,
}

/// What started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerKind {
    /// The guards.
    Automatic,
    /// A person.
    Manual,
}

/// Whether the source still works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// The source works; the move is graceful.
    Planned,
    /// The source does not.
    Unplanned,
}

macro_rules! words {
    ($type:ty { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl $type {
            /// The word, as JSON and logs spell it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
        impl std::fmt::Display for $type {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    };
}

words!(Kind { Failover => "failover", Failback => "failback" });
words!(TriggerKind { Automatic => "automatic", Manual => "manual" });
words!(Style { Planned => "planned", Unplanned => "unplanned" });
words!(Status {
    Pending => "pending", InProgress => "in_progress", Waiting => "waiting", Completed => "completed",
    Failed => "failed", RolledBack => "rolled_back", Cancelled => "cancelled", Stuck => "stuck",
});
words!(StepState {
    Pending => "pending", Intended => "intended", Applied => "applied", Done => "done",
    Satisfied => "satisfied", Failed => "failed", Undone => "undone",
});

/// Where an execution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Opened; no executor has taken it yet.
    Pending,
    /// An executor works on it.
    InProgress,
    /// It waits for a time ([`Execution::wake_at`]).
    Waiting,
    /// Every step is done.
    Completed,
    /// It ended without reaching its goal, and was not undone.
    Failed,
    /// A step failed and every change was undone.
    RolledBack,
    /// A person stopped it and every change was undone.
    Cancelled,
    /// A person must look.
    Stuck,
}

impl Status {
    /// Whether the execution has ended.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::RolledBack | Self::Cancelled)
    }
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Not begun.
    Pending,
    /// Pre-state and intent are durable; the call may or may not have been made.
    Intended,
    /// The call was answered; not yet seen to have worked.
    Applied,
    /// Seen to have worked.
    Done,
    /// It was as wanted before anything was called.
    Satisfied,
    /// It could not be done.
    Failed,
    /// Its pre-state is restored.
    Undone,
}

/// One step of one execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRun {
    /// The step's name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Where it stands.
    pub state: StepState,
    /// When it was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it must be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// What undo restores, recorded before the first call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_state: Option<ResourceState>,
    /// What the step made, as read when it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<ResourceState>,
    /// What the API answered and verifying asks about (a change id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// How many mutating calls were begun.
    #[serde(default)]
    pub attempts: u32,
    /// How many of them were made by undo.
    #[serde(default)]
    pub undo_attempts: u32,
    /// How often something of it failed and was put off.
    #[serde(default)]
    pub retries: u32,
    /// That it waits has been announced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wait_told: bool,
    /// What happened last, for people.
    #[serde(default)]
    pub detail: String,
}

impl StepRun {
    /// A step that has not begun.
    pub fn new(step: &Step) -> Self {
        Self {
            name: step.name().to_owned(),
            kind: step.kind().to_owned(),
            state: StepState::Pending,
            started_at: None,
            deadline: None,
            ended_at: None,
            pre_state: None,
            wanted: None,
            receipt: None,
            attempts: 0,
            undo_attempts: 0,
            retries: 0,
            wait_told: false,
            detail: String::new(),
        }
    }
}

/// Which way an execution goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Through its steps.
    #[default]
    Forward,
    /// Back through them.
    Back,
}

/// One run of a plan. It carries its own copy of the plan: `put-plan` affects the next one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// Its id, unique for ever.
    pub id: String,
    /// What it is for.
    pub kind: Kind,
    /// What started it.
    pub trigger: TriggerKind,
    /// Whether the source still worked.
    pub style: Style,
    /// The site that carried the plan.
    pub from: String,
    /// The site that shall.
    pub to: String,
    /// Why, for people.
    pub reason: String,
    /// Who asked, for a manual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// The guards' verdicts when it was opened.
    #[serde(default)]
    pub verdicts: Vec<Verdict>,
    /// The revision of the plan.
    pub plan_revision: u64,
    /// The plan.
    pub plan: Plan,
    /// Where it stands.
    pub status: Status,
    /// Which way it goes.
    #[serde(default)]
    pub direction: Direction,
    /// When the trouble began, by the evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected_at: Option<Timestamp>,
    /// When decision opened it.
    pub created_at: Timestamp,
    /// When an executor took it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// When it becomes stuck.
    pub deadline: Timestamp,
    /// The steps, in order.
    pub steps: Vec<StepRun>,
    /// When the executor looks again, and what for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake_at: Option<Timestamp>,
    /// Why it turned back, failed or is stuck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// A person asked to stop it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<crate::control::Word>,
    /// Seconds after its completion at which it comes home by itself (`rollback_plan`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_after_seconds: Option<u32>,
    /// Takeovers of an unreleased lease since the last progress.
    #[serde(default)]
    pub takeovers_without_progress: u32,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Say that it has begun: [`Execution::begin`].
    Begin,
    /// Read the resource of this step: [`Execution::intend`] or [`Execution::satisfied`].
    Prepare(usize),
    /// Read again and, unless it is as wanted, call: [`Execution::applied`].
    Apply(usize),
    /// Read until it is as wanted: [`Execution::done`].
    Verify(usize),
    /// Restore the pre-state of this step and read until it is so: [`Execution::undone`].
    Undo(usize),
    /// Nothing before this time.
    Wait(Timestamp),
    /// Turn round, for this reason: [`Execution::turn_back`].
    TurnBack(String),
    /// Call a person, for this reason: [`Execution::stick`].
    Stick(String),
    /// It has reached its end: [`Execution::finish`].
    Finish(Status),
    /// It has ended: copy it to the history and take it out of the control item.
    Archive,
    /// A person must say how it goes on.
    AwaitPerson,
}

/// A transition that the drawing does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("execution {execution}: {transition} is not possible while {found}; nothing was changed")]
pub struct IllegalTransition {
    /// The execution.
    pub execution: String,
    /// What was tried.
    pub transition: &'static str,
    /// What was found.
    pub found: String,
}

impl Execution {
    /// Opens an execution: every step pending, nothing called yet.
    pub fn open(id: String, chosen: Move, verdicts: Vec<Verdict>, plan: &Plan, plan_revision: u64, now: Timestamp) -> Self {
        let longest = SignedDuration::from_secs(i64::from(plan.policy.max_duration_seconds));
        Self {
            id,
            kind: chosen.kind,
            trigger: chosen.trigger,
            style: chosen.style,
            from: chosen.from,
            to: chosen.to,
            reason: chosen.reason,
            operator: chosen.operator,
            verdicts,
            plan_revision,
            plan: plan.clone(),
            status: Status::Pending,
            direction: Direction::Forward,
            detected_at: chosen.detected_at,
            created_at: now,
            started_at: None,
            ended_at: None,
            deadline: crate::control::later(now, longest),
            steps: plan.steps.iter().map(StepRun::new).collect(),
            wake_at: None,
            failure: None,
            cancel: None,
            return_after_seconds: chosen.return_after_seconds,
            takeovers_without_progress: 0,
        }
    }

    /// What to do next. Pure: the same item and time give the same answer.
    pub fn next(&self, now: Timestamp) -> Next {
        if self.status.is_final() {
            return Next::Archive;
        }
        if self.status == Status::Stuck {
            return Next::AwaitPerson;
        }
        if self.takeovers_without_progress >= MAX_TAKEOVERS {
            return Next::Stick(format!(
                "{MAX_TAKEOVERS} executors in a row took the execution over and died without progress"
            ));
        }
        if now >= self.deadline {
            return Next::Stick("it has taken longer than max_duration_seconds".into());
        }
        if self.status == Status::Pending {
            return Next::Begin;
        }
        if let Some(at) = self.wake_at.filter(|at| *at > now) {
            return Next::Wait(at);
        }
        match self.direction {
            Direction::Forward => self.next_forward(now),
            Direction::Back => self.next_back(),
        }
    }

    fn next_forward(&self, now: Timestamp) -> Next {
        if let Some(word) = &self.cancel {
            return Next::TurnBack(format!("cancelled by {}: {}", word.operator, word.reason));
        }
        for (index, run) in self.steps.iter().enumerate() {
            let overdue = run.deadline.is_some_and(|deadline| now >= deadline);
            match run.state {
                StepState::Done | StepState::Satisfied | StepState::Undone => {}
                StepState::Failed => {
                    let why = format!("step {} failed: {}", run.name, run.detail);
                    return match self.plan.steps.get(index).map(|step| step.common().on_failure) {
                        Some(OnFailure::Halt) => Next::Stick(why),
                        _ => Next::TurnBack(why),
                    };
                }
                StepState::Pending | StepState::Intended | StepState::Applied if overdue => {
                    let why = format!("step {} was not done within its time: {}", run.name, run.detail);
                    return match self.plan.steps.get(index).map(|step| step.common().on_failure) {
                        Some(OnFailure::Halt) => Next::Stick(why),
                        _ => Next::TurnBack(why),
                    };
                }
                StepState::Pending => return Next::Prepare(index),
                StepState::Intended => return Next::Apply(index),
                StepState::Applied => return Next::Verify(index),
            }
        }
        Next::Finish(Status::Completed)
    }

    fn next_back(&self) -> Next {
        let unfinished = self.steps.iter().enumerate().rev().find(|(_, run)| {
            matches!(run.state, StepState::Intended | StepState::Applied | StepState::Done | StepState::Failed)
                && run.pre_state.as_ref().is_some_and(|state| *state != ResourceState::Gate)
        });
        match unfinished {
            Some((index, _)) => Next::Undo(index),
            None if self.cancel.is_some() => Next::Finish(Status::Cancelled),
            None => Next::Finish(Status::RolledBack),
        }
    }

    /// The plan's step of this index.
    pub fn step(&self, index: usize) -> Option<&Step> {
        self.plan.steps.get(index)
    }

    /// An executor has taken it.
    ///
    /// # Errors
    /// It has begun already.
    pub fn begin(&mut self, now: Timestamp) -> Result<(), IllegalTransition> {
        self.expect(self.status == Status::Pending, "begin", || format!("it is {}", self.status))?;
        self.status = Status::InProgress;
        self.started_at = Some(now);
        self.takeovers_without_progress = 0;
        Ok(())
    }

    /// The resource is as wanted already: nothing is called.
    ///
    /// # Errors
    /// The step is past that.
    pub fn satisfied(&mut self, index: usize, now: Timestamp, detail: &str) -> Result<(), IllegalTransition> {
        self.move_step("satisfied", index, &[StepState::Pending], StepState::Satisfied)?;
        self.end_step(index, now, detail);
        Ok(())
    }

    /// Records intent and pre-state. Only after this is durable may anything be called.
    ///
    /// # Errors
    /// The step has begun already.
    pub fn intend(
        &mut self,
        index: usize,
        now: Timestamp,
        pre_state: ResourceState,
        wanted: ResourceState,
        detail: &str,
    ) -> Result<(), IllegalTransition> {
        self.move_step("intend", index, &[StepState::Pending], StepState::Intended)?;
        let timeout = self.step(index).map_or(0, |step| step.common().timeout_seconds);
        if let Some(run) = self.steps.get_mut(index) {
            run.started_at.get_or_insert(now);
            run.deadline.get_or_insert(crate::control::later(now, SignedDuration::from_secs(i64::from(timeout))));
            run.pre_state = Some(pre_state);
            run.wanted = Some(wanted);
            run.detail = detail.to_owned();
        }
        self.progress();
        Ok(())
    }

    /// A mutating call is about to be made.
    ///
    /// # Errors
    /// There is no durable intent.
    pub fn attempt(&mut self, index: usize) -> Result<(), IllegalTransition> {
        let direction = self.direction;
        let run = self.run("attempt", index)?;
        if run.pre_state.is_none() {
            return Err(IllegalTransition {
                execution: run.name.clone(),
                transition: "attempt",
                found: "no pre-state is recorded".into(),
            });
        }
        run.attempts += 1;
        if direction == Direction::Back {
            run.undo_attempts += 1;
        }
        Ok(())
    }

    /// The call was answered, or the resource was found as wanted after a lost reply.
    ///
    /// # Errors
    /// There was no intent.
    pub fn applied(&mut self, index: usize, receipt: Option<String>, detail: &str) -> Result<(), IllegalTransition> {
        self.move_step("applied", index, &[StepState::Intended, StepState::Applied], StepState::Applied)?;
        if let Some(run) = self.steps.get_mut(index) {
            run.receipt = receipt.or(run.receipt.take());
            run.detail = detail.to_owned();
        }
        self.progress();
        Ok(())
    }

    /// The step has been seen to have worked.
    ///
    /// # Errors
    /// It was not applied.
    pub fn done(&mut self, index: usize, now: Timestamp, detail: &str) -> Result<(), IllegalTransition> {
        self.move_step("done", index, &[StepState::Intended, StepState::Applied], StepState::Done)?;
        self.end_step(index, now, detail);
        Ok(())
    }

    /// The step can not be done; `why` says what was being done, to what, and what was found.
    ///
    /// # Errors
    /// It has ended already.
    pub fn fail_step(&mut self, index: usize, now: Timestamp, why: &str) -> Result<(), IllegalTransition> {
        self.move_step("fail", index, &[StepState::Pending, StepState::Intended, StepState::Applied], StepState::Failed)?;
        self.end_step(index, now, why);
        Ok(())
    }

    /// The pre-state of the step has been seen to be restored.
    ///
    /// # Errors
    /// The execution does not go back.
    pub fn undone(&mut self, index: usize, now: Timestamp, detail: &str) -> Result<(), IllegalTransition> {
        self.expect(self.direction == Direction::Back, "undone", || "the execution goes forward".into())?;
        let from = [StepState::Intended, StepState::Applied, StepState::Done, StepState::Failed];
        self.move_step("undone", index, &from, StepState::Undone)?;
        self.end_step(index, now, detail);
        Ok(())
    }

    /// Notes what happened and when to look again; the step stays where it is. Its time begins to run.
    pub fn wait(&mut self, index: usize, now: Timestamp, until: Timestamp, detail: &str) {
        let timeout = self.step(index).map_or(0, |step| step.common().timeout_seconds);
        if let Some(run) = self.steps.get_mut(index) {
            run.started_at.get_or_insert(now);
            run.deadline.get_or_insert(crate::control::later(now, SignedDuration::from_secs(i64::from(timeout))));
            run.retries += 1;
            run.detail = detail.to_owned();
        }
        self.wake_at = Some(until);
        self.status = Status::Waiting;
    }

    /// Turns round: from now on the steps are undone, the last first.
    ///
    /// # Errors
    /// It goes back already.
    pub fn turn_back(&mut self, why: &str) -> Result<(), IllegalTransition> {
        self.expect(self.direction == Direction::Forward, "turn back", || "it goes back already".into())?;
        self.direction = Direction::Back;
        self.failure = Some(why.to_owned());
        self.status = Status::InProgress;
        self.wake_at = None;
        self.takeovers_without_progress = 0;
        Ok(())
    }

    /// A person must look.
    ///
    /// # Errors
    /// It has ended.
    pub fn stick(&mut self, why: &str) -> Result<(), IllegalTransition> {
        self.expect(!self.status.is_final(), "stick", || format!("it is {}", self.status))?;
        self.status = Status::Stuck;
        self.wake_at = None;
        self.failure = Some(why.to_owned());
        Ok(())
    }

    /// The end.
    ///
    /// # Errors
    /// It has ended.
    pub fn finish(&mut self, now: Timestamp, status: Status) -> Result<(), IllegalTransition> {
        self.expect(!self.status.is_final() && status.is_final(), "finish", || format!("it is {}", self.status))?;
        self.status = status;
        self.ended_at = Some(now);
        self.wake_at = None;
        Ok(())
    }

    /// A person lets a stuck execution go on, forward or back, with a new deadline.
    ///
    /// # Errors
    /// It is not stuck.
    pub fn unstick(&mut self, now: Timestamp, direction: Direction) -> Result<(), IllegalTransition> {
        self.expect(self.status == Status::Stuck, "resolve", || format!("it is {}", self.status))?;
        self.status = Status::InProgress;
        self.direction = direction;
        self.wake_at = None;
        self.takeovers_without_progress = 0;
        self.deadline = crate::control::later(now, SignedDuration::from_secs(i64::from(self.plan.policy.max_duration_seconds)));
        for (index, run) in self.steps.iter_mut().enumerate() {
            let timeout = self.plan.steps.get(index).map_or(0, |step| step.common().timeout_seconds);
            let restarted = crate::control::later(now, SignedDuration::from_secs(i64::from(timeout)));
            match (direction, run.state) {
                // A failed step is tried afresh: from its read if nothing was called, else from its intent.
                (Direction::Forward, StepState::Failed) if run.pre_state.is_none() => {
                    run.state = StepState::Pending;
                    run.deadline = None;
                }
                (Direction::Forward, StepState::Failed) => {
                    run.state = StepState::Intended;
                    run.deadline = Some(restarted);
                }
                (_, StepState::Pending) => run.deadline = None,
                (_, StepState::Intended | StepState::Applied) => run.deadline = Some(restarted),
                _ => {}
            }
        }
        Ok(())
    }

    /// The sites in one arrow: `blue → green`.
    pub fn route(&self) -> String {
        format!("{} → {}", self.from, self.to)
    }

    fn progress(&mut self) {
        self.takeovers_without_progress = 0;
        self.wake_at = None;
        self.status = Status::InProgress;
    }

    fn end_step(&mut self, index: usize, now: Timestamp, detail: &str) {
        if let Some(run) = self.steps.get_mut(index) {
            run.started_at.get_or_insert(now);
            run.ended_at = Some(now);
            run.detail = detail.to_owned();
        }
        self.progress();
    }

    fn run(&mut self, transition: &'static str, index: usize) -> Result<&mut StepRun, IllegalTransition> {
        let execution = self.id.clone();
        self.steps.get_mut(index).ok_or_else(|| IllegalTransition {
            execution,
            transition,
            found: format!("there is no step {index}"),
        })
    }

    fn move_step(
        &mut self,
        transition: &'static str,
        index: usize,
        from: &[StepState],
        to: StepState,
    ) -> Result<(), IllegalTransition> {
        let execution = self.id.clone();
        let run = self.run(transition, index)?;
        if !from.contains(&run.state) {
            return Err(IllegalTransition { execution, transition, found: format!("step {} is {}", run.name, run.state) });
        }
        run.state = to;
        Ok(())
    }

    fn expect(
        &self,
        allowed: bool,
        transition: &'static str,
        found: impl FnOnce() -> String,
    ) -> Result<(), IllegalTransition> {
        if allowed {
            return Ok(());
        }
        Err(IllegalTransition { execution: self.id.clone(), transition, found: found() })
    }
}
