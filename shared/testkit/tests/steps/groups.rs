//! Steps at Auto Scaling groups.

use super::assert_none;
use serde_json::{Value, json};
use understudy_core::execution::{Status, StepState, Style};
use understudy_core::state::GroupSize;
use understudy_engine::ports::{AutoScalingGroup, CallErrorKind};
use understudy_testkit::cloud::FakeCloud;
use understudy_testkit::faults::Fault;
use understudy_testkit::step_proof::Proof;

const NEAR: &str = "subnet-0000000000000000a";
const FAR: &str = "subnet-0000000000000000b";
const SPARE: &str = "subnet-0000000000000000c";

fn group(name: &str, minimum: u32, desired: u32, maximum: u32) -> AutoScalingGroup {
    AutoScalingGroup {
        name: name.to_owned(),
        size: GroupSize {
            minimum,
            desired,
            maximum,
        },
        in_service: desired,
        left_behind: 0,
        subnets: vec![NEAR.to_owned(), SPARE.to_owned()],
        launches: true,
    }
}

fn size_of(cloud: &FakeCloud, name: &str) -> (u32, u32, u32) {
    let size = cloud.group(name).unwrap().size;
    (size.minimum, size.desired, size.maximum)
}

fn all(cloud: &FakeCloud) -> Value {
    json!([
        size_of(cloud, "web-blue"),
        size_of(cloud, "web-green"),
        cloud.group("web-green").unwrap().subnets
    ])
}

fn asg_capacity() -> Proof {
    Proof {
        step: json!({
            "kind": "asg_capacity", "name": "capacity", "groups": {"blue": "web-blue", "green": "web-green"},
            "percent": 75, "minimum": 2,
        }),
        style: Style::Planned,
        furnish: |cloud| {
            cloud.put_group(group("web-blue", 2, 7, 10));
            cloud.put_group(group("web-green", 1, 1, 10));
        },
        snapshot: all,
        // 75 % of seven are five and a quarter.
        moved: |cloud| {
            size_of(cloud, "web-green") == (6, 6, 10)
                && cloud.group("web-green").unwrap().in_service == 6
                && size_of(cloud, "web-blue") == (2, 7, 10)
        },
        reads: &["groups.groups"],
        calls: &["groups.resize"],
        undo_calls: &["groups.resize"],
        disturb: |cloud| cloud.put_group(group("web-green", 3, 3, 4)),
        is_disturbed: |cloud| size_of(cloud, "web-green") == (3, 3, 4),
    }
}

#[tokio::test]
async fn asg_capacity_stands_the_proof() {
    assert_none(&asg_capacity().violations().await);
}

#[tokio::test]
async fn asg_capacity_bears_deaths() {
    assert_none(&asg_capacity().bears_deaths().await);
}

#[tokio::test]
async fn a_group_that_is_large_enough_is_never_scaled_down() {
    let proof = Proof {
        furnish: |cloud| {
            cloud.put_group(group("web-blue", 2, 4, 10));
            cloud.put_group(group("web-green", 8, 9, 10));
        },
        ..asg_capacity()
    };
    let (world, execution) = proof.run_once().await;
    assert_eq!(execution.unwrap().steps[0].state, StepState::Satisfied);
    assert_eq!(size_of(&world.cloud, "web-green"), (8, 9, 10));
}

#[tokio::test]
async fn the_maximum_stops_the_step_with_its_numbers_unless_the_plan_lets_it_rise() {
    let furnish = |cloud: &FakeCloud| {
        cloud.put_group(group("web-blue", 2, 7, 10));
        cloud.put_group(group("web-green", 1, 1, 4));
    };
    let stopped = Proof {
        furnish,
        ..asg_capacity()
    };
    let (world, execution) = stopped.run_once().await;
    let execution = execution.unwrap();
    assert_eq!(execution.status, Status::RolledBack);
    assert_eq!(size_of(&world.cloud, "web-green"), (1, 1, 4));
    let why = execution.failure.unwrap();
    for words in ["web-green", "6 instance(s)", "its maximum is 4", "raise_max"] {
        assert!(why.contains(words), "{why}");
    }

    let raised = Proof {
        step: json!({
            "kind": "asg_capacity", "name": "capacity", "groups": {"blue": "web-blue", "green": "web-green"},
            "percent": 75, "raise_max": true,
        }),
        moved: |cloud| size_of(cloud, "web-green") == (6, 6, 6),
        furnish,
        ..asg_capacity()
    };
    assert_none(&raised.works().await);
    assert_none(&raised.is_undone().await);
}

#[tokio::test]
async fn an_unplanned_move_takes_what_the_source_was_meant_to_have_and_makes_do_without_it() {
    let failing = Proof {
        style: Style::Unplanned,
        furnish: |cloud| {
            cloud.put_group(AutoScalingGroup {
                in_service: 1,
                ..group("web-blue", 2, 8, 10)
            });
            cloud.put_group(group("web-green", 1, 1, 10));
        },
        ..asg_capacity()
    };
    let (world, _) = failing.run_once().await;
    assert_eq!(size_of(&world.cloud, "web-green"), (6, 6, 10), "75 % of eight");

    let silent = Proof {
        style: Style::Unplanned,
        furnish: |cloud| cloud.put_group(group("web-green", 1, 1, 10)),
        ..asg_capacity()
    };
    let (world, execution) = silent.run_once().await;
    assert_eq!(execution.unwrap().status, Status::Completed);
    assert_eq!(size_of(&world.cloud, "web-green"), (2, 2, 10), "the plan's minimum");

    let planned = Proof {
        style: Style::Planned,
        ..silent
    };
    let (world, execution) = planned.run_once().await;
    assert_eq!(execution.unwrap().status, Status::RolledBack);
    assert_eq!(
        size_of(&world.cloud, "web-green"),
        (1, 1, 10),
        "a source that is well can be read"
    );
}

