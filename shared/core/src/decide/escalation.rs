//! Escalation: a planned move that goes on as an unplanned one can lose what it could not lose before, so consent is
//! asked for once more, by what is known now and not by what was known when it began.
//!
//! Only steps that are still ahead count: a switchover that is done loses nothing any more.
//!
//! So is it for a planned move that is to promote a replica without the fence that it was to wait for ([`without_fence`]).

use super::{Accepted, Lags, consent, consequences, loss_estimate, operator::homeward};
use crate::execution::{Execution, Kind, StepState, Style};
use crate::guard::{Guard, Verdict, refusals};
use crate::plan::Plan;
use jiff::Timestamp;

/// What the guards say of a running planned move that is to do what it could not lose data by before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Escalation {
    /// What each guard said: none where it can lose nothing, and all can be taken back.
    pub verdicts: Vec<Verdict>,
    /// Seconds of data that it may lose then, where it can lose any and the lag is known.
    pub loss_estimate_seconds: Option<u32>,
}

impl Escalation {
    /// Why it must not; none if it may.
    pub fn refusal(&self) -> Option<String> {
        let stopped = self.verdicts.iter().any(|verdict| !verdict.allows);
        stopped.then(|| refusals(&self.verdicts))
    }
}

/// Asks for consent to the escalation of this execution. `accepted`: what a person has said about its consequences.
pub fn escalation(now: Timestamp, execution: &Execution, lags: &Lags, accepted: Accepted) -> Escalation {
    let (style, to) = (Style::Unplanned, execution.to.as_str());
    let ahead = ahead(execution);
    let mut verdicts: Vec<Verdict> = Vec::new();
    if execution.kind == Kind::Failback {
        verdicts.extend(homeward(&ahead, &[style], &execution.from, to));
    }
    verdicts.extend(consequences(now, &ahead, (&[style], to), lags, accepted));
    let loss_estimate_seconds = if ahead.is_lossy(style) {
        loss_estimate(now, &ahead, style, to, lags)
    } else {
        // What could lose data is behind it, and was done as a planned move does it.
        execution.plan.is_lossy(style).then_some(0)
    };
    Escalation {
        verdicts,
        loss_estimate_seconds,
    }
}

/// Asks for consent to going on without the step of this index. Nothing is asked where nothing is lost by it: only a fence
/// can be what a promotion rests on. `accepts_loss`: a person has said `accept_data_loss`.
pub fn without_fence(
    now: Timestamp,
    execution: &Execution,
    index: usize,
    lags: &Lags,
    accepts_loss: bool,
) -> Option<Escalation> {
    let promotion = execution.unfenced_by_skipping(index)?;
    let from = &execution.from;
    let lag = lags.get(&execution.to);
    let mut verdicts: Vec<Verdict> = Vec::new();
    if execution.kind == Kind::Failback {
        verdicts.push(Verdict::when(
            Guard::FailbackBySwitchover,
            false,
            format!("without the fence, {promotion} would lose what is written at {from} meanwhile"),
            "mend what keeps the fence and `resolve` with retry, or `cancel`",
        ));
    }
    verdicts.extend(consent(now, &execution.plan.policy.consent, lag, accepts_loss));
    Some(Escalation {
        verdicts,
        loss_estimate_seconds: lag.and_then(|lag| lag.loss_seconds(now)),
    })
}

// The plan without the steps that are over. A fence may be among them: an unplanned promotion does not wait for the
// replica to catch up, and is lossy with a fence too.
fn ahead(execution: &Execution) -> Plan {
    let steps = execution.plan.steps.iter().zip(&execution.steps);
    Plan {
        steps: steps
            // What a planned move left out may be wanted now.
            .filter(|(_, run)| !run.has_ended() || run.state == StepState::Omitted)
            .map(|(step, _)| step.clone())
            .collect(),
        ..execution.plan.clone()
    }
}
