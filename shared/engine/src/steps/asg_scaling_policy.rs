//! `asg_scaling_policy`: an Auto Scaling group gets a step scaling policy.
//!
//! `PutScalingPolicy` replaces a policy of the same name, whole. So the pre-state is the whole policy, or none, and a
//! policy of a kind that is not carried (target tracking, predictive) is refused by its name: undo could not restore it.

use super::{Driver, Facts, Goal, Plane, Reading, StepPorts, foreign_state, group_permission};
use crate::ports::{Account, CallError, GroupSetup, Permission};
use async_trait::async_trait;
use std::sync::Arc;
use understudy_core::plan::AsgScalingPolicy;
use understudy_core::state::{ResourceState, ScalingPolicy, wanted_policy};

pub(super) struct AsgScalingPolicyDriver {
    setup: Arc<dyn GroupSetup>,
    step: AsgScalingPolicy,
    region: Option<String>,
}

impl AsgScalingPolicyDriver {
    pub(super) fn new(ports: &StepPorts, step: AsgScalingPolicy, region: Option<String>) -> Self {
        Self {
            setup: ports.group_setup.clone(),
            step,
            region,
        }
    }

    fn name(&self) -> String {
        format!("{} of {}", self.step.policy_name, self.step.auto_scaling_group_name)
    }
}

fn policies<'a>(
    from: &'a ResourceState,
    into: &'a ResourceState,
) -> Option<(Option<&'a ScalingPolicy>, Option<&'a ScalingPolicy>)> {
    match (from, into) {
        (ResourceState::AsgScalingPolicy { policy: from }, ResourceState::AsgScalingPolicy { policy: into }) => {
            Some((from.as_ref(), into.as_ref()))
        }
        _ => None,
    }
}

#[async_trait]
impl Driver for AsgScalingPolicyDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            // The group for its tags, in preflight.
            reads: &["autoscaling:DescribePolicies", "autoscaling:DescribeAutoScalingGroups"],
            changes: &["autoscaling:PutScalingPolicy", "autoscaling:DeletePolicy"],
        }
    }

    async fn read(&self, _goal: &Goal) -> Result<Reading, CallError> {
        let (group, name) = (&self.step.auto_scaling_group_name, &self.step.policy_name);
        let found = self.setup.policy(self.region.as_deref(), group, name).await?;
        let blocked = found.as_ref().and_then(|policy| policy.unsupported.as_ref()).map(|what| {
            format!(
                "scaling policy {} is a {what} policy, which could not be restored as it was: it was left alone. Give the \
                 step's policy another name",
                self.name()
            )
        });
        let current = ResourceState::AsgScalingPolicy { policy: found };
        let wanted = ResourceState::AsgScalingPolicy {
            policy: Some(wanted_policy(&self.step)),
        };
        Ok(Reading::of_change(current, wanted).blocked_by(blocked))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (group, name) = (&self.step.auto_scaling_group_name, &self.step.policy_name);
        let region = self.region.as_deref();
        match policies(from, into) {
            Some((from, Some(into))) => self.setup.put_policy(region, group, name, from, into).await?,
            Some((Some(from), None)) => self.setup.delete_policy(region, group, name, from).await?,
            Some((None, None)) => {}
            None => return Err(foreign_state("asg_scaling_policy")),
        }
        Ok(None)
    }

    fn permissions(&self, _goal: &Goal, account: &Account) -> Vec<Permission> {
        let (region, name) = (self.region.as_deref(), &self.step.auto_scaling_group_name);
        let changes = self.facts().changes.iter();
        changes
            .map(|action| group_permission(account, action, region, name))
            .collect()
    }

    fn calls(&self, from: &ResourceState, into: &ResourceState) -> Vec<String> {
        match policies(from, into) {
            Some((_, Some(into))) => {
                let what = into.parameters();
                vec![format!("autoscaling:PutScalingPolicy {}: {what}", self.name())]
            }
            _ => vec![format!("autoscaling:DeletePolicy {}", self.name())],
        }
    }
}
