//! `fence_source` and `open_destination`: who is let into a database, by its security groups.
//!
//! The fence is a security group of the same VPC that lets nobody in. `ModifyDBInstance` replaces all groups of an
//! instance at once and applies them without an interruption; they are in force when each is `active`. Connections that
//! are open already are cut when their security group no longer allows them, unless they are untracked (Amazon EC2 User
//! Guide, "Security group connection tracking").

use super::super::{Driver, Facts, Goal, Plane, Reading, StepPorts, foreign_state};
use super::{instance_permission, of_site};
use crate::ports::{Account, CallError, DatabaseFailover, Permission};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use understudy_core::plan::{FenceSource, FencedDatabase, OpenDestination};
use understudy_core::state::{ResourceState, fenced_groups, open_groups};

/// Which side of the move is meant.
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
}

#[async_trait]
impl Driver for AccessDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            reads: &["rds:DescribeDBInstances"],
            changes: &["rds:ModifyDBInstance"],
        }
    }

    async fn read(&self, _goal: &Goal) -> Result<Reading, CallError> {
        let (database, region) = self.database()?;
        let id = &database.db_instance_identifier;
        let found = self.databases.instance(region, id).await?;
        let current = ResourceState::DbAccess {
            security_groups: found.security_groups,
        };
        let wanted = ResourceState::DbAccess {
            security_groups: match self.side {
                Side::Source => fenced_groups(database),
                Side::Destination => open_groups(database),
            },
        };
        let changing =
            (!found.security_groups_active).then(|| format!("the security groups of {id} are not in force yet"));
        Ok(Reading::of_change(current, wanted).held_by(changing))
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (
            ResourceState::DbAccess {
                security_groups: expected,
            },
            ResourceState::DbAccess { security_groups },
        ) = (from, into)
        else {
            return Err(foreign_state("fence_source"));
        };
        let (database, region) = self.database()?;
        self.databases
            .set_security_groups(region, &database.db_instance_identifier, expected, security_groups)
            .await?;
        Ok(None)
    }

    fn permissions(&self, _goal: &Goal, account: &Account) -> Vec<Permission> {
        let database = self.database().into_iter();
        let ask = |(database, region): (&FencedDatabase, Option<&str>)| {
            instance_permission(
                account,
                "rds:ModifyDBInstance",
                region,
                &database.db_instance_identifier,
            )
        };
        database.map(ask).collect()
    }

    fn calls(&self, _from: &ResourceState, into: &ResourceState) -> Vec<String> {
        let id = self
            .by_site
            .get(&self.site)
            .map(|database| database.db_instance_identifier.as_str());
        vec![format!(
            "rds:ModifyDBInstance {} so that it {}, at once",
            id.unwrap_or_default(),
            into.sentence()
        )]
    }
}
