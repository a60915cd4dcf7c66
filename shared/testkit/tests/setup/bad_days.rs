//! Errors, deaths, lost replies, and several who ask at once.

use crate::shop::{NEW, ask, done, ended, is_set_up, is_untouched, made, record, shop};
use serde_json::json;
use std::collections::BTreeMap;
use understudy_core::execution::{Execution, Kind, Status};
use understudy_engine::ports::CallErrorKind;
use understudy_testkit::faults::{Fault, Place};
use understudy_testkit::world::World;
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{failover, really_at};

#[tokio::test]
async fn a_setup_that_fails_half_way_is_undone_exactly_and_not_remembered() {
    for nth in [1, 2] {
        let world = shop(90 + u64::from(nth)).await;
        let refused = Fault::Before(CallErrorKind::Refused);
        world.cloud.faults.nth("definitions.define", nth, refused);
        let execution = done(&world, "setup").await;
        assert_eq!(execution.status, Status::RolledBack, "{execution:#?}");
        assert!(is_untouched(&world), "refused at {nth}");
        assert!(record(&world).items.is_empty());
        assert_eq!(world.control("shop").set_up, None);
        assert_eq!(violations(&world), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_second_setup_that_fails_goes_back_to_the_first() {
    let world = shop(93).await;
    done(&world, "setup").await;
    let before = record(&world);
    let mut changed = crate::shop::plan();
    changed["setup"][0]["interval_seconds"] = json!(20);
    changed["setup"][2]["threshold"] = json!(0.8);
    world.put_plan(changed).await;
    let refused = Fault::Before(CallErrorKind::Refused);
    world.cloud.faults.next("definitions.define", refused);
    assert_eq!(done(&world, "setup").await.status, Status::RolledBack);
    assert!(is_set_up(&world), "as the first one made it");
    assert_eq!(record(&world).items, before.items);
    done(&world, "teardown").await;
    assert!(is_untouched(&world));
}

// How many calls the longest invocation of the executor makes.
async fn longest_turn(command: &str) -> u32 {
    let world = prepared(1000, command).await;
    let before = world.executor_wire.calls().len();
    done(&world, command).await;
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for call in world.executor_wire.calls().into_iter().skip(before) {
        *counts.entry(call.request_id).or_default() += 1;
    }
    counts.into_values().max().unwrap()
}

async fn prepared(seed: u64, command: &str) -> World {
    let world = shop(seed).await;
    if command == "teardown" {
        done(&world, "setup").await;
    }
    world
}

fn assert_came_true(world: &World, command: &str, execution: &Execution, when: &str) {
    assert_eq!(execution.status, Status::Completed, "{when}: {execution:#?}");
    let (as_wanted, items) = if command == "setup" {
        (is_set_up(world), 3)
    } else {
        (is_untouched(world), 0)
    };
    assert!(as_wanted, "{when}: {execution:#?}");
    assert_eq!(record(world).items.len(), items, "{when}");
    assert_eq!(
        world.control("shop").set_up.map_or(0, |known| known.items),
        items,
        "{when}"
    );
    let calls = if items == 3 { 3 } else { 6 };
    assert_eq!(made(world).len(), calls, "{when}: nothing is changed twice");
    assert_eq!(violations(world), Vec::<String>::new(), "{when}");
}

async fn bears_deaths(command: &str) {
    let calls = longest_turn(command).await;
    assert!(calls > 20, "{command}: {calls}");
    for nth in 1..=calls {
        for place in Place::ALL {
            let world = prepared(u64::from(1000 + nth), command).await;
            world.executor_wire.kill_at(nth, place);
            let execution = done(&world, command).await;
            assert_came_true(
                &world,
                command,
                &execution,
                &format!("{command} killed at {nth} {place:?}"),
            );
        }
    }
}

#[tokio::test]
async fn whoever_dies_setting_up_leaves_it_to_the_next_one() {
    bears_deaths("setup").await;
}

#[tokio::test]
async fn whoever_dies_taking_back_leaves_it_to_the_next_one() {
    bears_deaths("teardown").await;
}

#[tokio::test]
async fn a_write_of_the_table_may_lose_its_reply_or_fail() {
    for command in ["setup", "teardown"] {
        for nth in 1..=24 {
            for fault in [
                Fault::ReplyLost,
                Fault::MeetsItself,
                Fault::Before(CallErrorKind::Retryable),
            ] {
                let world = prepared(u64::from(2000 + nth), command).await;
                let answer = ask(&world, command).await;
                assert_eq!(answer["ok"], true, "{answer:#}");
                world.table.faults.nth("table.put", nth, fault);
                assert!(world.settle(60).await, "{command} at write {nth}");
                let execution = ended(&world).pop().unwrap();
                assert_came_true(&world, command, &execution, &format!("{command} at write {nth}"));
            }
        }
    }
}

#[tokio::test]
async fn of_a_setup_and_a_failover_at_the_same_time_one_wins() {
    for seed in 3000..3010 {
        let world = shop(seed).await;
        let (set_up, moved) = tokio::join!(ask(&world, "setup"), world.command(failover("shop")));
        let won = [set_up["ok"] == true, moved["ok"] == true];
        assert_eq!(won.iter().filter(|won| **won).count(), 1, "{set_up:#} {moved:#}");
        let lost = if won[0] { &moved } else { &set_up };
        assert!(
            lost["error"].as_str().unwrap().contains("no_execution_in_progress"),
            "{lost:#}"
        );
        assert!(world.settle(30).await);
        assert_eq!(ended(&world).len(), 1);
        assert_eq!(
            (is_set_up(&world), really_at(&world.cloud) == ("green", "green")),
            (won[0], won[1])
        );
        assert_eq!(violations(&world), Vec::<String>::new());
    }
}

#[tokio::test]
async fn the_kill_switch_lets_neither_begin_and_stops_what_runs() {
    let world = shop(94).await;
    let word = |command: &str| json!({"command": command, "operator": "mia", "reason": "a fire"});
    world.command(word("stop-all")).await;
    let answer = ask(&world, "setup").await;
    assert!(
        answer["error"].as_str().unwrap().contains("fleet_not_stopped"),
        "{answer:#}"
    );
    world.command(word("start-all")).await;
    assert_eq!(ask(&world, "setup").await["ok"], true);
    world.command(word("stop-all")).await;
    world.run_rounds(6).await;
    assert!(is_untouched(&world));
    world.command(word("start-all")).await;
    assert!(world.settle(30).await);
    assert!(is_set_up(&world));
}

#[tokio::test]
async fn a_setup_can_be_cancelled_and_a_teardown_can_not() {
    let world = shop(95).await;
    let cancel = json!({"command": "cancel", "plan": "shop", "operator": "mia", "reason": "not now"});
    world
        .cloud
        .faults
        .times("definitions.define", 2, Fault::Before(CallErrorKind::Retryable));
    assert_eq!(ask(&world, "setup").await["ok"], true);
    assert_eq!(world.command(cancel.clone()).await["ok"], true);
    assert!(world.settle(30).await);
    assert_eq!(ended(&world).pop().unwrap().status, Status::Cancelled);
    assert!(is_untouched(&world));

    done(&world, "setup").await;
    assert_eq!(ask(&world, "teardown").await["ok"], true);
    let answer = world.command(cancel).await;
    assert!(answer["error"].as_str().unwrap().contains("takes back"), "{answer:#}");
    assert!(world.settle(30).await);
    assert!(is_untouched(&world));
}

#[tokio::test]
async fn an_executor_of_long_ago_does_not_write_its_setup_over_a_later_teardown() {
    let world = shop(96).await;
    done(&world, "setup").await;
    let first = ended(&world).pop().unwrap();
    done(&world, "teardown").await;
    let after = record(&world);
    let mut late = after.clone();
    let refused = late
        .remember(&first, 1, world.control("shop").last_execution.unwrap().ended_at)
        .unwrap_err();
    assert_eq!((refused.written, refused.own), (after.epoch, 1));
    assert_eq!(late, after);
}

#[tokio::test]
async fn a_stuck_teardown_goes_on_when_a_person_says_so() {
    let world = shop(97).await;
    done(&world, "setup").await;
    world
        .cloud
        .faults
        .next("definitions.remove", Fault::Before(CallErrorKind::Refused));
    assert_eq!(ask(&world, "teardown").await["ok"], true);
    world.run_rounds(6).await;
    let stuck = world.control("shop").execution.unwrap();
    assert_eq!((stuck.kind, stuck.status), (Kind::Teardown, Status::Stuck));
    assert!(world.cloud.definition_of(NEW).is_some());
    let resolve = |action: &str| json!({"command": "resolve", "plan": "shop", "operator": "mia", "reason": "permitted now", "action": action});
    let mut elsewhere = resolve("abandon");
    elsewhere["active_site"] = json!("green");
    assert_eq!(world.command(elsewhere).await["ok"], false, "it moves nothing");
    assert_eq!(world.command(resolve("retry")).await["ok"], true);
    assert!(world.settle(30).await);
    assert!(is_untouched(&world));
    assert_eq!(ended(&world).pop().unwrap().status, Status::Completed);
}
