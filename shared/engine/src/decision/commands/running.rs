//! People's words about an execution that goes on, or is stuck.

use super::super::DecisionMaker;
use super::Said;
use crate::ports::CallError;
use jiff::Timestamp;
use serde_json::Value;
use understudy_core::command::{Answer, Escalate, Resolution, Resolve, Skip, WordOnPlan};
use understudy_core::control::{Away, Control, Word};
use understudy_core::decide::{Accepted, Escalation, Lags, Proposal, escalation, without_fence};
use understudy_core::event::excerpt;
use understudy_core::execution::{Direction, Execution, Held, Kind, SkipWish, Status, StepRun};
use understudy_core::report::{EventKind, about_execution};

impl DecisionMaker {
    pub(super) async fn cancel(&self, asked: &WordOnPlan) -> Result<Value, CallError> {
        self.by_word(asked, "cancelled", |control, word, now| {
            stop(running(&mut control.execution, "cancel")?, word, now)
        })
        .await
    }

    /// `approve` of a running execution that stands at an `approval` step.
    pub(super) async fn approve_step(&self, answer: &Answer) -> Result<Value, CallError> {
        self.by_word(&answer.word(), "approved", |control, word, _| {
            let execution = running(&mut control.execution, "approve")?;
            meant(execution, answer)?;
            let step = execution.approve(word.clone()).map_err(|error| error.to_string())?;
            Ok(format!("execution {} goes on: step {step} is approved", execution.id))
        })
        .await
    }

    /// `reject` of the same: it is cancelled.
    pub(super) async fn reject_step(&self, answer: &Answer) -> Result<Value, CallError> {
        self.by_word(&answer.word(), "rejected", |control, word, now| {
            let execution = running(&mut control.execution, "reject")?;
            meant(execution, answer)?;
            stop(execution, word, now)
        })
        .await
    }

    /// `pause` with `"execution": true`.
    pub(super) async fn hold(&self, asked: &WordOnPlan) -> Result<Value, CallError> {
        self.by_word(asked, "held", |control, word, _| {
            let execution = running(&mut control.execution, "hold")?;
            let held = Held {
                word: word.clone(),
                by_fleet: false,
            };
            execution.hold(held).map_err(|error| error.to_string())?;
            execution.hear("pause", word);
            Ok(format!(
                "execution {} rests at the next step boundary, and its clocks stand still; `resume` with \"execution\": \
                 true lets it go on, `cancel` undoes it",
                execution.id
            ))
        })
        .await
    }

    /// `resume` with `"execution": true`.
    pub(super) async fn release(&self, asked: &WordOnPlan) -> Result<Value, CallError> {
        self.by_word(asked, "let go on", |control, word, now| {
            let execution = running(&mut control.execution, "let go on")?;
            if execution.held.as_ref().is_some_and(|held| held.by_fleet) {
                return Err("the kill switch holds it; `start-all` lets everything go on".into());
            }
            execution.release(now).map_err(|error| error.to_string())?;
            execution.hear("resume", word);
            Ok(format!("execution {} goes on", execution.id))
        })
        .await
    }

    /// A fence that made a planned move lossless is gone on without by the guards of consent.
    pub(super) async fn skip(&self, asked: &Skip) -> Result<Value, CallError> {
        let lags = self.lags_of_running(&asked.plan).await?;
        self.by_judged_word(&asked.word(), "skipped a step", |control, word, now| {
            let execution = running(&mut control.execution, "skip")?;
            if execution.direction == Direction::Back {
                return Err(Said::from(format!(
                    "execution {} goes back: an undo is not skipped; use `resolve` if it is stuck",
                    execution.id
                )));
            }
            let standing: Vec<(usize, &StepRun)> = execution.front().collect();
            let meant = standing.iter().find(|(_, run)| run.name == asked.step);
            let Some((index, run)) = meant.map(|(index, run)| (*index, *run)) else {
                let names: Vec<String> =
                    standing.iter().map(|(_, run)| format!("{} ({})", run.name, run.state)).collect();
                return Err(Said::from(match names.as_slice() {
                    [] => "every step is over: there is nothing to skip".to_owned(),
                    names => format!("it stands at step {}, not at {}", names.join(", "), excerpt(&asked.step)),
                }));
            };
            if !execution.may_skip(index) {
                return Err(Said::from(format!(
                    "a call of step {} may be in flight; wait until it is seen to have worked or failed",
                    run.name
                )));
            }
            // The move began without consent to a loss, because this fence stood before its promotion.
            let guards = without_fence(now, execution, index, &lags, asked.accept_data_loss);
            let verdicts = guards.as_ref().map(|guards| guards.verdicts.clone()).unwrap_or_default();
            if let Some(why) = guards.as_ref().and_then(Escalation::refusal) {
                let sentence = format!(
                    "step {} is a fence: without it the source takes writes that the promoted replica never gets. Mend what \
                     keeps it and `resolve` with retry; {why}",
                    run.name
                );
                return Err(Said { sentence, verdicts });
            }
            let mut word = word.clone();
            if asked.accept_data_loss {
                word.reason.push_str(" (accepting the loss of data)");
            }
            execution.skip = Some(SkipWish {
                step: asked.step.clone(),
                word,
            });
            // Nobody holds the lease of a stuck execution for long; else the executor heeds it at its next look.
            if execution.status == Status::Stuck {
                execution.skip(index, now).map_err(|error| error.to_string())?;
            }
            execution.look_now();
            let loss = match &guards {
                None => String::new(),
                Some(guards) => match guards.loss_estimate_seconds {
                    Some(seconds) => format!("; about {seconds} s of data may be lost"),
                    None => "; nobody knows how much data may be lost".to_owned(),
                },
            };
            if let Some(guards) = guards {
                execution.unfence_with(guards);
            }
            let sentence = format!("execution {} goes on without step {}{loss}", execution.id, asked.step);
            Ok(Said { sentence, verdicts })
        })
        .await
    }

