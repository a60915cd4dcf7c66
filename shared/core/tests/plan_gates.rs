//! Rules of gates and hooks: what waits, for whom, and whom a plan may ask.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod plan_support;

use plan_support::{accepted, changed, refused, with};
use serde_json::{Value, json};
use understudy_core::execution::Style;
use understudy_core::plan::{Reversibility, parse};

fn adding(step: Value) -> Value {
    with("/steps/-", step)
}

fn wait() -> Value {
    json!({"kind": "wait", "name": "caches", "seconds": 60})
}

fn approval() -> Value {
    json!({"kind": "approval", "name": "sure", "question": "Do the figures of green look right?"})
}

fn invoke() -> Value {
    json!({"kind": "invoke", "name": "sessions", "function": "shop-hook", "qualifier": "live", "payload": {"drain": true}})
}

#[test]
fn each_kind_is_accepted_as_its_documentation_shows_it() {
    for step in [wait(), approval(), invoke()] {
        accepted(adding(step));
    }
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:shop-hook";
    accepted(adding(changed(invoke(), "/function", json!(arn))));
}

#[test]
fn a_wait_ends_before_its_time_is_over() {
    let path = "steps[3].seconds";
    let long = changed(wait(), "/seconds", json!(120));
    refused(adding(long.clone()), path, "timeout_seconds (120)");
    accepted(adding(changed(long, "/timeout_seconds", json!(121))));
    for seconds in [0, 3601] {
        let nonsense = changed(wait(), "/seconds", json!(seconds));
        refused(adding(nonsense), path, "between 1 and 3600");
    }
}

#[test]
fn silence_is_not_a_yes() {
    let silent = changed(approval(), "/on_failure", json!("continue"));
    refused(adding(silent), "steps[3].on_failure", "silence would be a yes");
    accepted(adding(changed(approval(), "/on_failure", json!("halt"))));
}

#[test]
fn what_waits_long_stands_alone() {
    for step in [wait(), approval(), invoke()] {
        let grouped = changed(step, "/group", json!("together"));
        refused(adding(grouped), "steps[3].group", "stands alone");
    }
}

#[test]
fn a_question_is_one_line() {
    let nasty = changed(approval(), "/question", json!("sure?\u{1b}[2J"));
    refused(adding(nasty), "steps[3].question", "control characters");
}

#[test]
fn a_plan_that_only_waits_moves_nothing_and_one_that_only_asks_a_hook_may() {
    let alone = |steps: Value| with("/steps", steps);
    refused(alone(json!([wait(), approval()])), "steps", "every step only waits");
    accepted(alone(json!([invoke()])));
}

#[test]
fn an_approval_in_an_automatic_plan_is_warned_about_and_allowed() {
    let warnings = |mode: &str| {
        let plan = changed(adding(approval()), "/policy", json!({"mode": mode}));
        parse(plan).unwrap().warnings()
    };
    let found = warnings("automatic");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].path, "steps[3].kind");
    assert!(found[0].message.contains("`approve`"), "{found:?}");
    assert!(warnings("approve").is_empty() && warnings("manual").is_empty());
}

#[test]
fn a_hook_is_a_function_of_the_region_that_is_asked() {
    let path = "steps[3].function";
    for nonsense in ["shop hook", "shop-hook:live", "arn:aws:s3:::bucket", ""] {
        let step = changed(invoke(), "/function", json!(nonsense));
        refused(adding(step), path, "name or the ARN of a Lambda function");
    }
    let elsewhere = "arn:aws:lambda:eu-central-1:123456789012:function:shop-hook";
    let step = changed(invoke(), "/function", json!(elsewhere));
    refused(adding(step.clone()), path, "eu-central-1");
    accepted(adding(changed(step, "/region", json!("eu-central-1"))));
    let path = "steps[3].qualifier";
    refused(adding(changed(invoke(), "/qualifier", json!("a:b"))), path, "alias");
}

#[test]
fn the_payload_of_a_hook_is_a_small_mapping() {
    let path = "steps[3].payload";
    refused(adding(changed(invoke(), "/payload", json!([1]))), path, "a mapping");
    let large = json!({"text": "x".repeat(8 * 1024)});
    refused(adding(changed(invoke(), "/payload", large)), path, "at most 8192");
    accepted(adding(changed(
        invoke(),
        "/payload",
        json!({"text": "x".repeat(8 * 1024 - 11)}),
    )));
}

#[test]
fn a_hook_says_whether_it_can_be_taken_back() {
    for (undo, expected) in [("none", Reversibility::Nothing), ("invoke", Reversibility::Compensable)] {
        let plan = parse(adding(changed(invoke(), "/undo", json!(undo)))).unwrap();
        let step = &plan.steps[3];
        assert_eq!(step.as_kind().reversibility(), expected);
        assert!(!step.is_gate(), "it does something");
    }
}

#[test]
fn a_hook_that_fences_counts_as_a_fence_and_can_be_taken_away() {
    let fence = changed(invoke(), "/fences_source", json!(true));
    refused(adding(fence.clone()), "steps[3].undo", "undo: invoke");
    let instances = json!({"blue": {"db_instance_identifier": "blue"}, "green": {"db_instance_identifier": "green"}});
    let promotion = json!({"kind": "rds_promote_replica", "name": "promote", "instances": instances});
    let plan = |hook: Value| {
        parse(changed(
            adding(changed(hook, "/undo", json!("invoke"))),
            "/steps/-",
            promotion.clone(),
        ))
    };
    let fenced = plan(fence.clone()).unwrap();
    assert!(
        !fenced.is_lossy(Style::Planned),
        "nothing is written that the replica does not get"
    );
    assert!(fenced.is_lossy(Style::Unplanned));
    assert!(
        plan(invoke()).unwrap().is_lossy(Style::Planned),
        "a hook that says nothing of writes is no fence"
    );
    let unsure = changed(fence, "/on_failure", json!("continue"));
    assert!(plan(unsure).unwrap().is_lossy(Style::Planned), "it may have failed");
}

#[test]
fn what_understudy_adds_on_the_way_home_is_not_for_plan_files() {
    let size = json!({"minimum": 1, "desired": 1, "maximum": 1});
    let step = json!({
        "kind": "asg_capacity", "name": "size", "groups": {"blue": "a", "green": "b"},
        "gives_back": {"step": "size", "site": "green", "group": "b", "found": size, "made": size},
    });
    refused(adding(step), "steps[3].gives_back", "unknown field");
}
