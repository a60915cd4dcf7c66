//! Waiting for a change to be seen, and to reach everybody.
//!
//! Within a turn one looks again and again for a while; what takes longer is recorded (`wake_at`) and left to the
//! probe. Steps of one group take turns: while one waits, the others go on. A change whose reply was lost has no receipt to ask with: it is taken to have reached everybody after the
//! time that its kind generally takes, counted from when it first reads as wanted, and its detail says so.

use super::{Flow, Stop, Turn};
use crate::ports::CallError;
use crate::steps::Driver;
use jiff::{SignedDuration, Timestamp};
use understudy_core::control::{Control, later};
use understudy_core::execution::StepRun;
use understudy_core::report::{EventKind, about_execution};

/// How long a turn looks again and again before it leaves a wait to the probe.
const PATIENCE: SignedDuration = SignedDuration::from_secs(6);
/// How long between two looks within a turn.
const LOOK_EVERY: SignedDuration = SignedDuration::from_millis(500);
/// How long a recorded wait lasts: about one round of the probe.
const WAIT: SignedDuration = SignedDuration::from_secs(5);

/// How long a recorded wait lasts where nothing is expected sooner.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(60);

/// Whether a change that reads as wanted has reached everybody.
pub(super) enum Settled {
    /// It has. The words are added to the step's detail.
    Yes(&'static str),
    /// Not yet.
    NotYet,
    /// Nobody can be asked, because the reply was lost: it is taken for settled at this time.
    At(Timestamp),
}

impl Turn<'_> {
    pub(super) async fn settled(&self, driver: &dyn Driver, run: &StepRun) -> Result<Settled, CallError> {
        let now = self.now();
        Ok(match (&run.receipt, driver.propagation()) {
            (Some(receipt), _) if driver.settled(receipt).await? => Settled::Yes(""),
            (Some(_), _) => Settled::NotYet,
            (None, None) => Settled::Yes(""),
            (None, Some(within)) => match run.settles_at {
                Some(at) if at <= now => Settled::Yes(
                    "; its propagation was not confirmed, because the reply that names the change was lost: \
                     the time that it generally takes was waited for instead",
                ),
                at => Settled::At(at.unwrap_or(later(now, within))),
            },
        })
    }

    // Waits for a change that nobody can be asked about.
    pub(super) async fn await_propagation(
        &self,
        control: &mut Control,
        index: usize,
        at: Timestamp,
    ) -> Result<Flow, Stop> {
        let note = format!(
            "it reads as wanted; the reply that names the change was lost, so the time that propagation takes \
             is waited for, until {at}"
        );
        *control = self
            .commit_execution(|execution, _| {
                if let Some(run) = execution.steps.get_mut(index) {
                    run.settles_at = Some(at);
                }
                Ok(())
            })
            .await?;
        self.leave_until(control, index, at, &note).await
    }

    // A call that must not be made twice was not seen to work, nor not to: the resource gets the time to show it.
    pub(super) async fn leave_unsure(&self, control: &mut Control, index: usize, at: Timestamp) -> Result<Flow, Stop> {
        let note = format!(
            "the call was made and its effect is not seen; it is not repeated before {at}, lest it be done twice"
        );
        self.leave_until(control, index, at.min(later(self.now(), WAIT)), &note)
            .await
    }

    // Looks again within this turn for a while, then leaves the wait to the probe.
    pub(super) async fn look_again(&mut self, control: &mut Control, index: usize, note: &str) -> Result<Flow, Stop> {
        let now = self.now();
        let patient_until = *self.patient_until.entry(index).or_insert(later(now, PATIENCE));
        if now < patient_until.min(self.ends_at) {
            if others_are_due(control, index, now) {
                *control = self
                    .commit_execution(|execution, now| {
                        execution.rest(index, later(now, LOOK_EVERY));
                        Ok(())
                    })
                    .await?;
            } else {
                self.executor.ports.clock.sleep(LOOK_EVERY).await;
            }
            return Ok(Flow::On);
        }
        self.leave_until(control, index, later(now, WAIT), note).await
    }

    // A gate that opens at a time or at a person's word: nobody looks before, or only now and then. It is told at once.
    pub(super) async fn wait_quietly(
        &self,
        control: &mut Control,
        index: usize,
        until: Timestamp,
        note: &str,
    ) -> Result<Flow, Stop> {
        let until = until.min(later(self.now(), LONGEST_WAIT));
        self.leave_until(control, index, until, note).await
    }

    // A hook that has begun and is not done is asked again later.
    pub(super) async fn ask_again(&self, control: &mut Control, index: usize, note: &str) -> Result<Flow, Stop> {
        self.leave_until(control, index, later(self.now(), WAIT), note).await
    }

    // Records a wait, tells of the step's first one, and leaves it to the probe, unless another step has its turn.
    async fn leave_until(
        &self,
        control: &mut Control,
        index: usize,
        until: Timestamp,
        note: &str,
    ) -> Result<Flow, Stop> {
        *control = self
            .commit(|control, now| {
                let (plan, epoch) = (control.plan.clone(), control.epoch);
                let Some(execution) = &mut control.execution else {
                    return Ok(());
                };
                // A word that came since the look is heeded at the next one, which is then at once.
                let until = if execution.has_word_on(index) { now } else { until };
                execution.wait(index, now, until, note);
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
        Ok(if others_are_due(control, index, self.now()) {
            Flow::On
        } else {
            Flow::Leave
        })
    }
}

fn others_are_due(control: &Control, index: usize, now: Timestamp) -> bool {
    let execution = control.execution.as_ref();
    execution.is_some_and(|execution| execution.others_are_due(index, now))
}
