//! Steps at load balancers.

use super::{StepCommon, StepKind};
use crate::execution::Style;
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
#[schemars(deny_unknown_fields, transform = default_timeout_of_targets)]
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

impl ElbTargets {
    /// The kind, as plan files spell it.
    pub(in crate::plan) const KIND: &'static str = "elb_targets";
    /// How long such a step may take where the plan does not say. Elastic Load Balancing lets a deregistered target
    /// drain for 300 seconds by default, idle or not, and a new one needs its first health check before.
    pub(in crate::plan) const TIMEOUT_SECONDS: u32 = 420;

    /// What is to spare beside the draining: for the first health check of the new targets, and for looking.
    const BESIDE_DRAINING_SECONDS: u32 = 60;

    /// Why the step has too little time for old targets that drain so long, if it waits for them at all.
    pub fn too_short_to_drain(&self, delay_seconds: u32) -> Option<String> {
        let least = delay_seconds.saturating_add(Self::BESIDE_DRAINING_SECONDS);
        let waits = self.common.when.includes(Style::Planned);
        (waits && self.common.timeout_seconds < least).then(|| {
            format!(
                "target group {} lets old targets drain for {delay_seconds} seconds (deregistration_delay.timeout_seconds), \
                 which a planned move waits for, and the step has {} seconds in all: it would fail and be undone. Give it at \
                 least {least} seconds, or shorten the delay",
                self.target_group_arn, self.common.timeout_seconds
            )
        })
    }
}

// Editors show the default that this kind really has.
fn default_timeout_of_targets(schema: &mut schemars::Schema) {
    if let Some(timeout) = schema.pointer_mut("/properties/timeout_seconds") {
        timeout["default"] = ElbTargets::TIMEOUT_SECONDS.into();
    }
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

/// The health check of a target group. What is not stated stays as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct TargetGroupHealth {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The target group.
    #[schemars(regex(pattern = r"^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:targetgroup/.+$"))]
    pub target_group_arn: String,
    /// How a target is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<CheckProtocol>,
    /// At which port: a number, or `traffic-port` for the one at which it gets requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(traffic-port|[0-9]{1,5})$"))]
    pub port: Option<String>,
    /// For which path, by HTTP or HTTPS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024), regex(pattern = r"^/"))]
    pub path: Option<String>,
    /// How often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 5, max = 300))]
    pub interval_seconds: Option<u32>,
    /// How long an answer may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 120))]
    pub answer_seconds: Option<u32>,
    /// How many good answers in a row make it healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 10))]
    pub healthy_threshold: Option<u32>,
    /// How many bad ones in a row make it unhealthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 10))]
    pub unhealthy_threshold: Option<u32>,
    /// Which answers are good: codes and ranges of HTTP, such as 200,302 or 200-299; of gRPC, 0 to 99.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,3}(-[0-9]{1,3})?(,[0-9]{1,3}(-[0-9]{1,3})?)*$"))]
    pub matcher: Option<String>,
}

/// How a health check asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum CheckProtocol {
    /// HTTP.
    Http,
    /// HTTPS. The certificate is not looked at.
    Https,
    /// A TCP connection, which is enough. Not for target groups of an Application Load Balancer.
    Tcp,
}

impl CheckProtocol {
    /// As Elastic Load Balancing spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Https => "HTTPS",
            Self::Tcp => "TCP",
        }
    }
}

impl StepKind for TargetGroupHealth {
    fn is_setup(&self) -> bool {
        true
    }

    fn shared_resources(&self) -> Vec<&str> {
        vec![&self.target_group_arn]
    }
}
