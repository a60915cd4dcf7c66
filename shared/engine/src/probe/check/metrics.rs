//! Metrics and health checks: up to 500 of one Region and one length of period in one call.
//!
//! What two probes ask alike is asked once: CloudWatch is paid by the metric. Periods of another length are asked by
//! another call, or a probe that looks at days would have all the others answer with days of minutes.

use super::super::{Asked, Probe};
use super::{halves, unanswered, wrong_kind};
use crate::ports::{CallErrorKind, MetricQuery};
use jiff::Timestamp;
use std::collections::BTreeMap;
use understudy_core::health::Sample;
use understudy_core::judge::{self, Datapoint, Window};
use understudy_core::plan::{DnsHealthCheckProbe, Probe as PlanProbe};

/// How many queries a `GetMetricData` takes.
const QUERIES: usize = 500;

fn query(asked: &Asked) -> Option<MetricQuery> {
    let (series, period_seconds) = match asked.probe() {
        PlanProbe::Metric(probe) => (probe.series()?, probe.period_seconds),
        PlanProbe::DnsHealthCheck(probe) => (probe.series(), DnsHealthCheckProbe::PERIOD_SECONDS),
        _ => return None,
    };
    Some(MetricQuery { series, period_seconds })
}

fn window(asked: &Asked, now: Timestamp) -> Option<Window> {
    match asked.probe() {
        PlanProbe::Metric(probe) => Some(probe.window(now)),
        PlanProbe::DnsHealthCheck(probe) => Some(probe.window(now)),
        _ => None,
    }
}

fn judged(asked: &Asked, newest: Option<Datapoint>, now: Timestamp) -> Sample {
    match asked.probe() {
        PlanProbe::Metric(probe) => judge::metric(probe, newest, now),
        PlanProbe::DnsHealthCheck(probe) => judge::dns_health_check(probe, newest, now),
        _ => wrong_kind(),
    }
}

/// Groups probes by Region and length of period, into batches that one call takes.
pub(super) fn batched(all: Vec<Asked>) -> impl Iterator<Item = (Option<String>, Vec<Asked>)> {
    let mut groups: BTreeMap<(Option<String>, u32), Vec<Asked>> = BTreeMap::new();
    for asked in all {
        let period = query(&asked).map_or(0, |query| query.period_seconds);
        groups.entry((asked.region(), period)).or_default().push(asked);
    }
    groups.into_iter().flat_map(|((region, _), group)| {
        let mut batches: Vec<Vec<Asked>> = Vec::new();
        let mut left = 0;
        for asked in group {
            let queries = query(&asked).map_or(1, |query| query.series.queries());
            match batches.last_mut().filter(|_| queries <= left) {
                Some(batch) => {
                    batch.push(asked);
                    left -= queries;
                }
                None => {
                    batches.push(vec![asked]);
                    left = QUERIES.saturating_sub(queries);
                }
            }
        }
        batches.into_iter().map(move |batch| (region.clone(), batch))
    })
}

pub(super) async fn metrics(probe: &Probe, region: Option<&str>, batch: Vec<Asked>) -> Vec<(Asked, Sample)> {
    let mut answered = Vec::new();
    let mut waiting = vec![batch];
    while let Some(batch) = waiting.pop() {
        let mut queries: Vec<MetricQuery> = Vec::new();
        // Where in the call each probe's question stands.
        let mut places = Vec::with_capacity(batch.len());
        for query in batch.iter().map(query) {
            places.push(query.map(|query| {
                let known = queries.iter().position(|known| *known == query);
                known.unwrap_or_else(|| {
                    queries.push(query);
                    queries.len() - 1
                })
            }));
        }
        let place = probe.place_for_describe(region).await;
        // After the wait for a place: what is new is told by the time of the call.
        let now = probe.ports.clock.now();
        let windows = batch.iter().filter_map(|asked| window(asked, now));
        let Some(wide) = windows.reduce(Window::or_earlier) else {
            answered.extend(batch.into_iter().map(|asked| (asked, wrong_kind())));
            continue;
        };
        let metrics = &probe.ports.metrics;
        let found = metrics.newest(region, &queries, wide.since, Some(wide.until)).await;
        drop(place);
        match found {
            Ok(found) => answered.extend(batch.into_iter().zip(places).map(|(asked, place)| {
                let sample = match place.and_then(|place| found.get(place)) {
                    Some(Ok(newest)) => judged(&asked, *newest, now),
                    Some(Err(error)) => unanswered(error),
                    None => wrong_kind(),
                };
                (asked, sample)
            })),
            // One of them is refused, and nobody says which.
            Err(error) if error.kind == CallErrorKind::NotFound && batch.len() > 1 => waiting.extend(halves(batch)),
            Err(error) => answered.extend(batch.into_iter().map(|asked| (asked, unanswered(&error)))),
        }
    }
    answered
}
