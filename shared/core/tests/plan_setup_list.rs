//! Rules of `setup`, and of the kinds that may stand there, each with what it refuses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod plan_support;

use plan_support::{LISTENER, accepted, changed, group, plan, problems, refused};
use serde_json::{Value, json};
use understudy_core::plan::{Stack, parse};

fn check() -> Value {
    json!({"kind": "target_group_health", "name": "check", "target_group_arn": group("blue"), "path": "/health",
           "interval_seconds": 10, "answer_seconds": 5})
}

fn alarm() -> Value {
    json!({"kind": "metric_alarm", "name": "unhealthy", "alarm_name": "shop-unhealthy", "namespace": "AWS/ApplicationELB",
           "metric_name": "UnHealthyHostCount", "statistic": "Maximum", "threshold": 0, "comparison": "GreaterThanThreshold",
           "dimensions": {"TargetGroup": "targetgroup/blue/0123456789abcdef", "LoadBalancer": "app/shop/50dc6c495c0c9188"}})
}

fn setting_up(setup: Value) -> Value {
    let mut plan = plan();
    plan["setup"] = setup;
    plan
}

fn with(item: Value, pointer: &str, value: Value) -> Value {
    setting_up(json!([changed(item, pointer, value)]))
}

#[test]
fn a_setup_of_a_check_and_an_alarm_is_right_and_may_stand_in_steps_too() {
    accepted(setting_up(json!([check(), alarm()])));
    accepted(changed(plan(), "/steps/-", check()));
    accepted(changed(
        changed(plan(), "/steps/-", check()),
        "/setup",
        json!([check()]),
    ));
    assert!(parse(plan()).unwrap().setup.is_empty());
}

#[test]
fn a_step_of_a_move_is_refused_in_setup_with_its_path() {
    let weights = json!({"kind": "elb_weights", "name": "w", "listener_arn": LISTENER,
                         "target_groups": {"blue": group("blue"), "green": group("green")}});
    refused(
        setting_up(json!([check(), weights])),
        "setup[1].kind",
        "belongs into `steps`",
    );
    refused(
        setting_up(json!([{"kind": "target_group_helth", "name": "x"}])),
        "setup[0].kind",
        "did you mean",
    );
}

#[test]
fn a_setup_is_no_move_so_it_knows_no_style() {
    refused(with(check(), "/when", json!("unplanned")), "setup[0].when", "no move");
}

#[test]
fn one_item_makes_one_thing_and_each_has_its_name() {
    let again = changed(check(), "/name", json!("again"));
    refused(
        setting_up(json!([check(), again.clone()])),
        "setup[1]",
        "setup[0] makes the same",
    );
    let elsewhere = changed(again, "/target_group_arn", json!(group("green")));
    accepted(setting_up(json!([check(), elsewhere])));
    let namesake = changed(alarm(), "/name", json!("check"));
    refused(
        setting_up(json!([check(), namesake])),
        "setup[1].name",
        "has this name too",
    );
}

#[test]
fn every_problem_of_a_setup_is_named_at_once() {
    let bad = changed(check(), "/answer_seconds", json!(10));
    let worse = changed(alarm(), "/period_seconds", json!(45));
    let found = problems(setting_up(json!([bad, worse])));
    let paths: Vec<&str> = found.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(
        paths,
        ["setup[0].answer_seconds", "setup[1].period_seconds"],
        "{found:#?}"
    );
}

#[test]
fn a_health_check_keeps_within_what_the_service_takes() {
    for (pointer, value, path, words) in [
        (
            "/answer_seconds",
            json!(10),
            "answer_seconds",
            "less than interval_seconds (10)",
        ),
        ("/interval_seconds", json!(4), "interval_seconds", "between 5 and 300"),
        ("/healthy_threshold", json!(1), "healthy_threshold", "between 2 and 10"),
        (
            "/unhealthy_threshold",
            json!(11),
            "unhealthy_threshold",
            "between 2 and 10",
        ),
        ("/port", json!("70000"), "port", "65535"),
        ("/port", json!("http"), "port", "traffic-port"),
        ("/port", json!(80), "port", "quotes"),
        ("/path", json!("health"), "path", "begin with `/`"),
        ("/protocol", json!("TCP"), "path", "by TCP"),
        ("/protocol", json!("UDP"), "protocol", "one of"),
        ("/matcher", json!("2xx"), "matcher", "200-299"),
        ("/matcher", json!("299-200"), "matcher", "ends before it begins"),
    ] {
        refused(with(check(), pointer, value), &format!("setup[0].{path}"), words);
    }
    let elsewhere = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/0123456789abcdef";
    refused(
        with(check(), "/target_group_arn", json!(elsewhere)),
        "setup[0].target_group_arn",
        "us-east-1",
    );
    let nothing = json!({"kind": "target_group_health", "name": "check", "target_group_arn": group("blue")});
    refused(setting_up(json!([nothing])), "setup[0]", "states nothing");
}

