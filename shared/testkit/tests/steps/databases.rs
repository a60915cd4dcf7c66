//! Steps at databases that can be gone back on.

use super::assert_none;
use jiff::SignedDuration;
use serde_json::{Value, json};
use understudy_core::execution::{Status, Style};
use understudy_engine::ports::{CallErrorKind, Clock, DatabaseCluster, DatabaseInstance, GlobalDatabase};
use understudy_testkit::cloud::FakeCloud;
use understudy_testkit::faults::Fault;
use understudy_testkit::step_proof::Proof;
use understudy_testkit::world::World;

const OPEN: &str = "sg-0123456789abcdef0";
const FENCE: &str = "sg-0fedcba9876543210";
const BLUE_CLUSTER: &str = "arn:aws:rds:eu-west-1:000000000000:cluster:shop-blue";
const GREEN_CLUSTER: &str = "arn:aws:rds:eu-central-1:000000000000:cluster:shop-green";
const OTHER_CLUSTER: &str = "arn:aws:rds:eu-north-1:000000000000:cluster:shop-other";

pub fn instance(groups: &[&str]) -> DatabaseInstance {
    DatabaseInstance {
        status: "available".into(),
        zone: "eu-west-1a".into(),
        multi_az: true,
        replica_of: None,
        security_groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        security_groups_active: true,
        engine: "postgres 16.4".into(),
        ..DatabaseInstance::default()
    }
}

fn fenced(kind: &str, name: &str) -> Value {
    let database = |site: &str| json!({"db_instance_identifier": format!("shop-{site}"), "security_groups": [OPEN], "fence_group": FENCE});
    json!({"kind": kind, "name": name, "timeout_seconds": 900, "databases": {"blue": database("blue"), "green": database("green")}})
}

fn access(cloud: &FakeCloud) -> Value {
    json!([
        cloud.db_instance("shop-blue").security_groups,
        cloud.db_instance("shop-green").security_groups
    ])
}

fn fence_source() -> Proof {
    Proof {
        step: fenced("fence_source", "fence"),
        style: Style::Planned,
        furnish: |cloud| {
            cloud.put_db_instance("shop-blue", instance(&[OPEN]));
            cloud.put_db_instance("shop-green", instance(&[OPEN]));
            cloud.put_db_connections("shop-blue", 20);
        },
        snapshot: access,
        moved: |cloud| access(cloud) == json!([[FENCE], [OPEN]]) && cloud.db_connections("shop-blue") == 0,
        reads: &["databases.instance", "databases.restarted_since"],
        calls: &["databases.set_security_groups", "databases.restart"],
        undo_calls: &["databases.set_security_groups"],
        disturb: |cloud| cloud.put_db_instance("shop-blue", instance(&["sg-00000000"])),
        is_disturbed: |cloud| access(cloud)[0] == json!(["sg-00000000"]),
    }
}

fn open_destination() -> Proof {
    Proof {
        step: fenced("open_destination", "open"),
        furnish: |cloud| {
            cloud.put_db_instance("shop-blue", instance(&[OPEN]));
            cloud.put_db_instance("shop-green", instance(&[FENCE]));
        },
        moved: |cloud| access(cloud) == json!([[OPEN], [OPEN]]),
        reads: &["databases.instance"],
        calls: &["databases.set_security_groups"],
        disturb: |cloud| cloud.put_db_instance("shop-green", instance(&["sg-00000000"])),
        is_disturbed: |cloud| access(cloud)[1] == json!(["sg-00000000"]),
        ..fence_source()
    }
}

fn by_stopping(kind: &str, name: &str) -> Value {
    let database = |site: &str| json!({"db_instance_identifier": format!("shop-{site}")});
    json!({"kind": kind, "name": name, "timeout_seconds": 300, "by": "stop",
           "databases": {"blue": database("blue"), "green": database("green")}})
}

fn with_status(status: &str) -> DatabaseInstance {
    DatabaseInstance {
        status: status.into(),
        ..instance(&[OPEN])
    }
}

