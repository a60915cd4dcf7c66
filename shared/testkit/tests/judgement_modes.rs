//! Modes, pauses, windows and the kill switch as people meet them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};
use understudy_core::execution::Status;
use understudy_core::health::Health;
use understudy_core::report::EventKind;
use understudy_engine::ports::{Clock, Item, Table};
use understudy_engine::store::{FLEET_STATE, fleet_key};
use understudy_testkit::faults::Place;
use understudy_testkit::world::World;
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{BLUE_HOST, failover, furnish, really_at, sample_plan, shop, shop_with};

fn plan_with(policy: Value) -> Value {
    let mut plan = sample_plan("shop");
    for (name, value) in policy.as_object().unwrap() {
        plan["policy"][name] = value.clone();
    }
    plan
}

/// A command of mia's about a plan, with further fields.
fn says(command: &str, plan: &str, more: Value) -> Value {
    let mut asked = json!({"command": command, "operator": "mia", "reason": "because"});
    if !plan.is_empty() {
        asked["plan"] = json!(plan);
    }
    for (name, value) in more.as_object().unwrap() {
        asked[name] = value.clone();
    }
    asked
}

async fn say(world: &World, command: &str, plan: &str, more: Value) -> Value {
    let answer = world.command(says(command, plan, more)).await;
    world.deliver().await;
    answer
}

async fn done(world: &World, command: &str, plan: &str, more: Value) {
    let answer = say(world, command, plan, more).await;
    assert_eq!(answer["ok"], true, "{command}: {answer:#}");
}

fn told(world: &World, event: EventKind) -> Vec<String> {
    let published = world.cloud.published();
    let heard = published
        .iter()
        .filter(|published| published.announcement.event == event);
    heard.map(|published| published.announcement.text.clone()).collect()
}

fn kill_blue(world: &World) {
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
}

#[tokio::test]
async fn an_observing_plan_tells_once_what_it_would_have_done() {
    let world = shop_with(1, plan_with(json!({"mode": "observe"}))).await;
    kill_blue(&world);
    world.run_rounds(30).await;
    assert!(world.cloud.changes().is_empty());
    let observed: Vec<String> = told(&world, EventKind::Alert)
        .into_iter()
        .filter(|text| text.contains("would have started: failover blue → green"))
        .collect();
    assert_eq!(observed.len(), 1, "{:?}", told(&world, EventKind::Alert));
    let history = world.command(json!({"command": "history", "plan": "shop"})).await;
    assert!(history.to_string().contains("would have started"), "{history:#}");
}

