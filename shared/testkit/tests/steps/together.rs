//! Steps of one group: begun together, waited for together, and none kept from its turn by another one.

use serde_json::{Value, json};
use understudy_core::execution::{Execution, Status, StepState};
use understudy_testkit::world::World;
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{OTHER_GROUP, failover, really_at, sample_plan, shop_with};

const BLUE: &str = "i-0000000000000b1e";
const GREEN: &str = "i-0000000000000bee";

// Targets that hold until they are healthy, and the sample plan's weights and record, all in one group.
fn plan(targets_first: bool) -> Value {
    let mut plan = sample_plan("shop");
    let targets = json!({
        "kind": "elb_targets", "name": "targets", "target_group_arn": OTHER_GROUP,
        "targets": {"blue": [{"id": BLUE, "port": 80}], "green": [{"id": GREEN, "port": 80}]},
    });
    let steps = plan["steps"].as_array_mut().unwrap();
    steps.remove(0);
    let at = if targets_first { 0 } else { steps.len() };
    steps.insert(at, targets);
    for step in steps {
        step["group"] = json!("edge");
    }
    plan
}

async fn moving(targets_first: bool) -> World {
    let world = shop_with(71, plan(targets_first)).await;
    let targets = [(BLUE, "healthy"), (GREEN, "unhealthy")];
    world.cloud.put_named_targets(OTHER_GROUP, &targets);
    world.cloud.put_deregistration_delay(OTHER_GROUP, 20);
    world.cloud.polls_until_in_sync(3);
    assert_eq!(world.command(failover("all at once")).await["ok"], true);
    world.deliver().await;
    world
}

fn states(execution: &Execution) -> Vec<(&str, StepState)> {
    let runs = execution.steps.iter();
    runs.map(|run| (run.name.as_str(), run.state)).collect()
}

#[tokio::test]
async fn one_that_holds_keeps_no_other_of_its_group_from_its_call_or_from_being_verified() {
    for targets_first in [true, false] {
        let world = moving(targets_first).await;
        // Longer than the weights have time.
        world.run_rounds(18).await;
        let running = world.control("shop").execution.expect("it goes on");
        let mut found = states(&running);
        found.sort_by_key(|(name, _)| *name);
        let wanted = [
            ("record", StepState::Done),
            ("targets", StepState::Intended),
            ("weights", StepState::Done),
        ];
        assert_eq!(found, wanted, "{running:#?}");
        assert_eq!(really_at(&world.cloud), ("green", "green"));
        assert!(running.wake_at.is_some(), "nobody is busy while all that is left waits");

        world
            .cloud
            .put_named_targets(OTHER_GROUP, &[(BLUE, "healthy"), (GREEN, "healthy")]);
        let away = |world: &World| world.control("shop").active_site == "green";
        assert!(world.run_until(20, away).await, "{:#?}", world.control("shop"));
        assert_eq!(
            world.cloud.targets_of(OTHER_GROUP),
            [(GREEN.to_owned(), "healthy".to_owned())]
        );
        assert_eq!(violations(&world), Vec::<String>::new());
    }
}

#[tokio::test]
async fn one_that_never_comes_about_turns_all_of_its_group_back() {
    let world = moving(true).await;
    let ended = |world: &World| world.control("shop").execution.is_none();
    assert!(world.run_until(120, ended).await, "{:#?}", world.control("shop"));
    let last = world.control("shop").last_execution.expect("one has ended");
    assert_eq!(last.status, Status::RolledBack);
    assert_eq!(really_at(&world.cloud), ("blue", "blue"));
    assert_eq!(violations(&world), Vec::<String>::new());
}
