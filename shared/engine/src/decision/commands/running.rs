//! People's words about an execution that goes on, or is stuck.
//!
//! What each changes stands in [`understudy_core::words`].

use super::super::DecisionMaker;
use crate::ports::CallError;
use serde_json::Value;
use understudy_core::command::{Escalate, Resolution, Resolve, Skip, WordOnPlan};
use understudy_core::control::Control;
use understudy_core::decide::Lags;

impl DecisionMaker {
    pub(super) async fn cancel(&self, asked: &WordOnPlan) -> Result<Value, CallError> {
        self.by_word(asked, "cancelled", Control::cancel_execution).await
    }

    pub(super) async fn skip(&self, asked: &Skip) -> Result<Value, CallError> {
        let lags = self.lags_of_running(&asked.plan).await?;
        let skip = |control: &mut Control, word: &_| control.skip_step(asked, &lags, word);
        self.by_judged_word(&asked.word(), "skipped a step", skip).await
    }

    pub(super) async fn escalate(&self, asked: &Escalate) -> Result<Value, CallError> {
        let lags = self.lags_of_running(&asked.plan).await?;
        let escalate = |control: &mut Control, word: &_| control.escalate_execution(asked, &lags, word);
        self.by_judged_word(&asked.word(), "escalated", escalate).await
    }

    pub(super) async fn resolve(&self, asked: &Resolve) -> Result<Value, CallError> {
        let abandons = asked.action == Resolution::Abandon;
        let newest = match self.store.control(&asked.plan).await?.filter(|_| abandons) {
            Some(control) => Some(self.store.plan_of(&control).await?),
            None => None,
        };
        let resolve = |control: &mut Control, word: &_| control.resolve(asked, newest.as_ref(), word);
        self.by_word(&asked.word(), "resolved", resolve).await
    }

    async fn lags_of_running(&self, plan: &str) -> Result<Lags, CallError> {
        let control = self.store.control(plan).await?;
        match control.as_ref().map(|control| (control, &control.execution)) {
            Some((control, Some(execution))) => self.store.lags_from(&execution.plan, control).await,
            _ => Ok(Lags::new()),
        }
    }
}
