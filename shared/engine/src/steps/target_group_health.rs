//! `target_group_health`: the health check of a target group, adjusted by setup.
//!
//! `ModifyTargetGroup` changes what it is given and leaves the rest, and has no version: the port reads the health check,
//! compares it with what is expected, and sends only what differs. Undo is the same with the old values.

use super::{Driver, Facts, Goal, Plane, Reading, StepPorts, balancing_permission, foreign_state};
use crate::ports::{Account, CallError, Permission, Traffic};
use async_trait::async_trait;
use std::sync::Arc;
use understudy_core::plan::TargetGroupHealth;
use understudy_core::state::{ResourceState, wanted_target_health};

pub(super) struct TargetGroupHealthDriver {
    traffic: Arc<dyn Traffic>,
    step: TargetGroupHealth,
    region: Option<String>,
}

impl TargetGroupHealthDriver {
    pub(super) fn new(ports: &StepPorts, step: TargetGroupHealth, region: Option<String>) -> Self {
        Self {
            traffic: ports.traffic.clone(),
            step,
            region,
        }
    }
}

#[async_trait]
impl Driver for TargetGroupHealthDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            reads: &[
                "elasticloadbalancing:DescribeTargetGroups",
                "elasticloadbalancing:DescribeTags",
            ],
            changes: &["elasticloadbalancing:ModifyTargetGroup"],
        }
    }

    async fn read(&self, _goal: &Goal) -> Result<Reading, CallError> {
        let arn = &self.step.target_group_arn;
        let current = self.traffic.health_check(self.region.as_deref(), arn).await?;
        let (wanted, blocked) = match wanted_target_health(&self.step, &current) {
            Ok(wanted) => (wanted, None),
            Err(why) => (
                current.clone(),
                Some(format!("target group {arn}: {why}; nothing was changed")),
            ),
        };
        let current = ResourceState::TargetGroupHealth { check: current };
        let wanted = ResourceState::TargetGroupHealth { check: wanted };
        Ok(Reading::of_change(current, wanted).blocked_by(blocked))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (ResourceState::TargetGroupHealth { check: from }, ResourceState::TargetGroupHealth { check: into }) =
            (from, into)
        else {
            return Err(foreign_state("target_group_health"));
        };
        self.traffic
            .set_health_check(self.region.as_deref(), &self.step.target_group_arn, from, into)
            .await?;
        Ok(None)
    }

    fn permissions(&self, _goal: &Goal, _account: &Account) -> Vec<Permission> {
        let (region, arn) = (self.region.as_deref(), &self.step.target_group_arn);
        vec![balancing_permission(
            "elasticloadbalancing:ModifyTargetGroup",
            region,
            arn,
        )]
    }

    fn calls(&self, from: &ResourceState, into: &ResourceState) -> Vec<String> {
        let (ResourceState::TargetGroupHealth { check: from }, ResourceState::TargetGroupHealth { check: into }) =
            (from, into)
        else {
            return Vec::new();
        };
        let arn = &self.step.target_group_arn;
        vec![format!(
            "elasticloadbalancing:ModifyTargetGroup {arn}: {}",
            from.parameters_to(into)
        )]
    }
}
