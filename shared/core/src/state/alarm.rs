//! Alarms on one metric, whole: `PutMetricAlarm` replaces all of an alarm, and keeps nothing that it is not told.

use super::parameters;
use crate::plan::MetricAlarm;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// An alarm as `DescribeAlarms` has it: all that `PutMetricAlarm` can restore.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmDefinition {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether its actions are done.
    pub actions_enabled: bool,
    /// What is done when it goes to OK.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ok_actions: Vec<String>,
    /// What is done when it goes to ALARM.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarm_actions: Vec<String>,
    /// What is done when it has too little data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub insufficient_data_actions: Vec<String>,
    /// The namespace of its metric.
    pub namespace: String,
    /// Its metric.
    pub metric_name: String,
    /// The dimensions of the metric.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dimensions: BTreeMap<String, String>,
    /// What is made of the values of one period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistic: Option<String>,
    /// The same where it is a percentile or the like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended_statistic: Option<String>,
    /// How long one period is.
    pub period_seconds: u32,
    /// The unit of the values that are looked at; all of them without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// How many periods are looked at.
    pub evaluation_periods: u32,
    /// How many of them must breach. Without it: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datapoints_to_alarm: Option<u32>,
    /// The threshold.
    pub threshold: Threshold,
    /// When a value breaches it.
    pub comparison: String,
    /// What a period without data counts as. Without it: `missing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub treat_missing_data: Option<String>,
    /// What a percentile of few values counts as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low_sample_count_percentile: Option<String>,
    /// The plan that made it, as its tag `understudy` says. Who made it is no part of what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
    /// A property that Understudy does not carry (metric math, anomaly bands, …): such an alarm is never changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsupported: Option<String>,
}

/// A threshold: a number that is the same bit by bit after it has been written and read. In JSON it is text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Threshold(pub f64);

impl PartialEq for Threshold {
    fn eq(&self, other: &Self) -> bool {
        self.0.total_cmp(&other.0).is_eq()
    }
}

impl Eq for Threshold {}

impl Serialize for Threshold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_string())
    }
}

impl<'de> Deserialize<'de> for Threshold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map(Self)
            .map_err(|_| D::Error::custom("a threshold is a number in quotes"))
    }
}

impl AlarmDefinition {
    /// One line for people.
    pub fn sentence(&self) -> String {
        let statistic = self.statistic.as_ref().or(self.extended_statistic.as_ref());
        let dimensions: Vec<String> = self
            .dimensions
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let off = if self.actions_enabled { "" } else { ", its actions off" };
        format!(
            "{} of {} {}{{{}}} {} {} in {} of {} period(s) of {} s{off}",
            statistic.map_or("?", String::as_str),
            self.namespace,
            self.metric_name,
            dimensions.join(", "),
            self.comparison,
            self.threshold.0,
            self.points(),
            self.evaluation_periods,
            self.period_seconds
        )
    }

    /// All that `PutMetricAlarm` is told of it: it replaces an alarm whole.
    pub fn parameters(&self) -> String {
        let list = |items: &[String]| (!items.is_empty()).then(|| format!("[{}]", items.join(", ")));
        let dimensions = self.dimensions.iter().map(|(name, value)| format!("{name}={value}"));
        parameters([
            (
                "AlarmDescription",
                self.description.as_ref().map(|text| format!("{text:?}")),
            ),
            ("ActionsEnabled", Some(self.actions_enabled.to_string())),
            ("OKActions", list(&self.ok_actions)),
            ("AlarmActions", list(&self.alarm_actions)),
            ("InsufficientDataActions", list(&self.insufficient_data_actions)),
            ("Namespace", Some(self.namespace.clone())),
            ("MetricName", Some(self.metric_name.clone())),
            ("Dimensions", list(&dimensions.collect::<Vec<_>>())),
            ("Statistic", self.statistic.clone()),
            ("ExtendedStatistic", self.extended_statistic.clone()),
            ("Period", Some(self.period_seconds.to_string())),
            ("Unit", self.unit.clone()),
            ("EvaluationPeriods", Some(self.evaluation_periods.to_string())),
            (
                "DatapointsToAlarm",
                self.datapoints_to_alarm.map(|points| points.to_string()),
            ),
            ("Threshold", Some(self.threshold.0.to_string())),
            ("ComparisonOperator", Some(self.comparison.clone())),
            ("TreatMissingData", self.treat_missing_data.clone()),
            (
                "EvaluateLowSampleCountPercentile",
                self.low_sample_count_percentile.clone(),
            ),
        ])
    }

