//! `asg_settings`: where an Auto Scaling group launches, and how it judges its instances.
//!
//! Only what the step names is read, set and restored; all else stays as it is, whoever changes it. A group is placed by
//! subnets or by zones, and a step that names the other of the two is refused: there would be no way back. Like after a
//! change of zones, it has worked when as many instances are in service as the group's minimum promises.

use super::{Driver, Facts, Goal, Plane, Reading, StepPorts, foreign_state, group_permission, not_found};
use crate::ports::{Account, CallError, GroupSetUp, GroupSetup, Permission};
use async_trait::async_trait;
use std::sync::Arc;
use understudy_core::plan::AsgSettings;
use understudy_core::state::{ResourceState, wanted_settings};

pub(super) struct AsgSettingsDriver {
    setup: Arc<dyn GroupSetup>,
    step: AsgSettings,
    region: Option<String>,
}

impl AsgSettingsDriver {
    pub(super) fn new(ports: &StepPorts, step: AsgSettings, region: Option<String>) -> Self {
        Self {
            setup: ports.group_setup.clone(),
            step,
            region,
        }
    }

    // Why the group can not be placed as the step says, if so.
    fn misplaced(&self, found: &GroupSetUp) -> Option<String> {
        let (settings, name) = (&found.settings, &self.step.auto_scaling_group_name);
        let (named, other) = if !self.step.subnets.is_empty() && settings.subnets.is_none() {
            ("subnets", "Availability Zones")
        } else if !self.step.availability_zones.is_empty() && settings.availability_zones.is_none() {
            ("availability_zones", "subnets")
        } else {
            return None;
        };
        Some(format!(
            "Auto Scaling group {name} is placed by {other}, and the step names {named}: nothing was changed, as there \
             would be no way back; name its {other}"
        ))
    }
}

#[async_trait]
impl Driver for AsgSettingsDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            reads: &["autoscaling:DescribeAutoScalingGroups"],
            changes: &["autoscaling:UpdateAutoScalingGroup"],
        }
    }

    async fn read(&self, _goal: &Goal) -> Result<Reading, CallError> {
        let name = &self.step.auto_scaling_group_name;
        let found = self.setup.group_set_up(self.region.as_deref(), name).await?;
        let found = found.ok_or_else(|| not_found("Auto Scaling group", name))?;
        let wanted = wanted_settings(&self.step, &found.settings);
        let current = found.settings.only(&wanted);
        let note = format!(
            "{name}: {}; {} instance(s) in service, at least {} wanted",
            current.sentence(),
            found.in_service,
            found.minimum
        );
        let reading = Reading::of_change(
            ResourceState::AsgSettings { settings: current },
            ResourceState::AsgSettings { settings: wanted },
        );
        Ok(reading
            .opened(found.in_service >= found.minimum, note)
            .blocked_by(self.misplaced(&found)))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (ResourceState::AsgSettings { settings: from }, ResourceState::AsgSettings { settings: into }) =
            (from, into)
        else {
            return Err(foreign_state("asg_settings"));
        };
        let name = &self.step.auto_scaling_group_name;
        self.setup
            .set_settings(self.region.as_deref(), name, from, into)
            .await?;
        Ok(None)
    }

    fn permissions(&self, _goal: &Goal, account: &Account) -> Vec<Permission> {
        let (region, name) = (self.region.as_deref(), &self.step.auto_scaling_group_name);
        vec![group_permission(
            account,
            "autoscaling:UpdateAutoScalingGroup",
            region,
            name,
        )]
    }

    fn calls(&self, _from: &ResourceState, into: &ResourceState) -> Vec<String> {
        vec![format!(
            "autoscaling:UpdateAutoScalingGroup {}: {}",
            self.step.auto_scaling_group_name,
            into.sentence()
        )]
    }
}
