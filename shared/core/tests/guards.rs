//! Every guard: one situation in which it stops something, and one in which it lets go.
//!
//! A guard has one [`case`]: a function that makes the situation in which the guard stops, or, if `free`, the one that
//! differs in nothing but what the guard asks about. The list is compared with [`Guard::ALL`]: a new guard without a case
//! does not get past here, and neither does one that only ever speaks when it stops.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod guard_support;

use guard_support::{Case, Said, alarm_item, at, blue_to_green, one_more, plan, promotion, site, word};
use serde_json::json;
use understudy_core::command::Answer;
use understudy_core::control::Latch;
use understudy_core::decide::{Decision, LagRecord, Proposal, Trigger};
use understudy_core::event::AlarmEvent;
use understudy_core::execution::TriggerKind;
use understudy_core::fleet::{FleetLimits, FleetMode, Maintenance, Progress};
use understudy_core::guard::Guard;
use understudy_core::health::{AlarmReading, AlarmState, Health};
use understudy_core::plan::{FailbackMode, Mode, OnExpiry, Plan};
use understudy_core::preflight::{Concern, Preflight, Weight};

/// What the guard's case says. No guard is without one: the match is exhaustive.
fn case(guard: Guard, free: bool) -> Said {
    match guard {
        Guard::NoExecutionInProgress
        | Guard::PlanIsAutomatic
        | Guard::FleetIsAutomatic
        | Guard::PlanNotPaused
        | Guard::FleetNotPaused
        | Guard::FleetNotStopped
        | Guard::NoMaintenance
        | Guard::MoveApproved
        | Guard::LatchOpen
        | Guard::WithinBudget
        | Guard::WithinFleetLimit
        | Guard::WithinBlastRadius => restraint(guard, free),
        Guard::SourceUnhealthy
        | Guard::SourceUnhealthyLongEnough
        | Guard::NotEverythingUnhealthy
        | Guard::TargetHealthy
        | Guard::TargetHealthyLongEnough
        | Guard::PreflightPassed
        | Guard::EventFresh
        | Guard::AlarmConfirmed => evidence(guard, free),
        Guard::TargetKnown
        | Guard::TargetDiffers
        | Guard::AwayFromHome
        | Guard::AtHome
        | Guard::ReturnPossible
        | Guard::FailbackBySwitchover => asked(guard, free),
        Guard::FailbackIsAutomatic
        | Guard::WentAwayAutomatically
        | Guard::PrimaryStable
        | Guard::WithinFailbackHours
        | Guard::WithinFailbackLimit
        | Guard::FailbackReversible => failback(guard, free),
        Guard::DataLossAllowed | Guard::LagKnown | Guard::LagWithinLimit | Guard::IrreversibleAllowed => {
            consent(guard, free)
        }
        Guard::SetupStated | Guard::SetupKnown | Guard::SetupRemembered => setup(guard, free),
    }
}

fn restraint(guard: Guard, free: bool) -> Said {
    let mut case = Case::failover();
    let until = if free { at(60) } else { at(61) };
    match guard {
        Guard::NoExecutionInProgress if !free => case.run(),
        Guard::PlanIsAutomatic if !free => case.plan.policy.mode = Mode::Manual,
        Guard::FleetIsAutomatic => {
            let mode = if free { Mode::Automatic } else { Mode::Manual };
            case.fleet.mode = Some(FleetMode { mode, word: word() });
        }
        Guard::PlanNotPaused => case.control.paused = (!free).then(word),
        Guard::FleetNotPaused => case.fleet.paused = (!free).then(word),
        Guard::FleetNotStopped => case.fleet.stopped = (!free).then(word),
        Guard::NoMaintenance => case.control.maintenance = Some(Maintenance { word: word(), until }),
        Guard::LatchOpen => {
            let execution = "x".into();
            case.control.latch = Some(Latch { until, execution });
        }
        Guard::WithinBudget => {
            case.control.automatic_failovers = vec![at(0)];
            // The hour is over, or not.
            case.now = if free { 3600 } else { 3599 };
        }
        Guard::MoveApproved => {
            case.plan.policy.mode = Mode::Approve;
            if free {
                approved(&mut case);
            }
        }
        Guard::WithinFleetLimit => {
            let limits = FleetLimits {
                failovers_per_hour: 1,
                concurrent: 9,
            };
            return one_more(if free { 3600 } else { 3599 }, Progress::Ended, limits);
        }
        Guard::WithinBlastRadius => {
            let limits = FleetLimits {
                failovers_per_hour: 9,
                concurrent: 1,
            };
            let other = if free { Progress::Ended } else { Progress::Running };
            return one_more(60, other, limits);
        }
        _ => {}
    }
    case.said()
}

