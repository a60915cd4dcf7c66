//! What a setup leaves behind, and what a teardown begins with.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod plan_support;

use jiff::Timestamp;
use plan_support::{group, plan};
use serde_json::json;
use understudy_core::decide::Move;
use understudy_core::execution::{Direction, Execution, Kind, Next, PreState, Status, StepState, Style, TriggerKind};
use understudy_core::plan::{Plan, Step, parse};
use understudy_core::setup::{SetupItem, SetupRecord};
use understudy_core::state::{AlarmDefinition, ReplicaMade, ResourceState};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_255_200 + seconds).unwrap()
}

fn shop(names: &[&str]) -> Plan {
    let mut plan = plan();
    let item = |name: &&str| {
        json!({"kind": "metric_alarm", "name": name, "alarm_name": format!("shop-{name}"), "namespace": "Shop",
               "metric_name": "Errors", "statistic": "Sum", "threshold": 1, "comparison": "GreaterThanThreshold"})
    };
    plan["setup"] = names.iter().map(item).collect();
    parse(plan).unwrap()
}

fn opened(plan: &Plan, kind: Kind, id: &str) -> Execution {
    let chosen = Move {
        kind,
        trigger: TriggerKind::Manual,
        style: Style::Planned,
        from: "blue".into(),
        to: "blue".into(),
        reason: "to be ready".into(),
        operator: Some("mia".into()),
        began_at: None,
        detected_at: None,
        return_after_seconds: None,
        escalate_after_seconds: None,
        loss_estimate_seconds: None,
    };
    Execution::open(id.into(), chosen, Vec::new(), plan, 1, at(0))
}

fn alarm(metric: &str) -> ResourceState {
    let alarm = AlarmDefinition {
        metric_name: metric.into(),
        ..AlarmDefinition::default()
    };
    ResourceState::MetricAlarm {
        alarm: Some(Box::new(alarm)),
    }
}

const NONE: ResourceState = ResourceState::MetricAlarm { alarm: None };

// The step is made, from this state into that one.
fn makes(execution: &mut Execution, index: usize, from: ResourceState, into: ResourceState) {
    execution.intend(index, at(1), from, into, "").unwrap();
    execution.attempt(index, at(2)).unwrap();
    execution.applied(index, None, "").unwrap();
    execution.done(index, at(3), "").unwrap();
}

fn names(record: &SetupRecord) -> Vec<&str> {
    record.items.iter().map(|item| item.name()).collect()
}

#[test]
fn a_setup_goes_through_the_plans_setup_and_not_through_its_steps() {
    let plan = shop(&["one", "two"]);
    let execution = opened(&plan, Kind::Setup, "first");
    let steps: Vec<&str> = execution.steps.iter().map(|run| run.name.as_str()).collect();
    assert_eq!(steps, ["one", "two"]);
    assert_eq!(execution.step(1).unwrap().name(), "two");
    assert_eq!(execution.route(), "at blue");
    let moved = opened(&plan, Kind::Failover, "move");
    assert_eq!(moved.steps.len(), plan.steps.len());
}

#[test]
fn what_was_made_is_remembered_with_its_region_and_what_was_not_is_not() {
    let plan = shop(&["one", "two", "three"]);
    let mut execution = opened(&plan, Kind::Setup, "first");
    makes(&mut execution, 0, NONE, alarm("a"));
    execution.satisfied(1, at(1), "").unwrap();
    // Somebody else made it between the intent and the call.
    execution.intend(2, at(1), NONE, alarm("c"), "").unwrap();
    execution.applied(2, None, "").unwrap();
    execution.done(2, at(2), "").unwrap();
    let mut record = SetupRecord::default();
    record.remember(&execution, 4, at(9)).unwrap();
    assert_eq!(names(&record), ["one"]);
    let item = &record.items[0];
    assert_eq!(item.step.common().region.as_deref(), Some("eu-west-1"));
    assert_eq!((&item.pre_state, &item.wanted), (&PreState::Inline(NONE), &alarm("a")));
    assert_eq!(
        (item.made_at, item.execution.as_str(), record.epoch),
        (at(3), "first", 4)
    );

    let once = record.clone();
    record.remember(&execution, 4, at(30)).unwrap();
    assert_eq!(record, once, "the same again changes nothing");
}

#[test]
fn the_oldest_pre_state_is_kept_and_the_order_is_the_plans() {
    let mut first = opened(&shop(&["one", "two"]), Kind::Setup, "first");
    makes(&mut first, 0, alarm("found"), alarm("a"));
    makes(&mut first, 1, NONE, alarm("b"));
    let mut record = SetupRecord::default();
    record.remember(&first, 2, at(9)).unwrap();
    // `one` is no longer stated, `two` is adjusted, and rests on a new one.
    let mut second = opened(&shop(&["new", "two"]), Kind::Setup, "second");
    makes(&mut second, 0, NONE, alarm("n"));
    makes(&mut second, 1, alarm("b"), alarm("c"));
    record.remember(&second, 5, at(19)).unwrap();
    assert_eq!(names(&record), ["one", "new", "two"]);
    let two = &record.items[2];
    assert_eq!((&two.pre_state, &two.wanted), (&PreState::Inline(NONE), &alarm("c")));
    assert_eq!(two.execution, "second");
}

#[test]
fn what_failed_and_was_gone_on_without_is_remembered_if_it_may_have_had_an_effect() {
    let mut execution = opened(&shop(&["one", "two"]), Kind::Setup, "first");
    execution.intend(0, at(1), NONE, alarm("a"), "").unwrap();
    execution.attempt(0, at(2)).unwrap();
    execution.fail_step(0, at(3), "never seen").unwrap();
    execution.fail_step(1, at(4), "not allowed").unwrap();
    let mut record = SetupRecord::default();
    record.remember(&execution, 1, at(9)).unwrap();
    assert_eq!(names(&record), ["one"]);
}

