//! What the simulator has found, each told again as a small story, so that it is not forgotten.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod protocol_support;

use jiff::SignedDuration;
use protocol_support::{assert_untouched, newest};
use serde_json::json;
use understudy_core::execution::Status;
use understudy_core::health::{Health, Observation};
use understudy_engine::ports::{CallErrorKind, Clock};
use understudy_testkit::faults::{Fault, Place};
use understudy_testkit::world::World;
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{BLUE_HOST, failover, furnish, sample_plan, shop};

/// Reads may lag behind calls. An executor dies in its call, the move is cancelled, and the next one reads the resource
/// as it was before: believed at once, the change would come to light after everything had been reported as undone.
#[tokio::test]
async fn a_cancelled_move_whose_change_is_seen_late_is_really_undone() {
    for call in ["traffic.set_weights", "dns.change_records"] {
        let world = shop(31).await;
        let before = world.executor_wire.calls().len();
        world.command(failover("count")).await;
        world.deliver().await;
        let calls = world.executor_wire.calls();
        let nth = calls[before..].iter().position(|made| made.operation == call).unwrap() as u32 + 1;

        let world = shop(31).await;
        world.executor_wire.kill_at(nth, Place::AfterEffect);
        world.cloud.faults.next(call, Fault::SeenAfter(1));
        world.command(failover("late and killed")).await;
        world.deliver().await;
        let word = json!({"command": "cancel", "plan": "shop", "operator": "mia", "reason": "changed my mind"});
        assert_eq!(world.command(word).await["ok"], true);
        assert!(world.settle(30).await, "{call}: {:#?}", world.control("shop"));
        assert_eq!(newest(&world).status, Status::Cancelled, "{call}");
        assert_untouched(&world, call);
        assert_eq!(violations(&world), Vec::<String>::new(), "{call}");
    }
}

/// An operator speaks while an executor rolls back. Its wake for the executor used to take the place of the one with which
/// the executor tells decision that the plan is free again, and the dead site was left where it was.
#[tokio::test]
async fn decision_hears_of_an_executions_end_although_an_operator_spoke_meanwhile() {
    let world = shop(32).await;
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
    let refused = Fault::Before(CallErrorKind::Refused);
    world.cloud.faults.next("dns.change_records", refused);
    world
        .cloud
        .faults
        .times("dns.records", 2, Fault::Slow(SignedDuration::from_secs(4)));
    let speak = async {
        while world.control("shop").lease.is_none() {
            world.clock.sleep(SignedDuration::from_millis(200)).await;
        }
        let word = json!({"command": "acknowledge", "plan": "shop", "operator": "mia", "reason": "seen"});
        assert_eq!(world.command(word).await["ok"], true);
    };
    tokio::join!(world.run_rounds(25), speak);
    assert!(world.settle(10).await, "{:#?}", world.control("shop"));
    let ended: Vec<Status> = world
        .table
        .peek_all("shop", "execution#")
        .into_iter()
        .map(|item| serde_json::from_value(item.body["status"].clone()).unwrap())
        .collect();
    assert_eq!(ended, [Status::RolledBack, Status::Completed]);
    assert_eq!(world.control("shop").active_site, "green");
}

/// The reply to the write that opens an execution is lost, and asking what became of it takes so long that the execution
/// has ended by then. The person used to be told that the move was refused, because the plan was not at home any more.
#[tokio::test]
async fn a_move_that_is_over_before_its_command_is_answered_is_not_called_refused() {
    let world = shop(35).await;
    world.table.faults.next("table.put", Fault::ReplyLost);
    // Decision reads the control item, the plan, the fleet and the preflight before it writes; the fifth read asks what
    // came of that.
    let long = Fault::Slow(SignedDuration::from_secs(12));
    world.table.faults.nth("table.get", 5, long);
    let act = async {
        world.clock.sleep(SignedDuration::from_secs(1)).await;
        world.deliver().await;
    };
    let (answer, ()) = tokio::join!(world.command(failover("slow")), act);
    assert_eq!(newest(&world).status, Status::Completed);
    assert_eq!(answer["ok"], json!(true), "{answer:#}");
    assert_eq!(answer["execution"], json!(newest(&world).id), "{answer:#}");
    assert_eq!(violations(&world), Vec::<String>::new());
}

/// An observer was away for a moment. The first it sees again is that the primaries refuse, all of them; the standbys answer
/// a little later, when what it knew of them has gone stale. It used to call itself unfit on what it had seen by then, so
/// that its own word about the standbys was not heard.
#[tokio::test]
async fn an_observer_that_comes_back_does_not_take_half_a_look_for_the_end_of_the_world() {
    let names = ["bank", "mail", "shop"];
    let world = World::new(36);
    furnish(&world.cloud);
    for name in names {
        assert_eq!(world.put_plan(sample_plan(name)).await["ok"], true);
    }
    for _ in 0..2 {
        world.observe_as("eu-central-1").await;
        world.clock.sleep(SignedDuration::from_secs(5)).await;
    }
    world.clock.sleep(SignedDuration::from_secs(10)).await;
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
    // Green and blue of each plan, in turn.
    for nth in [1, 3, 5] {
        let late = Fault::Slow(SignedDuration::from_secs(6));
        world.cloud.faults.nth("endpoint.check", nth, late);
    }
    world.observe_as("eu-central-1").await;
    for name in names {
        let words: Vec<Observation> = world
            .table
            .peek_all(name, "observation#")
            .into_iter()
            .map(|item| serde_json::from_value(item.body).unwrap())
            .collect();
        let [blue, green] = words.as_slice() else {
            panic!("{words:#?}");
        };
        assert!(green.observed_at > blue.observed_at, "{words:#?}");
        assert_eq!((&blue.unfit, &green.unfit), (&None, &None), "{name}");
    }
}

