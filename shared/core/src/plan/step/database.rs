//! Steps at RDS and Aurora: which database takes the writes.
//!
//! | kind | moves | loses data |
//! |---|---|---|
//! | `rds_reboot_failover` | a Multi-AZ instance to its standby in another zone | no: the standby is synchronous |
//! | `rds_cluster_failover` | the writer of an Aurora or Multi-AZ cluster to another member | no: they share their storage, or commit together |
//! | `rds_global` | the writer of an Aurora Global Database to another Region | switchover (planned) no, failover (unplanned) yes |
//! | `rds_promote_replica` | a read replica becomes a database of its own | yes, unless the source was fenced and the replica has caught up |
//!
//! `fence_source` cuts writes to the old side first, so that no client writes into a database that nobody reads;
//! `open_destination` takes away the fence that an earlier move put around the side that is now wanted again.

use super::{Reversibility, StepCommon, StepKind, When};
use crate::execution::Style;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A DB instance, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct DbInstanceRef {
    /// Its identifier.
    #[schemars(regex(pattern = r"^[a-zA-Z][a-zA-Z0-9-]{0,62}$"))]
    pub db_instance_identifier: String,
    /// Its Region, if it is not the step's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z]{2}(-[a-z]+)+-[0-9]$"))]
    pub region: Option<String>,
}

/// Fails a Multi-AZ instance over to its standby, by rebooting it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RdsRebootFailover {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The instance. It must be Multi-AZ.
    #[schemars(regex(pattern = r"^[a-zA-Z][a-zA-Z0-9-]{0,62}$"))]
    pub db_instance_identifier: String,
    /// The Availability Zone of each site. The instance is rebooted only if it is not in the destination's zone.
    #[schemars(extend("minProperties" = 2, "additionalProperties" = {
        "type": "string", "pattern": r"^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$"
    }))]
    pub zones: BTreeMap<String, String>,
}

/// Makes another member the writer of an Aurora or Multi-AZ DB cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RdsClusterFailover {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The cluster.
    #[schemars(regex(pattern = r"^[a-zA-Z][a-zA-Z0-9-]{0,62}$"))]
    pub db_cluster_identifier: String,
    /// The member that is the writer while a site is active.
    #[schemars(extend("minProperties" = 2, "additionalProperties" = {
        "type": "string", "pattern": r"^[a-zA-Z][a-zA-Z0-9-]{0,62}$"
    }))]
    pub writers: BTreeMap<String, String>,
}

/// Makes another Region's cluster the primary of an Aurora Global Database: by switchover where the move is planned
/// (nothing is lost), by failover with data loss where it is not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RdsGlobal {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The global database.
    #[schemars(regex(pattern = r"^[a-zA-Z][a-zA-Z0-9-]{0,62}$"))]
    pub global_cluster_identifier: String,
    /// The ARN of each site's cluster.
    #[schemars(extend("minProperties" = 2, "additionalProperties" = {
        "type": "string", "pattern": r"^arn:aws[a-z-]*:rds:[a-z0-9-]+:[0-9]{12}:cluster:.+$"
    }))]
    pub clusters: BTreeMap<String, String>,
}

/// Promotes the destination's read replica to a database of its own. It can not be taken back: the way home is a new
/// replica on the old side, and a promotion of that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RdsPromoteReplica {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The instance of each site. The destination's must be a replica of the source's when the step begins.
    #[schemars(extend("minProperties" = 2))]
    pub instances: BTreeMap<String, DbInstanceRef>,
}

/// Cuts writes to the source's database: its security groups are exchanged for one that lets nobody in, and the instance
/// is restarted behind it, since connections that are open outlive their security group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct FenceSource {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// How the writes are cut.
    #[serde(default)]
    pub by: FenceBy,
    /// The database of each site.
    #[schemars(extend("minProperties" = 2))]
    pub databases: BTreeMap<String, FencedDatabase>,
}

/// How writes to a database are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FenceBy {
    /// Its security groups are exchanged for one that lets nobody in, and it is restarted behind it.
    #[default]
    SecurityGroup,
    /// It is stopped. RDS stops none that is or has a read replica, and starts it again by itself after seven days.
    Stop,
}

/// Lets clients into the destination's database: the opposite of a fence that an earlier move left there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct OpenDestination {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// How the fence was made that is taken away.
    #[serde(default)]
    pub by: FenceBy,
    /// The database of each site.
    #[schemars(extend("minProperties" = 2))]
    pub databases: BTreeMap<String, FencedDatabase>,
}

