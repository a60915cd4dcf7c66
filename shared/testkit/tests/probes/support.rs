//! A world with more probes than the sample plan's.

use serde_json::{Value, json};
use understudy_core::health::{Health, Observation};
use understudy_testkit::world::World;
use understudy_testkit::world_plan::{furnish, sample_plan};

/// A world whose plan has these probes of green too, each counting at its first answer.
pub async fn world_with(probes: Vec<Value>) -> World {
    let mut plan = sample_plan("shop");
    for mut probe in probes {
        let common = json!({"site": "green", "healthy_threshold": 1, "unhealthy_threshold": 1});
        probe
            .as_object_mut()
            .unwrap()
            .extend(common.as_object().unwrap().clone());
        plan["probes"].as_array_mut().unwrap().push(probe);
    }
    let world = World::new(8);
    furnish(&world.cloud);
    let answer = world.put_plan(plan).await;
    assert_eq!(answer["ok"], true, "{answer:#}");
    // Preflight has looked whether they all speak.
    world.cloud.forget_metric_calls();
    world
}

/// What the probes of green are known to be, but the sample plan's own.
pub fn seen(world: &World) -> Vec<Observation> {
    let items = world.table.peek_all("shop", "observation#green#");
    items
        .into_iter()
        .map(|item| serde_json::from_value(item.body).unwrap())
        .filter(|seen: &Observation| seen.probe != "green-web")
        .collect()
}

/// What one of them is known to be.
pub fn health(world: &World, probe: &str) -> Health {
    let all = seen(world);
    all.iter().find(|seen| seen.probe == probe).unwrap().health
}

/// How often the probe asked for this.
pub fn calls(world: &World, operation: &str) -> usize {
    let calls = world.probe_wire.calls();
    calls.iter().filter(|call| call.operation == operation).count()
}
