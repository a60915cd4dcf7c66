//! What people's words change of an execution that goes on or is stuck: each done, repeated, and refused without a trace.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "guard_support/mod.rs"]
#[allow(dead_code)]
mod guard_support;

use guard_support::{at, blue_to_green, plan, promotion};
use serde_json::{Value, json};
use understudy_core::command::{Command, parse as command};
use understudy_core::control::{Away, Control, Word};
use understudy_core::decide::{LagRecord, Lags, Move};
use understudy_core::execution::{Direction, Execution, Held, Kind, Status, StepState, Style, TriggerKind};
use understudy_core::guard::Guard;
use understudy_core::plan::{Plan, parse};
use understudy_core::report::EventKind;
use understudy_core::state::ResourceState;
use understudy_core::words::Said;

fn word(seconds: i64) -> Word {
    Word {
        operator: "mia".into(),
        reason: "a reason".into(),
        at: at(seconds),
    }
}

fn asked(fields: Value) -> Command {
    let mut asked = json!({"plan": "shop", "operator": "mia", "reason": "a reason"});
    asked
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    command(asked).unwrap()
}

// A control item with an execution that has begun.
fn begun(plan: &Plan, chosen: Move) -> Control {
    let mut control = Control::new("shop", "blue", "revision#00000001-x");
    let mut execution = Execution::open("run".into(), chosen, Vec::new(), plan, 1, at(0));
    execution.begin(at(1)).unwrap();
    control.execution = Some(execution);
    control
}

fn moving() -> Control {
    begun(&plan(json!({}), &[], &[]), blue_to_green())
}

fn at_the_approval() -> Control {
    let plan = plan(json!({}), &[json!({"kind": "approval", "name": "sure"})], &[]);
    let mut control = begun(&plan, blue_to_green());
    let execution = control.execution.as_mut().unwrap();
    execution
        .intend(0, at(1), ResourceState::Gate, ResourceState::Gate, "")
        .unwrap();
    execution.applied(0, None, "").unwrap();
    control
}

// A fence, then a promotion, in a move that was planned.
fn fenced() -> Control {
    let database = |name: &str, region: &str| {
        json!({"db_instance_identifier": name, "security_groups": ["sg-0123456789abcdef0"],
               "fence_group": "sg-0fedcba9876543210", "region": region})
    };
    let fence = json!({"kind": "fence_source", "name": "fence", "timeout_seconds": 600, "databases": {
        "blue": database("shop-blue", "eu-west-1"), "green": database("shop-green", "eu-central-1")}});
    let plan = plan(json!({"hold_seconds": 30}), &[fence, promotion()], &[]);
    let chosen = Move {
        style: Style::Planned,
        trigger: TriggerKind::Manual,
        ..blue_to_green()
    };
    begun(&plan, chosen)
}

fn running(control: &Control) -> &Execution {
    control.execution.as_ref().unwrap()
}

fn running_mut(control: &mut Control) -> &mut Execution {
    control.execution.as_mut().unwrap()
}

#[track_caller]
fn refused<T: std::fmt::Debug, E: Into<Said>>(
    control: &mut Control,
    says: &str,
    change: impl FnOnce(&mut Control) -> Result<T, E>,
) -> Said {
    let before = control.clone();
    let why: Said = change(control)
        .map(|done| panic!("{done:?}"))
        .unwrap_or_else(Into::into);
    assert!(why.sentence.contains(says), "{why}");
    assert_eq!(*control, before, "a word that is refused changes nothing");
    why
}

