//! Which steps of a plan are done, and in which order: by style, by group, and past a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::Timestamp;
use serde_json::{Value, json};
use understudy_core::control::Word;
use understudy_core::decide::Move;
use understudy_core::execution::{Direction, Execution, Held, Kind, Next, Status, StepState, Style, TriggerKind};
use understudy_core::plan::parse;
use understudy_core::state::{ResourceState, TargetWeight};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_255_200 + seconds).unwrap()
}

fn state(weight: u32) -> ResourceState {
    ResourceState::ElbWeights {
        weights: vec![TargetWeight {
            target_group_arn: "arn".into(),
            weight,
        }],
    }
}

// One step for each of these, which adds to what every step has.
fn plan(extras: &[Value]) -> Value {
    let arn = "arn:aws:elasticloadbalancing:eu-west-1:000000000000:";
    let steps: Vec<Value> = extras
        .iter()
        .enumerate()
        .map(|(index, extra)| {
            let mut step = json!({
                "kind": "elb_weights", "name": format!("step-{index}"), "timeout_seconds": 60,
                "listener_arn": format!("{arn}listener/app/shop/0123456789abcdef/0123456789abcde{index}"),
                "target_groups": {"blue": format!("{arn}targetgroup/blue/0123456789abcdef"),
                                  "green": format!("{arn}targetgroup/green/0123456789abcdef")},
            });
            let fields = step.as_object_mut().unwrap();
            fields.extend(extra.as_object().unwrap().clone());
            if fields["kind"] == "wait_healthy" {
                fields.remove("listener_arn");
                fields.remove("target_groups");
            }
            step
        })
        .collect();
    json!({
        "schema_version": 1, "name": "shop",
        "sites": [{"name": "blue", "priority": 1}, {"name": "green", "priority": 2}],
        "probes": [
            {"kind": "endpoint", "name": "blue-web", "site": "blue", "host": "blue.example.com"},
            {"kind": "endpoint", "name": "green-web", "site": "green", "host": "green.example.com"},
        ],
        "steps": steps,
    })
}

fn begun(style: Style, extras: &[Value]) -> Execution {
    let chosen = Move {
        kind: Kind::Failover,
        trigger: TriggerKind::Manual,
        style,
        from: "blue".into(),
        to: "green".into(),
        reason: "because".into(),
        operator: Some("mia".into()),
        began_at: None,
        detected_at: None,
        return_after_seconds: None,
        escalate_after_seconds: None,
        loss_estimate_seconds: None,
    };
    let plan = parse(plan(extras)).unwrap();
    let mut execution = Execution::open("id".into(), chosen, Vec::new(), &plan, 1, at(0));
    execution.begin(at(1)).unwrap();
    execution
}

fn intend(execution: &mut Execution, index: usize) {
    execution.intend(index, at(1), state(0), state(100), "").unwrap();
}

fn apply(execution: &mut Execution, index: usize) {
    execution.attempt(index, at(1)).unwrap();
    execution.applied(index, None, "").unwrap();
}

// A person holds it from this second on.
fn hold(execution: &mut Execution, second: i64) {
    let word = Word {
        operator: "mia".into(),
        reason: "wait".into(),
        at: at(second),
    };
    execution.hold(Held { word, by_fleet: false }).unwrap();
}

fn problems(extras: &[Value]) -> Vec<String> {
    let refused = parse(plan(extras)).unwrap_err();
    refused.problems().iter().map(ToString::to_string).collect()
}

#[test]
fn a_step_of_the_other_style_is_passed_over_and_says_so() {
    let extras = [json!({"when": "unplanned"}), json!({"when": "planned"}), json!({})];
    for (style, omitted) in [(Style::Planned, 0), (Style::Unplanned, 1)] {
        let mut execution = begun(style, &extras);
        if omitted == 1 {
            execution.satisfied(0, at(1), "").unwrap();
        }
        assert_eq!(execution.next(at(2)), Next::Omit(omitted));
        execution.omit(omitted).unwrap();
        let run = &execution.steps[omitted];
        assert_eq!(run.state, StepState::Omitted);
        assert!(run.detail.contains(&format!("this one is {style}")), "{}", run.detail);
        assert_ne!(execution.next(at(2)), Next::Omit(omitted));
        assert!(execution.omit(omitted).is_err());
    }
}

