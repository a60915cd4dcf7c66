//! Steps at instances and addresses.

use super::assert_none;
use serde_json::{Value, json};
use understudy_core::execution::{Status, Style};
use understudy_core::state::Association;
use understudy_testkit::cloud::FakeCloud;
use understudy_testkit::faults::Fault;
use understudy_testkit::step_proof::Proof;

const BLUE: &str = "i-0000000000000b1e";
const GREEN: &str = "i-0000000000000bee";
const SPARE: &str = "i-0000000000000fee";
const ADDRESS: &str = "eipalloc-0000000000000abc";

// One on its way is where it goes.
fn powers(cloud: &FakeCloud) -> Value {
    let power = |id| match cloud.instance_state(id).as_deref() {
        Some("running" | "pending") => "runs",
        Some("stopped" | "stopping") => "stands",
        _ => "is gone",
    };
    json!([power(BLUE), power(GREEN), power(SPARE)])
}

fn ec2_instance() -> Proof {
    Proof {
        step: json!({
            "kind": "ec2_instance", "name": "machines", "instances": {"blue": [BLUE], "green": [GREEN, SPARE]},
        }),
        style: Style::Planned,
        // One of the two runs already, and is to run on.
        furnish: |cloud| {
            cloud.put_instance(BLUE, "running", "ok");
            cloud.put_instance(GREEN, "stopped", "not-applicable");
            cloud.put_instance(SPARE, "running", "ok");
        },
        snapshot: powers,
        moved: |cloud| {
            [BLUE, GREEN, SPARE]
                .iter()
                .all(|id| cloud.instance_state(id).as_deref() == Some("running"))
        },
        reads: &["compute.instance_statuses"],
        calls: &["compute.start"],
        undo_calls: &["compute.stop"],
        disturb: |cloud| cloud.put_instance(GREEN, "terminated", "not-applicable"),
        is_disturbed: |cloud| cloud.instance_state(GREEN).as_deref() == Some("terminated"),
    }
}

fn stopping() -> Proof {
    Proof {
        step: json!({
            "kind": "ec2_instance", "name": "machines", "instances": {"blue": [BLUE, SPARE], "green": [GREEN]},
            "action": "stop", "when": "planned",
        }),
        moved: |cloud| powers(cloud) == json!(["stands", "stands", "stands"]),
        calls: &["compute.stop"],
        undo_calls: &["compute.start"],
        disturb: |cloud| cloud.put_instance(BLUE, "terminated", "not-applicable"),
        is_disturbed: |cloud| cloud.instance_state(BLUE).as_deref() == Some("terminated"),
        ..ec2_instance()
    }
}

#[tokio::test]
async fn ec2_instance_stands_the_proof_starting() {
    assert_none(&ec2_instance().violations().await);
}

#[tokio::test]
async fn ec2_instance_stands_the_proof_stopping() {
    assert_none(&stopping().violations().await);
}

#[tokio::test]
async fn ec2_instance_bears_deaths() {
    assert_none(&ec2_instance().bears_deaths().await);
    assert_none(&stopping().bears_deaths().await);
}

#[tokio::test]
async fn what_was_stopped_is_up_again_before_the_step_counts_as_undone() {
    let proof = stopping();
    let before = proof.is_undone().await;
    assert_none(&before);
    let (world, _) = Proof {
        furnish: |cloud| {
            (ec2_instance().furnish)(cloud);
            let refused = understudy_testkit::faults::Fault::Before(understudy_engine::ports::CallErrorKind::Refused);
            cloud.faults.next("dns.change_records", refused);
        },
        ..proof
    }
    .run_once()
    .await;
    assert_eq!(world.cloud.instance_state(BLUE).as_deref(), Some("running"));
}

#[tokio::test]
async fn an_instance_whose_checks_fail_has_not_arrived() {
    let proof = Proof {
        furnish: |cloud| {
            cloud.put_instance(BLUE, "running", "ok");
            cloud.put_instance(GREEN, "running", "impaired");
            cloud.put_instance(SPARE, "running", "ok");
        },
        ..ec2_instance()
    };
    let (world, execution) = proof.run_once().await;
    let execution = execution.unwrap();
    assert_eq!(execution.status, Status::RolledBack);
    assert!(execution.failure.unwrap().contains("machines"));
    assert!(world.cloud.changes().is_empty());
}

