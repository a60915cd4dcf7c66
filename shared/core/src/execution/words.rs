//! What people's words do to an execution that goes on: hold it and let it go, skip a step, escalate.

use super::{Direction, Execution, Held, IllegalTransition, MAX_WORDS, Spoken, Status, StepRun, StepState, Style};
use crate::control::{Word, later};
use crate::decide::Escalation;
use crate::plan::{AwaitApproval, Step};
use jiff::{SignedDuration, Timestamp};

impl Execution {
    /// Keeps on record what a person has said of how it goes on.
    pub fn hear(&mut self, command: &str, word: &Word) {
        self.words.push(Spoken {
            command: command.to_owned(),
            word: word.clone(),
        });
        let beyond = self.words.len().saturating_sub(MAX_WORDS);
        self.words.drain(..beyond);
    }

    /// Holds it. Its clocks stand still until [`Execution::release`].
    ///
    /// # Errors
    /// It has ended, is stuck, or is held already.
    pub fn hold(&mut self, held: Held) -> Result<(), IllegalTransition> {
        let free = !self.status.is_final() && self.status != Status::Stuck && self.held.is_none();
        self.expect(free, "hold", || match &self.held {
            Some(known) => format!("it is held by {}: {}", known.word.operator, known.word.reason),
            None => format!("it is {}", self.status),
        })?;
        if self.status == Status::InProgress {
            self.status = Status::Waiting;
        }
        self.held = Some(held);
        Ok(())
    }

    /// Lets it go on. Every deadline moves by as long as it was held.
    ///
    /// # Errors
    /// It is not held.
    pub fn release(&mut self, now: Timestamp) -> Result<(), IllegalTransition> {
        let Some(held) = self.held.take() else {
            return Err(self.illegal("release", "it is not held".into()));
        };
        let rested = now.duration_since(held.word.at).max(SignedDuration::ZERO);
        self.deadline = later(self.deadline, rested);
        for run in &mut self.steps {
            run.deadline = run.deadline.map(|deadline| later(deadline, rested));
        }
        self.escalate_at = self.escalate_at.map(|at| later(at, rested));
        self.look_now();
        if self.status == Status::Waiting {
            self.status = Status::InProgress;
        }
        Ok(())
    }

    /// Whether the step may be skipped: it is not over, and no call of it may be in flight. A stuck execution has no
    /// call in flight: whoever called it stuck held the lease.
    pub fn may_skip(&self, index: usize) -> bool {
        let Some(run) = self.steps.get(index) else { return false };
        let open = matches!(
            run.state,
            StepState::Pending | StepState::Intended | StepState::Applied | StepState::Failed
        );
        let landed = self.status == Status::Stuck || !self.may_be_in_flight(run);
        self.direction == Direction::Forward && open && landed
    }

    /// Goes on without a step, by the word of the person who asked. What it may have changed before is undone with the
    /// rest, if the execution turns round.
    ///
    /// # Errors
    /// It is over, a call of it may be in flight, or nobody asked for it.
    pub fn skip(&mut self, index: usize, now: Timestamp) -> Result<(), IllegalTransition> {
        let may = self.may_skip(index);
        let word = match (self.skip.take(), self.steps.get_mut(index)) {
            (Some(wish), Some(run)) if may && wish.step == run.name => {
                run.state = StepState::Skipped;
                run.started_at.get_or_insert(now);
                run.ended_at = Some(now);
                run.detail = format!(
                    "skipped by {}: {}; before: {}",
                    wish.word.operator, wish.word.reason, run.detail
                );
                None
            }
            _ => Some(format!("step {index} can not be skipped")),
        };
        if let Some(found) = word {
            return Err(self.illegal("skip", found));
        }
        if self.status == Status::Stuck {
            self.failure = None;
            return self.unstick(now, Direction::Forward);
        }
        self.look_now();
        Ok(())
    }

    /// Goes on as an unplanned move: gates that only a planned one waits at open, and what only an unplanned one does
    /// is done.
    ///
    /// # Errors
    /// It is unplanned already, or has ended.
    pub fn escalate(&mut self) -> Result<(), IllegalTransition> {
        let planned = self.style == Style::Planned && !self.status.is_final() && self.kind.is_move();
        self.expect(planned, "escalate", || {
            format!("it is a {} {} and {}", self.style, self.kind, self.status)
        })?;
        self.style = Style::Unplanned;
        self.escalate_at = None;
        self.look_now();
        for index in 0..self.steps.len() {
            let kind = self
                .step(index)
                .map(|step| (step.common().when.includes(Style::Unplanned), step.is_gate()));
            let Some((run, (wanted, is_gate))) = self.steps.get_mut(index).zip(kind) else {
                continue;
            };
            let waits = matches!(run.state, StepState::Intended | StepState::Applied);
            if run.state == StepState::Omitted && wanted {
                // What only an unplanned move does comes now, and before anything that stands behind it.
                run.state = StepState::Pending;
                run.detail = String::new();
            } else if waits && is_gate && !wanted {
                run.state = StepState::Omitted;
                run.detail = format!(
                    "no longer waited for: the move is unplanned now; before: {}",
                    run.detail
                );
            }
        }
        Ok(())
    }