#[test]
fn escalation_brings_back_what_only_an_unplanned_move_does_and_opens_the_gates_of_the_planned_one() {
    let extras = [
        json!({"when": "unplanned"}),
        json!({"when": "planned", "kind": "wait_healthy", "for_seconds": 10}),
        json!({}),
    ];
    let mut execution = begun(Style::Planned, &extras);
    execution.omit(0).unwrap();
    execution
        .intend(1, at(1), ResourceState::Gate, ResourceState::Gate, "")
        .unwrap();
    execution.wait(1, at(1), at(100), "not yet");
    assert_eq!(execution.next(at(2)), Next::Wait(at(100)));

    execution.escalate().unwrap();
    assert_eq!(execution.next(at(2)), Next::Prepare(0), "before anything behind it");
    execution.satisfied(0, at(2), "").unwrap();
    assert_eq!(execution.steps[1].state, StepState::Omitted);
    assert_eq!(execution.next(at(2)), Next::Prepare(2));
}

#[test]
fn escalation_leaves_a_change_that_may_be_in_flight_to_be_verified() {
    let mut execution = begun(Style::Planned, &[json!({"when": "planned"}), json!({})]);
    intend(&mut execution, 0);
    apply(&mut execution, 0);
    execution.escalate().unwrap();
    assert_eq!(execution.next(at(2)), Next::Verify(0));
}

#[test]
fn a_group_is_begun_together_and_what_stands_behind_it_waits_for_all_of_it() {
    let group = json!({"group": "edge"});
    let mut execution = begun(Style::Planned, &[group.clone(), group, json!({})]);
    intend(&mut execution, 0);
    apply(&mut execution, 0);
    assert_eq!(
        execution.next(at(2)),
        Next::Prepare(1),
        "the first is applied, not yet seen to work"
    );
    intend(&mut execution, 1);
    apply(&mut execution, 1);
    assert_eq!(execution.next(at(2)), Next::Verify(0));
    execution.done(0, at(2), "").unwrap();
    assert_eq!(execution.next(at(2)), Next::Verify(1));
    execution.done(1, at(2), "").unwrap();
    assert_eq!(execution.next(at(2)), Next::Prepare(2));
}

#[test]
fn a_step_that_waits_keeps_none_of_its_group_from_its_turn() {
    let group = json!({"group": "edge"});
    let mut execution = begun(Style::Planned, &[group.clone(), group, json!({})]);
    intend(&mut execution, 0);
    execution.wait(0, at(2), at(20), "its new targets are not healthy yet");
    assert_eq!(execution.wake_at, None, "the other one has its turn now");
    assert!(execution.others_are_due(0, at(2)));
    assert_eq!(execution.next(at(2)), Next::Prepare(1));
    intend(&mut execution, 1);
    assert_eq!(execution.next(at(3)), Next::Apply(1));
    apply(&mut execution, 1);
    assert_eq!(execution.next(at(4)), Next::Verify(1));

    execution.wait(1, at(4), at(9), "not seen yet");
    assert_eq!(execution.wake_at, Some(at(9)), "the first turn of all");
    assert_eq!(execution.next(at(5)), Next::Wait(at(9)));
    assert_eq!(execution.next(at(9)), Next::Verify(1));
    execution.done(1, at(9), "").unwrap();
    assert_eq!(
        execution.wake_at,
        Some(at(20)),
        "what waits is not looked at before its time"
    );
    assert_eq!(
        execution.next(at(10)),
        Next::Wait(at(20)),
        "and nothing behind the group begins"
    );
    assert_eq!(execution.next(at(20)), Next::Apply(0));
}

