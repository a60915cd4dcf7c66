//! One turn: from taking the lease to releasing it.
//!
//! Here is what every part uses: the lease, the commit, the one mutating call. `forward` goes through the
//! steps, `back` undoes them, `settling` waits for what was changed, `words` heeds what people say meanwhile, `ending`
//! finishes (`setting_up` remembers what a setup made), archives, publishes and releases.

mod back;
mod ending;
mod forward;
mod setting_up;
mod settling;
mod words;

use super::{CALL_TIMEOUT, Executor, TURN, pre_state};
use crate::ports::{CallError, CallErrorKind, Invocation};
use crate::steps::{Doing, Driver, Goal, Reading};
use crate::store::ChangeError;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use understudy_core::control::{Control, LeaseHeld, Wake, later};
use understudy_core::execution::{Direction, Execution, IllegalTransition, Next, Status, StepRun};
use understudy_core::mutant::{Mutant, active};
use understudy_core::regions::{MAX_CONNECTION_ERRORS, StandsBack};
use understudy_core::report::{EventKind, about_execution};
use understudy_core::state::ResourceState;

/// How long before Lambda ends the process a turn begins nothing new.
const MARGIN: SignedDuration = SignedDuration::from_secs(5);

/// Why a turn ends before its work does.
enum Stop {
    /// Another executor took over: call nothing more.
    TakenOver,
    /// The table is out of reach: call nothing more.
    Table(CallError),
    /// The item does not allow what was found to be next: a bug or a hand-written item.
    Illegal(IllegalTransition),
}

impl From<CallError> for Stop {
    fn from(error: CallError) -> Self {
        Self::Table(error)
    }
}

/// Why the lease is not taken.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    /// Another executor acts.
    #[error(transparent)]
    Held(LeaseHeld),
    /// Somebody else did it meanwhile: a lease that nobody needs would lie there if its holder died.
    #[error("nothing to do any more")]
    Idle,
    /// The invocation, frozen on its way, has no time left to do anything with it.
    #[error("no time is left in this invocation")]
    NoTime,
    /// Executors of other Regions go first.
    #[error(transparent)]
    StandsBack(StandsBack),
}

/// Why a commit is not made.
enum Refusal {
    TakenOver,
    Illegal(IllegalTransition),
}

impl From<IllegalTransition> for Refusal {
    fn from(error: IllegalTransition) -> Self {
        Self::Illegal(error)
    }
}

/// What follows after one action.
enum Flow {
    /// Ask what is next.
    On,
    /// Leave: what remains is recorded.
    Leave,
}

/// What a step is about to do.
struct Intent {
    pre_state: ResourceState,
    wanted: ResourceState,
    detail: String,
}

struct Turn<'a> {
    executor: &'a Executor,
    plan: String,
    holder: String,
    epoch: u64,
    /// Nothing new is begun after this.
    ends_at: Timestamp,
    /// The look of a verify or a gate is repeated until this, by step, then recorded as a wait.
    patient_until: BTreeMap<usize, Timestamp>,
}

