//! What to do next: the question that the executor asks after every commit.

use super::{Direction, Execution, Kind, Status, StepRun, StepState};
use crate::control::MAX_TAKEOVERS;
use crate::mutant::{Mutant, active};
use crate::plan::{OnFailure, Reversibility};
use jiff::Timestamp;

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
    /// Go on without this step: [`Execution::skip`].
    Skip(usize),
    /// Pass over this step, which moves of this style do not do: [`Execution::omit`].
    Omit(usize),
    /// Give this step up, for this reason, and go on: [`Execution::fail_step`].
    Fail(usize, String),
    /// Go on as an unplanned move: [`Execution::escalate`].
    Escalate,
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

impl Execution {
    /// What to do next. Pure: the same item and time give the same answer.
    pub fn next(&self, now: Timestamp) -> Next {
        if self.status.is_final() {
            return Next::Archive;
        }
        if self.status == Status::Stuck || self.rests() {
            return Next::AwaitPerson;
        }
        if self.takeovers_without_progress >= MAX_TAKEOVERS {
            return Next::Stick(format!(
                "{MAX_TAKEOVERS} executors in a row took the execution over and died without progress"
            ));
        }
        if now >= self.deadline && !active(Mutant::DeadlineIgnored) {
            return Next::Stick("it has taken longer than max_duration_seconds".into());
        }
        if self.status == Status::Pending {
            return Next::Begin;
        }
        if self.direction == Direction::Forward && self.escalate_at.is_some_and(|at| at <= now) {
            return Next::Escalate;
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
            return self.turn_back_or_stick(format!("cancelled by {}: {}", word.operator, word.reason));
        }
        let mut verify = None;
        let mut waits: Option<Timestamp> = None;
        for (index, run) in self.steps.iter().enumerate() {
            // What is begun together is waited for together, and before anything that stands behind it.
            if (verify.is_some() || waits.is_some()) && !self.same_group(index) {
                break;
            }
            let unwanted = self.skip.as_ref().is_some_and(|wish| wish.step == run.name);
            if unwanted && self.may_skip(index) {
                return Next::Skip(index);
            }
            // One that waits keeps none of its group from its turn.
            if let Some(at) = run.wake_at.filter(|at| *at > now && !run.has_ended()) {
                waits = Some(waits.map_or(at, |earliest| earliest.min(at)));
                continue;
            }
            let on_failure = self
                .step(index)
                .map(|step| step.common().on_failure)
                .unwrap_or_default();
            let overdue = run.deadline.is_some_and(|deadline| now >= deadline) && !active(Mutant::StepDeadlineIgnored);
            match run.state {
                StepState::Done
                | StepState::Satisfied
                | StepState::Undone
                | StepState::Skipped
                | StepState::Omitted => {}
                StepState::Failed if on_failure == OnFailure::Continue => {}
                StepState::Failed => {
                    let why = format!("step {} failed: {}", run.name, run.detail);
                    return self.give_up(on_failure, why);
                }
                // A person holds it: what is on its way is seen through, and nothing else of its group is begun.
                StepState::Pending | StepState::Intended if self.is_kept_back(run) => {}
                StepState::Pending if !self.wants(index) => return Next::Omit(index),
                StepState::Pending | StepState::Intended | StepState::Applied if overdue => {
                    let why = self.overdue(index);
                    return match on_failure {
                        OnFailure::Continue => Next::Fail(index, why),
                        _ => self.give_up(on_failure, format!("{}: {why}", self.step_at(index))),
                    };
                }
                StepState::Pending => return Next::Prepare(index),
                StepState::Intended => return Next::Apply(index),
                StepState::Applied => {
                    verify.get_or_insert(index);
                }
            }
        }
        match (verify, waits) {
            (Some(index), _) => Next::Verify(index),
            (None, Some(at)) => Next::Wait(at),
            (None, None) => Next::Finish(Status::Completed),
        }
    }

    /// Whether a move of this style does the step.
    fn wants(&self, index: usize) -> bool {
        self.step(index)
            .is_none_or(|step| step.common().when.includes(self.style))
    }

