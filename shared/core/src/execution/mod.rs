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
//! omit:  pending ─ a move of this style does not do it ─▶ omitted              (pending again if the style changes)
//! skip:  pending | failed | a gate that waits ─ a person's word ─▶ skipped    (never while a call may be in flight)
//! undo:  done | applied | intended | failed | skipped ─ restore the pre-state, read ─▶ undone
//! ```
//!
//! An execution can be *held*: by a person, who lets the step at which it stands come to its end first, or by the kill
//! switch, which stops it before its next call. Its clocks stand still for as long as it is held.
//!
//! What follows is in [`mod@next`], what a result means in [`mod@transitions`]. A transition that is not in the
//! drawing is an [`IllegalTransition`]: a bug, or an item written by somebody else. It is never "repaired" here.

mod account;
mod ahead;
mod fenced;
pub mod next;
mod pre_state;
mod raised;
pub mod transitions;
mod words;

pub use next::Next;
pub use pre_state::{MAX_INLINE_PRE_STATE_BYTES, PreState};
pub use transitions::IllegalTransition;

use crate::control::Word;
use crate::decide::{Accepted, Move};
use crate::guard::Verdict;
use crate::mutant::{Mutant, active};
use crate::plan::{Plan, Step};
use crate::report::clock;
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
    /// Nowhere: makes or adjusts what moves need.
    Setup,
    /// Nowhere: takes back what setup made. It begins with all of it done, and goes back.
    Teardown,
}

impl Kind {
    /// Whether it moves the plan to another site.
    pub fn is_move(self) -> bool {
        matches!(self, Self::Failover | Self::Failback)
    }
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

words!(Kind { Failover => "failover", Failback => "failback", Setup => "setup", Teardown => "teardown" });
words!(TriggerKind { Automatic => "automatic", Manual => "manual" });
words!(Style { Planned => "planned", Unplanned => "unplanned" });
words!(Status {
    Pending => "pending", InProgress => "in_progress", Waiting => "waiting", Completed => "completed",
    Failed => "failed", RolledBack => "rolled_back", Cancelled => "cancelled", Stuck => "stuck",
});
words!(StepState {
    Pending => "pending", Intended => "intended", Applied => "applied", Done => "done",
    Satisfied => "satisfied", Failed => "failed", Undone => "undone", Skipped => "skipped", Omitted => "omitted",
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
        matches!(
            self,
            Self::Completed | Self::Failed | Self::RolledBack | Self::Cancelled
        )
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
    /// A person went on without it.
    Skipped,
    /// A move of this style does not do it.
    Omitted,
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
    pub pre_state: Option<PreState>,
    /// What the step made, as read when it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<ResourceState>,
    /// What the API answered and verifying asks about (a change id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// The reply with the receipt was lost: from this time on the change is taken to have reached everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settles_at: Option<Timestamp>,
    /// How many mutating calls were begun.
    #[serde(default)]
    pub attempts: u32,
    /// How many of them were made by undo.
    #[serde(default)]
    pub undo_attempts: u32,
    /// How many of those were answered with an error.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub undo_failures: u32,
    /// When undo found the pre-state although a call may have been made, and began to wait to look again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_doubted_at: Option<Timestamp>,
    /// When the newest of them was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempted_at: Option<Timestamp>,
    /// When it has its next turn, if it waits. The other steps of its group have theirs meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake_at: Option<Timestamp>,
    /// Whether the newest of them was not the last that the change takes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more_calls: bool,
    /// How often something of it failed or was waited for, and was put off.
    #[serde(default)]
    pub retries: u32,
    /// How often it failed with an error that may pass.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub errors: u32,
    /// A person's yes, where the step waits for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<Word>,
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
            settles_at: None,
            attempts: 0,
            undo_attempts: 0,
            undo_failures: 0,
            undo_doubted_at: None,
            attempted_at: None,
            wake_at: None,
            more_calls: false,
            retries: 0,
            errors: 0,
            approved: None,
            wait_told: false,
            detail: String::new(),
        }
    }

    /// Whether it has ended well: nothing more is done about it going forward.
    pub fn has_ended(&self) -> bool {
        matches!(
            self.state,
            StepState::Done | StepState::Satisfied | StepState::Undone | StepState::Skipped | StepState::Omitted
        )
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

/// Why an execution rests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Who said so, why and when.
    pub word: Word,
    /// By the kill switch: at once, and until that is off. Else by a person: at the next step boundary, until `resume`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_fleet: bool,
}

/// How many words of people an execution keeps.
pub const MAX_WORDS: usize = 20;

/// What a person has said of how an execution goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spoken {
    /// The command, and its action where it has one.
    pub command: String,
    /// Who, why and when.
    pub word: Word,
}