#[test]
fn an_alarm_on_hosts_has_both_dimensions_or_it_never_fires() {
    for name in ["TargetGroup", "LoadBalancer"] {
        let path = format!("setup[0].dimensions.{name}");
        refused(
            with(alarm(), &format!("/dimensions/{name}"), Value::Null),
            &path,
            "never fires",
        );
        refused(
            with(alarm(), &format!("/dimensions/{name}"), json!(group("blue"))),
            &path,
            "is an ARN",
        );
    }
    let healthy = changed(alarm(), "/metric_name", json!("HealthyHostCount"));
    refused(
        with(healthy, "/dimensions/LoadBalancer", Value::Null),
        "setup[0].dimensions.LoadBalancer",
        "together",
    );
    let requests = changed(alarm(), "/metric_name", json!("RequestCount"));
    accepted(with(requests, "/dimensions/TargetGroup", Value::Null));
}

#[test]
fn an_alarm_keeps_within_what_cloudwatch_takes() {
    for (pointer, value, path, words) in [
        ("/period_seconds", json!(45), "period_seconds", "multiple of 60"),
        ("/period_seconds", json!(90), "period_seconds", "multiple of 60"),
        (
            "/datapoints_to_alarm",
            json!(2),
            "datapoints_to_alarm",
            "could never fire",
        ),
        ("/comparison", json!(">"), "comparison", "one of"),
        ("/statistic", json!("Median"), "statistic", "one of"),
        ("/treat_missing_data", json!("bad"), "treat_missing_data", "one of"),
        ("/threshold", json!("0"), "threshold", "number"),
        ("/alarm_name", json!(""), "alarm_name", "empty"),
    ] {
        refused(with(alarm(), pointer, value), &format!("setup[0].{path}"), words);
    }
    for period in [10, 20, 30, 60, 3600] {
        accepted(with(alarm(), "/period_seconds", json!(period)));
    }
    let long = changed(alarm(), "/evaluation_periods", json!(25));
    refused(
        with(long.clone(), "/period_seconds", json!(3540)),
        "setup[0].evaluation_periods",
        "at most 86400 s",
    );
    accepted(with(long, "/period_seconds", json!(3600)));
}

#[test]
fn an_alarm_tells_only_a_topic_of_its_own_region() {
    let mut plan = setting_up(json!([alarm()]));
    plan["topic_arn"] = json!("arn:aws:sns:us-east-1:123456789012:moves");
    refused(plan.clone(), "setup[0].notify", "us-east-1");
    plan["setup"][0]["notify"] = json!(false);
    accepted(plan.clone());
    plan["setup"][0]["notify"] = json!(true);
    plan["setup"][0]["region"] = json!("us-east-1");
    accepted(plan);
}

#[test]
fn a_setup_has_at_most_fifty_items() {
    let item = |number: usize| {
        let named = changed(alarm(), "/name", json!(format!("alarm-{number}")));
        changed(named, "/alarm_name", json!(format!("shop-{number}")))
    };
    accepted(setting_up((0..50).map(item).collect()));
    refused(setting_up((0..51).map(item).collect()), "setup", "at most 50");
}

#[test]
fn an_alarm_stands_behind_the_policy_that_it_sets_off() {
    let policy = json!({"kind": "asg_scaling_policy", "name": "more", "auto_scaling_group_name": "web",
                        "policy_name": "failover", "adjustment": 2});
    let setting_off = changed(
        alarm(),
        "/scaling_policy",
        json!({"auto_scaling_group_name": "web", "policy_name": "failover"}),
    );
    accepted(setting_up(json!([policy, setting_off])));
    // Somebody else's.
    accepted(setting_up(json!([setting_off])));
    refused(
        setting_up(json!([setting_off, policy])),
        "setup[0].scaling_policy",
        "setup[1] makes this policy only after the alarm",
    );
    refused(
        with(alarm(), "/scaling_policy", json!({"policy_name": "failover"})),
        "setup[0].scaling_policy.auto_scaling_group_name",
        "is missing",
    );
}

#[test]
fn an_alarm_that_setup_makes_and_nobody_hears_is_warned_about() {
    let warnings = |plan: &Value, stack: &Stack| -> Vec<(String, String)> {
        let found = parse(plan.clone()).unwrap().warnings_in(stack).into_iter();
        found.map(|warning| (warning.path, warning.message)).collect()
    };
    let unbound = setting_up(json!([alarm()]));
    let nothing_known = Stack::default();
    let found = warnings(&unbound, &nothing_known);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].0 == "setup[0].alarm_name" && found[0].1.contains("no entry of `alarms`"),
        "{found:#?}"
    );

    let name = alarm()["alarm_name"].clone();
    let bound = changed(unbound, "/alarms", json!([{"alarm_name": name, "site": "blue"}]));
    assert_eq!(warnings(&bound, &nothing_known), []);
    let stack = |region: &str, rule: &str, setup: &str| Stack {
        region: Some(region.into()),
        alarm_name_prefix: Some(rule.into()),
        setup_alarm_name_prefix: Some(setup.into()),
        ..Stack::default()
    };
    assert_eq!(warnings(&bound, &stack("eu-west-1", "", "")), []);
    for (stack, path, words) in [
        (
            stack("eu-central-1", "", ""),
            "setup[0].region",
            "hears alarms of eu-central-1 only",
        ),
        (stack("eu-west-1", "prod-", ""), "setup[0].alarm_name", "wakes nobody"),
        (
            stack("eu-west-1", "", "prod-"),
            "setup[0].alarm_name",
            "may not make it",
        ),
    ] {
        let found = warnings(&bound, &stack);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].0 == path && found[0].1.contains(words), "{found:#?}");
    }
}
