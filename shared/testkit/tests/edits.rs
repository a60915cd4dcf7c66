//! Plans that are edited, deleted or left while the work is somewhere else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};
use understudy_core::execution::Status;
use understudy_core::health::{AlarmState, Health};
use understudy_engine::ports::{CallErrorKind, Clock};
use understudy_testkit::faults::Fault;
use understudy_testkit::world::World;
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{
    BLUE_ALARM, BLUE_HOST, GREEN_HOST, failover, furnish, really_at, sample_plan, shop, shop_with,
};

const RED_HOST: &str = "red.example.com";

async fn say(world: &World, command: &str, more: Value) -> Value {
    let mut asked = json!({"command": command, "plan": "shop", "operator": "mia", "reason": "a test"});
    for (name, value) in more.as_object().unwrap() {
        asked[name] = value.clone();
    }
    let answer = world.command(asked).await;
    world.deliver().await;
    answer
}

fn stuck(world: &World) -> bool {
    let running = world.control("shop").execution;
    running.is_some_and(|running| running.status == Status::Stuck)
}

/// The sample plan's record and gate for three sites.
fn of_three() -> Value {
    let mut plan = sample_plan("shop");
    plan["sites"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "red", "priority": 3}));
    let mut probe = plan["probes"][1].clone();
    (probe["name"], probe["site"], probe["host"]) = (json!("red-web"), json!("red"), json!(RED_HOST));
    plan["probes"].as_array_mut().unwrap().push(probe);
    let mut record = plan["steps"][2].clone();
    record["records"][0]["sites"]["red"] = json!({"values": ["192.0.2.3"]});
    plan["steps"] = json!([plan["steps"][0], record]);
    plan
}

async fn three(seed: u64) -> World {
    let world = World::new(seed);
    furnish(&world.cloud);
    world.cloud.answer(RED_HOST, Health::Healthy, "HTTP 200");
    let stored = world.put_plan(of_three()).await;
    assert_eq!(stored["ok"], true, "{stored:#}");
    world.run_rounds(6).await;
    world
}

// A revision of the plan of three without this site.
fn without(site: &str) -> Value {
    let mut plan = of_three();
    plan["sites"]
        .as_array_mut()
        .unwrap()
        .retain(|known| known["name"] != site);
    plan["probes"]
        .as_array_mut()
        .unwrap()
        .retain(|probe| probe["site"] != site);
    plan["steps"][1]["records"][0]["sites"]
        .as_object_mut()
        .unwrap()
        .remove(site);
    plan["alarms"]
        .as_array_mut()
        .unwrap()
        .retain(|alarm| alarm["site"] != site);
    plan
}