impl Spoken {
    /// For people.
    pub fn sentence(&self) -> String {
        let Word { operator, reason, at } = &self.word;
        format!("{operator} said {} at {}: {reason}", self.command, clock(*at))
    }
}

/// A person wants to go on without a step. Heeded by the executor, under its lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkipWish {
    /// The step's name.
    pub step: String,
    /// Who, why and when.
    pub word: Word,
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
    /// When the first bad answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_at: Option<Timestamp>,
    /// Since when the evidence called for it.
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
    /// When the executor looks again: when the first of the steps at work has its turn, if all of them wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake_at: Option<Timestamp>,
    /// Why it turned back, failed or is stuck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// A person asked to stop it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<Word>,
    /// What people have said of how it goes on, the newest last, at most [`MAX_WORDS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<Spoken>,
    /// It rests, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// A person wants to go on without the step at which it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<SkipWish>,
    /// What the person who asked for it has said about its consequences: its escalation in time goes by that, too.
    #[serde(default, skip_serializing_if = "Accepted::is_nothing")]
    pub accepted: Accepted,
    /// Seconds of data that it may lose, as estimated when it was opened, or when it escalated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_estimate_seconds: Option<u32>,
    /// When a planned move that still goes on becomes an unplanned one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate_at: Option<Timestamp>,
    /// Seconds after its completion at which it comes home by itself (`rollback_plan`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_after_seconds: Option<u32>,
    /// Takeovers of an unreleased lease since the last progress.
    #[serde(default)]
    pub takeovers_without_progress: u32,
    /// Calls in a row that a service did not answer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub connection_errors: u32,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Execution {
    /// Opens an execution: every step pending, nothing called yet.
    pub fn open(
        id: String,
        chosen: Move,
        verdicts: Vec<Verdict>,
        plan: &Plan,
        plan_revision: u64,
        now: Timestamp,
    ) -> Self {
        let plan = plan.of_execution(chosen.kind);
        let longest = longest(&plan, chosen.kind);
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
            status: Status::Pending,
            direction: Direction::Forward,
            began_at: chosen.began_at,
            detected_at: chosen.detected_at,
            created_at: now,
            started_at: None,
            ended_at: None,
            deadline: crate::control::later(now, longest),
            steps: plan.steps.iter().map(StepRun::new).collect(),
            plan,
            wake_at: None,
            failure: None,
            cancel: None,
            words: Vec::new(),
            held: None,
            skip: None,
            accepted: Accepted::default(),
            loss_estimate_seconds: chosen.loss_estimate_seconds,
            escalate_at: chosen
                .escalate_after_seconds
                .map(|seconds| crate::control::later(now, SignedDuration::from_secs(i64::from(seconds)))),
            return_after_seconds: chosen.return_after_seconds,
            takeovers_without_progress: 0,
            connection_errors: 0,
        }
    }

    /// The same, with what the person who asked has said about its consequences.
    pub fn accepting(mut self, accepted: Accepted) -> Self {
        self.accepted = accepted;
        self
    }

    /// How long it may take, before a person is called.
    pub(crate) fn longest(&self) -> SignedDuration {
        longest(&self.plan, self.kind)
    }

    /// The plan's step of this index. Of a setup: of its `setup`; of a teardown: as it was made.
    pub fn step(&self, index: usize) -> Option<&Step> {
        self.plan.steps.get(index)
    }

    /// Whether it rests now: held, and at a point where that is heeded.
    pub fn rests(&self) -> bool {
        let between_steps = || !self.steps.iter().any(|run| self.may_be_in_flight(run)) && !active(Mutant::HeldGoesOn);
        self.held.as_ref().is_some_and(|held| held.by_fleet || between_steps())
    }

    /// Whether a call of this step may have been made whose outcome has not been seen yet.
    pub fn may_be_in_flight(&self, run: &StepRun) -> bool {
        match self.direction {
            Direction::Forward => run.attempts > 0 && matches!(run.state, StepState::Intended | StepState::Applied),
            Direction::Back => run.undo_attempts > 0 && run.state != StepState::Undone,
        }
    }

    /// The sites in one arrow: `blue → green`; of what moves nothing, where the plan is.
    pub fn route(&self) -> String {
        if self.kind.is_move() {
            format!("{} → {}", self.from, self.to)
        } else {
            format!("at {}", self.from)
        }
    }
}

// What makes resources may take its time: no less than its steps are given, whatever a move may take.
fn longest(plan: &Plan, kind: Kind) -> SignedDuration {
    let policy = u64::from(plan.policy.max_duration_seconds);
    let steps = plan.steps.iter().map(|step| u64::from(step.common().timeout_seconds));
    let seconds = if kind.is_move() {
        policy
    } else {
        policy.max(steps.sum())
    };
    SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))
}
