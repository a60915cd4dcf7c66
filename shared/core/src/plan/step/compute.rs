//! Steps at Auto Scaling groups, instances and addresses.

use super::{Reversibility, StepCommon, StepKind};
use crate::state::RaisedGroup;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The destination's Auto Scaling group is brought to a share of the source's before traffic comes. Never down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AsgCapacity {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The name of each site's Auto Scaling group.
    #[schemars(extend("minProperties" = 2, "additionalProperties" = {"type": "string", "minLength": 1, "maxLength": 255}))]
    pub groups: BTreeMap<String, String>,
    /// How many instances the destination's group gets for each hundred that are in service in the source's. Where
    /// the source no longer works, its desired capacity counts if that is more.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    pub percent: u32,
    /// The fewest instances that the destination's group gets, also where the source's group can not be read.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10000))]
    pub minimum: u32,
    /// Whether the group's maximum may be raised. Without it, a group that is too small by its maximum fails the step.
    #[serde(default)]
    pub raise_max: bool,
    /// The Region of a site's group, where it is not the step's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("additionalProperties" = {"type": "string", "pattern": r"^[a-z]{2}(-[a-z]+)+-[0-9]$"}))]
    pub regions: BTreeMap<String, String>,
    /// Not of plan files: in the executions that come home, Understudy adds a step that gives back what an earlier one
    /// has raised ([`Plan::giving_back`](super::super::Plan::giving_back)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub gives_back: Option<RaisedGroup>,
}

/// The subnets, and so the zones, in which one Auto Scaling group keeps its instances.
///
/// The destination's subnets are in its list, those of the other sites are not, and subnets that the plan does not
/// name stay. A site that stands for all zones lists them all: sites may share subnets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AsgZones {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The group's name.
    #[schemars(length(min = 1, max = 255))]
    pub auto_scaling_group_name: String,
    /// The subnets of each site.
    #[schemars(extend("minProperties" = 2, "additionalProperties" = {
        "type": "array", "minItems": 1, "maxItems": 50,
        "items": {"type": "string", "pattern": r"^subnet-[0-9a-f]{8,17}$"}
    }))]
    pub subnets: BTreeMap<String, Vec<String>>,
}

/// Instances that are started, or stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Ec2Instance {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The instances of each site.
    #[schemars(extend("minProperties" = 2, "additionalProperties" = {
        "type": "array", "minItems": 1, "maxItems": 100,
        "items": {"type": "string", "pattern": r"^i-[0-9a-f]{8,17}$"}
    }))]
    pub instances: BTreeMap<String, Vec<String>>,
    /// What is done. Starting belongs before the steps that move traffic, stopping after them.
    #[serde(default)]
    pub action: InstanceAction,
    /// The Region of a site's instances, where it is not the step's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("additionalProperties" = {"type": "string", "pattern": r"^[a-z]{2}(-[a-z]+)+-[0-9]$"}))]
    pub regions: BTreeMap<String, String>,
}

/// What is done with instances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InstanceAction {
    /// The destination's run, and have passed both status checks.
    #[default]
    Start,
    /// The source's are stopped: in planned moves only.
    Stop,
}

/// An Elastic IP address that moves from the source's instance or network interface to the destination's.
///
/// It is never taken from anybody else: an address that is associated with what the plan does not name stays there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ElasticIp {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The address.
    #[schemars(regex(pattern = r"^eipalloc-[0-9a-f]{8,17}$"))]
    pub allocation_id: String,
    /// The instance or the network interface of each site.
    #[schemars(extend("minProperties" = 2, "additionalProperties" = {
        "type": "string", "pattern": r"^(i|eni)-[0-9a-f]{8,17}$"
    }))]
    pub targets: BTreeMap<String, String>,
}

impl StepKind for AsgCapacity {
    fn resources_of(&self, site: &str) -> Vec<&str> {
        self.groups.get(site).map(String::as_str).into_iter().collect()
    }
}

impl StepKind for AsgZones {
    fn shared_resources(&self) -> Vec<&str> {
        vec![&self.auto_scaling_group_name]
    }
}

impl StepKind for Ec2Instance {
    fn warning(&self) -> Option<(&'static str, String)> {
        let why = "an instance that is started passes its status checks after several minutes";
        let starts = self.action == InstanceAction::Start;
        self.common.warns_of_less_than(300, why).filter(|_| starts)
    }

    /// Started again, a stopped instance has lost what was on its instance store and in its memory.
    fn reversibility(&self) -> Reversibility {
        Reversibility::Compensable
    }

    fn resources_of(&self, site: &str) -> Vec<&str> {
        self.instances
            .get(site)
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect()
    }
}

impl StepKind for ElasticIp {
    fn resources_of(&self, site: &str) -> Vec<&str> {
        self.targets.get(site).map(String::as_str).into_iter().collect()
    }

    fn shared_resources(&self) -> Vec<&str> {
        vec![&self.allocation_id]
    }
}

fn hundred() -> u32 {
    100
}

fn one() -> u32 {
    1
}
