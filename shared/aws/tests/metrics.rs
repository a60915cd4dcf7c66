//! What CloudWatch is asked about metrics, and what each of its answers means.
//!
//! Tries probes: metric, dns_health_check.

#![cfg(feature = "cloudwatch")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::cbor::{cbor, failed, float, list, map, text, time};
use common::{Answer, Script};
use jiff::Timestamp;
use std::collections::BTreeMap;
use understudy_aws::cloudwatch::CloudWatchMetrics;
use understudy_core::plan::{Metric, MetricSeries};
use understudy_engine::ports::{CallErrorKind, Datapoint, MetricQuery, Metrics};

const START: i64 = 1_700_000_040;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(START + seconds).unwrap()
}

fn metric(name: &str, statistic: &str) -> Metric {
    Metric {
        namespace: "Shop".into(),
        metric_name: name.into(),
        dimensions: BTreeMap::from([("Site".into(), "blue".into())]),
        statistic: statistic.into(),
    }
}

fn query(name: &str, statistic: &str) -> MetricQuery {
    MetricQuery {
        series: MetricSeries::Metric(metric(name, statistic)),
        period_seconds: 60,
    }
}

fn ratio() -> MetricQuery {
    let metrics = [("errors", metric("Errors", "sum")), ("all", metric("Requests", "sum"))];
    MetricQuery {
        series: MetricSeries::Math {
            expression: "100 * errors / FILL(all, 1)".into(),
            metrics: metrics.map(|(name, metric)| (name.to_owned(), metric)).into(),
        },
        period_seconds: 300,
    }
}

/// A result with these points, seconds after the start.
fn result(id: &str, status: &str, points: &[(i64, f64)]) -> Vec<u8> {
    let times: Vec<Vec<u8>> = points.iter().map(|(at, _)| time((START + at) as f64)).collect();
    let values: Vec<Vec<u8>> = points.iter().map(|(_, value)| float(*value)).collect();
    map(&[
        ("Id", text(id)),
        ("StatusCode", text(status)),
        ("Timestamps", list(&times)),
        ("Values", list(&values)),
    ])
}

fn page(results: &[Vec<u8>], token: Option<&str>) -> Answer {
    let mut entries = vec![("MetricDataResults", list(results))];
    entries.extend(token.map(|token| ("NextToken", text(token))));
    cbor(200, map(&entries))
}

fn point(seconds: i64, value: f64) -> Datapoint {
    Datapoint { at: at(seconds), value }
}

#[tokio::test]
async fn the_newest_datapoint_of_each_series_is_found_on_whichever_page_it_is() {
    let script = Script::new([
        page(&[result("m1", "PartialData", &[(60, 3.0), (0, 9.0)])], Some("n")),
        page(
            &[result("m1", "Complete", &[(120, 5.0)]), result("m0", "Complete", &[])],
            None,
        ),
    ]);
    let found = CloudWatchMetrics::new(&script.config())
        .newest(
            Some("us-east-1"),
            &[query("A", "maximum"), query("B", "p99.9")],
            at(0),
            None,
        )
        .await
        .unwrap();
    assert_eq!(found, [Ok(None), Ok(Some(point(120, 5.0)))]);
    let sent = script.sent();
    assert!(sent[0].uri.contains("us-east-1"), "{}", sent[0].uri);
    for words in ["Maximum", "p99.9", "TimestampDescending", "Site", "blue"] {
        assert!(sent[0].body.contains(words), "{words}: {}", sent[0].body);
    }
    assert!(sent[1].body.contains("NextToken"), "{}", sent[1].body);
}

#[tokio::test]
async fn a_period_that_goes_on_is_left_out_where_an_end_is_said() {
    let answer = || page(&[result("m0", "Complete", &[(120, 1.0), (60, 7.0)])], None);
    let newest = async |until: Option<Timestamp>| {
        let script = Script::new([answer()]);
        let found = CloudWatchMetrics::new(&script.config())
            .newest(None, &[query("A", "sum")], at(0), until)
            .await
            .unwrap();
        found[0].clone().unwrap().unwrap()
    };
    assert_eq!(newest(Some(at(120))).await, point(60, 7.0));
    assert_eq!(newest(None).await, point(120, 1.0));
}

