//! Steps at load balancers.

use super::assert_none;
use serde_json::json;
use understudy_core::execution::{Status, Style};
use understudy_engine::ports::CallErrorKind;
use understudy_testkit::faults::Fault;
use understudy_testkit::step_proof::Proof;
use understudy_testkit::world::World;
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{
    BLUE_GROUP, GREEN_GROUP, LISTENER, OTHER_GROUP, failover, furnish, sample_plan, shop,
};

fn elb_weights() -> Proof {
    Proof {
        step: json!({
            "kind": "elb_weights", "name": "weights", "listener_arn": LISTENER,
            "target_groups": {"blue": BLUE_GROUP, "green": GREEN_GROUP},
        }),
        style: Style::Planned,
        furnish: |cloud| cloud.put_weights(LISTENER, &[(BLUE_GROUP, 100), (GREEN_GROUP, 0), (OTHER_GROUP, 7)]),
        snapshot: |cloud| json!(cloud.weights_of(LISTENER)),
        moved: |cloud| {
            let wanted = [(BLUE_GROUP, 0), (GREEN_GROUP, 100), (OTHER_GROUP, 7)];
            cloud.weights_of(LISTENER) == wanted.map(|(arn, weight)| (arn.to_owned(), weight))
        },
        reads: &["traffic.weights"],
        calls: &["traffic.set_weights"],
        undo_calls: &["traffic.set_weights"],
        disturb: |cloud| cloud.put_weights(LISTENER, &[(BLUE_GROUP, 50), (GREEN_GROUP, 50)]),
        is_disturbed: |cloud| cloud.weights_of(LISTENER).iter().all(|(_, weight)| *weight == 50),
    }
}

#[tokio::test]
async fn elb_weights_stands_the_proof() {
    assert_none(&elb_weights().violations().await);
}

#[tokio::test]
async fn elb_weights_bears_deaths() {
    assert_none(&elb_weights().bears_deaths().await);
}

#[tokio::test]
async fn a_proof_finds_what_is_not_as_it_was_told() {
    let unexpected = Proof {
        calls: &[],
        ..elb_weights()
    };
    assert!(!unexpected.works().await.is_empty(), "a call that nobody expected");
    let elsewhere = Proof {
        moved: |_| false,
        ..elb_weights()
    };
    assert!(!elsewhere.works().await.is_empty(), "a move that did not arrive");
    let overwritten = Proof {
        is_disturbed: |_| false,
        ..elb_weights()
    };
    assert!(
        !overwritten.leaves_others_alone().await.is_empty(),
        "somebody overwritten"
    );
}

const INTO: &str = BLUE_GROUP;
const BLUE: &str = "i-0000000000000b1e";
const GREEN: &str = "i-0000000000000bee";
const OTHER: &str = "i-0000000000000fee";

fn elb_targets() -> Proof {
    Proof {
        step: json!({
            "kind": "elb_targets", "name": "targets", "target_group_arn": INTO,
            "targets": {"blue": [{"id": BLUE, "port": 80}], "green": [{"id": GREEN, "port": 80}]},
        }),
        style: Style::Planned,
        furnish: |cloud| {
            cloud.put_named_targets(INTO, &[(BLUE, "healthy"), (OTHER, "unhealthy")]);
            cloud.put_deregistration_delay(INTO, 20);
        },
        // What drains will be gone.
        snapshot: |cloud| {
            let targets = cloud.targets_of(INTO);
            let names = targets
                .into_iter()
                .filter(|(_, state)| state != "draining")
                .map(|(id, _)| id);
            json!(names.collect::<Vec<_>>())
        },
        moved: |cloud| {
            let wanted = [(GREEN, "healthy"), (OTHER, "unhealthy")];
            cloud.targets_of(INTO) == wanted.map(|(id, state)| (id.to_owned(), state.to_owned()))
        },
        reads: &["traffic.targets"],
        calls: &["traffic.register", "traffic.deregister"],
        undo_calls: &["traffic.register", "traffic.deregister"],
        disturb: |cloud| cloud.put_named_targets(INTO, &[(OTHER, "healthy")]),
        // Registering and deregistering are about single targets: what the plan does not name is never touched.
        is_disturbed: |cloud| {
            cloud
                .targets_of(INTO)
                .contains(&(OTHER.to_owned(), "healthy".to_owned()))
        },
    }
}

#[tokio::test]
async fn elb_targets_stands_the_proof() {
    assert_none(&elb_targets().violations().await);
}

#[tokio::test]
async fn elb_targets_bears_deaths() {
    assert_none(&elb_targets().bears_deaths().await);
}