/// Runs one turn of a plan and says in a word what came of it.
pub(super) async fn run(executor: &Executor, plan: &str, invocation: &Invocation) -> Result<String, CallError> {
    let now = executor.ports.clock.now();
    let Some(control) = executor.store.control(plan).await? else {
        return Ok("there is no such plan".into());
    };
    if !has_work(&control, now) {
        return match control.wake.as_ref().filter(|wake| wake.function == Wake::Executor) {
            None => Ok("nothing to do".into()),
            Some(_) => {
                let cleared = executor.store.change(plan, |control| {
                    let idle = !has_work(control, now)
                        && control
                            .wake
                            .as_ref()
                            .is_some_and(|wake| wake.function == Wake::Executor);
                    if idle {
                        control.wake = None;
                    }
                    Ok::<(), std::convert::Infallible>(())
                });
                cleared.await.map_err(change_error)?;
                Ok("nothing to do".into())
            }
        };
    }
    // The holder's name is new in every turn: the same invocation may run several.
    let holder = format!("{}/{}", invocation.request_id, executor.store.new_id(now));
    let taken = executor
        .store
        .change(plan, |control| {
            let now = executor.ports.clock.now();
            if !has_work(control, now) {
                return Err(NotTaken::Idle);
            }
            if later(invocation.deadline, -MARGIN) <= now {
                return Err(NotTaken::NoTime);
            }
            match control.stands_back(now, &executor.region) {
                Some(stands_back) => Err(NotTaken::StandsBack(stands_back)),
                None => control.take_lease(now, &holder).map_err(NotTaken::Held),
            }
        })
        .await;
    let (control, epoch) = match taken {
        Ok(taken) => taken,
        Err(ChangeError::Refused(why)) => return Ok(why.to_string()),
        Err(ChangeError::NoPlan(_)) => return Ok("there is no such plan".into()),
        Err(ChangeError::Table(error)) => return Err(error),
    };
    let execution = control
        .execution
        .as_ref()
        .map(|execution| execution.id.clone())
        .unwrap_or_default();
    let ends_at = later(now, TURN).min(later(invocation.deadline, -MARGIN));
    let mut turn = Turn {
        executor,
        plan: plan.to_owned(),
        holder,
        epoch,
        ends_at,
        patient_until: BTreeMap::new(),
    };
    tracing::info!(plan, epoch, execution, "turn begins");
    let outcome = match turn.work(control).await {
        Ok(()) => turn.tell_and_release().await,
        Err(stop) => Err(stop),
    };
    match outcome {
        Ok(()) => Ok("turn done".into()),
        Err(Stop::TakenOver) => {
            tracing::warn!(
                plan,
                epoch,
                execution,
                "another executor took over; this one called nothing more"
            );
            Ok("taken over".into())
        }
        Err(Stop::Table(error)) => Err(error),
        Err(Stop::Illegal(error)) => Err(CallError::new(CallErrorKind::Refused, error.to_string())),
    }
}

fn has_work(control: &Control, now: Timestamp) -> bool {
    let runnable = control.execution.as_ref().is_some_and(|execution| {
        !matches!(execution.next(now), Next::AwaitPerson | Next::Wait(_))
            || words::looks_at_fleet(execution, now)
            || (execution.cancel.is_some()
                && execution.direction == Direction::Forward
                && execution.status != Status::Stuck
                && !execution.rests())
    });
    runnable
        || control
            .announcements
            .iter()
            .any(|announcement| announcement.retry_at <= now)
}

fn change_error<E: std::fmt::Display>(error: ChangeError<E>) -> CallError {
    match error {
        ChangeError::Table(error) => error,
        other => CallError::new(CallErrorKind::Refused, other.to_string()),
    }
}

fn run_of(control: &Control, index: usize) -> Option<&StepRun> {
    control.execution.as_ref()?.steps.get(index)
}

