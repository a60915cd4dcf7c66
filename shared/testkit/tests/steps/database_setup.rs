//! Steps that make databases ready: replicas and standbys.

use super::assert_none;
use serde_json::{Value, json};
use understudy_core::execution::{Status, Style};
use understudy_core::state::{EventSubscription, MultiAz};
use understudy_engine::ports::InstanceMade;
use understudy_testkit::cloud::FakeCloud;
use understudy_testkit::step_proof::Proof;
use understudy_testkit::world::World;
use understudy_testkit::world_plan::{TOPIC, furnish, sample_plan};

const REPLICA: &str = "shop-copy";

fn instance(replica_of: Option<&str>, made_by: Option<&str>) -> InstanceMade {
    InstanceMade {
        status: "available".into(),
        replica_of: replica_of.map(str::to_owned),
        made_by: made_by.map(str::to_owned),
        ..InstanceMade::default()
    }
}

fn replicas(cloud: &FakeCloud) -> Value {
    let replica = |id| {
        cloud
            .instance_made(id)
            .map(|found| json!([found.replica_of, found.made_by]))
    };
    json!([replica(REPLICA), replica("shop-blue")])
}

fn rds_read_replica() -> Proof {
    Proof {
        step: json!({
            "kind": "rds_read_replica", "name": "protect", "timeout_seconds": 1800,
            "replicas": {"green": {"db_instance_identifier": REPLICA, "source": "shop-green"}},
        }),
        style: Style::Planned,
        furnish: |cloud| cloud.put_instance_made("shop-blue", instance(None, None)),
        snapshot: replicas,
        moved: |cloud| {
            let copy = cloud.instance_made(REPLICA);
            copy.is_some_and(|copy| copy == instance(Some("shop-green"), Some("shop")))
        },
        reads: &["database_setup.find"],
        calls: &["database_setup.create_replica"],
        undo_calls: &["database_setup.delete_replica"],
        // Somebody's own database of that name.
        disturb: |cloud| cloud.put_instance_made(REPLICA, instance(None, None)),
        is_disturbed: |cloud| cloud.instance_made(REPLICA) == Some(instance(None, None)),
    }
}

#[tokio::test]
async fn rds_read_replica_stands_the_proof() {
    assert_none(&rds_read_replica().violations().await);
}

#[tokio::test]
async fn rds_read_replica_bears_deaths() {
    assert_none(&rds_read_replica().bears_deaths().await);
}

#[tokio::test]
async fn a_replica_that_somebody_made_is_as_good_and_is_never_deleted() {
    let proof = Proof {
        step: json!({
            "kind": "rds_read_replica", "name": "protect", "timeout_seconds": 1800,
            "replica": {"db_instance_identifier": REPLICA, "source": "shop-green"},
        }),
        furnish: |cloud| {
            let source = "arn:aws:rds:eu-west-1:000000000000:db:shop-green";
            cloud.put_instance_made(REPLICA, instance(Some(source), None));
        },
        moved: |cloud| cloud.instance_made(REPLICA).is_some_and(|copy| copy.made_by.is_none()),
        calls: &[],
        undo_calls: &[],
        ..rds_read_replica()
    };
    assert_none(&proof.works().await);
    assert_none(&proof.is_undone().await);
}

#[tokio::test]
async fn what_somebody_made_instead_just_before_the_undo_is_not_deleted() {
    let proof = Proof {
        disturb: |cloud| cloud.put_instance_made(REPLICA, instance(Some("shop-green"), Some("another-plan"))),
        is_disturbed: |cloud| {
            cloud
                .instance_made(REPLICA)
                .is_some_and(|copy| copy.made_by.as_deref() == Some("another-plan"))
        },
        ..rds_read_replica()
    };
    assert_none(&proof.leaves_others_alone().await);
}

#[tokio::test]
async fn another_database_under_its_identifier_is_named_and_left_alone() {
    for (found, words) in [
        (
            instance(None, Some("shop")),
            "is a database of its own, not a replica of shop-green",
        ),
        (
            instance(Some("shop-blue"), Some("shop")),
            "is a replica of shop-blue, not",
        ),
    ] {
        let proof = Proof {
            furnish: if found.replica_of.is_some() {
                |cloud| cloud.put_instance_made(REPLICA, instance(Some("shop-blue"), Some("shop")))
            } else {
                |cloud| cloud.put_instance_made(REPLICA, instance(None, Some("shop")))
            },
            ..rds_read_replica()
        };
        let (world, execution) = proof.run_once().await;
        let execution = execution.unwrap();
        let why = execution.failure.unwrap();
        assert_eq!(execution.status, Status::RolledBack);
        assert!(why.contains(words) && why.contains("another identifier"), "{why}");
        assert!(world.cloud.effective_changes().is_empty());
        assert_eq!(world.cloud.instance_made(REPLICA), Some(found));
    }
}

