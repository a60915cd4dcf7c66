//! Words about an execution by which it may lose what it could not lose before: the guards of consent are asked first.

use super::Said;
use crate::command::{Escalate, Skip};
use crate::control::{Control, Word};
use crate::decide::{Accepted, Escalation, Lags, escalation, without_fence};
use crate::event::excerpt;
use crate::execution::{Direction, SkipWish, Status, StepRun};

impl Control {
    /// `skip`: it goes on without a step at which it stands. A fence that made a planned move lossless is gone on without
    /// by the guards of consent.
    ///
    /// # Errors
    /// None goes on, it goes back, it does not stand at the step, a call of it may be in flight, or a guard stops it.
    pub fn skip_step(&mut self, asked: &Skip, lags: &Lags, word: &Word) -> Result<Said, Said> {
        let execution = self.running("skip")?;
        if execution.direction == Direction::Back {
            return Err(Said::from(format!(
                "execution {} goes back: an undo is not skipped; use `resolve` if it is stuck",
                execution.id
            )));
        }
        let standing: Vec<(usize, &StepRun)> = execution.front().collect();
        let Some((index, run)) = standing.iter().find(|(_, run)| run.name == asked.step).copied() else {
            let names: Vec<String> = standing
                .iter()
                .map(|(_, run)| format!("{} ({})", run.name, run.state))
                .collect();
            return Err(Said::from(match names.as_slice() {
                [] => "every step is over: there is nothing to skip".to_owned(),
                names => format!(
                    "it stands at step {}, not at {}",
                    names.join(", "),
                    excerpt(&asked.step)
                ),
            }));
        };
        if !execution.may_skip(index) {
            return Err(Said::from(format!(
                "a call of step {} may be in flight; wait until it is seen to have worked or failed",
                run.name
            )));
        }
        // The move began without consent to a loss, because this fence stood before its promotion.
        let guards = without_fence(word.at, execution, index, lags, asked.accept_data_loss);
        let verdicts = guards
            .as_ref()
            .map(|guards| guards.verdicts.clone())
            .unwrap_or_default();
        if let Some(why) = guards.as_ref().and_then(Escalation::refusal) {
            let sentence = format!(
                "step {} is a fence: without it the source takes writes that the promoted replica never gets. Mend what \
                 keeps it and `resolve` with retry; {why}",
                run.name
            );
            return Err(Said { sentence, verdicts });
        }
        let mut word = word.clone();
        let now = word.at;
        if asked.accept_data_loss {
            word.reason.push_str(" (accepting the loss of data)");
        }
        let step = asked.step.clone();
        execution.skip = Some(SkipWish { step, word });
        // Nobody holds the lease of a stuck execution for long; else the executor heeds it at its next look.
        if execution.status == Status::Stuck {
            execution.skip(index, now).map_err(|error| error.to_string())?;
        }
        execution.look_now();
        let loss = guards.as_ref().map(told_loss).unwrap_or_default();
        if let Some(guards) = guards {
            execution.unfence_with(guards);
        }
        let sentence = format!("execution {} goes on without step {}{loss}", execution.id, asked.step);
        Ok(Said { sentence, verdicts })
    }

    /// `escalate`: a planned move goes on as an unplanned one. The guards of consent are asked as for one that begins
    /// now: what a person has accepted when it began as a planned one was not this loss.
    ///
    /// # Errors
    /// None goes on, it is not a planned move, it has ended, or a guard stops it.
    pub fn escalate_execution(&mut self, asked: &Escalate, lags: &Lags, word: &Word) -> Result<Said, Said> {
        let execution = self.running("escalate")?;
        let accepted = Accepted {
            data_loss: asked.accept_data_loss,
            irreversible: asked.accept_irreversible || execution.accepted.irreversible,
        };
        let guards = escalation(word.at, execution, lags, accepted);
        let verdicts = guards.verdicts.clone();
        if let Some(why) = guards.refusal() {
            let sentence = format!("execution {} stays planned: {why}", execution.id);
            return Err(Said { sentence, verdicts });
        }
        execution.escalate_with(guards).map_err(|error| error.to_string())?;
        execution.look_now();
        execution.hear("escalate", word);
        let loss = match execution.loss_estimate_seconds {
            Some(seconds) => format!("; about {seconds} s of data may be lost"),
            None => String::new(),
        };
        let sentence = format!("execution {} goes on as an unplanned move{loss}", execution.id);
        Ok(Said { sentence, verdicts })
    }
}

fn told_loss(guards: &Escalation) -> String {
    match guards.loss_estimate_seconds {
        Some(seconds) => format!("; about {seconds} s of data may be lost"),
        None => "; nobody knows how much data may be lost".to_owned(),
    }
}
