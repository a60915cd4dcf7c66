//! What people's words change: each done once, refused by what it says, and refused without a trace.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "guard_support/mod.rs"]
#[allow(dead_code)]
mod guard_support;

use guard_support::{at, blue_to_green};
use serde_json::{Value, json};
use understudy_core::command::{Answer, Command, MaintenanceWindow, parse as command};
use understudy_core::control::{Away, Control, Latch, Word};
use understudy_core::decide::Proposal;
use understudy_core::execution::TriggerKind;
use understudy_core::fleet::{FleetState, MAX_MAINTENANCE_SECONDS};
use understudy_core::plan::{Mode, OnExpiry};

fn control() -> Control {
    Control::new("shop", "blue", "revision#00000001-x")
}

fn word(operator: &str, seconds: i64) -> Word {
    Word {
        operator: operator.into(),
        reason: format!("{operator} has a reason"),
        at: at(seconds),
    }
}

fn window(fields: Value) -> MaintenanceWindow {
    let mut asked = json!({"command": "maintenance", "plan": "shop", "operator": "mia", "reason": "patches"});
    asked
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    match command(asked).unwrap() {
        Command::Maintenance(asked) => asked,
        other => panic!("{other:?}"),
    }
}

fn answer(proposal: Option<&str>) -> Answer {
    let mut asked = json!({"command": "reject", "plan": "shop", "operator": "mia", "reason": "not now"});
    if let Some(id) = proposal {
        asked["proposal"] = json!(id);
    }
    match command(asked).unwrap() {
        Command::Reject(asked) => asked,
        other => panic!("{other:?}"),
    }
}

// A refused word says why, and leaves no trace.
#[track_caller]
fn refused<T: Clone + PartialEq + std::fmt::Debug>(
    value: &mut T,
    says: &str,
    change: impl FnOnce(&mut T) -> Result<String, String>,
) {
    let before = value.clone();
    let why = change(value).unwrap_err();
    assert!(why.contains(says), "{why}");
    assert_eq!(*value, before, "a word that is refused changes nothing");
}

#[test]
fn a_pause_holds_until_it_is_taken_back_and_belongs_to_who_said_it_first() {
    let mut control = control();
    refused(&mut control, "not paused", |it| it.resume(&word("mia", 0)));
    let said = control.pause(&word("mia", 0)).unwrap();
    assert!(said.contains("a running execution goes on"), "{said}");
    assert_eq!(control.paused, Some(word("mia", 0)));
    refused(&mut control, "by mia since", |it| it.pause(&word("leo", 5)));
    control.resume(&word("leo", 9)).unwrap();
    assert_eq!(
        (&control.paused, control.look_again_at),
        (&None, Some(at(9))),
        "judged now"
    );
    refused(&mut control, "not paused", |it| it.resume(&word("leo", 10)));
}

#[test]
fn a_pause_of_all_plans_is_one_word_and_not_one_for_each() {
    let mut fleet = FleetState::default();
    refused(&mut fleet, "not paused", |it| it.resume(&word("mia", 0)));
    assert!(fleet.pause(&word("mia", 0)).unwrap().contains("of any plan"));
    refused(&mut fleet, "mia has a reason", |it| it.pause(&word("leo", 5)));
    fleet.resume(&word("leo", 9)).unwrap();
    assert_eq!(fleet, FleetState::default());
}

#[test]
fn a_window_ends_by_itself_or_early_and_the_last_word_counts() {
    let mut control = control();
    for (asked, says) in [
        (window(json!({"until": at(0)})), "which is over"),
        (
            window(json!({"for_seconds": MAX_MAINTENANCE_SECONDS + 1})),
            "at most seven days",
        ),
    ] {
        refused(&mut control, says, |it| it.maintain(&asked, &word("mia", 0)));
        refused(&mut FleetState::default(), says, |it| {
            it.maintain(&asked, &word("mia", 0))
        });
    }
    control
        .maintain(&window(json!({"for_seconds": 600})), &word("mia", 0))
        .unwrap();
    let said = control
        .maintain(&window(json!({"for_seconds": 60})), &word("leo", 0))
        .unwrap();
    assert!(said.contains(&at(60).to_string()), "{said}");
    let open = control.maintenance.clone().unwrap();
    assert_eq!((open.until, open.word), (at(60), word("leo", 0)), "shorter counts too");

    let mut over = control.clone();
    refused(&mut over, "no maintenance window is open", |it| {
        it.resume(&word("mia", 60))
    });
    let mut fleet = FleetState {
        maintenance: control.maintenance.clone(),
        ..FleetState::default()
    };
    control.pause(&word("mia", 1)).unwrap();
    assert!(
        control
            .resume(&word("mia", 59))
            .unwrap()
            .contains("the pause and the maintenance window")
    );
    assert_eq!((control.paused, control.maintenance), (None, None));
    fleet.resume(&word("mia", 59)).unwrap();
    assert_eq!(fleet, FleetState::default());

    over.pause(&word("mia", 61)).unwrap();
    let said = over.resume(&word("mia", 62)).unwrap();
    assert!(!said.contains("window"), "it was over before: {said}");
}

