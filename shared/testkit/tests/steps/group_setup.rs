//! Steps that make Auto Scaling groups ready.

use super::assert_none;
use serde_json::json;
use understudy_core::execution::Style;
use understudy_core::state::{GroupSettings, ScalingPolicy, ScalingStep};
use understudy_engine::ports::GroupSetUp;
use understudy_testkit::cloud::FakeCloud;
use understudy_testkit::step_proof::Proof;

const NEAR: &str = "subnet-0000000000000000a";
const FAR: &str = "subnet-0000000000000000b";

fn settings(subnets: &[&str], by: &str, grace: u32) -> GroupSettings {
    GroupSettings {
        subnets: Some(subnets.iter().map(|subnet| (*subnet).to_owned()).collect()),
        availability_zones: None,
        health_check_type: Some(by.into()),
        health_check_grace_seconds: Some(grace),
        default_cooldown_seconds: Some(77),
    }
}

fn group(settings: GroupSettings) -> GroupSetUp {
    GroupSetUp {
        settings,
        in_service: 2,
        minimum: 2,
    }
}

fn asg_settings() -> Proof {
    Proof {
        step: json!({
            "kind": "asg_settings", "name": "group", "auto_scaling_group_name": "web",
            "subnets": [FAR, NEAR], "health_check_type": "elb", "health_check_grace_seconds": 300,
        }),
        style: Style::Planned,
        furnish: |cloud| cloud.put_group_set_up("web", group(settings(&[NEAR], "EC2", 0))),
        snapshot: |cloud| json!(cloud.group_settings("web")),
        // The cooldown is not named, and stays.
        moved: |cloud| cloud.group_settings("web") == Some(settings(&[NEAR, FAR], "ELB", 300)),
        reads: &["group_setup.group_set_up"],
        calls: &["group_setup.set_settings"],
        undo_calls: &["group_setup.set_settings"],
        disturb: |cloud| cloud.put_group_set_up("web", group(settings(&[FAR], "EC2", 0))),
        is_disturbed: |cloud| cloud.group_settings("web") == Some(settings(&[FAR], "EC2", 0)),
    }
}

#[tokio::test]
async fn asg_settings_stands_the_proof() {
    assert_none(&asg_settings().violations().await);
}

#[tokio::test]
async fn asg_settings_bears_deaths() {
    assert_none(&asg_settings().bears_deaths().await);
}

#[tokio::test]
async fn a_group_that_is_placed_by_zones_is_not_given_subnets() {
    let proof = Proof {
        furnish: |cloud| {
            let by_zones = GroupSettings {
                subnets: None,
                availability_zones: Some(vec!["eu-west-1a".into()]),
                ..settings(&[], "EC2", 0)
            };
            cloud.put_group_set_up("web", group(by_zones));
        },
        ..asg_settings()
    };
    let (world, execution) = proof.run_once().await;
    let why = execution.unwrap().failure.unwrap();
    assert!(why.contains("is placed by Availability Zones"), "{why}");
    assert!(world.cloud.changes().is_empty());
}

fn simple(change: i32) -> ScalingPolicy {
    ScalingPolicy {
        policy_type: "SimpleScaling".into(),
        adjustment_type: Some("ChangeInCapacity".into()),
        scaling_adjustment: Some(change),
        cooldown_seconds: Some(60),
        is_enabled: true,
        ..ScalingPolicy::default()
    }
}

fn policy(cloud: &FakeCloud) -> Option<ScalingPolicy> {
    cloud.scaling_policy("web", "failover")
}

fn asg_scaling_policy() -> Proof {
    Proof {
        step: json!({
            "kind": "asg_scaling_policy", "name": "policy", "auto_scaling_group_name": "web",
            "policy_name": "failover", "adjustment": 2, "warmup_seconds": 60,
        }),
        furnish: |_| {},
        snapshot: |cloud| json!(policy(cloud)),
        moved: |cloud| {
            policy(cloud).is_some_and(|found| {
                let bounds = |step: &ScalingStep| (step.lower_bound.clone(), step.upper_bound.clone(), step.adjustment);
                let zero = || Some("0".to_owned());
                found.steps.iter().map(bounds).collect::<Vec<_>>() == [(None, zero(), 2), (zero(), None, 2)]
                    && found.warmup_seconds == Some(60)
            })
        },
        reads: &["group_setup.policy"],
        calls: &["group_setup.put_policy"],
        undo_calls: &["group_setup.delete_policy"],
        disturb: |cloud| cloud.put_scaling_policy("web", "failover", Some(simple(9))),
        is_disturbed: |cloud| policy(cloud) == Some(simple(9)),
        ..asg_settings()
    }
}

#[tokio::test]
async fn asg_scaling_policy_stands_the_proof() {
    assert_none(&asg_scaling_policy().violations().await);
}

#[tokio::test]
async fn asg_scaling_policy_bears_deaths() {
    assert_none(&asg_scaling_policy().bears_deaths().await);
}

#[tokio::test]
async fn a_policy_that_was_there_is_put_back_whole() {
    let proof = Proof {
        furnish: |cloud| cloud.put_scaling_policy("web", "failover", Some(simple(1))),
        undo_calls: &["group_setup.put_policy"],
        ..asg_scaling_policy()
    };
    assert_none(&proof.violations().await);
}

#[tokio::test]
async fn a_policy_that_could_not_be_put_back_is_left_alone() {
    let proof = Proof {
        furnish: |cloud| {
            let tracking = ScalingPolicy {
                policy_type: "TargetTrackingScaling".into(),
                unsupported: Some("TargetTrackingScaling".into()),
                is_enabled: true,
                ..ScalingPolicy::default()
            };
            cloud.put_scaling_policy("web", "failover", Some(tracking));
        },
        ..asg_scaling_policy()
    };
    let (world, execution) = proof.run_once().await;
    let why = execution.unwrap().failure.unwrap();
    assert!(
        why.contains("TargetTrackingScaling") && why.contains("another name"),
        "{why}"
    );
    assert!(world.cloud.changes().is_empty());
}