fn fence_by_stopping() -> Proof {
    Proof {
        step: by_stopping("fence_source", "fence"),
        style: Style::Planned,
        furnish: |cloud| {
            cloud.put_db_instance("shop-blue", instance(&[OPEN]));
            cloud.put_db_connections("shop-blue", 20);
        },
        snapshot: |cloud| json!(cloud.db_instance("shop-blue").status),
        moved: |cloud| cloud.db_instance("shop-blue").status == "stopped" && cloud.db_connections("shop-blue") == 0,
        reads: &["databases.instance"],
        calls: &["databases.stop"],
        undo_calls: &["databases.start"],
        disturb: |cloud| cloud.put_db_instance("shop-blue", with_status("deleting")),
        is_disturbed: |cloud| cloud.db_instance("shop-blue").status == "deleting",
    }
}

fn open_by_starting() -> Proof {
    Proof {
        step: by_stopping("open_destination", "open"),
        furnish: |cloud| cloud.put_db_instance("shop-green", with_status("stopped")),
        snapshot: |cloud| json!(cloud.db_instance("shop-green").status),
        moved: |cloud| cloud.db_instance("shop-green").status == "available",
        calls: &["databases.start"],
        undo_calls: &["databases.stop"],
        disturb: |cloud| cloud.put_db_instance("shop-green", with_status("deleting")),
        is_disturbed: |cloud| cloud.db_instance("shop-green").status == "deleting",
        ..fence_by_stopping()
    }
}

fn rds_reboot_failover() -> Proof {
    Proof {
        step: json!({
            "kind": "rds_reboot_failover", "name": "reboot", "db_instance_identifier": "shop", "timeout_seconds": 900,
            "zones": {"blue": "eu-west-1a", "green": "eu-west-1b"},
        }),
        style: Style::Unplanned,
        furnish: |cloud| {
            cloud.put_db_instance("shop", instance(&[OPEN]));
            cloud.put_standby_zone("shop", "eu-west-1b");
        },
        snapshot: |cloud| json!(cloud.db_instance("shop").zone),
        moved: |cloud| cloud.db_instance("shop").zone == "eu-west-1b",
        reads: &["databases.instance"],
        calls: &["databases.reboot_with_failover"],
        undo_calls: &["databases.reboot_with_failover"],
        disturb: |cloud| {
            let zone = "eu-west-1c".into();
            cloud.put_db_instance(
                "shop",
                DatabaseInstance {
                    zone,
                    ..instance(&[OPEN])
                },
            );
        },
        is_disturbed: |cloud| cloud.db_instance("shop").zone == "eu-west-1c",
    }
}

fn cluster(writer: &str) -> DatabaseCluster {
    DatabaseCluster {
        status: "available".into(),
        writer: Some(writer.into()),
        members: vec!["shop-1".into(), "shop-2".into(), "shop-3".into()],
        engine: "aurora-postgresql 16.4".into(),
    }
}

fn rds_cluster_failover() -> Proof {
    Proof {
        step: json!({
            "kind": "rds_cluster_failover", "name": "writer", "db_cluster_identifier": "shop", "timeout_seconds": 300,
            "writers": {"blue": "Shop-1", "green": "Shop-2"},
        }),
        style: Style::Unplanned,
        furnish: |cloud| {
            cloud.put_db_cluster("shop", cluster("shop-1"));
            cloud.put_db_instance("shop-1", instance(&[OPEN]));
            cloud.put_db_instance("shop-2", instance(&[OPEN]));
        },
        snapshot: |cloud| json!(cloud.db_writer("shop")),
        moved: |cloud| cloud.db_writer("shop").as_deref() == Some("shop-2"),
        reads: &["databases.cluster", "databases.instance"],
        calls: &["databases.fail_over_cluster"],
        undo_calls: &["databases.fail_over_cluster"],
        disturb: |cloud| cloud.put_db_cluster("shop", cluster("shop-3")),
        is_disturbed: |cloud| cloud.db_writer("shop").as_deref() == Some("shop-3"),
    }
}

fn global(writer: &str) -> GlobalDatabase {
    GlobalDatabase {
        status: "available".into(),
        is_moving: false,
        writer: Some(writer.into()),
        members: vec![BLUE_CLUSTER.into(), GREEN_CLUSTER.into(), OTHER_CLUSTER.into()],
    }
}

