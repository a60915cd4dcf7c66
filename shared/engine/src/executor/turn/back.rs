//! Back through the steps: ordinary work, repeated like applying. What cannot be undone calls a person.

use super::forward::may_repeat_at;
use super::settling::Settled;
use super::{Flow, Intent, Stop, Turn, run_of};
use crate::ports::{CallError, CallErrorKind};
use crate::steps::Driver;
use jiff::{SignedDuration, Timestamp};
use understudy_core::control::{Control, later};
use understudy_core::execution::{Kind, StepRun, StepState};
use understudy_core::mutant::{Mutant, active};
use understudy_core::plan::Reversibility;
use understudy_core::state::ResourceState;

/// After this many calls of one undo that were answered with an error, a person must look.
const MAX_UNDO_FAILURES: u32 = 8;

/// How long undo waits at least for what may be on its way, before a person must look. Switching a global database over takes
/// minutes.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_mins(5);

impl Turn<'_> {
    pub(super) async fn undo(&mut self, control: &mut Control, index: usize) -> Result<Flow, Stop> {
        let Some(execution) = &control.execution else {
            return Ok(Flow::Leave);
        };
        let Intent { pre_state, wanted, .. } = match self.intent(execution, index).await {
            Ok(Some(intent)) => intent,
            Ok(None) => return Ok(Flow::Leave),
            Err(error) => return self.put_off_undo(control, index, &error).await,
        };
        let Some(run) = execution.steps.get(index).cloned() else {
            return Ok(Flow::Leave);
        };
        let kind = execution.step(index).map(|step| step.as_kind().reversibility());
        let why_left = match kind {
            Some(Reversibility::Irreversible) => Some("it can not be taken back"),
            Some(Reversibility::Nothing) => Some("there is nothing to take back"),
            _ => None,
        };
        if let Some(why) = why_left.filter(|_| run.attempts > 0) {
            let detail = format!("left as it is: {why}; before: {}", run.detail);
            return self.leave(control, index, &detail).await;
        }
        let teardown = execution.kind == Kind::Teardown;
        let (driver, reading) = match self.read(execution, index).await {
            Ok(found) => found,
            // Whatever became of it since, there is nothing left to take back.
            Err(error) if teardown && error.kind == CallErrorKind::NotFound => {
                return self
                    .leave(control, index, &format!("left as it is, gone: {}", error.message))
                    .await;
            }
            Err(error) => return self.put_off_undo(control, index, &error).await,
        };
        let unseen =
            matches!(run.state, StepState::Intended | StepState::Applied | StepState::Failed) && run.attempts > 0;
        let restored = driver.is_restored(&reading.current, &pre_state);
        if restored && unseen && run.undo_attempts == 0 {
            let Some(since) = run.undo_doubted_at else {
                let until = shows_until(driver.as_ref(), &run, (&pre_state, &wanted), self.now());
                return self.doubt(control, index, until).await;
            };
            // What is on its way still reads as before: a database that switches over, say.
            if let Some(why) = reading
                .hold
                .as_ref()
                .filter(|_| reading.under_way && run.attempted_at.is_some())
            {
                let timeout = execution.step(index).map_or(0, |step| step.common().timeout_seconds);
                let longest = SignedDuration::from_secs(i64::from(timeout)).max(ON_ITS_WAY);
                if later(since, longest) > self.now() {
                    return self.look_again(control, index, why).await;
                }
                let why = format!(
                    "undoing {}: it reads as before the call ({}), and still {why}: whether the call will have an effect is not \
                     known. Wait until that is over, and `resolve` with `rollback`",
                    execution.step_at(index),
                    pre_state.sentence()
                );
                return self.stick(control, &why).await;
            }
        }
        if restored {
            let settled = if run.undo_attempts > 0 {
                self.settled(driver.as_ref(), &run).await
            } else {
                Ok(Settled::Yes(""))
            };
            return match settled {
                Ok(Settled::Yes(note)) => {
                    let detail = format!("restored: {}{note}", pre_state.sentence());
                    *control = self
                        .commit_execution(|execution, now| execution.undone(index, now, &detail))
                        .await?;
                    Ok(Flow::On)
                }
                Ok(Settled::NotYet) => {
                    self.look_again(control, index, "the restored state has not reached everybody yet")
                        .await
                }
                Ok(Settled::At(at)) => self.await_propagation(control, index, at).await,
                Err(error) => self.put_off_undo(control, index, &error).await,
            };
        }
        // What lies between is of our making only if there was a call that could have made it.
        let called = run.attempts > run.undo_attempts;
        let between = called && driver.is_between(&pre_state, &reading.current, &wanted);
        let ours = between || reading.current.same_as(&wanted);
        let not_ours = driver
            .not_ours(&reading.current, &pre_state)
            .filter(|_| teardown && ours && run.undo_attempts == 0);
        if let Some(why) = not_ours {
            let detail = format!(
                "left as it is: {}, but {why}. If nobody needs it, make this call by hand: {}",
                reading.current.sentence(),
                driver.calls(&reading.current, &pre_state).join(", then ")
            );
            return self.leave(control, index, &detail).await;
        }
        if !ours {
            if run.attempts == run.undo_attempts {
                let detail = format!(
                    "left as somebody else made it: {}; it was never changed here",
                    reading.current.sentence()
                );
                return self.leave(control, index, &detail).await;
            }
            if teardown {
                let detail = format!(
                    "left as it is: somebody else has changed it since the setup: it was {}, setup made it {}, it is {}. To \
                     have it as before, make this call by hand: {}",
                    pre_state.sentence(),
                    wanted.sentence(),
                    reading.current.sentence(),
                    driver.calls(&reading.current, &pre_state).join(", then ")
                );
                return self.leave(control, index, &detail).await;
            }
            let why = format!(
                "undoing {}: somebody else changed it meanwhile: it was {}; {}; it was not overwritten. See who changed it, make \
                 it as it shall be, and say with `resolve` how the execution goes on",
                execution.step_at(index),
                pre_state.sentence(),
                execution.account(index, Some(&reading.current))
            );
            return self.stick(control, &why).await;
        }
        match driver.holds(&reading, &pre_state, true).await {
            Ok(None) => {}
            Ok(Some(why)) => return self.look_again(control, index, &why).await,
            Err(error) => return self.put_off_undo(control, index, &error).await,
        }
        let repeated = run.undo_attempts > 0;
        let next_call = (&reading.current, &pre_state);
        let repeat_at = may_repeat_at(driver.as_ref(), execution, index, next_call);
        if let Some(at) = repeat_at.filter(|at| repeated && *at > self.now()) {
            return self.leave_unsure(control, index, at).await;
        }
        match self
            .call(
                driver.as_ref(),
                control,
                index,
                &reading.current,
                if active(Mutant::UndoToWanted) {
                    &wanted
                } else {
                    &pre_state
                },
            )
            .await?
        {
            None => Ok(Flow::Leave),
            Some(Ok(receipt)) => {
                *control = self
                    .commit_execution(|execution, _| {
                        if let (Some(run), Some(receipt)) = (execution.steps.get_mut(index), &receipt) {
                            run.receipt = Some(receipt.clone());
                        }
                        Ok(())
                    })
                    .await?;
                Ok(Flow::On)
            }
            Some(Err(error)) if error.kind == CallErrorKind::NotYet => {
                self.ask_again(control, index, &error.message).await
            }
            Some(Err(error)) => {
                *control = self
                    .commit_execution(|execution, _| {
                        if let Some(run) = execution.steps.get_mut(index) {
                            run.undo_failures += 1;
                        }
                        Ok(())
                    })
                    .await?;
                self.put_off_undo(control, index, &error).await
            }
        }
    }

    // Nothing more is done about this step: what is said of it is all that comes of it.
    async fn leave(&self, control: &mut Control, index: usize, detail: &str) -> Result<Flow, Stop> {
        *control = self
            .commit_execution(|execution, now| execution.undone(index, now, detail))
            .await?;
        Ok(Flow::On)
    }

    // A call was made and never seen to have worked, and the resource reads as before it. Reads may lag behind calls:
    // taken at its word, such a read would leave the change standing. It is looked at again when it has had its time.
    async fn doubt(&mut self, control: &mut Control, index: usize, until: Timestamp) -> Result<Flow, Stop> {
        *control = self
            .commit_execution(|execution, now| {
                execution.wait(index, now, until, "it reads as before the call; looking again");
                if let Some(run) = execution.steps.get_mut(index) {
                    run.undo_doubted_at = Some(now);
                }
                Ok(())
            })
            .await?;
        Ok(Flow::On)
    }

    async fn put_off_undo(&mut self, control: &mut Control, index: usize, error: &CallError) -> Result<Flow, Stop> {
        let failures = run_of(control, index).map_or(0, |run| run.undo_failures);
        // A refused compare-and-set is looked at again: the reading, not the refusal, says whether somebody else was there.
        let may_pass = error.may_repeat() || error.kind == CallErrorKind::Conflict;
        if may_pass && failures < MAX_UNDO_FAILURES {
            return self.repeat_later(control, index, error).await;
        }
        let told = control.execution.as_ref().map(|execution| {
            let before = execution
                .steps
                .get(index)
                .and_then(|run| run.pre_state.as_ref()?.inline());
            let before = before
                .map(|state| format!("it was: {}; ", state.sentence()))
                .unwrap_or_default();
            (
                execution.step_at(index),
                format!("{before}{}", execution.account(index, None)),
            )
        });
        let (step, account) = told.unwrap_or_default();
        let why = format!(
            "{step} can not be undone: {}; {account}. Undo it by hand, or mend what refuses it, and `resolve`",
            error.message
        );
        self.stick(control, &why).await
    }
}

// Until when a call that was not seen to work, and was not seen to have had no effect, may still show: reads lag, and
// some changes are seen only when they are over.
fn shows_until(
    driver: &dyn Driver,
    run: &StepRun,
    (before, wanted): (&ResourceState, &ResourceState),
    now: Timestamp,
) -> Timestamp {
    let readable = later(now, driver.read_lag());
    match (run.attempted_at, driver.repeat_after(before, wanted)) {
        (Some(at), Some(within)) => readable.max(later(at, within)),
        _ => readable,
    }
}
