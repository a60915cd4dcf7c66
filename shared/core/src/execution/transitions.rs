//! What a result means: every change of an execution, each refused where the drawing does not have it.

use super::{Direction, Execution, PreState, Status, StepRun, StepState};
use crate::plan::OnFailure;
use crate::state::ResourceState;
use jiff::{SignedDuration, Timestamp};

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
    /// An executor has taken it.
    ///
    /// # Errors
    /// It has begun already.
    pub fn begin(&mut self, now: Timestamp) -> Result<(), IllegalTransition> {
        self.expect(self.status == Status::Pending, "begin", || {
            format!("it is {}", self.status)
        })?;
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

    /// A move of this style does not do the step.
    ///
    /// # Errors
    /// The step has begun.
    pub fn omit(&mut self, index: usize) -> Result<(), IllegalTransition> {
        self.move_step("omit", index, &[StepState::Pending], StepState::Omitted)?;
        let when = self.step(index).map(|step| step.common().when.as_str());
        if let (Some(run), Some(when)) = (self.steps.get_mut(index), when) {
            run.detail = format!("only where the move is {when}; this one is {}", self.style);
        }
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
        pre_state: impl Into<PreState>,
        wanted: ResourceState,
        detail: &str,
    ) -> Result<(), IllegalTransition> {
        self.move_step("intend", index, &[StepState::Pending], StepState::Intended)?;
        let timeout = self.step(index).map_or(0, |step| step.common().timeout_seconds);
        if let Some(run) = self.steps.get_mut(index) {
            run.started_at.get_or_insert(now);
            run.deadline.get_or_insert(crate::control::later(
                now,
                SignedDuration::from_secs(i64::from(timeout)),
            ));
            run.pre_state = Some(pre_state.into());
            run.wanted = Some(wanted);
            run.detail = detail.to_owned();
        }
        self.progress(index);
        Ok(())
    }

    /// A mutating call is about to be made. What an earlier one was answered says nothing about this one.
    ///
    /// # Errors
    /// There is no durable intent.
    pub fn attempt(&mut self, index: usize, now: Timestamp) -> Result<(), IllegalTransition> {
        let direction = self.direction;
        let run = self.run("attempt", index)?;
        if direction == Direction::Forward && run.state != StepState::Intended {
            return Err(IllegalTransition {
                execution: run.name.clone(),
                transition: "attempt",
                found: format!("it is {}", run.state),
            });
        }
        if run.pre_state.is_none() {
            return Err(IllegalTransition {
                execution: run.name.clone(),
                transition: "attempt",
                found: "no pre-state is recorded".into(),
            });
        }
        run.receipt = None;
        run.settles_at = None;
        run.attempts += 1;
        run.attempted_at = Some(now);
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
        self.move_step(
            "applied",
            index,
            &[StepState::Intended, StepState::Applied],
            StepState::Applied,
        )?;
        if let Some(run) = self.steps.get_mut(index) {
            run.receipt = receipt.or(run.receipt.take());
            run.detail = detail.to_owned();
        }
        self.progress(index);
        Ok(())
    }

    /// The step has been seen to have worked.
    ///
    /// # Errors
    /// It was not applied.
    pub fn done(&mut self, index: usize, now: Timestamp, detail: &str) -> Result<(), IllegalTransition> {
        self.move_step(
            "done",
            index,
            &[StepState::Intended, StepState::Applied],
            StepState::Done,
        )?;
        self.end_step(index, now, detail);
        Ok(())
    }

    /// The step can not be done; `why` says what was being done, to what, and what was found.
    ///
    /// # Errors
    /// It has ended already.
    pub fn fail_step(&mut self, index: usize, now: Timestamp, why: &str) -> Result<(), IllegalTransition> {
        self.move_step(
            "fail",
            index,
            &[StepState::Pending, StepState::Intended, StepState::Applied],
            StepState::Failed,
        )?;
        self.end_step(index, now, why);
        Ok(())
    }

    /// The pre-state of the step has been seen to be restored.
    ///
    /// # Errors
    /// The execution does not go back.
    pub fn undone(&mut self, index: usize, now: Timestamp, detail: &str) -> Result<(), IllegalTransition> {
        self.expect(self.direction == Direction::Back, "undone", || {
            "the execution goes forward".into()
        })?;
        let from = [
            StepState::Intended,
            StepState::Applied,
            StepState::Done,
            StepState::Failed,
            StepState::Skipped,
        ];
        self.move_step("undone", index, &from, StepState::Undone)?;
        self.end_step(index, now, detail);
        Ok(())
    }

    /// The newest call was refused because the resource was not as it expected: it had no effect and does not
    /// count as one that may have had. Only forward: an undo keeps its count, which ends its patience.
    pub fn had_no_effect(&mut self, index: usize) {
        if let Some(run) = self
            .steps
            .get_mut(index)
            .filter(|_| self.direction == Direction::Forward)
        {
            run.attempts = run.attempts.saturating_sub(1);
        }
    }

    /// The newest call was turned away before it did anything, so it need not be waited for as one whose effect may
    /// still show: what counts is again the one before it, if there was one.
    pub fn turned_away(&mut self, index: usize, before: &StepRun) {
        if let Some(run) = self.steps.get_mut(index) {
            run.attempted_at = before.attempted_at;
            run.more_calls = before.more_calls;
        }
    }

    /// The call that was about to be made did not fit into the turn any more and was not made: it counts for nothing.
    pub fn not_called(&mut self, index: usize, before: &StepRun) {
        self.turned_away(index, before);
        if let Some(run) = self.steps.get_mut(index) {
            run.attempts = before.attempts;
            run.undo_attempts = before.undo_attempts;
            run.receipt.clone_from(&before.receipt);
            run.settles_at = before.settles_at;
        }
    }

    /// Notes what happened and when to look again; the step stays where it is. Its time begins to run.
    pub fn wait(&mut self, index: usize, now: Timestamp, until: Timestamp, detail: &str) {
        let timeout = self.step(index).map_or(0, |step| step.common().timeout_seconds);
        if let Some(run) = self.steps.get_mut(index) {
            run.started_at.get_or_insert(now);
            run.deadline.get_or_insert(crate::control::later(
                now,
                SignedDuration::from_secs(i64::from(timeout)),
            ));
            run.retries += 1;
            run.detail = detail.to_owned();
        }
        self.rest(index, until);
        self.status = Status::Waiting;
        self.connection_errors = 0;
    }

    /// The step has no turn before this time. Those of its group that do not wait go on meanwhile.
    pub fn rest(&mut self, index: usize, until: Timestamp) {
        if self.direction == Direction::Back {
            self.wake_at = Some(until);
            return;
        }
        if let Some(run) = self.steps.get_mut(index) {
            run.wake_at = Some(until);
        }
        self.wake_at = self.turn_comes_at();
    }

    /// Every wait is over: a person has said something, or the way has changed.
    pub fn look_now(&mut self) {
        self.wake_at = None;
        for run in &mut self.steps {
            run.wake_at = None;
        }
    }

    // When the first of the steps at work has its turn; none where one has it already.
    fn turn_comes_at(&self) -> Option<Timestamp> {
        let turns: Option<Vec<Timestamp>> = self.at_work().map(|(_, run)| run.wake_at).collect();
        turns.and_then(|turns| turns.into_iter().min())
    }

    /// The same after an error. Answers how many errors in a row were none of a service that had been reached.
    pub fn put_off(&mut self, index: usize, now: Timestamp, until: Timestamp, detail: &str, reached: bool) -> u32 {
        let in_a_row = if reached { 0 } else { self.connection_errors + 1 };
        self.wait(index, now, until, detail);
        if let Some(run) = self.steps.get_mut(index) {
            run.errors += 1;
        }
        self.connection_errors = in_a_row;
        in_a_row
    }

    /// Whether the step has met more errors than its budget has answers for.
    pub fn is_out_of_retries(&self, index: usize) -> bool {
        let budget = self.step(index).and_then(|step| step.common().retry_budget);
        let errors = self.steps.get(index).map_or(0, |run| run.errors);
        self.direction == Direction::Forward && budget.is_some_and(|budget| errors > budget)
    }

    /// Turns round: from now on the steps are undone, the last first.
    ///
    /// # Errors
    /// It goes back already.
    pub fn turn_back(&mut self, why: &str) -> Result<(), IllegalTransition> {
        self.expect(self.direction == Direction::Forward, "turn back", || {
            "it goes back already".into()
        })?;
        self.direction = Direction::Back;
        self.failure = Some(why.to_owned());
        self.status = Status::InProgress;
        self.look_now();
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
        self.look_now();
        self.failure = Some(why.to_owned());
        Ok(())
    }

    /// The end.
    ///
    /// # Errors
    /// It has ended.
    pub fn finish(&mut self, now: Timestamp, status: Status) -> Result<(), IllegalTransition> {
        self.expect(!self.status.is_final() && status.is_final(), "finish", || {
            format!("it is {}", self.status)
        })?;
        self.status = status;
        self.ended_at = Some(now);
        self.wake_at = None;
        Ok(())
    }

    /// A person lets a stuck execution go on, forward or back, with a new deadline. Going on forward takes a cancel back
    /// that could not be heeded, and either way nobody holds it any more: the newest word counts.
    ///
    /// # Errors
    /// It is not stuck.
    pub fn unstick(&mut self, now: Timestamp, direction: Direction) -> Result<(), IllegalTransition> {
        self.expect(self.status == Status::Stuck, "resolve", || {
            format!("it is {}", self.status)
        })?;
        self.status = Status::InProgress;
        self.direction = direction;
        if direction == Direction::Forward {
            self.cancel = None;
        }
        if let Some(held) = self.held.take_if(|held| !held.by_fleet) {
            let rested = now.duration_since(held.word.at).max(SignedDuration::ZERO);
            self.escalate_at = self.escalate_at.map(|at| crate::control::later(at, rested));
        }
        self.look_now();
        self.takeovers_without_progress = 0;
        self.deadline = crate::control::later(now, self.longest());
        // What is tried on has its whole time again before it escalates by itself, as it has for everything else.
        let created_at = self.created_at;
        self.escalate_at = self.escalate_at.map(|at| match direction {
            Direction::Forward if at <= now => crate::control::later(now, at.duration_since(created_at)),
            _ => at,
        });
        for (index, run) in self.steps.iter_mut().enumerate() {
            let common = self.plan.steps.get(index).map(crate::plan::Step::common);
            let timeout = common.map_or(0, |common| common.timeout_seconds);
            // What the plan goes on without was given up for good: it may have had its time before the promotion.
            let given_up = common.is_some_and(|common| common.on_failure == OnFailure::Continue);
            let restarted = crate::control::later(now, SignedDuration::from_secs(i64::from(timeout)));
            run.undo_doubted_at = None;
            match (direction, run.state) {
                // A failed step is tried afresh: from its read if nothing was called, else from its intent.
                (Direction::Forward, StepState::Failed) if given_up => {}
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

    fn progress(&mut self, index: usize) {
        self.connection_errors = 0;
        self.takeovers_without_progress = 0;
        if let Some(run) = self.steps.get_mut(index) {
            run.wake_at = None;
        }
        self.wake_at = match self.direction {
            Direction::Forward => self.turn_comes_at(),
            Direction::Back => None,
        };
        // What is held comes to a rest at the next boundary, and says so already.
        self.status = if self.held.is_some() {
            Status::Waiting
        } else {
            Status::InProgress
        };
    }

    fn end_step(&mut self, index: usize, now: Timestamp, detail: &str) {
        if let Some(run) = self.steps.get_mut(index) {
            run.started_at.get_or_insert(now);
            run.ended_at = Some(now);
            run.detail = detail.to_owned();
        }
        self.progress(index);
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
            return Err(IllegalTransition {
                execution,
                transition,
                found: format!("step {} is {}", run.name, run.state),
            });
        }
        run.state = to;
        Ok(())
    }

    pub(super) fn expect(
        &self,
        allowed: bool,
        transition: &'static str,
        found: impl FnOnce() -> String,
    ) -> Result<(), IllegalTransition> {
        if allowed {
            return Ok(());
        }
        Err(IllegalTransition {
            execution: self.id.clone(),
            transition,
            found: found(),
        })
    }
}
