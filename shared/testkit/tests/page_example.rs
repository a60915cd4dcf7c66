//! The example of AWS's page on failing over to healthy resources, from its plan file: set up, moved, home again, taken down.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};
use std::path::Path;
use understudy_core::execution::{Execution, Status};
use understudy_core::plan::Stack;
use understudy_engine::ports::InstanceMade;
use understudy_testkit::cloud::FakeCloud;
use understudy_testkit::world::World;
use understudy_testkit::world_oracle::violations;

const PRIMARY: &str = "i-1234567890abcdef0";
const SECONDARY: &str = "i-0987654321fedcba0";
const ARN: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012:";
const ZONE: &str = "Z123456789012345678901";

fn group(name: &str) -> String {
    format!("{ARN}targetgroup/myapp-tg-{name}/1234567890123456")
}

fn listener() -> String {
    format!("{ARN}listener/app/myapp-alb/1234567890123456/1234567890123456")
}

fn weights(world: &World) -> Vec<u32> {
    let weights = world.cloud.weights_of(&listener());
    weights.into_iter().map(|(_, weight)| weight).collect()
}

/// What the page takes to be there: two instances, two groups behind a listener, a zone, a database.
async fn myapp() -> World {
    let world = World::new(71);
    let cloud = &world.cloud;
    cloud.put_instance(PRIMARY, "running", "ok");
    cloud.put_instance(SECONDARY, "running", "ok");
    let (primary, secondary) = (group("primary"), group("secondary"));
    cloud.put_weights(&listener(), &[(&primary, 100), (&secondary, 0)]);
    for group in [&primary, &secondary] {
        cloud.put_targets(group, &["healthy"]);
        cloud.put_target_health(group, FakeCloud::default_health_check());
    }
    cloud.put_zone(ZONE, Vec::new());
    let database = InstanceMade {
        status: "available".into(),
        ..InstanceMade::default()
    };
    cloud.put_instance_made("myapp-prod-db", database);
    // The page's plan names no topic of its own.
    cloud.put_stack(Stack {
        topic_arn: Some("arn:aws:sns:us-east-1:123456789012:understudy".to_owned()),
        ..Stack::default()
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/plans/load-balancer-dns-database.yaml");
    let plan = std::fs::read_to_string(path).unwrap();
    let answer = world
        .command(json!({"command": "put-plan", "plan": plan, "operator": "mia", "reason": "the page's example"}))
        .await;
    assert_eq!(answer["ok"], true, "{answer:#}");
    for _ in 0..3 {
        world.observe_for_a_minute().await;
        world.deliver().await;
    }
    world
}

fn newest(world: &World) -> Execution {
    let history = world.table.peek_all("myapp", "execution#");
    let executions = history
        .iter()
        .map(|item| serde_json::from_value::<Execution>(item.body.clone()).unwrap());
    executions.max_by_key(|execution| execution.created_at).unwrap()
}

async fn ask(world: &World, mut asked: Value) -> Value {
    asked["operator"] = json!("mia");
    asked["reason"] = json!("Planned maintenance");
    world.command(asked).await
}

#[tokio::test]
async fn what_the_page_sets_up_moves_and_takes_home_is_set_up_moved_and_taken_home() {
    let world = myapp().await;

    let dry = ask(&world, json!({"command": "setup", "plan": "myapp", "dry_run": true})).await;
    let calls = dry.to_string();
    for call in [
        "elasticloadbalancing:ModifyTargetGroup",
        "cloudwatch:PutMetricAlarm",
        "route53:CreateHealthCheck",
        "route53:ChangeResourceRecordSets",
        "rds:ModifyDBInstance",
        "rds:CreateDBInstanceReadReplica",
        "rds:CreateEventSubscription",
    ] {
        assert!(calls.contains(call), "{call}: {dry:#}");
    }
    for step in dry["steps"].as_array().unwrap() {
        assert_eq!(step["error"], Value::Null, "{dry:#}");
    }
    assert!(world.cloud.changes().is_empty(), "a dry run");

    assert_eq!(
        ask(&world, json!({"command": "setup", "plan": "myapp"})).await["ok"],
        true
    );
    assert!(world.settle(120).await, "{:#?}", world.control("myapp"));
    assert_eq!(newest(&world).status, Status::Completed, "{:#?}", newest(&world));
    let records = world.cloud.zone(ZONE);
    let failover: Vec<(Option<&str>, bool)> = records
        .iter()
        .map(|record| (record.failover.as_deref(), record.health_check_id.is_some()))
        .collect();
    assert_eq!(failover, [(Some("PRIMARY"), true), (Some("SECONDARY"), true)]);
    assert_eq!(world.cloud.health_checks().len(), 2);
    let replica = world.cloud.instance_made("myapp-prod-db-replica-1").unwrap();
    assert_eq!(replica.replica_of.as_deref(), Some("myapp-prod-db"));
    let events = world.cloud.event_subscription("understudy-myapp-db").unwrap();
    assert!(events.categories.contains(&"failover".to_owned()), "{events:?}");

    let request = json!({
        "source_resource": PRIMARY, "target_resource": SECONDARY, "resource_type": "ec2",
        "rollback_plan": {"auto_rollback": true, "rollback_delay": 3600},
    });
    assert_eq!(ask(&world, request).await["ok"], true);
    assert!(world.settle(60).await, "{:#?}", world.control("myapp"));
    assert_eq!(world.control("myapp").active_site, "secondary");
    assert_eq!(weights(&world), [0, 100]);
    let moved_at = newest(&world).ended_at.unwrap();

    let home = |world: &World| world.control("myapp").active_site == "primary";
    assert!(world.run_until(800, home).await, "{:#?}", world.control("myapp"));
    assert_eq!(weights(&world), [100, 0]);
    let away = newest(&world).created_at.duration_since(moved_at);
    assert!((3600..3700).contains(&away.as_secs()), "{away}");
    assert!(world.settle(60).await);

    assert_eq!(
        ask(&world, json!({"command": "teardown", "plan": "myapp"})).await["ok"],
        true
    );
    assert!(world.settle(240).await, "{:#?}", world.control("myapp"));
    assert_eq!(newest(&world).status, Status::Completed, "{:#?}", newest(&world));
    assert_eq!(world.cloud.zone(ZONE), []);
    assert!(world.cloud.health_checks().is_empty());
    assert_eq!(world.cloud.instance_made("myapp-prod-db-replica-1"), None);
    assert_eq!(world.cloud.event_subscription("understudy-myapp-db"), None);
    assert_eq!(
        world.cloud.health_check_of(&group("primary")),
        Some(FakeCloud::default_health_check())
    );
    assert_eq!(violations(&world), Vec::<String>::new());
}