fn rds_global(style: Style) -> Proof {
    Proof {
        step: json!({
            "kind": "rds_global", "name": "global", "global_cluster_identifier": "shop", "timeout_seconds": 300,
            "clusters": {"blue": BLUE_CLUSTER, "green": GREEN_CLUSTER},
        }),
        style,
        furnish: |cloud| cloud.put_global_database("shop", global(BLUE_CLUSTER)),
        snapshot: |cloud| json!(cloud.db_writer("shop")),
        moved: |cloud| cloud.db_writer("shop").as_deref() == Some(GREEN_CLUSTER),
        reads: &["databases.global", "databases.cluster"],
        calls: match style {
            Style::Planned => &["databases.switch_over_global"],
            Style::Unplanned => &["databases.fail_over_global"],
        },
        // Whichever way it went: back is always without loss.
        undo_calls: &["databases.switch_over_global"],
        disturb: |cloud| cloud.put_global_database("shop", global(OTHER_CLUSTER)),
        is_disturbed: |cloud| cloud.db_writer("shop").as_deref() == Some(OTHER_CLUSTER),
    }
}

macro_rules! proofs {
    ($($name:ident => $proof:expr;)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                assert_none(&$proof.violations().await);
            }
        )+
    };
}

proofs! {
    open_destination_stands_the_proof => open_destination();
    fence_source_by_stopping_stands_the_proof => fence_by_stopping();
    rds_reboot_failover_stands_the_proof => rds_reboot_failover();
    rds_cluster_failover_stands_the_proof => rds_cluster_failover();
    a_switchover_stands_the_proof => rds_global(Style::Planned);
    a_failover_with_loss_stands_the_proof => rds_global(Style::Unplanned);
}

// All but what it does where it is done already: that is asked below.
#[tokio::test]
async fn fence_source_stands_the_proof() {
    let proof = fence_source();
    assert_none(&proof.works().await);
    assert_none(&proof.bears_errors().await);
    assert_none(&proof.bears_lost_replies().await);
    assert_none(&proof.is_undone().await);
    assert_none(&proof.leaves_others_alone().await);
}

#[tokio::test]
async fn fence_source_bears_deaths() {
    assert_none(&fence_source().bears_deaths().await);
}

#[tokio::test]
async fn open_destination_bears_deaths() {
    assert_none(&open_destination().bears_deaths().await);
}

#[tokio::test]
async fn rds_cluster_failover_bears_deaths() {
    assert_none(&rds_cluster_failover().bears_deaths().await);
}

#[tokio::test]
async fn rds_global_bears_deaths() {
    assert_none(&rds_global(Style::Planned).bears_deaths().await);
    assert_none(&rds_global(Style::Unplanned).bears_deaths().await);
}

// How much longer the step takes, on the world's clock, where its first call meets this fault.
async fn delayed_by(proof: &Proof, fault: Fault) -> SignedDuration {
    let mut took = Vec::new();
    for fault in [None, Some(fault)] {
        let world = proof.world_with(|_| ()).await;
        if let Some(fault) = fault {
            world.cloud.faults.next(proof.calls[0], fault);
        }
        let begun = world.clock.now();
        let execution = proof.run(&world).await.expect("an execution");
        assert_eq!(execution.status, Status::Completed, "{execution:#?}");
        took.push(world.clock.now().duration_since(begun));
    }
    took[1] - took[0]
}

#[tokio::test]
async fn a_call_that_was_turned_away_is_made_again_soon_and_one_that_may_have_worked_is_not() {
    for proof in [
        rds_reboot_failover(),
        rds_cluster_failover(),
        rds_global(Style::Planned),
    ] {
        let turned_away = delayed_by(&proof, Fault::Before(CallErrorKind::Retryable)).await;
        assert!(
            turned_away <= SignedDuration::from_secs(10),
            "{}: {turned_away:#}",
            proof.step
        );
        for kind in [CallErrorKind::Fault, CallErrorKind::Lost] {
            let unsure = delayed_by(&proof, Fault::Before(kind)).await;
            assert!(
                unsure >= SignedDuration::from_secs(50),
                "{}: {kind:?}: {unsure:#}",
                proof.step
            );
        }
    }
}

#[tokio::test]
async fn what_is_fenced_already_is_restarted_since_nobody_knows_who_is_still_connected() {
    let proof = fence_source();
    let world = proof
        .world_with(|cloud| {
            cloud.put_db_instance("shop-blue", instance(&[FENCE]));
            cloud.restart_db_instance("shop-blue");
        })
        .await;
    let execution = proof.run(&world).await.expect("an execution");
    assert_eq!(execution.status, Status::Completed, "{execution:#?}");
    assert_eq!(world.cloud.db_connections("shop-blue"), 0);
    let changes = world.cloud.effective_changes();
    let called: Vec<&str> = changes.iter().map(|change| change.operation).collect();
    assert_eq!(called, ["databases.restart", "dns.change_records"]);
}

