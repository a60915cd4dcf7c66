//! What a plan's moves rest on is made by command, and taken back: on a stack that allows it.
//!
//! Tries steps: target_group_health, metric_alarm, dns_health_check, dns_failover_records, asg_settings.

use super::{NO_GATE, effective, forget, plan_named, put};
use aws_sdk_elasticloadbalancingv2::types::Tag;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use understudy_testkit::proxy::Mark;
use understudy_tests::story::{Stage, Weather};

const PLAN: &str = "made";

/// Within the stack's `SetupAlarmNamePrefix`.
const ALARM: &str = "understudy-made-blue-slow";

/// The record that setup makes, in two sets.
const RECORD: &str = "made.example.test";

/// The group that setup adjusts: one of the second plan's.
const GROUP: &str = "orders-green";

/// Every call by which setup and teardown change something here.
const CHANGES: [&str; 9] = [
    "ModifyTargetGroup",
    "PutMetricAlarm",
    "DeleteAlarms",
    "CreateHealthCheck",
    "UpdateHealthCheck",
    "DeleteHealthCheck",
    "ChangeTagsForResource",
    "ChangeResourceRecordSets",
    "UpdateAutoScalingGroup",
];

/// What the executor may do to a health check once it is made. ministack does not know how these calls name it.
const WITH_HEALTH_CHECKS: [&str; 5] = [
    "route53:GetHealthCheck",
    "route53:UpdateHealthCheck",
    "route53:DeleteHealthCheck",
    "route53:ListTagsForResource",
    "route53:ChangeTagsForResource",
];

/// Makes what setup adjusts: a group, and the tag on a target group, which moto's CloudFormation drops.
pub async fn something_to_adjust(stage: &Stage) {
    let executor = stage.deployment.function("executor").expect("an executor");
    let check = "arn:aws:route53:::healthcheck/01234567-89ab-cdef-0123-456789abcdef";
    let widened = stage.cloud.widen(executor, &WITH_HEALTH_CHECKS, check).await;
    widened.expect("what the deployed role grants on health checks");
    stage.world.create_orders(&stage.cloud).await.expect("a group");
    let tag = Tag::builder().key("understudy").value(PLAN).build();
    let call = stage.cloud.clients().elb.add_tags();
    let call = call.resource_arns(&stage.world.blue_target_group_arn).tags(tag);
    call.send().await.expect("a tag");
}

