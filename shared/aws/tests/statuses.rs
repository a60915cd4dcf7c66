//! What EC2, RDS and CloudWatch say, and what they do not know.

#![cfg(all(feature = "ec2", feature = "rds", feature = "cloudwatch"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::cbor::{cbor, list, map, text, time};
use common::{Answer, Script, says};
use understudy_aws::cloudwatch::{CloudWatchAlarms, CloudWatchMetrics};
use understudy_aws::ec2::Ec2Compute;
use understudy_aws::rds::RdsDatabase;
use understudy_core::health::AlarmState;
use understudy_engine::ports::{
    Alarms, CallErrorKind, Compute, Database, DatabaseStatus, InstanceStatus, MetricQuery, Metrics,
};

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

fn rds_page(instances: &[(&str, &str)], marker: Option<&str>) -> Answer {
    let instances: String = instances
        .iter()
        .map(|(id, status)| {
            format!("<DBInstance><DBInstanceIdentifier>{id}</DBInstanceIdentifier><DBInstanceStatus>{status}</DBInstanceStatus></DBInstance>")
        })
        .collect();
    let marker = marker
        .map(|marker| format!("<Marker>{marker}</Marker>"))
        .unwrap_or_default();
    says(
        200,
        format!(
            "<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances>{instances}</DBInstances>{marker}\
             </DescribeDBInstancesResult></DescribeDBInstancesResponse>"
        ),
    )
}

fn rds_failed(status: u16, code: &str) -> Answer {
    says(
        status,
        format!("<ErrorResponse><Error><Code>{code}</Code><Message>as scripted</Message></Error></ErrorResponse>"),
    )
}

fn database(id: &str, status: &str) -> DatabaseStatus {
    DatabaseStatus {
        db_instance_identifier: id.into(),
        status: status.into(),
    }
}

#[tokio::test]
async fn databases_are_read_page_by_page_in_the_plans_spelling() {
    let script = Script::new([
        rds_page(&[("orders", "available")], Some("m")),
        rds_page(&[("stock", "backing-up")], None),
    ]);
    let found = RdsDatabase::new(&script.config())
        .instance_statuses(None, &ids(&["Orders", "stock"]))
        .await
        .unwrap();
    assert_eq!(
        found,
        [database("Orders", "available"), database("stock", "backing-up")]
    );
    let sent = script.sent();
    assert_eq!(
        sent[0].field("Filters.Filter.1.Name").as_deref(),
        Some("db-instance-id")
    );
    assert_eq!(
        sent[0].field("Filters.Filter.1.Values.Value.1").as_deref(),
        Some("orders")
    );
    assert_eq!(sent[1].field("Marker").as_deref(), Some("m"));
}

#[tokio::test]
async fn one_unknown_database_does_not_hide_the_others() {
    let missing = || rds_failed(404, "DBInstanceNotFound");
    let script = Script::new([missing(), missing(), rds_page(&[("stock", "available")], None)]);
    let found = RdsDatabase::new(&script.config())
        .instance_statuses(None, &ids(&["gone", "stock"]))
        .await
        .unwrap();
    assert_eq!(found, [database("stock", "available")]);
    let script = Script::new([missing()]);
    assert!(
        RdsDatabase::new(&script.config())
            .instance_statuses(None, &ids(&["gone"]))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn what_a_failed_database_read_means() {
    let cases = [
        (rds_failed(400, "Throttling"), CallErrorKind::Retryable),
        (rds_failed(503, "ServiceUnavailable"), CallErrorKind::Retryable),
        (rds_failed(403, "AccessDenied"), CallErrorKind::Refused),
        (Answer::Silent, CallErrorKind::Lost),
    ];
    for (answer, kind) in cases {
        let script = Script::new([answer]);
        let error = RdsDatabase::new(&script.config())
            .instance_statuses(None, &ids(&["a"]))
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
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
    let failed = |code: &str| map(&[("__type", text(code)), ("message", text("as scripted"))]);
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

#[tokio::test]
async fn the_newest_datapoint_of_each_metric_is_found_on_whichever_page_it_is() {
    let float = |value: f64| [vec![0xfb], value.to_be_bytes().to_vec()].concat();
    let result = |id: &str, points: &[(f64, f64)]| {
        let times: Vec<Vec<u8>> = points.iter().map(|(at, _)| time(*at)).collect();
        let values: Vec<Vec<u8>> = points.iter().map(|(_, value)| float(*value)).collect();
        map(&[
            ("Id", text(id)),
            ("Timestamps", list(&times)),
            ("Values", list(&values)),
        ])
    };
    let first = result("m1", &[(1_700_000_060.0, 3.0), (1_700_000_000.0, 9.0)]);
    let second = result("m1", &[(1_700_000_120.0, 5.0)]);
    let page = |results: &[Vec<u8>], token: Option<&str>| {
        let mut entries = vec![("MetricDataResults", list(results))];
        entries.extend(token.map(|token| ("NextToken", text(token))));
        cbor(200, map(&entries))
    };
    let script = Script::new([page(&[first], Some("n")), page(&[second, result("m0", &[])], None)]);
    let query = |name: &str| MetricQuery {
        namespace: "AWS/RDS".into(),
        name: name.into(),
        dimensions: vec![("DBInstanceIdentifier".into(), "shop".into())],
    };
    let since = jiff::Timestamp::from_second(1_700_000_000).unwrap();
    let found = CloudWatchMetrics::new(&script.config())
        .newest(None, &[query("CPUUtilization"), query("ReplicaLag")], since)
        .await
        .unwrap();
    assert_eq!(found[0], None);
    let newest = found[1].unwrap();
    assert_eq!((newest.at.as_second(), newest.value), (1_700_000_120, 5.0));
}
