//! People's words about what may move by itself: pauses, windows, the kill switch, the latch, proposals.
//!
//! What each changes stands in [`understudy_core::words`].

use super::super::{DecisionMaker, answers};
use crate::ports::CallError;
use serde_json::{Value, json};
use understudy_core::command::{ALL_PLANS, Answer, MaintenanceWindow, ModeOfAll, Pause, Word as Asked, WordOnPlan};
use understudy_core::control::Control;
use understudy_core::decide::Trigger;
use understudy_core::fleet::FleetState;
use understudy_core::plan::Mode;

impl DecisionMaker {
    pub(super) async fn pause(&self, asked: &Pause) -> Result<Value, CallError> {
        let word = asked.word();
        if asked.execution {
            return self.by_word(&word, "held", Control::hold_execution).await;
        }
        if asked.plan == ALL_PLANS {
            return self.by_word_on_all(&word, "paused", FleetState::pause).await;
        }
        self.by_word(&word, "paused", Control::pause).await
    }

    pub(super) async fn resume(&self, asked: &Pause) -> Result<Value, CallError> {
        let word = asked.word();
        if asked.execution {
            return self.by_word(&word, "let go on", Control::release_execution).await;
        }
        if asked.plan == ALL_PLANS {
            return self.by_word_on_all(&word, "resumed", FleetState::resume).await;
        }
        let answer = self.by_word(&word, "resumed", Control::resume).await?;
        self.look_at_once(&word).await;
        Ok(answer)
    }

    pub(super) async fn maintenance(&self, asked: &MaintenanceWindow) -> Result<Value, CallError> {
        let (word, headline) = (asked.word(), "in maintenance");
        if asked.plan == ALL_PLANS {
            let open = |state: &mut FleetState, word: &_| state.maintain(asked, word);
            return self.by_word_on_all(&word, headline, open).await;
        }
        self.by_word(&word, headline, |control, word| control.maintain(asked, word))
            .await
    }

    pub(super) async fn mode(&self, asked: &ModeOfAll) -> Result<Value, CallError> {
        let headline = match asked.mode {
            Mode::Automatic => "given back their own modes".to_owned(),
            wanted => format!("put in mode {wanted}"),
        };
        let set = |state: &mut FleetState, word: &_| state.set_mode(asked.mode, word);
        self.by_word_on_all(&asked.word(), &headline, set).await
    }

    pub(super) async fn stop_all(&self, asked: &Asked) -> Result<Value, CallError> {
        self.by_word_on_all(&on_all(asked), "stopped", FleetState::stop).await
    }

    pub(super) async fn start_all(&self, asked: &Asked) -> Result<Value, CallError> {
        let start = |state: &mut FleetState, _: &_| state.start();
        self.by_word_on_all(&on_all(asked), "started again", start).await
    }

    /// Yes: to a proposal, for which the guards are asked again, since evidence may have changed; or to the running
    /// execution that stands at an `approval` step.
    pub(super) async fn approve(&self, answer: Answer) -> Result<Value, CallError> {
        let control = self.store.control(&answer.plan).await?;
        // The word itself looks again at the control item that it changes.
        if control.is_some_and(|control| control.is_about_execution(&answer)) {
            let approve = |control: &mut Control, word: &_| control.approve_step(&answer, word);
            return self.by_word(&answer.word(), "approved", approve).await;
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
        self.by_word(&answer.word(), "rejected", |control, word| control.reject(answer, word))
            .await
    }

    pub(super) async fn acknowledge(&self, asked: &WordOnPlan) -> Result<Value, CallError> {
        let answer = self.by_word(asked, "acknowledged", Control::acknowledge).await?;
        self.look_at_once(asked).await;
        Ok(answer)
    }

    pub(super) async fn keep(&self, asked: &WordOnPlan) -> Result<Value, CallError> {
        let answer = self.by_word(asked, "kept where it is", Control::keep).await?;
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
