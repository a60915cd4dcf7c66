//! `asg_zones`: an Auto Scaling group leaves the subnets of a site, and comes back to them.
//!
//! `UpdateAutoScalingGroup` replaces the whole list, so what the plan does not name is written back as it was read.
//! The group then ends its instances in the zones that it left and launches others: the step is done when its list is as
//! wanted, no instance serves in a zone that was left, and as many do in the others as its minimum promises. What serves
//! in a subnet that was left, in a zone that was not, is not told apart.

use super::{Driver, Facts, Goal, Plane, Reading, StepPorts, foreign_state, group_permission, not_found};
use crate::ports::{Account, CallError, Groups, Permission};
use async_trait::async_trait;
use std::sync::Arc;
use understudy_core::plan::AsgZones;
use understudy_core::state::{ResourceState, wanted_subnets};

pub(super) struct AsgZonesDriver {
    groups: Arc<dyn Groups>,
    step: AsgZones,
    region: Option<String>,
}

impl AsgZonesDriver {
    pub(super) fn new(ports: &StepPorts, step: AsgZones, region: Option<String>) -> Self {
        Self {
            groups: ports.groups.clone(),
            step,
            region,
        }
    }
}

#[async_trait]
impl Driver for AsgZonesDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            reads: &["autoscaling:DescribeAutoScalingGroups"],
            changes: &["autoscaling:UpdateAutoScalingGroup"],
        }
    }

    async fn read(&self, goal: &Goal) -> Result<Reading, CallError> {
        let name = &self.step.auto_scaling_group_name;
        let found = self
            .groups
            .groups(self.region.as_deref(), std::slice::from_ref(name))
            .await?;
        let group = found
            .into_iter()
            .next()
            .ok_or_else(|| not_found("Auto Scaling group", name))?;
        let staying = group.in_service.saturating_sub(group.left_behind);
        let note = format!(
            "{name} is in {} with {staying} instance(s) in service, at least {} wanted, and {} in zones that it has left, none \
             wanted",
            group.subnets.join(", "),
            group.size.minimum,
            group.left_behind
        );
        let open = group.left_behind == 0 && staying >= group.size.minimum;
        let wanted = ResourceState::AsgZones {
            subnets: wanted_subnets(&self.step, &goal.to, &group.subnets),
        };
        let current = ResourceState::AsgZones { subnets: group.subnets };
        Ok(Reading::of_change(current, wanted).opened(open, note))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (ResourceState::AsgZones { subnets: from }, ResourceState::AsgZones { subnets: into }) = (from, into)
        else {
            return Err(foreign_state("asg_zones"));
        };
        let name = &self.step.auto_scaling_group_name;
        self.groups
            .set_subnets(self.region.as_deref(), name, from, into)
            .await?;
        Ok(None)
    }

    fn permissions(&self, _goal: &Goal, account: &Account) -> Vec<Permission> {
        let name = &self.step.auto_scaling_group_name;
        vec![group_permission(
            account,
            "autoscaling:UpdateAutoScalingGroup",
            self.region.as_deref(),
            name,
        )]
    }

    fn calls(&self, _from: &ResourceState, into: &ResourceState) -> Vec<String> {
        vec![format!(
            "autoscaling:UpdateAutoScalingGroup {} in {}",
            self.step.auto_scaling_group_name,
            into.sentence()
        )]
    }
}