// A dry run says which step could not be read, and whether the executor could not be asked at all: in foul weather that
// may be so, and nobody would leave it at that.
async fn rehearsed(stage: &Stage, rehearsal: Value) -> Value {
    let begun = Instant::now();
    loop {
        let dry = stage.granted(rehearsal.clone()).await.expect("a dry run");
        let failed = |found: &Value| found.get("error").is_some();
        let unanswered = failed(&dry["steps"]) || dry["steps"].as_array().is_some_and(|steps| steps.iter().any(failed));
        let unanswered = unanswered && stage.weather == Weather::Foul;
        if !unanswered || begun.elapsed() > stage.weather.patience() {
            return dry;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

pub async fn setup_makes_what_the_plan_states_and_teardown_takes_it_back(stage: &Stage) {
    put(stage, &plan(stage)).await;
    let before = found(stage).await;
    let order =
        json!({"command": "setup", "plan": PLAN, "operator": "test", "reason": "a scenario", "wait_seconds": 45});

    let mark = stage.cloud.proxy().mark();
    let mut rehearsal = order.clone();
    rehearsal["dry_run"] = json!(true);
    let dry = rehearsed(stage, rehearsal).await;
    assert_eq!(dry["changed"], "nothing", "{dry:#}");
    assert_eq!(dry["steps"].as_array().map(Vec::len), Some(6), "{dry:#}");
    for step in dry["steps"].as_array().into_iter().flatten() {
        let calls = step["calls"].as_array().map_or(0, Vec::len);
        assert!(calls > 0, "a call that would be made: {step:#}");
    }
    assert_eq!(found(stage).await, before, "a dry run");
    expect_no_change(stage, mark);

    let first = stage.move_by_hand(order.clone()).await.expect("a setup");
    let made = found(stage).await;
    assert_eq!(
        made,
        json!({
            "target_group": {"path": "/ready", "interval_seconds": 10},
            "alarm": {"threshold": 2.0, "metric": "TargetResponseTime"},
            "health_checks": ["blue.example.test/health", "green.example.test/health"],
            "records": [
                {"failover": "PRIMARY", "values": ["blue.example.test"], "asks": "blue.example.test/health"},
                {"failover": "SECONDARY", "values": ["green.example.test"], "asks": "green.example.test/health"},
            ],
            "group": {"health_check": "ELB", "grace_seconds": 120},
        }),
        "{first:#}"
    );
    let status = stage.status_of(PLAN).await.expect("a status");
    assert_eq!(status["setup"]["items"], 6, "{status:#}");

    let mark = stage.cloud.proxy().mark();
    let second = stage.move_by_hand(order.clone()).await.expect("a second setup");
    for step in second["steps"].as_array().into_iter().flatten() {
        assert_eq!(step["state"], "satisfied", "{second:#}");
    }
    assert_eq!(found(stage).await, made, "a second setup");
    expect_no_change(stage, mark);

    let mut back = order;
    back["command"] = json!("teardown");
    let torn_down = stage.move_by_hand(back).await.expect("a teardown");
    assert_eq!(found(stage).await, before, "{torn_down:#}");
    let status = stage.status_of(PLAN).await.expect("a status");
    assert!(status["setup"].is_null(), "{status:#}");
    forget(stage, PLAN).await;
}

fn expect_no_change(stage: &Stage, since: Mark) {
    for operation in CHANGES {
        assert_eq!(effective(stage, since, operation), 0, "{operation}");
    }
}

// The demo's plan with a setup of each kind that both emulators can keep.
fn plan(stage: &Stage) -> String {
    let world = &stage.world;
    let items = [
        format!(
            "{{ name: blue-check, kind: target_group_health, target_group_arn: \"{}\", path: /ready, interval_seconds: 10 }}",
            world.blue_target_group_arn
        ),
        format!(
            "{{ name: blue-slow, kind: metric_alarm, alarm_name: {ALARM}, namespace: AWS/ApplicationELB, \
             metric_name: TargetResponseTime, statistic: Average, threshold: 2, comparison: GreaterThanThreshold }}"
        ),
        "{ name: blue-endpoint, kind: dns_health_check, host: blue.example.test, protocol: http, path: /health }"
            .into(),
        "{ name: green-endpoint, kind: dns_health_check, host: green.example.test, protocol: http, path: /health }"
            .into(),
        format!(
            "{{ name: names, kind: dns_failover_records, hosted_zone_id: {}, record_name: {RECORD}, type: CNAME, ttl_seconds: 5, \
             primary: {{ values: [blue.example.test], health_check: blue-endpoint }}, \
             secondary: {{ values: [green.example.test], health_check: green-endpoint }} }}",
            world.hosted_zone_id
        ),
        format!(
            "{{ name: group, kind: asg_settings, auto_scaling_group_name: {GROUP}, health_check_type: elb, \
             health_check_grace_seconds: 120 }}"
        ),
    ];
    // A call may be refused often on a bad day.
    let time = match stage.weather {
        Weather::Fair => "",
        Weather::Foul => ", timeout_seconds: 600",
    };
    let items = items.map(|item| format!("  - {}{time} }}\n", item.strip_suffix(" }").unwrap_or(&item)));
    let setup = format!("\nsetup:\n{}\nsteps:\n", items.concat());
    plan_named(
        stage,
        PLAN,
        &[NO_GATE, ("mode: automatic", "mode: manual"), ("\nsteps:\n", &setup)],
    )
}

// What there is, by the cloud's own APIs, of all that the plan's setup states.
async fn found(stage: &Stage) -> Value {
    let checks = health_checks(stage).await;
    let mut asked: Vec<&str> = checks.iter().map(|(_, asks)| asks.as_str()).collect();
    asked.sort_unstable();
    json!({
        "target_group": target_group(stage).await,
        "alarm": alarm(stage).await,
        "health_checks": asked,
        "records": records(stage, &checks).await,
        "group": group(stage).await,
    })
}

async fn target_group(stage: &Stage) -> Value {
    let call = stage.cloud.clients().elb.describe_target_groups();
    let call = call.target_group_arns(&stage.world.blue_target_group_arn);
    let found = call.send().await.expect("the target group");
    let group = found.target_groups().first();
    json!({
        "path": group.and_then(|group| group.health_check_path()),
        "interval_seconds": group.and_then(|group| group.health_check_interval_seconds()),
    })
}

async fn alarm(stage: &Stage) -> Value {
    let call = stage.cloud.clients().cloudwatch.describe_alarms().alarm_names(ALARM);
    let found = call.send().await.expect("the alarms");
    let alarm = found.metric_alarms().first();
    alarm.map_or(
        Value::Null,
        |alarm| json!({"threshold": alarm.threshold(), "metric": alarm.metric_name()}),
    )
}

// The id of each health check, and what it asks.
async fn health_checks(stage: &Stage) -> Vec<(String, String)> {
    let call = stage.cloud.clients().route53.list_health_checks();
    let found = call.send().await.expect("the health checks");
    let asks = |config: &aws_sdk_route53::types::HealthCheckConfig| {
        let name = config.fully_qualified_domain_name().unwrap_or_default();
        format!("{name}{}", config.resource_path().unwrap_or_default())
    };
    let checks = found.health_checks().iter();
    checks
        .map(|check| {
            let config = check.health_check_config();
            (check.id().to_owned(), config.map(asks).unwrap_or_default())
        })
        .collect()
}

async fn records(stage: &Stage, checks: &[(String, String)]) -> Vec<Value> {
    let call = stage.cloud.clients().route53.list_resource_record_sets();
    let call = call.hosted_zone_id(&stage.world.hosted_zone_id);
    let found = call.send().await.expect("the records");
    let sets = found.resource_record_sets().iter();
    let mut sets: Vec<Value> = sets
        .filter(|set| set.name().trim_end_matches('.') == RECORD)
        .map(|set| {
            let check = checks.iter().find(|(id, _)| Some(id.as_str()) == set.health_check_id());
            let values: Vec<&str> = set.resource_records().iter().map(|record| record.value()).collect();
            json!({
                "failover": set.failover().map(|failover| failover.as_str()),
                "values": values,
                "asks": check.map(|(_, asks)| asks),
            })
        })
        .collect();
    sets.sort_by_key(|set| set["failover"].to_string());
    sets
}

async fn group(stage: &Stage) -> Value {
    let call = stage.cloud.clients().autoscaling.describe_auto_scaling_groups();
    let found = call.auto_scaling_group_names(GROUP).send().await;
    let found = found.expect("the group");
    let group = found.auto_scaling_groups().first();
    json!({
        "health_check": group.and_then(|group| group.health_check_type()),
        "grace_seconds": group.and_then(|group| group.health_check_grace_period()),
    })
}