#[tokio::test]
async fn a_restart_that_nobody_reports_is_no_proof_and_the_fence_is_taken_back() {
    let mut proof = fence_source();
    proof.step["timeout_seconds"] = json!(400);
    let world = proof.world_with(|cloud| cloud.keep_silent_about("shop-blue")).await;
    let execution = proof.run(&world).await.expect("an execution");
    assert_eq!(execution.status, Status::RolledBack, "{execution:#?}");
    let restarts = world.cloud.effective_changes();
    let restarts = restarts.iter().filter(|change| change.operation == "databases.restart");
    assert_eq!(restarts.count(), 1, "an answered restart is not repeated");
    assert_eq!(access(&world.cloud), json!([[OPEN], [OPEN]]));
}

// All but somebody quicker: RDS itself refuses to start what is not stopped, and who has started it meanwhile has done the
// same.
#[tokio::test]
async fn open_destination_by_starting_stands_the_proof() {
    let proof = open_by_starting();
    assert_none(&proof.works().await);
    assert_none(&proof.is_done_once().await);
    assert_none(&proof.bears_errors().await);
    assert_none(&proof.bears_lost_replies().await);
    assert_none(&proof.is_undone().await);
}

#[tokio::test]
async fn fences_by_stopping_bear_deaths() {
    assert_none(&fence_by_stopping().bears_deaths().await);
    assert_none(&open_by_starting().bears_deaths().await);
}

#[tokio::test]
async fn a_database_with_a_replica_is_left_running() {
    let proof = fence_by_stopping();
    let world = proof
        .world_with(|cloud| {
            let source = DatabaseInstance {
                replicas: vec!["shop-green".into()],
                ..instance(&[OPEN])
            };
            cloud.put_db_instance("shop-blue", source);
        })
        .await;
    let execution = proof.run(&world).await.expect("an execution");
    let why = execution.failure.unwrap_or_default();
    assert!(why.contains("has the read replicas shop-green"), "{why}");
    assert_eq!(world.cloud.changes().len(), 0);
}

#[tokio::test]
async fn a_member_of_a_cluster_is_not_fenced_by_its_own_groups() {
    let proof = fence_source();
    let cluster = Some("shop".to_owned());
    let world = proof
        .world_with(|cloud| {
            let member = DatabaseInstance {
                cluster: cluster.clone(),
                ..instance(&[OPEN])
            };
            cloud.put_db_instance("shop-blue", member);
        })
        .await;
    let execution = proof.run(&world).await.expect("an execution");
    assert_eq!(execution.status, Status::RolledBack);
    let why = execution.failure.unwrap_or_default();
    assert!(why.contains("is a member of DB cluster shop"), "{why}");
    assert_eq!(world.cloud.changes().len(), 0);
}

#[tokio::test]
async fn a_member_that_can_not_write_is_waited_for() {
    let proof = rds_cluster_failover();
    let world = proof
        .world_with(|cloud| {
            let status = "rebooting".into();
            let rebooting = DatabaseInstance {
                status,
                ..instance(&[OPEN])
            };
            cloud.put_db_instance("shop-2", rebooting);
        })
        .await;
    let execution = proof.run(&world).await.expect("an execution");
    assert_eq!(execution.status, Status::RolledBack, "{execution:#?}");
    let why = execution.failure.unwrap_or_default();
    assert!(why.contains("DB instance shop-2 is rebooting"), "{why}");
    assert_eq!(world.cloud.changes().len(), 0);
}

#[tokio::test]
async fn a_cluster_that_takes_no_target_is_left_alone() {
    let proof = rds_cluster_failover();
    let world = proof
        .world_with(|cloud| {
            let engine = "mysql 8.0.40".into();
            let of_mysql = DatabaseCluster {
                engine,
                ..cluster("shop-1")
            };
            cloud.put_db_cluster("shop", of_mysql);
        })
        .await;
    let execution = proof.run(&world).await.expect("an execution");
    let why = execution.failure.unwrap_or_default();
    assert!(why.contains("takes no target"), "{why}");
    assert_eq!(world.cloud.changes().len(), 0);
}

