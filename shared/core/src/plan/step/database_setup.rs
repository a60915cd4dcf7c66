//! Steps that make databases ready to be moved: a read replica, a standby in another zone, and word of what happens to them.
//!
//! All stand in the set-up of a plan. A replica also stands in a move: after a promotion the new primary has nobody to
//! fail over to, until a replica of it protects it again.

use super::{Reversibility, StepCommon, StepKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The shortest time for a replica that is not warned about, in seconds: it is made from a snapshot of its source, which
/// takes from some minutes to hours.
const REPLICA_SAFE_TIMEOUT_SECONDS: u32 = 1800;

/// The shortest time for a conversion to Multi-AZ that is not warned about, in seconds: the standby is made from a
/// snapshot too.
const MULTI_AZ_SAFE_TIMEOUT_SECONDS: u32 = 1200;

/// Makes a read replica: always the same one (`replica`), or the one that is wanted while a site carries the plan
/// (`replicas`), which protects a database again that was promoted.
///
/// Undone, only a replica is deleted that this plan made, as its tag `understudy` says, and that still replicates the
/// same source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RdsReadReplica {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The replica, whichever site carries the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica: Option<ReadReplica>,
    /// The replica that is wanted while a site carries the plan. For a site that is not named there is nothing to do.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub replicas: BTreeMap<String, ReadReplica>,
}

/// A read replica as it is made. It is never publicly accessible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ReadReplica {
    /// The replica's identifier.
    #[schemars(regex(pattern = r"^[a-zA-Z][a-zA-Z0-9-]{0,62}$"))]
    pub db_instance_identifier: String,
    /// The DB instance that it replicates: its identifier, or its ARN where it is in another Region.
    #[schemars(regex(
        pattern = r"^([a-zA-Z][a-zA-Z0-9-]{0,62}|arn:aws[a-z-]*:rds:[a-z0-9-]+:[0-9]{12}:db:[a-zA-Z][a-zA-Z0-9-]{0,62})$"
    ))]
    pub source: String,
    /// The Region in which it is made, if it is not the step's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z]{2}(-[a-z]+)+-[0-9]$"))]
    pub region: Option<String>,
    /// Its class, such as `db.t3.micro`. Without it: that of its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^db\.[a-z0-9-]+(\.[a-z0-9-]+)*$"))]
    pub db_instance_class: Option<String>,
    /// Its Availability Zone. Without it, RDS chooses one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$"))]
    pub availability_zone: Option<String>,
    /// Whether it has a standby of its own in another zone.
    #[serde(default)]
    pub multi_az: bool,
    /// Whether it takes minor versions in its maintenance window by itself.
    #[serde(default = "yes")]
    pub auto_minor_version_upgrade: bool,
    /// Its subnet group. A replica in another Region needs one there, unless it shall be in the default VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub db_subnet_group_name: Option<String>,
    /// Its security groups. Without them: the default one of its VPC.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(regex(pattern = r"^sg-[0-9a-f]{8,17}$")))]
    pub security_groups: Vec<String>,
    /// The key of its Region that encrypts its storage: needed where an encrypted source is in another Region. In the
    /// same Region a replica has the key of its source. The key's policy must let the executor's role use it
    /// (`kms:CreateGrant`, `kms:DescribeKey`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub kms_key_id: Option<String>,
    /// Further tags, beside `understudy` (the plan) and `understudy-setup` (the step).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 40, "additionalProperties" = {"type": "string", "maxLength": 256}))]
    pub tags: BTreeMap<String, String>,
}

/// Gives a DB instance a synchronous standby in another zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RdsMultiAz {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The instance.
    #[schemars(regex(pattern = r"^[a-zA-Z][a-zA-Z0-9-]{0,62}$"))]
    pub db_instance_identifier: String,
    /// Whether it is done at once. Without it, it waits for the instance's maintenance window, and the step is done as
    /// soon as RDS has it on its list.
    #[serde(default)]
    pub apply_immediately: bool,
}

/// Has RDS tell the plan's topic (`topic_arn`, or else that of Understudy's own stack, if it is in the step's Region) what
/// happens to databases: that one fails over, fails, or runs out of storage. No metric says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RdsEventSubscription {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The subscription's name, unique in its Region.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,253}$"))]
    pub subscription_name: String,
    /// What the databases are.
    #[serde(default)]
    pub source: EventSource,
    /// Their identifiers. They can not be changed afterwards.
    #[schemars(length(min = 1, max = 50), inner(regex(pattern = r"^[a-zA-Z][a-zA-Z0-9-]{0,62}$")))]
    pub source_ids: Vec<String>,
    /// The events that are told. Without it: what bears on failing over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 11))]
    pub categories: Vec<EventCategory>,
}

