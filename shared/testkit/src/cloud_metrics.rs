//! Metrics of [`FakeCloud`], and the sandboxes' and the simulator's ways to them.
//!
//! Values are kept as they were sent. A complete period is what its statistic makes of them; the period that goes on is
//! shown as the newest value alone. An expression is not worked out: a test sends its values under the expression's own
//! text.

use crate::clock::lock;
use crate::cloud::FakeCloud;
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use understudy_core::judge::{Datapoint, Window};
use understudy_core::plan::MetricSeries;
use understudy_engine::ports::{CallError, CallErrorKind, Clock, MetricQuery, Metrics, Newest};

/// How many values of one metric, and how many calls, are kept.
const KEPT: usize = 500;

/// One call for metrics that reached the cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricCall {
    /// The Region that was asked, if one was named.
    pub region: Option<String>,
    /// How many queries it had, an expression and each of its metrics counted.
    pub queries: usize,
}

type Series = (String, BTreeMap<String, String>);

/// The metrics of a cloud.
#[derive(Default)]
pub(crate) struct Figures {
    values: BTreeMap<Series, VecDeque<Datapoint>>,
    refused: BTreeSet<String>,
    unsaid: BTreeSet<String>,
    calls: VecDeque<MetricCall>,
}

impl FakeCloud {
    /// A metric has this value now. Of an expression, the name is its text.
    pub fn put_metric(&self, name: &str, dimensions: &[(&str, &str)], value: f64) {
        self.put_metric_of(self.clock.now(), name, dimensions, value);
    }

    /// How far the copy of an Aurora global database was behind its source then, both named by their ARN.
    pub fn put_lag(&self, at: Timestamp, source: &str, copy: &str, seconds: u32) {
        let part = |arn: &str, index: usize| arn.split(':').nth(index).unwrap_or_default().to_owned();
        let (id, region) = (part(copy, 6), part(source, 3));
        let dimensions = [("DBClusterIdentifier", id.as_str()), ("SourceRegion", region.as_str())];
        let milliseconds = f64::from(seconds) * 1000.0;
        self.put_metric_of(at, "AuroraGlobalDBReplicationLag", &dimensions, milliseconds);
    }

    fn put_metric_of(&self, at: Timestamp, name: &str, dimensions: &[(&str, &str)], value: f64) {
        let dimensions = dimensions
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let figures = &mut lock(&self.state).figures;
        let values = figures.values.entry((name.to_owned(), dimensions)).or_default();
        values.push_back(Datapoint { at, value });
        keep_newest(values);
    }

    /// The newest calls for metrics, the oldest of them first.
    pub fn metric_calls(&self) -> Vec<MetricCall> {
        lock(&self.state).figures.calls.iter().cloned().collect()
    }

    /// Forgets the calls for metrics so far: what is asked from now on is counted.
    pub fn forget_metric_calls(&self) {
        lock(&self.state).figures.calls.clear();
    }

    /// CloudWatch takes no call with this expression, as if it had a fault that only CloudWatch sees.
    pub fn refuse_expression(&self, expression: &str) {
        lock(&self.state).figures.refused.insert(expression.to_owned());
    }

    /// CloudWatch can not say anything of the metric of this name, and answers all others.
    pub fn hide_metric(&self, name: &str) {
        lock(&self.state).figures.unsaid.insert(name.to_owned());
    }
}

impl Figures {
    fn newest(&self, query: &MetricQuery, since: Timestamp, until: Option<Timestamp>) -> Newest {
        let (series, statistic) = match &query.series {
            MetricSeries::Metric(metric) => (
                (metric.metric_name.clone(), metric.dimensions.clone()),
                metric.statistic.as_str(),
            ),
            MetricSeries::Math { expression, .. } => ((expression.clone(), BTreeMap::new()), "maximum"),
        };
        if self.unsaid.contains(&series.0) {
            let message = format!("{}: CloudWatch had a fault of its own", series.0);
            return Err(CallError::new(CallErrorKind::Retryable, message));
        }
        let Some(values) = self.values.get(&series) else {
            return Ok(None);
        };
        let Some(until) = until else {
            return Ok(values.back().copied().filter(|point| point.at >= since));
        };
        let began = |point: &Datapoint| Window::of(point.at, query.period_seconds, 0).until;
        let newest = values.iter().map(began).filter(|at| since <= *at && *at < until).max();
        Ok(newest.map(|at| {
            let values: Vec<f64> = values
                .iter()
                .filter(|point| began(point) == at)
                .map(|point| point.value)
                .collect();
            Datapoint {
                at,
                value: made_of(&values, statistic),
            }
        }))
    }
}

fn keep_newest<T>(kept: &mut VecDeque<T>) {
    while kept.len() > KEPT {
        kept.pop_front();
    }
}

fn made_of(values: &[f64], statistic: &str) -> f64 {
    let sum: f64 = values.iter().sum();
    match statistic {
        "sum" => sum,
        "average" => sum / values.len() as f64,
        "sample_count" => values.len() as f64,
        "minimum" => values.iter().copied().fold(f64::NAN, f64::min),
        // Of so few values, a high percentile is the largest.
        _ => values.iter().copied().fold(f64::NAN, f64::max),
    }
}

#[async_trait]
impl Metrics for FakeCloud {
    async fn newest(
        &self,
        region: Option<&str>,
        queries: &[MetricQuery],
        since: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<Vec<Newest>, CallError> {
        let reply = self.reach("metrics.newest").await?;
        if until.is_some_and(|until| until.as_second() <= since.as_second()) {
            let message = "ValidationError: the parameter StartTime must be less than the parameter EndTime";
            return Err(CallError::new(CallErrorKind::Refused, message));
        }
        let call = MetricCall {
            region: region.map(str::to_owned),
            queries: queries.iter().map(|query| query.series.queries()).sum(),
        };
        if call.queries > 500 {
            let message = "GetMetricData takes at most 500 queries";
            return Err(CallError::new(CallErrorKind::Refused, message));
        }
        let mut state = lock(&self.state);
        state.figures.calls.push_back(call);
        keep_newest(&mut state.figures.calls);
        let refused = queries.iter().find(|query| match &query.series {
            MetricSeries::Math { expression, .. } => state.figures.refused.contains(expression),
            MetricSeries::Metric(_) => false,
        });
        if refused.is_some() {
            let message = "an expression is not taken: error in expression";
            return Err(CallError::new(CallErrorKind::NotFound, message));
        }
        let newest = |query: &MetricQuery| state.figures.newest(query, since, until);
        reply.give("metrics.newest", queries.iter().map(newest).collect())
    }
}
