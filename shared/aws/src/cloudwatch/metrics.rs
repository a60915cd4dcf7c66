//! Metrics on CloudWatch: the newest datapoint of each.

use crate::config::{AwsConfig, Regional, Usage};
use crate::failure::{Codes, Effect, explain};
use async_trait::async_trait;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy};
use jiff::Timestamp;
use understudy_engine::ports::{CallError, Datapoint, MetricQuery, Metrics};

/// The finest period at which AWS services publish, in seconds.
const PERIOD: i32 = 60;

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

#[async_trait]
impl Metrics for CloudWatchMetrics {
    async fn newest(
        &self,
        region: Option<&str>,
        metrics: &[MetricQuery],
        since: Timestamp,
    ) -> Result<Vec<Option<Datapoint>>, CallError> {
        let names: Vec<&str> = metrics.iter().map(|metric| metric.name.as_str()).collect();
        let doing = format!("reading metric(s) {}", names.join(", "));
        let queries = metrics.iter().enumerate().map(|(index, metric)| query(index, metric));
        let mut newest: Vec<Option<Datapoint>> = vec![None; metrics.len()];
        let mut token: Option<String> = None;
        loop {
            let page = self
                .clients
                .client(region)
                .get_metric_data()
                .set_metric_data_queries(Some(queries.clone().collect()))
                .start_time(DateTime::from_secs(since.as_second()))
                // The end is exclusive, and the minute that goes on is wanted too.
                .end_time(DateTime::from_secs(Timestamp::now().as_second() + i64::from(PERIOD)))
                .scan_by(ScanBy::TimestampDescending)
                .set_next_token(token.take())
                .send()
                .await
                .map_err(|error| explain(&doing, Effect::Reads, Codes::default(), &error))?;
            for result in page.metric_data_results() {
                let place = index_of(result.id()).and_then(|index| newest.get_mut(index));
                if let Some(place) = place {
                    *place = [*place, first(result)]
                        .into_iter()
                        .flatten()
                        .max_by_key(|point| point.at);
                }
            }
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(newest);
            }
        }
    }
}

// Ids must begin with a lower-case letter.
fn query(index: usize, metric: &MetricQuery) -> MetricDataQuery {
    let dimensions = metric
        .dimensions
        .iter()
        .map(|(name, value)| Dimension::builder().name(name).value(value).build());
    let metric = Metric::builder()
        .namespace(&metric.namespace)
        .metric_name(&metric.name)
        .set_dimensions(Some(dimensions.collect()))
        .build();
    let stat = MetricStat::builder()
        .metric(metric)
        .period(PERIOD)
        .stat("Maximum")
        .build();
    MetricDataQuery::builder()
        .id(format!("m{index}"))
        .metric_stat(stat)
        .build()
}

fn index_of(id: Option<&str>) -> Option<usize> {
    id?.strip_prefix('m')?.parse().ok()
}

fn first(result: &MetricDataResult) -> Option<Datapoint> {
    let points = result.timestamps().iter().zip(result.values());
    points
        .filter_map(|(at, value)| {
            Some(Datapoint {
                at: Timestamp::from_second(at.secs()).ok()?,
                value: *value,
            })
        })
        .max_by_key(|point| point.at)
}
