//! Steps at load balancers.

use super::{StepCommon, StepKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Weights of the forward action of one listener or one rule. Other actions are preserved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ElbWeights {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The listener whose default action is changed. Either this or `rule_arn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:listener/.+$"))]
    pub listener_arn: Option<String>,
    /// The rule whose action is changed. Either this or `listener_arn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:listener-rule/.+$"))]
    pub rule_arn: Option<String>,
    /// The target group of each site.
    #[schemars(extend("minProperties" = 2, "additionalProperties" = {
        "type": "string",
        "pattern": r"^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:targetgroup/.+$"
    }))]
    pub target_groups: BTreeMap<String, String>,
    /// The weight of a site's group while that site is active; the others get 0. Without it: 100.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("additionalProperties" = {"type": "integer", "minimum": 1, "maximum": 999}))]
    pub weights: BTreeMap<String, u32>,
}

impl StepKind for ElbWeights {
    fn resources_of(&self, site: &str) -> Vec<&str> {
        self.target_groups.get(site).map(String::as_str).into_iter().collect()
    }

    fn shared_resources(&self) -> Vec<&str> {
        self.listener_arn
            .iter()
            .chain(&self.rule_arn)
            .map(String::as_str)
            .collect()
    }
}

/// The targets of one target group: the destination's are registered, and once they are healthy, the source's are
/// deregistered. Targets that the plan does not name stay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ElbTargets {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The target group.
    #[schemars(regex(pattern = r"^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:targetgroup/.+$"))]
    pub target_group_arn: String,
    /// The targets of each site.
    #[schemars(extend("minProperties" = 2, "additionalProperties" = {
        "type": "array", "minItems": 1, "maxItems": 100,
        "items": {
            "type": "object", "required": ["id", "port"], "additionalProperties": false,
            "properties": {
                "id": {"type": "string", "pattern": r"^(i-[0-9a-f]{8,17}|[0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9a-f:]{2,39})$"},
                "port": {"type": "integer", "minimum": 1, "maximum": 65535}
            }
        }
    }))]
    pub targets: BTreeMap<String, Vec<TargetId>>,
}

/// A target of a target group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct TargetId {
    /// The instance, or the IP address within the VPC.
    pub id: String,
    /// The port on which it gets requests.
    pub port: u16,
}

impl StepKind for ElbTargets {
    fn resources_of(&self, site: &str) -> Vec<&str> {
        let targets = self.targets.get(site).into_iter().flatten();
        targets.map(|target| target.id.as_str()).collect()
    }

    fn shared_resources(&self) -> Vec<&str> {
        vec![&self.target_group_arn]
    }
}
