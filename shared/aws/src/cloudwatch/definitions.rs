//! What alarms on CloudWatch are: read whole, replaced whole, deleted.
//!
//! `PutMetricAlarm` creates and replaces alike, and neither it nor `DeleteAlarms` has a version to compare: the alarm is
//! read, compared with what is expected, and only then put or deleted. What this file can not write back makes an alarm
//! *unsupported*: metric math and anomaly bands, queries of other languages, what later versions of the API may add.

use crate::config::{AwsConfig, Regional, Usage};
use crate::failure::{Codes, Effect, explain, within_one_call};
use async_trait::async_trait;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{AlarmType, ComparisonOperator, Dimension, MetricAlarm, StandardUnit, Statistic, Tag};
use understudy_core::state::{AlarmDefinition, Threshold};
use understudy_engine::actions::TAG;
use understudy_engine::ports::{AlarmDefinitions, CallError, CallErrorKind};

const CODES: Codes = Codes {
    not_found: &["ResourceNotFound", "ResourceNotFoundException"],
    retryable: &[],
};

/// What alarms are.
pub struct CloudWatchDefinitions {
    reading: Regional<Client>,
    changing: Regional<Client>,
}

impl CloudWatchDefinitions {
    /// Alarms of every Region that this configuration reaches.
    pub fn new(config: &AwsConfig) -> Self {
        Self {
            reading: Regional::new(config, Usage::Reads, Client::new),
            changing: Regional::new(config, Usage::Changes, Client::new),
        }
    }

    // The alarm, and its ARN, by which its tags are asked for.
    async fn find(
        &self,
        region: Option<&str>,
        name: &str,
        doing: &str,
    ) -> Result<Option<(AlarmDefinition, Option<String>)>, CallError> {
        let found = self
            .reading
            .client(region)
            .describe_alarms()
            .alarm_names(name)
            .alarm_types(AlarmType::MetricAlarm)
            .alarm_types(AlarmType::CompositeAlarm)
            .send()
            .await
            .map_err(|error| explain(doing, Effect::Reads, CODES, &error))?;
        let metric = found
            .metric_alarms()
            .iter()
            .find(|alarm| alarm.alarm_name() == Some(name));
        let composite = found
            .composite_alarms()
            .iter()
            .any(|alarm| alarm.alarm_name() == Some(name));
        let metric = metric.map(|alarm| (definition_of(alarm), alarm.alarm_arn().map(str::to_owned)));
        Ok(metric.or(composite.then(|| {
            let composite = AlarmDefinition {
                unsupported: Some("a rule over other alarms (it is a composite alarm)".into()),
                ..AlarmDefinition::default()
            };
            (composite, None)
        })))
    }

    // The plan that made the alarm of this ARN, as its tag says.
    async fn made_by(&self, region: Option<&str>, arn: &str, doing: &str) -> Result<Option<String>, CallError> {
        let answer = self
            .reading
            .client(region)
            .list_tags_for_resource()
            .resource_arn(arn)
            .send()
            .await
            .map_err(|error| explain(doing, Effect::Reads, CODES, &error))?;
        let tag = answer.tags().iter().find(|tag| tag.key() == Some(TAG));
        Ok(tag.and_then(Tag::value).map(str::to_owned))
    }

    // Answers the alarm that is there, if it is the one that is expected.
    async fn expect(
        &self,
        region: Option<&str>,
        name: &str,
        expected: Option<&AlarmDefinition>,
        doing: &str,
    ) -> Result<(), CallError> {
        let found = self.find(region, name, doing).await?.map(|(found, _)| found);
        let same = match (&found, expected) {
            (Some(found), Some(expected)) => found.same_as(expected),
            (found, expected) => found.is_none() && expected.is_none(),
        };
        if same {
            return Ok(());
        }
        let words =
            |alarm: Option<&AlarmDefinition>| alarm.map_or_else(|| "no alarm".into(), AlarmDefinition::sentence);
        Err(CallError::new(
            CallErrorKind::Conflict,
            format!(
                "{doing}: found {} where {} was expected, so somebody else changed it; nothing was changed",
                words(found.as_ref()),
                words(expected)
            ),
        ))
    }
}

