//! `elb_weights`: the weights of the forward action of a listener or a rule.
//!
//! Both groups are attached beforehand, the standby at weight 0 (the targets of an unattached group are
//! `unused` and would take their time). `ModifyListener` and `ModifyRule` replace the whole list of
//! actions and have no version: the port reads the list, compares its weights with what is expected, and
//! writes it back with only the weights changed.

use super::{Driver, Facts, Goal, Plane, Reading, foreign_state};
use crate::ports::{CallError, ForwardTarget, Traffic};
use async_trait::async_trait;
use std::sync::Arc;
use understudy_core::plan::ElbWeights;
use understudy_core::state::{ResourceState, wanted_weights};

pub(super) struct ElbWeightsDriver {
    traffic: Arc<dyn Traffic>,
    step: ElbWeights,
    region: Option<String>,
    target: ForwardTarget,
}

impl ElbWeightsDriver {
    pub(super) fn new(traffic: Arc<dyn Traffic>, step: ElbWeights, region: Option<String>) -> Self {
        let target = match (&step.rule_arn, &step.listener_arn) {
            (Some(rule), _) => ForwardTarget::Rule(rule.clone()),
            (None, listener) => ForwardTarget::Listener(listener.clone().unwrap_or_default()),
        };
        Self {
            traffic,
            step,
            region,
            target,
        }
    }

    fn api_call(&self) -> (&'static str, &str) {
        match &self.target {
            ForwardTarget::Listener(arn) => ("elasticloadbalancing:ModifyListener", arn),
            ForwardTarget::Rule(arn) => ("elasticloadbalancing:ModifyRule", arn),
        }
    }
}

#[async_trait]
impl Driver for ElbWeightsDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            reads: &[
                "elasticloadbalancing:DescribeListeners",
                "elasticloadbalancing:DescribeRules",
            ],
            changes: &["elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyRule"],
        }
    }

    async fn read(&self, goal: &Goal) -> Result<Reading, CallError> {
        let current = self.traffic.weights(self.region.as_deref(), &self.target).await?;
        let wanted = wanted_weights(&self.step, &goal.to, &current);
        let current = ResourceState::ElbWeights { weights: current };
        let wanted = ResourceState::ElbWeights { weights: wanted };
        Ok(Reading::of_change(current, wanted))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (ResourceState::ElbWeights { weights: from }, ResourceState::ElbWeights { weights: into }) = (from, into)
        else {
            return Err(foreign_state("elb_weights"));
        };
        self.traffic
            .set_weights(self.region.as_deref(), &self.target, from, into)
            .await?;
        Ok(None)
    }

    fn calls(&self, _from: &ResourceState, into: &ResourceState) -> Vec<String> {
        let (call, arn) = self.api_call();
        vec![format!("{call} {arn} with weights {}", into.sentence())]
    }
}
