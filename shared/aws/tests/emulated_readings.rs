//! What the probe reads, at emulators that keep what is written: metrics as they were sent, clusters as they were made.
//!
//! It needs the pinned tools (`make tools`). What the emulators have not, the scripted tests beside this one have.
//!
//! Tries steps: rds_cluster_failover.
//! Tries probes: rds_instance, rds_cluster, metric, dns_health_check.

#![cfg(all(feature = "cloudwatch", feature = "rds"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum};
use common::emulator::Emulator;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use understudy_aws::cloudwatch::CloudWatchMetrics;
use understudy_aws::rds::{RdsDatabase, RdsFailover};
use understudy_core::judge::Window;
use understudy_core::plan::{Metric, MetricSeries};
use understudy_engine::ports::{CallErrorKind, Database, DatabaseFailover, Datapoint, MetricQuery, Metrics};

#[tokio::test]
async fn metrics_are_read_as_they_were_sent() {
    let emulator = Emulator::start_ministack().await;
    let client = aws_sdk_cloudwatch::Client::new(&emulator.sdk);
    let now = Timestamp::now();
    let window = Window::of(now, 60, 5);
    let minute = |back: i64| window.until - SignedDuration::from_mins(back);
    let send = async |name: &str, at: Timestamp, value: f64| {
        let datum = MetricDatum::builder()
            .metric_name(name)
            .dimensions(Dimension::builder().name("Site").value("blue").build())
            .timestamp(DateTime::from_secs(at.as_second()))
            .value(value)
            .build();
        let call = client.put_metric_data().namespace("Shop").metric_data(datum);
        call.send().await.unwrap();
    };
    for (at, value) in [
        (minute(4), 50.0),
        (minute(2), 3.0),
        (minute(2), 4.0),
        (minute(0), 90.0),
        (minute(9), 1.0),
    ] {
        send("Errors", at, value).await;
    }
    send("Old", minute(9), 1.0).await;

    let metric = |name: &str, statistic: &str| Metric {
        namespace: "Shop".into(),
        metric_name: name.into(),
        dimensions: BTreeMap::from([("Site".into(), "blue".into())]),
        statistic: statistic.into(),
    };
    let of = |name: &str, statistic: &str| MetricQuery {
        series: MetricSeries::Metric(metric(name, statistic)),
        period_seconds: 60,
    };
    let queries = [
        of("Errors", "sum"),
        of("Errors", "minimum"),
        of("Errors", "sample_count"),
        of("Old", "sum"),
        of("Nothing", "sum"),
    ];
    let found = CloudWatchMetrics::new(&emulator.config())
        .newest(None, &queries, window.since, Some(window.until))
        .await
        .unwrap();
    let point = |value| Ok(Some(Datapoint { at: minute(2), value }));
    assert_eq!(found, [point(7.0), point(3.0), point(2.0), Ok(None), Ok(None)]);

    // What it can not work out is not silence.
    let math = MetricQuery {
        series: MetricSeries::Math {
            expression: "errors * 2".into(),
            metrics: BTreeMap::from([("errors".into(), metric("Errors", "sum"))]),
        },
        period_seconds: 60,
    };
    let queries = [math, of("Errors", "sum")];
    let found = CloudWatchMetrics::new(&emulator.config())
        .newest(None, &queries, window.since, Some(window.until))
        .await
        .unwrap();
    assert_eq!(
        found[0].as_ref().unwrap_err().kind,
        CallErrorKind::Retryable,
        "{found:?}"
    );
    assert_eq!(found[1], point(7.0));
}

#[tokio::test]
async fn clusters_are_read_as_they_were_made() {
    let emulator = Emulator::start().await;
    let client = aws_sdk_rds::Client::new(&emulator.sdk);
    client
        .create_db_cluster()
        .db_cluster_identifier("orders")
        .engine("aurora-postgresql")
        .master_username("shop")
        .master_user_password("only-in-the-emulator")
        .send()
        .await
        .unwrap();
    for id in ["orders-1", "orders-2"] {
        client
            .create_db_instance()
            .db_instance_identifier(id)
            .db_cluster_identifier("orders")
            .db_instance_class("db.r6g.large")
            .engine("aurora-postgresql")
            .send()
            .await
            .unwrap();
    }
    let database = RdsDatabase::new(&emulator.config());
    let read = async || {
        let found = database
            .cluster_statuses(None, &["Orders".to_owned(), "nobody".to_owned()])
            .await
            .unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    };
    let before = read().await;
    assert_eq!(before.db_cluster_identifier, "Orders");
    assert_eq!(before.cluster.status, "available");
    assert_eq!(before.cluster.writer.as_deref(), Some("orders-1"));
    assert_eq!(before.cluster.members, ["orders-1", "orders-2"]);
    assert!(!before.is_replica);

    let failover = RdsFailover::new(&emulator.config());
    failover
        .fail_over_cluster(None, "orders", Some("orders-1"), "orders-2")
        .await
        .unwrap();
    let after = read().await;
    assert_eq!(after.cluster.writer.as_deref(), Some("orders-2"));
    let members = after.cluster.members;
    let statuses = database.instance_statuses(None, &members).await.unwrap();
    assert!(
        statuses.iter().all(|status| status.status == "available"),
        "{statuses:?}"
    );
    assert_eq!(statuses.len(), 2);
}
