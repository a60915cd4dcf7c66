//! What a judgement changes in the control item, and what is recorded of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "guard_support/mod.rs"]
#[allow(dead_code)]
mod guard_support;

use guard_support::{Case, at, blue_to_green, plan, site, word};
use serde_json::json;
use std::cell::Cell;
use understudy_core::command::{Command, parse as command};
use understudy_core::control::{Control, LastRefusal, Wake, later};
use understudy_core::decide::{Followed, Move, Record, Trigger};
use understudy_core::event::AlarmEvent;
use understudy_core::execution::{Execution, Kind, TriggerKind};
use understudy_core::guard::{Guard, Verdict};
use understudy_core::health::{AlarmReading, AlarmState, Health};
use understudy_core::report::EventKind;

// Follows what is decided in this case, and leaves the control item as it is written.
fn follow(case: &mut Case) -> Followed {
    let decision = case.decision();
    assert!(decision.start.is_none(), "{}", decision.summary);
    let health = if case.control.active_site == "blue" {
        case.blue.health
    } else {
        case.green.health
    };
    let ids = Cell::new(case.control.announcements.len());
    let new_id = || {
        ids.set(ids.get() + 1);
        format!("id-{}-{}", case.now, ids.get())
    };
    case.control
        .follow(at(case.now), &case.trigger, &decision, Some(health), new_id)
}

fn told(control: &Control, event: EventKind) -> usize {
    control.announcements.iter().filter(|told| told.event == event).count()
}

fn open(case: &mut Case, chosen: Move) {
    let execution = Execution::open("run".into(), chosen, Vec::new(), &case.plan, 1, at(case.now));
    case.control.open(at(case.now), execution);
}

#[test]
fn an_automatic_failover_closes_the_latch_and_counts_in_the_write_that_opens_it() {
    let mut case = Case::failover();
    case.control.look_again_at = Some(at(60));
    case.control.wake(at(60), Wake::Decision);
    open(&mut case, blue_to_green());
    let control = case.control;
    let latch = control.latch.unwrap();
    let cooldown = i64::from(case.plan.policy.cooldown_seconds);
    assert_eq!((latch.execution.as_str(), latch.until), ("run", at(60 + cooldown)));
    assert_eq!(control.automatic_failovers, [at(60)]);
    assert!(control.automatic_failbacks.is_empty());
    assert_eq!(control.look_again_at, None);
    assert_eq!(control.wake.unwrap().function, Wake::Executor);

    let mut manual = Case::failover();
    let chosen = Move {
        trigger: TriggerKind::Manual,
        ..blue_to_green()
    };
    open(&mut manual, chosen);
    assert_eq!(
        (manual.control.latch, manual.control.automatic_failovers.len()),
        (None, 0)
    );
}

#[test]
fn a_promised_return_takes_nothing_from_what_may_happen_by_itself() {
    let home = || Move {
        kind: Kind::Failback,
        from: "green".into(),
        to: "blue".into(),
        ..blue_to_green()
    };
    let mut case = Case::failback();
    open(&mut case, home());
    assert_eq!(case.control.automatic_failbacks, [at(60)]);
    assert_eq!(case.control.latch, None, "only a failover is latched");
    let mut promised = Case::failback();
    promised.control.away.as_mut().unwrap().return_at = Some(at(60));
    open(&mut promised, home());
    assert!(promised.control.automatic_failbacks.is_empty());
}

#[test]
fn a_timer_that_finds_all_well_leaves_nothing() {
    let mut case = Case::failover();
    case.blue = site(Health::Healthy, -600);
    let before = case.control.clone();
    assert_eq!(
        follow(&mut case),
        Followed {
            record: Record::Nothing,
            alerts: false
        }
    );
    assert_eq!(case.control, before);
}

#[test]
fn the_same_refusal_is_told_once_and_counted_up_and_after_the_all_clear_it_is_news() {
    let mut case = Case::failover();
    case.control.pause(&word()).unwrap();
    let first = follow(&mut case);
    let Record::New(id) = first.record else {
        panic!("{first:?}")
    };
    assert!(first.alerts);
    assert_eq!(told(&case.control, EventKind::Alert), 1);
    assert_eq!(
        case.control.wake.as_ref().unwrap().function,
        Wake::Executor,
        "who tells it"
    );
    case.now = 70;
    let again = follow(&mut case);
    assert_eq!(again.record, Record::Again(id));
    assert!(!again.alerts);
    assert_eq!(told(&case.control, EventKind::Alert), 1);
    case.now = 80;
    case.trigger = Trigger::Health {
        site: "blue".into(),
        probe: "blue-web".into(),
    };
    case.blue = site(Health::Healthy, 75);
    assert!(matches!(follow(&mut case).record, Record::New(_)), "it is well again");
    case.now = 120;
    case.blue = site(Health::Unhealthy, 90);
    assert!(follow(&mut case).alerts, "the second time is no repetition");
    assert_eq!(told(&case.control, EventKind::Alert), 2);
}

#[test]
fn a_move_that_waits_for_its_time_is_recorded_once_and_its_lost_record_is_missed() {
    let mut case = Case::failover();
    case.now = 10;
    let first = follow(&mut case);
    let Record::New(id) = first.record else {
        panic!("{first:?}")
    };
    assert!(!first.alerts, "waiting is no news");
    assert_eq!(case.control.look_again_at, Some(at(30)));
    // Whoever was to write the record may have died before it did.
    case.now = 20;
    assert_eq!(follow(&mut case).record, Record::IfMissing(id.clone()));
    // Long after, it has been pruned and not lost.
    let mut quiet = Case::failover();
    quiet.control = case.control.clone();
    quiet.blue = site(Health::Healthy, 25);
    quiet.now = 3610;
    assert_eq!(follow(&mut quiet).record, Record::IfMissing(id));
    quiet.now = 3611;
    assert_eq!(follow(&mut quiet).record, Record::Nothing);
}