    /// The steps at which it stands, going forward: the first that has not ended, and those of its group. What failed and
    /// is gone on without has ended.
    pub fn front(&self) -> impl Iterator<Item = (usize, &StepRun)> {
        let goes_on = |(index, run): &(usize, &StepRun)| {
            let on_failure = self.step(*index).map(|step| step.common().on_failure);
            !run.has_ended() && (run.state != StepState::Failed || on_failure != Some(OnFailure::Continue))
        };
        let first = self.steps.iter().enumerate().find(goes_on).map(|(index, _)| index);
        let begin = first.unwrap_or(self.steps.len());
        let steps = self.steps.iter().enumerate().skip(begin);
        steps
            .take_while(move |(index, _)| *index == begin || self.same_group(*index))
            .filter(goes_on)
    }

    // Whether the step is not begun because a person holds the execution: only what is on its way is seen through.
    fn is_kept_back(&self, run: &StepRun) -> bool {
        self.held.is_some() && !self.may_be_in_flight(run) && !active(Mutant::HeldGoesOn)
    }

    // Those of the front that have turns.
    pub(super) fn at_work(&self) -> impl Iterator<Item = (usize, &StepRun)> {
        self.front().filter(|(_, run)| !self.is_kept_back(run))
    }

    /// Whether another step of the same group has its turn now: then nobody dwells on this one.
    pub fn others_are_due(&self, index: usize, now: Timestamp) -> bool {
        let due = |run: &StepRun| run.wake_at.is_none_or(|at| at <= now);
        self.direction == Direction::Forward && self.at_work().any(|(other, run)| other != index && due(run))
    }

    // Whether the step belongs to the same group as the one before it.
    fn same_group(&self, index: usize) -> bool {
        let group = |index: usize| self.step(index).and_then(|step| step.common().group.as_deref());
        index
            .checked_sub(1)
            .is_some_and(|before| group(index).is_some() && group(index) == group(before))
    }

    fn give_up(&self, on_failure: OnFailure, why: String) -> Next {
        match on_failure {
            OnFailure::Halt => Next::Stick(why),
            OnFailure::Rollback | OnFailure::Continue => self.turn_back_or_stick(why),
        }
    }

    // Going back past a step that can not be taken back would part the traffic from the data: a person decides that.
    fn turn_back_or_stick(&self, why: String) -> Next {
        let irreversible = |(index, run): &(usize, &StepRun)| {
            let kind = self.step(*index).map(|step| step.as_kind().reversibility());
            kind == Some(Reversibility::Irreversible)
                && run.attempts > 0
                && !matches!(run.state, StepState::Undone | StepState::Satisfied)
        };
        match self.steps.iter().enumerate().find(irreversible) {
            None => Next::TurnBack(why),
            Some((_, run)) => Next::Stick(format!(
                "{why}. Step {} can not be taken back, so nothing was undone: going back would part the traffic from its \
                 data. {}; `rollback` undoes all but that step",
                run.name,
                match self.cancel {
                    Some(_) => "`resolve` with `retry` takes the word back and goes on",
                    None => "Mend what failed and `resolve` it with `retry`",
                }
            )),
        }
    }

    fn next_back(&self) -> Next {
        let to_undo = |(_, run): &(usize, &StepRun)| {
            matches!(
                run.state,
                StepState::Intended | StepState::Applied | StepState::Done | StepState::Failed | StepState::Skipped
            ) && run.pre_state.as_ref().is_some_and(|state| !state.is_gate())
        };
        let mut steps = self.steps.iter().enumerate();
        let unfinished = if active(Mutant::UndoInOrder) {
            steps.find(to_undo)
        } else {
            steps.rev().find(to_undo)
        };
        match unfinished {
            Some((index, _)) => Next::Undo(index),
            // Back is where a teardown goes.
            None if self.kind == Kind::Teardown => Next::Finish(Status::Completed),
            None if self.cancel.is_some() => Next::Finish(Status::Cancelled),
            None => Next::Finish(Status::RolledBack),
        }
    }
}