// A person says yes to the very move that the evidence calls for.
fn approved(case: &mut Case) {
    case.control.proposal = Some(Proposal {
        id: "p1".into(),
        chosen: blue_to_green(),
        verdicts: Vec::new(),
        made_at: at(30),
        expires_at: at(600),
        on_expiry: OnExpiry::Discard,
        closed: None,
    });
    case.trigger = Trigger::Approval {
        answer: Answer {
            plan: "shop".into(),
            proposal: Some("p1".into()),
            execution: None,
            step: None,
            operator: "mia".into(),
            reason: "go".into(),
            dry_run: false,
        },
    };
}

fn evidence(guard: Guard, free: bool) -> Said {
    let mut case = Case::failover();
    match guard {
        Guard::SourceUnhealthy if !free => case.blue = site(Health::Unknown, 0),
        Guard::SourceUnhealthyLongEnough => case.now = if free { 30 } else { 29 },
        Guard::NotEverythingUnhealthy if !free => case.green = site(Health::Unhealthy, 0),
        Guard::TargetHealthy if !free => case.green = site(Health::Degraded, -600),
        Guard::TargetHealthyLongEnough => case.green = site(Health::Healthy, if free { 30 } else { 31 }),
        Guard::PreflightPassed => {
            let concern = Concern {
                weight: if free { Weight::Warns } else { Weight::Blocks },
                to: "green".into(),
                path: "steps[0]".into(),
                step: "record".into(),
                message: "the zone is gone".into(),
            };
            case.preflight = Some(Preflight::new(at(0), &case.control, true, vec![concern]));
        }
        Guard::EventFresh | Guard::AlarmConfirmed => {
            let stale = guard == Guard::EventFresh && !free;
            let changed = guard == Guard::AlarmConfirmed && !free;
            let limit = i64::from(case.plan.policy.max_event_age_seconds);
            case.trigger = Trigger::Alarm {
                event: AlarmEvent {
                    alarm_name: "blue-down".into(),
                    region: None,
                    state: AlarmState::Alarm,
                    at: at(case.now - limit - i64::from(stale)),
                    reason: "threshold".into(),
                    via: "eventbridge".into(),
                },
                reading: Some(AlarmReading {
                    alarm_name: "blue-down".into(),
                    state: if changed { AlarmState::Ok } else { AlarmState::Alarm },
                    since: at(0),
                    reason: String::new(),
                }),
            };
        }
        _ => {}
    }
    case.said()
}

// The same plan with a fence around what it promotes a replica of.
fn fenced(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    let database = |name: &str, region: &str| {
        json!({"db_instance_identifier": name, "security_groups": ["sg-0123456789abcdef0"],
               "fence_group": "sg-0fedcba9876543210", "region": region})
    };
    let fence = json!({"kind": "fence_source", "name": "fence", "timeout_seconds": 600, "databases": {
        "blue": database("shop-blue", "eu-west-1"), "green": database("shop-green", "eu-central-1")}});
    plan.steps.insert(0, serde_json::from_value(fence).unwrap());
    plan
}

