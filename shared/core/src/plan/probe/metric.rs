//! Probes that are answered by CloudWatch metrics: a figure against a threshold, and the state of a Route 53 health check.
//!
//! Both come down to the same question, the newest value of a series of figures, so that one call asks for hundreds of them
//! ([`MetricSeries`]). Only complete periods count: the sum of half a minute says nothing about a minute.

use super::ProbeCommon;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A CloudWatch metric, or an expression over several, against a threshold (`GetMetricData`). Name either one metric
/// (`namespace`, `metric_name`, `dimensions`, `statistic`) or an `expression` and its `metrics`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct MetricProbe {
    /// What every probe has.
    #[serde(flatten)]
    pub common: ProbeCommon,
    /// The metric's namespace, such as `AWS/ApplicationELB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub namespace: Option<String>,
    /// The metric's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub metric_name: Option<String>,
    /// All of the metric's dimensions: CloudWatch takes one with others for another metric.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dimensions: BTreeMap<String, String>,
    /// What is made of the values of a period: `average`, `sum`, `minimum`, `maximum`, `sample_count`, or a percentile such
    /// as `p99`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(average|sum|minimum|maximum|sample_count|p[0-9]{1,2}(\.[0-9]{1,4})?)$"))]
    pub statistic: Option<String>,
    /// A metric-math expression over `metrics`, such as `100 * errors / requests`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000))]
    pub expression: Option<String>,
    /// The metrics of the expression, by the names that they have in it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, Metric>,
    /// The length of a period; a multiple of 60.
    #[serde(default = "a_minute")]
    #[schemars(range(min = 60, max = 86400))]
    pub period_seconds: u32,
    /// How the value of a period compares with the threshold when the site is *unhealthy*, as in an alarm.
    pub comparison: Comparison,
    /// The threshold.
    pub threshold: f64,
    /// What it means that there is no value.
    #[serde(default)]
    pub missing: Missing,
    /// How many complete periods are looked back on: without a value in any of them there is none.
    #[serde(default = "super::three")]
    #[schemars(range(min = 1, max = 60))]
    pub stale_periods: u32,
}

/// One metric of CloudWatch and what is made of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Metric {
    /// The metric's namespace, such as `AWS/ApplicationELB`.
    #[schemars(length(min = 1, max = 255))]
    pub namespace: String,
    /// The metric's name.
    #[schemars(length(min = 1, max = 255))]
    pub metric_name: String,
    /// All of its dimensions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dimensions: BTreeMap<String, String>,
    /// What is made of the values of a period: `average`, `sum`, `minimum`, `maximum`, `sample_count`, or a percentile such
    /// as `p99`.
    #[schemars(regex(pattern = r"^(average|sum|minimum|maximum|sample_count|p[0-9]{1,2}(\.[0-9]{1,4})?)$"))]
    pub statistic: String,
}

/// How a value compares with a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// The value is above the threshold.
    GreaterThan,
    /// The value is the threshold or above it.
    GreaterThanOrEqual,
    /// The value is below the threshold.
    LessThan,
    /// The value is the threshold or below it.
    LessThanOrEqual,
}

/// What it means that a metric has no value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// Nobody knows: it alerts, and moves nothing.
    #[default]
    Unknown,
    /// Who is well sends values: silence is a failure.
    Unhealthy,
    /// Only failures send values: silence is well.
    Healthy,
}

/// The state of a Route 53 health check, as its checkers around the world see it. It is read from the health check's metric:
/// Route 53 itself answers that question once a second for the whole account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct DnsHealthCheckProbe {
    /// What every probe has.
    #[serde(flatten)]
    pub common: ProbeCommon,
    /// The health check's id.
    #[schemars(regex(pattern = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"))]
    pub health_check_id: String,
}

/// A series of figures, one a period: a metric, or an expression over several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricSeries {
    /// One metric.
    Metric(Metric),
    /// An expression over several metrics.
    Math {
        /// The expression.
        expression: String,
        /// The metrics, by the names that they have in it.
        metrics: BTreeMap<String, Metric>,
    },
}

fn a_minute() -> u32 {
    60
}

impl MetricProbe {
    /// The series whose newest value is judged. None in a plan that names neither or both, which is no valid plan.
    pub fn series(&self) -> Option<MetricSeries> {
        match (&self.namespace, &self.metric_name, &self.statistic, &self.expression) {
            (Some(namespace), Some(metric_name), Some(statistic), None) => Some(MetricSeries::Metric(Metric {
                namespace: namespace.clone(),
                metric_name: metric_name.clone(),
                dimensions: self.dimensions.clone(),
                statistic: statistic.clone(),
            })),
            (None, None, None, Some(expression)) => Some(MetricSeries::Math {
                expression: expression.clone(),
                metrics: self.metrics.clone(),
            }),
            _ => None,
        }
    }
}

impl DnsHealthCheckProbe {
    /// Where the metrics of all health checks are, wherever they check (Amazon Route 53 Developer Guide, "Monitoring health
    /// checks using CloudWatch").
    pub const REGION: &'static str = "us-east-1";
    /// How many complete periods are looked back on: Route 53 says something once a minute, a few minutes late.
    pub const STALE_PERIODS: u32 = 5;
    /// The length of a period.
    pub const PERIOD_SECONDS: u32 = 60;

    /// The series that says its state: 1 is healthy, 0 is unhealthy.
    pub fn series(&self) -> MetricSeries {
        MetricSeries::Metric(Metric {
            namespace: "AWS/Route53".into(),
            metric_name: "HealthCheckStatus".into(),
            dimensions: BTreeMap::from([("HealthCheckId".into(), self.health_check_id.clone())]),
            statistic: "minimum".into(),
        })
    }
}

impl MetricSeries {
    /// How many of the 500 queries of a `GetMetricData` it takes.
    pub fn queries(&self) -> usize {
        match self {
            Self::Metric(_) => 1,
            Self::Math { metrics, .. } => 1 + metrics.len(),
        }
    }
}

impl std::fmt::Display for MetricSeries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Metric(metric) => write!(f, "{} of {}", metric.statistic, metric.metric_name),
            Self::Math { expression, .. } => f.write_str(expression),
        }
    }
}

impl Comparison {
    /// Whether the value compares so with the threshold. NaN never does.
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::GreaterThan => value > threshold,
            Self::GreaterThanOrEqual => value >= threshold,
            Self::LessThan => value < threshold,
            Self::LessThanOrEqual => value <= threshold,
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::GreaterThan => "above",
            Self::GreaterThanOrEqual => "at or above",
            Self::LessThan => "below",
            Self::LessThanOrEqual => "at or below",
        }
    }
}
