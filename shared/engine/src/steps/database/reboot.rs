//! `rds_reboot_failover`: a Multi-AZ instance is rebooted so that its standby takes over.
//!
//! The call is not idempotent: a second one brings the instance back. So it is made only while the instance is in
//! another zone than the destination's, and not repeated before RDS has had the time to show the new zone.

use super::super::{Driver, Facts, Goal, Plane, Reading, StepPorts, foreign_state};
use super::{instance_permission, not_available, of_site};
use crate::ports::{Account, CallError, DatabaseFailover, Permission};
use async_trait::async_trait;
use jiff::SignedDuration;
use std::sync::Arc;
use understudy_core::plan::RdsRebootFailover;
use understudy_core::state::ResourceState;

/// How long a failover may take to be seen: "typically 60–120 seconds", longer with large transactions (Amazon RDS User
/// Guide, "Failing over a Multi-AZ DB instance").
const REPEAT_AFTER: SignedDuration = SignedDuration::from_mins(5);

pub(in super::super) struct RebootDriver {
    databases: Arc<dyn DatabaseFailover>,
    step: RdsRebootFailover,
    region: Option<String>,
}

impl RebootDriver {
    pub(in super::super) fn new(ports: &StepPorts, step: RdsRebootFailover, region: Option<String>) -> Self {
        Self {
            databases: ports.databases.clone(),
            step,
            region,
        }
    }
}

#[async_trait]
impl Driver for RebootDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            reads: &["rds:DescribeDBInstances"],
            changes: &["rds:RebootDBInstance"],
        }
    }

    async fn read(&self, goal: &Goal) -> Result<Reading, CallError> {
        let id = &self.step.db_instance_identifier;
        let found = self.databases.instance(self.region.as_deref(), id).await?;
        let zone = of_site(&self.step.zones, &goal.to)?;
        let blocked = match &found.standby_zone {
            _ if !found.multi_az => Some(format!(
                "DB instance {id} is not Multi-AZ: it has no standby, and a reboot would only interrupt it"
            )),
            // A reboot would bring it there, and the next one back: never to where the plan wants it.
            Some(standby) if found.zone != *zone && standby != zone => Some(format!(
                "the standby of DB instance {id} is in {standby}, not in {zone}, so that a reboot would bring it to the wrong \
                 zone; it is in {}, and was not rebooted. Correct `zones` in the plan: RDS places the standby",
                found.zone
            )),
            _ => None,
        };
        let current = ResourceState::DbZone { zone: found.zone };
        let wanted = ResourceState::DbZone { zone: zone.clone() };
        let waits = not_available(&format!("DB instance {id}"), &found.status);
        Ok(Reading::of_change(current, wanted).blocked_by(blocked).busy_with(waits))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (ResourceState::DbZone { zone }, ResourceState::DbZone { .. }) = (from, into) else {
            return Err(foreign_state("rds_reboot_failover"));
        };
        self.databases
            .reboot_with_failover(self.region.as_deref(), &self.step.db_instance_identifier, zone)
            .await?;
        Ok(None)
    }

    fn repeat_after(&self, _from: &ResourceState, _into: &ResourceState) -> Option<SignedDuration> {
        Some(REPEAT_AFTER)
    }

    fn permissions(&self, _goal: &Goal, account: &Account) -> Vec<Permission> {
        let id = &self.step.db_instance_identifier;
        let region = self.region.as_deref();
        vec![instance_permission(account, "rds:RebootDBInstance", region, id)]
    }

    fn calls(&self, _from: &ResourceState, into: &ResourceState) -> Vec<String> {
        vec![format!(
            "rds:RebootDBInstance {} with ForceFailover, so that it is {}",
            self.step.db_instance_identifier,
            into.sentence()
        )]
    }
}
