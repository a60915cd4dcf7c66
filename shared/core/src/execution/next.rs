//! What to do next: the question that the executor asks after every commit.

use super::{Direction, Execution, Status, StepState};
use crate::control::MAX_TAKEOVERS;
use crate::mutant::{Mutant, active};
use crate::plan::OnFailure;
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
            return Next::TurnBack(format!("cancelled by {}: {}", word.operator, word.reason));
        }
        for (index, run) in self.steps.iter().enumerate() {
            let unwanted = self.skip.as_ref().is_some_and(|wish| wish.step == run.name);
            if unwanted && self.may_skip(index) {
                return Next::Skip(index);
            }
            let overdue = run.deadline.is_some_and(|deadline| now >= deadline) && !active(Mutant::StepDeadlineIgnored);
            match run.state {
                StepState::Done | StepState::Satisfied | StepState::Undone | StepState::Skipped => {}
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
        let to_undo = |(_, run): &(usize, &super::StepRun)| {
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
            None if self.cancel.is_some() => Next::Finish(Status::Cancelled),
            None => Next::Finish(Status::RolledBack),
        }
    }
}