#[test]
fn every_word_about_an_execution_is_refused_where_none_goes_on() {
    let mut idle = Control::new("shop", "blue", "revision#00000001-x");
    let none = "no execution is in progress";
    refused(&mut idle, none, |it| it.hold_execution(&word(2)));
    refused(&mut idle, none, |it| it.release_execution(&word(2)));
    refused(&mut idle, none, |it| it.cancel_execution(&word(2)));
    let Command::Approve(yes) = asked(json!({"command": "approve", "step": "sure"})) else {
        panic!()
    };
    refused(&mut idle, none, |it| it.approve_step(&yes, &word(2)));
    refused(&mut idle, none, |it| it.reject(&yes, &word(2)));
    let Command::Skip(skip) = asked(json!({"command": "skip", "step": "record"})) else {
        panic!()
    };
    refused(&mut idle, none, |it| it.skip_step(&skip, &Lags::new(), &word(2)));
    let Command::Escalate(escalate) = asked(json!({"command": "escalate"})) else {
        panic!()
    };
    refused(&mut idle, none, |it| {
        it.escalate_execution(&escalate, &Lags::new(), &word(2))
    });
    for action in ["retry", "rollback", "abandon"] {
        let Command::Resolve(resolve) = asked(json!({"command": "resolve", "action": action})) else {
            panic!()
        };
        refused(&mut idle, none, |it| it.resolve(&resolve, None, &word(2)));
    }
}

#[test]
fn it_is_held_once_and_let_go_once_and_both_words_are_kept() {
    let mut control = moving();
    refused(&mut control, "not held", |it| it.release_execution(&word(2)));
    let said = control.hold_execution(&word(2)).unwrap();
    assert!(said.contains("rests at the next step boundary"), "{said}");
    refused(&mut control, "held by mia", |it| it.hold_execution(&word(3)));
    control.release_execution(&word(9)).unwrap();
    let words: Vec<&str> = running(&control)
        .words
        .iter()
        .map(|spoken| spoken.command.as_str())
        .collect();
    assert_eq!((words, &running(&control).held), (vec!["pause", "resume"], &None));
    running_mut(&mut control)
        .hold(Held {
            word: word(10),
            by_fleet: true,
        })
        .unwrap();
    refused(&mut control, "kill switch", |it| it.release_execution(&word(11)));
}

#[test]
fn a_cancelled_one_goes_on_to_be_undone_even_if_it_was_held() {
    let mut control = moving();
    control.hold_execution(&word(2)).unwrap();
    control.cancel_execution(&word(3)).unwrap();
    assert_eq!(
        (&running(&control).held, &running(&control).cancel),
        (&None, &Some(word(3)))
    );

    let mut back = moving();
    running_mut(&mut back).turn_back("no").unwrap();
    refused(&mut back, "goes back already", |it| it.cancel_execution(&word(3)));
    let mut stuck = moving();
    running_mut(&mut stuck).stick("stuck").unwrap();
    refused(&mut stuck, "`resolve`", |it| it.cancel_execution(&word(3)));
    let teardown = Move {
        kind: Kind::Teardown,
        ..blue_to_green()
    };
    let mut teardown = begun(&plan(json!({}), &[], &[]), teardown);
    refused(&mut teardown, "what it has taken back stays so", |it| {
        it.cancel_execution(&word(3))
    });
}

#[test]
fn an_answer_counts_for_the_step_that_waits_and_for_no_other() {
    let answer = |fields: Value| match asked(fields) {
        Command::Approve(answer) | Command::Reject(answer) => answer,
        other => panic!("{other:?}"),
    };
    let plain = answer(json!({"command": "approve"}));
    assert!(at_the_approval().is_about_execution(&plain));
    assert!(!moving().is_about_execution(&plain), "it waits for nobody");
    assert!(moving().is_about_execution(&answer(json!({"command": "approve", "step": "sure"}))));
    let proposal = answer(json!({"command": "approve", "proposal": "first"}));
    assert!(!at_the_approval().is_about_execution(&proposal));

    let mut control = at_the_approval();
    for (fields, says) in [
        (
            json!({"command": "approve", "step": "record"}),
            "step sure of execution run",
        ),
        (
            json!({"command": "approve", "execution": "other"}),
            "step sure of execution run",
        ),
    ] {
        let other = answer(fields);
        refused(&mut control, says, |it| it.approve_step(&other, &word(2)));
        refused(&mut control, says, |it| it.reject(&other, &word(2)));
    }
    let mut said_no = control.clone();
    control.approve_step(&plain, &word(2)).unwrap();
    assert_eq!(running(&control).steps[0].approved, Some(word(2)));
    refused(&mut control, "waits for no answer", |it| {
        it.approve_step(&plain, &word(3))
    });
    said_no.reject(&plain, &word(2)).unwrap();
    assert_eq!(running(&said_no).cancel, Some(word(2)));
    let named = answer(json!({"command": "reject", "step": "sure"}));
    refused(&mut said_no, "waits for no answer", |it| it.reject(&named, &word(3)));
}