#[tokio::test]
async fn a_site_that_wants_no_replica_gets_none() {
    let proof = Proof {
        step: json!({
            "kind": "rds_read_replica", "name": "protect", "timeout_seconds": 1800,
            "replicas": {"blue": {"db_instance_identifier": REPLICA, "source": "shop-blue"}},
        }),
        moved: |cloud| cloud.instance_made(REPLICA).is_none(),
        calls: &[],
        ..rds_read_replica()
    };
    assert_none(&proof.works().await);
}

fn zones(multi_az: bool, pending: Option<bool>) -> InstanceMade {
    InstanceMade {
        multi_az: MultiAz {
            multi_az,
            pending,
            in_window: false,
        },
        ..instance(None, None)
    }
}

fn rds_multi_az(immediately: bool) -> Proof {
    Proof {
        step: json!({
            "kind": "rds_multi_az", "name": "standby", "db_instance_identifier": "shop", "timeout_seconds": 1800,
            "apply_immediately": immediately,
        }),
        style: Style::Planned,
        furnish: |cloud| cloud.put_instance_made("shop", zones(false, None)),
        // What is under way counts as done: both are the same instance.
        snapshot: |cloud| {
            let found = cloud.instance_made("shop").map(|found| found.multi_az);
            json!(found.map(|found| (found.multi_az, found.pending)))
        },
        moved: if immediately {
            |cloud| cloud.instance_made("shop") == Some(zones(true, None))
        } else {
            |cloud| cloud.instance_made("shop") == Some(zones(false, Some(true)))
        },
        reads: &["database_setup.find"],
        calls: &["database_setup.set_multi_az"],
        undo_calls: &["database_setup.set_multi_az"],
        disturb: |cloud| cloud.drop_instance_made("shop"),
        is_disturbed: |cloud| cloud.instance_made("shop").is_none(),
    }
}

#[tokio::test]
async fn rds_multi_az_stands_the_proof_at_once() {
    assert_none(&rds_multi_az(true).violations().await);
}

#[tokio::test]
async fn rds_multi_az_stands_the_proof_in_the_window() {
    assert_none(&rds_multi_az(false).violations().await);
}

#[tokio::test]
async fn rds_multi_az_bears_deaths() {
    assert_none(&rds_multi_az(true).bears_deaths().await);
    assert_none(&rds_multi_az(false).bears_deaths().await);
}

#[tokio::test]
async fn what_waits_for_the_window_already_is_as_good_there_and_not_at_once() {
    let waiting = |immediately: bool, calls: &'static [&'static str]| Proof {
        furnish: |cloud| cloud.put_instance_made("shop", zones(false, Some(true))),
        calls,
        ..rds_multi_az(immediately)
    };
    assert_none(&waiting(false, &[]).works().await);
    assert_none(&waiting(true, &["database_setup.set_multi_az"]).works().await);
    // Back by two calls: what is, at once, and then what waited.
    let back = Proof {
        undo_calls: &["database_setup.set_multi_az", "database_setup.set_multi_az"],
        ..waiting(true, &["database_setup.set_multi_az"])
    };
    assert_none(&back.is_undone().await);
}

#[tokio::test]
async fn other_changes_that_wait_are_not_applied_with_it() {
    let proof = Proof {
        furnish: |cloud| {
            let has_other_changes = true;
            cloud.put_instance_made(
                "shop",
                InstanceMade {
                    has_other_changes,
                    ..zones(false, None)
                },
            );
        },
        ..rds_multi_az(true)
    };
    let (world, execution) = proof.run_once().await;
    let why = execution.unwrap().failure.unwrap();
    assert!(why.contains("would be applied at once"), "{why}");
    assert!(world.cloud.changes().is_empty());
}

const EVENTS: &str = "shop-events";