/// A failover stands in the table; how often an executor reads the table before its first call that changes something.
async fn reads_before_the_first_call(seed: u64) -> (World, u32) {
    let world = shop(seed).await;
    world.command(failover("to count")).await;
    let before = world.executor_wire.calls().len();
    world.deliver().await;
    let calls = world.executor_wire.calls().split_off(before);
    let first = calls.iter().position(|made| made.operation == "traffic.set_weights");
    let reads = calls[..first.unwrap()].iter();
    let reads = reads.filter(|made| made.operation == "table.get").count() as u32;
    let world = shop(seed).await;
    world.command(failover("to freeze")).await;
    (world, reads)
}

/// An executor saw that there was work, and before it took the lease another one had done it all. It used to take the
/// lease all the same; if its next read failed, the lease lay there.
#[tokio::test]
async fn a_turn_whose_work_another_has_done_meanwhile_takes_no_lease() {
    let (world, _) = reads_before_the_first_call(37).await;
    // Its first read shows the work, its second one is that of the write that takes the lease.
    let late = Fault::Slow(SignedDuration::from_secs(30));
    world.table.faults.nth("table.get", 2, late);
    let other = async {
        world.clock.sleep(SignedDuration::from_secs(1)).await;
        world.deliver().await;
        world.control("shop").epoch
    };
    let nudge = json!({"plan": "shop"});
    let (late, epoch) = tokio::join!(world.invoke_executor(nudge), other);
    assert_eq!(newest(&world).status, Status::Completed);
    assert_eq!(world.control("shop").epoch, epoch, "{late:?}");
    assert_eq!(world.control("shop").lease, None);
    assert_eq!(violations(&world), Vec::<String>::new());
}

/// A sandbox thawed when its invocation was all but over. It used to take the lease, and to give it back: a takeover
/// less to spare, and others that had to wait.
#[tokio::test]
async fn a_sandbox_that_thaws_with_no_time_left_takes_no_lease() {
    let (world, _) = reads_before_the_first_call(38).await;
    let epoch = world.control("shop").epoch;
    let frozen = Fault::Slow(SignedDuration::from_secs(57));
    world.table.faults.nth("table.get", 2, frozen);
    let thawed = world.invoke_executor(json!({"plan": "shop"})).await;
    assert_eq!(world.control("shop").epoch, epoch, "{thawed:?}");
    assert_eq!(world.control("shop").lease, None);
    assert_eq!(world.cloud.changes().len(), 0);
    assert!(world.settle(20).await, "{:#?}", world.control("shop"));
    assert_eq!(newest(&world).status, Status::Completed);
}

/// A sandbox was frozen during the commit before a call. Nobody had taken its lease, so that it came back with a renewed
/// one; it used to make the call, although its turn was over.
#[tokio::test]
async fn a_sandbox_frozen_during_the_commit_before_a_call_does_not_make_it() {
    let (world, reads) = reads_before_the_first_call(39).await;
    let frozen = Fault::Slow(SignedDuration::from_secs(30));
    world.table.faults.nth("table.get", reads, frozen);
    let thawed = world.invoke_executor(json!({"plan": "shop"})).await;
    let control = world.control("shop");
    let attempts: u32 = control.execution.unwrap().steps.iter().map(|run| run.attempts).sum();
    assert_eq!(attempts, 0, "what is not called is no attempt: {thawed:?}");
    assert_eq!(world.cloud.changes().len(), 0, "it calls nothing");
    assert!(world.settle(20).await, "{:#?}", world.control("shop"));
    assert_eq!(newest(&world).status, Status::Completed);
    assert_eq!(
        world.cloud.effective_changes().len(),
        2,
        "each resource is changed exactly once"
    );
}

/// An invocation ended between a person's `acknowledge` and the look that follows it: the dead site was looked at again only
/// when the cooldown was over. The word itself now says that decision has to look (1 of 320,000 histories).
#[tokio::test]
async fn a_word_that_lets_go_is_followed_by_a_look_whoever_dies_in_between() {
    let acknowledge = || json!({"command": "acknowledge", "plan": "shop", "operator": "mia", "reason": "mended"});
    let latched = async || {
        let world = shop(40).await;
        world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
        let refused = Fault::Before(CallErrorKind::Refused);
        world.cloud.faults.next("traffic.set_weights", refused);
        let ended = |world: &World| world.control("shop").last_execution.is_some();
        assert!(world.run_until(40, ended).await, "{:#?}", world.control("shop"));
        world.run_rounds(6).await;
        assert_eq!(
            world.control("shop").active_site,
            "blue",
            "rolled back, and the latch holds it"
        );
        world
    };
    let world = latched().await;
    let before = world.decision_wire.calls().len();
    assert_eq!(world.command(acknowledge()).await["ok"], true);
    let calls = world.decision_wire.calls();
    let put = calls[before..]
        .iter()
        .position(|made| made.operation == "table.put")
        .unwrap() as u32
        + 1;

    let world = latched().await;
    world.decision_wire.kill_at(put, Place::AfterReply);
    world.invoke_decision(acknowledge()).await;
    assert!(!world.decision_wire.kill_is_pending());
    assert_eq!(world.control("shop").latch, None, "the word was said");
    let moved = |world: &World| world.control("shop").active_site == "green";
    assert!(world.run_until(30, moved).await, "{:#?}", world.control("shop"));
    assert_eq!(violations(&world), Vec::<String>::new());
}