#[test]
fn a_concern_that_a_timer_told_is_missed_too() {
    let mut case = Case::failover();
    case.blue = site(Health::Healthy, -600);
    case.green = site(Health::Degraded, 0);
    let told = follow(&mut case);
    let Record::New(id) = told.record else {
        panic!("{told:?}")
    };
    assert!(told.alerts);
    case.now = 70;
    assert_eq!(follow(&mut case).record, Record::IfMissing(id));
}

fn approve() -> Case {
    let mut case = Case::failover();
    case.plan = plan(
        json!({"hold_seconds": 30, "mode": "approve", "approval": {"expires_after_seconds": 300}}),
        &[],
        &[],
    );
    case
}

#[test]
fn a_proposal_is_made_told_and_recorded_at_once_and_made_once() {
    let mut case = approve();
    let made = follow(&mut case);
    let Record::New(record) = made.record else {
        panic!("{made:?}")
    };
    let proposal = case.control.proposal.clone().unwrap();
    assert_eq!((proposal.made_at, proposal.expires_at), (at(60), at(360)));
    assert_ne!(proposal.id, record, "each has an id of its own");
    assert_eq!(told(&case.control, EventKind::Waiting), 1);
    assert_eq!(case.control.look_again_at, Some(at(360)));
    case.now = 90;
    assert_eq!(
        follow(&mut case).record,
        Record::IfMissing(record),
        "it stands there already"
    );
    assert_eq!(case.control.proposal, Some(proposal));
    assert_eq!(told(&case.control, EventKind::Waiting), 1);
}

#[test]
fn a_proposal_expires_once_and_one_whose_trouble_is_over_is_withdrawn() {
    let mut case = approve();
    follow(&mut case);
    let mut well = Case {
        control: case.control.clone(),
        ..approve()
    };
    case.now = 360;
    let closed = follow(&mut case);
    assert!(matches!(closed.record, Record::New(_)));
    assert!(!case.control.proposal.as_ref().unwrap().is_open());
    assert_eq!(told(&case.control, EventKind::Operator), 1);
    case.now = 361;
    follow(&mut case);
    assert_eq!(told(&case.control, EventKind::Operator), 1);

    well.now = 100;
    well.blue = site(Health::Healthy, 90);
    assert!(matches!(follow(&mut well).record, Record::New(_)));
    assert_eq!(well.control.proposal, None);
    let withdrawn = well.control.announcements.last().unwrap();
    assert!(
        withdrawn.text.contains("no answer is needed any more"),
        "{}",
        withdrawn.text
    );
}

#[test]
fn what_a_plan_that_observes_would_have_done_is_told() {
    let mut case = Case::failover();
    case.plan = plan(json!({"hold_seconds": 30, "mode": "observe"}), &[], &[]);
    assert!(follow(&mut case).alerts);
    let told = &case.control.announcements[0].text;
    assert!(told.contains("observed only: would failover blue to green"), "{told}");
}

#[test]
fn a_person_who_is_refused_has_the_answer_and_the_control_item_stays() {
    let mut case = Case::asked(json!({"command": "failover", "to": "blue"}));
    let before = case.control.clone();
    let followed = follow(&mut case);
    assert!(matches!(followed.record, Record::New(_)));
    assert_eq!((followed.alerts, case.control), (false, before));
    let Command::Approve(answer) =
        command(json!({"command": "approve", "plan": "shop", "operator": "mia", "reason": "go"})).unwrap()
    else {
        panic!()
    };
    let mut late = Case::failover();
    late.trigger = Trigger::Approval { answer };
    let before = late.control.clone();
    assert!(matches!(follow(&mut late).record, Record::New(_)));
    assert_eq!(late.control, before);
}

#[test]
fn an_alarm_is_remembered_beside_the_health_and_clears_nothing_of_it() {
    let mut case = Case::failover();
    case.control.pause(&word()).unwrap();
    follow(&mut case);
    let health: Vec<LastRefusal> = case.control.last_refusals.clone();
    let event = AlarmEvent {
        alarm_name: "blue-down".into(),
        region: None,
        state: AlarmState::Ok,
        reason: "fine".into(),
        at: at(65),
        via: "eventbridge".into(),
    };
    let reading = AlarmReading {
        alarm_name: "blue-down".into(),
        state: AlarmState::Alarm,
        since: at(60),
        reason: "threshold".into(),
    };
    case.now = 66;
    case.trigger = Trigger::Alarm {
        event,
        reading: Some(reading),
    };
    assert!(matches!(follow(&mut case).record, Record::New(_)));
    assert!(
        case.control.last_refusals.starts_with(&health),
        "{:?}",
        case.control.last_refusals
    );
    assert_eq!(case.control.last_refusals.len(), 2);
}

#[test]
fn the_fleet_holds_a_move_back_and_lets_it_go() {
    let decision = Case::failover().decision();
    let verdict = |allows| Verdict::when(Guard::WithinFleetLimit, allows, "1 of 1".to_owned(), "wait");
    let mut goes = decision.clone();
    goes.heed_fleet(at(60), vec![verdict(true)]);
    assert!(goes.start.is_some() && goes.look_again_at.is_none());
    assert_eq!(goes.verdicts.len(), decision.verdicts.len() + 1);
    let mut stays = decision;
    stays.heed_fleet(at(60), vec![verdict(false)]);
    assert!(
        stays.start.is_none() && stays.alert && stays.summary.contains("1 of 1"),
        "{}",
        stays.summary
    );
    assert!(
        stays.look_again_at > Some(later(at(60), jiff::SignedDuration::ZERO)),
        "nothing else would look"
    );
}
