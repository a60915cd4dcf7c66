//! `fence_source` and `open_destination`: who is let into a database, by its security groups.
//!
//! The fence is a security group of the same VPC that lets nobody in. `ModifyDBInstance` replaces all groups of an
//! instance at once and applies them without an interruption; they are in force when each is `active`. That keeps new
//! connections out and leaves those alone that are open: "its tracked connections are not immediately interrupted" (Amazon
//! EC2 User Guide, "Security group connection tracking"), and a pool keeps its connections for days. So a fence takes two
//! calls:
//!
//! 1. The groups are exchanged. Until they are in force nothing more is called.
//! 2. The instance is restarted behind them, which cuts what was open.
//!
//! Both are done when RDS has reported a restart later than the second call was begun, and the instance is `available`
//! again. A restart from before says nothing: who connected between it and the fence is still there. What was fenced
//! before the step began is restarted all the same, since nobody knows who connected when; nobody misses it.
//! `RebootDBInstance` is not idempotent, but restarting what is fenced harms nobody: it is repeated where RDS has reported
//! nothing for a while. Why not by the count of connections: `docs/decisions/0006-a-fence-restarts-the-database.md`.

use super::super::{Driver, Facts, Goal, Reading, StepPorts, foreign_state};
use super::{FENCES, OPENS, instance_permission, not_available, of_site};
use crate::ports::{Account, CallError, DatabaseFailover, DatabaseInstance, Permission};
use async_trait::async_trait;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::sync::Arc;
use understudy_core::execution::Direction;
use understudy_core::plan::{FenceSource, FencedDatabase, OpenDestination};
use understudy_core::state::{ResourceState, fenced_groups, open_groups};

/// How long RDS may take to report a restart. Events are reported within minutes, but "on a best effort basis" (Amazon RDS
/// User Guide, "Monitoring Amazon RDS events").
const REPEAT_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// Which side of the move is meant.
#[derive(PartialEq, Eq)]
enum Side {
    Source,
    Destination,
}

pub(in super::super) struct AccessDriver {
    databases: Arc<dyn DatabaseFailover>,
    by_site: BTreeMap<String, FencedDatabase>,
    side: Side,
    site: String,
    region: Option<String>,
}

impl AccessDriver {
    pub(in super::super) fn fence(ports: &StepPorts, step: &FenceSource, goal: &Goal, region: Option<String>) -> Self {
        Self {
            databases: ports.databases.clone(),
            by_site: step.databases.clone(),
            side: Side::Source,
            site: goal.from.clone(),
            region,
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
            side: Side::Destination,
            site: goal.to.clone(),
            region,
        }
    }

    fn database(&self) -> Result<(&FencedDatabase, Option<&str>), CallError> {
        let database = of_site(&self.by_site, &self.site)?;
        Ok((database, database.region.as_deref().or(self.region.as_deref())))
    }

    // Whether RDS has reported a restart since the step called for one: that was when the fence was in force.
    async fn is_cut(&self, goal: &Goal, found: &DatabaseInstance) -> Result<bool, CallError> {
        let (database, region) = self.database()?;
        let doing = goal.doing.as_ref();
        // On the way back nobody asks: what lets nobody in is this step's work, restarted or not.
        let run = doing
            .filter(|doing| doing.direction == Direction::Forward)
            .map(|doing| &doing.run);
        let called_at = run
            .filter(|run| run.attempts > 0 && !run.more_calls)
            .and_then(|run| run.attempted_at);
        match called_at.filter(|_| found.security_groups == fenced_groups(database)) {
            Some(since) => {
                let id = &database.db_instance_identifier;
                self.databases.restarted_since(region, id, since).await
            }
            None => Ok(false),
        }
    }
}

fn access(state: &ResourceState) -> Option<(&[String], bool)> {
    match state {
        ResourceState::DbAccess {
            security_groups,
            connections_cut,
        } => Some((security_groups, *connections_cut)),
        _ => None,
    }
}

