//! A small valid plan as JSON, and ways to break it.

#![allow(dead_code)]

use serde_json::{Value, json};
use understudy_core::plan::{PlanError, Problem, parse};

/// The target group of a site.
pub fn group(site: &str) -> String {
    format!("arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/{site}/0123456789abcdef")
}

/// The listener.
pub const LISTENER: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2";

/// A rule of that listener.
pub const RULE: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee";

/// A valid plan: two sites, a probe each, a gate, weights, and one plain and one weighted record.
pub fn plan() -> Value {
    json!({
        "schema_version": 1,
        "name": "shop",
        "region": "eu-west-1",
        "sites": [{"name": "blue", "priority": 1}, {"name": "green", "priority": 2}],
        "probes": [
            {"kind": "endpoint", "name": "blue-http", "site": "blue", "host": "blue.example.com"},
            {"kind": "endpoint", "name": "green-http", "site": "green", "host": "green.example.com"},
        ],
        "alarms": [{"alarm_name": "blue-5xx", "site": "blue"}],
        "steps": [
            {"kind": "wait_healthy", "name": "well", "for_seconds": 10},
            {"kind": "elb_weights", "name": "traffic", "listener_arn": LISTENER,
             "target_groups": {"blue": group("blue"), "green": group("green")}},
            {"kind": "dns_records", "name": "names", "hosted_zone_id": "Z0123456789", "records": [
                {"name": "shop.example.com", "type": "A", "ttl_seconds": 30,
                 "sites": {"blue": {"values": ["192.0.2.1"]}, "green": {"values": ["192.0.2.2"]}}},
                {"name": "w.example.com", "type": "CNAME", "ttl_seconds": 30, "sites": {
                    "blue": {"values": ["blue.example.com"], "set_identifier": "blue", "weight": 10},
                    "green": {"values": ["green.example.com"], "set_identifier": "green"}}},
            ]},
        ],
    })
}

/// The plan with the value at a JSON pointer replaced, added, or (null) taken out.
pub fn with(pointer: &str, value: Value) -> Value {
    changed(plan(), pointer, value)
}

/// `plan` with the value at a JSON pointer replaced, added, or (null) taken out.
pub fn changed(mut plan: Value, pointer: &str, value: Value) -> Value {
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    match plan.pointer_mut(parent).unwrap() {
        Value::Object(fields) if value.is_null() => {
            fields.remove(last);
        }
        Value::Object(fields) => {
            fields.insert(last.to_owned(), value);
        }
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) if value.is_null() => {
            items.remove(last.parse().unwrap());
        }
        Value::Array(items) => items[last.parse::<usize>().unwrap()] = value,
        other => panic!("{parent} is {other}"),
    }
    plan
}

/// Everything that is wrong with a plan.
pub fn problems(plan: Value) -> Vec<Problem> {
    match parse(plan) {
        Ok(_) => Vec::new(),
        Err(error @ PlanError::Invalid { .. }) => error.problems(),
        Err(other) => panic!("{other}"),
    }
}

/// Asserts that exactly one thing is wrong, at `path`, and that the message says `words`.
#[track_caller]
pub fn refused(plan: Value, path: &str, words: &str) {
    let found = problems(plan);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].path, path, "{found:#?}");
    assert!(found[0].message.contains(words), "{found:#?}");
}

/// Asserts that a plan is accepted.
#[track_caller]
pub fn accepted(plan: Value) {
    let found = problems(plan);
    assert!(found.is_empty(), "{found:#?}");
}