#[tokio::test]
async fn the_metrics_of_an_expression_have_names_that_no_other_has() {
    let script = Script::new([page(
        &[
            result("m0", "Complete", &[(0, 1.0)]),
            result("m1", "Complete", &[(0, 2.5)]),
            result("m2", "Complete", &[(0, f64::NAN)]),
        ],
        None,
    )]);
    let queries = [query("A", "sample_count"), ratio(), ratio()];
    let found = CloudWatchMetrics::new(&script.config())
        .newest(None, &queries, at(0), Some(at(300)))
        .await
        .unwrap();
    assert_eq!(found[1], Ok(Some(point(0, 2.5))));
    assert!(
        found[2].clone().unwrap().unwrap().value.is_nan(),
        "NaN is told as it is"
    );
    let body = &script.sent()[0].body;
    for words in [
        "100 * v1_errors / FILL(v1_all, 1)",
        "100 * v2_errors / FILL(v2_all, 1)",
        "v1_errors",
        "v2_all",
        "ReturnData",
        "SampleCount",
    ] {
        assert!(body.contains(words), "{words}: {body}");
    }
}

#[tokio::test]
async fn what_cloudwatch_can_not_say_of_one_series_is_not_silence_and_hides_no_other() {
    let script = Script::new([page(
        &[
            result("m0", "InternalError", &[]),
            result("m1", "Forbidden", &[]),
            result("m2", "PartialData", &[]),
            result("m3", "PartialData", &[(60, 4.0)]),
            result("m5", "Complete", &[]),
        ],
        None,
    )]);
    let queries: Vec<MetricQuery> = (0..6).map(|_| query("A", "sum")).collect();
    let found = CloudWatchMetrics::new(&script.config())
        .newest(None, &queries, at(0), Some(at(120)))
        .await
        .unwrap();
    let kind = |index: usize| found[index].as_ref().map_err(|error| error.kind);
    assert_eq!(kind(0), Err(CallErrorKind::Retryable));
    assert_eq!(kind(1), Err(CallErrorKind::Refused));
    assert_eq!(kind(2), Err(CallErrorKind::Retryable));
    assert_eq!(kind(3), Ok(&Some(point(60, 4.0))), "the newest comes first");
    assert_eq!(kind(4), Err(CallErrorKind::Retryable), "it was not spoken of at all");
    assert_eq!(kind(5), Ok(&None), "this is silence");
    assert!(
        found[0].as_ref().unwrap_err().message.contains("sum of A"),
        "{:?}",
        found[0]
    );
}

#[tokio::test]
async fn what_a_failed_read_of_metrics_means() {
    let cases = [
        (
            cbor(400, failed("com.amazonaws.cloudwatch#ValidationError")),
            CallErrorKind::NotFound,
        ),
        (
            cbor(400, failed("com.amazonaws.cloudwatch#InvalidParameterValueException")),
            CallErrorKind::NotFound,
        ),
        (
            cbor(400, failed("com.amazonaws.cloudwatch#Throttling")),
            CallErrorKind::Retryable,
        ),
        (
            cbor(500, failed("com.amazonaws.cloudwatch#InternalServiceFault")),
            CallErrorKind::Retryable,
        ),
        (
            cbor(403, failed("com.amazonaws.cloudwatch#AccessDenied")),
            CallErrorKind::Refused,
        ),
        (Answer::Silent, CallErrorKind::Lost),
    ];
    for (answer, kind) in cases {
        let script = Script::new([answer]);
        let queries: Vec<MetricQuery> = (0..500).map(|_| query("A", "sum")).collect();
        let error = CloudWatchMetrics::new(&script.config())
            .newest(None, &queries, at(0), Some(at(60)))
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(
            error.message.starts_with("reading 500 metrics, the first sum of A"),
            "{error}"
        );
        assert!(
            error.message.len() < 300,
            "what was answered is not lost behind names: {error}"
        );
    }
}

#[tokio::test]
async fn nothing_is_not_asked() {
    let script = Script::new([]);
    let found = CloudWatchMetrics::new(&script.config())
        .newest(None, &[], at(0), None)
        .await;
    assert_eq!(found.unwrap(), []);
}
