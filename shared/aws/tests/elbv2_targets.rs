//! Targets come and go, each with its port.
//!
//! Tries steps: elb_targets.

#![cfg(feature = "elbv2")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Answer, Script, says};
use understudy_aws::elbv2::ElbTraffic;
use understudy_core::plan::TargetId;
use understudy_engine::ports::{CallErrorKind, Traffic};

const GROUP: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/all/0123";

fn target(id: &str, port: u16) -> TargetId {
    TargetId { id: id.into(), port }
}

#[tokio::test]
async fn targets_are_registered_and_deregistered_by_one_call_each() {
    let script = Script::new([
        says(
            200,
            "<RegisterTargetsResponse><RegisterTargetsResult/></RegisterTargetsResponse>",
        ),
        says(
            200,
            "<DeregisterTargetsResponse><DeregisterTargetsResult/></DeregisterTargetsResponse>",
        ),
    ]);
    let traffic = ElbTraffic::new(&script.config());
    let targets = [target("i-1", 80), target("i-2", 8080)];
    traffic.register(None, GROUP, &targets).await.unwrap();
    traffic.deregister(None, GROUP, &targets).await.unwrap();
    for (sent, action) in script.sent().iter().zip(["RegisterTargets", "DeregisterTargets"]) {
        assert_eq!(sent.field("Action").as_deref(), Some(action));
        assert_eq!(sent.field("TargetGroupArn").as_deref(), Some(GROUP));
        assert_eq!(sent.field("Targets.member.2.Id").as_deref(), Some("i-2"));
        assert_eq!(sent.field("Targets.member.2.Port").as_deref(), Some("8080"));
    }
}

#[tokio::test]
async fn the_deregistration_delay_is_an_attribute_of_the_group() {
    let attributes = |members: &str| {
        says(
            200,
            format!(
                "<DescribeTargetGroupAttributesResponse><DescribeTargetGroupAttributesResult><Attributes>{members}</Attributes>\
                 </DescribeTargetGroupAttributesResult></DescribeTargetGroupAttributesResponse>"
            ),
        )
    };
    let member = |key: &str, value: &str| format!("<member><Key>{key}</Key><Value>{value}</Value></member>");
    let stickiness = member("stickiness.enabled", "false");
    let delay = member("deregistration_delay.timeout_seconds", "300");
    let script = Script::new([
        attributes(&format!("{stickiness}{delay}")),
        attributes(&stickiness),
        attributes(&member("deregistration_delay.timeout_seconds", "soon")),
    ]);
    let traffic = ElbTraffic::new(&script.config());
    assert_eq!(traffic.deregistration_delay(None, GROUP).await.unwrap(), 300);
    assert_eq!(
        traffic.deregistration_delay(None, GROUP).await.unwrap(),
        0,
        "a group of a function has none"
    );
    let error = traffic.deregistration_delay(None, GROUP).await.unwrap_err();
    assert!(
        error.message.contains("soon") && error.message.contains(GROUP),
        "{error}"
    );
    for sent in script.sent() {
        assert_eq!(sent.field("Action").as_deref(), Some("DescribeTargetGroupAttributes"));
        assert_eq!(sent.field("TargetGroupArn").as_deref(), Some(GROUP));
    }
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
        (failed("InvalidTarget"), CallErrorKind::Refused),
        (failed("TooManyTargets"), CallErrorKind::Refused),
        (failed("Throttling"), CallErrorKind::Retryable),
        (Answer::Broken, CallErrorKind::Lost),
    ] {
        let script = Script::new([answer]);
        let traffic = ElbTraffic::new(&script.config());
        let error = traffic.register(None, GROUP, &[target("i-1", 80)]).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains("i-1:80"), "{error}");
        assert_eq!(script.sent().len(), 1);
    }
}
