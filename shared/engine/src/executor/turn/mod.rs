//! One turn: from taking the lease to releasing it.
//!
//! Here is what every part uses: the lease, the commit, the one mutating call. `forward` goes through the
//! steps, `back` undoes them, `words` heeds what people say meanwhile, `ending` finishes, archives, publishes and releases.

mod back;
mod ending;
mod forward;
mod words;

use super::{CALL_TIMEOUT, Executor, TURN};
use crate::ports::{CallError, CallErrorKind, Invocation};
use crate::steps::{Driver, Reading};
use crate::store::ChangeError;
use jiff::{SignedDuration, Timestamp};
use understudy_core::control::{Control, LeaseHeld, Wake, later};
use understudy_core::execution::{Direction, Execution, IllegalTransition, Next, Status};
use understudy_core::report::{EventKind, about_execution};
use understudy_core::state::ResourceState;

/// How long a turn looks again and again before it leaves a wait to the probe.
const PATIENCE: SignedDuration = SignedDuration::from_secs(6);
/// How long between two looks within a turn.
const LOOK_EVERY: SignedDuration = SignedDuration::from_millis(500);
/// How long a recorded wait lasts: about one round of the probe.
const WAIT: SignedDuration = SignedDuration::from_secs(5);

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

struct Turn<'a> {
    executor: &'a Executor,
    plan: String,
    holder: String,
    epoch: u64,
    /// Nothing new is begun after this.
    ends_at: Timestamp,
    /// The call of a verify or a gate is repeated until this, then recorded as a wait.
    patient_until: Option<(usize, Timestamp)>,
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
        .change(plan, |control| control.take_lease(executor.ports.clock.now(), &holder))
        .await;
    let (control, epoch) = match taken {
        Ok(taken) => taken,
        Err(ChangeError::Refused(LeaseHeld { holder, expires_at, .. })) => {
            return Ok(format!("held by {holder} until {expires_at}"));
        }
        Err(ChangeError::NoPlan(_)) => return Ok("there is no such plan".into()),
        Err(ChangeError::Table(error)) => return Err(error),
    };
    let execution = control
        .execution
        .as_ref()
        .map(|execution| execution.id.clone())
        .unwrap_or_default();
    let ends_at = later(now, TURN).min(later(invocation.deadline, -SignedDuration::from_secs(5)));
    let mut turn = Turn {
        executor,
        plan: plan.to_owned(),
        holder,
        epoch,
        ends_at,
        patient_until: None,
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
                    Flow::On
                }
                Next::Skip(index) => self.skip(&mut control, index).await?,
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
        if later(self.now(), CALL_TIMEOUT) > later(self.ends_at, SignedDuration::from_secs(3)) {
            return Ok(None);
        }
        if self.heed_fleet(control).await? {
            return Ok(None);
        }
        *control = self.commit_execution(|execution, _| execution.attempt(index)).await?;
        let fits = control
            .lease
            .as_ref()
            .is_some_and(|lease| lease.fits(self.now(), CALL_TIMEOUT));
        let Some(execution) = control.execution.as_ref().filter(|_| fits) else {
            return Ok(None);
        };
        let comment = format!("Understudy {} {} epoch {}", self.plan, execution.id, self.epoch);
        let name = execution
            .steps
            .get(index)
            .map(|run| run.name.clone())
            .unwrap_or_default();
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
        }
        Ok(Some(answer))
    }

    // Looks again within this turn for a while, then leaves the wait to the probe.
    pub(super) async fn look_again(&mut self, control: &mut Control, index: usize, note: &str) -> Result<Flow, Stop> {
        let now = self.now();
        let patient_until = match self.patient_until {
            Some((known, until)) if known == index => until,
            _ => later(now, PATIENCE),
        };
        self.patient_until = Some((index, patient_until));
        if now < patient_until.min(self.ends_at) {
            self.executor.ports.clock.sleep(LOOK_EVERY).await;
            return Ok(Flow::On);
        }
        *control = self
            .commit(|control, now| {
                let (plan, epoch) = (control.plan.clone(), control.epoch);
                let Some(execution) = &mut control.execution else {
                    return Ok(());
                };
                execution.wait(index, now, later(now, WAIT), note);
                let first = execution
                    .steps
                    .get_mut(index)
                    .is_some_and(|run| !std::mem::replace(&mut run.wait_told, true));
                if first {
                    let announcement = about_execution(EventKind::Waiting, &plan, epoch, execution, now);
                    control.announce(announcement);
                }
                Ok(())
            })
            .await?;
        Ok(Flow::Leave)
    }

    pub(super) async fn read(
        &self,
        execution: &Execution,
        index: usize,
    ) -> Result<(Box<dyn Driver>, Reading), CallError> {
        let driver = self.executor.driver(execution, index)?;
        let reading = driver.read(&execution.to).await?;
        Ok((driver, reading))
    }

    pub(super) fn pause(&self, control: &Control, index: usize) -> SignedDuration {
        let retries = control
            .execution
            .as_ref()
            .and_then(|execution| execution.steps.get(index))
            .map_or(0, |run| run.retries);
        let most = f64::from(500_u32 << retries.min(4));
        SignedDuration::from_millis((most * (0.5 + 0.5 * self.executor.store.jitter())) as i64)
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
}

fn intent_of(execution: &Execution, index: usize) -> Option<(ResourceState, ResourceState, String)> {
    let run = execution.steps.get(index)?;
    Some((run.pre_state.clone()?, run.wanted.clone()?, run.detail.clone()))
}
