//! What alarms are: read whole, replaced whole, and never written over what somebody else has made of them.
//!
//! Tries steps: metric_alarm.

#![cfg(feature = "cloudwatch")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::cbor::{cbor, double, integer, list, map, text, truth};
use common::{Answer, Script};
use understudy_aws::cloudwatch::CloudWatchDefinitions;
use understudy_core::state::{AlarmDefinition, Threshold};
use understudy_engine::ports::{AlarmDefinitions, CallErrorKind};

const NAME: &str = "shop-unhealthy";

fn definition() -> AlarmDefinition {
    AlarmDefinition {
        description: Some("hosts".into()),
        actions_enabled: true,
        ok_actions: vec!["arn:ok".into()],
        alarm_actions: vec!["arn:one".into(), "arn:two".into()],
        namespace: "AWS/ApplicationELB".into(),
        metric_name: "UnHealthyHostCount".into(),
        dimensions: [("TargetGroup".to_owned(), "targetgroup/blue/1".to_owned())].into(),
        statistic: Some("Maximum".into()),
        period_seconds: 60,
        evaluation_periods: 3,
        datapoints_to_alarm: Some(2),
        threshold: Threshold(0.5),
        comparison: "GreaterThanThreshold".into(),
        treat_missing_data: Some("breaching".into()),
        ..AlarmDefinition::default()
    }
}

// The alarm as the service tells it, with more fields.
fn told(more: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let dimension = map(&[("Name", text("TargetGroup")), ("Value", text("targetgroup/blue/1"))]);
    let fields = [
        ("AlarmName", text(NAME)),
        ("AlarmDescription", text("hosts")),
        ("ActionsEnabled", truth(true)),
        ("OKActions", list(&[text("arn:ok")])),
        ("AlarmActions", list(&[text("arn:two"), text("arn:one")])),
        ("InsufficientDataActions", list(&[])),
        ("Namespace", text("AWS/ApplicationELB")),
        ("MetricName", text("UnHealthyHostCount")),
        ("Dimensions", list(&[dimension])),
        ("Statistic", text("Maximum")),
        ("Period", integer(60)),
        ("EvaluationPeriods", integer(3)),
        ("DatapointsToAlarm", integer(2)),
        ("Threshold", double(0.5)),
        ("ComparisonOperator", text("GreaterThanThreshold")),
        ("TreatMissingData", text("breaching")),
        ("EvaluationWindow", map(&[("SlidingWindow", map(&[]))])),
    ];
    map(&[&fields[..], more].concat())
}

fn described(alarms: &[Vec<u8>]) -> Answer {
    cbor(
        200,
        map(&[("MetricAlarms", list(alarms)), ("CompositeAlarms", list(&[]))]),
    )
}

fn done() -> Answer {
    cbor(200, map(&[]))
}

#[tokio::test]
async fn an_alarm_is_read_whole() {
    let script = Script::new([described(&[told(&[])]), described(&[])]);
    let definitions = CloudWatchDefinitions::new(&script.config());
    let found = definitions.definition(Some("us-east-1"), NAME).await.unwrap().unwrap();
    assert!(found.same_as(&definition()), "{found:#?}");
    assert_eq!(definitions.definition(None, NAME).await.unwrap(), None);
    assert!(script.sent()[0].uri.contains("us-east-1"));
}

#[tokio::test]
async fn an_alarm_says_by_its_tag_which_plan_made_it() {
    let tag = |key: &str, value: &str| map(&[("Key", text(key)), ("Value", text(value))]);
    let tags = map(&[("Tags", list(&[tag("team", "web"), tag("understudy", "shop")]))]);
    let with_arn = told(&[(
        "AlarmArn",
        text("arn:aws:cloudwatch:eu-west-1:000000000000:alarm:shop-unhealthy"),
    )]);
    let script = Script::new([described(&[with_arn]), cbor(200, tags)]);
    let definitions = CloudWatchDefinitions::new(&script.config());
    let found = definitions.definition(None, NAME).await.unwrap().unwrap();
    assert_eq!(found.made_by.as_deref(), Some("shop"));
    let sent = script.sent();
    assert!(sent[1].uri.ends_with("ListTagsForResource"), "{sent:#?}");
    assert!(sent[1].body.contains("alarm:shop-unhealthy"));
}

