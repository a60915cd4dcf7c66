//! `fence_source` and `open_destination` by stopping and starting: what does not run takes no writes.
//!
//! It has worked when the instance is `stopped`, or `available` again. RDS compares by itself: it stops only what is
//! `available` and starts only what is `stopped`; what is on its way counts as where it goes, and is waited for. It stops
//! no instance that is or has a read replica and no member of a cluster, and starts what is stopped again after seven days
//! (Amazon RDS User Guide, "Stopping an Amazon RDS DB instance temporarily").

use super::super::{Driver, Facts, Goal, Reading, StepPorts, foreign_state};
use super::{AVAILABLE, FENCES, OPENS, instance_permission, of_site};
use crate::ports::{Account, CallError, DatabaseFailover, DatabaseInstance, Permission};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use understudy_core::plan::{FenceSource, FencedDatabase, OpenDestination};
use understudy_core::state::{Power, ResourceState};

pub(in super::super) struct PowerDriver {
    databases: Arc<dyn DatabaseFailover>,
    by_site: BTreeMap<String, FencedDatabase>,
    site: String,
    region: Option<String>,
    wanted: Power,
}

impl PowerDriver {
    pub(in super::super) fn fence(ports: &StepPorts, step: &FenceSource, goal: &Goal, region: Option<String>) -> Self {
        Self {
            databases: ports.databases.clone(),
            by_site: step.databases.clone(),
            site: goal.from.clone(),
            region,
            wanted: Power::Stopped,
        }
    }

    pub(in super::super) fn open(
        ports: &StepPorts,
        step: &OpenDestination,
        goal: &Goal,
        region: Option<String>,
    ) -> Self {
        Self {
            databases: ports.databases.clone(),
            by_site: step.databases.clone(),
            site: goal.to.clone(),
            region,
            wanted: Power::Running,
        }
    }

    fn database(&self) -> Result<(&str, Option<&str>), CallError> {
        let database = of_site(&self.by_site, &self.site)?;
        let region = database.region.as_deref().or(self.region.as_deref());
        Ok((&database.db_instance_identifier, region))
    }
}

// Why RDS would refuse to stop it, whatever its status.
fn never_stops(id: &str, found: &DatabaseInstance) -> Option<String> {
    let why = match (&found.cluster, &found.replica_of, found.replicas.as_slice()) {
        (Some(cluster), _, _) => format!("is a member of DB cluster {cluster}"),
        (None, Some(source), _) => format!("is a read replica of {source}"),
        (None, None, []) => return None,
        (None, None, replicas) => format!("has the read replicas {}", replicas.join(", ")),
    };
    Some(format!(
        "DB instance {id} {why}, and RDS stops no such instance; it was left running. Fence it by its security group, or by a \
         function of your own (`invoke` with `fences_source: true`)"
    ))
}

#[async_trait]
impl Driver for PowerDriver {
    fn facts(&self) -> Facts {
        match self.wanted {
            Power::Stopped => FENCES,
            Power::Running => OPENS,
        }
    }

    async fn read(&self, _goal: &Goal) -> Result<Reading, CallError> {
        let (id, region) = self.database()?;
        let found = self.databases.instance(region, id).await?;
        let power = match found.status.as_str() {
            "stopped" | "stopping" => Power::Stopped,
            _ => Power::Running,
        };
        let blocked = never_stops(id, &found).filter(|_| self.wanted == Power::Stopped);
        let rests = ["stopped", AVAILABLE].contains(&found.status.as_str());
        let waits = (!rests).then(|| {
            let status = &found.status;
            format!("DB instance {id} is {status}; waiting until it is stopped or {AVAILABLE}")
        });
        let current = ResourceState::DbPower { power };
        let wanted = ResourceState::DbPower { power: self.wanted };
        Ok(Reading::of_change(current, wanted).blocked_by(blocked).held_by(waits))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (ResourceState::DbPower { .. }, ResourceState::DbPower { power }) = (from, into) else {
            return Err(foreign_state("fence_source"));
        };
        let (id, region) = self.database()?;
        match power {
            Power::Stopped => self.databases.stop(region, id).await.map(|()| None),
            Power::Running => self.databases.start(region, id).await.map(|()| Some(id.to_owned())),
        }
    }

    // What was started serves: also where a rollback has started again what the move had stopped.
    async fn settled(&self, _receipt: &str) -> Result<bool, CallError> {
        let (id, region) = self.database()?;
        let found = self.databases.instance(region, id).await?;
        Ok(found.status == AVAILABLE)
    }

    fn permissions(&self, _goal: &Goal, account: &Account) -> Vec<Permission> {
        let Ok((id, region)) = self.database() else {
            return Vec::new();
        };
        // A fence is taken back by starting, and an opening by stopping.
        let actions = ["rds:StartDBInstance", "rds:StopDBInstance"];
        let ask = |action| instance_permission(account, action, region, id);
        actions.into_iter().map(ask).collect()
    }

    fn calls(&self, _from: &ResourceState, into: &ResourceState) -> Vec<String> {
        let id = self.database().map(|(id, _)| id).unwrap_or_default();
        match into {
            ResourceState::DbPower { power: Power::Stopped } => vec![format!(
                "rds:StopDBInstance {id}, which RDS starts again after seven days"
            )],
            _ => vec![format!("rds:StartDBInstance {id}")],
        }
    }
}
