//! The record of a person's word that no judgement was asked about: what came, who said it, and what came of it.
//!
//! It stands among the decision records of the plan, is told by `history` and pruned like them. What is judged
//! (`failover`, `failback`, `setup`, `teardown`, the answer to a proposal) has its record from the judgement; what only
//! reads, and a dry run, leave none.

use super::super::DecisionMaker;
use super::super::judge::{Came, DecisionRecord, decision_key};
use crate::ports::CallError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use understudy_core::command::{ALL_PLANS, Command};
use understudy_core::plan::parse_text;

/// A person's word, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaidCommand {
    /// The command's word.
    pub(in crate::decision) command: String,
    /// The plan, or all of them.
    pub(in crate::decision) plan: String,
    /// Who said it (asserted; CloudTrail proves).
    pub(in crate::decision) operator: String,
    /// Why.
    pub(in crate::decision) reason: String,
}

impl SaidCommand {
    /// What is to be recorded of a command; none if it leaves no record here.
    pub(super) fn of(command: &Command) -> Option<Self> {
        let by_judgement = matches!(
            command,
            Command::Failover(_) | Command::Failback(_) | Command::Setup(_) | Command::Teardown(_)
        );
        // A command that only reads is nobody's word.
        let fields = serde_json::to_value(command).ok().filter(|_| !by_judgement)?;
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        if fields.get("dry_run").and_then(Value::as_bool) != Some(false) {
            return None;
        }
        let plan = match command {
            Command::PutPlan(put) => name_of(&put.plan)?,
            Command::StopAll(_) | Command::StartAll(_) => ALL_PLANS.to_owned(),
            _ => text("plan")?,
        };
        Some(Self {
            command: command.word().to_owned(),
            plan,
            operator: text("operator")?,
            reason: text("reason")?,
        })
    }

    fn sentence(&self) -> String {
        format!("{} says {}: {}", self.operator, self.command, self.reason)
    }
}

// The name of a plan that may not be right.
fn name_of(plan: &Value) -> Option<String> {
    match plan {
        Value::String(text) => parse_text(text).ok().map(|plan| plan.name),
        plan => plan.get("name").and_then(Value::as_str).map(str::to_owned),
    }
}

impl DecisionMaker {
    /// Records a word and its answer with each plan that it is about. The word holds, whether this is written or not:
    /// it was announced by the write that made it hold.
    pub(super) async fn record_word(&self, said: &SaidCommand, answer: &Value) {
        if let Err(error) = self.try_record(said, answer).await {
            tracing::warn!(
                plan = said.plan,
                command = said.command,
                error = error.message,
                "the record of a person's word was not written"
            );
        }
    }

    async fn try_record(&self, said: &SaidCommand, answer: &Value) -> Result<(), CallError> {
        let done = answer.get("ok").and_then(Value::as_bool) == Some(true);
        // What was judged has its record; what could not be read or written is said again by the person.
        if answer.get("sites").is_some() || answer.get("retryable").is_some() {
            return Ok(());
        }
        let sentence = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
        let now = self.ports.clock.now();
        let record = DecisionRecord {
            trigger: Came::Said(said.clone()),
            trigger_text: said.sentence(),
            summary: if done {
                sentence("summary").to_owned()
            } else {
                format!("refused: {}", sentence("error"))
            },
            verdicts: answer
                .get("verdicts")
                .and_then(|verdicts| serde_json::from_value(verdicts.clone()).ok())
                .unwrap_or_default(),
            sites: BTreeMap::new(),
            execution: None,
            first_at: now,
            last_at: now,
            count: 1,
        };
        let plans = if said.plan == ALL_PLANS {
            let due = self.store.table().due(None).await?;
            due.into_iter().map(|due| due.plan).collect()
        } else if done || self.store.control(&said.plan).await?.is_some() {
            vec![said.plan.clone()]
        } else {
            // A plan that there is not has no history, and nobody who would prune it.
            Vec::new()
        };
        for plan in plans {
            let id = self.store.new_id(now);
            self.store.put_once(decision_key(&plan, &id), &record).await?;
        }
        Ok(())
    }
}
