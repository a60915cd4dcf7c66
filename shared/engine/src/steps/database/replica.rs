//! `rds_read_replica`: a read replica is made, in the set-up of a plan or to protect a promoted database again.
//!
//! An identifier is used once: so creating compares by itself, and a repeat of a call whose reply was lost is refused.
//! A replica of the right source that is there already is as good; anything else of that name is left alone and named.
//! It has worked when the replica is `available`.
//!
//! Undo deletes it without a final snapshot, as it holds nothing that its source does not. Only what carries the plan's
//! tag and still replicates that source is deleted: a replica that was promoted meanwhile is somebody's database.

use super::super::{Driver, Facts, Goal, Plane, Reading, StepPorts, foreign_state, setup_tags, tagged_as_others};
use super::{instance_permission, not_available};
use crate::actions::{SETUP_TAG, TAG};
use crate::ports::{Account, CallError, DatabaseSetup, InstanceMade, Permission};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use understudy_core::plan::{Plan, RdsReadReplica, ReadReplica};
use understudy_core::state::{ReplicaMade, ResourceState, same_database};

/// Statuses in which an instance will not become `available` by itself, and can be deleted (Amazon RDS User Guide,
/// "Viewing Amazon RDS DB instance status", and the API reference of `DeleteDBInstance`).
const FAILED: [&str; 3] = ["failed", "incompatible-restore", "incompatible-network"];

pub(in super::super) struct ReplicaDriver {
    setup: Arc<dyn DatabaseSetup>,
    /// None where the site that is moved to wants none.
    replica: Option<ReadReplica>,
    plan: String,
    step: String,
    region: Option<String>,
}

impl ReplicaDriver {
    pub(in super::super) fn new(
        ports: &StepPorts,
        plan: &Plan,
        step: &RdsReadReplica,
        goal: &Goal,
        region: Option<String>,
    ) -> Self {
        let replica = step.wanted(&goal.to).cloned();
        Self {
            setup: ports.database_setup.clone(),
            region: replica.as_ref().and_then(|replica| replica.region.clone()).or(region),
            replica,
            plan: plan.name.clone(),
            step: step.common.name.clone(),
        }
    }

    // How the replica is known again, by people and by undo.
    fn tags(&self) -> BTreeMap<String, String> {
        setup_tags(&self.plan, &self.step).into_iter().collect()
    }

    fn wanted(&self, replica: &ReadReplica) -> ResourceState {
        ResourceState::DbReadReplica {
            replica: Some(ReplicaMade {
                replica_of: Some(replica.source.clone()),
                made_by: Some(self.plan.clone()),
            }),
        }
    }
}

// Why the identifier can not be used, if so.
fn refusal(replica: &ReadReplica, found: &InstanceMade) -> Option<String> {
    let (id, source) = (&replica.db_instance_identifier, &replica.source);
    let other = match &found.replica_of {
        Some(known) if same_database(known, source) => {
            return (found.status == "deleting").then(|| {
                format!("replica {id} is being deleted; when it is gone, a new one can be made under its identifier")
            });
        }
        Some(known) => format!("a replica of {known}"),
        None => "a database of its own".to_owned(),
    };
    Some(format!(
        "DB instance {id} exists and is {other}, not a replica of {source}: it was left alone. Give the replica another \
         identifier, or delete what is there if nobody needs it"
    ))
}

#[async_trait]
impl Driver for ReplicaDriver {
    fn facts(&self) -> Facts {
        Facts {
            plane: Plane::Control,
            reads: &["rds:DescribeDBInstances"],
            changes: &[
                "rds:CreateDBInstanceReadReplica",
                "rds:AddTagsToResource",
                "rds:DeleteDBInstance",
            ],
        }
    }

    async fn read(&self, goal: &Goal) -> Result<Reading, CallError> {
        let nothing = ResourceState::DbReadReplica { replica: None };
        let Some(replica) = &self.replica else {
            let note = format!("no replica is wanted while {} carries the plan", goal.to);
            return Ok(Reading::of_change(nothing.clone(), nothing).opened(true, note));
        };
        let id = &replica.db_instance_identifier;
        let wanted = self.wanted(replica);
        let Some(found) = self.setup.find(self.region.as_deref(), id).await? else {
            return Ok(Reading::of_change(nothing, wanted));
        };
        let blocked = refusal(replica, &found);
        let waits = not_available(&format!("DB instance {id}"), &found.status);
        let waits = waits.filter(|_| !FAILED.contains(&found.status.as_str()));
        let is_available = waits.is_none() && !FAILED.contains(&found.status.as_str());
        let note = format!("DB instance {id} is {}", found.status);
        let current = ResourceState::DbReadReplica {
            replica: Some(ReplicaMade {
                replica_of: found.replica_of,
                made_by: found.made_by,
            }),
        };
        let reading = Reading::of_change(current, wanted).blocked_by(blocked);
        let reading = reading.held_by(waits);
        Ok(if is_available {
            reading
        } else {
            reading.opened(false, note)
        })
    }

