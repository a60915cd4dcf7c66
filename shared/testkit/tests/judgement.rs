//! The judgement as people meet it: what they see, what they are asked, what their word does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};
use understudy_core::health::{AlarmState, Health};
use understudy_engine::ports::CallErrorKind;
use understudy_testkit::faults::Fault;
use understudy_testkit::world_oracle::violations;
use understudy_testkit::world_plan::{BLUE_ALARM, BLUE_HOST, failover, really_at, sample_plan, shop_with};

/// The sample plan with these fields of its policy.
fn plan_with(policy: Value) -> Value {
    let mut plan = sample_plan("shop");
    for (name, value) in policy.as_object().unwrap() {
        plan["policy"][name] = value.clone();
    }
    plan
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