#[async_trait]
impl Driver for AccessDriver {
    fn facts(&self) -> Facts {
        match self.side {
            Side::Source => FENCES,
            Side::Destination => OPENS,
        }
    }

    async fn read(&self, goal: &Goal) -> Result<Reading, CallError> {
        let (database, region) = self.database()?;
        let id = &database.db_instance_identifier;
        let found = self.databases.instance(region, id).await?;
        let fences = self.side == Side::Source;
        let blocked = found.cluster.as_ref().map(|cluster| {
            format!(
                "DB instance {id} is a member of DB cluster {cluster}, whose security groups are the cluster's own: they were \
                 left alone. Cut its writes with a function of your own (`invoke` with `fences_source: true`)"
            )
        });
        let connections_cut = fences && self.is_cut(goal, &found).await?;
        let wanted = ResourceState::DbAccess {
            security_groups: match self.side {
                Side::Source => fenced_groups(database),
                Side::Destination => open_groups(database),
            },
            connections_cut: fences,
        };
        let mut waits =
            (!found.security_groups_active).then(|| format!("the security groups of {id} are not in force yet"));
        if fences {
            waits = waits.or_else(|| not_available(&format!("DB instance {id}"), &found.status));
        }
        let current = ResourceState::DbAccess {
            security_groups: found.security_groups,
            connections_cut,
        };
        Ok(Reading::of_change(current, wanted).blocked_by(blocked).held_by(waits))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (Some((expected, _)), Some((groups, cut))) = (access(from), access(into)) else {
            return Err(foreign_state("fence_source"));
        };
        let (database, region) = self.database()?;
        let id = &database.db_instance_identifier;
        if expected != groups {
            self.databases.set_security_groups(region, id, expected, groups).await?;
        } else if cut {
            self.databases.restart(region, id, expected).await?;
        }
        Ok(None)
    }

    fn is_between(&self, from: &ResourceState, now: &ResourceState, into: &ResourceState) -> bool {
        let states = (access(from), access(now), access(into));
        matches!(states, (Some((before, _)), Some((now, false)), Some((after, true))) if before != after && now == after)
    }

    fn is_last_call(&self, from: &ResourceState, into: &ResourceState) -> bool {
        let exchanges = matches!((access(from), access(into)), (Some((from, _)), Some((into, true))) if from != into);
        !exchanges
    }

    fn repeat_after(&self, from: &ResourceState, into: &ResourceState) -> Option<SignedDuration> {
        let restarts = matches!((access(from), access(into)), (Some((from, _)), Some((into, true))) if from == into);
        restarts.then_some(REPEAT_AFTER)
    }

    fn permissions(&self, _goal: &Goal, account: &Account) -> Vec<Permission> {
        let Ok((database, region)) = self.database() else {
            return Vec::new();
        };
        let actions: &[&'static str] = match self.side {
            Side::Source => &["rds:ModifyDBInstance", "rds:RebootDBInstance"],
            Side::Destination => &["rds:ModifyDBInstance"],
        };
        actions
            .iter()
            .map(|action| instance_permission(account, action, region, &database.db_instance_identifier))
            .collect()
    }

    fn calls(&self, from: &ResourceState, into: &ResourceState) -> Vec<String> {
        let id = self
            .by_site
            .get(&self.site)
            .map(|database| database.db_instance_identifier.as_str())
            .unwrap_or_default();
        let (Some((present, _)), Some((groups, cut))) = (access(from), access(into)) else {
            return Vec::new();
        };
        let exchange = (present != groups).then(|| {
            format!(
                "rds:ModifyDBInstance {id} so that it lets in {}, at once",
                groups.join(" + ")
            )
        });
        let restart = cut
            .then(|| format!("rds:RebootDBInstance {id} behind its fence, which cuts the connections that are open"));
        exchange.into_iter().chain(restart).collect()
    }
}
