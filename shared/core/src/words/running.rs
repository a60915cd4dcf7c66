//! An execution that goes on: hold it and let it go on, say yes to it, stop it.

use crate::command::Answer;
use crate::control::{Control, Word};
use crate::execution::{Direction, Execution, Held, Kind, Status};
use jiff::Timestamp;

impl Control {
    /// `pause` with `"execution": true`: it rests at the next step boundary.
    ///
    /// # Errors
    /// None goes on, or it has ended, is stuck, or is held already.
    pub fn hold_execution(&mut self, word: &Word) -> Result<String, String> {
        let execution = self.running("hold")?;
        let held = Held {
            word: word.clone(),
            by_fleet: false,
        };
        execution.hold(held).map_err(|error| error.to_string())?;
        execution.hear("pause", word);
        Ok(format!(
            "execution {} rests at the next step boundary, and its clocks stand still; `resume` with \"execution\": true \
             lets it go on, `cancel` undoes it",
            execution.id
        ))
    }

    /// `resume` with `"execution": true`.
    ///
    /// # Errors
    /// None goes on, nobody holds it, or the kill switch does.
    pub fn release_execution(&mut self, word: &Word) -> Result<String, String> {
        let execution = self.running("let go on")?;
        if execution.held.as_ref().is_some_and(|held| held.by_fleet) {
            return Err("the kill switch holds it; `start-all` lets everything go on".into());
        }
        execution.release(word.at).map_err(|error| error.to_string())?;
        execution.hear("resume", word);
        Ok(format!("execution {} goes on", execution.id))
    }

    /// `cancel`: it stops after the step it is at, and is undone.
    ///
    /// # Errors
    /// None goes on, or it is stuck, goes back already, or is a teardown.
    pub fn cancel_execution(&mut self, word: &Word) -> Result<String, String> {
        stop(self.running("cancel")?, word, word.at)
    }

    /// `approve` of an execution that stands at an `approval` step.
    ///
    /// # Errors
    /// None goes on, it waits for no answer, or what waits is not what is meant.
    pub fn approve_step(&mut self, answer: &Answer, word: &Word) -> Result<String, String> {
        let execution = self.running("approve")?;
        meant(execution, answer)?;
        let step = execution.approve(word.clone()).map_err(|error| error.to_string())?;
        Ok(format!("execution {} goes on: step {step} is approved", execution.id))
    }

    /// `reject`, of the proposal that waits or of an execution that stands at an `approval` step: that is cancelled.
    ///
    /// # Errors
    /// Nothing waits for an answer, or not what is meant.
    pub fn reject(&mut self, answer: &Answer, word: &Word) -> Result<String, String> {
        if !self.is_about_execution(answer) {
            return self.reject_proposal(answer, word);
        }
        let execution = self.running("reject")?;
        meant(execution, answer)?;
        stop(execution, word, word.at)
    }
}

// Refuses an answer to anything but what waits: one that comes late or twice must not open the next gate.
fn meant(execution: &Execution, answer: &Answer) -> Result<(), String> {
    let waiting = execution.awaits_approval().and_then(|index| execution.steps.get(index));
    let Some(run) = waiting else {
        return Err(format!(
            "execution {} is {} and waits for no answer",
            execution.id, execution.status
        ));
    };
    let other = |meant: &Option<String>, found: &str| meant.as_ref().is_some_and(|meant| meant != found);
    if other(&answer.execution, &execution.id) || other(&answer.step, &run.name) {
        return Err(format!(
            "what waits for an answer is step {} of execution {}; nothing else does",
            run.name, execution.id
        ));
    }
    Ok(())
}

fn stop(execution: &mut Execution, word: &Word, now: Timestamp) -> Result<String, String> {
    if execution.status == Status::Stuck {
        return Err(format!(
            "execution {} is stuck; say how it goes on with `resolve`",
            execution.id
        ));
    }
    if execution.kind == Kind::Teardown {
        return Err(format!(
            "execution {} takes back what setup made, and what it has taken back stays so; `pause` with \
             \"execution\": true lets it rest, `setup` makes it all again",
            execution.id
        ));
    }
    if execution.status.is_final() || execution.direction == Direction::Back {
        return Err(format!(
            "execution {} is {} and goes back already",
            execution.id, execution.status
        ));
    }
    if execution.held.as_ref().is_some_and(|held| !held.by_fleet) {
        execution.release(now).map_err(|error| error.to_string())?;
    }
    execution.cancel = Some(word.clone());
    execution.look_now();
    Ok(format!(
        "execution {} stops after the step it is at, and is undone",
        execution.id
    ))
}
