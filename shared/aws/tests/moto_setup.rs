//! The rooms of what setup makes and adjusts, at an emulator that keeps what is written: what was set is what is read.

#![cfg(all(feature = "cloudwatch", feature = "elbv2"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use aws_sdk_elasticloadbalancingv2::types::ProtocolEnum;
use common::moto::Moto;
use understudy_aws::cloudwatch::CloudWatchDefinitions;
use understudy_aws::elbv2::ElbTraffic;
use understudy_core::state::{AlarmDefinition, HealthCheck, Matcher, Threshold};
use understudy_engine::ports::{AlarmDefinitions, CallErrorKind, Traffic};

#[tokio::test]
async fn a_health_check_is_read_as_it_was_set_and_restored_exactly() {
    let moto = Moto::start().await;
    let client = aws_sdk_elasticloadbalancingv2::Client::new(&moto.sdk);
    let created = client
        .create_target_group()
        .name("blue")
        .protocol(ProtocolEnum::Http)
        .port(80)
        .send()
        .await
        .unwrap();
    let arn = created.target_groups()[0].target_group_arn().unwrap();
    let traffic = ElbTraffic::new(&moto.config());
    let before = traffic.health_check(None, arn).await.unwrap();
    assert!(before.enabled);
    assert_eq!(
        (before.protocol.as_str(), before.port.as_str()),
        ("HTTP", "traffic-port")
    );
    let wanted = HealthCheck {
        port: "8443".into(),
        path: Some("/health".into()),
        interval_seconds: 12,
        answer_seconds: 4,
        unhealthy_threshold: 4,
        matcher: Some(Matcher::Http("200-299".into())),
        ..before.clone()
    };
    traffic.set_health_check(None, arn, &before, &wanted).await.unwrap();
    assert_eq!(traffic.health_check(None, arn).await.unwrap(), wanted);
    let stale = traffic.set_health_check(None, arn, &before, &wanted).await.unwrap_err();
    assert_eq!(stale.kind, CallErrorKind::Conflict, "{stale}");
    traffic.set_health_check(None, arn, &wanted, &before).await.unwrap();
    assert_eq!(traffic.health_check(None, arn).await.unwrap(), before);
    let missing = traffic
        .health_check(None, &arn.replace("/blue/", "/none/"))
        .await
        .unwrap_err();
    assert_eq!(missing.kind, CallErrorKind::NotFound, "{missing}");
}

#[tokio::test]
async fn an_alarm_is_read_as_it_was_made_adjusted_and_deleted() {
    let moto = Moto::start().await;
    let definitions = CloudWatchDefinitions::new(&moto.config());
    let read = async || definitions.definition(None, "shop-unhealthy").await.unwrap();
    assert_eq!(read().await, None);
    let made = AlarmDefinition {
        description: Some("hosts".into()),
        actions_enabled: true,
        alarm_actions: vec!["arn:aws:sns:eu-west-1:123456789012:shop".into()],
        namespace: "AWS/ApplicationELB".into(),
        metric_name: "UnHealthyHostCount".into(),
        dimensions: [("TargetGroup".to_owned(), "targetgroup/blue/1".to_owned())].into(),
        statistic: Some("Maximum".into()),
        period_seconds: 60,
        evaluation_periods: 3,
        datapoints_to_alarm: Some(2),
        threshold: Threshold(0.1),
        comparison: "GreaterThanThreshold".into(),
        treat_missing_data: Some("breaching".into()),
        ..AlarmDefinition::default()
    };
    let tags = [("understudy".to_owned(), "shop".to_owned())];
    definitions
        .define(None, "shop-unhealthy", None, &made, &tags)
        .await
        .unwrap();
    let found = read().await.unwrap();
    assert!(found.same_as(&made), "{found:#?}");
    let adjusted = AlarmDefinition {
        threshold: Threshold(1.0 / 3.0),
        ..made.clone()
    };
    definitions
        .define(None, "shop-unhealthy", Some(&found), &adjusted, &[])
        .await
        .unwrap();
    assert!(read().await.unwrap().same_as(&adjusted), "every digit of the threshold");
    let stale = definitions
        .define(None, "shop-unhealthy", Some(&made), &made, &[])
        .await
        .unwrap_err();
    assert_eq!(stale.kind, CallErrorKind::Conflict, "{stale}");
    definitions.remove(None, "shop-unhealthy", &adjusted).await.unwrap();
    assert_eq!(read().await, None);
}