fn asked(guard: Guard, free: bool) -> Said {
    let asked = match (guard, free) {
        (Guard::TargetKnown, false) => json!({"command": "failover", "to": "purple", "force": true}),
        (Guard::TargetDiffers, false) => json!({"command": "failover", "to": "blue"}),
        (Guard::AwayFromHome, _) => json!({"command": "failback"}),
        (Guard::FailbackBySwitchover, true) => json!({"command": "failback", "accept_irreversible": true}),
        (Guard::FailbackBySwitchover, false) => {
            json!({"command": "failback", "style": "unplanned", "accept_data_loss": true, "accept_irreversible": true})
        }
        (Guard::AtHome, _) => json!({"command": "failover"}),
        (Guard::ReturnPossible, _) => json!({
            "command": if free { "failover" } else { "failback" }, "rollback_plan": {"auto_rollback": true},
        }),
        _ => json!({"command": "failover", "to": "green"}),
    };
    let mut case = Case::asked(asked);
    if guard == Guard::FailbackBySwitchover {
        let lossy = Case::promotion();
        (case.plan, case.lags) = (fenced(&lossy.plan), lossy.lags);
        let lag = case.lags["green"];
        case.lags.insert("blue".into(), lag);
        case.go_away();
    }
    // Pressed twice, it would move the plan back.
    let away = [
        (Guard::AtHome, false),
        (Guard::AwayFromHome, true),
        (Guard::ReturnPossible, false),
    ];
    if away.contains(&(guard, free)) {
        case.go_away();
    }
    case.said()
}

fn failback(guard: Guard, free: bool) -> Said {
    let mut case = Case::failback();
    let policy = &mut case.plan.policy.failback;
    match guard {
        Guard::FailbackIsAutomatic if !free => policy.mode = FailbackMode::Manual,
        Guard::WentAwayAutomatically if !free => case.control.away.as_mut().unwrap().trigger = TriggerKind::Manual,
        Guard::PrimaryStable => case.now = if free { 60 } else { 59 },
        Guard::WithinFailbackHours => {
            let hours = json!({"from": "12:00", "to": "14:00"});
            policy.hours = serde_json::from_value(hours).unwrap();
            case.now = if free { 7200 } else { 7199 };
        }
        Guard::WithinFailbackLimit => {
            case.control.automatic_failbacks = vec![at(0)];
            case.now = if free { 86_400 } else { 86_399 };
        }
        Guard::FailbackReversible => {
            let failback = json!({"mode": "automatic", "stability_seconds": 60});
            let consent = json!({"allow_data_loss": true, "allow_irreversible": true, "max_lag_seconds": 10});
            let steps = if free { vec![] } else { vec![promotion()] };
            case.plan = plan(json!({"failback": failback, "consent": consent}), &steps, &[]);
            let lag = LagRecord {
                seconds: 0,
                measured_at: at(50),
                source_healthy: true,
            };
            case.lags.insert("blue".into(), lag);
        }
        _ => {}
    }
    case.said()
}

fn consent(guard: Guard, free: bool) -> Said {
    let mut case = Case::promotion();
    let policy = &mut case.plan.policy.consent;
    let lag = case.lags.get_mut("green").unwrap();
    match guard {
        Guard::DataLossAllowed => policy.allow_data_loss = free,
        Guard::IrreversibleAllowed => policy.allow_irreversible = free,
        Guard::LagKnown => lag.measured_at = at(if free { -540 } else { -541 }),
        Guard::LagWithinLimit => lag.seconds = if free { 10 } else { 11 },
        _ => {}
    }
    case.said()
}

fn setup(guard: Guard, free: bool) -> Said {
    let word = if guard == Guard::SetupRemembered {
        "teardown"
    } else {
        "setup"
    };
    let mut case = Case::asked(json!({"command": word}));
    if guard == Guard::SetupKnown || free {
        case.plan = plan(json!({}), &[], &[alarm_item("shop-errors")]);
    }
    match guard {
        // The plan's item was made for another alarm, or for this one.
        Guard::SetupKnown => case.remember(if free { "shop-errors" } else { "shop-faults" }),
        Guard::SetupRemembered if free => case.remember("shop-errors"),
        _ => {}
    }
    case.said()
}