#[tokio::test]
async fn what_can_not_be_written_back_is_named() {
    let metrics = list(&[map(&[("Id", text("m1")), ("Expression", text("SUM(METRICS())"))])]);
    for (more, words) in [
        (("Metrics", metrics), "metric math"),
        (("ThresholdMetricId", text("ad1")), "anomaly band"),
        (
            (
                "WarmUpConfiguration",
                map(&[("WarmUpPeriodDurationInMinutes", integer(5))]),
            ),
            "warm up",
        ),
        (
            (
                "ActionConfiguration",
                map(&[("AlarmTagsPropagation", map(&[("Enabled", truth(true))]))]),
            ),
            "tags",
        ),
    ] {
        let script = Script::new([described(&[told(&[more])])]);
        let found = CloudWatchDefinitions::new(&script.config())
            .definition(None, NAME)
            .await
            .unwrap()
            .unwrap();
        assert!(
            found.unsupported.as_ref().is_some_and(|found| found.contains(words)),
            "{words}: {found:#?}"
        );
    }
    let composite = map(&[("AlarmName", text(NAME)), ("AlarmRule", text("ALARM(a)"))]);
    let script = Script::new([cbor(200, map(&[("CompositeAlarms", list(&[composite]))]))]);
    let found = CloudWatchDefinitions::new(&script.config())
        .definition(None, NAME)
        .await
        .unwrap()
        .unwrap();
    assert!(found.unsupported.unwrap().contains("composite"));
}

#[tokio::test]
async fn a_new_alarm_is_tagged_and_one_that_was_there_is_not() {
    let tags = [("understudy".to_owned(), "shop".to_owned())];
    let script = Script::new([described(&[]), done(), described(&[told(&[])]), done()]);
    let definitions = CloudWatchDefinitions::new(&script.config());
    let wanted = definition();
    definitions.define(None, NAME, None, &wanted, &tags).await.unwrap();
    let other = AlarmDefinition {
        period_seconds: 300,
        ..wanted.clone()
    };
    definitions
        .define(None, NAME, Some(&wanted), &other, &tags)
        .await
        .unwrap();
    let sent = script.sent();
    assert!(
        sent[1].uri.ends_with("PutMetricAlarm") && sent[3].uri.ends_with("PutMetricAlarm"),
        "{sent:#?}"
    );
    for field in [
        "understudy",
        "UnHealthyHostCount",
        "TargetGroup",
        "arn:two",
        "breaching",
        "GreaterThanThreshold",
    ] {
        assert!(sent[1].body.contains(field), "{field}: {}", sent[1].body);
    }
    assert!(!sent[3].body.contains("understudy"), "{}", sent[3].body);
}

#[tokio::test]
async fn what_somebody_else_made_is_neither_replaced_nor_deleted() {
    let expected = AlarmDefinition {
        threshold: Threshold(7.0),
        ..definition()
    };
    let script = Script::new([
        described(&[told(&[])]),
        described(&[told(&[])]),
        described(&[told(&[])]),
        described(&[]),
    ]);
    let definitions = CloudWatchDefinitions::new(&script.config());
    let errors = [
        definitions
            .define(None, NAME, Some(&expected), &definition(), &[])
            .await
            .unwrap_err(),
        definitions
            .define(None, NAME, None, &definition(), &[])
            .await
            .unwrap_err(),
        definitions.remove(None, NAME, &expected).await.unwrap_err(),
        definitions.remove(None, NAME, &expected).await.unwrap_err(),
    ];
    for error in &errors {
        assert_eq!(error.kind, CallErrorKind::Conflict, "{error}");
        assert!(error.message.contains("nothing was changed"), "{error}");
    }
    assert_eq!(script.sent().len(), 4, "only reads");
}

#[tokio::test]
async fn an_alarm_is_deleted_where_it_is_as_expected() {
    let script = Script::new([described(&[told(&[])]), done()]);
    CloudWatchDefinitions::new(&script.config())
        .remove(None, NAME, &definition())
        .await
        .unwrap();
    let sent = script.sent();
    assert!(sent[1].uri.ends_with("DeleteAlarms"), "{sent:#?}");
    assert!(sent[1].body.contains(NAME));
}

#[tokio::test]
async fn what_the_service_refuses_is_told_and_sent_once() {
    let failed = |status, code: &str| {
        let code = format!("com.amazonaws.cloudwatch#{code}");
        cbor(
            status,
            map(&[("__type", text(&code)), ("message", text("as scripted"))]),
        )
    };
    for (answer, kind) in [
        (failed(400, "LimitExceededFault"), CallErrorKind::Refused),
        (failed(400, "Throttling"), CallErrorKind::Retryable),
        (failed(403, "AccessDenied"), CallErrorKind::Refused),
        (failed(500, "InternalServiceFault"), CallErrorKind::Fault),
        (Answer::Broken, CallErrorKind::Lost),
    ] {
        let script = Script::new([described(&[]), answer]);
        let definitions = CloudWatchDefinitions::new(&script.config());
        let error = definitions
            .define(None, NAME, None, &definition(), &[])
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(NAME), "{error}");
        assert_eq!(script.sent().len(), 2);
    }
}