    /// The guards of consent are asked as for an unplanned move that begins now: what a person has accepted when it
    /// began as a planned one was not this loss.
    pub(super) async fn escalate(&self, asked: &Escalate) -> Result<Value, CallError> {
        let lags = self.lags_of_running(&asked.plan).await?;
        self.by_judged_word(&asked.word(), "escalated", |control, word, now| {
            let execution = running(&mut control.execution, "escalate")?;
            let accepted = Accepted {
                data_loss: asked.accept_data_loss,
                irreversible: asked.accept_irreversible || execution.accepted.irreversible,
            };
            let guards = escalation(now, execution, &lags, accepted);
            let verdicts = guards.verdicts.clone();
            if let Some(why) = guards.refusal() {
                return Err(Said {
                    sentence: format!("execution {} stays planned: {why}", execution.id),
                    verdicts,
                });
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
        })
        .await
    }

    async fn lags_of_running(&self, plan: &str) -> Result<Lags, CallError> {
        let control = self.store.control(plan).await?;
        match control.as_ref().map(|control| (control, &control.execution)) {
            Some((control, Some(execution))) => self.store.lags_from(&execution.plan, control).await,
            _ => Ok(Lags::new()),
        }
    }

    pub(super) async fn resolve(&self, asked: &Resolve) -> Result<Value, CallError> {
        let abandons = asked.action == Resolution::Abandon;
        let newest = match self.store.control(&asked.plan).await?.filter(|_| abandons) {
            Some(control) => Some(self.store.plan_of(&control).await?),
            None => None,
        };
        self.by_word(&asked.word(), "resolved", |control, word, now| {
            let epoch = control.epoch;
            let plan = control.plan.clone();
            let execution = control.execution.as_mut().ok_or("no execution is in progress: there is nothing to resolve")?;
            if execution.status != Status::Stuck {
                return Err(format!("execution {} is {}, not stuck; use `cancel` to stop it", execution.id, execution.status));
            }
            execution.hear(&format!("resolve with {}", asked.action.as_str()), word);
            match asked.action {
                Resolution::Retry => {
                    let direction = execution.direction;
                    execution.unstick(now, direction).map_err(|error| error.to_string())?;
                    Ok(format!("execution {} is tried on from where it stands", execution.id))
                }
                Resolution::Rollback => {
                    execution.unstick(now, Direction::Back).map_err(|error| error.to_string())?;
                    Ok(format!("execution {} is undone", execution.id))
                }
                Resolution::Abandon => {
                    if !execution.kind.is_move() && asked.active_site.is_some() {
                        return Err(format!("a {} moves nothing: leave `active_site` out", execution.kind));
                    }
                    let active = asked.active_site.clone().unwrap_or_else(|| execution.from.clone());
                    // By the newest revision: nobody would look after a site that it does not have.
                    let known = newest.as_ref().unwrap_or(&execution.plan);
                    if known.site(&active).is_none() {
                        return Err(format!("`active_site` {} is not a site of the plan", excerpt(&active)));
                    }
                    let home = known.is_home(&active);
                    execution.failure = Some(format!(
                        "{}; abandoned by {}: {}",
                        execution.failure.clone().unwrap_or_default(),
                        word.operator,
                        word.reason
                    ));
                    execution.finish(now, Status::Failed).map_err(|error| error.to_string())?;
                    let told = about_execution(EventKind::Failed, &plan, epoch, execution, now);
                    let id = execution.id.clone();
                    let trigger = execution.trigger;
                    let before = control.away.as_ref().map(|away| away.raised.clone()).unwrap_or_default();
                    let raised = execution.raised(&before);
                    if home {
                        control.away = None;
                    } else if control.active_site != active {
                        control.away = Some(Away { since: now, trigger, execution: id.clone(), return_at: None, kept: None, raised });
                    } else if let Some(away) = &mut control.away {
                        away.raised = raised;
                    }
                    control.active_site = active.clone();
                    control.announce(told);
                    Ok(format!("execution {id} has ended as failed; its resources are left as they are; the active site is {active}"))
                }
            }
        })
        .await
    }
}

/// Whether an answer is about the running execution and not about a proposal: it says so, or only the execution waits.
pub(super) fn is_about_execution(answer: &Answer, control: &Control) -> bool {
    let named = answer.execution.is_some() || answer.step.is_some();
    let proposed = control.proposal.as_ref().is_some_and(Proposal::is_open);
    let waits = control
        .execution
        .as_ref()
        .is_some_and(|it| it.awaits_approval().is_some());
    answer.proposal.is_none() && (named || (waits && !proposed))
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

fn running<'a>(execution: &'a mut Option<Execution>, what: &str) -> Result<&'a mut Execution, String> {
    execution
        .as_mut()
        .ok_or_else(|| format!("no execution is in progress: there is nothing to {what}"))
}