impl Turn<'_> {
    fn now(&self) -> Timestamp {
        self.executor.ports.clock.now()
    }

    /// Changes the control item if this turn still holds the lease, and prolongs the lease.
    async fn commit(
        &self,
        mut change: impl FnMut(&mut Control, Timestamp) -> Result<(), IllegalTransition>,
    ) -> Result<Control, Stop> {
        let result = self
            .executor
            .store
            .change(&self.plan, |control| {
                if !control.held_by(&self.holder, self.epoch) {
                    return Err(Refusal::TakenOver);
                }
                let now = self.now();
                change(control, now)?;
                control.renew_lease(now);
                Ok(())
            })
            .await;
        match result {
            Ok((control, ())) => Ok(control),
            Err(ChangeError::Refused(Refusal::TakenOver) | ChangeError::NoPlan(_)) => Err(Stop::TakenOver),
            Err(ChangeError::Refused(Refusal::Illegal(error))) => Err(Stop::Illegal(error)),
            Err(ChangeError::Table(error)) => Err(Stop::Table(error)),
        }
    }

    /// The same for a change of the execution alone.
    async fn commit_execution(
        &self,
        mut change: impl FnMut(&mut Execution, Timestamp) -> Result<(), IllegalTransition>,
    ) -> Result<Control, Stop> {
        self.commit(|control, now| match &mut control.execution {
            Some(execution) => change(execution, now),
            None => Ok(()),
        })
        .await
    }

    async fn work(&mut self, mut control: Control) -> Result<(), Stop> {
        self.heed_fleet(&mut control).await?;
        while self.now() < self.ends_at {
            let Some(execution) = &control.execution else {
                return Ok(());
            };
            let flow = match execution.next(self.now()) {
                Next::Begin => self.begin(&mut control).await?,
                Next::Prepare(index) => self.prepare(&mut control, index).await?,
                Next::Apply(index) => self.apply(&mut control, index).await?,
                Next::Verify(index) => self.verify(&mut control, index).await?,
                Next::Undo(index) => self.undo(&mut control, index).await?,
                Next::TurnBack(why) => {
                    tracing::warn!(plan = self.plan, execution = execution.id, why, "turning back");
                    control = self.commit_execution(|execution, _| execution.turn_back(&why)).await?;
                    self.patient_until.clear();
                    Flow::On
                }
                Next::Skip(index) => self.skip(&mut control, index).await?,
                Next::Omit(index) => {
                    control = self.commit_execution(|execution, _| execution.omit(index)).await?;
                    Flow::On
                }
                Next::Fail(index, why) => self.fail(&mut control, index, &why).await?,
                Next::Escalate => self.escalate(&mut control).await?,
                Next::Stick(why) => self.stick(&mut control, &why).await?,
                Next::Finish(status) => self.finish(&mut control, status).await?,
                Next::Archive => self.archive(&mut control).await?,
                Next::AwaitPerson => Flow::Leave,
                Next::Wait(until)
                    if until.duration_since(self.now()) <= SignedDuration::from_secs(2) && until < self.ends_at =>
                {
                    self.executor.ports.clock.sleep(until.duration_since(self.now())).await;
                    Flow::On
                }
                Next::Wait(_) => Flow::Leave,
            };
            if matches!(flow, Flow::Leave) {
                return Ok(());
            }
        }
        Ok(())
    }

    // One mutating call: attempt committed, lease and time checked. `None`: it does not fit any more.
    pub(super) async fn call(
        &self,
        driver: &dyn Driver,
        control: &mut Control,
        index: usize,
        from: &ResourceState,
        into: &ResourceState,
    ) -> Result<Option<Result<Option<String>, CallError>>, Stop> {
        if later(self.now(), CALL_TIMEOUT) > self.ends_at {
            return Ok(None);
        }
        if self.heed_fleet(control).await? {
            return Ok(None);
        }
        let Some(before) = run_of(control, index).cloned() else {
            return Ok(None);
        };
        if !active(Mutant::AttemptNotRecorded) {
            let more_calls = !driver.is_last_call(from, into);
            *control = self
                .commit_execution(|execution, now| {
                    execution.attempt(index, now)?;
                    if let Some(run) = execution.steps.get_mut(index) {
                        run.more_calls = more_calls;
                    }
                    Ok(())
                })
                .await?;
        }
        let fits = control
            .lease
            .as_ref()
            .is_some_and(|lease| lease.fits(self.now(), CALL_TIMEOUT));
        // A sandbox that was frozen during the commit thaws with a new lease and no time left.
        let fits = fits && later(self.now(), CALL_TIMEOUT) <= self.ends_at || active(Mutant::CallBeyondLease);
        let Some(execution) = control.execution.as_ref().filter(|_| fits) else {
            // What was not called is not waited for, and can not be in flight.
            *control = self
                .commit_execution(|execution, _| {
                    execution.not_called(index, &before);
                    Ok(())
                })
                .await?;
            return Ok(None);
        };
        let comment = format!("Understudy {} {} epoch {}", self.plan, execution.id, self.epoch);
        let name = run_of(control, index).map(|run| run.name.clone()).unwrap_or_default();
        tracing::info!(
            plan = self.plan,
            epoch = self.epoch,
            execution = execution.id,
            step = name,
            into = into.sentence(),
            "calling"
        );
        let answer = driver.change(from, into, &comment).await;
        if let Err(error) = &answer {
            tracing::warn!(
                plan = self.plan,
                epoch = self.epoch,
                step = name,
                error = error.message,
                "the call failed"
            );
            // One that must not be made twice, and was not made: the pause before the next is that of any other.
            if error.kind == CallErrorKind::Retryable && driver.repeat_after(from, into).is_some() {
                *control = self
                    .commit_execution(|execution, _| {
                        execution.turned_away(index, &before);
                        Ok(())
                    })
                    .await?;
            }
        }
        Ok(Some(answer))
    }

    pub(super) async fn read(
        &self,
        execution: &Execution,
        index: usize,
    ) -> Result<(Box<dyn Driver>, Reading), CallError> {
        let run = execution.steps.get(index);
        let goal = Goal {
            from: execution.from.clone(),
            to: execution.to.clone(),
            style: execution.style,
            started_at: run.and_then(|run| run.started_at),
            doing: run.map(|run| Doing {
                execution: execution.id.clone(),
                epoch: self.epoch,
                direction: execution.direction,
                run: run.clone(),
                fenced: execution.is_fenced_before(index),
            }),
        };
        let driver = self.executor.driver(execution, index, &goal)?;
        let reading = driver.read(&goal).await?;
        Ok((driver, reading))
    }

    pub(super) fn pause(&self, control: &Control, index: usize) -> SignedDuration {
        let retries = run_of(control, index).map_or(0, |run| run.retries);
        let most = f64::from(500_u32 << retries.min(4));
        SignedDuration::from_millis((most * (0.5 + 0.5 * self.executor.store.jitter())) as i64)
    }

    // Tries the step again after a pause. Who gets no answer again and again lets another Region's executor try.
    pub(super) async fn repeat_later(
        &self,
        control: &mut Control,
        index: usize,
        error: &CallError,
    ) -> Result<Flow, Stop> {
        let pause = self.pause(control, index);
        let reached = error.kind != CallErrorKind::Lost;
        let mut sits_out = false;
        *control = self
            .commit(|control, now| {
                let Some(execution) = &mut control.execution else {
                    return Ok(());
                };
                let in_a_row = execution.put_off(index, now, later(now, pause), &error.message, reached);
                if execution.is_out_of_retries(index) {
                    let why = format!("its retry budget is used up; the last error: {}", error.message);
                    return execution.fail_step(index, now, &why);
                }
                sits_out = in_a_row >= MAX_CONNECTION_ERRORS;
                if sits_out {
                    control.sit_out(now, &self.executor.region);
                }
                Ok(())
            })
            .await?;
        if sits_out {
            tracing::warn!(
                plan = self.plan,
                epoch = self.epoch,
                error = error.message,
                "no answer again: the lease is released, and this Region sits out one lease time"
            );
            return Ok(Flow::Leave);
        }
        Ok(Flow::On)
    }

    pub(super) async fn stick(&self, control: &mut Control, why: &str) -> Result<Flow, Stop> {
        tracing::error!(plan = self.plan, epoch = self.epoch, why, "stuck: a person must look");
        *control = self
            .commit(|control, now| {
                let (plan, epoch) = (control.plan.clone(), control.epoch);
                if let Some(execution) = &mut control.execution {
                    execution.stick(why)?;
                    let announcement = about_execution(EventKind::Stuck, &plan, epoch, execution, now);
                    control.announce(announcement);
                }
                Ok(())
            })
            .await?;
        Ok(Flow::Leave)
    }

    // What the step was about to do, and what undo restores; a large pre-state is read back from its own item.
    pub(super) async fn intent(&self, execution: &Execution, index: usize) -> Result<Option<Intent>, CallError> {
        let Some(run) = execution.steps.get(index) else {
            return Ok(None);
        };
        let (Some(pre_state), Some(wanted)) = (&run.pre_state, &run.wanted) else {
            return Ok(None);
        };
        Ok(Some(Intent {
            pre_state: pre_state::recall(&self.executor.store, &self.plan, pre_state).await?,
            wanted: wanted.clone(),
            detail: run.detail.clone(),
        }))
    }
}
