//! People's words about what may move by itself: pauses, windows, the kill switch, the latch, proposals.

use super::super::{DecisionMaker, answers};
use super::running::is_about_execution;
use crate::ports::CallError;
use serde_json::{Value, json};
use understudy_core::command::{ALL_PLANS, Answer, MaintenanceWindow, ModeOfAll, Pause, Word as Asked, WordOnPlan};
use understudy_core::control::Word;
use understudy_core::decide::Trigger;
use understudy_core::fleet::{FleetMode, FleetState, Maintenance};
use understudy_core::plan::Mode;
use understudy_core::report::clock;

impl DecisionMaker {
    pub(super) async fn pause(&self, asked: &Pause) -> Result<Value, CallError> {
        let word = asked.word();
        if asked.execution {
            return self.hold(&word).await;
        }
        let paused = |known: &Word| {
            format!(
                "it is paused already, by {} since {}: {}",
                known.operator,
                clock(known.at),
                known.reason
            )
        };
        if asked.plan == ALL_PLANS {
            let change = |state: &mut FleetState, word: &Word, _| match &state.paused {
                Some(known) => Err(paused(known)),
                None => {
                    state.paused = Some(word.clone());
                    Ok("no automatic move of any plan starts until `resume`; running executions go on, and people can \
                        move plans"
                        .into())
                }
            };
            return self.by_word_on_all(&word, "paused", change).await;
        }
        self.by_word(&word, "paused", |control, word, _| {
            if let Some(known) = &control.paused {
                return Err(paused(known));
            }
            control.paused = Some(word.clone());
            Ok(
                "no automatic move starts until `resume`; a running execution goes on, and people can move the plan"
                    .into(),
            )
        })
        .await
    }

    /// Ends a pause, and a maintenance window before its time.
    pub(super) async fn resume(&self, asked: &Pause) -> Result<Value, CallError> {
        let word = asked.word();
        if asked.execution {
            return self.release(&word).await;
        }
        let over = |paused: &mut Option<Word>, window: &mut Option<Maintenance>, now| {
            window.take_if(|window| window.until <= now);
            match (paused.take(), window.take()) {
                (None, None) => Err("not paused, and no maintenance window is open".to_owned()),
                (Some(_), Some(_)) => {
                    Ok("the pause and the maintenance window are over; automatic moves may start again".to_owned())
                }
                _ => Ok("automatic moves may start again".to_owned()),
            }
        };
        if asked.plan == ALL_PLANS {
            let change = |state: &mut FleetState, _: &Word, now| over(&mut state.paused, &mut state.maintenance, now);
            return self.by_word_on_all(&word, "resumed", change).await;
        }
        let answer = self
            .by_word(&word, "resumed", |control, _, now| {
                let said = over(&mut control.paused, &mut control.maintenance, now)?;
                control.look_by(now);
                Ok(said)
            })
            .await?;
        self.look_at_once(&word).await;
        Ok(answer)
    }

    pub(super) async fn maintenance(&self, asked: &MaintenanceWindow) -> Result<Value, CallError> {
        let word = asked.word();
        // A second window takes the place of the first: longer or shorter, the last word counts.
        let open = |window: &mut Option<Maintenance>, word: &Word, now| {
            let until = asked.ends_at(now)?;
            let word = word.clone();
            *window = Some(Maintenance { word, until });
            Ok(format!(
                "no automatic move starts until {until}, then they may again by themselves; `resume` ends it early"
            ))
        };
        if asked.plan == ALL_PLANS {
            let change = |state: &mut FleetState, word: &Word, now| open(&mut state.maintenance, word, now);
            return self.by_word_on_all(&word, "in maintenance", change).await;
        }
        self.by_word(&word, "in maintenance", |control, word, now| {
            open(&mut control.maintenance, word, now)
        })
        .await
    }

    /// A mode for all plans.
    pub(super) async fn mode(&self, asked: &ModeOfAll) -> Result<Value, CallError> {
        let wanted = asked.mode;
        let change = |state: &mut FleetState, word: &Word, _| match &state.mode {
            Some(known) if known.mode == wanted => Err(format!(
                "all plans are in mode {wanted} already, by {} since {}: {}",
                known.word.operator,
                clock(known.word.at),
                known.word.reason
            )),
            None if wanted == Mode::Automatic => {
                Err("no mode is set for all plans: each is in its own already, its `policy.mode`".to_owned())
            }
            _ if wanted == Mode::Automatic => {
                state.mode = None;
                Ok("each plan is in its own mode again, its `policy.mode`".to_owned())
            }
            _ => {
                let word = word.clone();
                state.mode = Some(FleetMode { mode: wanted, word });
                Ok(format!(
                    "no plan is bolder than mode {wanted}, and one whose own mode is more careful keeps it; running \
                     executions go on, and people can move plans; `mode` \"automatic\" gives each its own back"
                ))
            }
        };
        let headline = match wanted {
            Mode::Automatic => "given back their own modes".to_owned(),
            _ => format!("put in mode {wanted}"),
        };
        self.by_word_on_all(&asked.word(), &headline, change).await
    }