fn skip(step: &str, accept_data_loss: bool) -> understudy_core::command::Skip {
    match asked(json!({"command": "skip", "step": step, "accept_data_loss": accept_data_loss})) {
        Command::Skip(skip) => skip,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_step_is_skipped_where_it_stands_and_while_no_call_of_it_may_be_in_flight() {
    let mut control = moving();
    refused(&mut control, "it stands at step record", |it| {
        it.skip_step(&skip("other", false), &Lags::new(), &word(2))
    });
    let mut stuck = control.clone();
    let said = control
        .skip_step(&skip("record", false), &Lags::new(), &word(2))
        .unwrap();
    assert_eq!(
        (said.sentence.as_str(), said.verdicts.len()),
        ("execution run goes on without step record", 0)
    );
    assert_eq!(running(&control).skip.as_ref().unwrap().word, word(2));
    assert_eq!(
        running(&control).steps[0].state,
        StepState::Pending,
        "the executor heeds it"
    );

    running_mut(&mut stuck).stick("stuck").unwrap();
    stuck.skip_step(&skip("record", false), &Lags::new(), &word(2)).unwrap();
    assert_eq!(running(&stuck).steps[0].state, StepState::Skipped, "nobody else would");
    assert_eq!(
        (&running(&stuck).skip, running(&stuck).status),
        (&None, Status::InProgress)
    );

    let mut back = moving();
    running_mut(&mut back).turn_back("no").unwrap();
    refused(&mut back, "an undo is not skipped", |it| {
        it.skip_step(&skip("record", false), &Lags::new(), &word(2))
    });
}

#[test]
fn a_fence_is_gone_on_without_only_by_whoever_accepts_the_loss() {
    let mut control = fenced();
    let said = refused(&mut control, "step fence is a fence", |it| {
        it.skip_step(&skip("fence", false), &Lags::new(), &word(2))
    });
    assert!(said.verdicts.iter().any(|verdict| !verdict.allows), "{said:?}");
    let lag = LagRecord {
        seconds: 7,
        measured_at: at(0),
        source_healthy: true,
    };
    let lags = Lags::from([("green".to_owned(), lag)]);
    let mut known = control.clone();
    let said = control.skip_step(&skip("fence", true), &Lags::new(), &word(2)).unwrap();
    assert!(said.sentence.contains("nobody knows how much data"), "{said}");
    let said = known.skip_step(&skip("fence", true), &lags, &word(2)).unwrap();
    assert!(said.sentence.contains("s of data may be lost"), "{said}");
    assert!(running(&known).loss_estimate_seconds.is_some());
    let wish = running(&known).skip.clone().unwrap();
    assert!(wish.word.reason.contains("accepting the loss of data"), "{wish:?}");
}

#[test]
fn a_planned_move_is_escalated_by_the_guards_and_once() {
    let escalate = |accepts: bool| match asked(json!({"command": "escalate", "accept_data_loss": accepts})) {
        Command::Escalate(escalate) => escalate,
        other => panic!("{other:?}"),
    };
    let mut control = fenced();
    let said = refused(&mut control, "stays planned", |it| {
        it.escalate_execution(&escalate(false), &Lags::new(), &word(2))
    });
    assert!(
        said.verdicts
            .iter()
            .any(|verdict| verdict.guard == Guard::LagKnown && !verdict.allows),
        "{said:?}"
    );
    let said = control
        .escalate_execution(&escalate(true), &Lags::new(), &word(2))
        .unwrap();
    assert!(said.sentence.contains("goes on as an unplanned move"), "{said}");
    assert_eq!(running(&control).style, Style::Unplanned);
    assert_eq!(running(&control).words.last().unwrap().command, "escalate");
    refused(&mut control, "unplanned", |it| {
        it.escalate_execution(&escalate(true), &Lags::new(), &word(3))
    });
}

fn resolve(fields: Value) -> understudy_core::command::Resolve {
    let mut text = json!({"command": "resolve"});
    text.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    match asked(text) {
        Command::Resolve(resolve) => resolve,
        other => panic!("{other:?}"),
    }
}

fn stuck() -> Control {
    let mut control = moving();
    running_mut(&mut control).stick("the zone is gone").unwrap();
    control
}

#[test]
fn a_stuck_one_is_tried_on_or_undone_and_one_that_is_not_stuck_is_neither() {
    for action in ["retry", "rollback", "abandon"] {
        refused(&mut moving(), "not stuck", |it| {
            it.resolve(&resolve(json!({"action": action})), None, &word(5))
        });
    }
    for (action, direction) in [("retry", Direction::Forward), ("rollback", Direction::Back)] {
        let mut control = stuck();
        let asked = resolve(json!({"action": action}));
        control.resolve(&asked, None, &word(5)).unwrap();
        assert_eq!(running(&control).direction, direction);
        assert_ne!(running(&control).status, Status::Stuck);
        assert_eq!(
            running(&control).words.last().unwrap().command,
            format!("resolve with {action}")
        );
        refused(&mut control, "not stuck", |it| it.resolve(&asked, None, &word(6)));
    }
}

#[test]
fn an_abandoned_one_ends_as_failed_where_the_person_says_that_the_work_is() {
    let abandon = |site: Option<&str>| match site {
        Some(site) => resolve(json!({"action": "abandon", "active_site": site})),
        None => resolve(json!({"action": "abandon"})),
    };
    let mut control = stuck();
    refused(&mut control, "not a site of the plan", |it| {
        it.resolve(&abandon(Some("red")), None, &word(5))
    });
    // A site that the newest revision has lost is nobody's to look after.
    let mut text = serde_json::to_value(plan(json!({}), &[], &[])).unwrap();
    text["sites"][1]["name"] = json!("teal");
    text["probes"][1]["site"] = json!("teal");
    let green = text["steps"][0]["records"][0]["sites"]
        .as_object_mut()
        .unwrap()
        .remove("green")
        .unwrap();
    text["steps"][0]["records"][0]["sites"]["teal"] = green;
    let newest = parse(text).unwrap();
    refused(&mut control, "not a site of the plan", |it| {
        it.resolve(&abandon(Some("green")), Some(&newest), &word(5))
    });

    let mut stays = control.clone();
    stays.resolve(&abandon(None), None, &word(5)).unwrap();
    assert_eq!((stays.active_site.as_str(), &stays.away), ("blue", &None));
    let mut moved = control.clone();
    let said = moved.resolve(&abandon(Some("green")), None, &word(5)).unwrap();
    assert!(said.contains("the active site is green"), "{said}");
    let away = moved.away.clone().unwrap();
    assert_eq!(
        (moved.active_site.as_str(), away.since, away.execution.as_str()),
        ("green", at(5), "run")
    );
    for ended in [&stays, &moved] {
        assert_eq!(running(ended).status, Status::Failed);
        let failure = running(ended).failure.clone().unwrap();
        assert!(failure.contains("the zone is gone; abandoned by mia"), "{failure}");
        assert_eq!(
            ended
                .announcements
                .iter()
                .filter(|told| told.event == EventKind::Failed)
                .count(),
            1
        );
    }
    refused(&mut moved, "not stuck", |it| it.resolve(&abandon(None), None, &word(6)));

    // Away already, and still there: since when and by what stays.
    let mut there = control;
    there.active_site = "green".into();
    let before = Away {
        since: at(-60),
        execution: "first".into(),
        ..away
    };
    there.away = Some(before.clone());
    there.resolve(&abandon(Some("green")), None, &word(5)).unwrap();
    assert_eq!(there.away, Some(before));
    let mut home = stuck();
    home.active_site = "green".into();
    home.away = Some(moved.away.unwrap());
    home.resolve(&abandon(Some("blue")), None, &word(5)).unwrap();
    assert_eq!((home.active_site.as_str(), home.away), ("blue", None));

    let setup = Move {
        kind: Kind::Setup,
        ..blue_to_green()
    };
    let mut setup = begun(&plan(json!({}), &[], &[guard_support::alarm_item("errors")]), setup);
    running_mut(&mut setup).stick("stuck").unwrap();
    refused(&mut setup, "moves nothing", |it| {
        it.resolve(&abandon(Some("blue")), None, &word(5))
    });
}
