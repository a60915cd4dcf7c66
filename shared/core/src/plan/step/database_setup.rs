//! Steps that make databases ready to be moved: a read replica, a standby in another zone.
//!
//! Both stand in the set-up of a plan. A replica also stands in a move: after a promotion the new primary has nobody to
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
    /// Further tags, beside `understudy` (the plan) and `understudy-step` (the step).
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

impl RdsReadReplica {
    /// The replica that is wanted while `site` carries the plan.
    pub fn wanted(&self, site: &str) -> Option<&ReadReplica> {
        self.replica.as_ref().or_else(|| self.replicas.get(site))
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
