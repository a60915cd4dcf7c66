//! The standby's group goes back to its size when the work has come home.

use serde_json::{Value, json};
use understudy_core::execution::{Execution, Status, StepState};
use understudy_core::state::GroupSize;
use understudy_engine::ports::{AutoScalingGroup, CallErrorKind};
use understudy_testkit::cloud::FakeCloud;
use understudy_testkit::faults::{Fault, Place};
use understudy_testkit::world::World;
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{furnish, really_at, sample_plan};

fn group(name: &str, size: (u32, u32, u32)) -> AutoScalingGroup {
    let (minimum, desired, maximum) = size;
    AutoScalingGroup {
        name: name.to_owned(),
        size: GroupSize {
            minimum,
            desired,
            maximum,
        },
        in_service: desired,
        left_behind: 0,
        subnets: vec!["subnet-0000000000000000a".to_owned()],
        launches: true,
    }
}

fn size_of(cloud: &FakeCloud, name: &str) -> (u32, u32, u32) {
    let size = cloud.group(name).unwrap().size;
    (size.minimum, size.desired, size.maximum)
}

fn plan() -> Value {
    let mut plan = sample_plan("shop");
    let size = json!({
        "kind": "asg_capacity", "name": "size", "groups": {"blue": "web-blue", "green": "web-green"}, "raise_max": true,
    });
    plan["steps"].as_array_mut().unwrap().insert(0, size);
    // Only people move it, so that each move is seen by itself.
    plan["policy"]["mode"] = json!("manual");
    plan["policy"]["failback"] = json!({"mode": "manual"});
    plan
}

/// The shop on green, whose group was raised from 1 of 1 to 4 to six.
async fn away(seed: u64) -> World {
    let world = World::new(seed);
    furnish(&world.cloud);
    world.cloud.put_group(group("web-blue", (2, 6, 10)));
    world.cloud.put_group(group("web-green", (1, 1, 4)));
    assert_eq!(world.put_plan(plan()).await["ok"], true);
    world.run_rounds(6).await;
    go(&world, "failover").await;
    assert_eq!(really_at(&world.cloud), ("green", "green"));
    assert_eq!(size_of(&world.cloud, "web-green"), (6, 6, 6));
    world
}

fn asked(command: &str) -> Value {
    json!({"command": command, "plan": "shop", "operator": "mia", "reason": "a look"})
}

async fn go(world: &World, command: &str) -> Execution {
    let answer = world.command(asked(command)).await;
    assert_eq!(answer["ok"], true, "{answer:#}");
    world.deliver().await;
    assert!(world.settle(60).await, "{:#?}", world.control("shop"));
    assert_eq!(violations(world), Vec::<String>::new());
    let history = world.table.peek_all("shop", "execution#");
    serde_json::from_value(history.last().unwrap().body.clone()).unwrap()
}

#[tokio::test]
async fn the_way_home_gives_back_what_the_way_out_has_raised() {
    let world = away(1).await;
    let raised = world.control("shop").away.unwrap().raised;
    assert_eq!((raised.len(), raised[0].group.as_str()), (1, "web-green"));
    let home = go(&world, "failback").await;
    assert_eq!(home.status, Status::Completed);
    assert_eq!(really_at(&world.cloud), ("blue", "blue"));
    assert_eq!(size_of(&world.cloud, "web-green"), (1, 1, 4));
    let last = home.steps.last().unwrap();
    assert_eq!((last.name.as_str(), last.state), ("size-back", StepState::Done));
    let traffic = home.steps.iter().find(|run| run.name == "record").unwrap();
    assert!(last.started_at >= traffic.ended_at, "only when the work is at home");
    assert!(world.control("shop").away.is_none());
    let stored = world.command(asked("failover")).await;
    assert_eq!(stored["ok"], true, "{stored:#}");
    let names: Vec<_> = world.control("shop").execution.unwrap().steps;
    assert!(
        names.iter().all(|run| run.name != "size-back"),
        "the plan itself has no such step"
    );
}

