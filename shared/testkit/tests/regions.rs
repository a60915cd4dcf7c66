//! Executors in several Regions over one table: the Region in trouble lets the others go first.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod protocol_support;

use jiff::{SignedDuration, Timestamp};
use protocol_support::assert_moved_once;
use serde_json::json;
use understudy_core::control::LEASE;
use understudy_engine::ports::{CallErrorKind, Clock};
use understudy_testkit::faults::Fault;
use understudy_testkit::world::World;
use understudy_testkit::world_plan::{failover, sample_plan, shop, shop_with};

const LEFT: &str = "eu-west-1";
const OTHER: &str = "eu-central-1";

async fn across_regions(seed: u64) -> World {
    let mut plan = sample_plan("shop");
    plan["sites"][0]["region"] = json!(LEFT);
    plan["sites"][1]["region"] = json!(OTHER);
    shop_with(seed, plan).await
}

/// When the listener was changed.
fn moved_at(world: &World) -> Timestamp {
    world.cloud.effective_changes().first().expect("a change").at
}

/// Calls of turns: preflight, which read the plan through when it was stored, is over by then.
fn calls_of_executors(world: &World) -> usize {
    const OF_PREFLIGHT: usize = 4;
    let outside = |operation: &str| operation.starts_with("traffic.") || operation.starts_with("dns.");
    let calls = world.executor_wire.calls();
    calls.iter().filter(|call| outside(call.operation)).count() - OF_PREFLIGHT
}

#[tokio::test]
async fn the_region_being_left_acts_only_after_the_lease_has_lain_unclaimed() {
    let world = across_regions(51).await;
    let asked_at = world.clock.now();
    world.command(failover("leaving")).await;
    world.run_rounds(3).await;
    assert_eq!(world.control("shop").lease, None);
    assert_eq!(calls_of_executors(&world), 0, "not even a read");
    assert!(world.settle(20).await, "{:#?}", world.control("shop"));
    assert_moved_once(&world, "late is better than never");
    assert!(moved_at(&world).duration_since(asked_at) >= LEASE);
}

#[tokio::test]
async fn another_region_acts_at_once() {
    let mut world = across_regions(52).await;
    world.executor_region = OTHER.to_owned();
    let asked_at = world.clock.now();
    world.command(failover("leaving")).await;
    assert!(world.settle(6).await, "{:#?}", world.control("shop"));
    assert_moved_once(&world, "at once");
    assert!(moved_at(&world).duration_since(asked_at) < LEASE);
}

/// A failover whose services do not answer the executor twice in a row; when it gave up.
async fn unanswered_twice(seed: u64, kind: CallErrorKind) -> (World, Timestamp) {
    let world = shop(seed).await;
    world.cloud.faults.times("traffic.weights", 2, Fault::Before(kind));
    world.command(failover("no answer")).await;
    world.deliver().await;
    let at = world.clock.now();
    (world, at)
}

#[tokio::test]
async fn a_holder_that_gets_no_answer_twice_releases_and_its_region_sits_out() {
    let (world, gave_up_at) = unanswered_twice(53, CallErrorKind::Lost).await;
    assert_eq!(world.control("shop").lease, None, "released, not left to run out");
    let calls = calls_of_executors(&world);
    assert_eq!(calls, 2);
    world.run_rounds(3).await;
    assert_eq!(calls_of_executors(&world), calls, "it sits out");
    assert!(world.settle(20).await, "{:#?}", world.control("shop"));
    assert_moved_once(&world, "with nobody else it acts again");
    let waited = moved_at(&world).duration_since(gave_up_at);
    assert!(waited >= LEASE - SignedDuration::from_secs(1), "{waited}");
}

#[tokio::test]
async fn another_region_takes_over_at_once_from_one_that_sits_out() {
    let (mut world, gave_up_at) = unanswered_twice(54, CallErrorKind::Lost).await;
    world.executor_region = OTHER.to_owned();
    assert!(world.settle(6).await, "{:#?}", world.control("shop"));
    assert_moved_once(&world, "elsewhere");
    assert!(moved_at(&world).duration_since(gave_up_at) < LEASE);
}

#[tokio::test]
async fn a_holder_that_is_throttled_keeps_the_lease_and_goes_on() {
    let (world, _) = unanswered_twice(55, CallErrorKind::Retryable).await;
    assert_moved_once(&world, "throttled: in the same turn");
    assert_eq!(world.control("shop").sitting_out, None);
}

#[tokio::test]
async fn an_undo_that_gets_no_answer_twice_lets_another_region_finish_it() {
    let mut world = shop(56).await;
    world
        .cloud
        .faults
        .next("dns.change_records", Fault::Before(CallErrorKind::Refused));
    // The listener is read to prepare, to apply and to verify; then to undo.
    for nth in [4, 5] {
        let fault = Fault::Before(CallErrorKind::Lost);
        world.cloud.faults.nth("traffic.weights", nth, fault);
    }
    world.command(failover("lost on the way back")).await;
    world.deliver().await;
    // The refused record reads as before its call, and is looked at again before the listener's turn comes.
    let sits_out = |world: &World| world.control("shop").sitting_out.is_some();
    assert!(world.run_until(4, sits_out).await, "{:#?}", world.control("shop"));
    world.executor_region = OTHER.to_owned();
    assert!(world.settle(6).await, "{:#?}", world.control("shop"));
    protocol_support::assert_untouched(&world, "undone elsewhere");
}
