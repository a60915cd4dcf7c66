//! How Auto Scaling groups are set up: their settings and their scaling policies.

use super::parameters;
use crate::plan::{AsgScalingPolicy, AsgSettings, HealthCheckType};
use serde::{Deserialize, Serialize};

/// Settings of an Auto Scaling group, as far as somebody speaks of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSettings {
    /// Its subnets, in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnets: Option<Vec<String>>,
    /// Its Availability Zones, in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability_zones: Option<Vec<String>>,
    /// By what it judges its instances: `EC2`, `ELB`, or several with commas between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check_type: Option<String>,
    /// How long a new instance is not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check_grace_seconds: Option<u32>,
    /// How long a simple scaling policy waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_cooldown_seconds: Option<u32>,
}

/// A scaling policy, whole: putting one replaces all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScalingPolicy {
    /// `StepScaling` or `SimpleScaling`.
    pub policy_type: String,
    /// `ChangeInCapacity`, `ExactCapacity`, `PercentChangeInCapacity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adjustment_type: Option<String>,
    /// The fewest instances that a change in percent adds or takes away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_adjustment_magnitude: Option<i32>,
    /// The change of a simple policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling_adjustment: Option<i32>,
    /// The cooldown of a simple policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown_seconds: Option<i32>,
    /// The steps of a step policy, from the lowest to the highest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<ScalingStep>,
    /// How a step policy puts the datapoints of its metric together: `Average`, `Minimum`, `Maximum`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric_aggregation_type: Option<String>,
    /// How long a new instance does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_seconds: Option<i32>,
    /// Whether it is in force.
    pub is_enabled: bool,
    /// A kind of policy that Understudy does not carry: such a policy is never changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsupported: Option<String>,
}

/// One step of a scaling policy. Bounds are distances from the alarm's threshold, decimal numbers as text, so that they
/// compare exactly; none is without end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScalingStep {
    /// From here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower_bound: Option<String>,
    /// To here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper_bound: Option<String>,
    /// The change.
    pub adjustment: i32,
}

impl GroupSettings {
    /// What `other` speaks of too.
    pub fn only(&self, other: &Self) -> Self {
        fn kept<T: Clone>(mine: &Option<T>, theirs: &Option<T>) -> Option<T> {
            theirs.as_ref().and(mine.clone())
        }
        Self {
            subnets: kept(&self.subnets, &other.subnets),
            availability_zones: kept(&self.availability_zones, &other.availability_zones),
            health_check_type: kept(&self.health_check_type, &other.health_check_type),
            health_check_grace_seconds: kept(&self.health_check_grace_seconds, &other.health_check_grace_seconds),
            default_cooldown_seconds: kept(&self.default_cooldown_seconds, &other.default_cooldown_seconds),
        }
    }

    /// One line for people.
    pub fn sentence(&self) -> String {
        let list = |what: &str, items: &Option<Vec<String>>| {
            items.as_ref().map(|items| format!("{what} {}", items.join(", ")))
        };
        let seconds = |what: &str, value: Option<u32>| value.map(|value| format!("{what} {value} s"));
        let parts = [
            list("in", &self.subnets),
            list("in", &self.availability_zones),
            self.health_check_type
                .as_ref()
                .map(|by| format!("health checks by {by}")),
            seconds("grace", self.health_check_grace_seconds),
            seconds("cooldown", self.default_cooldown_seconds),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}

impl ScalingPolicy {
    /// One line for people.
    pub fn sentence(&self) -> String {
        if let Some(what) = &self.unsupported {
            return format!("a {what} policy");
        }
        let changes: Vec<String> = match self.scaling_adjustment {
            Some(change) => vec![format!("{change:+}")],
            None => self.steps.iter().map(ScalingStep::sentence).collect(),
        };
        let how = self.adjustment_type.as_deref().unwrap_or("no adjustment");
        let enabled = if self.is_enabled { "" } else { ", not in force" };
        format!("{} {how} {}{enabled}", self.policy_type, changes.join(", "))
    }

    /// All that `PutScalingPolicy` is told of it: it replaces a policy whole.
    pub fn parameters(&self) -> String {
        let number = |number: Option<i32>| number.map(|number| number.to_string());
        let steps: Vec<String> = self.steps.iter().map(ScalingStep::sentence).collect();
        parameters([
            ("PolicyType", Some(self.policy_type.clone())),
            ("AdjustmentType", self.adjustment_type.clone()),
            ("MinAdjustmentMagnitude", number(self.min_adjustment_magnitude)),
            ("ScalingAdjustment", number(self.scaling_adjustment)),
            ("Cooldown", number(self.cooldown_seconds)),
            (
                "StepAdjustments",
                (!steps.is_empty()).then(|| format!("[{}]", steps.join(", "))),
            ),
            ("MetricAggregationType", self.metric_aggregation_type.clone()),
            ("EstimatedInstanceWarmup", number(self.warmup_seconds)),
            ("Enabled", Some(self.is_enabled.to_string())),
        ])
    }
}

impl ScalingStep {
    fn sentence(&self) -> String {
        let bound = |bound: &Option<String>, none: &str| bound.clone().unwrap_or_else(|| none.to_owned());
        format!(
            "{:+} from {} to {}",
            self.adjustment,
            bound(&self.lower_bound, "-∞"),
            bound(&self.upper_bound, "∞")
        )
    }
}

/// The settings that the step names, as they shall be, given all that are.
///
/// A group that judges its instances by load balancers and something else besides does so already.
pub fn wanted_settings(step: &AsgSettings, current: &GroupSettings) -> GroupSettings {
    let ordered = |items: &[String]| {
        let mut items = items.to_vec();
        items.sort();
        items.dedup();
        (!items.is_empty()).then_some(items)
    };
    let kept = current.health_check_type.as_deref().filter(|found| {
        let asked = HealthCheckType::Elb.as_str();
        step.health_check_type == Some(HealthCheckType::Elb) && found.split(',').any(|one| one.trim() == asked)
    });
    GroupSettings {
        subnets: ordered(&step.subnets),
        availability_zones: ordered(&step.availability_zones),
        health_check_type: step.health_check_type.map(|by| kept.unwrap_or(by.as_str()).to_owned()),
        health_check_grace_seconds: step.health_check_grace_seconds,
        default_cooldown_seconds: step.default_cooldown_seconds,
    }
}

/// The policy as it shall be.
///
/// Bounds are relative to the alarm's threshold, and no step may be without both (API reference of `StepAdjustment`): one
/// step below the threshold and one from there on hold for alarms of either direction.
pub fn wanted_policy(step: &AsgScalingPolicy) -> ScalingPolicy {
    let at_threshold = || Some("0".to_owned());
    let adjustment = step.adjustment;
    ScalingPolicy {
        policy_type: "StepScaling".into(),
        adjustment_type: Some("ChangeInCapacity".into()),
        steps: vec![
            ScalingStep {
                lower_bound: None,
                upper_bound: at_threshold(),
                adjustment,
            },
            ScalingStep {
                lower_bound: at_threshold(),
                upper_bound: None,
                adjustment,
            },
        ],
        metric_aggregation_type: Some("Average".into()),
        warmup_seconds: step.warmup_seconds.and_then(|seconds| i32::try_from(seconds).ok()),
        is_enabled: true,
        ..ScalingPolicy::default()
    }
}