#[tokio::test]
async fn a_revision_keeps_the_sites_that_a_running_move_may_end_at() {
    let world = three(1).await;
    world.cloud.answer(GREEN_HOST, Health::Unhealthy, "not up yet");
    world.run_rounds(3).await;
    let moved = say(&world, "failover", json!({"to": "green", "force": true})).await;
    assert_eq!(moved["ok"], true, "{moved:#}");
    for lost in ["blue", "green"] {
        let refused = world.put_plan(without(lost)).await;
        assert_eq!(refused["ok"], false, "{refused:#}");
        assert!(refused.to_string().contains(lost), "{refused:#}");
        assert_eq!(world.control("shop").plan_revision, 1);
    }
    let stored = world.put_plan(without("red")).await;
    assert_eq!(stored["ok"], true, "what it has nothing to do with may go: {stored:#}");

    // A person who leaves it somewhere names a site that the plan still has.
    world
        .run_until(40, |world| world.control("shop").execution.is_none())
        .await;
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn where_it_is_left_is_a_site_of_the_newest_revision() {
    let mut plan = of_three();
    plan["steps"][1]["on_failure"] = json!("halt");
    let world = three(2).await;
    world.put_plan(plan.clone()).await;
    let refused = Fault::Before(CallErrorKind::Refused);
    world.cloud.faults.always("dns.change_records", refused);
    say(&world, "failover", json!({"to": "green"})).await;
    assert!(world.run_until(20, stuck).await);
    assert_eq!(world.put_plan(without("red")).await["ok"], true);
    let to_red = say(&world, "resolve", json!({"action": "abandon", "active_site": "red"})).await;
    assert_eq!(to_red["ok"], false, "{to_red:#}");
    let to_green = say(&world, "resolve", json!({"action": "abandon", "active_site": "green"})).await;
    assert_eq!(to_green["ok"], true, "{to_green:#}");
}

#[tokio::test]
async fn a_plan_whose_home_is_where_it_is_by_now_is_not_away_any_more() {
    let world = shop(3).await;
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "refused");
    assert!(
        world
            .run_until(30, |world| world.control("shop").active_site == "green")
            .await
    );
    assert!(world.settle(20).await);
    let mut plan = sample_plan("shop");
    (plan["sites"][0]["priority"], plan["sites"][1]["priority"]) = (json!(2), json!(1));
    let stored = world.put_plan(plan).await;
    assert!(
        stored["differences"].to_string().contains("is its home from now on"),
        "{stored:#}"
    );
    assert_eq!(world.control("shop").away, None);
    world.cloud.answer(BLUE_HOST, Health::Healthy, "HTTP 200");
    let changes = world.cloud.changes().len();
    world.run_rounds(60).await;
    assert_eq!(
        world.cloud.changes().len(),
        changes,
        "nothing comes home to where it is"
    );
    assert_eq!(really_at(&world.cloud), ("green", "green"));
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_promise_to_come_home_outlives_a_move_that_nobody_asked_for() {
    let world = three(4).await;
    let promise = json!({"to": "green", "rollback_plan": {"auto_rollback": true, "rollback_delay": 300}});
    assert_eq!(say(&world, "failover", promise).await["ok"], true);
    assert!(world.settle(20).await);
    let promised = world.control("shop").away.unwrap().return_at;
    assert!(promised.is_some());
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "work goes on");
    world.cloud.answer(GREEN_HOST, Health::Unhealthy, "refused");
    assert!(
        world
            .run_until(40, |world| world.control("shop").active_site == "red")
            .await,
        "{:#?}",
        world.control("shop")
    );
    assert_eq!(world.control("shop").away.unwrap().return_at, promised);
    world.cloud.answer(BLUE_HOST, Health::Healthy, "HTTP 200");
    assert!(
        world
            .run_until(120, |world| world.control("shop").active_site == "blue")
            .await
    );
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn whoever_deletes_a_plan_hears_what_had_not_been_told() {
    let world = shop(5).await;
    world
        .cloud
        .faults
        .always("notifier.publish", Fault::Before(CallErrorKind::Retryable));
    world.command(failover("a test")).await;
    world.deliver().await;
    assert!(
        world
            .run_until(40, |world| world.control("shop").execution.is_none())
            .await
    );
    world.run_rounds(12).await;
    let deleted = say(&world, "delete-plan", json!({})).await;
    assert_eq!(deleted["ok"], true, "{deleted:#}");
    let unsent = deleted["unsent_announcements"].as_array().unwrap();
    assert!(
        unsent
            .iter()
            .any(|subject| subject.as_str().unwrap().contains("completed")),
        "{deleted:#}"
    );
    assert!(
        deleted["summary"].as_str().unwrap().contains("had not been sent"),
        "{deleted:#}"
    );
}

#[tokio::test]
async fn a_stuck_move_goes_on_without_the_step_it_stands_at_whatever_it_went_on_without_before() {
    let mut plan = sample_plan("shop");
    let mut given_up = plan["steps"][1].clone();
    (given_up["name"], given_up["on_failure"]) = (json!("try"), json!("continue"));
    given_up["listener_arn"] = json!(given_up["listener_arn"].as_str().unwrap().replace("/shop/", "/other/"));
    plan["steps"][1]["on_failure"] = json!("halt");
    plan["steps"].as_array_mut().unwrap().insert(1, given_up);
    let world = shop_with(6, plan).await;
    world
        .cloud
        .faults
        .always("traffic.set_weights", Fault::Before(CallErrorKind::Refused));
    world.command(failover("a test")).await;
    world.deliver().await;
    assert!(world.run_until(20, stuck).await, "{:#?}", world.control("shop"));
    let given_up = say(&world, "skip", json!({"step": "try"})).await;
    assert_eq!(given_up["ok"], false, "it is over: {given_up:#}");
    let skipped = say(&world, "skip", json!({"step": "weights"})).await;
    assert_eq!(skipped["ok"], true, "{skipped:#}");
    assert!(world.settle(20).await);
    assert_eq!(world.control("shop").last_execution.unwrap().status, Status::Completed);
}

#[tokio::test]
async fn what_the_plan_goes_on_without_holds_no_move_back() {
    let mut plan = sample_plan("shop");
    plan["steps"][2]["on_failure"] = json!("continue");
    let world = shop_with(7, plan).await;
    world.cloud.take_permission("route53:ChangeResourceRecordSets", &[]);
    let answer = say_nothing(&world, "preflight").await;
    assert_eq!(answer["ok"], true, "{answer:#}");
    assert!(
        answer.to_string().contains("route53:ChangeResourceRecordSets"),
        "it is warned of: {answer:#}"
    );
}

async fn say_nothing(world: &World, command: &str) -> Value {
    let answer = world.command(json!({"command": command, "plan": "shop"})).await;
    world.deliver().await;
    answer
}

#[tokio::test]
async fn a_sufficient_alarm_that_reads_as_before_for_a_moment_or_whose_event_is_lost_moves_the_plan_all_the_same() {
    for told in [true, false] {
        let mut plan = sample_plan("shop");
        plan["alarms"][0]["evidence"] = json!("sufficient");
        let world = shop_with(8, plan).await;
        if told {
            let event = World::alarm_event(BLUE_ALARM, "ALARM", world.clock.now());
            world.invoke_decision(event).await;
            world.deliver().await;
        }
        world.cloud.put_alarm(BLUE_ALARM, AlarmState::Alarm);
        assert!(
            world
                .run_until(40, |world| world.control("shop").active_site == "green")
                .await,
            "told: {told}; {:#?}",
            world.control("shop")
        );
    }
}
