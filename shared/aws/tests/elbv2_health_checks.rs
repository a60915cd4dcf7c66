//! Health checks are read whole and written where they differ.
//!
//! Tries steps: target_group_health.

#![cfg(feature = "elbv2")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Answer, Script, says};
use understudy_aws::elbv2::ElbTraffic;
use understudy_core::state::{HealthCheck, Matcher};
use understudy_engine::ports::{CallErrorKind, Traffic};

const GROUP: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/blue/0123";

fn before() -> HealthCheck {
    HealthCheck {
        enabled: true,
        protocol: "HTTP".into(),
        port: "traffic-port".into(),
        path: Some("/".into()),
        interval_seconds: 30,
        answer_seconds: 5,
        healthy_threshold: 5,
        unhealthy_threshold: 2,
        matcher: Some(Matcher::Http("200".into())),
    }
}

fn group(check: &str) -> Answer {
    says(
        200,
        format!(
            "<DescribeTargetGroupsResponse><DescribeTargetGroupsResult><TargetGroups><member>\
             <TargetGroupArn>{GROUP}</TargetGroupArn>{check}</member></TargetGroups>\
             </DescribeTargetGroupsResult></DescribeTargetGroupsResponse>"
        ),
    )
}

fn as_before() -> Answer {
    group(
        "<HealthCheckEnabled>true</HealthCheckEnabled><HealthCheckProtocol>HTTP</HealthCheckProtocol>\
         <HealthCheckPort>traffic-port</HealthCheckPort><HealthCheckPath>/</HealthCheckPath>\
         <HealthCheckIntervalSeconds>30</HealthCheckIntervalSeconds>\
         <HealthCheckTimeoutSeconds>5</HealthCheckTimeoutSeconds><HealthyThresholdCount>5</HealthyThresholdCount>\
         <UnhealthyThresholdCount>2</UnhealthyThresholdCount><Matcher><HttpCode>200</HttpCode></Matcher>",
    )
}

fn modified() -> Answer {
    says(
        200,
        "<ModifyTargetGroupResponse><ModifyTargetGroupResult/></ModifyTargetGroupResponse>",
    )
}

#[tokio::test]
async fn a_health_check_is_read_whole() {
    let tcp = group(
        "<HealthCheckEnabled>true</HealthCheckEnabled><HealthCheckProtocol>TCP</HealthCheckProtocol>\
         <HealthCheckPort>8080</HealthCheckPort><HealthCheckIntervalSeconds>10</HealthCheckIntervalSeconds>\
         <HealthCheckTimeoutSeconds>6</HealthCheckTimeoutSeconds><HealthyThresholdCount>3</HealthyThresholdCount>\
         <UnhealthyThresholdCount>3</UnhealthyThresholdCount>",
    );
    let script = Script::new([as_before(), tcp]);
    let traffic = ElbTraffic::new(&script.config());
    assert_eq!(traffic.health_check(None, GROUP).await.unwrap(), before());
    let tcp = traffic.health_check(None, GROUP).await.unwrap();
    assert_eq!((tcp.protocol.as_str(), tcp.path, tcp.matcher), ("TCP", None, None));
    assert_eq!(
        script.sent()[0].field("TargetGroupArns.member.1").as_deref(),
        Some(GROUP)
    );
}

#[tokio::test]
async fn only_what_differs_is_sent() {
    let script = Script::new([as_before(), modified()]);
    let wanted = HealthCheck {
        path: Some("/health".into()),
        unhealthy_threshold: 3,
        matcher: Some(Matcher::Grpc("0".into())),
        ..before()
    };
    let traffic = ElbTraffic::new(&script.config());
    traffic.set_health_check(None, GROUP, &before(), &wanted).await.unwrap();
    let mut sent = script.sent()[1].form();
    sent.retain(|(name, _)| name != "Version");
    sent.sort();
    let expected = [
        ("Action", "ModifyTargetGroup"),
        ("HealthCheckPath", "/health"),
        ("Matcher.GrpcCode", "0"),
        ("TargetGroupArn", GROUP),
        ("UnhealthyThresholdCount", "3"),
    ];
    assert_eq!(sent, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn what_somebody_else_changed_is_not_overwritten() {
    let script = Script::new([as_before()]);
    let expected = HealthCheck {
        healthy_threshold: 9,
        ..before()
    };
    let traffic = ElbTraffic::new(&script.config());
    let error = traffic
        .set_health_check(None, GROUP, &expected, &before())
        .await
        .unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Conflict, "{error}");
    assert!(error.message.contains("5 good"), "{error}");
    assert_eq!(script.sent().len(), 1, "only the read");
}

#[tokio::test]
async fn what_the_service_refuses_is_told_and_sent_once() {
    let failed = |code: &str| {
        says(
            400,
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>as scripted</Message></Error></ErrorResponse>"
            ),
        )
    };
    for (answer, kind) in [
        (failed("TargetGroupNotFound"), CallErrorKind::NotFound),
        (failed("InvalidConfigurationRequest"), CallErrorKind::Refused),
        (failed("Throttling"), CallErrorKind::Retryable),
        (Answer::Broken, CallErrorKind::Lost),
    ] {
        let script = Script::new([as_before(), answer]);
        let traffic = ElbTraffic::new(&script.config());
        let wanted = HealthCheck {
            port: "80".into(),
            ..before()
        };
        let error = traffic
            .set_health_check(None, GROUP, &before(), &wanted)
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(GROUP), "{error}");
        assert_eq!(script.sent().len(), 2);
    }
}

#[tokio::test]
async fn what_forwards_to_a_group_is_asked_by_its_name() {
    let balanced = group("<LoadBalancerArns><member>arn:one</member><member>arn:two</member></LoadBalancerArns>");
    let gone = says(
        400,
        "<ErrorResponse><Error><Code>TargetGroupNotFound</Code><Message>as scripted</Message></Error></ErrorResponse>",
    );
    let script = Script::new([balanced, gone]);
    let traffic = ElbTraffic::new(&script.config());
    let found = traffic.balanced(None, "blue").await.unwrap().unwrap();
    assert_eq!(found.target_group_arn, GROUP);
    assert_eq!(found.load_balancer_arns, ["arn:one", "arn:two"]);
    assert_eq!(traffic.balanced(None, "blue").await.unwrap(), None);
    assert_eq!(script.sent()[0].field("Names.member.1").as_deref(), Some("blue"));
}
