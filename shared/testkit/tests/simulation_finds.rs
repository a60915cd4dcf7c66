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
