//! The executor's protocol, forward: every step works, works twice, fails at each call, loses each reply, and is
//! finished by the next executor after a kill at every call of a whole failover.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod protocol_support;

use jiff::SignedDuration;
use protocol_support::{assert_moved_once, assert_untouched, newest};
use serde_json::json;
use std::sync::Arc;
use understudy_core::execution::{Status, StepState};
use understudy_engine::ports::{CallErrorKind, Key, Put};
use understudy_engine::store::{CONTROL, Store};
use understudy_testkit::clock::SeededRandom;
use understudy_testkit::faults::{Fault, Place};
use understudy_testkit::memory_stream::stream_payload;
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{BLUE_GROUP, GREEN_GROUP, LISTENER, OTHER_GROUP, ZONE, a_record, failover, shop};

/// Everything that a failover reads or changes outside of the table.
const CALLS: [&str; 5] = [
    "traffic.weights",
    "traffic.set_weights",
    "dns.records",
    "dns.change_records",
    "dns.in_sync",
];

#[tokio::test]
async fn every_step_works_and_leaves_what_is_not_its_own() {
    let world = shop(1).await;
    world.cloud.polls_until_in_sync(2);
    world.command(failover("works")).await;
    assert!(world.settle(6).await);
    assert_moved_once(&world, "once");
    let states: Vec<StepState> = newest(&world).steps.iter().map(|run| run.state).collect();
    assert_eq!(states, [StepState::Satisfied, StepState::Done, StepState::Done]);
    assert!(world.cloud.weights_of(LISTENER).contains(&(OTHER_GROUP.to_owned(), 7)));
    assert!(
        world
            .cloud
            .zone(ZONE)
            .contains(&a_record("other.example.com.", "198.51.100.9"))
    );
}

#[tokio::test]
async fn what_is_as_wanted_already_is_satisfied_and_nothing_is_called() {
    let world = shop(2).await;
    world
        .cloud
        .put_weights(LISTENER, &[(BLUE_GROUP, 0), (GREEN_GROUP, 100), (OTHER_GROUP, 7)]);
    world
        .cloud
        .put_zone(ZONE, vec![a_record("www.example.com.", "192.0.2.2")]);
    world.command(failover("somebody did it by hand")).await;
    assert!(world.settle(6).await);
    assert!(world.cloud.changes().is_empty());
    assert!(newest(&world).steps.iter().all(|run| run.state == StepState::Satisfied));
    assert_eq!(world.control("shop").active_site, "green");
}

#[tokio::test]
async fn a_turn_that_is_run_again_changes_nothing() {
    let world = shop(3).await;
    world.command(failover("twice")).await;
    let record = world.table.waiting_records().pop().unwrap();
    assert!(world.settle(6).await);
    // Green carries it now: that asks for a preflight once, which writes what it found.
    world.invoke_executor(json!({"plan": "shop"})).await;
    let writes = world.table.accepted_writes();
    for _ in 0..3 {
        world
            .invoke_executor(stream_payload(std::slice::from_ref(&record)))
            .await;
        world.invoke_executor(json!({"plan": "shop"})).await;
    }
    assert_eq!(
        world.table.accepted_writes(),
        writes,
        "a turn that finds nothing takes no lease"
    );
    assert_moved_once(&world, "again");
}

#[tokio::test]
async fn a_call_that_fails_for_a_moment_is_repeated_wherever_it_stands() {
    for kind in [CallErrorKind::Retryable, CallErrorKind::Lost] {
        for call in CALLS {
            for nth in 1..=4 {
                let world = shop(4).await;
                world.cloud.polls_until_in_sync(2);
                world.cloud.faults.nth(call, nth, Fault::Before(kind));
                world.command(failover("a bad moment")).await;
                assert!(
                    world.settle(12).await,
                    "{kind:?} at {call} {nth}: {:#?}",
                    world.control("shop")
                );
                assert_moved_once(&world, &format!("{kind:?} at {call} {nth}"));
            }
        }
    }
}

#[tokio::test]
async fn a_call_that_is_refused_for_good_rolls_everything_back_to_the_exact_pre_state() {
    let mut rolled_back = 0;
    for kind in [CallErrorKind::Refused, CallErrorKind::NotFound] {
        for call in CALLS {
            for nth in 1..=3 {
                let world = shop(5).await;
                world.cloud.polls_until_in_sync(2);
                world.cloud.faults.nth(call, nth, Fault::Before(kind));
                let when = format!("{kind:?} at {call} {nth}");
                world.command(failover("a wall")).await;
                assert!(world.settle(12).await, "{when}: {:#?}", world.control("shop"));
                let ended = newest(&world);
                if ended.status == Status::Completed {
                    // The nth call was never made.
                    assert_moved_once(&world, &when);
                } else {
                    assert_eq!(ended.status, Status::RolledBack, "{when}: {ended:#?}");
                    assert!(ended.failure.is_some(), "{when}");
                    assert_untouched(&world, &when);
                    assert_eq!(violations(&world), Vec::<String>::new(), "{when}");
                    rolled_back += 1;
                }
            }
        }
    }
    assert!(rolled_back > 20, "only {rolled_back} rolled back");
}

#[tokio::test]
async fn a_reply_that_is_lost_after_its_effect_is_recognised_and_not_repeated() {
    for call in CALLS.into_iter().chain(["notifier.publish"]) {
        for nth in 1..=3 {
            let world = shop(6).await;
            world.cloud.polls_until_in_sync(1);
            world.cloud.faults.nth(call, nth, Fault::ReplyLost);
            world.command(failover("a lost reply")).await;
            // A change of records that nobody can be asked about any more takes its minute.
            assert!(world.settle(20).await, "{call} {nth}");
            assert_moved_once(&world, &format!("the reply of {call} {nth} is lost"));
        }
    }
}