/// A database that can be fenced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct FencedDatabase {
    /// The DB instance.
    #[schemars(regex(pattern = r"^[a-zA-Z][a-zA-Z0-9-]{0,62}$"))]
    pub db_instance_identifier: String,
    /// Its Region, if it is not the step's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z]{2}(-[a-z]+)+-[0-9]$"))]
    pub region: Option<String>,
    /// The security groups that let its clients in. Needed where it is fenced by a security group, and only there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16), inner(regex(pattern = r"^sg-[0-9a-f]{8,17}$")))]
    pub security_groups: Vec<String>,
    /// A security group of the same VPC that lets nobody in. A replica of another database may need to be let in.
    /// Needed where it is fenced by a security group, and only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^sg-[0-9a-f]{8,17}$"))]
    pub fence_group: Option<String>,
}

impl StepKind for RdsRebootFailover {
    fn warning(&self) -> Option<(&'static str, String)> {
        let why = "a failover by reboot takes one to two minutes, and longer behind large transactions";
        self.common.warns_of_less_than(300, why)
    }

    fn reversibility(&self) -> Reversibility {
        Reversibility::Compensable
    }

    fn shared_resources(&self) -> Vec<&str> {
        vec![&self.db_instance_identifier]
    }
}

impl StepKind for RdsClusterFailover {
    fn reversibility(&self) -> Reversibility {
        Reversibility::Compensable
    }

    fn resources_of(&self, site: &str) -> Vec<&str> {
        self.writers.get(site).map(String::as_str).into_iter().collect()
    }

    fn shared_resources(&self) -> Vec<&str> {
        vec![&self.db_cluster_identifier]
    }
}

impl StepKind for RdsGlobal {
    fn warning(&self) -> Option<(&'static str, String)> {
        let why = "a switchover or failover between Regions takes several minutes";
        self.common.warns_of_less_than(600, why)
    }

    fn reversibility(&self) -> Reversibility {
        Reversibility::Compensable
    }

    fn is_lossy(&self, style: Style) -> bool {
        style == Style::Unplanned
    }

    fn resources_of(&self, site: &str) -> Vec<&str> {
        self.clusters.get(site).map(String::as_str).into_iter().collect()
    }

    fn shared_resources(&self) -> Vec<&str> {
        vec![&self.global_cluster_identifier]
    }
}

impl StepKind for RdsPromoteReplica {
    fn warning(&self) -> Option<(&'static str, String)> {
        let why = "a promotion restarts the replica and takes several minutes, and none is begun during a backup";
        self.common.warns_of_less_than(600, why)
    }

    fn reversibility(&self) -> Reversibility {
        Reversibility::Irreversible
    }

    fn is_lossy(&self, style: Style) -> bool {
        // In a planned move it waits until the replica has caught up with a source that is fenced.
        style == Style::Unplanned
    }

    fn resources_of(&self, site: &str) -> Vec<&str> {
        let instance = self.instances.get(site);
        instance
            .map(|instance| instance.db_instance_identifier.as_str())
            .into_iter()
            .collect()
    }
}

impl StepKind for FenceSource {
    fn warning(&self) -> Option<(&'static str, String)> {
        if self.by == FenceBy::Stop {
            let why = "RDS starts a stopped database again after seven days, and then it takes writes: until then, fence it \
                       otherwise or delete it";
            return Some(("by", why.to_owned()));
        }
        let is_asked_of_the_lost = self.common.when != When::Planned;
        (is_asked_of_the_lost && self.common.on_failure != super::OnFailure::Continue)
            .then(|| {
                (
                    "on_failure",
                    "where the source's Region is down its database can not be fenced, and the move fails here. With \
                 `continue` it goes on, and what the old side still takes is lost"
                        .to_owned(),
                )
            })
            .or_else(|| {
                let why = "behind its fence the database is restarted, which takes minutes";
                let must_hold = self.common.on_failure != super::OnFailure::Continue;
                self.common.warns_of_less_than(300, why).filter(|_| must_hold)
            })
    }

    fn resources_of(&self, site: &str) -> Vec<&str> {
        let database = self.databases.get(site);
        database
            .map(|database| database.db_instance_identifier.as_str())
            .into_iter()
            .collect()
    }
}

impl StepKind for OpenDestination {
    fn resources_of(&self, site: &str) -> Vec<&str> {
        let database = self.databases.get(site);
        database
            .map(|database| database.db_instance_identifier.as_str())
            .into_iter()
            .collect()
    }
}
