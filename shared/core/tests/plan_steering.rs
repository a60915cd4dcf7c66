//! Rules of the steps that steer traffic, each with what it refuses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod plan_support;

use plan_support::{accepted, changed, plan, refused, with};
use serde_json::{Value, json};
use understudy_core::plan::parse;

const BALANCER: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/shop/0123456789abcdef";
const GROUP: &str = "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:01234567-89ab-cdef-0123-456789abcdef:autoScalingGroupName/web";
const CHECK: &str = "01234567-89ab-cdef-0123-456789abcdef";

fn endpoint_group(name: &str) -> String {
    format!(
        "arn:aws:globalaccelerator::123456789012:accelerator/01234567-89ab-cdef-0123-456789abcdef/listener/0123abcd/endpoint-group/{name}"
    )
}

fn signal() -> Value {
    json!({"kind": "dns_signal", "name": "signal", "namespace": "Understudy/shop", "metric_name": "Active",
           "dimensions": {"Plan": "shop"}, "signals": {
               "blue": {"dimensions": {"Site": "blue"}, "alarm_name": "blue-inactive"},
               "green": {"dimensions": {"Site": "green"}, "alarm_name": "green-inactive"}}})
}

fn shift() -> Value {
    json!({"kind": "zonal_shift", "name": "zone", "resource_identifier": BALANCER, "away_from": {"green": "euw1-az1"},
           "expires_in_hours": 24})
}

fn dial() -> Value {
    json!({"kind": "accelerator_dial", "name": "dial", "sites": {
        "blue": {"endpoint_group_arn": endpoint_group("b")},
        "green": {"endpoint_group_arn": endpoint_group("g"), "percent": 80}}})
}

fn weights() -> Value {
    json!({"kind": "accelerator_dial", "name": "dial", "sites": {
        "blue": {"endpoint_group_arn": endpoint_group("b"), "endpoints": {"eipalloc-1": 128}},
        "green": {"endpoint_group_arn": endpoint_group("b"), "endpoints": {"eipalloc-2": 128}}}})
}

fn adding(step: Value) -> Value {
    with("/steps/-", step)
}

fn edited(step: Value, field: &str, value: Value) -> Value {
    adding(changed(step, field, value))
}

fn three_sites(step: Value) -> Value {
    let three = with("/sites/-", json!({"name": "red", "priority": 3}));
    let three = changed(three, "/policy", json!({"mode": "manual"}));
    changed(three, "/steps", json!([step]))
}

#[test]
fn each_kind_is_accepted_as_its_documentation_shows_it() {
    for step in [signal(), shift(), dial(), weights()] {
        accepted(adding(step));
    }
    accepted(edited(shift(), "/resource_identifier", json!(GROUP)));
    accepted(edited(shift(), "/away_from/blue", json!("euw1-az2")));
    // The primary of two needs no switch of its own, where the standby's alarm goes off while that is active.
    let standby = json!({"green": {"alarm_name": "green-active", "alarm_when": "active", "health_check_id": CHECK}});
    accepted(edited(signal(), "/signals", standby));
}

#[test]
fn a_signal_tells_the_sites_apart() {
    let path = "steps[3].signals";
    let same = edited(signal(), "/signals/green/dimensions", json!({"Site": "blue"}));
    refused(same, "steps[3].signals.green", "1 and 0 at once");
    let same = edited(signal(), "/signals/green/alarm_name", json!("blue-inactive"));
    refused(same, "steps[3].signals.green", "would change nothing");
    let both = changed(signal(), "/signals/blue/health_check_id", json!(CHECK));
    let both = edited(both, "/signals/green/health_check_id", json!(CHECK));
    refused(both, "steps[3].signals.green", "would change nothing");
    let unknown = changed(
        signal(),
        "/signals/rde",
        json!({"alarm_name": "r", "dimensions": {"Site": "red"}}),
    );
    refused(adding(unknown), "steps[3].signals.rde", "unknown site");
    accepted(three_sites(signal()));
    let one = changed(signal(), "/signals/green", Value::Null);
    refused(three_sites(one), &path.replace('3', "0"), "green, red");
}

#[test]
fn a_signal_is_something_that_cloudwatch_takes() {
    let path = "steps[3].namespace";
    refused(
        edited(signal(), "/namespace", json!("AWS/Route53")),
        path,
        "belongs to AWS",
    );
    refused(
        edited(signal(), "/namespace", json!(":shop")),
        path,
        "must be a namespace",
    );
    let twice = edited(signal(), "/signals/blue/dimensions/Plan", json!("shop"));
    refused(twice, "steps[3].signals.blue.dimensions.Plan", "already");
    let blank = edited(signal(), "/dimensions/Plan", json!("  "));
    refused(blank, "steps[3].dimensions.Plan", "blanks");
    let accent = edited(signal(), "/signals/blue/dimensions/Caf\u{e9}", json!("x"));
    refused(accent, "steps[3].signals.blue.dimensions[\"Caf\u{e9}\"]", "ASCII");
    let many: serde_json::Map<String, Value> = (0..30).map(|index| (format!("d{index}"), json!("x"))).collect();
    let many = edited(signal(), "/signals/blue/dimensions", Value::Object(many));
    refused(many, "steps[3].signals.blue.dimensions", "more than 30");
    let check = edited(signal(), "/signals/blue/health_check_id", json!("abc"));
    refused(check, "steps[3].signals.blue.health_check_id", "Route 53 health check");
}