    /// Whether both describe the same alarm, however the API spells what is not stated, and in whatever order it lists
    /// actions.
    pub fn same_as(&self, other: &Self) -> bool {
        self.plain() == other.plain()
    }

    fn points(&self) -> u32 {
        self.datapoints_to_alarm.unwrap_or(self.evaluation_periods)
    }

    pub(super) fn plain(&self) -> Self {
        let mut plain = self.clone();
        plain.made_by = None;
        plain.datapoints_to_alarm = Some(self.points());
        plain.treat_missing_data.get_or_insert_with(|| "missing".into());
        plain.description.take_if(|description| description.is_empty());
        for actions in [
            &mut plain.ok_actions,
            &mut plain.alarm_actions,
            &mut plain.insufficient_data_actions,
        ] {
            actions.sort();
        }
        plain
    }
}

/// The alarm as the step wants it: what it states, and the actions of others as they are. `topic` is the one that it may
/// tell, `policy_arn` that of its scaling policy.
///
/// # Errors
/// A sentence that says why the alarm of this name can not be made so.
pub fn wanted_alarm(
    step: &MetricAlarm,
    topic: Option<&str>,
    policy_arn: Option<&str>,
    current: Option<&AlarmDefinition>,
) -> Result<AlarmDefinition, String> {
    if let Some(unsupported) = current.and_then(|current| current.unsupported.as_ref()) {
        return Err(format!(
            "an alarm of this name is there already and has {unsupported}, which could not be restored exactly, so it is \
             left alone; give the alarm of the plan another name"
        ));
    }
    let old = current.cloned().unwrap_or(AlarmDefinition {
        actions_enabled: true,
        ..AlarmDefinition::default()
    });
    let mut alarm_actions = old.alarm_actions;
    if let Some(topic) = topic.filter(|topic| step.notify && !alarm_actions.iter().any(|action| action == topic)) {
        alarm_actions.push(topic.to_owned());
    }
    if let Some((policy, arn)) = step.scaling_policy.as_ref().zip(policy_arn) {
        // One that was deleted and made again has another ARN, and the old one sets off nothing.
        let end = policy.arn_end();
        alarm_actions.retain(|action| action == arn || !action.ends_with(&end));
        if !alarm_actions.iter().any(|action| action == arn) {
            alarm_actions.push(arn.to_owned());
        }
    }
    Ok(AlarmDefinition {
        description: step.description.clone().or(old.description),
        actions_enabled: old.actions_enabled,
        ok_actions: old.ok_actions,
        alarm_actions,
        insufficient_data_actions: old.insufficient_data_actions,
        namespace: step.namespace.clone(),
        metric_name: step.metric_name.clone(),
        dimensions: step.dimensions.clone(),
        statistic: Some(step.statistic.as_str().to_owned()),
        extended_statistic: None,
        period_seconds: step.period_seconds,
        unit: None,
        evaluation_periods: step.evaluation_periods,
        datapoints_to_alarm: step.datapoints_to_alarm,
        threshold: Threshold(step.threshold),
        comparison: step.comparison.as_str().to_owned(),
        treat_missing_data: Some(step.treat_missing_data.as_str().to_owned()),
        low_sample_count_percentile: None,
        made_by: old.made_by,
        unsupported: None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    const TOPIC: &str = "arn:aws:sns:eu-west-1:000000000000:shop";

    fn step() -> MetricAlarm {
        serde_json::from_value(json!({
            "name": "unhealthy", "alarm_name": "shop-unhealthy", "namespace": "AWS/ApplicationELB",
            "metric_name": "UnHealthyHostCount", "statistic": "Maximum", "threshold": 0.1,
            "comparison": "GreaterThanThreshold", "evaluation_periods": 2,
            "dimensions": {"TargetGroup": "targetgroup/blue/1", "LoadBalancer": "app/shop/1"},
        }))
        .unwrap()
    }

    #[test]
    fn a_threshold_is_the_same_after_it_was_written() {
        for number in [0.1, 1.0, 1e300, 2.5e-300, -0.0, 1.0 / 3.0, f64::MAX] {
            let written = serde_json::to_string(&Threshold(number)).unwrap();
            assert_eq!(
                serde_json::from_str::<Threshold>(&written).unwrap(),
                Threshold(number),
                "{written}"
            );
        }
    }

    #[test]
    fn a_new_alarm_tells_the_topic_if_there_is_one_and_the_step_does_not_say_no() {
        let told = wanted_alarm(&step(), Some(TOPIC), None, None).unwrap();
        assert_eq!(told.alarm_actions, [TOPIC]);
        assert!(told.actions_enabled);
        assert!(
            wanted_alarm(&step(), None, None, None)
                .unwrap()
                .alarm_actions
                .is_empty()
        );
        let quiet = MetricAlarm {
            notify: false,
            ..step()
        };
        assert!(
            wanted_alarm(&quiet, Some(TOPIC), None, None)
                .unwrap()
                .alarm_actions
                .is_empty()
        );
    }

    #[test]
    fn what_others_do_with_an_alarm_that_was_there_stays() {
        let old = AlarmDefinition {
            description: Some("older than Understudy".into()),
            actions_enabled: false,
            ok_actions: vec!["tell-them".into()],
            alarm_actions: vec!["page-them".into()],
            metric_name: "HealthyHostCount".into(),
            ..AlarmDefinition::default()
        };
        let wanted = wanted_alarm(&step(), Some(TOPIC), None, Some(&old)).unwrap();
        assert_eq!(wanted.description, old.description);
        assert_eq!((wanted.actions_enabled, wanted.ok_actions), (false, old.ok_actions));
        assert_eq!(wanted.alarm_actions, ["page-them", TOPIC]);
        assert_eq!(wanted.metric_name, "UnHealthyHostCount");
    }

    #[test]
    fn an_alarm_sets_off_the_policy_that_there_is_and_no_older_one_of_its_name() {
        let arn = |id: &str| {
            format!(
                "arn:aws:autoscaling:eu-west-1:000000000000:scalingPolicy:{id}:autoScalingGroupName/web:policyName/up"
            )
        };
        let step = MetricAlarm {
            scaling_policy: serde_json::from_value(json!({"auto_scaling_group_name": "web", "policy_name": "up"}))
                .unwrap(),
            ..step()
        };
        let new = arn("2");
        let made = wanted_alarm(&step, Some(TOPIC), Some(&new), None).unwrap();
        assert_eq!(made.alarm_actions, [TOPIC, &new]);
        let again = wanted_alarm(&step, Some(TOPIC), Some(&new), Some(&made)).unwrap();
        assert_eq!(again, made);
        let old = AlarmDefinition {
            alarm_actions: vec![arn("1"), "page-them".into()],
            ..made
        };
        let mended = wanted_alarm(&step, None, Some(&new), Some(&old)).unwrap();
        assert_eq!(mended.alarm_actions, ["page-them", &new]);
    }

    #[test]
    fn it_is_as_wanted_once_it_is_made() {
        let made = wanted_alarm(&step(), Some(TOPIC), None, None).unwrap();
        // As the API spells it: all that was not stated.
        let read = AlarmDefinition {
            datapoints_to_alarm: Some(2),
            description: Some(String::new()),
            ..made.clone()
        };
        assert!(read.same_as(&made));
        let again = wanted_alarm(&step(), Some(TOPIC), None, Some(&read)).unwrap();
        assert!(again.same_as(&read));
        let other = AlarmDefinition {
            threshold: Threshold(0.2),
            ..read
        };
        assert!(!other.same_as(&made));
    }

    #[test]
    fn what_could_not_be_restored_is_left_alone() {
        let old = AlarmDefinition {
            unsupported: Some("metric math".into()),
            ..AlarmDefinition::default()
        };
        let why = wanted_alarm(&step(), None, None, Some(&old)).unwrap_err();
        assert!(why.contains("metric math") && why.contains("another name"), "{why}");
    }
}
