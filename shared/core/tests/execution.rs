//! The executor's protocol as a state machine: every order of results ends, and no illegal transition is repaired.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::json;
use understudy_core::control::{MAX_TAKEOVERS, Word, later};
use understudy_core::decide::Move;
use understudy_core::execution::{
    Direction, Execution, Held, Kind, MAX_WORDS, Next, SkipWish, Status, StepState, Style, TriggerKind,
};
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

fn execution(halt: bool) -> Execution {
    let listener = "arn:aws:elasticloadbalancing:eu-west-1:000000000000:listener/app/shop/0123456789abcdef/";
    let group =
        |name: &str| format!("arn:aws:elasticloadbalancing:eu-west-1:000000000000:targetgroup/{name}/0123456789abcdef");
    let step = |name: &str, number: &str| {
        json!({"kind": "elb_weights", "name": name, "listener_arn": format!("{listener}{number}"), "timeout_seconds": 60,
               "on_failure": if halt { "halt" } else { "rollback" },
               "target_groups": {"blue": group("blue"), "green": group("green")}})
    };
    let plan = parse(json!({
        "schema_version": 1, "name": "shop",
        "sites": [{"name": "blue", "priority": 1}, {"name": "green", "priority": 2}],
        "probes": [
            {"kind": "endpoint", "name": "blue-web", "site": "blue", "host": "blue.example.com"},
            {"kind": "endpoint", "name": "green-web", "site": "green", "host": "green.example.com"},
        ],
        "steps": [step("one", "0123456789abcde1"), step("two", "0123456789abcde2")],
    }))
    .unwrap();
    let chosen = Move {
        kind: Kind::Failover,
        trigger: TriggerKind::Manual,
        style: Style::Planned,
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
    Execution::open("id".into(), chosen, Vec::new(), &plan, 1, at(0))
}

fn begun(halt: bool) -> Execution {
    let mut execution = execution(halt);
    assert_eq!(execution.next(at(0)), Next::Begin);
    execution.begin(at(0)).unwrap();
    execution
}

#[test]
fn the_straight_way_is_read_intend_call_verify_for_each_step() {
    let mut execution = begun(false);
    for index in 0..2 {
        assert_eq!(execution.next(at(1)), Next::Prepare(index));
        execution.intend(index, at(1), state(0), state(100), "").unwrap();
        assert_eq!(execution.next(at(1)), Next::Apply(index));
        execution.attempt(index, at(1)).unwrap();
        execution.applied(index, None, "").unwrap();
        assert_eq!(execution.next(at(1)), Next::Verify(index));
        execution.done(index, at(1), "").unwrap();
    }
    assert_eq!(execution.next(at(1)), Next::Finish(Status::Completed));
    execution.finish(at(2), Status::Completed).unwrap();
    assert_eq!(execution.next(at(2)), Next::Archive);
}

#[test]
fn nothing_is_attempted_without_a_durable_pre_state() {
    let mut execution = begun(false);
    assert!(execution.attempt(0, at(1)).is_err());
    assert!(execution.applied(0, None, "").is_err());
    assert!(execution.done(0, at(1), "").is_err());
    assert!(execution.undone(0, at(1), "").is_err());
    assert!(execution.intend(7, at(1), state(0), state(1), "").is_err());
    assert_eq!(
        execution.steps[0].state,
        StepState::Pending,
        "an illegal transition changes nothing"
    );
    execution.intend(0, at(1), state(0), state(100), "").unwrap();
    assert!(
        execution.intend(0, at(1), state(5), state(6), "").is_err(),
        "a pre-state is recorded once"
    );
    assert_eq!(execution.steps[0].pre_state, Some(state(0).into()));
}

#[test]
fn a_call_that_was_refused_unseen_does_not_count_as_one_that_may_have_worked() {
    let mut execution = begun(false);
    execution.intend(0, at(1), state(0), state(100), "").unwrap();
    execution.attempt(0, at(1)).unwrap();
    execution.had_no_effect(0);
    assert_eq!(execution.steps[0].attempts, 0);
    execution.had_no_effect(0);
    assert_eq!(execution.steps[0].attempts, 0, "below nothing is nothing");
    execution.attempt(0, at(1)).unwrap();
    execution.turn_back("because").unwrap();
    execution.attempt(0, at(1)).unwrap();
    execution.had_no_effect(0);
    assert_eq!(
        (execution.steps[0].attempts, execution.steps[0].undo_attempts),
        (2, 1),
        "an undo keeps its count"
    );
}

#[test]
fn a_failed_step_turns_back_or_halts_as_the_plan_says() {
    for halt in [false, true] {
        let mut execution = begun(halt);
        execution.intend(0, at(1), state(0), state(100), "").unwrap();
        execution.fail_step(0, at(2), "no permission").unwrap();
        match execution.next(at(2)) {
            Next::TurnBack(why) if !halt => assert!(why.contains("no permission"), "{why}"),
            Next::Stick(why) if halt => assert!(why.contains("no permission"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn undo_goes_backwards_over_everything_that_may_have_changed() {
    let mut execution = begun(false);
    execution.intend(0, at(1), state(0), state(100), "").unwrap();
    execution.done(0, at(1), "").unwrap();
    execution.intend(1, at(1), state(0), state(100), "").unwrap();
    execution.turn_back("because").unwrap();
    assert!(execution.turn_back("again").is_err());
    assert_eq!(
        execution.next(at(2)),
        Next::Undo(1),
        "intended: it may have been called"
    );
    execution.undone(1, at(2), "").unwrap();
    assert!(
        execution.undone(1, at(2), "").is_err(),
        "an undone step is not undone again"
    );
    assert_eq!(execution.next(at(2)), Next::Undo(0));
    execution.undone(0, at(2), "").unwrap();
    assert_eq!(execution.next(at(2)), Next::Finish(Status::RolledBack));
}

#[test]
fn a_satisfied_step_is_never_undone() {
    let mut execution = begun(false);
    execution.satisfied(0, at(1), "as wanted").unwrap();
    execution.turn_back("because").unwrap();
    assert_eq!(execution.next(at(1)), Next::Finish(Status::RolledBack));
}

#[test]
fn a_cancelled_execution_ends_as_cancelled() {
    let mut execution = begun(false);
    execution.intend(0, at(1), state(0), state(100), "").unwrap();
    execution.cancel = Some(Word {
        operator: "mia".into(),
        reason: "no".into(),
        at: at(1),
    });
    let Next::TurnBack(why) = execution.next(at(1)) else {
        panic!("it must turn back")
    };
    execution.turn_back(&why).unwrap();
    execution.undone(0, at(2), "").unwrap();
    assert_eq!(execution.next(at(2)), Next::Finish(Status::Cancelled));
}

#[test]
fn deadlines_takeovers_and_stuck_call_a_person() {
    let mut execution = begun(false);
    execution.intend(0, at(1), state(0), state(100), "").unwrap();
    assert!(
        matches!(execution.next(at(61)), Next::TurnBack(_)),
        "a step has a deadline"
    );
    execution.takeovers_without_progress = MAX_TAKEOVERS;
    assert!(matches!(execution.next(at(2)), Next::Stick(_)));
    execution.takeovers_without_progress = 0;
    let over = later(at(0), SignedDuration::from_secs(1800));
    assert!(
        matches!(execution.next(over), Next::Stick(_)),
        "and an execution has one"
    );
    execution.stick("it took too long").unwrap();
    assert_eq!(execution.next(over), Next::AwaitPerson);
    assert!(execution.begin(over).is_err());
    execution.unstick(over, Direction::Forward).unwrap();
    assert_eq!(
        execution.next(over),
        Next::Apply(0),
        "a person's word gives it new time"
    );
}

#[test]
fn a_wait_is_waited_for_and_then_forgotten_by_progress() {
    let mut execution = begun(false);
    execution.intend(0, at(1), state(0), state(100), "").unwrap();
    execution.wait(0, at(1), at(9), "throttled");
    assert_eq!(execution.next(at(2)), Next::Wait(at(9)));
    assert_eq!(execution.next(at(9)), Next::Apply(0));
    execution.applied(0, None, "").unwrap();
    assert!(execution.wake_at.is_none());
}

fn word(seconds: i64) -> Word {
    Word {
        operator: "mia".into(),
        reason: "wait".into(),
        at: at(seconds),
    }
}

fn held(seconds: i64, by_fleet: bool) -> Held {
    Held {
        word: word(seconds),
        by_fleet,
    }
}

#[test]
fn a_hold_is_heeded_at_the_step_boundary_and_its_clocks_stand_still() {
    let mut execution = begun(false);
    execution.intend(0, at(1), state(0), state(100), "").unwrap();
    execution.attempt(0, at(1)).unwrap();
    execution.hold(held(2, false)).unwrap();
    assert_eq!(execution.next(at(2)), Next::Apply(0), "a call may be in flight");
    execution.applied(0, None, "").unwrap();
    execution.done(0, at(3), "").unwrap();
    assert_eq!(
        (execution.next(at(3)), execution.status),
        (Next::AwaitPerson, Status::Waiting)
    );
    let deadline = execution.deadline;
    assert_eq!(
        execution.next(later(deadline, SignedDuration::from_hours(1))),
        Next::AwaitPerson
    );
    execution.release(at(102)).unwrap();
    assert_eq!(execution.deadline, later(deadline, SignedDuration::from_secs(100)));
    assert_eq!(execution.next(at(102)), Next::Prepare(1));
    assert!(execution.release(at(103)).is_err());
}

#[test]
fn the_kill_switch_holds_even_between_two_calls_of_a_step() {
    let mut execution = begun(false);
    execution.intend(0, at(1), state(0), state(100), "").unwrap();
    execution.attempt(0, at(1)).unwrap();
    execution.hold(held(2, true)).unwrap();
    assert_eq!(execution.next(at(2)), Next::AwaitPerson);
    assert!(execution.hold(held(3, false)).is_err(), "once is enough");
}

#[test]
fn a_step_is_skipped_by_word_and_never_while_its_call_may_be_in_flight() {
    let mut execution = begun(false);
    let wish = |step: &str| SkipWish {
        step: step.into(),
        word: word(1),
    };
    execution.skip = Some(wish("one"));
    execution.intend(0, at(1), state(0), state(100), "").unwrap();
    execution.attempt(0, at(1)).unwrap();
    assert_eq!(execution.next(at(1)), Next::Apply(0));
    assert!(execution.skip(0, at(1)).is_err());
    execution.applied(0, None, "").unwrap();
    execution.done(0, at(2), "").unwrap();

    execution.skip = Some(wish("two"));
    assert_eq!(execution.next(at(3)), Next::Skip(1));
    execution.skip(1, at(3)).unwrap();
    assert!(
        execution.steps[1].detail.contains("skipped by mia"),
        "{}",
        execution.steps[1].detail
    );
    assert_eq!(execution.next(at(3)), Next::Finish(Status::Completed));
}

#[test]
fn a_failed_step_of_a_stuck_execution_is_skipped_and_still_undone_if_it_turns_round() {
    let mut execution = begun(true);
    execution.intend(0, at(1), state(0), state(100), "").unwrap();
    execution.attempt(0, at(1)).unwrap();
    execution.fail_step(0, at(2), "refused").unwrap();
    execution.stick("step one failed").unwrap();
    execution.skip = Some(SkipWish {
        step: "one".into(),
        word: word(3),
    });
    execution.skip(0, at(3)).unwrap();
    assert_eq!(execution.next(at(3)), Next::Prepare(1));
    execution.turn_back("cancelled").unwrap();
    assert_eq!(
        execution.next(at(4)),
        Next::Undo(0),
        "it may have changed something before it failed"
    );
}

#[test]
fn a_planned_move_that_still_goes_on_becomes_an_unplanned_one_in_time() {
    let mut execution = begun(false);
    execution.escalate_at = Some(at(30));
    execution.wait(0, at(1), at(20), "not ready");
    assert_eq!(execution.next(at(19)), Next::Wait(at(20)));
    assert_eq!(execution.next(at(30)), Next::Escalate);
    execution.escalate().unwrap();
    assert_eq!(
        (execution.style, execution.next(at(30))),
        (Style::Unplanned, Next::Prepare(0))
    );
    assert!(execution.escalate().is_err(), "once is enough");
}

#[test]
fn a_stuck_move_that_is_tried_again_has_its_whole_time_before_it_escalates() {
    let mut execution = begun(false);
    execution.escalate_at = Some(at(30));
    execution.stick("the gate did not open").unwrap();
    execution.unstick(at(100), Direction::Forward).unwrap();
    assert_eq!(execution.escalate_at, Some(at(130)));
    assert_ne!(execution.next(at(100)), Next::Escalate);
}

#[test]
fn an_execution_keeps_the_newest_words_about_it() {
    let mut execution = begun(false);
    for number in 0..30 {
        execution.hear("resolve with retry", &word(number));
    }
    assert_eq!(execution.words.len(), MAX_WORDS);
    assert_eq!(execution.words.last().unwrap().word, word(29));
    assert!(execution.words[0].sentence().contains("said resolve with retry at"));
}

proptest! {
    /// Whatever the results: following `next` never meets an illegal transition, and it always ends.
    #[test]
    fn following_next_is_always_legal_and_ends(
        results in prop::collection::vec(0u8..8, 200), halt in prop::bool::ANY, skip in prop::bool::ANY, escalate_at in 0i64..60,
    ) {
        let mut execution = execution(halt);
        execution.skip = skip.then(|| SkipWish { step: "two".into(), word: word(0) });
        execution.escalate_at = Some(at(escalate_at));
        let mut results = results.into_iter();
        let mut second = 0;
        for _ in 0..200 {
            second += 7;
            let (now, result) = (at(second), results.next().unwrap_or(0));
            match execution.next(now) {
                Next::Begin => execution.begin(now).unwrap(),
                Next::Prepare(index) => match result {
                    0 => execution.satisfied(index, now, "").unwrap(),
                    1 => execution.fail_step(index, now, "refused").unwrap(),
                    2 => execution.wait(index, now, at(second + 3), "later"),
                    _ => execution.intend(index, now, state(0), state(100), "").unwrap(),
                },
                Next::Apply(index) => {
                    execution.attempt(index, now).unwrap();
                    match result {
                        0 => execution.fail_step(index, now, "refused").unwrap(),
                        1 => execution.wait(index, now, at(second + 3), "later"),
                        _ => execution.applied(index, None, "").unwrap(),
                    }
                }
                Next::Verify(index) => match result {
                    0 | 1 => execution.wait(index, now, at(second + 3), "not yet"),
                    2 => execution.fail_step(index, now, "refused").unwrap(),
                    _ => execution.done(index, now, "").unwrap(),
                },
                Next::Undo(index) => match result {
                    0 | 1 => { execution.attempt(index, now).unwrap(); }
                    _ => execution.undone(index, now, "").unwrap(),
                },
                Next::Skip(index) => execution.skip(index, now).unwrap(),
                Next::Omit(index) => execution.omit(index).unwrap(),
                Next::Fail(index, why) => execution.fail_step(index, now, &why).unwrap(),
                Next::Escalate => execution.escalate().unwrap(),
                Next::Wait(until) => prop_assert!(until > now),
                Next::TurnBack(why) => execution.turn_back(&why).unwrap(),
                Next::Stick(why) => execution.stick(&why).unwrap(),
                Next::Finish(status) => {
                    if status == Status::Completed {
                        prop_assert!(execution.steps.iter().all(|run| matches!(run.state, StepState::Done | StepState::Satisfied | StepState::Skipped | StepState::Omitted)));
                    }
                    execution.finish(now, status).unwrap();
                }
                Next::Archive | Next::AwaitPerson => return Ok(()),
            }
        }
        prop_assert!(false, "it never ended: {:?}", execution.next(at(second)));
    }
}