#[async_trait]
impl AlarmDefinitions for CloudWatchDefinitions {
    async fn definition(&self, region: Option<&str>, name: &str) -> Result<Option<AlarmDefinition>, CallError> {
        let doing = format!("reading what alarm {name} is");
        let Some((mut found, arn)) = self.find(region, name, &doing).await? else {
            return Ok(None);
        };
        if let Some(arn) = arn {
            found.made_by = match self.made_by(region, &arn, &doing).await {
                Ok(made_by) => made_by,
                // Deleted in between: the next reading says so.
                Err(error) if error.kind == CallErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
        }
        Ok(Some(found))
    }

    async fn define(
        &self,
        region: Option<&str>,
        name: &str,
        expected: Option<&AlarmDefinition>,
        wanted: &AlarmDefinition,
        tags: &[(String, String)],
    ) -> Result<(), CallError> {
        let doing = format!("making alarm {name} {}", wanted.sentence());
        within_one_call(&doing, async {
            self.expect(region, name, expected, &doing).await?;
            let refused = |what: &str| {
                let why = format!("{doing}: {what}; nothing was changed; restore it by hand");
                CallError::new(CallErrorKind::Refused, why)
            };
            if let Some(unsupported) = &wanted.unsupported {
                return Err(refused(&format!("it has {unsupported}, which can not be written")));
            }
            let number = |number: u32| i32::try_from(number).map_err(|_| refused(&format!("{number} is too much")));
            let actions = |actions: &[String]| Some(actions.to_vec()).filter(|actions| !actions.is_empty());
            let dimensions = wanted.dimensions.iter();
            let dimensions: Vec<Dimension> = dimensions
                .map(|(name, value)| Dimension::builder().name(name).value(value).build())
                .collect();
            // One that is there keeps its tags, and is told none.
            let tags = tags.iter().filter(|_| expected.is_none());
            let tags: Vec<Tag> = tags
                .map(|(key, value)| Tag::builder().key(key).value(value).build())
                .collect();
            self.changing
                .client(region)
                .put_metric_alarm()
                .alarm_name(name)
                .set_alarm_description(wanted.description.clone())
                .actions_enabled(wanted.actions_enabled)
                .set_ok_actions(actions(&wanted.ok_actions))
                .set_alarm_actions(actions(&wanted.alarm_actions))
                .set_insufficient_data_actions(actions(&wanted.insufficient_data_actions))
                .namespace(&wanted.namespace)
                .metric_name(&wanted.metric_name)
                .set_dimensions(Some(dimensions).filter(|dimensions| !dimensions.is_empty()))
                .set_statistic(wanted.statistic.as_deref().map(Statistic::from))
                .set_extended_statistic(wanted.extended_statistic.clone())
                .period(number(wanted.period_seconds)?)
                .set_unit(wanted.unit.as_deref().map(StandardUnit::from))
                .evaluation_periods(number(wanted.evaluation_periods)?)
                .set_datapoints_to_alarm(wanted.datapoints_to_alarm.map(number).transpose()?)
                .threshold(wanted.threshold.0)
                .comparison_operator(ComparisonOperator::from(wanted.comparison.as_str()))
                .set_treat_missing_data(wanted.treat_missing_data.clone())
                .set_evaluate_low_sample_count_percentile(wanted.low_sample_count_percentile.clone())
                .set_tags(Some(tags).filter(|tags| !tags.is_empty()))
                .send()
                .await
                .map(drop)
                .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
        })
        .await
    }

    async fn remove(&self, region: Option<&str>, name: &str, expected: &AlarmDefinition) -> Result<(), CallError> {
        let doing = format!("deleting alarm {name}");
        within_one_call(&doing, async {
            self.expect(region, name, Some(expected), &doing).await?;
            self.changing
                .client(region)
                .delete_alarms()
                .alarm_names(name)
                .send()
                .await
                .map(drop)
                .map_err(|error| explain(&doing, Effect::Changes, CODES, &error))
        })
        .await
    }
}

fn definition_of(alarm: &MetricAlarm) -> AlarmDefinition {
    let number = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    let dimensions = alarm.dimensions().iter();
    let dimensions = dimensions.filter_map(|found| Some((found.name()?.to_owned(), found.value()?.to_owned())));
    AlarmDefinition {
        description: alarm.alarm_description().map(str::to_owned),
        // Left out they are on.
        actions_enabled: alarm.actions_enabled().unwrap_or(true),
        ok_actions: alarm.ok_actions().to_vec(),
        alarm_actions: alarm.alarm_actions().to_vec(),
        insufficient_data_actions: alarm.insufficient_data_actions().to_vec(),
        namespace: alarm.namespace().unwrap_or_default().to_owned(),
        metric_name: alarm.metric_name().unwrap_or_default().to_owned(),
        dimensions: dimensions.collect(),
        statistic: alarm.statistic().map(|statistic| statistic.as_str().to_owned()),
        extended_statistic: alarm.extended_statistic().map(str::to_owned),
        period_seconds: number(alarm.period()).unwrap_or_default(),
        unit: alarm.unit().map(|unit| unit.as_str().to_owned()),
        evaluation_periods: number(alarm.evaluation_periods()).unwrap_or_default(),
        datapoints_to_alarm: number(alarm.datapoints_to_alarm()),
        threshold: Threshold(alarm.threshold().unwrap_or_default()),
        comparison: alarm
            .comparison_operator()
            .map_or_else(String::new, |operator| operator.as_str().to_owned()),
        treat_missing_data: alarm.treat_missing_data().map(str::to_owned),
        low_sample_count_percentile: alarm.evaluate_low_sample_count_percentile().map(str::to_owned),
        made_by: None,
        unsupported: unsupported(alarm).map(str::to_owned),
    }
}

// What can not be written back. What is only the default, written out, is none of it.
fn unsupported(alarm: &MetricAlarm) -> Option<&'static str> {
    let wall_clock = alarm
        .evaluation_window()
        .is_some_and(|window| !window.is_sliding_window());
    let warm_up = alarm
        .warm_up_configuration()
        .and_then(|warm_up| warm_up.warm_up_period_duration_in_minutes());
    let propagation = alarm
        .action_configuration()
        .and_then(|settings| settings.alarm_tags_propagation());
    if !alarm.metrics().is_empty() {
        Some("metric math")
    } else if alarm.threshold_metric_id().is_some() {
        Some("an anomaly band")
    } else if alarm.evaluation_criteria().is_some() {
        Some("a query in place of a metric")
    } else if wall_clock || warm_up.is_some_and(|minutes| minutes > 0) {
        Some("a window by the clock or a time to warm up")
    } else if propagation.and_then(|tags| tags.enabled()) == Some(true) {
        Some("tags in its messages")
    } else if alarm.metric_name().is_none() || alarm.threshold().is_none() {
        Some("no single metric, or no threshold")
    } else {
        None
    }
}