#[tokio::test]
async fn a_dry_run_of_the_way_home_shows_it() {
    let world = away(2).await;
    let mut dry = asked("failback");
    dry["dry_run"] = json!(true);
    let answer = world.command(dry).await;
    let last = answer["steps"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["name"], "size-back", "{answer:#}");
    let call = "autoscaling:UpdateAutoScalingGroup web-green with minimum 1, desired 1, maximum 4";
    assert_eq!(last["calls"], json!([call]));
    assert_eq!(size_of(&world.cloud, "web-green"), (6, 6, 6));
}

#[tokio::test]
async fn what_somebody_else_made_of_the_group_stays_and_is_told() {
    let world = away(3).await;
    world.cloud.put_group(group("web-green", (3, 8, 12)));
    let home = go(&world, "failback").await;
    assert_eq!(home.status, Status::Completed, "the work is at home");
    assert_eq!(size_of(&world.cloud, "web-green"), (3, 8, 12));
    let last = home.steps.last().unwrap();
    assert_eq!(last.state, StepState::Failed);
    assert!(
        last.detail.contains("somebody else has changed its size"),
        "{}",
        last.detail
    );
    let told = world.cloud.published();
    let text = &told.last().unwrap().announcement.text;
    assert!(text.contains("size-back") && text.contains("somebody else"), "{text}");
}

#[tokio::test]
async fn a_group_that_can_not_be_given_back_keeps_nobody_away_from_home() {
    let world = away(4).await;
    // The way home raises blue's by no call, since blue is as large: the next resize is green's.
    let refused = Fault::Before(CallErrorKind::Refused);
    world.cloud.put_group(group("web-blue", (6, 6, 10)));
    world.cloud.faults.next("groups.resize", refused);
    let home = go(&world, "failback").await;
    assert_eq!(home.status, Status::Completed);
    assert_eq!(home.steps.last().unwrap().state, StepState::Failed);
    assert_eq!(really_at(&world.cloud), ("blue", "blue"));
    assert_eq!(size_of(&world.cloud, "web-green"), (6, 6, 6));
}

#[tokio::test]
async fn a_lost_reply_and_a_dead_executor_give_it_back_once() {
    for nth in [0, 1, 2, 3] {
        let world = away(5).await;
        world.cloud.put_group(group("web-blue", (6, 6, 10)));
        match nth {
            0 => world.cloud.faults.next("groups.resize", Fault::ReplyLost),
            nth => {
                let place = [Place::BeforeEffect, Place::AfterEffect, Place::AfterReply][nth - 1];
                let counting = away(5).await;
                counting.cloud.put_group(group("web-blue", (6, 6, 10)));
                let before = counting.executor_wire.calls().len();
                go(&counting, "failback").await;
                let calls = counting.executor_wire.calls();
                let at = calls
                    .iter()
                    .skip(before)
                    .position(|call| call.operation == "groups.resize")
                    .unwrap();
                let resize = &calls[before + at];
                let same = calls.iter().filter(|call| call.request_id == resize.request_id);
                let number = same.take_while(|call| call.operation != "groups.resize").count() + 1;
                world.executor_wire.kill_at(u32::try_from(number).unwrap(), place);
            }
        }
        let home = go(&world, "failback").await;
        assert_eq!(home.status, Status::Completed);
        assert_eq!(size_of(&world.cloud, "web-green"), (1, 1, 4));
        let changes = world.cloud.effective_changes();
        let resized = changes
            .iter()
            .filter(|change| change.operation == "groups.resize")
            .count();
        assert_eq!(resized, 2, "up once, down once");
    }
}

#[tokio::test]
async fn a_way_home_that_is_undone_leaves_the_group_for_the_next_one() {
    let world = away(6).await;
    let refused = Fault::Before(CallErrorKind::Refused);
    world.cloud.faults.next("dns.change_records", refused);
    let turned = go(&world, "failback").await;
    assert_eq!(turned.status, Status::RolledBack);
    assert_eq!(size_of(&world.cloud, "web-green"), (6, 6, 6), "it carries the work");
    assert_eq!(world.control("shop").away.unwrap().raised.len(), 1);
    go(&world, "failback").await;
    assert_eq!(size_of(&world.cloud, "web-green"), (1, 1, 4));
}
