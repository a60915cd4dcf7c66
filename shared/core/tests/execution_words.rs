//! A person's yes in the middle of a move, and what is given back at its end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod plan_support;

use jiff::Timestamp;
use plan_support::with;
use serde_json::json;
use understudy_core::control::Word;
use understudy_core::decide::Move;
use understudy_core::execution::{Execution, Kind, Next, Style, TriggerKind};
use understudy_core::plan::{OnFailure, Plan, Step, parse};
use understudy_core::state::{GroupSize, RaisedGroup, ResourceState, wanted_back};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_255_200 + seconds).unwrap()
}

fn word() -> Word {
    Word {
        operator: "mia".into(),
        reason: "looks right".into(),
        at: at(2),
    }
}

fn begun(plan: &Plan) -> Execution {
    let chosen = Move {
        kind: Kind::Failover,
        trigger: TriggerKind::Automatic,
        style: Style::Unplanned,
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
    let mut execution = Execution::open("id".into(), chosen, Vec::new(), plan, 1, at(0));
    execution.begin(at(1)).unwrap();
    execution
}

fn at_the_approval() -> Execution {
    let approval = json!({"kind": "approval", "name": "sure", "question": "Do the figures look right?"});
    let mut execution = begun(&parse(with("/steps/0", approval)).unwrap());
    execution
        .intend(0, at(1), ResourceState::Gate, ResourceState::Gate, "")
        .unwrap();
    execution.applied(0, None, "").unwrap();
    execution
}

#[test]
fn it_asks_for_a_yes_only_while_it_stands_at_an_approval() {
    let mut execution = begun(&parse(with("/steps/0", json!({"kind": "approval", "name": "sure"}))).unwrap());
    assert_eq!(execution.awaits_approval(), None, "not reached yet");
    assert!(execution.approve(word()).is_err());
    let waiting = at_the_approval();
    assert_eq!(waiting.awaits_approval(), Some(0));
    execution = waiting.clone();
    execution.turn_back("no").unwrap();
    assert_eq!(execution.awaits_approval(), None, "it goes back");
    execution = waiting.clone();
    execution.cancel = Some(word());
    assert_eq!(execution.awaits_approval(), None, "somebody stops it");
    execution = waiting;
    execution.stick("stuck").unwrap();
    assert_eq!(execution.awaits_approval(), None, "`resolve` is what it needs");
}

#[test]
fn a_yes_is_recorded_once_and_looked_at_at_once() {
    let mut execution = at_the_approval();
    execution.wait(0, at(3), at(60), "waits");
    assert_eq!(execution.next(at(4)), Next::Wait(at(60)));
    assert_eq!(execution.approve(word()).unwrap(), "sure");
    assert_eq!(execution.next(at(4)), Next::Verify(0));
    assert_eq!(execution.steps[0].approved, Some(word()));
    assert!(execution.has_word_on(0));
    assert!(
        execution.approve(word()).is_err(),
        "there is nothing left to say yes to"
    );
}

#[test]
fn what_the_person_is_asked_names_the_question_the_time_and_what_to_send() {
    let asking = at_the_approval().asking();
    assert_eq!(asking.len(), 3, "{asking:?}");
    for part in ["sure", "Do the figures look right?", "until 2026-"] {
        assert!(asking[0].contains(part), "{asking:?}");
    }
    for (line, command) in asking[1..].iter().zip(["approve", "reject"]) {
        let sent = line.split_once(": ").unwrap().1;
        let sent = understudy_core::command::parse(serde_json::from_str(sent).unwrap()).unwrap();
        assert_eq!(sent.word(), command);
        let sent = serde_json::to_value(sent).unwrap();
        assert_eq!(
            (&sent["plan"], &sent["execution"], &sent["step"]),
            (&json!("shop"), &json!("id"), &json!("sure"))
        );
    }
    let mut answered = at_the_approval();
    answered.approve(word()).unwrap();
    assert!(answered.asking().is_empty());
}

fn size(minimum: u32, desired: u32, maximum: u32) -> GroupSize {
    GroupSize {
        minimum,
        desired,
        maximum,
    }
}

fn raising() -> Plan {
    let step = json!({"kind": "asg_capacity", "name": "size", "region": "eu-central-1",
                      "groups": {"blue": "web", "green": "web-standby"}});
    parse(with("/steps/0", step)).unwrap()
}

fn raised_by(found: GroupSize, made: GroupSize) -> Execution {
    let mut execution = begun(&raising());
    let state = |size, at_least| ResourceState::AsgCapacity {
        site: "green".into(),
        size,
        at_least,
    };
    execution
        .intend(0, at(1), state(found, false), state(made, true), "")
        .unwrap();
    execution
}

#[test]
fn what_was_raised_is_remembered_and_what_was_never_called_is_not() {
    let mut execution = raised_by(size(1, 1, 4), size(3, 3, 4));
    assert!(execution.raised(&[]).is_empty(), "nothing was called");
    execution.attempt(0, at(2)).unwrap();
    execution.applied(0, None, "").unwrap();
    execution.done(0, at(3), "").unwrap();
    let raised = execution.raised(&[]);
    let expected = RaisedGroup {
        step: "size".into(),
        site: "green".into(),
        group: "web-standby".into(),
        region: Some("eu-central-1".into()),
        found: size(1, 1, 4),
        made: size(3, 3, 4),
    };
    assert_eq!(raised, std::slice::from_ref(&expected));

    let mut again = raised_by(size(3, 3, 4), size(4, 4, 4));
    again.attempt(0, at(2)).unwrap();
    let other = RaisedGroup {
        site: "red".into(),
        group: "web-third".into(),
        ..expected.clone()
    };
    let raised = again.raised(&[expected.clone(), other.clone()]);
    let both = RaisedGroup {
        made: size(4, 4, 4),
        ..expected
    };
    assert_eq!(
        raised,
        [both, other],
        "raised twice, it goes back to what it was at first"
    );
}

#[test]
fn the_way_home_gives_back_behind_all_other_steps_and_never_fails_by_it() {
    let group = |name: &str| RaisedGroup {
        step: "size".into(),
        site: "green".into(),
        group: name.into(),
        region: None,
        found: size(1, 1, 4),
        made: size(3, 3, 4),
    };
    let plan = raising();
    assert_eq!(plan.clone().giving_back(&[]), plan);
    let home = plan.clone().giving_back(&[group("a"), group("b")]);
    let names: Vec<&str> = home.steps.iter().map(Step::name).collect();
    assert_eq!(names, ["size", "traffic", "names", "size-back", "size-back-2"]);
    assert!(
        home.steps[3..]
            .iter()
            .all(|step| step.common().on_failure == OnFailure::Continue)
    );
    let more = home.policy.max_duration_seconds - plan.policy.max_duration_seconds;
    let needed: u32 = home.steps[3..].iter().map(|step| step.common().timeout_seconds).sum();
    assert_eq!(more, needed, "it takes no time from the move");
    let written = serde_json::to_value(&home).unwrap();
    assert_eq!(serde_json::from_value::<Plan>(written).unwrap(), home);
}

#[test]
fn a_group_goes_back_to_what_was_found_unless_somebody_changed_it() {
    let raised = RaisedGroup {
        step: "size".into(),
        site: "green".into(),
        group: "web-standby".into(),
        region: None,
        found: size(1, 2, 4),
        made: size(6, 6, 6),
    };
    assert_eq!(wanted_back(&raised, size(6, 6, 6)), Ok(size(1, 2, 4)));
    let grown = RaisedGroup {
        made: size(3, 3, 6),
        ..raised.clone()
    };
    assert_eq!(
        wanted_back(&grown, size(3, 5, 6)),
        Ok(size(1, 2, 4)),
        "a policy went beyond"
    );
    assert_eq!(
        wanted_back(&raised, size(1, 3, 4)),
        Ok(size(1, 3, 4)),
        "it is back already"
    );
    let why = wanted_back(&raised, size(2, 6, 6)).unwrap_err();
    assert!(why.contains("somebody else") && why.contains("2 to 6"), "{why}");
}
