//! `rds_promote_replica`: the destination's read replica becomes a database of its own.
//!
//! It can not be taken back, and it is refused where it would make no sense: the destination must be a replica of the
//! source's instance when the step begins. So the way home is refused until somebody has made the old side a replica
//! of the new one.
//!
//! In a planned move whose source was fenced before, the promotion waits until the replica has caught up: until a
//! measurement says that it has replayed something that was committed after the step began, since everything that users
//! wrote was committed before. A lag of 0 says so, and for PostgreSQL a larger one may: "If there are no user transactions
//! occurring on the source DB instance, a PostgreSQL read replica reports a replication lag of up to five minutes" (Amazon
//! RDS User Guide, "Working with read replicas for Amazon RDS for PostgreSQL"). Promoting sets the source free only after a
//! while, and fails during a backup: it has worked when the instance replicates nobody *and* is `available` (Amazon RDS
//! User Guide, "Promoting a read replica to be a standalone DB instance").

use super::super::{Driver, Facts, Finding, Goal, Plane, Reading, StepPorts, foreign_state};
use super::{instance_permission, not_available, of_site, other_version};
use crate::ports::{Account, CallError, DatabaseFailover, MetricQuery, Metrics, Permission};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use understudy_core::execution::Style;
use understudy_core::plan::{DbInstanceRef, Plan, RdsPromoteReplica};
use understudy_core::preflight::Weight;
use understudy_core::state::{ResourceState, same_database};

pub(in super::super) struct PromoteDriver {
    databases: Arc<dyn DatabaseFailover>,
    metrics: Arc<dyn Metrics>,
    step: RdsPromoteReplica,
    to: String,
    region: Option<String>,
    /// The source takes no writes any more: the replica can catch up for good.
    waits_for_lag: bool,
}

impl PromoteDriver {
    pub(in super::super) fn new(
        ports: &StepPorts,
        plan: &Plan,
        step: RdsPromoteReplica,
        goal: &Goal,
        region: Option<String>,
    ) -> Self {
        Self {
            databases: ports.databases.clone(),
            metrics: ports.metrics.clone(),
            // What this execution has verified counts, not what the plan promises: a fence may have been skipped.
            waits_for_lag: goal.style == Style::Planned
                && match &goal.doing {
                    Some(doing) => doing.fenced,
                    None => plan.is_fenced_before(&step.common.name, Style::Planned),
                },
            step,
            to: goal.to.clone(),
            region,
        }
    }

    fn region_of<'a>(&'a self, instance: &'a DbInstanceRef) -> Option<&'a str> {
        instance.region.as_deref().or(self.region.as_deref())
    }

    // Why the replica has not caught up yet, as far as is known.
    async fn behind(&self, replica: &DbInstanceRef, since: Timestamp) -> Result<Option<String>, CallError> {
        let id = &replica.db_instance_identifier;
        let dimensions = [("DBInstanceIdentifier", id.to_ascii_lowercase())];
        let query = MetricQuery::most_of_a_minute("AWS/RDS", "ReplicaLag", &dimensions);
        let region = self.region_of(replica);
        let found = self.metrics.newest(region, &[query], since, None).await?;
        let newest = found.into_iter().next().transpose()?.flatten();
        Ok(match newest.filter(|point| point.at >= since) {
            Some(point) if has_replayed(point.at, point.value, since) => None,
            Some(point) => Some(format!(
                "replica {id} is still {} s behind, as measured at {}: what was written before {since} may not have arrived \
                 (an idle PostgreSQL source takes up to five minutes to show that it has)",
                point.value, point.at
            )),
            None => Some(format!("the lag of replica {id} has not been measured since {since}")),
        })
    }
}