#[test]
fn every_guard_stops_something_by_name_and_with_its_facts() {
    for guard in Guard::ALL {
        let said = case(*guard, false);
        let name = guard.as_str();
        assert!(!said.starts, "{name}: something starts: {:?}", said.verdicts);
        let stops = said
            .verdicts
            .iter()
            .find(|verdict| verdict.guard == *guard && !verdict.allows);
        let stop = stops.unwrap_or_else(|| panic!("{name} does not stop: {:?}", said.verdicts));
        assert!(!stop.facts.is_empty() && !stop.remedy.is_empty(), "{stop:?}");
    }
}

#[test]
fn every_guard_lets_go_of_what_it_has_nothing_against() {
    for guard in Guard::ALL {
        let said = case(*guard, true);
        let name = guard.as_str();
        assert!(said.starts, "{name}: nothing starts: {:?}", said.verdicts);
        let mine = said.verdicts.iter().find(|verdict| verdict.guard == *guard);
        let allow = mine.unwrap_or_else(|| panic!("{name} says nothing where it lets go: {:?}", said.verdicts));
        assert!(
            allow.allows && !allow.overridden && !allow.facts.is_empty(),
            "{allow:?}"
        );
    }
}

/// Guards that never stop alone, and with whom they do.
const IN_COMPANY: &[(Guard, &[Guard])] = &[
    (Guard::NotEverythingUnhealthy, &[Guard::TargetHealthy]),
    (Guard::LagKnown, &[Guard::LagWithinLimit]),
    (Guard::AwayFromHome, &[Guard::TargetDiffers]),
];

#[test]
fn a_guard_is_the_only_one_that_stops_its_case() {
    for guard in Guard::ALL {
        let said = case(*guard, false);
        let company = IN_COMPANY
            .iter()
            .find(|(mine, _)| mine == guard)
            .map_or(&[][..], |(_, others)| others);
        let others: Vec<&str> = said
            .verdicts
            .iter()
            .filter(|verdict| !verdict.allows && verdict.guard != *guard && !company.contains(&verdict.guard))
            .map(|verdict| verdict.guard.as_str())
            .collect();
        assert!(others.is_empty(), "{} stops together with {others:?}", guard.as_str());
    }
}

#[test]
fn a_setup_of_another_resource_may_take_another_name_or_the_old_one_after_a_teardown() {
    let mut case = Case::asked(json!({"command": "setup"}));
    let mut item = alarm_item("shop-errors");
    case.plan = plan(json!({}), &[], std::slice::from_ref(&item));
    case.remember("shop-faults");
    assert!(!case.said().starts);
    item["name"] = json!("other");
    let renamed = plan(json!({}), &[], &[item]);
    let stated = std::mem::replace(&mut case.plan, renamed);
    assert!(case.said().starts, "another name");
    case.plan = stated;
    case.setup.items.clear();
    assert!(case.said().starts, "after a teardown");
}

/// What a person may go over, and what nobody may.
#[test]
fn a_person_goes_over_latch_and_budget_and_never_over_a_running_execution() {
    let mut case = Case::asked(json!({"command": "failover"}));
    case.control.latch = Some(Latch {
        until: at(3600),
        execution: "x".into(),
    });
    case.control.automatic_failovers = vec![at(30)];
    // Both hold back what would start by itself.
    let by_itself = Case {
        trigger: Trigger::Timer,
        blue: site(Health::Unhealthy, 0),
        control: case.control.clone(),
        ..Case::failover()
    };
    for guard in [Guard::LatchOpen, Guard::WithinBudget] {
        let stops = by_itself.said().verdicts;
        assert!(
            stops.iter().any(|verdict| verdict.guard == guard && !verdict.allows),
            "{stops:?}"
        );
    }
    assert!(case.said().starts);

    let mut case = Case::asked(json!({"command": "failover", "force": true, "accept_data_loss": true}));
    case.run();
    case.control.take_lease(at(50), "an executor").unwrap();
    let said = case.said();
    let stops: Vec<Guard> = said
        .verdicts
        .iter()
        .filter(|it| !it.allows)
        .map(|it| it.guard)
        .collect();
    assert_eq!((said.starts, stops), (false, vec![Guard::NoExecutionInProgress]));
}