    /// The same by what the guards have said of it: it is on the record, and so is what may be lost now.
    ///
    /// # Errors
    /// A guard stops it, it is unplanned already, or it has ended.
    pub fn escalate_with(&mut self, asked: Escalation) -> Result<(), IllegalTransition> {
        let refusal = asked.refusal();
        self.expect(refusal.is_none(), "escalate", || refusal.clone().unwrap_or_default())?;
        self.escalate()?;
        self.verdicts.extend(asked.verdicts);
        self.loss_estimate_seconds = asked.loss_estimate_seconds;
        Ok(())
    }

    /// Goes on without a fence by what the guards have said of it: it is on the record, and so is what may be lost now.
    pub fn unfence_with(&mut self, asked: Escalation) {
        self.verdicts.extend(asked.verdicts);
        self.loss_estimate_seconds = asked.loss_estimate_seconds;
    }

    /// Its time to escalate has come, and guards stop it: it stays planned, until a person says otherwise.
    pub fn stay_planned(&mut self, asked: Escalation) {
        self.escalate_at = None;
        self.verdicts.extend(asked.verdicts);
    }

    /// The approval that a person is asked for: the index of a step at work, if one is an approval that nobody has said
    /// yes to.
    pub fn awaits_approval(&self) -> Option<usize> {
        let goes_on = self.direction == Direction::Forward && !self.status.is_final() && self.status != Status::Stuck;
        let asked = |(index, run): &(usize, &StepRun)| {
            matches!(run.state, StepState::Intended | StepState::Applied)
                && run.approved.is_none()
                && matches!(self.step(*index), Some(Step::AwaitApproval(_)))
        };
        let mut at_work = self.front().filter(|_| goes_on && self.cancel.is_none());
        at_work.find(asked).map(|(index, _)| index)
    }

    /// A person says yes to the approval that it waits for. The executor heeds it at its next look. Answers the step's name.
    ///
    /// # Errors
    /// It waits for none.
    pub fn approve(&mut self, word: Word) -> Result<String, IllegalTransition> {
        let Some(run) = self.awaits_approval().and_then(|index| self.steps.get_mut(index)) else {
            return Err(self.illegal("approve", "it does not wait for a yes".into()));
        };
        run.approved = Some(word);
        let name = run.name.clone();
        self.look_now();
        Ok(name)
    }

    /// Whether a person has said something about the step, or about all, that its next look heeds.
    pub fn has_word_on(&self, index: usize) -> bool {
        let of_step = self.steps.get(index).is_some_and(|run| {
            let unwanted = self.skip.as_ref().is_some_and(|wish| wish.step == run.name);
            run.approved.is_some() || (unwanted && self.may_skip(index))
        });
        self.direction == Direction::Forward && (of_step || self.cancel.is_some())
    }

    /// What the person is asked who is waited for: the question, until when, and what to send. Nothing where nobody is.
    pub fn asking(&self) -> Vec<String> {
        let Some(run) = self.awaits_approval().and_then(|index| self.steps.get(index)) else {
            return Vec::new();
        };
        let send = |word: &str| {
            format!(
                "{{\"command\": \"{word}\", \"plan\": \"{}\", \"execution\": \"{}\", \"step\": \"{}\", \"operator\": \"…\", \
                 \"reason\": \"…\"}}",
                self.plan.name, self.id, run.name
            )
        };
        let question = match self
            .steps
            .iter()
            .zip(&self.plan.steps)
            .find(|(known, _)| known.name == run.name)
        {
            Some((
                _,
                Step::AwaitApproval(AwaitApproval {
                    question: Some(question),
                    ..
                }),
            )) => format!(": {question}"),
            _ => String::new(),
        };
        let until = run.deadline.map(|at| format!("until {at}")).unwrap_or_default();
        vec![
            format!("A person's yes is needed at step {} {until}{question}", run.name),
            format!("yes: {}", send("approve")),
            format!("no: {}", send("reject")),
        ]
    }

    fn illegal(&self, transition: &'static str, found: String) -> IllegalTransition {
        IllegalTransition {
            execution: self.id.clone(),
            transition,
            found,
        }
    }
}
