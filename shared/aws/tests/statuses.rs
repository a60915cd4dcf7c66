//! What EC2 and CloudWatch's alarms say, and what they do not know.
//!
//! Tries steps: wait_healthy.
//! Tries probes: ec2, alarm.

#![cfg(all(feature = "ec2", feature = "cloudwatch"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::cbor::{cbor, failed, list, map, text, time};
use common::{Answer, Script, says};
use understudy_aws::cloudwatch::CloudWatchAlarms;
use understudy_aws::ec2::Ec2Compute;
use understudy_core::health::AlarmState;
use understudy_engine::ports::{Alarms, CallErrorKind, Compute, InstanceStatus};

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

fn ec2_failed(status: u16, code: &str) -> Answer {
    says(
        status,
        format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>as scripted</Message></Error></Errors><RequestID>r</RequestID></Response>"
        ),
    )
}

#[tokio::test]
async fn stopped_instances_are_asked_for_too() {
    let script = Script::new([says(
        200,
        "<DescribeInstanceStatusResponse><instanceStatusSet><item><instanceId>i-1</instanceId>\
         <instanceState><code>16</code><name>running</name></instanceState>\
         <systemStatus><status>impaired</status></systemStatus><instanceStatus><status>ok</status></instanceStatus></item>\
         <item><instanceId>i-2</instanceId><instanceState><name>stopped</name></instanceState></item>\
         </instanceStatusSet></DescribeInstanceStatusResponse>",
    )]);
    let found = Ec2Compute::new(&script.config())
        .instance_statuses(None, &ids(&["i-1", "i-2"]))
        .await
        .unwrap();
    let status = |id: &str, state: &str, instance: &str, system: &str| InstanceStatus {
        instance_id: id.into(),
        state: state.into(),
        instance_check: instance.into(),
        system_check: system.into(),
    };
    assert_eq!(
        found,
        [
            status("i-1", "running", "ok", "impaired"),
            status("i-2", "stopped", "unknown", "unknown")
        ]
    );
    let sent = &script.sent()[0];
    assert_eq!(sent.field("IncludeAllInstances").as_deref(), Some("true"));
    assert_eq!(sent.field("InstanceId.2").as_deref(), Some("i-2"));
}

#[tokio::test]
async fn what_a_failed_instance_read_means() {
    let cases = [
        (ec2_failed(400, "InvalidInstanceID.NotFound"), CallErrorKind::NotFound),
        (ec2_failed(400, "InvalidInstanceID.Malformed"), CallErrorKind::NotFound),
        (ec2_failed(503, "RequestLimitExceeded"), CallErrorKind::Retryable),
        (ec2_failed(500, "InternalError"), CallErrorKind::Retryable),
        (ec2_failed(403, "UnauthorizedOperation"), CallErrorKind::Refused),
        (Answer::Silent, CallErrorKind::Lost),
    ];
    for (answer, kind) in cases {
        let script = Script::new([answer]);
        let error = Ec2Compute::new(&script.config())
            .instance_statuses(None, &ids(&["i-1"]))
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains("i-1"), "{error}");
        assert!(error.message.ends_with("nothing was changed"), "{error}");
    }
}

#[tokio::test]
async fn metric_and_composite_alarms_are_read() {
    let metric = map(&[
        ("AlarmName", text("high")),
        ("StateValue", text("ALARM")),
        ("StateReason", text("too much")),
        ("StateUpdatedTimestamp", time(1_700_000_100.0)),
        ("StateTransitionedTimestamp", time(1_700_000_000.0)),
    ]);
    let composite = map(&[
        ("AlarmName", text("all")),
        ("StateValue", text("OK")),
        ("StateUpdatedTimestamp", time(1_700_000_200.0)),
    ]);
    let first = map(&[("MetricAlarms", list(&[metric])), ("NextToken", text("n"))]);
    let second = map(&[("CompositeAlarms", list(&[composite]))]);
    let script = Script::new([cbor(200, first), cbor(200, second)]);
    let alarms = CloudWatchAlarms::new(&script.config());
    let found = alarms
        .readings(Some("us-east-1"), &ids(&["high", "all", "gone"]))
        .await
        .unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(
        (found[0].alarm_name.as_str(), found[0].state, found[0].since.as_second()),
        ("high", AlarmState::Alarm, 1_700_000_000)
    );
    assert_eq!(found[0].reason, "too much");
    assert_eq!(
        (found[1].alarm_name.as_str(), found[1].state, found[1].since.as_second()),
        ("all", AlarmState::Ok, 1_700_000_200)
    );
    let sent = script.sent();
    assert!(sent[0].uri.contains("us-east-1"), "{}", sent[0].uri);
    assert!(
        sent[0].body.contains("MetricAlarm") && sent[0].body.contains("CompositeAlarm"),
        "{}",
        sent[0].body
    );
}

#[tokio::test]
async fn no_name_is_not_every_alarm() {
    let script = Script::new([]);
    assert!(
        CloudWatchAlarms::new(&script.config())
            .readings(None, &[])
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn what_a_failed_alarm_read_means() {
    let cases = [
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
        let error = CloudWatchAlarms::new(&script.config())
            .readings(None, &ids(&["a"]))
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
    }
}
