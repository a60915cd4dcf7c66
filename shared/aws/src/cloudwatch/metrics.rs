//! Metrics on CloudWatch: the newest datapoint of each series.
//!
//! The series of a call are told apart by ids, and an expression speaks of its metrics by theirs. So the n-th series is
//! `m<n>`, and each metric of an expression is `v<n>_<its name>`, in the expression too.

use crate::config::{AwsConfig, Regional, Usage};
use crate::failure::{Codes, Effect, explain};
use async_trait::async_trait;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    Dimension, Metric as SdkMetric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy, StatusCode,
};
use jiff::Timestamp;
use understudy_core::plan::{Metric, MetricSeries, expression};
use understudy_engine::ports::{CallError, CallErrorKind, Datapoint, MetricQuery, Metrics, Newest};

/// CloudWatch refuses a whole call for one query that it can not read, under one of these names, and does not say which
/// query it was: for whoever asks there is no such series.
const CODES: Codes = Codes {
    not_found: &[
        "ValidationError",
        "ValidationException",
        "InvalidParameterValue",
        "InvalidParameterValueException",
        "InvalidParameterCombination",
        "InvalidParameterCombinationException",
    ],
    retryable: &[],
};

/// Metrics.
pub struct CloudWatchMetrics {
    clients: Regional<Client>,
}

impl CloudWatchMetrics {
    /// Metrics of every Region that this configuration reaches.
    pub fn new(config: &AwsConfig) -> Self {
        Self {
            clients: Regional::new(config, Usage::Reads, Client::new),
        }
    }
}

/// What the pages so far say of one series.
#[derive(Clone, Default)]
struct Said {
    newest: Option<Datapoint>,
    status: Option<StatusCode>,
    is_answered: bool,
}

#[async_trait]
impl Metrics for CloudWatchMetrics {
    async fn newest(
        &self,
        region: Option<&str>,
        queries: &[MetricQuery],
        since: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<Vec<Newest>, CallError> {
        let names: Vec<String> = queries.iter().map(|query| query.series.to_string()).collect();
        // Hundreds of names would leave no room for what was answered.
        let doing = match names.as_slice() {
            [] => return Ok(Vec::new()),
            [one] => format!("reading the metric {one}"),
            [first, ..] => format!("reading {} metrics, the first {first}", names.len()),
        };
        let asked: Vec<MetricDataQuery> = queries
            .iter()
            .enumerate()
            .flat_map(|(index, query)| structures(index, query))
            .collect();
        // The end is exclusive, and the period that goes on is wanted too where nothing else is said.
        let longest = queries
            .iter()
            .map(|query| query.period_seconds)
            .max()
            .unwrap_or_default();
        let running = || Timestamp::now().as_second() + i64::from(longest);
        let end = until.map_or_else(running, Timestamp::as_second);
        let mut said = vec![Said::default(); queries.len()];
        let mut token: Option<String> = None;
        loop {
            let page = self
                .clients
                .client(region)
                .get_metric_data()
                .set_metric_data_queries(Some(asked.clone()))
                .start_time(DateTime::from_secs(since.as_second()))
                .end_time(DateTime::from_secs(end))
                .scan_by(ScanBy::TimestampDescending)
                .set_next_token(token.take())
                .send()
                .await
                .map_err(|error| explain(&doing, Effect::Reads, CODES, &error))?;
            for result in page.metric_data_results() {
                if let Some(said) = index_of(result.id()).and_then(|index| said.get_mut(index)) {
                    said.hear(result, since, until);
                }
            }
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        Ok(said
            .into_iter()
            .zip(names)
            .map(|(said, name)| said.end(&name))
            .collect())
    }
}

impl Said {
    fn hear(&mut self, result: &MetricDataResult, since: Timestamp, until: Option<Timestamp>) {
        let points = result.timestamps().iter().zip(result.values());
        let points = points.filter_map(|(at, value)| {
            Some(Datapoint {
                at: Timestamp::from_second(at.secs()).ok()?,
                value: *value,
            })
        });
        self.newest = self
            .newest
            .into_iter()
            .chain(points)
            // CloudWatch counts from the whole minute, or more, in which it is told to begin.
            .filter(|point| since <= point.at && until.is_none_or(|until| point.at < until))
            .max_by_key(|point| point.at);
        self.status = result.status_code().cloned();
        self.is_answered = true;
    }

    // Of the newest first, what is there is the newest, however much is missing behind it.
    fn end(self, name: &str) -> Newest {
        let complete = matches!(self.status, None | Some(StatusCode::Complete));
        if self.is_answered && (complete || (self.newest.is_some() && self.status == Some(StatusCode::PartialData))) {
            return Ok(self.newest);
        }
        let status = self.status.as_ref().map_or("nothing", StatusCode::as_str);
        let kind = match self.status {
            Some(StatusCode::Forbidden) => CallErrorKind::Refused,
            _ => CallErrorKind::Retryable,
        };
        let message =
            format!("reading the metric {name}: answered {status} instead of its values; nothing was changed");
        Err(CallError::new(kind, message))
    }
}

/// The queries that one series takes, the one that answers first.
fn structures(index: usize, query: &MetricQuery) -> Vec<MetricDataQuery> {
    let period = i32::try_from(query.period_seconds).unwrap_or(i32::MAX);
    let id = format!("m{index}");
    match &query.series {
        MetricSeries::Metric(metric) => vec![
            MetricDataQuery::builder()
                .id(id)
                .metric_stat(metric_stat(metric, period))
                .build(),
        ],
        MetricSeries::Math {
            expression: text,
            metrics,
        } => {
            let variable = |name: &str| format!("v{index}_{name}");
            let answer = MetricDataQuery::builder()
                .id(id)
                .expression(expression::renamed(text, variable))
                .period(period)
                .build();
            let variables = metrics.iter().map(|(name, metric)| {
                MetricDataQuery::builder()
                    .id(variable(name))
                    .metric_stat(metric_stat(metric, period))
                    .return_data(false)
                    .build()
            });
            std::iter::once(answer).chain(variables).collect()
        }
    }
}

fn metric_stat(metric: &Metric, period: i32) -> MetricStat {
    let dimensions = metric
        .dimensions
        .iter()
        .map(|(name, value)| Dimension::builder().name(name).value(value).build());
    let named = SdkMetric::builder()
        .namespace(&metric.namespace)
        .metric_name(&metric.metric_name)
        .set_dimensions(Some(dimensions.collect()))
        .build();
    MetricStat::builder()
        .metric(named)
        .period(period)
        .stat(stat(&metric.statistic))
        .build()
}

/// A statistic as CloudWatch spells it; percentiles are spelled alike.
fn stat(statistic: &str) -> &str {
    match statistic {
        "average" => "Average",
        "sum" => "Sum",
        "minimum" => "Minimum",
        "maximum" => "Maximum",
        "sample_count" => "SampleCount",
        percentile => percentile,
    }
}

/// Which of the queries an answer is to, by its id, which is `m` and the number; none if it is to none of them.
pub fn index_of(id: Option<&str>) -> Option<usize> {
    let number = id?.strip_prefix('m')?;
    let index: usize = number.parse().ok()?;
    // A number may have a sign, an id has none.
    (index.to_string() == number).then_some(index)
}
