//! Executors in several Regions: who stands back, for how long, and when it acts after all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod plan_support;

use jiff::{SignedDuration, Timestamp};
use plan_support::plan;
use serde_json::{Value, json};
use understudy_core::control::{Control, LEASE, TAKEOVER_MARGIN, later};
use understudy_core::decide::Move;
use understudy_core::execution::{Execution, Kind, Style, TriggerKind};
use understudy_core::plan::parse;
use understudy_core::regions::MAX_CONNECTION_ERRORS;

const LEFT: &str = "eu-west-1";
const OTHER: &str = "eu-central-1";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_255_200 + seconds).unwrap()
}

/// A plan that leaves blue for green at 0, its sites in these Regions.
fn leaving(blue: Value, green: Value) -> Control {
    let mut plan = plan();
    plan["sites"][0]["region"] = blue;
    plan["sites"][1]["region"] = green;
    for site in plan["sites"].as_array_mut().unwrap() {
        site.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    }
    let chosen = Move {
        kind: Kind::Failover,
        trigger: TriggerKind::Manual,
        style: Style::Planned,
        from: "blue".into(),
        to: "green".into(),
        reason: "because".into(),
        operator: None,
        began_at: None,
        detected_at: None,
        return_after_seconds: None,
        escalate_after_seconds: None,
        loss_estimate_seconds: None,
    };
    let mut control = Control::new("shop", "blue", "revision#00000001-x");
    control.execution = Some(Execution::open(
        "id".into(),
        chosen,
        Vec::new(),
        &parse(plan).unwrap(),
        1,
        at(0),
    ));
    control
}

fn across_regions() -> Control {
    leaving(json!(LEFT), json!(OTHER))
}

/// The first moment at which an executor in `region` does not stand back.
fn free_from(control: &Control, region: &str) -> Timestamp {
    control.stands_back(at(0), region).map_or(at(0), |waits| waits.until)
}

#[test]
fn the_executor_in_the_region_being_left_waits_one_lease_time_and_then_acts() {
    let control = across_regions();
    let until = later(at(0), LEASE);
    let just_before = later(until, -SignedDuration::from_millis(1));
    let why = control.stands_back(just_before, LEFT).unwrap().to_string();
    assert!(why.contains(LEFT) && why.contains("leaving"), "{why}");
    assert_eq!(control.stands_back(until, LEFT), None, "late is better than never");
    assert_eq!(control.stands_back(at(0), OTHER), None, "the others need not wait");
}

#[test]
fn it_waits_again_after_each_holder_and_after_each_recorded_wait() {
    let mut control = across_regions();
    control.take_lease(at(1), "other").unwrap();
    let expired = later(later(at(1), LEASE), TAKEOVER_MARGIN);
    assert_eq!(free_from(&control, LEFT), later(expired, LEASE), "a holder that died");
    control.release_lease(at(5));
    assert_eq!(free_from(&control, LEFT), later(at(5), LEASE), "a holder that released");
    control.execution.as_mut().unwrap().wake_at = Some(at(60));
    assert_eq!(free_from(&control, LEFT), later(at(60), LEASE), "a timer that ran out");
}

#[test]
fn nobody_stands_back_where_no_region_is_left() {
    for (blue, green) in [
        (json!(null), json!(null)),
        (json!(null), json!(OTHER)),
        (json!(LEFT), json!(LEFT)),
    ] {
        let control = leaving(blue, green);
        assert_eq!(control.stands_back(at(0), LEFT), None, "{control:#?}");
    }
    let mut idle = across_regions();
    idle.execution = None;
    assert_eq!(idle.stands_back(at(0), LEFT), None);
}

#[test]
fn a_region_that_sits_out_may_again_after_one_lease_time_and_the_others_at_once() {
    let mut control = leaving(json!(null), json!(null));
    control.execution.as_mut().unwrap().connection_errors = MAX_CONNECTION_ERRORS;
    control.sit_out(at(10), LEFT);
    assert!(control.stands_back(at(29), LEFT).is_some());
    assert_eq!(control.stands_back(at(30), LEFT), None);
    assert_eq!(control.stands_back(at(10), OTHER), None);
    assert_eq!(
        control.execution.unwrap().connection_errors,
        0,
        "whoever comes next begins to count anew"
    );
}

#[test]
fn only_errors_without_an_answer_count_and_anything_else_ends_their_row() {
    let mut execution = across_regions().execution.unwrap();
    assert_eq!(execution.put_off(1, at(0), at(1), "no answer", false), 1);
    assert_eq!(execution.put_off(1, at(1), at(2), "throttled", true), 0);
    assert_eq!(execution.put_off(1, at(2), at(3), "no answer", false), 1);
    execution.wait(1, at(3), at(4), "not yet as wanted");
    assert_eq!(execution.put_off(1, at(4), at(5), "no answer", false), 1);
    assert_eq!(
        execution.put_off(1, at(5), at(6), "no answer", false),
        MAX_CONNECTION_ERRORS
    );
}