fn theirs() -> EventSubscription {
    EventSubscription {
        topic_arn: "arn:aws:sns:eu-west-1:000000000000:pager".into(),
        source_type: Some("db-instance".into()),
        source_ids: vec!["shop-blue".into()],
        categories: vec!["backup".into()],
        is_enabled: false,
        made_by: None,
    }
}

fn rds_event_subscription() -> Proof {
    Proof {
        step: json!({
            "kind": "rds_event_subscription", "name": "events", "subscription_name": EVENTS, "source_ids": ["Shop-blue"],
            "categories": ["low_storage", "failover"],
        }),
        style: Style::Planned,
        furnish: |_| {},
        snapshot: |cloud| json!(cloud.event_subscription(EVENTS)),
        moved: |cloud| {
            let wanted = EventSubscription {
                topic_arn: TOPIC.into(),
                categories: vec!["failover".into(), "low storage".into()],
                is_enabled: true,
                ..theirs()
            };
            cloud
                .event_subscription(EVENTS)
                .is_some_and(|found| found.same_as(&wanted))
        },
        reads: &["database_setup.subscription"],
        calls: &["database_setup.put_subscription"],
        undo_calls: &["database_setup.delete_subscription"],
        disturb: |cloud| {
            let other = EventSubscription {
                categories: vec!["recovery".into()],
                ..theirs()
            };
            cloud.put_event_subscription(EVENTS, other);
        },
        is_disturbed: |cloud| {
            let found = cloud.event_subscription(EVENTS);
            found.is_some_and(|found| found.categories == ["recovery"])
        },
    }
}

#[tokio::test]
async fn rds_event_subscription_stands_the_proof_making_one() {
    assert_none(&rds_event_subscription().violations().await);
    assert_none(&rds_event_subscription().bears_deaths().await);
}

#[tokio::test]
async fn rds_event_subscription_stands_the_proof_adjusting_one() {
    let adjusting = Proof {
        furnish: |cloud| cloud.put_event_subscription(EVENTS, theirs()),
        undo_calls: &["database_setup.put_subscription"],
        ..rds_event_subscription()
    };
    assert_none(&adjusting.violations().await);
}

#[tokio::test]
async fn a_subscription_to_other_databases_is_left_alone() {
    let proof = Proof {
        furnish: |cloud| {
            let other = EventSubscription {
                source_ids: vec!["billing".into()],
                ..theirs()
            };
            cloud.put_event_subscription(EVENTS, other);
        },
        ..rds_event_subscription()
    };
    let (world, execution) = proof.run_once().await;
    let why = execution.unwrap().failure.unwrap();
    assert!(
        why.contains("other source_ids") && why.contains("another name"),
        "{why}"
    );
    assert!(world.cloud.changes().is_empty());
}

#[tokio::test]
async fn a_replica_that_setup_made_at_one_site_is_taken_back_from_another() {
    let mut plan = sample_plan("shop");
    plan["setup"] = json!([{
        "kind": "rds_read_replica", "name": "protect", "timeout_seconds": 1800,
        "replicas": {"blue": {"db_instance_identifier": REPLICA, "source": "shop-blue"},
                     "green": {"db_instance_identifier": "shop-other-copy", "source": "shop-green"}},
    }]);
    let world = World::new(17);
    furnish(&world.cloud);
    for site in ["shop-blue", "shop-green"] {
        world.cloud.put_instance_made(site, instance(None, None));
    }
    world.put_plan(plan).await;
    world.run_rounds(6).await;
    let say = async |command: &str| {
        let asked = json!({"command": command, "plan": "shop", "operator": "mia", "reason": "a test"});
        let answer = world.command(asked).await;
        world.deliver().await;
        let over = world
            .run_until(60, |world| world.control("shop").execution.is_none())
            .await;
        assert!(over, "{command}: {:#?}", world.control("shop"));
        answer
    };
    assert_eq!(say("setup").await["ok"], true);
    assert!(world.cloud.instance_made(REPLICA).is_some());
    assert_eq!(say("failover").await["ok"], true);
    assert_eq!(world.control("shop").active_site, "green");
    let other = say("setup").await;
    assert_eq!(
        other["ok"], false,
        "what was there before blue's replica would be forgotten: {other:#}"
    );
    assert!(other.to_string().contains("setup_known"), "{other:#}");
    assert_eq!(say("teardown").await["ok"], true);
    assert_eq!(world.cloud.instance_made(REPLICA), None);
    assert_eq!(world.control("shop").set_up, None);
}
