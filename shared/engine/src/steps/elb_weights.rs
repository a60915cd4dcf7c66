//! `elb_weights`: the weights of the forward action of a listener or a rule.
//!
//! Both groups are attached beforehand, the standby at weight 0 (the targets of an unattached group are
//! `unused` and would take their time). `ModifyListener` and `ModifyRule` replace the whole list of
//! actions and have no version: the port reads the list, compares its weights with what is expected, and
//! writes it back with only the weights changed. Stickiness of groups is kept, and warned about in preflight: it holds
//! clients at the old group.
//!
//! A step is about one listener or rule, so that each is compared, undone and told of by itself. Several at once are several
//! steps of one `group`: each makes its call before any is waited for.

use super::{Driver, Facts, Finding, Goal, Plane, Reading, foreign_state};
use crate::ports::{Account, CallError, ForwardTarget, Permission, Traffic};
use async_trait::async_trait;
use std::sync::Arc;
use understudy_core::plan::ElbWeights;
use understudy_core::preflight::Weight;
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

    // Weights are about clients that come; whoever was sent to a group before goes on going there.
    async fn sticky(&self) -> Result<Vec<Finding>, CallError> {
        let seconds = self
            .traffic
            .group_stickiness(self.region.as_deref(), &self.target)
            .await?;
        let finding = seconds.map(|seconds| {
            let message = format!(
                "the forward action of {} is sticky: for {seconds} seconds a client goes on going to the group that it was sent \
                 to, and a move reaches it only then; turn off the stickiness of groups, or shorten it",
                self.api_call().1
            );
            Finding::new(Weight::Warns, message)
        });
        Ok(finding.into_iter().collect())
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
                "elasticloadbalancing:DescribeTargetHealth",
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

    // A group that no load balancer uses is not health-checked, and has nothing to say for itself when traffic comes.
    async fn rehearse(&self, goal: &Goal, _reading: &Reading) -> Result<Vec<Finding>, CallError> {
        let Some(group) = self.step.target_groups.get(&goal.to) else {
            return Ok(Vec::new());
        };
        let mut found = self.sticky().await?;
        let targets = self.traffic.targets(self.region.as_deref(), group).await?;
        let count = |state: &str| targets.iter().filter(|target| target.state == state).count();
        let finding = match (targets.len(), count("unused"), count("healthy")) {
            (0, _, _) => Finding::new(
                Weight::Blocks,
                format!("target group {group} has no targets; register the standby's"),
            ),
            (all, unused, _) if unused == all => Finding::new(
                Weight::Blocks,
                format!(
                    "target group {group} is not attached: all of its targets are unused; add it to the forward action at weight 0"
                ),
            ),
            (_, _, 0) => Finding::new(Weight::Warns, format!("target group {group} has no healthy target now")),
            _ => return Ok(found),
        };
        found.push(finding);
        Ok(found)
    }

    fn permissions(&self, _goal: &Goal, _account: &Account) -> Vec<Permission> {
        let (action, arn) = self.api_call();
        vec![Permission::new(action, arn)]
    }

    fn calls(&self, _from: &ResourceState, into: &ResourceState) -> Vec<String> {
        let (call, arn) = self.api_call();
        vec![format!("{call} {arn} with weights {}", into.sentence())]
    }
}