#[tokio::test]
async fn a_new_primary_is_one_when_its_cluster_is_available() {
    let proof = rds_global(Style::Unplanned);
    let world = proof
        .world_with(|cloud| {
            let status = "upgrading".into();
            let busy = DatabaseCluster {
                status,
                ..cluster("shop-1")
            };
            cloud.put_db_cluster(GREEN_CLUSTER, busy);
        })
        .await;
    let execution = proof.run(&world).await.expect("an execution");
    assert_eq!(execution.status, Status::RolledBack, "{execution:#?}");
    let why = execution.failure.unwrap_or_default();
    assert!(why.contains("is upgrading"), "{why}");
}

#[tokio::test]
async fn a_standby_in_a_third_zone_is_not_rebooted_into() {
    let proof = rds_reboot_failover();
    let world = proof
        .world_with(|cloud| cloud.put_standby_zone("shop", "eu-west-1c"))
        .await;
    let execution = proof.run(&world).await.expect("an execution");
    assert_eq!(execution.status, Status::RolledBack, "{execution:#?}");
    let why = execution.failure.unwrap_or_default();
    assert!(why.contains("is in eu-west-1c, not in eu-west-1b"), "{why}");
    assert_eq!(world.cloud.changes().len(), 0);
}

// The one call that must not be made twice.
#[tokio::test]
async fn rds_reboot_failover_bears_deaths() {
    assert_none(&rds_reboot_failover().bears_deaths().await);
}

// A planned move whose switchover takes minutes, as in AWS, from the moment at which it was accepted.
async fn switching_over(timeout_seconds: u32) -> (Proof, World) {
    let mut proof = rds_global(Style::Planned);
    proof.step["timeout_seconds"] = json!(timeout_seconds);
    let world = proof
        .world_with(|cloud| cloud.let_global_moves_take(SignedDuration::from_mins(4)))
        .await;
    (proof, world)
}

fn switchovers(world: &World) -> usize {
    let changes = world.cloud.effective_changes();
    let moves = changes
        .iter()
        .filter(|change| change.operation == "databases.switch_over_global");
    moves.count()
}

#[tokio::test]
async fn a_switchover_on_its_way_is_not_taken_for_undone() {
    let (proof, world) = switching_over(90).await;
    let execution = proof.run(&world).await.expect("an execution");
    assert_eq!(execution.status, Status::RolledBack, "{execution:#?}");
    assert_eq!(switchovers(&world), 2, "there, and back when it had arrived");
    world.clock.sleep(SignedDuration::from_mins(10)).await;
    assert_eq!(world.cloud.db_writer("shop").as_deref(), Some(BLUE_CLUSTER));
}

#[tokio::test]
async fn one_that_a_person_cancels_meanwhile_ends_where_it_began() {
    let (_, world) = switching_over(900).await;
    let asked = |command: &str| json!({"command": command, "plan": "shop", "operator": "mia", "reason": "a test"});
    assert_eq!(world.command(asked("failover")).await["ok"], true);
    world.deliver().await;
    assert!(world.run_until(12, |world| switchovers(world) == 1).await);
    assert_eq!(world.command(asked("cancel")).await["ok"], true);
    world.deliver().await;
    assert!(
        world
            .run_until(200, |world| world.control("shop").execution.is_none())
            .await
    );
    assert_eq!(world.control("shop").last_execution.unwrap().status, Status::Cancelled);
    assert_eq!(switchovers(&world), 2);
    world.clock.sleep(SignedDuration::from_mins(10)).await;
    assert_eq!(world.cloud.db_writer("shop").as_deref(), Some(BLUE_CLUSTER));
}

#[tokio::test]
async fn a_restart_that_was_turned_away_is_made_again_soon() {
    let proof = fence_source();
    let mut took = Vec::new();
    for turned_away in [false, true] {
        let world = proof.world_with(|_| ()).await;
        if turned_away {
            let fault = Fault::Before(CallErrorKind::Retryable);
            world.cloud.faults.next("databases.restart", fault);
        }
        let begun = world.clock.now();
        let execution = proof.run(&world).await.expect("an execution");
        assert_eq!(execution.status, Status::Completed, "{execution:#?}");
        took.push(world.clock.now().duration_since(begun));
    }
    assert!(took[1] - took[0] <= SignedDuration::from_secs(20), "{took:?}");
}