#[tokio::test]
async fn a_sticky_listener_is_warned_about() {
    let world = shop(32).await;
    let preflight = json!({"command": "preflight", "plan": "shop"});
    let answer = world.command(preflight.clone()).await.to_string();
    assert!(!answer.contains("sticky"), "{answer}");
    world.cloud.put_group_stickiness(LISTENER, 3600);
    let answer = world.command(preflight).await;
    assert_eq!(answer["ok"], true, "a warning: {answer:#}");
    let text = answer.to_string();
    assert!(text.contains("sticky: for 3600 seconds"), "{text}");
}

#[tokio::test]
async fn several_listeners_move_together_as_a_group_and_go_back_together() {
    const RULE: &str = "arn:aws:elasticloadbalancing:eu-west-1:000000000000:listener-rule/app/shop/0123456789abcdef/0123456789abcdef/1";
    let groups = json!({"blue": BLUE_GROUP, "green": GREEN_GROUP});
    let mut plan = sample_plan("shop");
    plan["steps"] = json!([
        {"kind": "elb_weights", "name": "web", "group": "edge", "listener_arn": LISTENER, "target_groups": groups},
        {"kind": "elb_weights", "name": "api", "group": "edge", "rule_arn": RULE, "target_groups": groups},
        plan["steps"][2],
    ]);
    for refused in [false, true] {
        let world = World::new(33);
        furnish(&world.cloud);
        world.cloud.put_weights(RULE, &[(BLUE_GROUP, 100), (GREEN_GROUP, 0)]);
        assert_eq!(world.put_plan(plan.clone()).await["ok"], true);
        world.run_rounds(6).await;
        if refused {
            let refused = Fault::Before(CallErrorKind::Refused);
            world.cloud.faults.next("dns.change_records", refused);
        }
        assert_eq!(world.command(failover("both at once")).await["ok"], true);
        world.deliver().await;
        let ended = |world: &World| world.control("shop").execution.is_none();
        assert!(world.run_until(60, ended).await, "{:#?}", world.control("shop"));
        let (blue, green) = if refused { (100, 0) } else { (0, 100) };
        for arn in [LISTENER, RULE] {
            let weights = world.cloud.weights_of(arn);
            let wanted = [(BLUE_GROUP.to_owned(), blue), (GREEN_GROUP.to_owned(), green)];
            assert_eq!(weights[..2], wanted, "{arn}, refused: {refused}");
        }
        assert_none(&violations(&world));
    }
}

#[tokio::test]
async fn a_planned_move_outlasts_the_draining_of_a_group_that_is_as_aws_makes_it() {
    let proof = Proof {
        furnish: |cloud| cloud.put_named_targets(INTO, &[(BLUE, "healthy"), (OTHER, "unhealthy")]),
        ..elb_targets()
    };
    assert_none(&proof.works().await);
}

#[tokio::test]
async fn a_step_with_less_time_than_its_targets_drain_is_warned_about() {
    let mut plan = sample_plan("shop");
    plan["steps"] = json!([elb_targets().step]);
    plan["steps"][0]["timeout_seconds"] = json!(120);
    let world = World::new(31);
    furnish(&world.cloud);
    world.cloud.put_named_targets(INTO, &[(BLUE, "healthy")]);
    assert_eq!(world.put_plan(plan.clone()).await["ok"], true);
    world.deliver().await;
    let preflight = json!({"command": "preflight", "plan": "shop"});
    let answer = world.command(preflight.clone()).await.to_string();
    assert!(
        answer.contains("drain for 300 seconds") && answer.contains("at least 360 seconds"),
        "{answer}"
    );

    world.cloud.put_deregistration_delay(INTO, 30);
    let answer = world.command(preflight).await.to_string();
    assert!(!answer.contains("drain for"), "{answer}");
}

#[tokio::test]
async fn the_source_keeps_its_targets_until_those_of_the_destination_are_healthy() {
    let proof = Proof {
        furnish: |cloud| {
            cloud.put_named_targets(INTO, &[(BLUE, "healthy"), (GREEN, "unhealthy")]);
            // Were anything deregistered, this would be heard of.
            cloud
                .faults
                .always("traffic.deregister", Fault::Before(CallErrorKind::Refused));
        },
        moved: |cloud| cloud.targets_of(INTO).len() == 2,
        ..elb_targets()
    };
    let (world, execution) = proof.run_once().await;
    let execution = execution.unwrap();
    assert_eq!(execution.status, Status::RolledBack, "{execution:#?}");
    assert!(world.cloud.changes().is_empty(), "{:#?}", world.cloud.changes());
    assert!(execution.steps[0].detail.contains("unhealthy") || execution.failure.unwrap().contains("unhealthy"));
}