#[async_trait]
impl Driver for PromoteDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            reads: &["rds:DescribeDBInstances", "cloudwatch:GetMetricData"],
            changes: &["rds:PromoteReadReplica"],
        }
    }

    async fn read(&self, goal: &Goal) -> Result<Reading, CallError> {
        let replica = of_site(&self.step.instances, &goal.to)?;
        let id = &replica.db_instance_identifier;
        let found = self.databases.instance(self.region_of(replica), id).await?;
        let source = &of_site(&self.step.instances, &goal.from)?.db_instance_identifier;
        let blocked = match &found.replica_of {
            Some(known) if same_database(known, source) => None,
            Some(known) => Some(format!(
                "DB instance {id} replicates {known}, not {source}: promoting it would leave the data of {source} behind"
            )),
            None => Some(format!(
                "DB instance {id} is no replica of {source}: either it was promoted before, or its data has gone its own \
                 way since. Make it a replica of {source} first; if it holds the data already, `skip` this step"
            )),
        };
        let mut waits = not_available(&format!("DB instance {id}"), &found.status);
        if let (None, true, Some(since), Some(_)) = (&waits, self.waits_for_lag, goal.started_at, &found.replica_of) {
            waits = self.behind(replica, since).await?;
        }
        let current = ResourceState::DbReplica {
            replica_of: found.replica_of,
        };
        let wanted = ResourceState::DbReplica { replica_of: None };
        Ok(Reading::of_change(current, wanted).blocked_by(blocked).held_by(waits))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (ResourceState::DbReplica { replica_of }, ResourceState::DbReplica { replica_of: None }) = (from, into)
        else {
            return Err(foreign_state("rds_promote_replica"));
        };
        let replica = of_site(&self.step.instances, &self.to)?;
        self.databases
            .promote(
                self.region_of(replica),
                &replica.db_instance_identifier,
                replica_of.as_deref(),
            )
            .await?;
        Ok(None)
    }

    async fn rehearse(&self, goal: &Goal, _reading: &Reading) -> Result<Vec<Finding>, CallError> {
        let (replica, source) = (
            of_site(&self.step.instances, &goal.to)?,
            of_site(&self.step.instances, &goal.from)?,
        );
        let (copy, original) = futures_util::join!(
            self.databases
                .instance(self.region_of(replica), &replica.db_instance_identifier),
            self.databases
                .instance(self.region_of(source), &source.db_instance_identifier),
        );
        let (copy, original) = (copy?, original?);
        let (its, other) = (&replica.db_instance_identifier, &source.db_instance_identifier);
        let beside = (copy.zone == original.zone && !copy.zone.is_empty()).then(|| {
            let zone = &copy.zone;
            let why =
                format!("{its} and {other} are both in {zone}, and would fall together; place the replica elsewhere");
            Finding::new(Weight::Warns, why)
        });
        let found = other_version((its, &copy.engine), (other, &original.engine));
        Ok(found.into_iter().chain(beside).collect())
    }

    fn permissions(&self, goal: &Goal, account: &Account) -> Vec<Permission> {
        let replica = self.step.instances.get(&goal.to).into_iter();
        let ask = |replica: &DbInstanceRef| {
            let id = &replica.db_instance_identifier;
            instance_permission(account, "rds:PromoteReadReplica", self.region_of(replica), id)
        };
        replica.map(ask).collect()
    }

    fn calls(&self, _from: &ResourceState, _into: &ResourceState) -> Vec<String> {
        let id = self
            .step
            .instances
            .get(&self.to)
            .map(|replica| replica.db_instance_identifier.as_str());
        vec![format!(
            "rds:PromoteReadReplica {}, which can not be taken back",
            id.unwrap_or_default()
        )]
    }
}

// Whether a replica that was this far behind at a time had replayed what was committed until `since`. The largest lag of
// a minute is stamped with the minute's beginning, so the true time is this or a later one.
fn has_replayed(at: Timestamp, lag_seconds: f64, since: Timestamp) -> bool {
    let lag = SignedDuration::try_from_secs_f64(lag_seconds)
        .ok()
        .filter(|lag| !lag.is_negative());
    let replayed_until = lag.and_then(|lag| at.checked_sub(lag).ok());
    replayed_until.is_some_and(|until| until >= since)
}