/// A failback of whose way a step would fail, as preflight found at ten o'clock.
fn held_on_the_way_home(now: i64) -> Case {
    let mut case = Case::failback();
    let concern = Concern {
        weight: Weight::Blocks,
        to: "blue".into(),
        path: "steps[0]".into(),
        step: "record".into(),
        message: "the zone is gone".into(),
    };
    case.preflight = Some(Preflight::new(at(0), &case.control, true, vec![concern]));
    case.now = now;
    case
}

fn stopping(decision: &Decision) -> Vec<Guard> {
    let stops = decision.verdicts.iter().filter(|verdict| !verdict.allows);
    stops.map(|verdict| verdict.guard).collect()
}

#[test]
fn a_way_home_that_is_held_back_is_told_when_it_is_due_and_looked_at_again_after_the_next_preflight() {
    let early = held_on_the_way_home(59).decision();
    assert_eq!(stopping(&early), [Guard::PrimaryStable, Guard::PreflightPassed]);
    assert_eq!((early.alert, early.look_again_at), (false, Some(at(60))));
    let due = held_on_the_way_home(60).decision();
    assert_eq!(stopping(&due), [Guard::PreflightPassed]);
    assert_eq!((due.alert, due.look_again_at), (true, Some(at(1800 + 360))));
    // The next one was not made: it is looked for again, and no faster.
    let late = held_on_the_way_home(4000).decision();
    assert_eq!((late.alert, late.look_again_at), (true, Some(at(4000 + 360))));
    let trigger = Trigger::Timer;
    assert_eq!(
        due.fingerprint(&trigger, None),
        late.fingerprint(&trigger, None),
        "told once"
    );
}

#[test]
fn nobody_hears_of_a_way_home_that_would_not_come_by_itself_or_not_yet() {
    let mut by_hand = held_on_the_way_home(60);
    by_hand.plan.policy.failback.mode = FailbackMode::Manual;
    let mut closed = held_on_the_way_home(60);
    closed.plan.policy.failback.hours =
        serde_json::from_value(json!({"from": "12:00", "to": "14:00"})).expect("hours of the day");
    let mut alarmed = held_on_the_way_home(60);
    let event = AlarmEvent {
        alarm_name: "blue-down".into(),
        region: None,
        state: AlarmState::Ok,
        at: at(60),
        reason: "well again".into(),
        via: "eventbridge".into(),
    };
    let reading = AlarmReading {
        alarm_name: event.alarm_name.clone(),
        state: event.state,
        since: event.at,
        reason: String::new(),
    };
    alarmed.trigger = Trigger::Alarm {
        event,
        reading: Some(reading),
    };
    for (case, look) in [
        (by_hand, None),
        (closed, Some(at(1800 + 360))),
        (alarmed, Some(at(1800 + 360))),
    ] {
        let decision = case.decision();
        assert!(decision.start.is_none() && !decision.alert, "{decision:#?}");
        assert_eq!(decision.look_again_at, look, "{decision:#?}");
    }
}

#[test]
fn a_way_home_that_leaves_out_what_the_way_out_cannot_take_back_is_for_a_person() {
    let failback = json!({"mode": "automatic", "stability_seconds": 60});
    let consent = json!({"allow_data_loss": true, "allow_irreversible": true, "max_lag_seconds": 10});
    let cluster = |region: &str| format!("arn:aws:rds:{region}:123456789012:cluster:shop");
    for (when, stops) in [("unplanned", true), ("planned", false), ("always", false)] {
        let mut case = Case::failback();
        let step = json!({
            "kind": "rds_global", "name": "data", "global_cluster_identifier": "shop", "timeout_seconds": 600, "when": when,
            "clusters": {"blue": cluster("eu-west-1"), "green": cluster("eu-central-1")},
        });
        case.plan = plan(json!({"failback": failback, "consent": consent}), &[step], &[]);
        let lag = LagRecord {
            seconds: 0,
            measured_at: at(50),
            source_healthy: true,
        };
        case.lags.insert("blue".into(), lag);
        let decision = case.decision();
        let held = stopping(&decision).contains(&Guard::FailbackReversible);
        assert_eq!(held, stops, "{when}: {decision:#?}");
    }
}
