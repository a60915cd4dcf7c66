//! The executor's protocol, back: every step is undone, undone twice, killed on the way, and never overwrites what
//! somebody else has made; what can not go on by itself calls a person.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod protocol_support;

use protocol_support::{assert_moved_once, assert_untouched, newest};
use serde_json::json;
use understudy_core::execution::Status;
use understudy_core::report::EventKind;
use understudy_engine::ports::CallErrorKind;
use understudy_testkit::faults::{Fault, Place};
use understudy_testkit::world::World;
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{
    BLUE_GROUP, GREEN_GROUP, LISTENER, OTHER_GROUP, ZONE, a_record, failover, really_at, sample_plan, shop, shop_with,
};

#[tokio::test]
async fn a_rollback_killed_at_any_call_still_restores_the_exact_pre_state() {
    let refuse = |world: &World| {
        world
            .cloud
            .faults
            .next("dns.change_records", Fault::Before(CallErrorKind::Refused))
    };
    let calls = {
        let world = shop(11).await;
        refuse(&world);
        let before = world.executor_wire.calls().len();
        world.command(failover("count")).await;
        world.deliver().await;
        world.executor_wire.calls().len() - before
    };
    for place in Place::ALL {
        for nth in 1..=calls as u32 {
            let world = shop(11).await;
            refuse(&world);
            world.executor_wire.kill_at(nth, place);
            world.command(failover("killed on the way back")).await;
            let when = format!("killed at call {nth} of {calls}, {place:?}");
            assert!(world.settle(30).await, "{when}: {:#?}", world.control("shop"));
            // Killed before it heard the refusal, the next executor's call goes through: that is as right.
            if newest(&world).status == Status::Completed {
                assert_eq!(really_at(&world.cloud), ("green", "green"), "{when}");
                assert_eq!(world.cloud.effective_changes().len(), 2, "{when}");
            } else {
                assert_eq!(newest(&world).status, Status::RolledBack, "{when}");
                assert_untouched(&world, &when);
                assert_eq!(
                    world.cloud.effective_changes().len(),
                    2,
                    "{when}: there and back, each once"
                );
            }
            assert_eq!(violations(&world), Vec::<String>::new(), "{when}");
        }
    }
}

#[tokio::test]
async fn an_undo_whose_reply_is_lost_is_not_made_twice() {
    let world = shop(12).await;
    world
        .cloud
        .faults
        .next("dns.change_records", Fault::Before(CallErrorKind::Refused));
    world.cloud.faults.nth("traffic.set_weights", 2, Fault::ReplyLost);
    world.command(failover("lost on the way back")).await;
    assert!(world.settle(12).await);
    assert_eq!(newest(&world).status, Status::RolledBack);
    assert_untouched(&world, "undone");
    assert_eq!(world.cloud.effective_changes().len(), 2);
}

