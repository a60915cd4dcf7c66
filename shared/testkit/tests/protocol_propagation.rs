//! The executor's protocol, propagation: a change is done when it has reached everybody. Where the reply that
//! names the change is lost, nobody can be asked any more, so the time that it generally takes is waited for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod protocol_support;

use jiff::SignedDuration;
use protocol_support::{assert_moved_once, assert_untouched, newest};
use serde_json::json;
use understudy_core::execution::{Status, StepState};
use understudy_core::report::EventKind;
use understudy_engine::ports::CallErrorKind;
use understudy_testkit::faults::{Fault, Place};
use understudy_testkit::world::World;
use understudy_testkit::world_plan::{failover, really_at, sample_plan, shop, shop_with};

/// The time within which Route 53 generally propagates a change.
const PROPAGATION: SignedDuration = SignedDuration::from_secs(60);
/// Where the step of the records stands in the sample plan.
const RECORD: usize = 2;

fn asked_for_propagation(world: &World) -> bool {
    world
        .executor_wire
        .calls()
        .iter()
        .any(|call| call.operation == "dns.in_sync")
}

#[tokio::test]
async fn a_change_whose_reply_is_lost_is_done_only_after_the_time_that_propagation_takes() {
    let world = shop(31).await;
    world.cloud.faults.next("dns.change_records", Fault::ReplyLost);
    world.command(failover("a lost reply")).await;
    world.run_rounds(10).await;
    assert_eq!(really_at(&world.cloud), ("green", "green"), "the record reads back");
    let waiting = newest(&world);
    assert_eq!(waiting.status, Status::Waiting, "{waiting:#?}");
    assert_eq!(waiting.steps[RECORD].state, StepState::Applied, "{waiting:#?}");
    let told = world.cloud.published();
    assert!(
        told.iter().any(|told| told.announcement.event == EventKind::Waiting),
        "a wait is told"
    );

    assert!(world.settle(10).await, "{:#?}", world.control("shop"));
    assert_moved_once(&world, "after the wait");
    let run = newest(&world).steps[RECORD].clone();
    let changed_at = world.cloud.effective_changes()[1].at;
    assert!(
        run.ended_at.unwrap().duration_since(changed_at) >= PROPAGATION,
        "{run:#?}"
    );
    assert!(run.detail.contains("not confirmed"), "it says so: {}", run.detail);
    assert!(!asked_for_propagation(&world), "there is no id to ask about");
}

#[tokio::test]
async fn an_executor_killed_before_it_knew_the_change_is_followed_by_one_that_waits() {
    let world = shop(32).await;
    let before = world.executor_wire.calls().len();
    world.command(failover("count")).await;
    world.deliver().await;
    let calls = world.executor_wire.calls();
    let change = calls[before..]
        .iter()
        .position(|made| made.operation == "dns.change_records")
        .unwrap() as u32;

    let world = shop(32).await;
    world.executor_wire.kill_at(change + 1, Place::AfterEffect);
    world.command(failover("killed")).await;
    assert!(world.settle(40).await, "{:#?}", world.control("shop"));
    assert_moved_once(&world, "killed");
    let run = newest(&world).steps[RECORD].clone();
    let changed_at = world.cloud.effective_changes()[1].at;
    assert!(
        run.ended_at.unwrap().duration_since(changed_at) >= PROPAGATION,
        "{run:#?}"
    );
}

#[tokio::test]
async fn a_change_whose_reply_came_is_asked_about_and_waits_no_longer_than_it_takes() {
    let world = shop(33).await;
    world.cloud.polls_until_in_sync(3);
    world.command(failover("a reply")).await;
    assert!(world.settle(4).await, "{:#?}", world.control("shop"));
    assert_moved_once(&world, "in sync");
    assert!(asked_for_propagation(&world));
    let detail = newest(&world).steps[RECORD].detail.clone();
    assert!(!detail.contains("not confirmed"), "{detail}");
}

#[tokio::test]
async fn an_undo_whose_reply_is_lost_is_not_taken_for_the_change_that_it_undoes() {
    let world = shop(34).await;
    // The move is made and known by its id; then it can not be asked about, and turns round.
    world
        .cloud
        .faults
        .next("dns.in_sync", Fault::Before(CallErrorKind::Refused));
    world.cloud.faults.nth("dns.change_records", 2, Fault::ReplyLost);
    world.command(failover("lost on the way back")).await;
    assert!(world.settle(30).await, "{:#?}", world.control("shop"));
    let ended = newest(&world);
    assert_eq!(ended.status, Status::RolledBack, "{ended:#?}");
    assert_untouched(&world, "undone");
    let run = &ended.steps[RECORD];
    let restored_at = world.cloud.effective_changes()[2].at;
    assert!(
        run.ended_at.unwrap().duration_since(restored_at) >= PROPAGATION,
        "{run:#?}"
    );
    assert!(run.detail.contains("not confirmed"), "{}", run.detail);
}

#[tokio::test]
async fn a_dry_run_and_a_check_warn_of_a_step_that_can_not_outlast_a_lost_reply() {
    for (seconds, warned) in [(89, true), (90, false)] {
        let mut plan = sample_plan("shop");
        plan["steps"][RECORD]["timeout_seconds"] = json!(seconds);
        let world = shop_with(35, plan.clone()).await;
        let mut asked = failover("what would be done?");
        asked["dry_run"] = json!(true);
        let steps = world.command(asked).await["steps"].clone();
        assert_eq!(steps[RECORD].get("warning").is_some(), warned, "{steps:#}");
        assert!(steps[RECORD - 1].get("warning").is_none(), "{steps:#}");

        let question = json!({"read_only": "validate", "plan": world.table.peek("shop", &world.control("shop").plan_item).unwrap().body});
        let answer = world.invoke_executor(question).await.answer();
        assert_eq!(answer["ok"], true, "{answer:#}");
        let warnings = answer["warnings"].as_array().unwrap();
        assert_eq!(warnings.len(), usize::from(warned), "{answer:#}");
    }
}
