//! Alarms that setup makes.

use super::{StepCommon, StepKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A CloudWatch alarm on one metric.
///
/// What the plan states of it is made so; what it does not state (the actions of others) stays. When it goes to ALARM it
/// tells the plan's topic, and Understudy hears it in any case, by EventBridge, if `alarms` of the plan binds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct MetricAlarm {
    /// What every step has.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The alarm's name, unique in its Region.
    #[schemars(length(min = 1, max = 255))]
    pub alarm_name: String,
    /// One line for whoever finds the alarm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,
    /// The namespace of its metric, such as AWS/ApplicationELB.
    #[schemars(length(min = 1, max = 255))]
    pub namespace: String,
    /// Its metric, such as UnHealthyHostCount.
    #[schemars(length(min = 1, max = 255))]
    pub metric_name: String,
    /// All dimensions of the metric: with one too few it is another metric, which has no data.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 30, "additionalProperties" = {"type": "string", "minLength": 1, "maxLength": 1024}))]
    pub dimensions: BTreeMap<String, String>,
    /// What is made of the values of one period.
    pub statistic: AlarmStatistic,
    /// How long one period is: 10, 20 or 30 seconds (of a metric of high resolution), or whole minutes.
    #[serde(default = "one_minute")]
    #[schemars(range(min = 10, max = 86400))]
    pub period_seconds: u32,
    /// How many periods are looked at.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1440))]
    pub evaluation_periods: u32,
    /// How many of them must breach the threshold. Without it: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1440))]
    pub datapoints_to_alarm: Option<u32>,
    /// The threshold.
    pub threshold: f64,
    /// When a value breaches it.
    pub comparison: AlarmComparison,
    /// What a period without data counts as.
    #[serde(default)]
    pub treat_missing_data: MissingData,
    /// Whether it tells the plan's topic: `topic_arn`, or else that of Understudy's own stack, if the alarm is in its
    /// Region.
    #[serde(default = "yes")]
    pub notify: bool,
    /// The scaling policy that it sets off while it is in ALARM. An `asg_scaling_policy` that makes it stands before the
    /// alarm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling_policy: Option<AlarmedPolicy>,
}

/// A scaling policy that an alarm sets off, in the alarm's own Region: CloudWatch reaches no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AlarmedPolicy {
    /// The Auto Scaling group's name.
    #[schemars(length(min = 1, max = 255))]
    pub auto_scaling_group_name: String,
    /// The policy's name in its group. Its ARN is looked up when the alarm is made.
    #[schemars(length(min = 1, max = 255))]
    pub policy_name: String,
}

macro_rules! spelled {
    ($(#[$doc:meta])* $type:ident { $($(#[$note:meta])* $variant:ident => $name:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        pub enum $type { $($(#[$note])* #[serde(rename = $name)] $variant),+ }

        impl $type {
            /// As CloudWatch spells it, and plan files.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

spelled! {
    /// What is made of the values of one period.
    AlarmStatistic {
        /// Their mean.
        Average => "Average",
        /// The largest.
        Maximum => "Maximum",
        /// The smallest.
        Minimum => "Minimum",
        /// Their sum.
        Sum => "Sum",
        /// How many there are.
        SampleCount => "SampleCount",
    }
}

spelled! {
    /// When a value breaches the threshold.
    AlarmComparison {
        /// `>`
        Greater => "GreaterThanThreshold",
        /// `>=`
        GreaterOrEqual => "GreaterThanOrEqualToThreshold",
        /// `<`
        Less => "LessThanThreshold",
        /// `<=`
        LessOrEqual => "LessThanOrEqualToThreshold",
    }
}

spelled! {
    /// What a period without data counts as.
    #[derive(Default)]
    MissingData {
        /// Nothing: if all periods are without data, the alarm has too little of it (INSUFFICIENT_DATA).
        #[default]
        Missing => "missing",
        /// As good.
        NotBreaching => "notBreaching",
        /// As bad.
        Breaching => "breaching",
        /// The alarm stays as it is.
        Ignore => "ignore",
    }
}

impl AlarmedPolicy {
    /// What its ARN ends with, whatever id Auto Scaling gave it.
    pub fn arn_end(&self) -> String {
        format!(
            ":autoScalingGroupName/{}:policyName/{}",
            self.auto_scaling_group_name, self.policy_name
        )
    }
}

impl StepKind for MetricAlarm {
    fn is_setup(&self) -> bool {
        true
    }

    fn shared_resources(&self) -> Vec<&str> {
        vec![&self.alarm_name]
    }
}

fn one_minute() -> u32 {
    60
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}
