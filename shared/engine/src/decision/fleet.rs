//! What holds for all plans together: may one more move by itself, and what people say to all of them.

use super::{DecisionMaker, answers};
use crate::ports::{CallError, Key};
use crate::store::{EXECUTION, FLEET_STATE, FLEET_VELOCITY, fleet_key};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use understudy_core::command::{ALL_PLANS, WordOnPlan};
use understudy_core::control::Word;
use understudy_core::decide::Decision;
use understudy_core::execution::{Execution, TriggerKind};
use understudy_core::fleet::{Fleet, FleetEntry, FleetState, Progress};
use understudy_core::guard::Guard;
use understudy_core::report::EventKind;

impl DecisionMaker {
    /// Asks whether one more automatic execution fits: the entry comes first, the execution after it. A dry run makes
    /// no entry. What nobody starts by itself is not asked for.
    pub(super) async fn ask_fleet(
        &self,
        plan: &str,
        execution: &str,
        now: Timestamp,
        decision: &mut Decision,
        dry_run: bool,
    ) -> Result<(), CallError> {
        let automatic = decision
            .start
            .as_ref()
            .filter(|chosen| chosen.trigger == TriggerKind::Automatic);
        let Some(kind) = automatic.map(|chosen| chosen.kind) else {
            return Ok(());
        };
        let key = fleet_key(FLEET_VELOCITY);
        let mut progress = BTreeMap::new();
        if let Some(fleet) = self.store.read::<Fleet>(&key).await? {
            for entry in fleet.entries {
                progress.insert(entry.execution.clone(), self.progress(&entry).await?);
            }
        }
        let asked = FleetEntry {
            plan: plan.to_owned(),
            execution: execution.to_owned(),
            at: now,
            kind,
        };
        let verdicts = self
            .store
            .upsert(&key, |fleet: Option<Fleet>| {
                let mut fleet = fleet.unwrap_or_default();
                let verdicts = fleet.admit(now, asked.clone(), &progress, self.fleet);
                (Some(fleet).filter(|_| !dry_run), verdicts)
            })
            .await?;
        decision.heed_fleet(now, verdicts);
        Ok(())
    }

    async fn progress(&self, entry: &FleetEntry) -> Result<Progress, CallError> {
        let control = self.store.control(&entry.plan).await?;
        let running = control.as_ref().and_then(|control| control.execution.as_ref());
        if running.is_some_and(|running| running.id == entry.execution) {
            return Ok(Progress::Running);
        }
        let key = Key {
            plan: entry.plan.clone(),
            item: format!("{EXECUTION}{}", entry.execution),
        };
        Ok(match self.store.read::<Execution>(&key).await? {
            Some(_) => Progress::Ended,
            None => Progress::Unseen,
        })
    }

    /// One change of people's word about all plans, told on each of them: it is their protection that changes.
    pub(super) async fn by_word_on_all(
        &self,
        asked: &WordOnPlan,
        headline: &str,
        change: impl Fn(&mut FleetState, &Word) -> Result<String, String>,
    ) -> Result<Value, CallError> {
        let now = self.ports.clock.now();
        let word = Word {
            operator: asked.operator.clone(),
            reason: asked.reason.clone(),
            at: now,
        };
        let key = fleet_key(FLEET_STATE);
        let said = if asked.dry_run {
            change(&mut self.store.fleet_state().await?, &word)
        } else {
            self.store
                .upsert(&key, |state: Option<FleetState>| {
                    let before = state.clone().unwrap_or_default();
                    let mut state = before.clone();
                    let said = change(&mut state, &word);
                    (Some(state).filter(|state| *state != before && said.is_ok()), said)
                })
                .await?
        };
        let said = match said {
            Ok(said) => said,
            Err(why) => return Ok(answers::refused(&why)),
        };
        if asked.dry_run {
            return Ok(json!({"ok": true, "dry_run": true, "changed": "nothing", "plan": ALL_PLANS, "would": said}));
        }
        let id = self.store.new_id(now);
        let untold = self
            .tell_all(
                &id,
                &format!("all plans {headline} by {}", word.operator),
                &[word.reason, said.clone()],
            )
            .await?;
        Ok(json!({"ok": true, "plan": ALL_PLANS, "summary": said, "not_told": untold}))
    }

    // The word holds already; a plan that can not be told is named in the answer.
    async fn tell_all(&self, id: &str, headline: &str, details: &[String]) -> Result<Vec<String>, CallError> {
        let mut untold = Vec::new();
        for due in self.store.table().due(None).await? {
            let told = self
                .store
                .change(&due.plan, |control| {
                    let now = self.ports.clock.now();
                    control.tell(now, EventKind::Operator, &format!("fleet:{id}"), headline, details);
                    // What the kill switch holds is looked at now, not at its next turn.
                    if let Some(running) = &mut control.execution
                        && running.held.as_ref().is_some_and(|held| held.by_fleet)
                    {
                        running.look_now();
                    }
                    // What a pause of all plans held back is judged now.
                    control.look_by(now);
                    Ok::<(), std::convert::Infallible>(())
                })
                .await;
            if let Err(error) = told {
                tracing::warn!(plan = due.plan, error = %error, "not told of a word on all plans");
                untold.push(due.plan);
            }
        }
        Ok(untold)
    }
}

/// The guards that a person's word on all plans closes, for the answer of `list`.
pub(super) fn fleet_words(state: &FleetState, now: Timestamp) -> Value {
    json!({
        Guard::FleetIsAutomatic.as_str(): state.mode,
        Guard::FleetNotPaused.as_str(): state.paused,
        Guard::FleetNotStopped.as_str(): state.stopped,
        Guard::NoMaintenance.as_str(): state.maintenance.as_ref().filter(|window| window.until > now),
    })
}
