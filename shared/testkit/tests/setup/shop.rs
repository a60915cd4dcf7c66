//! A shop whose plan states a setup: one health check to adjust, one alarm to make, one alarm that somebody has made.

use serde_json::{Value, json};
use understudy_core::execution::Execution;
use understudy_core::setup::SetupRecord;
use understudy_core::state::{AlarmDefinition, HealthCheck, Threshold};
use understudy_testkit::cloud::FakeCloud;
use understudy_testkit::world::World;
use understudy_testkit::world_plan::{BLUE_GROUP, TOPIC, sample_plan, shop_with};

/// The alarm that is not there before.
pub const NEW: &str = "shop-blue-unhealthy";
/// The alarm that is.
pub const OLD: &str = "shop-latency";

/// The sample plan with its setup.
pub fn plan() -> Value {
    let mut plan = sample_plan("shop");
    plan["topic_arn"] = json!(TOPIC);
    plan["setup"] = json!([
        {"kind": "target_group_health", "name": "blue-check", "target_group_arn": BLUE_GROUP, "path": "/health",
         "interval_seconds": 10, "unhealthy_threshold": 3},
        {"kind": "metric_alarm", "name": "unhealthy", "alarm_name": NEW, "namespace": "AWS/ApplicationELB",
         "metric_name": "UnHealthyHostCount", "statistic": "Maximum", "threshold": 0,
         "comparison": "GreaterThanThreshold", "evaluation_periods": 2,
         "dimensions": {"TargetGroup": "targetgroup/blue/0123456789abcdef", "LoadBalancer": "app/shop/0123456789abcdef"}},
        {"kind": "metric_alarm", "name": "latency", "alarm_name": OLD, "namespace": "AWS/ApplicationELB",
         "metric_name": "TargetResponseTime", "statistic": "Average", "threshold": 0.5,
         "comparison": "GreaterThanThreshold", "dimensions": {"LoadBalancer": "app/shop/0123456789abcdef"}},
    ]);
    plan
}

/// The alarm as somebody made it long ago.
pub fn old_alarm() -> AlarmDefinition {
    AlarmDefinition {
        description: Some("older than the plan".into()),
        actions_enabled: true,
        alarm_actions: vec!["arn:aws:sns:eu-west-1:000000000000:pager".into()],
        namespace: "AWS/ApplicationELB".into(),
        metric_name: "TargetResponseTime".into(),
        extended_statistic: Some("p99".into()),
        period_seconds: 300,
        evaluation_periods: 1,
        threshold: Threshold(1.0 / 3.0),
        comparison: "GreaterThanThreshold".into(),
        treat_missing_data: Some("breaching".into()),
        ..AlarmDefinition::default()
    }
}

/// The shop before anything is set up.
pub async fn shop(seed: u64) -> World {
    shop_of(seed, plan()).await
}

/// The same with another plan.
pub async fn shop_of(seed: u64, plan: Value) -> World {
    let world = shop_with(seed, plan).await;
    world
        .cloud
        .put_target_health(BLUE_GROUP, FakeCloud::default_health_check());
    world.cloud.put_definition(OLD, Some(old_alarm()));
    world
}

/// Asks for a setup or a teardown, and answers what is answered.
pub async fn ask(world: &World, command: &str) -> Value {
    world
        .command(json!({"command": command, "plan": "shop", "operator": "mia", "reason": "to be ready"}))
        .await
}

/// Asks for it, and waits until it has ended.
pub async fn done(world: &World, command: &str) -> Execution {
    let answer = ask(world, command).await;
    assert_eq!(answer["ok"], true, "{answer:#}");
    assert!(world.settle(60).await, "{:#?}", world.control("shop"));
    ended(world).pop().expect("an execution has ended")
}

/// Every execution that has ended, the oldest first.
pub fn ended(world: &World) -> Vec<Execution> {
    let items = world.table.peek_all("shop", "execution#").into_iter();
    items.map(|item| serde_json::from_value(item.body).unwrap()).collect()
}

/// What is remembered.
pub fn record(world: &World) -> SetupRecord {
    let items = world.table.peek_all("shop", "setup");
    items.first().map_or_else(SetupRecord::default, |item| {
        serde_json::from_value(item.body.clone()).unwrap()
    })
}

/// The operations that changed something, in order.
pub fn made(world: &World) -> Vec<&'static str> {
    let changes = world.cloud.effective_changes().into_iter();
    changes.map(|change| change.operation).collect()
}

/// Everything is as it was before anything was set up.
pub fn is_untouched(world: &World) -> bool {
    world.cloud.health_check_of(BLUE_GROUP) == Some(FakeCloud::default_health_check())
        && world.cloud.definition_of(NEW).is_none()
        && world.cloud.definition_of(OLD).map(|(found, _)| found) == Some(old_alarm())
}

/// Everything is as the plan states it.
pub fn is_set_up(world: &World) -> bool {
    let check = HealthCheck {
        path: Some("/health".into()),
        interval_seconds: 10,
        unhealthy_threshold: 3,
        ..FakeCloud::default_health_check()
    };
    let alarm = |name: &str| world.cloud.definition_of(name).map(|(found, _)| found);
    world.cloud.health_check_of(BLUE_GROUP) == Some(check)
        && alarm(NEW).is_some_and(|alarm| alarm.alarm_actions == [TOPIC] && alarm.threshold == Threshold(0.0))
        && alarm(OLD).is_some_and(|alarm| alarm.threshold == Threshold(0.5) && alarm.alarm_actions.len() == 2)
}