#[tokio::test]
async fn what_a_revision_held_back_the_next_one_lets_go_at_once() {
    let world = shop_with(12, plan_with(json!({"mode": "manual"}))).await;
    kill_blue(&world);
    world.run_rounds(30).await;
    assert!(world.cloud.changes().is_empty());
    assert_eq!(world.put_plan(sample_plan("shop")).await["ok"], true);
    assert!(
        world
            .run_until(20, |world| world.control("shop").active_site == "green")
            .await,
        "{:#?}",
        world.control("shop")
    );
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn an_approving_plan_asks_and_moves_at_the_yes() {
    let world = shop_with(2, plan_with(json!({"mode": "approve"}))).await;
    kill_blue(&world);
    assert!(
        world
            .run_until(20, |world| world.control("shop").proposal.is_some())
            .await
    );
    world.run_rounds(6).await;
    assert_eq!(told(&world, EventKind::Waiting).len(), 1, "asked once");
    let status = world.command(json!({"command": "status", "plan": "shop"})).await;
    let id = status["proposal"]["id"]
        .as_str()
        .expect("the proposal is shown")
        .to_owned();
    assert!(world.cloud.changes().is_empty());
    assert_eq!(
        say(&world, "approve", "shop", json!({"proposal": "another"})).await["ok"],
        false
    );
    done(&world, "approve", "shop", json!({"proposal": id})).await;
    assert!(world.settle(20).await);
    assert_eq!(really_at(&world.cloud), ("green", "green"));
    assert!(world.control("shop").latch.is_some(), "it counts as automatic");
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_question_is_on_record_once_wherever_the_decision_that_asks_it_dies() {
    let mut killed = 0;
    for place in Place::ALL {
        for nth in 1..=14 {
            let world = shop_with(18, plan_with(json!({"mode": "approve"}))).await;
            kill_blue(&world);
            // The site counts as unhealthy, and is waited for to be sure.
            let waits = |world: &World| world.control("shop").look_again_at.is_some();
            assert!(world.run_until(20, waits).await);
            world.decision_wire.kill_at(nth, place);
            let asked = |world: &World| world.control("shop").proposal.is_some();
            assert!(world.run_until(20, asked).await, "call {nth}, {place:?}");
            killed += u32::from(!world.decision_wire.kill_is_pending());
            world.decision_wire.spare();
            world.run_rounds(12).await;
            let asks = |record: &Value| {
                let mut verdicts = record["verdicts"].as_array().unwrap().iter();
                verdicts.any(|verdict| verdict["guard"] == "move_approved" && verdict["allows"] == false)
            };
            let records = world.table.peek_all("shop", "decision#");
            let found = records.iter().filter(|record| asks(&record.body)).count();
            assert_eq!(found, 1, "call {nth}, {place:?}: {records:#?}");
            assert_eq!(told(&world, EventKind::Waiting).len(), 1, "call {nth}, {place:?}");
        }
    }
    assert!(killed > 20, "only {killed} invocations were long enough to die");
}

#[tokio::test]
async fn a_no_is_heard_until_the_site_has_been_well_in_between() {
    let world = shop_with(3, plan_with(json!({"mode": "approve", "cooldown_seconds": 3600}))).await;
    kill_blue(&world);
    let asked = |world: &World| told(world, EventKind::Waiting).len();
    assert!(world.run_until(20, |world| asked(world) == 1).await);
    done(&world, "reject", "shop", json!({})).await;
    world.run_rounds(40).await;
    assert_eq!((asked(&world), world.cloud.changes().len()), (1, 0));
    world.cloud.answer(BLUE_HOST, Health::Healthy, "HTTP 200");
    world.run_rounds(4).await;
    kill_blue(&world);
    assert!(
        world.run_until(20, |world| asked(world) == 2).await,
        "new trouble is a new question"
    );
}

#[tokio::test]
async fn silence_discards_or_moves_as_the_policy_says() {
    for (on_expiry, ends) in [("discard", "blue"), ("move", "green")] {
        let approval = json!({"expires_after_seconds": 60, "on_expiry": on_expiry});
        let world = shop_with(4, plan_with(json!({"mode": "approve", "approval": approval}))).await;
        kill_blue(&world);
        world.run_rounds(40).await;
        assert_eq!(world.control("shop").active_site, ends, "{on_expiry}");
        assert_eq!(violations(&world), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_pause_of_all_plans_holds_every_plan_and_its_end_lets_them_go() {
    let world = World::new(5);
    furnish(&world.cloud);
    for name in ["shop", "other"] {
        world.put_plan(sample_plan(name)).await;
    }
    world.run_rounds(6).await;
    done(&world, "pause", "*", json!({})).await;
    assert_eq!(
        told(&world, EventKind::Operator)
            .iter()
            .filter(|text| text.contains("all plans paused"))
            .count(),
        2
    );
    kill_blue(&world);
    world.run_rounds(20).await;
    assert!(world.cloud.changes().is_empty());
    assert!(
        told(&world, EventKind::Alert)
            .iter()
            .any(|text| text.contains("fleet_not_paused"))
    );
    assert_eq!(
        say(&world, "pause", "*", json!({})).await["ok"],
        false,
        "once is enough"
    );
    done(&world, "resume", "*", json!({})).await;
    assert!(
        world
            .run_until(20, |world| world
                .table
                .controls()
                .iter()
                .all(|control| control.active_site == "green"))
            .await
    );
}

#[tokio::test]
async fn a_paused_plan_stays_and_its_resume_lets_it_go_at_once() {
    let world = shop(13).await;
    done(&world, "pause", "shop", json!({})).await;
    kill_blue(&world);
    world.run_rounds(20).await;
    assert!(world.cloud.changes().is_empty());
    let alerts = told(&world, EventKind::Alert);
    assert!(alerts.iter().any(|text| text.contains("plan_not_paused")), "{alerts:?}");
    done(&world, "resume", "shop", json!({})).await;
    assert!(!world.cloud.changes().is_empty(), "the word itself judges again");
    assert!(world.settle(30).await);
    assert_eq!(really_at(&world.cloud), ("green", "green"));
}

#[tokio::test]
async fn a_person_goes_over_latch_and_budget_and_never_over_a_live_lease() {
    let world = shop(14).await;
    kill_blue(&world);
    assert!(
        world
            .run_until(30, |world| world.control("shop").active_site == "green")
            .await
    );
    assert!(world.settle(20).await);
    world.cloud.answer(BLUE_HOST, Health::Healthy, "HTTP 200");
    world.run_rounds(6).await;
    let control = world.control("shop");
    assert!(
        control.latch.is_some_and(|latch| latch.until > world.clock.now()),
        "it is latched"
    );
    assert_eq!(
        control.automatic_failovers.len(),
        1,
        "and has spent its one of the hour"
    );
    // The executor dies with the lease in its hand.
    world.executor_wire.kill_at(5, Place::AfterEffect);
    let mut back = failover("green is too dear");
    back["to"] = json!("blue");
    back["force"] = json!(true);
    assert_eq!(world.command(back.clone()).await["ok"], true, "a person goes over both");
    world.deliver().await;
    let control = world.control("shop");
    let lease = control.lease.expect("the dead executor's");
    assert!(control.execution.is_some() && lease.expires_at > world.clock.now());

    for force in [false, true] {
        let mut again = back.clone();
        (again["force"], again["accept_data_loss"]) = (json!(force), json!(force));
        let refused = world.command(again).await;
        assert_eq!(refused["ok"], false, "{refused:#}");
        assert!(
            refused["error"].as_str().unwrap().contains("no_execution_in_progress"),
            "{refused:#}"
        );
    }
    assert!(world.settle(30).await, "another executor ends it");
    assert_eq!(really_at(&world.cloud), ("blue", "blue"));
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_mode_of_all_plans_holds_every_bolder_plan_and_its_end_lets_them_go() {
    let world = shop(12).await;
    let other = say(&world, "mode", "shop", json!({"mode": "observe"})).await;
    assert!(other["error"].as_str().unwrap().contains("policy.mode"), "{other:#}");
    let none = say(&world, "mode", "*", json!({"mode": "automatic"})).await;
    assert_eq!(none["ok"], false, "there is none to take back: {none:#}");
    done(&world, "mode", "*", json!({"mode": "observe"})).await;
    let again = say(&world, "mode", "*", json!({"mode": "observe"})).await;
    assert!(
        again["error"].as_str().unwrap().contains("already, by mia"),
        "{again:#}"
    );
    let words = told(&world, EventKind::Operator);
    assert!(
        words.iter().any(|text| text.contains("all plans put in mode observe")),
        "{words:?}"
    );
    kill_blue(&world);
    world.run_rounds(20).await;
    assert!(world.cloud.changes().is_empty());
    let would = told(&world, EventKind::Alert);
    assert!(
        would
            .iter()
            .any(|text| text.contains("would have started: failover blue → green")),
        "{would:?}"
    );
    let status = world.command(json!({"command": "status", "plan": "shop"})).await;
    assert!(
        status["text"]
            .to_string()
            .contains("all plans are in mode observe by mia"),
        "{status:#}"
    );
    let list = world.command(json!({"command": "list"})).await;
    assert_eq!(list["all_plans"]["fleet_is_automatic"]["mode"], "observe", "{list:#}");

    done(&world, "mode", "*", json!({"mode": "approve"})).await;
    assert!(
        world
            .run_until(20, |world| world.control("shop").proposal.is_some())
            .await
    );
    done(&world, "mode", "*", json!({"mode": "automatic"})).await;
    assert!(
        world
            .run_until(20, |world| world.control("shop").active_site == "green")
            .await
    );
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn the_kill_switch_stops_a_running_move_before_its_next_call_and_lets_it_finish_later() {
    let world = shop(6).await;
    world.cloud.polls_until_in_sync(1_000_000);
    assert_eq!(world.command(failover("about to be stopped")).await["ok"], true);
    done(&world, "stop-all", "", json!({})).await;
    world.run_rounds(40).await;
    assert!(world.cloud.changes().is_empty(), "{:?}", world.cloud.changes());
    let running = world.control("shop").execution.expect("it waits");
    assert!(running.held.is_some(), "{running:#?}");
    assert!(
        told(&world, EventKind::Waiting)
            .iter()
            .any(|text| text.contains("all is stopped"))
    );
    assert_eq!(world.command(failover("by hand")).await["ok"], false);

    world.cloud.polls_until_in_sync(0);
    done(&world, "start-all", "", json!({})).await;
    assert!(world.settle(30).await, "{:#?}", world.control("shop"));
    assert_eq!(really_at(&world.cloud), ("green", "green"));
    let ended = world.control("shop").last_execution.unwrap();
    assert_eq!(ended.status, Status::Completed, "its clocks stood still: {ended:?}");
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn the_kill_switch_is_heeded_between_two_calls_and_without_a_message() {
    let world = shop(7).await;
    world.cloud.polls_until_in_sync(1_000_000);
    world.command(failover("about to be stopped")).await;
    world.deliver().await;
    let before = world.cloud.changes().len();
    // Nobody is told: the fleet item alone says so.
    let stopped = json!({"stopped": {"operator": "noa", "reason": "fire", "at": "2026-11-21T10:00:00Z"}});
    let item = Item {
        key: fleet_key(FLEET_STATE),
        version: 1,
        write_id: "noas".into(),
        schema_version: 1,
        wake: None,
        due_at: None,
        body: stopped,
    };
    world.table.put(&item, 0).await.unwrap();
    done(&world, "cancel", "shop", json!({})).await;
    world.run_rounds(20).await;
    assert_eq!(world.cloud.changes().len(), before, "an undo is a call too");
    world.cloud.polls_until_in_sync(0);
    done(&world, "start-all", "", json!({})).await;
    assert!(world.settle(40).await, "{:#?}", world.control("shop"));
    assert_eq!(really_at(&world.cloud), ("blue", "blue"));
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_maintenance_window_ends_by_itself_or_by_word() {
    let world = shop(8).await;
    done(&world, "maintenance", "shop", json!({"for_seconds": 120})).await;
    kill_blue(&world);
    world.run_rounds(20).await;
    assert!(world.cloud.changes().is_empty());
    let status = world.command(json!({"command": "status", "plan": "shop"})).await;
    assert_eq!(status["maintenance"]["word"]["operator"], "mia", "{status:#}");
    assert!(
        world
            .run_until(20, |world| world.control("shop").active_site == "green")
            .await,
        "it ends by itself"
    );

    let world = shop(9).await;
    done(&world, "maintenance", "*", json!({"for_seconds": 7 * 24 * 3600})).await;
    kill_blue(&world);
    world.run_rounds(20).await;
    assert!(world.cloud.changes().is_empty());
    done(&world, "resume", "*", json!({})).await;
    assert!(
        world
            .run_until(20, |world| world.control("shop").active_site == "green")
            .await,
        "or by word"
    );
}

#[tokio::test]
async fn a_window_without_one_end_in_reach_is_refused() {
    let world = shop(10).await;
    for more in [
        json!({}),
        json!({"for_seconds": 60, "until": "2026-11-22T10:00:00Z"}),
        json!({"for_seconds": 7 * 24 * 3600 + 1}),
        json!({"until": "2026-11-20T10:00:00Z"}),
        json!({"until": "tomorrow"}),
    ] {
        let answer = say(&world, "maintenance", "shop", more.clone()).await;
        assert_eq!(answer["ok"], false, "{more}: {answer}");
    }
    done(&world, "maintenance", "shop", json!({"until": "2026-11-22T09:00:00Z"})).await;
}

#[tokio::test]
async fn only_so_many_plans_move_at_once() {
    let mut world = World::new(11);
    world.fleet_limit = 50;
    furnish(&world.cloud);
    let names = ["a", "b", "c", "d", "e"];
    for name in names {
        // The gate takes its time, so that one move is still going on when the next begins.
        let mut plan = sample_plan(name);
        (plan["steps"][0]["for_seconds"], plan["steps"][0]["timeout_seconds"]) = (json!(120), json!(200));
        world.put_plan(plan).await;
    }
    world.run_rounds(6).await;
    kill_blue(&world);
    world.run_rounds(12).await;
    let running = |world: &World| {
        let controls = world.table.controls();
        controls.iter().filter(|control| control.execution.is_some()).count()
    };
    assert_eq!(running(&world), 3);
    assert!(
        told(&world, EventKind::Alert)
            .iter()
            .any(|text| text.contains("within_blast_radius"))
    );
    assert!(
        world
            .run_until(100, |world| world
                .table
                .controls()
                .iter()
                .all(|control| control.active_site == "green"))
            .await,
        "the others follow"
    );
}

#[tokio::test]
async fn a_yes_that_is_only_tried_asks_all_plans_together_too() {
    let mut world = shop_with(12, plan_with(json!({"mode": "approve"}))).await;
    kill_blue(&world);
    assert!(
        world
            .run_until(20, |world| world.control("shop").proposal.is_some())
            .await
    );
    let dry = says("approve", "shop", json!({"dry_run": true}));
    let guards = |answer: &Value| {
        let verdicts = answer["verdicts"].as_array().expect("verdicts").clone();
        let of_fleet = verdicts
            .into_iter()
            .filter(|verdict| verdict["guard"] == "within_fleet_limit" || verdict["guard"] == "within_blast_radius");
        of_fleet.map(|verdict| verdict["allows"] == true).collect::<Vec<_>>()
    };
    let let_go = world.command(dry.clone()).await;
    assert_eq!(
        (&let_go["ok"], guards(&let_go)),
        (&json!(true), vec![true, true]),
        "{let_go:#}"
    );
    assert!(
        world.table.peek("_fleet", "velocity").is_none(),
        "a dry run enters nothing"
    );
    world.fleet_limit = 0;
    let stopped = world.command(dry).await;
    assert_eq!(
        (&stopped["ok"], guards(&stopped)),
        (&json!(false), vec![false, true]),
        "{stopped:#}"
    );
}
