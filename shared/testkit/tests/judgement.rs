//! The judgement as people meet it: what they see, what they are asked, what their word does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::SignedDuration;
use serde_json::{Value, json};
use understudy_core::control::Wake;
use understudy_core::health::{AlarmState, Health};
use understudy_core::report::EventKind;
use understudy_engine::ports::{CallErrorKind, Clock, Put, Table};
use understudy_testkit::faults::Fault;
use understudy_testkit::world::World;
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{
    BLUE_ALARM, BLUE_HOST, GREEN_HOST, failover, furnish, really_at, sample_plan, shop, shop_with,
};

/// The sample plan with these fields of its policy.
fn plan_with(policy: Value) -> Value {
    let mut plan = sample_plan("shop");
    for (name, value) in policy.as_object().unwrap() {
        plan["policy"][name] = value.clone();
    }
    plan
}

/// The texts of the alerts that people were sent.
fn alerts(world: &World) -> Vec<String> {
    let published = world.cloud.published();
    let alerts = published
        .iter()
        .filter(|published| published.announcement.event == EventKind::Alert);
    alerts.map(|published| published.announcement.text.clone()).collect()
}

#[tokio::test]
async fn a_plan_that_only_people_move_comes_home_by_the_promise_of_the_person_who_moved_it() {
    let world = shop_with(1, plan_with(json!({"mode": "manual"}))).await;
    let mut asked = failover("an hour of work on blue");
    asked["rollback_plan"] = json!({"auto_rollback": true, "rollback_delay": 60});
    assert_eq!(world.command(asked).await["ok"], true);
    assert!(world.settle(20).await);
    assert_eq!(really_at(&world.cloud), ("green", "green"));
    assert!(
        world
            .run_until(30, |world| world.control("shop").active_site == "blue")
            .await,
        "{:#?}",
        world.control("shop")
    );
    assert!(world.settle(20).await);
    assert_eq!(really_at(&world.cloud), ("blue", "blue"));
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_promised_return_is_named_by_status_and_taken_back_by_keep() {
    let world = shop_with(11, plan_with(json!({"mode": "manual"}))).await;
    let word =
        |command: &str| json!({"command": command, "plan": "shop", "operator": "noa", "reason": "green is fine"});
    let text = async |world: &World| {
        let status = world.command(json!({"command": "status", "plan": "shop"})).await;
        status["text"].to_string()
    };
    let nothing = world.command(word("keep")).await;
    assert_eq!(nothing["ok"], false, "{nothing:#}");
    let mut asked = failover("an hour of work on blue");
    asked["rollback_plan"] = json!({"auto_rollback": true, "rollback_delay": 60});
    assert_eq!(world.command(asked).await["ok"], true);
    assert!(world.settle(20).await);
    assert!(
        text(&world).await.contains("comes home by itself at"),
        "{}",
        text(&world).await
    );

    let mut dry = word("keep");
    dry["dry_run"] = json!(true);
    assert_eq!(world.command(dry).await["ok"], true);
    assert!(
        world.control("shop").away.unwrap().return_at.is_some(),
        "nothing has changed"
    );
    let kept = world.command(word("keep")).await;
    assert_eq!(kept["ok"], true, "{kept:#}");
    world.deliver().await;
    world.run_rounds(40).await;
    assert_eq!(really_at(&world.cloud), ("green", "green"), "it stays");
    assert!(
        text(&world).await.contains("kept there by noa"),
        "{}",
        text(&world).await
    );
    let published = world.cloud.published();
    let told = published
        .iter()
        .filter(|told| told.announcement.text.contains("kept where it is by noa"));
    assert_eq!(told.count(), 1);
    assert_eq!(world.command(word("failback")).await["ok"], true);
    assert!(world.settle(20).await);
    assert_eq!(really_at(&world.cloud), ("blue", "blue"));
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_promised_return_is_taken_back_while_the_move_goes_on() {
    let world = shop_with(12, plan_with(json!({"mode": "manual"}))).await;
    let mut asked = failover("an hour of work on blue");
    asked["rollback_plan"] = json!({"auto_rollback": true, "rollback_delay": 60});
    assert_eq!(world.command(asked).await["ok"], true);
    let keep = json!({"command": "keep", "plan": "shop", "operator": "noa", "reason": "for good"});
    assert_eq!(world.command(keep).await["ok"], true);
    assert!(world.settle(20).await);
    world.run_rounds(40).await;
    assert_eq!(really_at(&world.cloud), ("green", "green"));
}

#[tokio::test]
async fn an_alarm_and_the_probes_that_are_refused_in_turns_alert_once_each() {
    let world = shop_with(13, sample_plan("shop")).await;
    world.cloud.put_alarm(BLUE_ALARM, AlarmState::Alarm);
    world.cloud.answer(GREEN_HOST, Health::Unhealthy, "not up");
    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
    world.run_rounds(12).await;
    let before = alerts(&world).len();
    for _ in 0..4 {
        let event = World::alarm_event(BLUE_ALARM, "ALARM", world.clock.now());
        world.invoke_decision(event).await;
        world.invoke_decision(json!({"plan": "shop"})).await;
        world.run_rounds(1).await;
    }
    assert!(alerts(&world).len() <= before + 1, "{:#?}", alerts(&world));
    let counted = world.table.peek_all("shop", "decision#");
    let of_alarm: Vec<&Value> = counted
        .iter()
        .map(|item| &item.body)
        .filter(|record| record["trigger"]["kind"] == "alarm")
        .map(|record| &record["count"])
        .collect();
    assert_eq!(of_alarm, [&json!(4)]);
}

fn with_a_sufficient_alarm() -> Value {
    let mut plan = sample_plan("shop");
    plan["alarms"][0]["evidence"] = json!("sufficient");
    plan
}

#[tokio::test]
async fn with_cloudwatch_away_people_still_see_try_and_move_and_nothing_moves_by_itself() {
    let world = shop_with(2, with_a_sufficient_alarm()).await;
    world.cloud.put_alarm(BLUE_ALARM, AlarmState::Alarm);
    world
        .cloud
        .faults
        .always("alarms.readings", Fault::Before(CallErrorKind::Retryable));
    world.run_rounds(20).await;
    assert_eq!(
        world.control("shop").active_site,
        "blue",
        "an alarm that can not be read moves nothing"
    );

    let status = world.command(json!({"command": "status", "plan": "shop"})).await;
    assert_eq!(status["ok"], true, "{status:#}");
    assert_eq!(
        status["sites"]["blue"]["health"], "healthy",
        "the probes go on speaking"
    );
    let witnesses = status["sites"]["blue"]["witnesses"].as_array().unwrap();
    let alarm = witnesses
        .iter()
        .find(|witness| witness["probe"] == format!("alarm:{BLUE_ALARM}"))
        .expect("the alarm is told");
    assert_eq!(alarm["health"], "unknown");
    assert!(alarm["reason"].as_str().unwrap().contains("can not be read"), "{alarm}");

    let mut dry = failover("try it");
    dry["dry_run"] = json!(true);
    assert_eq!(world.command(dry).await["ok"], true);
    assert_eq!(world.command(failover("do it")).await["ok"], true);
    assert!(
        world.settle(20).await,
        "the gate judges by the probes: {:#?}",
        world.control("shop")
    );
    assert_eq!(really_at(&world.cloud), ("green", "green"));
}

#[tokio::test]
async fn a_sufficient_alarm_that_says_nothing_is_told_once_and_again_after_it_spoke() {
    let world = shop_with(14, with_a_sufficient_alarm()).await;
    let told = |why: &str| {
        let texts = alerts(&world);
        let alarm = format!("alarm {BLUE_ALARM} says nothing");
        texts
            .iter()
            .filter(|text| text.contains(&alarm) && text.contains(why))
            .count()
    };
    world.cloud.delete_alarm(BLUE_ALARM);
    world.run_rounds(30).await;
    assert_eq!(told("CloudWatch does not know this alarm"), 1, "{:#?}", alerts(&world));
    world.cloud.put_alarm(BLUE_ALARM, AlarmState::Ok);
    world.run_rounds(30).await;
    world
        .cloud
        .faults
        .next("alarms.readings", Fault::Before(CallErrorKind::Retryable));
    world.run_rounds(30).await;
    assert_eq!(
        told("can not be read"),
        0,
        "one read that fails calls nobody: {:#?}",
        alerts(&world)
    );
    world
        .cloud
        .faults
        .always("alarms.readings", Fault::Before(CallErrorKind::Retryable));
    world.run_rounds(45).await;
    assert_eq!(told("can not be read"), 1, "{:#?}", alerts(&world));
    assert_eq!(told(""), 2, "{:#?}", alerts(&world));
    assert_eq!(violations(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_sufficient_alarm_moves_the_plan_as_soon_as_it_can_be_read_again() {
    let world = shop_with(3, with_a_sufficient_alarm()).await;
    world.cloud.put_alarm(BLUE_ALARM, AlarmState::Alarm);
    world
        .cloud
        .faults
        .always("alarms.readings", Fault::Before(CallErrorKind::Retryable));
    world.cloud.answer(BLUE_HOST, Health::Degraded, "slow");
    world.run_rounds(6).await;
    assert_eq!(world.control("shop").active_site, "blue");
    world.cloud.faults.clear();
    assert!(
        world
            .run_until(30, |world| world.control("shop").active_site == "green")
            .await,
        "decision looks again by itself: {:#?}",
        world.control("shop")
    );
    assert_eq!(violations(&world), Vec::<String>::new());
}

/// Rounds of two observers, each with its own view of blue.
async fn two_views(world: &World, rounds: u32, there: Health) {
    for _ in 0..rounds {
        world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
        world.observe_as("eu-west-1").await;
        world.cloud.answer(BLUE_HOST, there, "as seen from there");
        world.observe_as("eu-central-1").await;
        world.deliver().await;
        world.clock.sleep(SignedDuration::from_secs(5)).await;
    }
}

#[tokio::test]
async fn one_of_two_observers_is_no_quorum_and_both_are() {
    let world = shop_with(4, plan_with(json!({"observers": {"quorum": 2}}))).await;
    two_views(&world, 12, Health::Healthy).await;
    assert_eq!(world.control("shop").active_site, "blue");
    assert!(
        alerts(&world).iter().any(|text| text.contains("observers must agree")),
        "{:?}",
        alerts(&world)
    );
    two_views(&world, 12, Health::Unhealthy).await;
    assert_eq!(world.control("shop").active_site, "green");
    assert_eq!(violations(&world), Vec::<String>::new());
}

/// The sample plan with a second probe of blue: three probes of two sites.
fn with_three_probes() -> Value {
    let mut plan = sample_plan("shop");
    let mut second = plan["probes"][0].clone();
    (second["name"], second["host"]) = (json!("blue-api"), json!("api.blue.example.com"));
    plan["probes"].as_array_mut().unwrap().push(second);
    plan
}

#[tokio::test]
async fn an_observer_that_sees_everything_fail_at_once_calls_itself_unfit_until_something_works_again() {
    let world = World::new(5);
    furnish(&world.cloud);
    world.cloud.answer("api.blue.example.com", Health::Healthy, "HTTP 200");
    world.put_plan(with_three_probes()).await;
    world.run_rounds(6).await;
    let hosts = [BLUE_HOST, GREEN_HOST, "api.blue.example.com"];
    for host in hosts {
        world.cloud.answer(host, Health::Unhealthy, "no route to host");
    }
    world.run_rounds(12).await;
    assert!(world.cloud.changes().is_empty());
    assert!(
        alerts(&world).iter().any(|text| text.contains("unfit")),
        "{:?}",
        alerts(&world)
    );
    let status = world.command(json!({"command": "status", "plan": "shop"})).await;
    assert_eq!(status["sites"]["blue"]["health"], "unknown", "{status:#}");
    for host in hosts {
        world.cloud.answer(host, Health::Healthy, "HTTP 200");
    }
    world.run_rounds(6).await;
    let status = world.command(json!({"command": "status", "plan": "shop"})).await;
    assert_eq!(status["sites"]["blue"]["health"], "healthy", "{status:#}");
}

#[tokio::test]
async fn an_observer_without_its_references_does_not_count_and_another_decides() {
    let world = shop_with(
        6,
        plan_with(json!({"observers": {"reference": ["reference.example.org:443"]}})),
    )
    .await;
    let status = world.command(json!({"command": "status", "plan": "shop"})).await;
    assert_eq!(
        status["sites"]["blue"]["health"], "unknown",
        "nothing answers at the reference: {status:#}"
    );
    let told = alerts(&world);
    assert!(told.iter().any(|text| text.contains("reference endpoint")), "{told:?}");

    world.cloud.answer(BLUE_HOST, Health::Unhealthy, "connection refused");
    for _ in 0..12 {
        world
            .cloud
            .answer("reference.example.org", Health::Unhealthy, "timed out");
        world.observe_as("eu-west-1").await;
        world
            .cloud
            .answer("reference.example.org", Health::Healthy, "connected");
        world.observe_as("eu-central-1").await;
        world.deliver().await;
        world.clock.sleep(SignedDuration::from_secs(5)).await;
    }
    assert_eq!(world.control("shop").active_site, "green", "the fit observer decides");
}

#[tokio::test]
async fn a_person_waits_for_a_standby_that_has_just_come_up_or_forces_it() {
    let world = shop(7).await;
    world.cloud.answer(GREEN_HOST, Health::Unhealthy, "restarting");
    world.run_rounds(3).await;
    world.cloud.answer(GREEN_HOST, Health::Healthy, "HTTP 200");
    world.run_rounds(2).await;
    let refused = world.command(failover("now")).await;
    assert_eq!(refused["ok"], false);
    assert!(
        refused["error"]
            .as_str()
            .unwrap()
            .contains("target_healthy_long_enough"),
        "{refused:#}"
    );
    let mut forced = failover("now, please");
    forced["force"] = json!(true);
    assert_eq!(world.command(forced).await["ok"], true);
}

async fn seen_by(world: &World, observers: &[&str], rounds: u32) {
    for _ in 0..rounds {
        for observer in observers {
            world.observe_as(observer).await;
        }
        world.deliver().await;
        world.clock.sleep(SignedDuration::from_secs(5)).await;
    }
}

#[tokio::test]
async fn a_plan_that_needs_two_observers_tells_once_that_one_has_fallen_silent() {
    let world = shop_with(7, plan_with(json!({"observers": {"quorum": 2}}))).await;
    let both = ["eu-west-1", "eu-central-1"];
    seen_by(&world, &both, 8).await;
    let (told, version) = (alerts(&world).len(), world.control("shop").version);
    seen_by(&world, &both, 8).await;
    assert_eq!(
        world.control("shop").version,
        version,
        "while both look, nothing is written"
    );

    seen_by(&world, &both[..1], 12).await;
    let news = alerts(&world).split_off(told);
    assert_eq!(news.len(), 1, "{news:?}");
    assert!(
        news[0].contains("2 observers must agree and 1 can be heard"),
        "{news:?}"
    );

    seen_by(&world, &both, 8).await;
    let status = world.command(json!({"command": "status", "plan": "shop"})).await;
    assert_eq!(status["sites"]["blue"]["health"], "healthy", "{status:#}");
    assert_eq!(alerts(&world).len(), told + 1);
}

#[tokio::test]
async fn a_dead_standby_is_told_once_and_moves_nothing() {
    let world = shop(8).await;
    for _ in 0..2 {
        let told = alerts(&world).len();
        world.cloud.answer(GREEN_HOST, Health::Unhealthy, "connection refused");
        world.run_rounds(12).await;
        let news = alerts(&world).split_off(told);
        assert_eq!(news.len(), 1, "{news:?}");
        assert!(news[0].contains("site green is unhealthy"), "{news:?}");
        world.cloud.answer(GREEN_HOST, Health::Healthy, "HTTP 200");
        world.run_rounds(12).await;
        assert_eq!(alerts(&world).len(), told + 1, "that it is well again wakes nobody");
    }
    assert!(world.cloud.changes().is_empty());
}

/// Rewrites what is known of green as if this observer's clock had been an hour ahead when it looked.
async fn from_the_future(world: &World, observer: &str, wake: Option<Wake>) {
    let mut item = world.table.peek_all("shop", "observation#green").remove(0);
    item.key.item = format!("observation#green#green-web#{observer}");
    let standing = world
        .table
        .peek("shop", &item.key.item)
        .map_or(0, |known| known.version);
    item.version = standing + 1;
    item.body["observer"] = json!(observer);
    item.body["slot"] = json!(item.body["slot"].as_i64().unwrap() + 720);
    item.wake = wake;
    assert_eq!(world.table.put(&item, standing).await.unwrap(), Put::Written);
}

#[tokio::test]
async fn a_site_is_seen_again_as_soon_as_a_clock_that_ran_ahead_is_right() {
    let world = shop(9).await;
    from_the_future(&world, "eu-west-1", None).await;
    world.cloud.answer(GREEN_HOST, Health::Unhealthy, "connection refused");
    let health = async || {
        let status = world.command(json!({"command": "status", "plan": "shop"})).await;
        status["sites"]["green"]["health"].as_str().unwrap().to_owned()
    };
    assert_eq!(health().await, "unknown", "an hour of healthy is not believed");
    world.run_rounds(6).await;
    assert_eq!(health().await, "unhealthy", "and does not have to pass first");
}

#[tokio::test]
async fn an_observer_whose_clock_is_ahead_is_told() {
    let world = shop(10).await;
    from_the_future(&world, "eu-central-1", Some(Wake::Decision)).await;
    world.run_rounds(6).await;
    let told = alerts(&world);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("eu-central-1") && told[0].contains("clock"),
        "{told:?}"
    );
}