#[test]
fn what_is_applied_is_verified_in_time_while_another_of_its_group_holds() {
    let group = json!({"group": "edge"});
    let mut execution = begun(Style::Planned, &[group.clone(), group]);
    intend(&mut execution, 0);
    apply(&mut execution, 0);
    intend(&mut execution, 1);
    for second in 2..60 {
        match execution.next(at(second)) {
            Next::Apply(1) => execution.wait(1, at(second), at(second + 5), "the database is busy"),
            Next::Verify(0) => execution.done(0, at(second), "").unwrap(),
            Next::Wait(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(execution.steps[0].state, StepState::Done);
    assert!(matches!(execution.next(at(65)), Next::TurnBack(why) if why.contains("step-1")));
}

#[test]
fn a_word_and_the_way_back_end_every_wait() {
    let group = json!({"group": "edge"});
    let mut execution = begun(Style::Planned, &[group.clone(), group]);
    for index in [0, 1] {
        intend(&mut execution, index);
        execution.wait(index, at(2), at(50), "not yet");
    }
    let mut woken = execution.clone();
    woken.look_now();
    assert_eq!(woken.next(at(3)), Next::Apply(0));
    execution.turn_back("cancelled").unwrap();
    assert_eq!(execution.next(at(3)), Next::Undo(1));
    execution.wait(1, at(3), at(8), "not yet");
    assert_eq!(
        execution.next(at(4)),
        Next::Wait(at(8)),
        "what is undone is undone one after the other"
    );
}

#[test]
fn without_a_group_a_step_waits_for_the_one_before_it() {
    let mut execution = begun(Style::Planned, &[json!({"group": "edge"}), json!({})]);
    intend(&mut execution, 0);
    apply(&mut execution, 0);
    assert_eq!(execution.next(at(2)), Next::Verify(0));
}

#[test]
fn a_failed_step_that_may_fail_is_passed_and_undone_with_the_rest() {
    let mut execution = begun(Style::Planned, &[json!({"on_failure": "continue"}), json!({})]);
    intend(&mut execution, 0);
    execution.attempt(0, at(1)).unwrap();
    execution.fail_step(0, at(2), "no permission").unwrap();
    assert_eq!(execution.next(at(2)), Next::Prepare(1));
    execution.satisfied(1, at(2), "").unwrap();
    assert_eq!(execution.next(at(2)), Next::Finish(Status::Completed));
    execution.turn_back("cancelled").unwrap();
    assert_eq!(execution.next(at(2)), Next::Undo(0));
}

#[test]
fn an_overdue_step_that_may_fail_is_given_up() {
    let mut execution = begun(Style::Planned, &[json!({"on_failure": "continue"}), json!({})]);
    intend(&mut execution, 0);
    apply(&mut execution, 0);
    let Next::Fail(0, why) = execution.next(at(61)) else {
        panic!("{:?}", execution.next(at(61)))
    };
    execution.fail_step(0, at(61), &why).unwrap();
    assert_eq!(execution.next(at(61)), Next::Prepare(1));
}

#[test]
fn errors_use_up_the_budget_and_waiting_does_not() {
    let mut execution = begun(Style::Planned, &[json!({"retry_budget": 2}), json!({})]);
    execution.put_off(0, at(1), at(2), "throttled", true);
    execution.wait(0, at(2), at(3), "not yet");
    assert!(!execution.is_out_of_retries(0));
    execution.put_off(0, at(3), at(4), "throttled", true);
    assert!(
        !execution.is_out_of_retries(0),
        "a budget of two: two errors are answered with another try"
    );
    execution.put_off(0, at(4), at(5), "throttled", true);
    assert!(execution.is_out_of_retries(0));
    assert!(
        !execution.is_out_of_retries(1),
        "without a budget only the timeout ends it"
    );
}

#[test]
fn a_plan_that_moves_nothing_in_one_style_or_parts_a_group_is_refused() {
    let found = problems(&[json!({"when": "planned"}), json!({"when": "planned"})]);
    assert!(
        found
            .iter()
            .any(|problem| problem.contains("where the move is unplanned")),
        "{found:?}"
    );
    let edge = json!({"group": "edge"});
    let found = problems(&[edge.clone(), json!({}), edge]);
    assert!(
        found
            .iter()
            .any(|problem| problem.contains("steps[2].group") && problem.contains("steps[0]")),
        "{found:?}"
    );
}

#[test]
fn a_step_that_is_given_up_says_to_what_what_was_wanted_and_what_was_called() {
    let mut execution = begun(Style::Planned, &[json!({}), json!({})]);
    intend(&mut execution, 0);
    execution.wait(0, at(2), at(3), "its targets are not healthy");
    let Next::TurnBack(why) = execution.next(at(61)) else {
        panic!("{:?}", execution.next(at(61)))
    };
    for part in [
        "step step-0 (elb_weights at ",
        "listener/app/shop/0123456789abcdef/0123456789abcde0",
        "targetgroup/green/",
        "60 seconds",
        "last seen: its targets are not healthy",
        "wanted: arn=100",
        "no call was made that may have changed it",
    ] {
        assert!(why.contains(part), "{part}: {why}");
    }
    execution.attempt(0, at(3)).unwrap();
    let found = execution.account(0, Some(&state(50)));
    assert_eq!(
        found,
        "wanted: arn=100; found: arn=50; 1 call was made that may have changed it"
    );
    execution.turn_back("cancelled").unwrap();
    execution.attempt(0, at(4)).unwrap();
    let found = execution.account(0, None);
    assert!(
        found.ends_with("1 call was made that may have changed it, and 1 to undo it"),
        "{found}"
    );
}

#[test]
fn where_it_stands_does_not_count_what_it_went_on_without() {
    let mut execution = begun(
        Style::Planned,
        &[json!({"on_failure": "continue"}), json!({"on_failure": "halt"})],
    );
    execution.fail_step(0, at(2), "refused").unwrap();
    let names = |execution: &Execution| -> Vec<String> { execution.front().map(|(_, run)| run.name.clone()).collect() };
    assert_eq!(names(&execution), ["step-1"]);
    execution.fail_step(1, at(3), "refused").unwrap();
    execution.stick("step-1 failed").unwrap();
    execution.unstick(at(9), Direction::Forward).unwrap();
    let states: Vec<StepState> = execution.steps.iter().map(|run| run.state).collect();
    assert_eq!(
        states,
        [StepState::Failed, StepState::Pending],
        "what was given up for good stays so, what it stands at is tried afresh"
    );
}

#[test]
fn one_that_is_held_sees_through_what_is_on_its_way_and_begins_nothing_else_of_the_group() {
    let edge = json!({"group": "edge"});
    let mut execution = begun(Style::Planned, &[edge.clone(), edge.clone(), edge]);
    intend(&mut execution, 0);
    execution.attempt(0, at(1)).unwrap();
    intend(&mut execution, 1);
    assert_eq!(execution.next(at(2)), Next::Apply(0));
    hold(&mut execution, 2);
    assert_eq!(execution.next(at(3)), Next::Apply(0), "it may have been called");
    assert!(!execution.others_are_due(0, at(3)), "the others have no turns");
    execution.applied(0, None, "").unwrap();
    assert_eq!(execution.next(at(4)), Next::Verify(0));
    execution.done(0, at(5), "").unwrap();
    assert_eq!(
        execution.next(at(6)),
        Next::AwaitPerson,
        "neither the intended nor the pending one is begun"
    );
    execution.release(at(7)).unwrap();
    assert_eq!(execution.next(at(8)), Next::Apply(1));
}

#[test]
fn to_resolve_it_lets_it_go_on_whoever_held_it() {
    for direction in [Direction::Forward, Direction::Back] {
        let mut execution = begun(Style::Planned, &[json!({})]);
        intend(&mut execution, 0);
        execution.attempt(0, at(1)).unwrap();
        hold(&mut execution, 2);
        execution.stick("overdue").unwrap();
        execution.unstick(at(9), direction).unwrap();
        assert_ne!(execution.next(at(9)), Next::AwaitPerson, "{direction:?}");
    }
}

#[test]
fn a_call_that_was_not_made_leaves_no_trace_and_one_that_was_turned_away_no_wait() {
    let mut execution = begun(Style::Planned, &[json!({})]);
    intend(&mut execution, 0);
    let before = execution.steps[0].clone();
    execution.attempt(0, at(2)).unwrap();
    execution.not_called(0, &before);
    assert_eq!(execution.steps[0], before);

    execution.attempt(0, at(3)).unwrap();
    execution.steps[0].more_calls = true;
    let first = execution.steps[0].clone();
    execution.attempt(0, at(4)).unwrap();
    execution.steps[0].more_calls = false;
    execution.turned_away(0, &first);
    let run = &execution.steps[0];
    assert_eq!(
        (run.attempted_at, run.more_calls),
        (Some(at(3)), true),
        "the one before it counts"
    );
    assert_eq!(run.attempts, 2, "it was tried");
}

#[test]
fn the_time_until_it_escalates_does_not_run_while_it_is_held_and_stuck() {
    let mut execution = begun(Style::Planned, &[json!({})]);
    execution.escalate_at = Some(at(100));
    intend(&mut execution, 0);
    execution.attempt(0, at(1)).unwrap();
    hold(&mut execution, 10);
    execution.stick("overdue").unwrap();
    execution.unstick(at(60), Direction::Forward).unwrap();
    assert_eq!(execution.escalate_at, Some(at(150)));
}