#[test]
fn an_older_epoch_writes_nothing() {
    let mut execution = opened(&shop(&["one"]), Kind::Setup, "first");
    makes(&mut execution, 0, NONE, alarm("a"));
    let mut record = SetupRecord::default();
    record.remember(&execution, 7, at(9)).unwrap();
    record.clear(8).unwrap();
    let empty = record.clone();
    assert!(empty.items.is_empty());
    assert!(record.remember(&execution, 7, at(9)).is_err());
    assert!(record.clear(7).is_err());
    assert_eq!(record, empty);
}

#[test]
fn a_teardown_begins_with_all_of_it_done_goes_back_and_completes() {
    let mut first = opened(&shop(&["one", "two"]), Kind::Setup, "first");
    makes(&mut first, 0, alarm("found"), alarm("a"));
    makes(&mut first, 1, NONE, alarm("b"));
    let mut record = SetupRecord::default();
    record.remember(&first, 2, at(9)).unwrap();
    // The plan states nothing of it any more.
    let mut teardown = opened(&shop(&[]), Kind::Teardown, "last").take_back(&record);
    assert_eq!(teardown.direction, Direction::Back);
    assert!(teardown.steps.iter().all(|run| run.state == StepState::Done));
    assert_eq!(teardown.next(at(10)), Next::Begin);
    teardown.begin(at(10)).unwrap();
    assert_eq!(teardown.next(at(10)), Next::Undo(1), "the newest first");
    assert_eq!(teardown.step(1).unwrap().name(), "two");
    teardown.undone(1, at(11), "").unwrap();
    assert_eq!(teardown.next(at(11)), Next::Undo(0));
    teardown.undone(0, at(12), "").unwrap();
    assert_eq!(teardown.next(at(12)), Next::Finish(Status::Completed));
}

#[test]
fn a_name_that_means_another_resource_now_is_a_stranger() {
    let before = shop(&["one", "two"]);
    let mut first = opened(&before, Kind::Setup, "first");
    makes(&mut first, 0, NONE, alarm("a"));
    makes(&mut first, 1, NONE, alarm("b"));
    let mut record = SetupRecord::default();
    record.remember(&first, 2, at(9)).unwrap();
    assert!(record.strangers(&before, "blue").is_empty());
    assert!(
        record.strangers(&shop(&[]), "blue").is_empty(),
        "what is not stated is no stranger"
    );
    let mut other = plan();
    other["setup"] = json!([
        {"kind": "target_group_health", "name": "one", "target_group_arn": group("blue"), "path": "/"},
        {"kind": "metric_alarm", "name": "two", "alarm_name": "shop-two", "namespace": "Other", "metric_name": "Other",
         "statistic": "Sum", "threshold": 1, "comparison": "LessThanThreshold"},
    ]);
    assert_eq!(record.strangers(&parse(other.clone()).unwrap(), "blue"), ["one"]);
    other["setup"][1]["region"] = json!("us-east-1");
    assert_eq!(record.strangers(&parse(other).unwrap(), "blue"), ["one", "two"]);
}

#[test]
fn a_setup_has_the_time_that_its_items_have() {
    let mut plan = shop(&["one"]);
    for step in &mut plan.setup {
        step.common_mut().timeout_seconds = 3600;
    }
    plan.policy.max_duration_seconds = 600;
    let setup = opened(&plan, Kind::Setup, "first");
    assert_eq!(setup.deadline.duration_since(at(0)).as_secs(), 3600);
    assert_eq!(
        opened(&plan, Kind::Failover, "m")
            .deadline
            .duration_since(at(0))
            .as_secs(),
        600
    );
}

#[test]
fn a_setup_is_not_escalated() {
    let mut setup = opened(&shop(&["one"]), Kind::Setup, "first");
    assert!(setup.escalate().is_err());
}

#[test]
fn a_record_of_before_says_by_its_source_which_replica_was_made() {
    let mut stated = plan();
    let copy = |site: &str| json!({"db_instance_identifier": format!("copy-{site}"), "source": format!("shop-{site}")});
    stated["setup"] = json!([{"kind": "rds_read_replica", "name": "one", "timeout_seconds": 1800,
                              "replicas": {"blue": copy("blue"), "green": copy("green")}}]);
    let stated = parse(stated).unwrap();
    let made = |of: Option<&str>| ResourceState::DbReadReplica {
        replica: of.map(|source| ReplicaMade {
            replica_of: Some(source.to_owned()),
            made_by: Some("shop".into()),
        }),
    };
    let mut with_its_region = stated.setup[0].clone();
    with_its_region.common_mut().region = stated.region.clone();
    let record = SetupRecord {
        epoch: 1,
        items: vec![SetupItem {
            step: with_its_region,
            pre_state: made(None).into(),
            wanted: made(Some("shop-blue")),
            made_at: at(9),
            execution: "first".into(),
        }],
    };
    assert!(record.strangers(&stated, "blue").is_empty());
    assert_eq!(record.strangers(&stated, "green"), ["one"]);
    let teardown = opened(&stated, Kind::Teardown, "teardown").take_back(&record);
    let Some(Step::RdsReadReplica(step)) = teardown.step(0) else {
        panic!("{teardown:#?}")
    };
    let at_green = step
        .wanted("green")
        .map(|replica| replica.db_instance_identifier.as_str());
    assert_eq!(at_green, Some("copy-blue"));
}