#[tokio::test]
async fn an_undo_that_can_not_be_done_calls_a_person_whose_word_finishes_it() {
    let world = shop(13).await;
    world
        .cloud
        .faults
        .next("dns.change_records", Fault::Before(CallErrorKind::Refused));
    world
        .cloud
        .faults
        .nth("traffic.set_weights", 2, Fault::Before(CallErrorKind::Refused));
    world.command(failover("a wall on the way back")).await;
    world.run_rounds(4).await;
    let stuck = newest(&world);
    assert_eq!(stuck.status, Status::Stuck, "{stuck:#?}");
    assert!(
        world
            .cloud
            .published()
            .iter()
            .any(|told| told.announcement.event == EventKind::Stuck)
    );
    let calls = world.cloud.changes().len();
    world.run_rounds(20).await;
    assert_eq!(
        world.cloud.changes().len(),
        calls,
        "a stuck execution calls nothing by itself"
    );

    let answer = world
        .command(json!({"command": "resolve", "plan": "shop", "operator": "mia", "reason": "permission given", "action": "rollback"}))
        .await;
    assert_eq!(answer["ok"], true, "{answer:#}");
    assert!(world.settle(12).await);
    assert_eq!(newest(&world).status, Status::RolledBack);
    assert_untouched(&world, "resolved");
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn somebody_elses_change_just_before_the_call_is_never_overwritten() {
    let world = shop(14).await;
    let theirs = [(BLUE_GROUP, 50), (GREEN_GROUP, 50), (OTHER_GROUP, 7)];
    world.cloud.faults.next(
        "traffic.set_weights",
        Fault::Outside(Box::new(move |cloud| cloud.put_weights(LISTENER, &theirs))),
    );
    world.command(failover("a second controller")).await;
    assert!(world.settle(12).await, "{:#?}", world.control("shop"));
    assert_eq!(newest(&world).status, Status::RolledBack);
    assert_eq!(
        world.cloud.weights_of(LISTENER),
        theirs.map(|(arn, weight)| (arn.to_owned(), weight)).to_vec()
    );
    assert!(world.cloud.effective_changes().is_empty());

    let world = shop(15).await;
    let theirs = vec![a_record("www.example.com.", "203.0.113.77")];
    let copy = theirs.clone();
    world.cloud.faults.next(
        "dns.change_records",
        Fault::Outside(Box::new(move |cloud| cloud.put_zone(ZONE, copy.clone()))),
    );
    world.command(failover("a second controller")).await;
    assert!(world.settle(12).await, "{:#?}", world.control("shop"));
    assert_eq!(newest(&world).status, Status::RolledBack);
    assert_eq!(world.cloud.zone(ZONE), theirs);
    assert_eq!(really_at(&world.cloud).0, "blue", "our own step is undone");
}

#[tokio::test]
async fn somebody_who_made_the_very_same_change_just_before_has_done_our_work() {
    // Also what a call looks like whose answer was lost and that lands late, just before its repetition.
    let world = shop(16).await;
    world.cloud.faults.next(
        "traffic.set_weights",
        Fault::Outside(Box::new(|cloud| {
            cloud.put_weights(LISTENER, &[(BLUE_GROUP, 0), (GREEN_GROUP, 100), (OTHER_GROUP, 7)])
        })),
    );
    world.command(failover("a late landing")).await;
    assert!(world.settle(12).await, "{:#?}", world.control("shop"));
    assert_eq!(newest(&world).status, Status::Completed, "{:#?}", newest(&world));
    assert_eq!(really_at(&world.cloud), ("green", "green"));
}

#[tokio::test]
async fn somebody_elses_change_after_ours_makes_the_undo_ask_a_person() {
    let world = shop(18).await;
    world.cloud.faults.next(
        "dns.change_records",
        Fault::Outside(Box::new(|cloud| {
            cloud.put_weights(LISTENER, &[(BLUE_GROUP, 1), (GREEN_GROUP, 2), (OTHER_GROUP, 7)]);
        })),
    );
    world
        .cloud
        .faults
        .next("dns.change_records", Fault::Before(CallErrorKind::Refused));
    world.command(failover("mixed hands")).await;
    world.run_rounds(4).await;
    let stuck = newest(&world);
    assert_eq!(stuck.status, Status::Stuck, "{stuck:#?}");
    let why = stuck.failure.unwrap();
    for part in [
        "undoing step weights (elb_weights at ",
        LISTENER,
        "somebody else changed it",
        "it was blue=100",
        "wanted: blue=0 green=100",
        "found: blue=1 green=2",
        "1 call was made",
        "not overwritten",
    ] {
        assert!(why.contains(part), "{part}: {why}");
    }
    assert_eq!(world.cloud.weights_of(LISTENER)[0].1, 1, "what they made stands");
}

#[tokio::test]
async fn somebody_elses_change_before_ours_says_to_what_what_was_wanted_and_what_was_found() {
    let world = shop(20).await;
    world.cloud.faults.next(
        "traffic.set_weights",
        Fault::Outside(Box::new(|cloud| {
            cloud.put_weights(LISTENER, &[(BLUE_GROUP, 1), (GREEN_GROUP, 2), (OTHER_GROUP, 7)]);
        })),
    );
    world.command(failover("too late")).await;
    assert!(world.settle(12).await, "{:#?}", world.control("shop"));
    let back = newest(&world);
    assert_eq!(back.status, Status::RolledBack, "{back:#?}");
    let why = back.failure.unwrap();
    for part in [
        LISTENER,
        GREEN_GROUP,
        "it was blue=100",
        "wanted: blue=0 green=100",
        "found: blue=1 green=2",
        "no call was made that may have changed it",
        "not overwritten",
    ] {
        assert!(why.contains(part), "{part}: {why}");
    }
}

#[tokio::test]
async fn a_cancelled_execution_is_undone_exactly() {
    let world = shop(19).await;
    world.cloud.polls_until_in_sync(1000);
    world.command(failover("never in sync")).await;
    world.run_rounds(2).await;
    assert_eq!(really_at(&world.cloud), ("green", "green"));
    assert!(
        world
            .cloud
            .published()
            .iter()
            .any(|told| told.announcement.event == EventKind::Waiting),
        "a wait is told"
    );
    world.cloud.polls_until_in_sync(0);
    let answer = world
        .command(json!({"command": "cancel", "plan": "shop", "operator": "mia", "reason": "changed my mind"}))
        .await;
    assert_eq!(answer["ok"], true, "{answer:#}");
    assert!(world.settle(20).await, "{:#?}", world.control("shop"));
    assert_eq!(newest(&world).status, Status::Cancelled);
    assert_untouched(&world, "cancelled");
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_step_that_halts_leaves_everything_for_a_person() {
    let mut plan = sample_plan("shop");
    plan["steps"][2]["on_failure"] = json!("halt");
    let world = shop_with(20, plan).await;
    world
        .cloud
        .faults
        .next("dns.change_records", Fault::Before(CallErrorKind::Refused));
    world.command(failover("halt")).await;
    world.run_rounds(3).await;
    assert_eq!(newest(&world).status, Status::Stuck);
    assert_eq!(really_at(&world.cloud), ("green", "blue"), "nothing is undone");
    world
        .command(
            json!({"command": "resolve", "plan": "shop", "operator": "mia", "reason": "mended", "action": "retry"}),
        )
        .await;
    assert!(world.settle(12).await);
    assert_moved_once(&world, "tried on");
}

#[tokio::test]
async fn a_gate_waits_for_the_destination_and_gives_up_at_its_deadline() {
    let world = shop(21).await;
    world.cloud.answer(
        "green.example.com",
        understudy_core::health::Health::Unhealthy,
        "HTTP 500",
    );
    world.run_rounds(3).await;
    let mut forced = failover("forced");
    forced["force"] = json!(true);
    let answer = world.command(forced).await;
    assert!(answer["execution"].is_string(), "{answer:#}");
    world.run_rounds(4).await;
    assert_eq!(newest(&world).status, Status::Waiting, "{:#?}", newest(&world));
    assert!(world.settle(30).await);
    assert_eq!(newest(&world).status, Status::RolledBack);
    assert!(world.cloud.changes().is_empty(), "nothing behind the gate was touched");
    assert_untouched(&world, "the gate");
}
