//! `rds_multi_az`: a DB instance gets a standby in another zone.
//!
//! At once, or in the instance's maintenance window: then it is done when RDS has it among its pending changes. A call
//! that applies a change at once applies everything else that is pending too (the API reference of `ModifyDBInstance`),
//! so it is not made where anything else is: nobody has asked for that now.

use super::super::{Driver, Facts, Goal, Plane, Reading, StepPorts, foreign_state, not_found};
use super::{instance_permission, not_available};
use crate::ports::{Account, CallError, DatabaseSetup, Permission};
use async_trait::async_trait;
use std::sync::Arc;
use understudy_core::plan::RdsMultiAz;
use understudy_core::state::{MultiAz, ResourceState};

pub(in super::super) struct MultiAzDriver {
    setup: Arc<dyn DatabaseSetup>,
    step: RdsMultiAz,
    region: Option<String>,
}

impl MultiAzDriver {
    pub(in super::super) fn new(ports: &StepPorts, step: RdsMultiAz, region: Option<String>) -> Self {
        Self {
            setup: ports.database_setup.clone(),
            step,
            region,
        }
    }
}

// What the next call sets, and whether at once: what is, is changed at once; what only waits, is changed on the list.
fn call(from: MultiAz, into: MultiAz) -> (bool, bool) {
    if into.in_window {
        return (into.pending.unwrap_or(into.multi_az), false);
    }
    match from.multi_az == into.multi_az {
        true => (into.pending.unwrap_or(into.multi_az), false),
        false => (into.multi_az, true),
    }
}

#[async_trait]
impl Driver for MultiAzDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            reads: &["rds:DescribeDBInstances"],
            changes: &["rds:ModifyDBInstance"],
        }
    }

    async fn read(&self, _goal: &Goal) -> Result<Reading, CallError> {
        let id = &self.step.db_instance_identifier;
        let found = self.setup.find(self.region.as_deref(), id).await?;
        let found = found.ok_or_else(|| not_found("DB instance", id))?;
        let in_window = !self.step.apply_immediately;
        let wanted = MultiAz {
            multi_az: !in_window,
            pending: in_window.then_some(true),
            in_window,
        };
        let others = found.has_other_changes && !in_window;
        let others = others.then(|| {
            format!(
                "other changes of DB instance {id} wait for its maintenance window, and would be applied at once with this \
                 one; apply them first, or leave out apply_immediately"
            )
        });
        let waits = not_available(&format!("DB instance {id}"), &found.status);
        let reading = Reading::of_change(
            ResourceState::DbMultiAz(found.multi_az),
            ResourceState::DbMultiAz(wanted),
        );
        let busy = waits.is_some();
        Ok(reading
            .blocked_by(others.clone())
            .held_by(waits.or(others))
            .under_way(busy))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (ResourceState::DbMultiAz(from), ResourceState::DbMultiAz(into)) = (from, into) else {
            return Err(foreign_state("rds_multi_az"));
        };
        let (wanted, immediately) = call(*from, *into);
        let id = &self.step.db_instance_identifier;
        self.setup
            .set_multi_az(self.region.as_deref(), id, *from, wanted, immediately)
            .await?;
        Ok(None)
    }

    // Under way, in either direction, it is on the list of what is pending.
    fn is_between(&self, from: &ResourceState, now: &ResourceState, into: &ResourceState) -> bool {
        let (ResourceState::DbMultiAz(from), ResourceState::DbMultiAz(now), ResourceState::DbMultiAz(into)) =
            (from, now, into)
        else {
            return false;
        };
        let is_known = now.multi_az == from.multi_az || now.multi_az == into.multi_az;
        is_known && !into.in_window
    }

    fn permissions(&self, _goal: &Goal, account: &Account) -> Vec<Permission> {
        let (region, id) = (self.region.as_deref(), &self.step.db_instance_identifier);
        vec![instance_permission(account, "rds:ModifyDBInstance", region, id)]
    }

    fn calls(&self, from: &ResourceState, into: &ResourceState) -> Vec<String> {
        let (ResourceState::DbMultiAz(from), ResourceState::DbMultiAz(into)) = (from, into) else {
            return Vec::new();
        };
        let (wanted, immediately) = call(*from, *into);
        let when = if immediately {
            "at once"
        } else {
            "in its maintenance window"
        };
        let id = &self.step.db_instance_identifier;
        vec![format!("rds:ModifyDBInstance {id} with MultiAZ {wanted}, {when}")]
    }
}