/// What the databases are that events are told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventSource {
    /// DB instances.
    #[default]
    DbInstance,
    /// DB clusters: Aurora's, and Multi-AZ ones.
    DbCluster,
}

/// A category of events, as RDS has it (Amazon RDS User Guide, "Amazon RDS event categories and event messages").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventCategory {
    /// It shuts down, restarts, can not start.
    Availability,
    /// Settings are changed.
    ConfigurationChange,
    /// It is made.
    Creation,
    /// It is deleted.
    Deletion,
    /// It fails over, or a failover does not come about.
    Failover,
    /// It has failed.
    Failure,
    /// Its storage runs out.
    LowStorage,
    /// Maintenance begins and ends.
    Maintenance,
    /// What RDS wants to be known.
    Notification,
    /// Replication ends, breaks, goes on.
    ReadReplica,
    /// It is recovered.
    Recovery,
}

impl EventSource {
    /// As RDS spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DbInstance => "db-instance",
            Self::DbCluster => "db-cluster",
        }
    }

    /// Whether there are such events of such databases.
    pub fn has(self, category: EventCategory) -> bool {
        use EventCategory::{Availability, LowStorage, ReadReplica, Recovery};
        match self {
            Self::DbInstance => true,
            Self::DbCluster => !matches!(category, Availability | LowStorage | ReadReplica | Recovery),
        }
    }
}

impl EventCategory {
    /// As RDS spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Availability => "availability",
            Self::ConfigurationChange => "configuration change",
            Self::Creation => "creation",
            Self::Deletion => "deletion",
            Self::Failover => "failover",
            Self::Failure => "failure",
            Self::LowStorage => "low storage",
            Self::Maintenance => "maintenance",
            Self::Notification => "notification",
            Self::ReadReplica => "read replica",
            Self::Recovery => "recovery",
        }
    }
}

impl RdsEventSubscription {
    /// The events that are told.
    pub fn told(&self) -> Vec<EventCategory> {
        use EventCategory::{Availability, Deletion, Failover, Failure, LowStorage, ReadReplica, Recovery};
        if !self.categories.is_empty() {
            return self.categories.clone();
        }
        let matter = [
            Availability,
            Deletion,
            Failover,
            Failure,
            LowStorage,
            ReadReplica,
            Recovery,
        ];
        matter
            .into_iter()
            .filter(|category| self.source.has(*category))
            .collect()
    }
}

impl StepKind for RdsEventSubscription {
    fn is_setup(&self) -> bool {
        true
    }

    fn shared_resources(&self) -> Vec<&str> {
        vec![&self.subscription_name]
    }
}

impl RdsReadReplica {
    /// The replica that is wanted while `site` carries the plan.
    pub fn wanted(&self, site: &str) -> Option<&ReadReplica> {
        self.replica.as_ref().or_else(|| self.replicas.get(site))
    }

    /// The step as it is made while `site` carries the plan, and is to be taken back whichever site does then.
    pub fn made_at(&self, site: &str) -> Self {
        Self {
            common: self.common.clone(),
            replica: self.wanted(site).cloned(),
            replicas: BTreeMap::new(),
        }
    }
}

impl StepKind for RdsReadReplica {
    /// What is deleted is lost, though it was only a copy.
    fn reversibility(&self) -> Reversibility {
        Reversibility::Compensable
    }

    fn warning(&self) -> Option<(&'static str, String)> {
        too_short(&self.common, REPLICA_SAFE_TIMEOUT_SECONDS, "a replica")
    }

    fn is_setup(&self) -> bool {
        true
    }

    fn resources_of(&self, site: &str) -> Vec<&str> {
        let replica = self.wanted(site);
        replica
            .map(|replica| replica.db_instance_identifier.as_str())
            .into_iter()
            .collect()
    }
}

impl StepKind for RdsMultiAz {
    fn warning(&self) -> Option<(&'static str, String)> {
        self.apply_immediately
            .then(|| too_short(&self.common, MULTI_AZ_SAFE_TIMEOUT_SECONDS, "a standby"))
            .flatten()
    }

    fn is_setup(&self) -> bool {
        true
    }

    fn shared_resources(&self) -> Vec<&str> {
        vec![&self.db_instance_identifier]
    }
}

fn too_short(common: &StepCommon, least: u32, what: &str) -> Option<(&'static str, String)> {
    (common.timeout_seconds < least).then(|| {
        let message = format!(
            "{what} is made from a snapshot, which takes from some minutes to hours; {} seconds are likely to end before \
             that, and what was begun is then taken back. Give it at least {least}",
            common.timeout_seconds
        );
        ("timeout_seconds", message)
    })
}

fn yes() -> bool {
    true
}