    async fn change(
        &self,
        from: &ResourceState,
        into: &ResourceState,
        _comment: &str,
    ) -> Result<Option<String>, CallError> {
        let (
            Some(replica),
            ResourceState::DbReadReplica { replica: from },
            ResourceState::DbReadReplica { replica: into },
        ) = (&self.replica, from, into)
        else {
            return Err(foreign_state("rds_read_replica"));
        };
        let region = self.region.as_deref();
        match (from, into) {
            (None, Some(_)) => self.setup.create_replica(region, replica, &self.tags()).await?,
            (Some(from), None) => {
                let source = from.replica_of.as_deref().unwrap_or_default();
                let id = &replica.db_instance_identifier;
                self.setup.delete_replica(region, id, source, &self.plan).await?;
            }
            // What is there already is never made into anything else.
            _ => return Err(foreign_state("rds_read_replica")),
        }
        Ok(None)
    }

    fn not_ours(&self, current: &ResourceState, into: &ResourceState) -> Option<String> {
        match (current, into) {
            (
                ResourceState::DbReadReplica { replica: Some(replica) },
                ResourceState::DbReadReplica { replica: None },
            ) => tagged_as_others("the replica", &self.plan, replica.made_by.as_deref()),
            _ => None,
        }
    }

    // Making it names its source, too; deleting it is undo's.
    fn permissions(&self, _goal: &Goal, account: &Account) -> Vec<Permission> {
        let Some(replica) = &self.replica else {
            return Vec::new();
        };
        let (region, create) = (self.region.as_deref(), "rds:CreateDBInstanceReadReplica");
        let own = |action| instance_permission(account, action, region, &replica.db_instance_identifier);
        let source = match replica.source.starts_with("arn:") {
            true => Permission::new(create, &replica.source),
            false => instance_permission(account, create, region, &replica.source),
        };
        let making = [source, own(create), own("rds:AddTagsToResource")];
        let making = making.map(|call| call.with(format!("aws:RequestTag/{TAG}"), &self.plan));
        let deleting = own("rds:DeleteDBInstance").with(format!("aws:ResourceTag/{SETUP_TAG}"), &self.step);
        making.into_iter().chain([deleting]).collect()
    }

    fn calls(&self, _from: &ResourceState, into: &ResourceState) -> Vec<String> {
        let Some(replica) = &self.replica else {
            return Vec::new();
        };
        let id = &replica.db_instance_identifier;
        if matches!(into, ResourceState::DbReadReplica { replica: None }) {
            return vec![format!("rds:DeleteDBInstance {id} without a final snapshot")];
        }
        let stated = [
            ("DBInstanceClass", replica.db_instance_class.clone()),
            ("AvailabilityZone", replica.availability_zone.clone()),
            ("MultiAZ", Some(replica.multi_az.to_string())),
            (
                "AutoMinorVersionUpgrade",
                Some(replica.auto_minor_version_upgrade.to_string()),
            ),
            ("PubliclyAccessible", Some(false.to_string())),
            ("DBSubnetGroupName", replica.db_subnet_group_name.clone()),
            (
                "VpcSecurityGroupIds",
                (!replica.security_groups.is_empty()).then(|| format!("[{}]", replica.security_groups.join(", "))),
            ),
            ("KmsKeyId", replica.kms_key_id.clone()),
        ];
        let stated = stated
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", value?)));
        let tags: BTreeMap<&String, &String> = replica.tags.iter().collect();
        let own = self.tags();
        let tags: BTreeMap<&String, &String> = tags.into_iter().chain(&own).collect();
        vec![format!(
            "rds:CreateDBInstanceReadReplica {id} of {}: {}, Tags={tags:?}",
            replica.source,
            stated.collect::<Vec<_>>().join(", ")
        )]
    }
}
