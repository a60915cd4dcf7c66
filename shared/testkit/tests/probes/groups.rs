//! Auto Scaling groups are asked for a hundred at a time, and judged one by one.

use super::support::{calls, seen, world_with};
use serde_json::json;
use understudy_core::health::{Health, Observation};
use understudy_core::state::GroupSize;
use understudy_engine::ports::{AutoScalingGroup, CallErrorKind};
use understudy_testkit::faults::Fault;
use understudy_testkit::world::World;

fn group(name: &str, in_service: u32) -> AutoScalingGroup {
    AutoScalingGroup {
        name: name.to_owned(),
        size: GroupSize {
            minimum: 2,
            desired: 4,
            maximum: 8,
        },
        in_service,
        left_behind: 0,
        subnets: vec!["subnet-1".into()],
        launches: true,
    }
}

async fn observed(probes: &[(&str, u32)], missing: &[&str], faults: impl FnOnce(&World)) -> (World, Vec<Observation>) {
    let names = probes.iter().map(|(name, _)| *name).chain(missing.iter().copied());
    let asked = names.map(|name| json!({"kind": "auto_scaling_group", "name": name, "auto_scaling_group_name": name}));
    let world = world_with(asked.collect()).await;
    for (name, in_service) in probes {
        world.cloud.put_group(group(name, *in_service));
    }
    faults(&world);
    world.observe_for_a_minute().await;
    let found = seen(&world);
    (world, found)
}

#[tokio::test]
async fn each_group_is_judged_by_its_instances_in_service() {
    let (_, found) = observed(&[("full", 4), ("fewer", 3), ("below", 1)], &["nobody"], |_| {}).await;
    let health = |name: &str| found.iter().find(|seen| seen.probe == name).unwrap().health;
    assert_eq!(health("full"), Health::Healthy);
    assert_eq!(health("fewer"), Health::Degraded);
    assert_eq!(health("below"), Health::Unhealthy);
    assert_eq!(
        health("nobody"),
        Health::Unknown,
        "what does not exist is not unhealthy"
    );
}

#[tokio::test]
async fn a_service_that_does_not_answer_says_nothing_about_a_group() {
    let away = |world: &World| {
        let fault = Fault::Before(CallErrorKind::Retryable);
        world.cloud.faults.always("groups.groups", fault);
    };
    let (_, found) = observed(&[("full", 4)], &[], away).await;
    assert!(found.iter().all(|seen| seen.health == Health::Unknown), "{found:#?}");
}

#[tokio::test]
async fn a_hundred_names_are_one_call() {
    let names: Vec<String> = (0..150).map(|number| format!("group-{number}")).collect();
    let probes: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 4)).collect();
    let (world, found) = observed(&probes, &[], |_| {}).await;
    assert_eq!(found.len(), 150);
    assert!(found.iter().all(|seen| seen.health == Health::Healthy));
    let asked = calls(&world, "groups.groups");
    // Two slots of thirty seconds lie in a minute, and each takes two calls.
    assert!((2..=4).contains(&asked), "{asked} calls");
}
