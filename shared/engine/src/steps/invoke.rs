//! `invoke`: a user's own function does the step, or says no.
//!
//! Nobody can read what a hook has done, so its state is what the execution's own record says:
//!
//! 1. Going forward it is *not done* until the answer that says so is recorded. The intent is durable before the first
//!    call; if the answer is lost, the function is asked again with the same idempotency key, by this executor or the next.
//! 2. Going back it is *done* if any call was begun, since that one may have been heard, until the answer that it is
//!    undone is recorded. Undo has a key of its own, the same for every repeat.
//! 3. "Not yet" is no error: it is asked again later, until the step's time is over. "No" fails the step; on the way
//!    back a person is called. A function that fails is asked again within the retry budget.
//!
//! Because each call may be a repeat, a hook must know a key again. It may compare `epoch`, which only grows, to turn
//! away an executor that has been overtaken.

use super::{Driver, Facts, Goal, Plane, Reading, StepPorts, foreign_state};
use crate::ports::{Account, CallError, CallErrorKind, HookAnswer, HookFunction, Hooks, Permission};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;
use understudy_core::event::excerpt_long;
use understudy_core::execution::{Direction, StepState};
use understudy_core::plan::Invoke;
use understudy_core::state::ResourceState;

pub(super) struct InvokeDriver {
    hooks: Arc<dyn Hooks>,
    plan: String,
    step: Invoke,
    goal: Goal,
    region: Option<String>,
}

impl InvokeDriver {
    pub(super) fn new(ports: &StepPorts, plan: &str, step: Invoke, goal: &Goal, region: Option<String>) -> Self {
        Self {
            hooks: ports.hooks.clone(),
            plan: plan.to_owned(),
            step,
            goal: goal.clone(),
            region,
        }
    }

    // What the function is sent.
    fn event(&self, direction: &str) -> Result<Value, CallError> {
        let name = &self.step.common.name;
        let doing = self.goal.doing.as_ref().ok_or_else(|| {
            let why = format!("step {name} was to be done outside of an execution; its function was not called");
            CallError::new(CallErrorKind::Refused, why)
        })?;
        Ok(json!({
            "plan": self.plan, "execution": doing.execution, "step": name, "epoch": doing.epoch,
            "direction": direction, "from": self.goal.from, "to": self.goal.to, "style": self.goal.style,
            "idempotency_key": format!("{}/{name}/{direction}", doing.execution),
            "payload": self.step.payload,
        }))
    }
}

#[async_trait]
impl Driver for InvokeDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Data,
            reads: &[],
            changes: &["lambda:InvokeFunction"],
        }
    }

    async fn read(&self, goal: &Goal) -> Result<Reading, CallError> {
        let done = goal.doing.as_ref().is_some_and(|doing| {
            let run = &doing.run;
            match doing.direction {
                Direction::Forward => matches!(run.state, StepState::Applied | StepState::Done),
                // A call clears the receipt of the one before: only an answered undo leaves one.
                Direction::Back if run.undo_attempts > 0 => run.receipt.is_none(),
                Direction::Back => run.attempts > 0,
            }
        });
        let current = ResourceState::Hook { done };
        let said = goal.doing.as_ref().and_then(|doing| doing.run.receipt.clone());
        let note = said.unwrap_or_else(|| current.sentence());
        Ok(Reading::of_change(current, ResourceState::Hook { done: true }).opened(true, note))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (ResourceState::Hook { .. }, Some(direction)) = (from, direction_to(into)) else {
            return Err(foreign_state("invoke"));
        };
        let event = self.event(direction)?;
        let function = HookFunction {
            name: self.step.function.clone(),
            qualifier: self.step.qualifier.clone(),
        };
        let said = |detail: Option<String>| detail.map(|detail| format!(": {}", excerpt_long(&detail)));
        let what = format!("function {}, asked to go {direction},", self.step.qualified());
        match self.hooks.ask(self.region.as_deref(), &function, &event).await? {
            HookAnswer::Done { detail } => Ok(Some(format!("done{}", said(detail).unwrap_or_default()))),
            HookAnswer::NotYet { detail } => {
                let why = format!("{what} is not done yet{}", said(detail).unwrap_or_default());
                Err(CallError::new(CallErrorKind::NotYet, why))
            }
            HookAnswer::Refused { reason } => {
                let why = format!("{what} says no: {}", excerpt_long(&reason));
                Err(CallError::new(CallErrorKind::Refused, why))
            }
        }
    }

    fn permissions(&self, _goal: &Goal, account: &Account) -> Vec<Permission> {
        let function = self.step.qualified();
        let arn = if function.starts_with("arn:") {
            function
        } else {
            account.arn("lambda", self.region.as_deref(), &format!("function:{function}"))
        };
        vec![Permission::new("lambda:InvokeFunction", arn)]
    }

    fn calls(&self, _from: &ResourceState, into: &ResourceState) -> Vec<String> {
        let direction = direction_to(into).unwrap_or("forward");
        let function = self.step.qualified();
        vec![format!("lambda:InvokeFunction {function}, to go {direction}")]
    }
}

fn direction_to(into: &ResourceState) -> Option<&'static str> {
    match into {
        ResourceState::Hook { done: true } => Some("forward"),
        ResourceState::Hook { done: false } => Some("back"),
        _ => None,
    }
}
