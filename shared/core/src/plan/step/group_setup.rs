//! Steps that make Auto Scaling groups ready: where they launch, how they judge their instances, and how they grow.

use super::{StepCommon, StepKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Adjusts an Auto Scaling group. What is not named stays as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AsgSettings {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The group's name.
    #[schemars(length(min = 1, max = 255))]
    pub auto_scaling_group_name: String,
    /// All its subnets, for a group that is placed by subnets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(regex(pattern = r"^subnet-[0-9a-f]{8,17}$")))]
    pub subnets: Vec<String>,
    /// All its Availability Zones, for a group that is placed by zones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(regex(pattern = r"^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$")))]
    pub availability_zones: Vec<String>,
    /// By what the group judges its instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check_type: Option<HealthCheckType>,
    /// How long a new instance is not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 86400))]
    pub health_check_grace_seconds: Option<u32>,
    /// How long a simple scaling policy waits after an activity before it begins another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 86400))]
    pub default_cooldown_seconds: Option<u32>,
}

/// By what an Auto Scaling group judges its instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthCheckType {
    /// EC2's status checks alone.
    Ec2,
    /// Those, and the health checks of the load balancers' target groups.
    Elb,
}

/// Gives an Auto Scaling group a step scaling policy that changes its capacity by a number of instances. An alarm that
/// names it sets it off, whichever way the metric crosses the alarm's threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AsgScalingPolicy {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The group's name.
    #[schemars(length(min = 1, max = 255))]
    pub auto_scaling_group_name: String,
    /// The policy's name, unique in its group. A policy of this name is replaced.
    #[schemars(length(min = 1, max = 255))]
    pub policy_name: String,
    /// How many instances are added, or (below zero) taken away.
    #[schemars(range(min = -1000, max = 1000))]
    pub adjustment: i32,
    /// How long a new instance does not count towards the metric. Without it: the group's own default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 86400))]
    pub warmup_seconds: Option<u32>,
}

impl HealthCheckType {
    /// The type as Auto Scaling spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ec2 => "EC2",
            Self::Elb => "ELB",
        }
    }
}

impl StepKind for AsgSettings {
    fn is_setup(&self) -> bool {
        true
    }

    fn shared_resources(&self) -> Vec<&str> {
        vec![&self.auto_scaling_group_name]
    }
}

impl StepKind for AsgScalingPolicy {
    fn is_setup(&self) -> bool {
        true
    }

    fn shared_resources(&self) -> Vec<&str> {
        vec![&self.auto_scaling_group_name, &self.policy_name]
    }
}