#[test]
fn the_mode_of_all_plans_is_set_changed_and_given_back() {
    let mut fleet = FleetState::default();
    refused(&mut fleet, "no mode is set", |it| {
        it.set_mode(Mode::Automatic, &word("mia", 0))
    });
    fleet.set_mode(Mode::Observe, &word("mia", 0)).unwrap();
    assert_eq!(fleet.boldest(), Mode::Observe);
    refused(&mut fleet, "by mia since", |it| {
        it.set_mode(Mode::Observe, &word("leo", 1))
    });
    fleet.set_mode(Mode::Approve, &word("leo", 2)).unwrap();
    assert_eq!(fleet.boldest(), Mode::Approve);
    fleet.set_mode(Mode::Automatic, &word("leo", 3)).unwrap();
    assert_eq!(fleet, FleetState::default());
}

#[test]
fn the_kill_switch_is_pulled_once_and_taken_back_once() {
    let mut fleet = FleetState::default();
    refused(&mut fleet, "nothing is stopped", FleetState::start);
    fleet.stop(&word("mia", 0)).unwrap();
    refused(&mut fleet, "by mia since", |it| it.stop(&word("leo", 1)));
    assert_eq!(fleet.stopped, Some(word("mia", 0)));
    fleet.start().unwrap();
    assert_eq!(fleet, FleetState::default());
}

#[test]
fn a_latch_opens_by_a_word_while_it_is_closed_and_the_hour_is_counted_anew() {
    let mut control = control();
    refused(&mut control, "not latched", |it| it.acknowledge(&word("mia", 0)));
    control.latch = Some(Latch {
        until: at(100),
        execution: "one".into(),
    });
    control.automatic_failovers = vec![at(-10)];
    refused(&mut control, "not latched", |it| it.acknowledge(&word("mia", 100)));
    let said = control.acknowledge(&word("mia", 99)).unwrap();
    assert!(said.contains("execution one"), "{said}");
    assert_eq!((&control.latch, control.look_again_at), (&None, Some(at(99))));
    assert!(control.automatic_failovers.is_empty());
    refused(&mut control, "not latched", |it| it.acknowledge(&word("mia", 99)));
}

fn proposal() -> Proposal {
    Proposal {
        id: "first".into(),
        chosen: blue_to_green(),
        verdicts: Vec::new(),
        made_at: at(0),
        expires_at: at(300),
        on_expiry: OnExpiry::Discard,
        closed: None,
    }
}

#[test]
fn a_no_closes_the_proposal_that_it_means_once() {
    let mut control = control();
    let no = |it: &mut Control, id| it.reject(&answer(id), &word("mia", 7));
    refused(&mut control, "no proposal waits", |it| no(it, None));
    control.proposal = Some(proposal());
    refused(&mut control, "the proposal that waits is first", |it| {
        no(it, Some("another"))
    });
    let said = no(&mut control, Some("first")).unwrap();
    assert!(said.contains("failover blue → green is not made"), "{said}");
    let closed = control.proposal.as_ref().unwrap().closed.clone().unwrap();
    assert_eq!((closed.at, closed.held), (at(7), false));
    assert!(closed.why.contains("rejected by mia: mia has a reason"), "{closed:?}");
    assert_eq!(
        control.look_again_at,
        Some(at(7)),
        "decision sets when it may propose again"
    );
    refused(&mut control, "no proposal waits", |it| no(it, None));
}

#[test]
fn a_promised_return_is_taken_back_once_and_looked_at() {
    let mut control = control();
    refused(&mut control, "nothing to keep", |it| it.keep(&word("mia", 0)));
    control.active_site = "green".into();
    control.away = Some(Away {
        since: at(0),
        trigger: TriggerKind::Manual,
        execution: "one".into(),
        return_at: Some(at(3600)),
        kept: None,
        raised: Vec::new(),
    });
    control.look_again_at = Some(at(3600));
    let said = control.keep(&word("mia", 10)).unwrap();
    assert!(
        said.contains(&at(3600).to_string()) && said.contains("it stays at green"),
        "{said}"
    );
    let away = control.away.as_ref().unwrap();
    assert_eq!((away.return_at, &away.kept), (None, &Some(word("mia", 10))));
    assert_eq!(control.look_again_at, Some(at(10)));
    refused(&mut control, "nothing to keep", |it| it.keep(&word("leo", 11)));
}
