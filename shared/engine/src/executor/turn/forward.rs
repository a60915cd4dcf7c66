//! Through the steps: read, intend, call, verify.

use super::super::pre_state;
use super::settling::Settled;
use super::{Flow, Intent, Stop, Turn, run_of};
use crate::ports::{CallError, CallErrorKind};
use crate::steps::{Driver, Reading};
use jiff::{SignedDuration, Timestamp};
use understudy_core::control::{Control, later};
use understudy_core::execution::{Execution, StepRun};
use understudy_core::mutant::{Mutant, active};
use understudy_core::report::{EventKind, about_execution};
use understudy_core::state::ResourceState;

/// After this many waits of a step, a call that is refused although the resource reads as expected fails the step.
const MAX_REFUSALS: u32 = 10;

/// What comes about within this time is waited for within the turn.
const SOON: SignedDuration = SignedDuration::from_secs(2);

/// No further step is looked at ahead of its turn after this time.
const LOOK_AHEAD: SignedDuration = SignedDuration::from_secs(3);

impl Turn<'_> {
    pub(super) async fn begin(&self, control: &mut Control) -> Result<Flow, Stop> {
        let hopeless = self.hopeless(control).await;
        *control = self
            .commit(|control, now| {
                let (plan, epoch) = (control.plan.clone(), control.epoch);
                if let Some(execution) = &mut control.execution {
                    execution.begin(now)?;
                    let announcement = about_execution(EventKind::Started, &plan, epoch, execution, now);
                    control.announce(announcement);
                }
                if let (Some((index, why)), Some(execution)) = (&hopeless, &mut control.execution) {
                    execution.fail_step(*index, now, why)?;
                    let why = format!(
                        "{} can not be done: {why}; nothing was done before it",
                        execution.step_at(*index)
                    );
                    execution.turn_back(&why)?;
                }
                Ok(())
            })
            .await?;
        metrics::counter!("ExecutionsStarted").increment(1);
        Ok(Flow::On)
    }

    // A step that could not begin when its turn came, found before anything is done. One that can not be read for now, or
    // soon, has its turn all the same: on a bad day nobody waits for this.
    async fn hopeless(&self, control: &Control) -> Option<(usize, String)> {
        let execution = control.execution.as_ref()?;
        let until = later(self.now(), LOOK_AHEAD);
        for index in execution.looked_at_first() {
            if self.now() > until {
                return None;
            }
            let why = match self.read(execution, index).await {
                Ok((_, reading)) => reading.blocked.filter(|_| reading.rests_on.is_empty()),
                Err(error) if error.may_repeat() => return None,
                Err(error) => Some(error.message),
            };
            if let Some(why) = why {
                return Some((index, why));
            }
        }
        None
    }

    // Reads the resource, and records that it is as wanted or what is intended.
    pub(super) async fn prepare(&mut self, control: &mut Control, index: usize) -> Result<Flow, Stop> {
        let Some(execution) = &control.execution else {
            return Ok(Flow::Leave);
        };
        let reading = match self.read(execution, index).await {
            Ok((driver, reading)) => {
                if active(Mutant::IntentAfterCall) && !reading.is_satisfied() && reading.current != ResourceState::Gate
                {
                    let _ = driver.change(&reading.current, &reading.wanted, "").await;
                }
                reading
            }
            Err(error) => return self.put_off(control, index, &error).await,
        };
        if let Some(why) = &reading.blocked {
            return self.fail(control, index, why).await;
        }
        *control = if reading.is_satisfied() {
            self.commit_execution(|execution, now| execution.satisfied(index, now, &reading.note))
                .await?
        } else {
            let (current, wanted) = (reading.current.sentence(), reading.wanted.sentence());
            // Sentences leave things out.
            let detail = if current == wanted {
                format!("{current}: {}", reading.current.differences(&reading.wanted).join("; "))
            } else {
                format!("{current} → {wanted}")
            };
            let detail = if reading.current == ResourceState::Gate {
                reading.note.clone()
            } else {
                detail
            };
            let pre_state = match pre_state::keep(&self.executor.store, &self.plan, &reading.current).await {
                Ok(pre_state) => pre_state,
                Err(error) => return self.put_off(control, index, &error).await,
            };
            self.commit_execution(|execution, now| {
                execution.intend(index, now, pre_state.clone(), reading.wanted.clone(), &detail)
            })
            .await?
        };
        Ok(Flow::On)
    }

    // The intent is durable. Read again: it may have been applied before a reply or an executor was lost.
    pub(super) async fn apply(&mut self, control: &mut Control, index: usize) -> Result<Flow, Stop> {
        let Some(execution) = &control.execution else {
            return Ok(Flow::Leave);
        };
        let (driver, reading) = match self.read(execution, index).await {
            Ok(found) => found,
            Err(error) => return self.put_off(control, index, &error).await,
        };
        let Intent {
            pre_state,
            wanted,
            detail,
        } = match self.intent(execution, index).await {
            Ok(Some(intent)) => intent,
            Ok(None) => return Ok(Flow::Leave),
            Err(error) => return self.put_off(control, index, &error).await,
        };
        if wanted == ResourceState::Gate || reading.current.same_as(&wanted) {
            *control = self
                .commit_execution(|execution, _| execution.applied(index, None, &detail))
                .await?;
            return Ok(Flow::On);
        }
        let expected = reading.current.same_as(&pre_state) || driver.is_between(&pre_state, &reading.current, &wanted);
        if !expected && !active(Mutant::ConflictIgnored) {
            let error = CallError::new(
                CallErrorKind::Conflict,
                format!(
                    "{}: somebody else changed it: it was {}; {}; it was not overwritten. See who changed it, and move again \
                     when it may be changed",
                    execution.resources_of_step(index),
                    pre_state.sentence(),
                    execution.account(index, Some(&reading.current))
                ),
            );
            return self.put_off(control, index, &error).await;
        }
        match driver.holds(&reading, &wanted, false).await {
            Ok(None) => {}
            Ok(Some(why)) => return self.look_again(control, index, &why).await,
            Err(error) => return self.put_off(control, index, &error).await,
        }
        let next_call = (&reading.current, &wanted);
        if let Some(at) = may_repeat_at(driver.as_ref(), execution, index, next_call).filter(|at| *at > self.now()) {
            return self.leave_unsure(control, index, at).await;
        }
        match self
            .call(driver.as_ref(), control, index, &reading.current, &wanted)
            .await?
        {
            None => Ok(Flow::Leave),
            Some(Ok(_)) if !driver.is_last_call(&reading.current, &wanted) => Ok(Flow::On),
            Some(Ok(receipt)) => {
                *control = self
                    .commit_execution(|execution, _| execution.applied(index, receipt.clone(), &detail))
                    .await?;
                Ok(Flow::On)
            }
            Some(Err(error)) if error.kind == CallErrorKind::Conflict => {
                self.refused_unseen(control, index, &error).await
            }
            Some(Err(error)) if error.kind == CallErrorKind::NotYet => {
                self.ask_again(control, index, &error.message).await
            }
            Some(Err(error)) if !error.may_repeat() => {
                // An answer that says no is an answer: this call had no effect.
                *control = self
                    .commit_execution(|execution, now| {
                        execution.had_no_effect(index);
                        execution.fail_step(index, now, &error.message)
                    })
                    .await?;
                Ok(Flow::On)
            }
            Some(Err(error)) => self.put_off(control, index, &error).await,
        }
    }

    // The call compared and was refused, so it had no effect: an earlier call of ours that was lost may have landed
    // late, a read may have lagged, or somebody else was quicker. The next look says which.
    async fn refused_unseen(&mut self, control: &mut Control, index: usize, error: &CallError) -> Result<Flow, Stop> {
        let retries = run_of(control, index).map_or(0, |run| run.retries);
        let pause = self.pause(control, index);
        *control = self
            .commit_execution(|execution, now| {
                execution.had_no_effect(index);
                if retries >= MAX_REFUSALS {
                    return execution.fail_step(index, now, &error.message);
                }
                execution.wait(index, now, later(now, pause), &error.message);
                Ok(())
            })
            .await?;
        Ok(Flow::On)
    }

    pub(super) async fn verify(&mut self, control: &mut Control, index: usize) -> Result<Flow, Stop> {
        let Some(execution) = &control.execution else {
            return Ok(Flow::Leave);
        };
        let Some(run) = execution.steps.get(index) else {
            return Ok(Flow::Leave);
        };
        let found = match self.read(execution, index).await {
            Ok((driver, reading)) => self
                .is_done(driver.as_ref(), run, &reading)
                .await
                .map(|settled| (settled, reading)),
            Err(error) => Err(error),
        };
        match found {
            Ok((Settled::Yes(note), reading)) => {
                let detail = if matches!(reading.current, ResourceState::Gate | ResourceState::Hook { .. }) {
                    reading.note
                } else {
                    format!("{}{note}", reading.current.sentence())
                };
                *control = self
                    .commit_execution(|execution, now| execution.done(index, now, &detail))
                    .await?;
                Ok(Flow::On)
            }
            Ok((Settled::NotYet, reading)) => {
                let note = reading.hold.as_ref().unwrap_or(&reading.note);
                match reading.until.filter(|until| *until > later(self.now(), SOON)) {
                    Some(until) => self.wait_quietly(control, index, until, note).await,
                    None => self.look_again(control, index, note).await,
                }
            }
            Ok((Settled::At(at), _)) => self.await_propagation(control, index, at).await,
            Err(error) => self.put_off(control, index, &error).await,
        }
    }

    async fn is_done(&self, driver: &dyn Driver, run: &StepRun, reading: &Reading) -> Result<Settled, CallError> {
        let as_intended = run
            .wanted
            .as_ref()
            .is_some_and(|wanted| reading.current.same_as(wanted));
        if as_intended && reading.open {
            return self.settled(driver, run).await;
        }
        Ok(Settled::NotYet)
    }

    // What may pass is tried again later, with jitter, inside the step's deadline; what will not, fails the step.
    pub(super) async fn put_off(
        &mut self,
        control: &mut Control,
        index: usize,
        error: &CallError,
    ) -> Result<Flow, Stop> {
        if error.may_repeat() {
            return self.repeat_later(control, index, error).await;
        }
        self.fail(control, index, &error.message).await
    }

    pub(super) async fn fail(&self, control: &mut Control, index: usize, why: &str) -> Result<Flow, Stop> {
        *control = self
            .commit_execution(|execution, now| execution.fail_step(index, now, why))
            .await?;
        Ok(Flow::On)
    }
}

/// When a call that must not be made twice may be made again. The last of several calls is no repeat of those before it;
/// one that is never the last is.
pub(super) fn may_repeat_at(
    driver: &dyn Driver,
    execution: &Execution,
    index: usize,
    (from, into): (&ResourceState, &ResourceState),
) -> Option<Timestamp> {
    let run = execution.steps.get(index)?;
    let goes_on = run.more_calls && driver.is_last_call(from, into);
    let repeat_after = driver.repeat_after(from, into).filter(|_| !goes_on)?;
    Some(later(run.attempted_at?, repeat_after))
}