#[tokio::test]
async fn a_lost_reply_of_any_write_of_the_table_opens_and_ends_one_execution() {
    for nth in 1..=24 {
        for form in 0..3 {
            let world = shop(7).await;
            let fault = match form {
                0 => Fault::ReplyLost,
                1 => Fault::MeetsItself,
                _ => Fault::Before(CallErrorKind::Lost),
            };
            world.table.faults.nth("table.put", nth, fault);
            world.command(failover("a lost write")).await;
            let when = format!("write {nth}, form {form}");
            assert!(world.settle(20).await, "{when}: {:#?}", world.control("shop"));
            if world.table.peek_all("shop", "execution#").is_empty() {
                // The very write that opens it had no effect: the person was told, and nothing has moved.
                assert_eq!(form, 2, "{when}");
                assert_untouched(&world, &when);
                continue;
            }
            assert_moved_once(&world, &when);
            assert_eq!(world.table.peek_all("shop", "execution#").len(), 1, "{when}");
        }
    }
}

#[tokio::test]
async fn what_is_seen_late_is_waited_for_and_changed_once() {
    for call in ["traffic.set_weights", "dns.change_records"] {
        for reads in [1, 3, 8] {
            let world = shop(8).await;
            world.cloud.faults.next(call, Fault::SeenAfter(reads));
            world.command(failover("eventual")).await;
            assert!(world.settle(12).await);
            assert_moved_once(&world, &format!("{call} seen after {reads} reads"));
        }
    }
}

#[tokio::test]
async fn slow_calls_fit_into_leases_that_are_renewed() {
    let world = shop(9).await;
    world
        .cloud
        .faults
        .always("traffic.*", Fault::Slow(SignedDuration::from_secs(7)));
    world
        .cloud
        .faults
        .always("dns.*", Fault::Slow(SignedDuration::from_secs(7)));
    world.command(failover("a slow day")).await;
    assert!(world.settle(30).await, "{:#?}", world.control("shop"));
    assert_moved_once(&world, "slow");
}

#[tokio::test]
async fn an_executor_killed_at_any_call_is_followed_by_one_that_finishes() {
    let calls = {
        let world = shop(10).await;
        let before = world.executor_wire.calls().len();
        world.command(failover("count")).await;
        world.deliver().await;
        world.executor_wire.calls().len() - before
    };
    assert!(calls > 20, "a whole failover makes {calls} calls only");
    for place in Place::ALL {
        for nth in 1..=calls as u32 {
            let world = shop(10).await;
            world.executor_wire.kill_at(nth, place);
            world.command(failover("killed")).await;
            let when = format!("killed at call {nth} of {calls}, {place:?}");
            assert!(world.settle(30).await, "{when}: {:#?}", world.control("shop"));
            assert_moved_once(&world, &when);
            assert_eq!(world.table.peek_all("shop", "execution#").len(), 1, "{when}");
        }
    }
}

#[tokio::test]
async fn a_change_that_is_seen_late_after_a_kill_is_not_taken_for_somebody_elses() {
    for call in ["traffic.set_weights", "dns.change_records"] {
        let world = shop(17).await;
        let before = world.executor_wire.calls().len();
        world.command(failover("count")).await;
        world.deliver().await;
        let calls = world.executor_wire.calls();
        let nth = calls[before..].iter().position(|made| made.operation == call).unwrap() as u32 + 1;

        let world = shop(17).await;
        world.executor_wire.kill_at(nth, Place::AfterEffect);
        world.cloud.faults.next(call, Fault::SeenAfter(3));
        world.command(failover("late and killed")).await;
        assert!(world.settle(30).await, "{call}: {:#?}", world.control("shop"));
        assert_moved_once(&world, call);
    }
}

#[tokio::test]
async fn a_write_whose_repetition_is_throttled_is_looked_up() {
    let world = shop(3).await;
    // Nothing was written, and the person is told so.
    world
        .table
        .faults
        .always("table.put", Fault::Before(CallErrorKind::Retryable));
    let answer = world.command(failover("throttled")).await;
    assert_eq!((&answer["ok"], &answer["retryable"]), (&json!(false), &json!(true)));
    world.table.faults.clear();
    assert!(world.control("shop").execution.is_none());
    // Every write was carried out, and every answer is that its repetition was throttled.
    world.table.faults.always("table.put", Fault::RepetitionThrottled);
    let answer = world.command(failover("throttled")).await;
    assert_eq!(answer["ok"], json!(true), "{answer}");
    assert!(world.settle(6).await);
    world.table.faults.clear();
    assert_moved_once(&world, "once");
    // Somebody else's is not taken for one's own.
    let store = Store::new(world.table.clone(), world.clock.clone(), Arc::new(SeededRandom::new(9)));
    let control = world.control("shop");
    let key = Key {
        plan: "shop".into(),
        item: CONTROL.into(),
    };
    let item = |version: u64| {
        let body = serde_json::to_value(&control).unwrap();
        store.item(key.clone(), version, body, None, None)
    };
    let standing = control.version;
    let written = store.put(&item(standing + 1), standing).await.unwrap();
    assert_eq!(written, Put::Written);
    world.table.faults.next("table.put", Fault::RepetitionThrottled);
    let lost = store.put(&item(standing + 1), standing).await.unwrap();
    assert!(matches!(lost, Put::Lost(Some(_))), "{lost:?}");
}
