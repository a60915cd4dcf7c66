//! Rules of probes that are answered by metrics: one metric or an expression, and an expression that can be asked in one
//! call with others.

use super::super::super::parse::{Path, Problems};
use super::super::super::probe::expression;
use super::super::super::{DnsHealthCheckProbe, MetricProbe};
use super::super::text;
use std::collections::BTreeMap;

/// How many dimensions a metric has at most (`Metric` of the CloudWatch API).
const DIMENSIONS: usize = 30;
/// How many metrics one expression may have: as many as an alarm may.
const METRICS: usize = 20;

/// Adds the problems of a probe of a metric.
pub(super) fn check(probe: &MetricProbe, path: &Path, problems: &mut Problems) {
    if !probe.period_seconds.is_multiple_of(60) {
        let message = format!("must be a multiple of 60; found {}", probe.period_seconds);
        problems.add(path.key("period_seconds"), message);
    }
    match &probe.expression {
        Some(text) => math(probe, text, path, problems),
        None => single(probe, path, problems),
    }
}

/// Adds the problems of a probe of a health check.
pub(super) fn health_check(probe: &DnsHealthCheckProbe, path: &Path, problems: &mut Problems) {
    let elsewhere = probe.common.region.as_deref();
    if let Some(region) = elsewhere.filter(|region| *region != DnsHealthCheckProbe::REGION) {
        let message = format!(
            "must be left out: the metrics of all health checks are in {}; found {}",
            DnsHealthCheckProbe::REGION,
            text::quoted(region)
        );
        problems.add(path.key("region"), message);
    }
}

fn single(probe: &MetricProbe, path: &Path, problems: &mut Problems) {
    let given = [
        ("namespace", probe.namespace.as_deref()),
        ("metric_name", probe.metric_name.as_deref()),
        ("statistic", probe.statistic.as_deref()),
    ];
    for (field, value) in given {
        match value {
            Some(value) => text::no_control(value, path.key(field), problems),
            None => problems.add(
                path.key(field),
                "is missing: a probe of one metric needs namespace, metric_name and statistic, one of several an expression",
            ),
        }
    }
    if !probe.metrics.is_empty() {
        problems.add(path.key("metrics"), "means nothing without an expression over them");
    }
    dimensions(&probe.dimensions, &path.key("dimensions"), problems);
}

fn math(probe: &MetricProbe, text: &str, path: &Path, problems: &mut Problems) {
    let unused = [
        ("namespace", probe.namespace.is_some()),
        ("metric_name", probe.metric_name.is_some()),
        ("dimensions", !probe.dimensions.is_empty()),
        ("statistic", probe.statistic.is_some()),
    ];
    for (field, _) in unused.into_iter().filter(|(_, given)| *given) {
        problems.add(
            path.key(field),
            "means nothing beside an expression: it belongs into one of `metrics`",
        );
    }
    let at = path.key("expression");
    text::no_control(text, at.clone(), problems);
    if let Some(refusal) = expression::refusal(text) {
        problems.add(at.clone(), format!("{refusal}; found {}", text::quoted(text)));
    } else {
        let known = || probe.metrics.keys().map(String::as_str);
        for name in expression::names(text) {
            if !probe.metrics.contains_key(name) {
                let meant = text::did_you_mean(name, known());
                problems.add(
                    at.clone(),
                    format!("names {name}, which is not one of `metrics`{meant}"),
                );
            }
        }
        for name in known().filter(|name| expression::can_name(name)) {
            if !expression::names(text).contains(name) {
                problems.add(path.key("metrics").key(name), "is not used in the expression");
            }
        }
    }
    let all = path.key("metrics");
    if probe.metrics.is_empty() {
        problems.add(
            all.clone(),
            "is missing: an expression needs the metrics that it is over",
        );
    }
    if probe.metrics.len() > METRICS {
        let message = format!("must have at most {METRICS} entries; found {}", probe.metrics.len());
        problems.add(all.clone(), message);
    }
    for (name, metric) in &probe.metrics {
        let at = all.key(name);
        if !expression::can_name(name) {
            problems.add(
                at.clone(),
                "must be a name of at most 63 letters, digits and underscores, beginning with a lower-case letter",
            );
        }
        text::no_control(&metric.namespace, at.key("namespace"), problems);
        text::no_control(&metric.metric_name, at.key("metric_name"), problems);
        dimensions(&metric.dimensions, &at.key("dimensions"), problems);
    }
}

fn dimensions(dimensions: &BTreeMap<String, String>, path: &Path, problems: &mut Problems) {
    if dimensions.len() > DIMENSIONS {
        let message = format!("must have at most {DIMENSIONS} entries; found {}", dimensions.len());
        problems.add(path.clone(), message);
    }
    for (name, value) in dimensions {
        let at = path.key(name);
        if name.is_empty() || name.len() > 255 {
            problems.add(at.clone(), "must have a name of 1 to 255 characters");
        }
        if value.is_empty() || value.len() > 1024 {
            let message = format!("must have 1 to 1024 characters; found {}", value.len());
            problems.add(at.clone(), message);
        }
        text::no_control(name, at.clone(), problems);
        text::no_control(value, at, problems);
    }
}
