//! A plan whose active site is judged by one of these probes alone: what is bad for long enough moves it, what is bad for a
//! moment or not known does not.

use serde_json::{Value, json};
use understudy_core::health::Health;
use understudy_engine::ports::{CallErrorKind, DatabaseCluster};
use understudy_testkit::faults::Fault;
use understudy_testkit::world::World;
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{furnish, really_at, sample_plan};

const CHECK: &str = "0123abcd-45ef-6789-abcd-0123456789ab";

/// One kind: its fields, and how the cloud shows a health from now on, or says what nobody can judge.
struct Case {
    fields: Value,
    show: fn(&World, Health),
    operation: &'static str,
}

fn cases() -> [Case; 3] {
    [
        Case {
            fields: json!({"kind": "rds_cluster", "db_cluster_identifier": "orders"}),
            show: |world, health| {
                let cluster = DatabaseCluster {
                    status: "available".into(),
                    writer: (health != Health::Unknown).then(|| "orders-1".to_owned()),
                    members: vec!["orders-1".into()],
                    ..DatabaseCluster::default()
                };
                world.cloud.put_db_cluster("orders", cluster);
                let is_well = health == Health::Healthy;
                world
                    .cloud
                    .put_database("orders-1", if is_well { "available" } else { "failed" });
            },
            operation: "database.cluster_statuses",
        },
        Case {
            fields: metric("unknown"),
            show: |world, health| match health {
                Health::Healthy => world.cloud.put_metric("errors", &[], 0.0),
                Health::Unhealthy => world.cloud.put_metric("errors", &[], 99.0),
                _ => {}
            },
            operation: "metrics.newest",
        },
        Case {
            fields: json!({"kind": "dns_health_check", "health_check_id": CHECK}),
            show: |world, health| {
                let dimensions = [("HealthCheckId", CHECK)];
                match health {
                    Health::Healthy => world.cloud.put_metric("HealthCheckStatus", &dimensions, 1.0),
                    Health::Unhealthy => world.cloud.put_metric("HealthCheckStatus", &dimensions, 0.0),
                    _ => {}
                }
            },
            operation: "metrics.newest",
        },
    ]
}

fn metric(missing: &str) -> Value {
    json!({
        "kind": "metric", "namespace": "Shop", "metric_name": "errors", "statistic": "sum",
        "comparison": "greater_than", "threshold": 5, "missing": missing,
    })
}

/// A world whose active site is judged by this probe alone, and has been well for some minutes.
async fn world(case: &Case) -> World {
    let mut plan = sample_plan("shop");
    plan["probes"][0] = json!({"name": "blue", "site": "blue", "healthy_threshold": 1, "unhealthy_threshold": 3});
    let fields = case.fields.as_object().unwrap();
    plan["probes"][0].as_object_mut().unwrap().extend(fields.clone());
    let world = World::new(9);
    furnish(&world.cloud);
    let answer = world.put_plan(plan).await;
    assert_eq!(answer["ok"], true, "{answer:#}");
    minutes(&world, case, 3, Health::Healthy).await;
    assert_eq!(blue(&world).await, "healthy", "{}", case.fields);
    world
}

/// Minutes in which the cloud shows this health.
async fn minutes(world: &World, case: &Case, count: u32, health: Health) {
    for _ in 0..count {
        (case.show)(world, health);
        world.run_rounds(12).await;
    }
}

async fn blue(world: &World) -> Value {
    let status = world.command(json!({"command": "status", "plan": "shop"})).await;
    status["sites"]["blue"]["health"].clone()
}

#[tokio::test]
async fn what_is_bad_for_long_enough_moves_the_plan_and_a_moment_does_not() {
    for case in cases() {
        let world = world(&case).await;
        minutes(&world, &case, 1, Health::Unhealthy).await;
        minutes(&world, &case, 4, Health::Healthy).await;
        assert!(world.cloud.changes().is_empty(), "a moment: {}", case.fields);
        minutes(&world, &case, 7, Health::Unhealthy).await;
        assert!(world.settle(20).await);
        assert_eq!(really_at(&world.cloud), ("green", "green"), "{}", case.fields);
        assert_eq!(violations(&world), Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_nobody_can_judge_moves_nothing_for_however_long() {
    for case in cases() {
        let world = world(&case).await;
        minutes(&world, &case, 20, Health::Unknown).await;
        assert_eq!(blue(&world).await, "unknown", "{}", case.fields);
        assert!(world.cloud.changes().is_empty(), "{}", case.fields);
        minutes(&world, &case, 3, Health::Healthy).await;
        assert_eq!(blue(&world).await, "healthy", "{}", case.fields);
    }
}

#[tokio::test]
async fn a_service_that_is_away_moves_nothing_whatever_it_would_have_said() {
    for case in cases() {
        let world = world(&case).await;
        let fault = Fault::Before(CallErrorKind::Retryable);
        world.cloud.faults.always(case.operation, fault);
        minutes(&world, &case, 12, Health::Unhealthy).await;
        assert!(world.cloud.changes().is_empty(), "{}", case.fields);
        world.cloud.faults.clear();
        minutes(&world, &case, 7, Health::Unhealthy).await;
        assert!(world.settle(20).await);
        assert_eq!(
            really_at(&world.cloud),
            ("green", "green"),
            "answered again: {}",
            case.fields
        );
        assert_eq!(violations(&world), Vec::<String>::new());
    }
}

#[tokio::test]
async fn silence_moves_the_plan_only_where_the_plan_calls_it_a_failure() {
    for (missing, site) in [("unhealthy", "green"), ("unknown", "blue"), ("healthy", "blue")] {
        let [_, mut case, _] = cases();
        case.fields = metric(missing);
        let world = world(&case).await;
        minutes(&world, &case, 12, Health::Unknown).await;
        assert!(world.settle(20).await);
        assert_eq!(really_at(&world.cloud), (site, site), "{missing}");
        assert_eq!(violations(&world), Vec::<String>::new());
    }
}
