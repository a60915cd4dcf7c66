//! What setup makes and adjusts: health checks of target groups, and alarms.

use super::assert_none;
use serde_json::json;
use understudy_core::execution::{Status, Style};
use understudy_core::state::{AlarmDefinition, HealthCheck, ScalingPolicy, Threshold};
use understudy_testkit::cloud::FakeCloud;
use understudy_testkit::step_proof::Proof;
use understudy_testkit::world_plan::BLUE_GROUP;

const ALARM: &str = "shop-unhealthy";

fn target_group_health() -> Proof {
    Proof {
        step: json!({
            "kind": "target_group_health", "name": "check", "target_group_arn": BLUE_GROUP, "path": "/health",
            "protocol": "HTTPS", "port": "8443", "interval_seconds": 10, "answer_seconds": 3, "matcher": "200-299",
        }),
        style: Style::Planned,
        furnish: |cloud| cloud.put_target_health(BLUE_GROUP, FakeCloud::default_health_check()),
        snapshot: |cloud| json!(cloud.health_check_of(BLUE_GROUP)),
        moved: |cloud| {
            cloud.health_check_of(BLUE_GROUP).is_some_and(|check| {
                (check.port.as_str(), check.interval_seconds, check.healthy_threshold) == ("8443", 10, 5)
            })
        },
        reads: &["traffic.health_check"],
        calls: &["traffic.set_health_check"],
        undo_calls: &["traffic.set_health_check"],
        disturb: |cloud| {
            let theirs = HealthCheck {
                healthy_threshold: 9,
                ..FakeCloud::default_health_check()
            };
            cloud.put_target_health(BLUE_GROUP, theirs);
        },
        is_disturbed: |cloud| {
            cloud
                .health_check_of(BLUE_GROUP)
                .is_some_and(|check| check.healthy_threshold == 9)
        },
    }
}

fn theirs() -> AlarmDefinition {
    AlarmDefinition {
        description: Some("somebody else's".into()),
        actions_enabled: true,
        ok_actions: vec!["arn:aws:sns:eu-west-1:000000000000:pager".into()],
        namespace: "AWS/ApplicationELB".into(),
        metric_name: "RequestCount".into(),
        statistic: Some("Sum".into()),
        unit: Some("Count".into()),
        period_seconds: 60,
        evaluation_periods: 3,
        datapoints_to_alarm: Some(2),
        threshold: Threshold(0.1),
        comparison: "LessThanThreshold".into(),
        ..AlarmDefinition::default()
    }
}

fn metric_alarm() -> Proof {
    Proof {
        step: json!({
            "kind": "metric_alarm", "name": "alarm", "alarm_name": ALARM, "namespace": "AWS/ApplicationELB",
            "metric_name": "UnHealthyHostCount", "statistic": "Maximum", "threshold": 0,
            "comparison": "GreaterThanThreshold",
            "dimensions": {"TargetGroup": "targetgroup/blue/0123456789abcdef", "LoadBalancer": "app/shop/0123456789abcdef"},
        }),
        style: Style::Planned,
        furnish: |_| {},
        snapshot: |cloud| json!(cloud.definition_of(ALARM)),
        moved: |cloud| {
            cloud
                .definition_of(ALARM)
                .is_some_and(|(alarm, _)| alarm.metric_name == "UnHealthyHostCount")
        },
        reads: &["definitions.definition"],
        calls: &["definitions.define"],
        undo_calls: &["definitions.remove"],
        disturb: |cloud| {
            cloud.put_definition(
                ALARM,
                Some(AlarmDefinition {
                    period_seconds: 120,
                    ..theirs()
                }),
            )
        },
        is_disturbed: |cloud| {
            cloud
                .definition_of(ALARM)
                .is_some_and(|(alarm, _)| alarm.period_seconds == 120)
        },
    }
}

/// The same where an alarm of this name is there already.
fn adjusting() -> Proof {
    Proof {
        furnish: |cloud| cloud.put_definition(ALARM, Some(theirs())),
        undo_calls: &["definitions.define"],
        ..metric_alarm()
    }
}

/// An alarm that sets off a scaling policy.
fn scaling() -> Proof {
    let mut step = metric_alarm().step;
    step["scaling_policy"] = json!({"auto_scaling_group_name": "web", "policy_name": "failover"});
    Proof {
        step,
        furnish: |cloud| cloud.put_scaling_policy("web", "failover", Some(ScalingPolicy::default())),
        moved: |cloud| {
            cloud.definition_of(ALARM).is_some_and(|(alarm, _)| {
                alarm.alarm_actions.last() == Some(&FakeCloud::policy_arn_of("web", "failover"))
            })
        },
        reads: &["definitions.definition", "group_setup.policy_arn"],
        ..metric_alarm()
    }
}

#[tokio::test]
async fn metric_alarm_stands_the_proof_setting_off_a_policy() {
    assert_none(&scaling().violations().await);
    assert_none(&scaling().bears_deaths().await);
}

#[tokio::test]
async fn an_alarm_without_the_policy_that_it_shall_set_off_is_not_made() {
    let proof = Proof {
        furnish: |_| {},
        ..scaling()
    };
    let (world, execution) = proof.run_once().await;
    let why = execution.unwrap().failure.unwrap();
    assert!(why.contains("has no scaling policy failover"), "{why}");
    assert!(world.cloud.changes().is_empty());
}

#[tokio::test]
async fn target_group_health_stands_the_proof() {
    assert_none(&target_group_health().violations().await);
    assert_none(&target_group_health().bears_deaths().await);
}

#[tokio::test]
async fn metric_alarm_stands_the_proof_making_one() {
    assert_none(&metric_alarm().violations().await);
    assert_none(&metric_alarm().bears_deaths().await);
}

#[tokio::test]
async fn metric_alarm_stands_the_proof_adjusting_one() {
    assert_none(&adjusting().violations().await);
    assert_none(&adjusting().bears_deaths().await);
}

#[tokio::test]
async fn an_alarm_that_could_not_be_restored_is_not_touched() {
    let proof = Proof {
        furnish: |cloud| {
            let unsupported = Some("metric math".into());
            cloud.put_definition(
                ALARM,
                Some(AlarmDefinition {
                    unsupported,
                    ..theirs()
                }),
            );
        },
        ..metric_alarm()
    };
    let (world, execution) = proof.run_once().await;
    let execution = execution.unwrap();
    assert_eq!(execution.status, Status::RolledBack);
    assert!(execution.failure.unwrap().contains("metric math"));
    assert!(world.cloud.changes().is_empty());
}

#[tokio::test]
async fn a_health_check_that_can_not_be_made_so_says_why() {
    let proof = Proof {
        furnish: |cloud| {
            let check = HealthCheck {
                enabled: false,
                ..FakeCloud::default_health_check()
            };
            cloud.put_target_health(BLUE_GROUP, check);
        },
        ..target_group_health()
    };
    let (world, execution) = proof.run_once().await;
    assert!(execution.unwrap().failure.unwrap().contains("Lambda"));
    assert!(world.cloud.changes().is_empty());
}