#[test]
fn a_step_that_waits_for_health_checks_without_the_time_is_warned_about() {
    let warned = |step: Value| {
        let plan = parse(changed(plan(), "/steps/-", step)).unwrap();
        plan.warnings()
            .iter()
            .any(|warning| warning.path == "steps[3].timeout_seconds")
    };
    assert!(!warned(signal()));
    let checked = changed(signal(), "/signals/blue/health_check_id", json!(CHECK));
    assert!(warned(checked.clone()));
    assert!(!warned(changed(checked, "/timeout_seconds", json!(180))));
}

#[test]
fn a_shift_changes_something_in_every_move() {
    let nothing = "would change nothing";
    let same = edited(shift(), "/away_from/blue", json!("euw1-az1"));
    refused(same, "steps[3].away_from.green", nothing);
    refused(three_sites(shift()), "steps[0].away_from.red", nothing);
    accepted(three_sites(changed(shift(), "/away_from/red", json!("euw1-az3"))));
    let unknown = edited(shift(), "/away_from/rde", json!("euw1-az2"));
    refused(unknown, "steps[3].away_from.rde", "unknown site");
}

#[test]
fn a_shift_names_a_zone_and_a_resource_that_can_be_shifted_and_an_end() {
    let name = edited(shift(), "/away_from/green", json!("eu-west-1a"));
    refused(name, "steps[3].away_from.green", "euw1-az1");
    let path = "steps[3].resource_identifier";
    let gateway = BALANCER.replace("/app/", "/gwy/");
    refused(
        edited(shift(), "/resource_identifier", json!(gateway)),
        path,
        "Load Balancer",
    );
    let elsewhere = BALANCER.replace("eu-west-1", "eu-central-1");
    refused(
        edited(shift(), "/resource_identifier", json!(elsewhere)),
        path,
        "eu-central-1",
    );
    let path = "steps[3].expires_in_hours";
    refused(edited(shift(), "/expires_in_hours", Value::Null), path, "missing");
    refused(
        edited(shift(), "/expires_in_hours", json!(73)),
        path,
        "between 1 and 72",
    );
    let plan = parse(adding(shift())).unwrap();
    assert!(
        plan.warnings()
            .iter()
            .any(|warning| warning.path == path && warning.message.contains("24 hour"))
    );
}

#[test]
fn dials_are_of_one_listener_and_every_site_has_one() {
    let other = endpoint_group("g").replace("0123abcd", "other");
    let apart = edited(dial(), "/sites/green/endpoint_group_arn", json!(other));
    refused(apart, "steps[3].sites", "different listeners");
    let mut three = three_sites(dial());
    three["steps"][0]["name"] = json!("dial");
    refused(three, "steps[0].sites.red", "can not move there");
    let closed = edited(dial(), "/sites/green/percent", json!(0));
    refused(closed, "steps[3].sites.green.percent", "between 1 and 100");
    refused(
        edited(dial(), "/region", json!("us-west-2")),
        "steps[3].region",
        "us-west-2",
    );
    let arn = edited(dial(), "/sites/green/endpoint_group_arn", json!(BALANCER));
    refused(arn, "steps[3].sites.green.endpoint_group_arn", "endpoint group");
}

#[test]
fn sites_that_share_a_group_are_told_apart_by_endpoints() {
    let path = "steps[3].sites.green";
    let without = edited(weights(), "/sites/green/endpoints", Value::Null);
    refused(without, &format!("{path}.endpoints"), "weights of its endpoints");
    let dialled = edited(weights(), "/sites/green/percent", json!(50));
    refused(dialled, &format!("{path}.percent"), "stays as it is");
    let same = edited(weights(), "/sites/green/endpoints", json!({"eipalloc-1": 5}));
    refused(same, path, "would change nothing");
    let own = edited(dial(), "/sites/green/endpoints", json!({"eipalloc-1": 5}));
    refused(own, &format!("{path}.endpoints"), "by its dial");
    let zero = edited(weights(), "/sites/green/endpoints/eipalloc-2", json!(0));
    refused(zero, &format!("{path}.endpoints.eipalloc-2"), "between 1 and 255");
}

#[test]
fn two_steps_do_not_change_the_same_resource() {
    for (step, path) in [
        (signal(), "signals.blue.alarm_name"),
        (shift(), "resource_identifier"),
        (dial(), "sites.blue.endpoint_group_arn"),
    ] {
        let again = changed(step.clone(), "/name", json!("again"));
        let plan = changed(adding(step), "/steps/-", again);
        refused(plan, &format!("steps[4].{path}"), "overwrite the earlier one");
    }
}