    /// The kill switch.
    pub(super) async fn stop_all(&self, asked: &Asked) -> Result<Value, CallError> {
        let change = |state: &mut FleetState, word: &Word, _| match &state.stopped {
            Some(known) => Err(format!(
                "all is stopped already, by {} since {}: {}",
                known.operator,
                clock(known.at),
                known.reason
            )),
            None => {
                state.stopped = Some(word.clone());
                Ok(
                    "nothing starts, by itself or by hand, and no executor makes a further changing call, until \
                    `start-all`; a call that is under way ends"
                        .into(),
                )
            }
        };
        self.by_word_on_all(&on_all(asked), "stopped", change).await
    }

    pub(super) async fn start_all(&self, asked: &Asked) -> Result<Value, CallError> {
        let change = |state: &mut FleetState, _: &Word, _| match state.stopped.take() {
            Some(_) => Ok("executions go on where they stood, and moves may start again".into()),
            None => Err("nothing is stopped".into()),
        };
        self.by_word_on_all(&on_all(asked), "started again", change).await
    }

    /// Yes: to a proposal, for which the guards are asked again, since evidence may have changed; or to the running
    /// execution that stands at an `approval` step.
    pub(super) async fn approve(&self, answer: Answer) -> Result<Value, CallError> {
        if self.asks_execution(&answer).await? {
            return self.approve_step(&answer).await;
        }
        let (plan, dry_run) = (answer.plan.clone(), answer.dry_run);
        let trigger = Trigger::Approval { answer };
        if dry_run {
            return self.dry_run(&plan, &trigger).await;
        }
        let Some(judged) = self.judge(&plan, &trigger).await? else {
            return Ok(answers::no_plan(&plan));
        };
        if judged.execution.is_some() {
            return Ok(judged.answer());
        }
        Ok(json!({
            "ok": false, "error": judged.decision.summary, "changed": "nothing",
            "plan": plan, "verdicts": judged.decision.verdicts, "sites": judged.sites,
        }))
    }

    pub(super) async fn reject(&self, answer: &Answer) -> Result<Value, CallError> {
        if self.asks_execution(answer).await? {
            return self.reject_step(answer).await;
        }
        let word = answer.word();
        self.by_word(&word, "rejected", |control, word, now| {
            let open = control.proposal.as_mut().filter(|known| known.is_open());
            let known = open.ok_or("no proposal waits for an answer")?;
            if answer.proposal.as_ref().is_some_and(|meant| *meant != known.id) {
                return Err(format!("the proposal that waits is {}: {}", known.id, known.sentence()));
            }
            known.reject(word);
            let said = format!(
                "{} is not made, and not proposed again until the site has been well in between or the cooldown is over",
                known.sentence()
            );
            // Decision sets the time at which it may propose again.
            control.look_by(now);
            Ok(said)
        })
        .await
    }

    // The word itself looks again at the control item that it changes.
    async fn asks_execution(&self, answer: &Answer) -> Result<bool, CallError> {
        let control = self.store.control(&answer.plan).await?;
        Ok(control.is_some_and(|control| is_about_execution(answer, &control)))
    }

    pub(super) async fn acknowledge(&self, asked: &WordOnPlan) -> Result<Value, CallError> {
        let answer = self
            .by_word(asked, "acknowledged", |control, _, now| {
                control.expire(now);
                let latch = control
                    .latch
                    .take()
                    .ok_or("it is not latched: there is nothing to acknowledge")?;
                control.automatic_failovers.clear();
                control.look_by(now);
                Ok(format!(
                    "the latch of execution {} is open; an automatic failover may start again",
                    latch.execution
                ))
            })
            .await?;
        self.look_at_once(asked).await;
        Ok(answer)
    }

    /// The promise of `rollback_plan` is off.
    pub(super) async fn keep(&self, asked: &WordOnPlan) -> Result<Value, CallError> {
        let answer = self
            .by_word(asked, "kept where it is", |control, word, now| {
                let said = control.keep(word)?;
                control.look_by(now);
                Ok(said)
            })
            .await?;
        self.look_at_once(asked).await;
        Ok(answer)
    }

    // What was held back by a pause or a latch is judged now, not at the next change. The word itself has said that somebody
    // has to look: if this invocation ends before, the probe sees to it.
    async fn look_at_once(&self, asked: &WordOnPlan) {
        if asked.dry_run {
            return;
        }
        if let Err(error) = self.judge(&asked.plan, &Trigger::Timer).await {
            tracing::warn!(
                plan = asked.plan,
                error = error.message,
                "the word is said, and what it lets go is judged within a minute"
            );
        }
    }
}

fn on_all(asked: &Asked) -> WordOnPlan {
    WordOnPlan {
        plan: ALL_PLANS.to_owned(),
        operator: asked.operator.clone(),
        reason: asked.reason.clone(),
        dry_run: asked.dry_run,
    }
}