#[tokio::test]
async fn an_instance_that_is_gone_is_not_waited_for() {
    let proof = Proof {
        furnish: |cloud| {
            (ec2_instance().furnish)(cloud);
            cloud.put_instance(GREEN, "shutting-down", "not-applicable");
        },
        ..ec2_instance()
    };
    let (world, execution) = proof.run_once().await;
    let why = execution.unwrap().failure.unwrap();
    assert!(why.contains("shutting-down") && why.contains(GREEN), "{why}");
    assert!(world.cloud.changes().is_empty());
}

// As the service tells it: the instance, its interface and its address.
fn at(id: &str) -> Option<Association> {
    Some(Association {
        network_interface_id: Some(id.replacen("i-", "eni-", 1)),
        private_ip_address: Some("10.0.0.20".into()),
        ..Association::with(id)
    })
}

fn elastic_ip() -> Proof {
    Proof {
        step: json!({
            "kind": "elastic_ip", "name": "address", "allocation_id": ADDRESS, "targets": {"blue": BLUE, "green": GREEN},
        }),
        style: Style::Planned,
        furnish: |cloud| cloud.put_address(ADDRESS, at(BLUE)),
        snapshot: |cloud| json!(cloud.address(ADDRESS)),
        moved: |cloud| cloud.address(ADDRESS).unwrap().instance_id.as_deref() == Some(GREEN),
        reads: &["compute.association", "compute.addresses_in_the_way"],
        calls: &["compute.disassociate", "compute.associate"],
        undo_calls: &["compute.disassociate", "compute.associate"],
        disturb: |cloud| cloud.put_address(ADDRESS, at(SPARE)),
        is_disturbed: |cloud| cloud.address(ADDRESS) == at(SPARE),
    }
}

#[tokio::test]
async fn elastic_ip_stands_the_proof() {
    assert_none(&elastic_ip().violations().await);
}

#[tokio::test]
async fn elastic_ip_bears_deaths() {
    assert_none(&elastic_ip().bears_deaths().await);
}

#[tokio::test]
async fn an_address_that_belongs_to_nobody_is_associated_in_one_call() {
    let proof = Proof {
        furnish: |cloud| cloud.put_address(ADDRESS, None),
        calls: &["compute.associate"],
        undo_calls: &["compute.disassociate"],
        ..elastic_ip()
    };
    assert_none(&proof.violations().await);
}

#[tokio::test]
async fn an_address_is_never_taken_from_what_the_plan_does_not_name() {
    let proof = Proof {
        furnish: |cloud| cloud.put_address(ADDRESS, at(SPARE)),
        ..elastic_ip()
    };
    let (world, execution) = proof.run_once().await;
    let why = execution.unwrap().failure.unwrap();
    assert!(why.contains(SPARE) && why.contains(ADDRESS), "{why}");
    assert!(world.cloud.changes().is_empty());
}

#[tokio::test]
async fn an_address_pushes_no_other_one_away() {
    const THEIRS: &str = "eipalloc-0000000000000fee";
    let proof = Proof {
        furnish: |cloud| {
            cloud.put_address(ADDRESS, at(BLUE));
            cloud.put_address(THEIRS, at(GREEN));
        },
        ..elastic_ip()
    };
    let (world, execution) = proof.run_once().await;
    let why = execution.unwrap().failure.unwrap();
    assert!(why.contains(GREEN) && why.contains(THEIRS), "{why}");
    assert!(world.cloud.changes().is_empty());
    assert_eq!(
        (world.cloud.address(ADDRESS), world.cloud.address(THEIRS)),
        (at(BLUE), at(GREEN))
    );

    // One that comes to the destination between the two calls stays there, and the address goes home.
    let world = elastic_ip()
        .world_with(|cloud| {
            let comes = Fault::Outside(Box::new(|cloud| cloud.put_address(THEIRS, at(GREEN))));
            cloud.faults.nth("compute.associate", 1, comes);
        })
        .await;
    let execution = elastic_ip().run(&world).await.unwrap();
    assert_eq!(execution.status, Status::RolledBack, "{execution:#?}");
    assert_eq!(
        (world.cloud.address(ADDRESS), world.cloud.address(THEIRS)),
        (at(BLUE), at(GREEN))
    );
}
