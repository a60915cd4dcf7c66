//! `wait` and `approval`: gates that open at a time, or at a person's word.
//!
//! Neither looks at anything outside: the one reads the clock, the other the execution's own record, into which decision
//! has written the word. So both say until when nobody needs to look, and a turn is spent on them only now and then.

use super::{Driver, Facts, Goal, Plane, Reading, StepPorts};
use crate::ports::{CallError, Clock};
use async_trait::async_trait;
use jiff::SignedDuration;
use std::sync::Arc;
use understudy_core::control::later;
use understudy_core::plan::{AwaitApproval, Wait};
use understudy_core::state::ResourceState;

const FACTS: Facts = Facts {
    plane: Plane::None,
    reads: &[],
    changes: &[],
};

pub(super) struct WaitDriver {
    clock: Arc<dyn Clock>,
    step: Wait,
}

impl WaitDriver {
    pub(super) fn new(ports: &StepPorts, step: Wait) -> Self {
        let clock = ports.clock.clone();
        Self { clock, step }
    }
}

#[async_trait]
impl Driver for WaitDriver {
    fn facts(&self) -> Facts {
        FACTS
    }

    async fn read(&self, goal: &Goal) -> Result<Reading, CallError> {
        let seconds = self.step.seconds;
        let Some(started_at) = goal.started_at else {
            return Ok(Reading::of_gate(false, format!("it waits {seconds} s")));
        };
        let until = later(started_at, SignedDuration::from_secs(i64::from(seconds)));
        if until <= self.clock.now() {
            return Ok(Reading::of_gate(true, format!("waited {seconds} s")));
        }
        let note = format!("waits {seconds} s, until {until}");
        Ok(Reading::of_gate(false, note).quiet_until(Some(until)))
    }

    async fn change(&self, _: &ResourceState, _: &ResourceState, _: &str) -> Result<Option<String>, CallError> {
        Ok(None)
    }

    fn calls(&self, _: &ResourceState, _: &ResourceState) -> Vec<String> {
        Vec::new()
    }
}

pub(super) struct ApprovalDriver {
    step: AwaitApproval,
}

impl ApprovalDriver {
    pub(super) fn new(step: AwaitApproval) -> Self {
        Self { step }
    }
}

#[async_trait]
impl Driver for ApprovalDriver {
    fn facts(&self) -> Facts {
        FACTS
    }

    async fn read(&self, goal: &Goal) -> Result<Reading, CallError> {
        let run = goal.doing.as_ref().map(|doing| &doing.run);
        if let Some(word) = run.and_then(|run| run.approved.as_ref()) {
            let note = format!("approved by {}: {}", word.operator, word.reason);
            return Ok(Reading::of_gate(true, note));
        }
        let question = self.step.question.as_ref();
        let question = question.map(|question| format!(" ({question})")).unwrap_or_default();
        let note = format!("waits for a person's `approve` or `reject`{question}");
        Ok(Reading::of_gate(false, note).quiet_until(run.and_then(|run| run.deadline)))
    }

    async fn change(&self, _: &ResourceState, _: &ResourceState, _: &str) -> Result<Option<String>, CallError> {
        Ok(None)
    }

    fn calls(&self, _: &ResourceState, _: &ResourceState) -> Vec<String> {
        Vec::new()
    }
}
