//! How long what took, and the lines that people read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;
use understudy_core::control::{Control, Word};
use understudy_core::decide::{Lags, Move, Situation, Trigger, decide};
use understudy_core::execution::{Execution, Kind, Status, Style, TriggerKind};
use understudy_core::fleet::FleetState;
use understudy_core::health::{Health, SiteHealth};
use understudy_core::plan::{Plan, parse};
use understudy_core::report::{EventKind, Timeline, about_execution, execution_line, status_lines};
use understudy_core::setup::SetupRecord;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_255_200 + seconds).unwrap()
}

fn plan(objectives: serde_json::Value) -> Plan {
    let probe = |site: &str| json!({"kind": "endpoint", "name": format!("{site}-web"), "site": site, "host": format!("{site}.example.com")});
    parse(json!({
        "schema_version": 1, "name": "shop",
        "sites": [{"name": "blue", "priority": 1}, {"name": "green", "priority": 2}],
        "probes": [probe("blue"), probe("green")],
        "steps": [{"kind": "dns_records", "name": "record", "hosted_zone_id": "ZSHOP", "records": [{"name": "www.example.com", "type": "A", "ttl_seconds": 60,
            "sites": {"blue": {"values": ["192.0.2.1"]}, "green": {"values": ["192.0.2.2"]}}}]}],
        "policy": {"objectives": objectives},
    }))
    .unwrap()
}

/// First bad answer at 0, unhealthy at 10, opened at 40, ended at 70.
fn failover(objectives: serde_json::Value) -> Execution {
    let chosen = Move {
        kind: Kind::Failover,
        trigger: TriggerKind::Automatic,
        style: Style::Unplanned,
        from: "blue".into(),
        to: "green".into(),
        reason: "site blue is unhealthy".into(),
        operator: None,
        began_at: Some(at(0)),
        detected_at: Some(at(10)),
        return_after_seconds: None,
        escalate_after_seconds: None,
        loss_estimate_seconds: None,
    };
    let mut execution = Execution::open("id".into(), chosen, Vec::new(), &plan(objectives), 1, at(40));
    execution.begin(at(41)).unwrap();
    execution.satisfied(0, at(60), "as wanted").unwrap();
    execution.finish(at(70), Status::Completed).unwrap();
    execution
}

#[test]
fn a_timeline_divides_the_time_from_the_first_bad_answer_to_the_end() {
    let timeline = Timeline::of(&failover(json!({})));
    assert_eq!(
        (
            timeline.detection_seconds,
            timeline.decision_seconds,
            timeline.execution_seconds,
            timeline.recovery_seconds
        ),
        (Some(10.0), Some(30.0), Some(30.0), Some(70.0))
    );
    assert!(timeline.objectives.is_empty(), "none is asked for");
}

#[test]
fn objectives_are_met_or_not_and_told_with_the_end() {
    let objectives =
        json!({"detection_seconds": 10, "decision_seconds": 29, "execution_seconds": 30, "recovery_seconds": 60});
    let execution = failover(objectives);
    let met: Vec<(String, bool)> = Timeline::of(&execution)
        .objectives
        .into_iter()
        .map(|objective| (objective.name, objective.met))
        .collect();
    let all = [
        ("detection", true),
        ("decision", false),
        ("execution", true),
        ("recovery", false),
    ];
    assert_eq!(met, all.map(|(name, met)| (name.to_owned(), met)));
    let told = about_execution(EventKind::Completed, "shop", 1, &execution, at(70));
    assert!(told.text.contains("objective 60 s: NOT met"), "{}", told.text);
    assert_eq!(told.body["timeline"]["objectives"][0]["met"], true);
    assert!(execution_line(&execution).contains("recovery 1 min 10 s (objective 60 s: NOT met)"));
}

#[test]
fn a_move_that_did_not_reach_its_goal_has_no_recovery() {
    let mut execution = failover(json!({"recovery_seconds": 60}));
    execution.status = Status::RolledBack;
    let timeline = Timeline::of(&execution);
    assert_eq!((timeline.recovery_seconds, timeline.objectives.len()), (None, 0));
    execution.status = Status::Completed;
    (execution.began_at, execution.detected_at) = (None, None);
    let timeline = Timeline::of(&execution);
    assert_eq!(
        (timeline.detection_seconds, timeline.recovery_seconds),
        (None, Some(30.0)),
        "a person's move"
    );
}

#[test]
fn status_lines_say_what_goes_on_since_when_what_is_next_and_how_to_stop_it() {
    let site = |health: Health| SiteHealth {
        health,
        since: Some(at(-60)),
        witnesses: Vec::new(),
        settling: false,
    };
    let plan = plan(json!({}));
    let mut control = Control::new("shop", "blue", "revision");
    let sites = BTreeMap::from([
        ("blue".to_owned(), site(Health::Healthy)),
        ("green".to_owned(), site(Health::Healthy)),
    ]);
    let fleet = FleetState {
        stopped: Some(Word {
            operator: "noa".into(),
            reason: "fire".into(),
            at: at(-5),
        }),
        ..FleetState::default()
    };
    let lines = |control: &Control| {
        let situation = Situation {
            plan: &plan,
            control,
            sites: &sites,
            fleet: &fleet,
            lags: &Lags::new(),
            preflight: None,
            setup: &SetupRecord::default(),
        };
        let next = decide(at(0), &Trigger::Timer, situation);
        status_lines(at(0), situation, &next).join("\n")
    };
    let idle = lines(&control);
    for part in [
        "shop: blue carries it, at home",
        "site green is healthy since 09:59:00Z",
        "all is stopped by noa since 09:59:55Z (5.0 s ago): fire",
        "next: nothing to do",
        "\"command\": \"pause\"",
    ] {
        assert!(idle.contains(part), "{part} is not in:\n{idle}");
    }
    let mut running = failover(json!({}));
    (running.status, running.ended_at) = (Status::InProgress, None);
    control.execution = Some(running);
    let busy = lines(&control);
    for part in [
        "failover blue → green is in_progress",
        "record (dns_records) satisfied",
        "\"command\": \"cancel\"",
    ] {
        assert!(busy.contains(part), "{part} is not in:\n{busy}");
    }
}

#[test]
fn a_move_to_a_site_that_can_not_carry_everything_says_so() {
    let mut execution = failover(json!({}));
    let told = |execution: &Execution| about_execution(EventKind::Completed, "shop", 1, execution, at(70));
    assert!(!told(&execution).text.contains("Reduced"));
    assert_eq!(told(&execution).body["reduced_to_percent"], json!(null));
    execution.plan.sites[1].capacity_percent = 60;
    assert!(
        told(&execution)
            .text
            .contains("Reduced: green can carry 60 % of the plan's load")
    );
    assert_eq!(told(&execution).body["reduced_to_percent"], json!(60));
}
