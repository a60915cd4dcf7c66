//! People's words that the executor heeds under its lease: the kill switch, a skipped step, an escalation.

use super::{Flow, Stop, Turn};
use jiff::{SignedDuration, Timestamp};
use understudy_core::control::{Control, Word, later};
use understudy_core::decide::escalation;
use understudy_core::execution::{Execution, Held, IllegalTransition, Status};
use understudy_core::guard::reasons;
use understudy_core::mutant::{Mutant, active};
use understudy_core::report::{Announcement, EventKind, about_plan};

/// How often an execution that the kill switch holds looks whether it is off. `start-all` wakes it at once.
const LOOK_EVERY: SignedDuration = SignedDuration::from_secs(15);

/// Whether an execution that the kill switch holds is to look again.
pub(super) fn looks_at_fleet(execution: &Execution, now: Timestamp) -> bool {
    let held = execution.held.as_ref().is_some_and(|held| held.by_fleet);
    held && execution.wake_at.is_none_or(|at| at <= now)
}

impl Turn<'_> {
    /// Reads the kill switch and does as it says: holds the execution, or lets it go on. Answers whether it is on.
    ///
    /// It is read when a turn begins and before each mutating call. A table that does not answer ends the turn.
    pub(super) async fn heed_fleet(&self, control: &mut Control) -> Result<bool, Stop> {
        let Some(execution) = &control.execution else {
            return Ok(false);
        };
        let stopped = self.executor.store.fleet_state().await?.stopped;
        let stopped = stopped.filter(|_| !active(Mutant::StopIgnored));
        let by_fleet = execution.held.as_ref().map(|held| held.by_fleet);
        match (stopped, by_fleet) {
            (None, Some(true)) => {
                *control = self.commit_execution(|execution, now| execution.release(now)).await?;
                Ok(false)
            }
            (None, _) => Ok(false),
            (Some(word), _) => {
                *control = self
                    .commit(|control, now| {
                        let plan = control.plan.clone();
                        if let Some(execution) = &mut control.execution
                            && let Some(told) = hold(execution, &word, &plan, now)?
                        {
                            control.announce(told);
                        }
                        Ok(())
                    })
                    .await?;
                Ok(true)
            }
        }
    }

    pub(super) async fn skip(&self, control: &mut Control, index: usize) -> Result<Flow, Stop> {
        *control = self
            .commit_execution(|execution, now| execution.skip(index, now))
            .await?;
        Ok(Flow::On)
    }

    /// The time is over after which a planned move goes on as an unplanned one. Consent is asked for again, by the lag
    /// of now; if it is not given, the move stays planned and a person is told, once.
    pub(super) async fn escalate(&self, control: &mut Control) -> Result<Flow, Stop> {
        let lags = match &control.execution {
            Some(execution) => self.executor.store.lags_from(&execution.plan, control).await?,
            None => return Ok(Flow::On),
        };
        *control = self
            .commit(|control, now| {
                let plan = control.plan.clone();
                if let Some(execution) = &mut control.execution {
                    let asked = escalation(now, execution, &lags, execution.accepted);
                    let mut why = vec!["it still waited when escalate_after_seconds were over".to_owned()];
                    let (word, headline) = if asked.refusal().is_some() {
                        why.extend(reasons(&asked.verdicts));
                        why.push(
                            "`escalate` with what the guards ask for makes it unplanned, `cancel` undoes it".to_owned(),
                        );
                        execution.stay_planned(asked);
                        ("not_escalated", "still waits, and stays planned: consent is missing")
                    } else {
                        execution.escalate_with(asked)?;
                        ("escalated", "goes on as an unplanned move")
                    };
                    let id = format!("{}:{word}", execution.id);
                    let headline = format!("{} {} {headline}", execution.kind, execution.id);
                    control.announce(about_plan(EventKind::Waiting, &plan, &id, &headline, &why, now));
                }
                Ok(())
            })
            .await?;
        Ok(Flow::On)
    }
}

// Holds it if it can be held, and sets when it looks again. Answers what is to be told.
fn hold(
    execution: &mut Execution,
    word: &Word,
    plan: &str,
    now: Timestamp,
) -> Result<Option<Announcement>, IllegalTransition> {
    if execution.status.is_final() || execution.status == Status::Stuck {
        return Ok(None);
    }
    execution.wake_at = Some(later(now, LOOK_EVERY));
    if execution.held.is_some() {
        return Ok(None);
    }
    // Its clocks stand still from now on, not from the moment at which the switch was thrown.
    let held = Held {
        word: Word {
            at: now,
            ..word.clone()
        },
        by_fleet: true,
    };
    execution.hold(held)?;
    let id = format!("{}:held:{now}", execution.id);
    let headline = format!("{} {} waits: all is stopped", execution.kind, execution.id);
    let details = [
        format!("stopped by {}: {}", word.operator, word.reason),
        "`start-all` lets it go on from where it stands".to_owned(),
    ];
    Ok(Some(about_plan(
        EventKind::Waiting,
        plan,
        &id,
        &headline,
        &details,
        now,
    )))
}
