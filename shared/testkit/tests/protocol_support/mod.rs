//! What the tests of the protocol ask at their end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// Each file of tests uses some of it.
#![allow(dead_code)]

use understudy_core::execution::{Execution, Status};
use understudy_testkit::world::World;
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{BLUE_GROUP, GREEN_GROUP, LISTENER, OTHER_GROUP, ZONE, a_record, really_at};

/// The newest execution, wherever it is now.
pub fn newest(world: &World) -> Execution {
    if let Some(execution) = world.control("shop").execution {
        return execution;
    }
    let history = world.table.peek_all("shop", "execution#");
    serde_json::from_value(history.last().expect("an execution has ended").body.clone()).unwrap()
}

/// Everything is exactly as it was before the first call.
pub fn assert_untouched(world: &World, when: &str) {
    let weights: Vec<(String, u32)> = [(BLUE_GROUP, 100), (GREEN_GROUP, 0), (OTHER_GROUP, 7)]
        .map(|(arn, weight)| (arn.to_owned(), weight))
        .to_vec();
    assert_eq!(
        world.cloud.weights_of(LISTENER),
        weights,
        "{when}: the weights and their order"
    );
    let mut zone = world.cloud.zone(ZONE);
    zone.sort_by(|left, right| right.name.cmp(&left.name));
    assert_eq!(
        zone,
        [
            a_record("www.example.com.", "192.0.2.1"),
            a_record("other.example.com.", "198.51.100.9")
        ],
        "{when}"
    );
    assert_eq!(world.control("shop").active_site, "blue", "{when}");
}

/// The plan is on green, and each resource was changed exactly once.
pub fn assert_moved_once(world: &World, when: &str) {
    assert_eq!(
        really_at(&world.cloud),
        ("green", "green"),
        "{when}: {:#?}",
        world.control("shop")
    );
    assert_eq!(newest(world).status, Status::Completed, "{when}: {:#?}", newest(world));
    assert_eq!(
        world.cloud.effective_changes().len(),
        2,
        "{when}: each resource is changed exactly once"
    );
    assert_eq!(world.control("shop").active_site, "green", "{when}");
    assert_eq!(violations(world), Vec::<String>::new(), "{when}");
}
