//! Clusters are asked for a hundred at a time, and their writers with one call more.

use super::support::{calls, health, seen, world_with};
use serde_json::{Value, json};
use understudy_core::health::Health;
use understudy_engine::ports::{CallErrorKind, Clock, DatabaseCluster, GlobalDatabase};
use understudy_testkit::faults::Fault;
use understudy_testkit::world::World;

fn probe(name: &str) -> Value {
    json!({"kind": "rds_cluster", "name": name, "db_cluster_identifier": name})
}

fn put(world: &World, name: &str, status: &str, writer: Option<&str>, members: &[(&str, &str)]) {
    let cluster = DatabaseCluster {
        status: status.into(),
        writer: writer.map(str::to_owned),
        members: members.iter().map(|(id, _)| (*id).to_owned()).collect(),
        ..DatabaseCluster::default()
    };
    world.cloud.put_db_cluster(name, cluster);
    for (id, status) in members {
        world.cloud.put_database(id, status);
    }
}

/// A global database whose writer is elsewhere, and which this cluster copies.
fn put_global(world: &World, copy: &str) {
    let arn = |region: &str, id: &str| format!("arn:aws:rds:{region}:000000000000:cluster:{id}");
    world.cloud.put_global_database(
        "all",
        GlobalDatabase {
            status: "available".into(),
            is_moving: false,
            writer: Some(arn("eu-west-1", "elsewhere")),
            members: vec![arn("eu-west-1", "elsewhere"), arn("eu-central-1", copy)],
        },
    );
}

#[tokio::test]
async fn each_cluster_is_judged_by_itself_and_its_writer() {
    let names = ["well", "reboots", "moves", "odd", "headless", "copy", "nobody"];
    let world = world_with(names.map(probe).to_vec()).await;
    put(
        &world,
        "well",
        "backing-up",
        Some("w1"),
        &[("w1", "available"), ("w2", "failed")],
    );
    put(
        &world,
        "reboots",
        "available",
        Some("r1"),
        &[("r1", "rebooting"), ("r2", "available")],
    );
    put(&world, "moves", "failing-over", Some("m1"), &[("m1", "available")]);
    put(&world, "odd", "levitating", Some("o1"), &[("o1", "available")]);
    put(&world, "headless", "available", None, &[]);
    put(
        &world,
        "copy",
        "available",
        None,
        &[("c1", "available"), ("c2", "rebooting")],
    );
    put_global(&world, "copy");
    world.observe_for_a_minute().await;
    for (name, expected) in [
        ("well", Health::Healthy),
        ("reboots", Health::Unhealthy),
        ("moves", Health::Degraded),
        ("odd", Health::Unknown),
        ("headless", Health::Unknown),
        ("copy", Health::Healthy),
        ("nobody", Health::Unknown),
    ] {
        assert_eq!(health(&world, name), expected, "{name}: {:#?}", seen(&world));
    }
}

#[tokio::test]
async fn a_service_that_does_not_answer_says_nothing_about_a_cluster() {
    for operation in ["database.cluster_statuses", "database.instance_statuses"] {
        let world = world_with(vec![probe("orders")]).await;
        put(&world, "orders", "available", Some("a"), &[("a", "failed")]);
        let fault = Fault::Before(CallErrorKind::Retryable);
        world.cloud.faults.always(operation, fault);
        world.observe_for_a_minute().await;
        assert_eq!(health(&world, "orders"), Health::Unknown, "{operation}");
        world.cloud.faults.clear();
        world.observe_for_a_minute().await;
        assert_eq!(
            health(&world, "orders"),
            Health::Unhealthy,
            "{operation}, answered again"
        );
    }
}

#[tokio::test]
async fn a_hundred_clusters_are_two_calls_and_each_counts() {
    let names: Vec<String> = (0..150).map(|number| format!("cluster-{number}")).collect();
    let world = world_with(names.iter().map(|name| probe(name)).collect()).await;
    for name in &names {
        let writer = format!("{name}-writer");
        put(
            &world,
            name,
            "available",
            Some(&writer),
            &[(&writer, "available"), ("reader", "available")],
        );
    }
    world.observe().await;
    let found = seen(&world);
    assert_eq!(found.len(), 150);
    assert!(found.iter().all(|seen| seen.health == Health::Healthy), "{found:#?}");
    assert_eq!(calls(&world, "database.cluster_statuses"), 2);
    assert_eq!(
        calls(&world, "database.instance_statuses"),
        2,
        "only writers are asked for"
    );
}

#[tokio::test]
async fn the_budget_of_a_region_counts_every_call_for_clusters() {
    let mut world = world_with(vec![probe("copy")]).await;
    // Absurdly many readers: one call for the cluster and forty for them.
    let ids: Vec<String> = (0..4000).map(|number| format!("reader-{number}")).collect();
    let members: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), "available")).collect();
    put(&world, "copy", "available", None, &members);
    put_global(&world, "copy");
    // Thirty at once, and one a second afterwards.
    world.describes_per_second = 1;
    let before = world.clock.now();
    world.observe().await;
    let took = world.clock.now().duration_since(before).as_secs();
    assert_eq!(health(&world, "copy"), Health::Healthy);
    assert_eq!(calls(&world, "database.instance_statuses"), 40);
    assert!(
        took >= 10,
        "eleven calls had to wait for each other; the round took {took} s"
    );
}

#[tokio::test]
async fn validate_says_which_cluster_is_not_there() {
    let world = world_with(vec![probe("orders"), probe("gone")]).await;
    put(&world, "orders", "available", Some("a"), &[("a", "available")]);
    let answer = world.command(json!({"command": "validate", "plan": "shop"})).await;
    let told = answer.to_string();
    assert!(told.contains("there is no DB cluster gone"), "{answer:#}");
    assert!(!told.contains("DB cluster orders"), "{answer:#}");
}