#[tokio::test]
async fn a_group_that_launches_nothing_is_not_waited_for() {
    let proof = Proof {
        furnish: |cloud| {
            cloud.put_group(group("web-blue", 2, 7, 10));
            cloud.put_group(AutoScalingGroup {
                launches: false,
                ..group("web-green", 1, 1, 10)
            });
        },
        ..asg_capacity()
    };
    let (world, execution) = proof.run_once().await;
    let why = execution.unwrap().failure.unwrap();
    assert!(why.contains("Launch is suspended"), "{why}");
    assert!(world.cloud.changes().is_empty());
}

#[tokio::test]
async fn a_group_that_is_large_enough_need_not_launch_anything() {
    let proof = Proof {
        furnish: |cloud| {
            cloud.put_group(group("web-blue", 2, 7, 10));
            cloud.put_group(AutoScalingGroup {
                launches: false,
                ..group("web-green", 6, 6, 10)
            });
        },
        ..asg_capacity()
    };
    let (_, execution) = proof.run_once().await;
    let execution = execution.unwrap();
    assert_eq!(execution.status, Status::Completed, "{execution:#?}");
    assert_eq!(execution.steps[0].state, StepState::Satisfied);
}

#[tokio::test]
async fn a_zone_is_left_when_nothing_serves_there_any_more() {
    // A group that ends nothing: its instances serve where they were.
    let proof = Proof {
        furnish: |cloud| {
            (asg_capacity().furnish)(cloud);
            cloud.put_group(AutoScalingGroup {
                launches: false,
                ..group("web-green", 1, 3, 10)
            });
        },
        ..asg_zones()
    };
    let (_, execution) = proof.run_once().await;
    let execution = execution.unwrap();
    assert_eq!(execution.status, Status::RolledBack, "{execution:#?}");
    let why = execution.failure.unwrap();
    assert!(why.contains("3 in zones that it has left"), "{why}");
}

#[tokio::test]
async fn a_scaling_policy_that_goes_further_is_nobody_else() {
    // After the call, and again before the undo.
    let proof = Proof {
        furnish: |cloud| {
            (asg_capacity().furnish)(cloud);
            cloud
                .faults
                .next("dns.change_records", Fault::Before(CallErrorKind::Refused));
            let policy = |cloud: &FakeCloud| {
                let mut green = cloud.group("web-green").unwrap();
                green.size.desired += 2;
                cloud.put_group(green);
            };
            // Just before the record.
            cloud.faults.nth("dns.records", 2, Fault::Outside(Box::new(policy)));
        },
        ..asg_capacity()
    };
    let (world, execution) = proof.run_once().await;
    assert_eq!(execution.unwrap().status, Status::RolledBack);
    assert_eq!(size_of(&world.cloud, "web-green"), (1, 1, 10));
    let sizes: Vec<String> = world
        .cloud
        .changes()
        .iter()
        .map(|change| change.before.sentence())
        .collect();
    assert!(sizes.iter().any(|size| size.contains("8 of 6 to 10")), "{sizes:?}");
}

fn asg_zones() -> Proof {
    Proof {
        step: json!({
            "kind": "asg_zones", "name": "zones", "auto_scaling_group_name": "web-green",
            "subnets": {"blue": [NEAR], "green": [FAR]},
        }),
        calls: &["groups.set_subnets"],
        undo_calls: &["groups.set_subnets"],
        moved: |cloud| {
            let group = cloud.group("web-green").unwrap();
            group.subnets == [FAR, SPARE] && group.left_behind == 0
        },
        disturb: |cloud| {
            cloud.put_group(AutoScalingGroup {
                subnets: vec![NEAR.to_owned()],
                ..group("web-green", 1, 1, 10)
            });
        },
        is_disturbed: |cloud| cloud.group("web-green").unwrap().subnets == [NEAR],
        ..asg_capacity()
    }
}

#[tokio::test]
async fn asg_zones_stands_the_proof() {
    assert_none(&asg_zones().violations().await);
}

#[tokio::test]
async fn asg_zones_bears_deaths() {
    assert_none(&asg_zones().bears_deaths().await);
}

#[tokio::test]
async fn a_site_that_shares_subnets_keeps_them() {
    let proof = Proof {
        step: json!({
            "kind": "asg_zones", "name": "zones", "auto_scaling_group_name": "web-green",
            "subnets": {"blue": [NEAR, SPARE], "green": [SPARE]},
        }),
        moved: |cloud| cloud.group("web-green").unwrap().subnets == [SPARE],
        ..asg_zones()
    };
    assert_none(&proof.works().await);
    assert_none(&proof.is_undone().await);
}
