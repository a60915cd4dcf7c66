//! `rds_cluster_failover`: another member becomes the writer of an Aurora or Multi-AZ DB cluster.
//!
//! The target is always named: without one AWS chooses, and a repeated call, or an undo, would choose again. So a Multi-AZ
//! DB cluster of RDS for MySQL, which takes no target (API reference, `FailoverDBCluster`), is refused. A member that is not
//! `available` can not take over, and is waited for.

use super::super::{Driver, Facts, Finding, Goal, Plane, Reading, StepPorts, foreign_state};
use super::{not_available, of_site};
use crate::ports::{Account, CallError, DatabaseFailover, Permission};
use async_trait::async_trait;
use jiff::SignedDuration;
use std::sync::Arc;
use understudy_core::plan::RdsClusterFailover;
use understudy_core::preflight::Weight;
use understudy_core::state::ResourceState;

/// How long a failover may take to be seen: "usually completes within 30 seconds" (Amazon Aurora User Guide,
/// "Failing over an Amazon Aurora DB cluster").
const REPEAT_AFTER: SignedDuration = SignedDuration::from_mins(1);

pub(in super::super) struct ClusterDriver {
    databases: Arc<dyn DatabaseFailover>,
    step: RdsClusterFailover,
    region: Option<String>,
}

impl ClusterDriver {
    pub(in super::super) fn new(ports: &StepPorts, step: RdsClusterFailover, region: Option<String>) -> Self {
        Self {
            databases: ports.databases.clone(),
            step,
            region,
        }
    }
}

#[async_trait]
impl Driver for ClusterDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            reads: &["rds:DescribeDBClusters", "rds:DescribeDBInstances"],
            changes: &["rds:FailoverDBCluster"],
        }
    }

    async fn read(&self, goal: &Goal) -> Result<Reading, CallError> {
        let id = &self.step.db_cluster_identifier;
        let found = self.databases.cluster(self.region.as_deref(), id).await?;
        let writer = of_site(&self.step.writers, &goal.to)?.to_ascii_lowercase();
        let blocked = if found.engine.starts_with("mysql ") {
            Some(format!(
                "DB cluster {id} is a Multi-AZ cluster of RDS for MySQL, which takes no target: RDS would choose the writer, and \
                 choose again on the way back; it was not failed over. Fail it over in a function of your own (`invoke`)"
            ))
        } else if !found.members.contains(&writer) {
            Some(format!(
                "{writer} is not a member of DB cluster {id}; its members are {}",
                found.members.join(", ")
            ))
        } else {
            None
        };
        let current = ResourceState::DbWriter { writer: found.writer };
        let wanted = ResourceState::DbWriter { writer: Some(writer) };
        let waits = not_available(&format!("DB cluster {id}"), &found.status);
        Ok(Reading::of_change(current, wanted).blocked_by(blocked).busy_with(waits))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (ResourceState::DbWriter { writer: expected }, ResourceState::DbWriter { writer: Some(writer) }) =
            (from, into)
        else {
            return Err(foreign_state("rds_cluster_failover"));
        };
        self.databases
            .fail_over_cluster(
                self.region.as_deref(),
                &self.step.db_cluster_identifier,
                expected.as_deref(),
                writer,
            )
            .await?;
        Ok(None)
    }

    // The member that is to write must be able to.
    async fn holds(&self, reading: &Reading, into: &ResourceState, _back: bool) -> Result<Option<String>, CallError> {
        let (None, ResourceState::DbWriter { writer: Some(writer) }) = (&reading.hold, into) else {
            return Ok(reading.hold.clone());
        };
        let found = self.databases.instance(self.region.as_deref(), writer).await?;
        Ok(not_available(&format!("DB instance {writer}"), &found.status))
    }

    async fn rehearse(&self, goal: &Goal, _reading: &Reading) -> Result<Vec<Finding>, CallError> {
        let writer = of_site(&self.step.writers, &goal.to)?;
        let found = self.databases.instance(self.region.as_deref(), writer).await?;
        let found = not_available(&format!("DB instance {writer}"), &found.status).map(|why| {
            let why = format!("{why}: a failover would wait for it");
            Finding::new(Weight::Warns, why)
        });
        Ok(found.into_iter().collect())
    }

    fn repeat_after(&self, _from: &ResourceState, _into: &ResourceState) -> Option<SignedDuration> {
        Some(REPEAT_AFTER)
    }

    fn permissions(&self, _goal: &Goal, account: &Account) -> Vec<Permission> {
        let resource = format!("cluster:{}", self.step.db_cluster_identifier.to_ascii_lowercase());
        let arn = account.arn("rds", self.region.as_deref(), &resource);
        vec![Permission::new("rds:FailoverDBCluster", arn)]
    }

    fn calls(&self, _from: &ResourceState, into: &ResourceState) -> Vec<String> {
        vec![format!(
            "rds:FailoverDBCluster {} to {}",
            self.step.db_cluster_identifier,
            into.sentence()
        )]
    }
}
