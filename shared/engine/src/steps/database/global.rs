//! `rds_global`: another Region's cluster becomes the primary of an Aurora Global Database.
//!
//! A planned move switches over: the primary stops taking writes, the secondary catches up, nothing is lost. An
//! unplanned one fails over and loses what has not arrived. The way back, and every undo, is a switchover: a side that
//! was left behind by a failover is rebuilt by Aurora as a secondary before it can be switched to.
//!
//! `SwitchoverGlobalCluster` is called in the Region of the present primary, `FailoverGlobalCluster` in that of the
//! destination: the other may be down (Amazon Aurora User Guide, "Using switchover or failover in an Amazon Aurora
//! global database").

use super::super::{Driver, Facts, Finding, Goal, Plane, Reading, StepPorts, foreign_state};
use super::{not_available, of_site, other_version};
use crate::ports::{Account, CallError, CallErrorKind, DatabaseFailover, Permission};
use async_trait::async_trait;
use jiff::SignedDuration;
use std::sync::Arc;
use understudy_core::execution::Style;
use understudy_core::plan::RdsGlobal;
use understudy_core::state::ResourceState;

/// How long until a move shows in the status of the global database.
const REPEAT_AFTER: SignedDuration = SignedDuration::from_mins(1);

pub(in super::super) struct GlobalDriver {
    databases: Arc<dyn DatabaseFailover>,
    step: RdsGlobal,
    goal: Goal,
}

/// One of the two calls.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    Switchover,
    Failover,
}

impl GlobalDriver {
    pub(in super::super) fn new(ports: &StepPorts, step: RdsGlobal, goal: &Goal) -> Self {
        Self {
            databases: ports.databases.clone(),
            step,
            goal: goal.clone(),
        }
    }

    // Data is only ever lost on the way that was consented to: forward, in an unplanned move.
    fn way(&self, into: &str) -> Way {
        let forward = self.step.clusters.get(&self.goal.to).is_some_and(|arn| arn == into);
        if forward && self.goal.style == Style::Unplanned {
            Way::Failover
        } else {
            Way::Switchover
        }
    }
}

fn region(arn: &str) -> Option<&str> {
    arn.split(':').nth(3).filter(|region| !region.is_empty())
}

#[async_trait]
impl Driver for GlobalDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            reads: &["rds:DescribeGlobalClusters", "rds:DescribeDBClusters"],
            changes: &["rds:SwitchoverGlobalCluster", "rds:FailoverGlobalCluster"],
        }
    }

    async fn read(&self, goal: &Goal) -> Result<Reading, CallError> {
        let id = &self.step.global_cluster_identifier;
        let destination = of_site(&self.step.clusters, &goal.to)?;
        let found = self.databases.global(region(destination), id).await?;
        let blocked = (!found.members.contains(destination)).then(|| {
            format!(
                "{destination} is not a cluster of global database {id}; they are {}",
                found.members.join(", ")
            )
        });
        let mut waits = found
            .is_moving
            .then(|| format!("global database {id} is {}; waiting until that is over", found.status));
        // What is to write must be able to, before as after.
        if waits.is_none() && blocked.is_none() {
            let cluster = self.databases.cluster(region(destination), destination).await?;
            waits = not_available(&format!("DB cluster {destination}"), &cluster.status);
        }
        let current = ResourceState::DbWriter { writer: found.writer };
        let wanted = ResourceState::DbWriter {
            writer: Some(destination.clone()),
        };
        let reading = Reading::of_change(current, wanted).blocked_by(blocked);
        Ok(reading.held_by(waits).under_way(found.is_moving))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (ResourceState::DbWriter { writer: present }, ResourceState::DbWriter { writer: Some(wanted) }) =
            (from, into)
        else {
            return Err(foreign_state("rds_global"));
        };
        let id = &self.step.global_cluster_identifier;
        match (self.way(wanted), present) {
            (Way::Failover, present) => {
                let present = present.as_deref();
                self.databases
                    .fail_over_global(region(wanted), id, present, wanted)
                    .await?;
            }
            (Way::Switchover, Some(present)) => {
                let at = region(present);
                self.databases.switch_over_global(at, id, Some(present), wanted).await?;
            }
            (Way::Switchover, None) => {
                return Err(CallError::new(
                    CallErrorKind::Refused,
                    format!(
                        "global database {id} has no primary to switch over from; nothing was called. Only an unplanned move (a failover) goes on from there"
                    ),
                ));
            }
        }
        Ok(None)
    }

    fn repeat_after(&self, _from: &ResourceState, _into: &ResourceState) -> Option<SignedDuration> {
        Some(REPEAT_AFTER)
    }

    // Aurora switches over only between clusters of one engine version (Amazon Aurora User Guide, "Switchover").
    async fn rehearse(&self, goal: &Goal, _reading: &Reading) -> Result<Vec<Finding>, CallError> {
        let (copy, original) = (
            of_site(&self.step.clusters, &goal.to)?,
            of_site(&self.step.clusters, &goal.from)?,
        );
        let (its, other) = futures_util::join!(
            self.databases.cluster(region(copy), copy),
            self.databases.cluster(region(original), original),
        );
        let found = other_version((copy, &its?.engine), (original, &other?.engine));
        Ok(found.into_iter().collect())
    }

    fn permissions(&self, goal: &Goal, account: &Account) -> Vec<Permission> {
        // Undo is always a switchover.
        let failover = (goal.style == Style::Unplanned).then_some("rds:FailoverGlobalCluster");
        let id = &self.step.global_cluster_identifier;
        // The ARN of a global database has no Region, and AWS wants its clusters' too.
        let global = account.arn("rds", Some(""), &format!("global-cluster:{id}"));
        let arns: Vec<&String> = self.step.clusters.values().chain([&global]).collect();
        let actions = failover.into_iter().chain(["rds:SwitchoverGlobalCluster"]);
        actions
            .flat_map(|action| arns.iter().map(move |arn| Permission::new(action, *arn)))
            .collect()
    }

    fn calls(&self, _from: &ResourceState, into: &ResourceState) -> Vec<String> {
        let ResourceState::DbWriter { writer: Some(wanted) } = into else {
            return Vec::new();
        };
        let id = &self.step.global_cluster_identifier;
        vec![match self.way(wanted) {
            Way::Switchover => format!("rds:SwitchoverGlobalCluster {id} to {wanted}"),
            Way::Failover => format!("rds:FailoverGlobalCluster {id} to {wanted} with AllowDataLoss"),
        }]
    }
}
