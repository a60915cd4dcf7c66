//! The judgement, guard by guard: what moves, what does not, and what is said about it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;
use understudy_core::command::{Command, parse as command};
use understudy_core::control::{Away, Control, Ended, Latch, Word, later};
use understudy_core::decide::{Decision, Lags, Situation, Trigger, decide};
use understudy_core::event::AlarmEvent;
use understudy_core::execution::{Kind, Status, TriggerKind};
use understudy_core::fleet::FleetState;
use understudy_core::guard::Guard;
use understudy_core::health::{AlarmReading, AlarmState, Health, SiteHealth, Witness};
use understudy_core::plan::{FailbackMode, Mode, Plan, parse};
use understudy_core::setup::{SetUp, SetupRecord};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_255_200 + seconds).unwrap()
}

fn plan() -> Plan {
    let probe = |site: &str| json!({"kind": "endpoint", "name": format!("{site}-web"), "site": site, "host": format!("{site}.example.com")});
    parse(json!({
        "schema_version": 1, "name": "shop",
        "sites": [{"name": "blue", "priority": 1}, {"name": "green", "priority": 2}],
        "probes": [probe("blue"), probe("green")],
        "steps": [{"kind": "dns_records", "name": "record", "hosted_zone_id": "ZSHOP", "records": [{"name": "www.example.com", "type": "A", "ttl_seconds": 60,
            "sites": {"blue": {"values": ["192.0.2.1"]}, "green": {"values": ["192.0.2.2"]}}}]}],
        "policy": {"hold_seconds": 30, "failback": {"mode": "automatic", "stability_seconds": 60}},
    }))
    .unwrap()
}

fn control() -> Control {
    Control::new("shop", "blue", "revision#00000001-x")
}

fn site(health: Health, since: i64) -> SiteHealth {
    let since = (health != Health::Unknown).then(|| at(since));
    SiteHealth {
        health,
        since,
        witnesses: Vec::new(),
        settling: false,
    }
}

fn sites(blue: SiteHealth, green: SiteHealth) -> BTreeMap<String, SiteHealth> {
    BTreeMap::from([("blue".to_owned(), blue), ("green".to_owned(), green)])
}

fn judge(now: i64, plan: &Plan, control: &Control, blue: SiteHealth, green: SiteHealth) -> Decision {
    decide(
        at(now),
        &Trigger::Timer,
        Situation {
            plan,
            control,
            sites: &sites(blue, green),
            fleet: &FleetState::default(),
            lags: &Lags::new(),
            preflight: None,
            setup: &SetupRecord::default(),
        },
    )
}

fn stops(decision: &Decision) -> Vec<Guard> {
    decision
        .verdicts
        .iter()
        .filter(|verdict| !verdict.allows)
        .map(|verdict| verdict.guard)
        .collect()
}

fn dead() -> SiteHealth {
    site(Health::Unhealthy, 0)
}

fn well() -> SiteHealth {
    site(Health::Healthy, -600)
}

#[test]
fn a_dead_primary_is_left_when_the_hold_is_over_and_not_before() {
    let early = judge(29, &plan(), &control(), dead(), well());
    assert_eq!(
        (early.start.clone(), stops(&early)),
        (None, vec![Guard::SourceUnhealthyLongEnough])
    );
    assert_eq!(early.look_again_at, Some(at(30)));
    assert!(!early.alert, "waiting is no news");
    let now = judge(30, &plan(), &control(), dead(), well()).start.unwrap();
    assert_eq!(
        (now.kind, now.trigger, now.from.as_str(), now.to.as_str()),
        (Kind::Failover, TriggerKind::Automatic, "blue", "green")
    );
    assert_eq!(now.detected_at, Some(at(0)));
}

#[test]
fn each_guard_stops_alone_and_by_name() {
    let stop = |change: &dyn Fn(&mut Plan, &mut Control)| {
        let (mut plan, mut control) = (plan(), control());
        change(&mut plan, &mut control);
        let decision = judge(60, &plan, &control, dead(), well());
        assert!(decision.start.is_none());
        assert!(
            decision.alert,
            "a dead site that stays is worth a word: {}",
            decision.summary
        );
        stops(&decision)
    };
    assert_eq!(
        stop(&|plan, _| plan.policy.mode = Mode::Manual),
        [Guard::PlanIsAutomatic]
    );
    let word = Word {
        operator: "mia".into(),
        reason: "patching".into(),
        at: at(0),
    };
    assert_eq!(
        stop(&|_, control| control.paused = Some(word.clone())),
        [Guard::PlanNotPaused]
    );
    let latch = Latch {
        until: at(3600),
        execution: "x".into(),
    };
    assert_eq!(
        stop(&|_, control| control.latch = Some(latch.clone())),
        [Guard::LatchOpen]
    );
    assert_eq!(
        stop(&|_, control| control.automatic_failovers = vec![at(-60)]),
        [Guard::WithinBudget]
    );
}

#[test]
fn a_latch_is_looked_at_again_when_it_opens() {
    let mut control = control();
    control.latch = Some(Latch {
        until: at(3600),
        execution: "x".into(),
    });
    assert_eq!(
        judge(60, &plan(), &control, dead(), well()).look_again_at,
        Some(at(3600))
    );
    assert!(judge(3600, &plan(), &control, dead(), well()).start.is_some());
}

#[test]
fn no_health_but_healthy_is_moved_to_and_everything_bad_suspects_the_observer() {
    for health in [Health::Unhealthy, Health::Unknown, Health::Degraded] {
        let decision = judge(60, &plan(), &control(), dead(), site(health, 0));
        assert!(decision.start.is_none() && decision.alert, "{health}");
        assert!(stops(&decision).contains(&Guard::TargetHealthy), "{health}");
        assert_eq!(
            stops(&decision).contains(&Guard::NotEverythingUnhealthy),
            health == Health::Unhealthy
        );
    }
}

#[test]
fn a_standby_that_has_just_come_up_is_waited_for() {
    let early = judge(60, &plan(), &control(), dead(), site(Health::Healthy, 40));
    assert_eq!(stops(&early), [Guard::TargetHealthyLongEnough]);
    assert_eq!((early.look_again_at, early.alert), (Some(at(70)), false));
    let later = judge(70, &plan(), &control(), dead(), site(Health::Healthy, 40));
    assert_eq!(later.start.unwrap().to, "green");
}

#[test]
fn an_unfit_observer_is_told_although_all_is_well() {
    let mut blue = well();
    blue.witnesses.push(Witness {
        probe: "blue-web".into(),
        health: Health::Healthy,
        since: None,
        failing_since: None,
        reason: "HTTP 200".into(),
        settling: false,
        unread: false,
        unfit: vec!["eu-west-1: none of its references answers".into()],
    });
    let decision = judge(0, &plan(), &control(), blue, well());
    assert!(
        decision.alert && decision.summary.contains("eu-west-1"),
        "{}",
        decision.summary
    );
    assert!(!judge(0, &plan(), &control(), well(), well()).alert);
}

#[test]
fn a_standby_that_nobody_can_vouch_for_is_told_once_and_again_after_it_was_well() {
    for health in [Health::Unknown, Health::Degraded, Health::Unhealthy] {
        let mut control = control();
        let first = judge(0, &plan(), &control, well(), site(health, 0));
        assert!(first.start.is_none() && first.alert, "{health}");
        assert!(
            first.summary.contains("but site green is") && first.summary.contains(health.as_str()),
            "{}",
            first.summary
        );
        control.remember_concerns(&first.concerns.unwrap());
        let again = judge(30, &plan(), &control, well(), site(health, 0));
        assert!(!again.alert, "{health}: told already");
        assert!(
            again.summary.contains("but site green is"),
            "and still said to whoever asks"
        );
        let well_again = judge(60, &plan(), &control, well(), well());
        control.remember_concerns(&well_again.concerns.unwrap());
        assert!(control.concerns.is_empty());
        assert!(
            judge(90, &plan(), &control, well(), site(health, 80)).alert,
            "{health}: new trouble"
        );
    }
    let settling = SiteHealth {
        settling: true,
        ..site(Health::Unknown, 0)
    };
    assert!(
        !judge(0, &plan(), &control(), well(), settling).alert,
        "it has just begun to be observed"
    );
}

#[test]
fn a_concern_that_becomes_another_one_is_news_and_its_end_is_none() {
    let mut control = control();
    let degraded = judge(0, &plan(), &control, well(), site(Health::Degraded, 0));
    control.remember_concerns(&degraded.concerns.unwrap());
    assert!(judge(30, &plan(), &control, well(), dead()).alert);
    assert!(!judge(30, &plan(), &control, well(), well()).alert);
}

// Blue is well, and so is what its sufficient alarm is made to say.
fn with_alarm(change: impl FnOnce(&mut Witness)) -> SiteHealth {
    let mut witness = Witness {
        probe: "alarm:blue-down".into(),
        health: Health::Unknown,
        since: None,
        failing_since: None,
        reason: "CloudWatch does not know this alarm".into(),
        settling: false,
        unread: false,
        unfit: Vec::new(),
    };
    change(&mut witness);
    SiteHealth {
        witnesses: vec![witness],
        ..well()
    }
}

#[test]
fn a_sufficient_alarm_that_says_nothing_is_told_once_and_again_after_it_spoke() {
    let mut control = control();
    for round in 0..2 {
        let look = judge(0, &plan(), &control, with_alarm(|_| ()), well());
        assert!(look.start.is_none() && look.alert, "round {round}");
        assert!(
            look.summary
                .contains("alarm blue-down says nothing: CloudWatch does not know"),
            "{}",
            look.summary
        );
        control.remember_concerns(&look.concerns.unwrap());
        let again = judge(60, &plan(), &control, with_alarm(|_| ()), well());
        assert!(
            !again.alert && again.summary.contains("says nothing"),
            "{}",
            again.summary
        );
        let spoke = judge(120, &plan(), &control, well(), well());
        control.remember_concerns(&spoke.concerns.unwrap());
    }
    // Of the standby too: on the day on which it must carry the plan, nobody would hear it.
    let green = with_alarm(|_| ());
    assert!(judge(0, &plan(), &control, well(), green).alert);
    let settling = with_alarm(|witness| witness.settling = true);
    assert!(
        !judge(0, &plan(), &control, settling, well()).alert,
        "it has just been made"
    );
    let raised = with_alarm(|witness| witness.health = Health::Unhealthy);
    assert!(!judge(0, &plan(), &control, well(), raised).alert, "it speaks");
    // Where no probe looks, nothing else speaks at all.
    let mut blind = plan();
    blind.probes.retain(|probe| probe.common().site != "blue");
    let unknown = SiteHealth {
        health: Health::Unknown,
        since: None,
        settling: true,
        ..with_alarm(|_| ())
    };
    let look = judge(0, &blind, &control, unknown.clone(), well());
    assert!(look.alert && look.summary.contains("says nothing"), "{}", look.summary);
    assert!(
        !judge(0, &plan(), &control, unknown, well()).alert,
        "it has just begun to be observed"
    );
}

#[test]
fn an_alarm_that_setup_is_to_make_is_missed_once_setup_has_been() {
    let mut plan = plan();
    let item = json!({"kind": "metric_alarm", "name": "errors", "alarm_name": "blue-down", "namespace": "Shop",
        "metric_name": "Errors", "statistic": "Sum", "threshold": 1, "comparison": "GreaterThanThreshold"});
    plan.setup = vec![serde_json::from_value(item).unwrap()];
    let mut control = control();
    assert!(!judge(0, &plan, &control, with_alarm(|_| ()), well()).alert);
    control.set_up = Some(SetUp {
        items: 1,
        at: at(0),
        execution: "setup".into(),
    });
    assert!(
        judge(0, &plan, &control, with_alarm(|_| ()), well()).alert,
        "somebody has deleted it"
    );
}

#[test]
fn a_plan_with_sufficient_alarms_is_looked_at_every_minute_whatever_was_said() {
    let mut plan = plan();
    assert_eq!(judge(0, &plan, &control(), well(), well()).look_again_at, None);
    let alarm = json!({"alarm_name": "blue-down", "site": "blue", "evidence": "sufficient"});
    plan.alarms = vec![serde_json::from_value(alarm).unwrap()];
    assert_eq!(judge(0, &plan, &control(), well(), well()).look_again_at, Some(at(60)));
    assert_eq!(
        judge(0, &plan, &control(), dead(), well()).look_again_at,
        Some(at(30)),
        "sooner counts"
    );
    let event = AlarmEvent {
        alarm_name: "blue-down".into(),
        region: None,
        state: AlarmState::Alarm,
        at: at(0),
        reason: "threshold".into(),
        via: "eventbridge".into(),
    };
    let trigger = Trigger::Alarm { event, reading: None };
    let situation = Situation {
        plan: &plan,
        control: &control(),
        sites: &sites(well(), well()),
        fleet: &FleetState::default(),
        lags: &Lags::new(),
        preflight: None,
        setup: &SetupRecord::default(),
    };
    let unconfirmed = decide(at(0), &trigger, situation);
    assert_eq!(
        unconfirmed.look_again_at,
        Some(at(60)),
        "CloudWatch may show it by then"
    );
}

#[test]
fn an_alarm_that_could_not_be_read_once_calls_nobody_and_twice_does() {
    let unread = || with_alarm(|witness| witness.unread = true);
    let mut control = control();
    let mut look = |blue: SiteHealth| {
        let decision = judge(0, &plan(), &control, blue, well());
        control.remember_concerns(&decision.concerns.unwrap());
        decision.alert
    };
    assert!(!look(unread()));
    assert!(!look(well()), "it was a blip");
    assert!(!look(unread()), "and so is this");
    assert!(look(unread()));
    assert!(!look(unread()), "told already");
    assert!(!look(with_alarm(|_| ())), "it says nothing still, for another reason");
    assert!(!look(well()));
    assert!(!look(unread()), "and from the beginning");
}

#[test]
fn away_from_home_the_site_that_was_left_is_no_news_until_it_fails_anew() {
    let control = away(TriggerKind::Manual, None);
    assert!(!judge(60, &plan(), &control, site(Health::Unhealthy, -60), well()).alert);
    assert!(judge(60, &plan(), &control, site(Health::Unhealthy, 30), well()).alert);
    assert!(judge(60, &plan(), &control, site(Health::Unknown, 0), well()).alert);
}

#[test]
fn an_unknown_or_degraded_primary_alerts_and_stays() {
    for health in [Health::Unknown, Health::Degraded] {
        let decision = judge(600, &plan(), &control(), site(health, 0), well());
        assert!(decision.start.is_none() && decision.alert, "{health}");
    }
    let settling = SiteHealth {
        settling: true,
        ..site(Health::Unknown, 0)
    };
    assert!(
        !judge(600, &plan(), &control(), settling, well()).alert,
        "a site that has just begun to be observed is no news"
    );
}

#[test]
fn an_alert_is_never_taken_for_the_repetition_of_a_quiet_refusal() {
    let quiet = judge(60, &plan(), &control(), well(), well());
    let loud = judge(60, &plan(), &control(), site(Health::Unknown, 0), well());
    assert_eq!(stops(&quiet), stops(&loud), "the same guard stops both");
    assert_ne!(
        quiet.fingerprint(&Trigger::Timer, None),
        loud.fingerprint(&Trigger::Timer, None)
    );
    let later = judge(90, &plan(), &control(), site(Health::Unknown, 0), well());
    assert_eq!(
        later.fingerprint(&Trigger::Timer, None),
        loud.fingerprint(&Trigger::Timer, None),
        "times make no difference"
    );
}

fn away(trigger: TriggerKind, return_at: Option<Timestamp>) -> Control {
    let mut control = control();
    control.active_site = "green".into();
    control.away = Some(Away {
        since: at(0),
        trigger,
        execution: "x".into(),
        return_at,
        kept: None,
        raised: Vec::new(),
    });
    control
}

#[test]
fn the_work_comes_home_after_the_stability_window_and_not_from_a_persons_move() {
    let control = away(TriggerKind::Automatic, None);
    let healthy = || site(Health::Healthy, 10);
    let early = judge(69, &plan(), &control, healthy(), well());
    assert_eq!(
        (stops(&early), early.look_again_at),
        (vec![Guard::PrimaryStable], Some(at(70)))
    );
    let home = judge(70, &plan(), &control, healthy(), well()).start.unwrap();
    assert_eq!((home.kind, home.to.as_str()), (Kind::Failback, "blue"));
    assert!(
        judge(70, &plan(), &control, site(Health::Healthy, 11), well())
            .start
            .is_none(),
        "a break starts the window anew"
    );
    assert!(
        judge(59, &plan(), &control, site(Health::Healthy, -600), well())
            .start
            .is_none(),
        "it begins when the plan went away"
    );

    let mut tried = control.clone();
    let ended = |status: Status| Ended {
        id: "home".into(),
        status,
        from: "green".into(),
        to: "blue".into(),
        ended_at: at(500),
        summary: "the way home".into(),
    };
    for status in [Status::RolledBack, Status::Cancelled] {
        tried.last_execution = Some(ended(status));
        let again = judge(559, &plan(), &tried, healthy(), well());
        assert_eq!(
            (stops(&again), again.look_again_at),
            (vec![Guard::PrimaryStable], Some(at(560))),
            "one that was {status} is not tried again at once"
        );
        assert!(judge(560, &plan(), &tried, healthy(), well()).start.is_some());
        let promised = away(TriggerKind::Manual, Some(at(400)));
        let promised = Control {
            last_execution: Some(ended(status)),
            ..promised
        };
        assert!(judge(559, &plan(), &promised, healthy(), well()).start.is_none());
        assert!(judge(560, &plan(), &promised, healthy(), well()).start.is_some());
    }

    let by_hand = away(TriggerKind::Manual, None);
    assert_eq!(
        stops(&judge(9999, &plan(), &by_hand, healthy(), well())),
        [Guard::WentAwayAutomatically]
    );
    let mut manual = plan();
    manual.policy.failback.mode = FailbackMode::Manual;
    assert_eq!(
        stops(&judge(9999, &manual, &control, healthy(), well())),
        [Guard::FailbackIsAutomatic]
    );
}

#[test]
fn a_latch_does_not_keep_the_work_from_coming_home() {
    let mut control = away(TriggerKind::Automatic, None);
    control.latch = Some(Latch {
        until: at(99_999),
        execution: "x".into(),
    });
    assert!(
        judge(120, &plan(), &control, site(Health::Healthy, 10), well())
            .start
            .is_some()
    );
}

#[test]
fn a_promised_return_waits_for_its_time_and_for_a_healthy_home() {
    let control = away(TriggerKind::Manual, Some(at(100)));
    assert!(judge(99, &plan(), &control, well(), well()).start.is_none());
    assert!(judge(100, &plan(), &control, well(), well()).start.is_some());
    assert!(
        judge(100, &plan(), &control, dead(), well()).start.is_none(),
        "not to a dead home"
    );
}

#[test]
fn a_promised_return_goes_over_the_mode_and_not_over_a_pause() {
    let mut plan = plan();
    plan.policy.mode = Mode::Manual;
    let mut promised = away(TriggerKind::Manual, Some(at(100)));
    let back = judge(100, &plan, &promised, well(), well());
    assert_eq!(back.start.as_ref().map(|start| start.kind), Some(Kind::Failback));
    let mode = back
        .verdicts
        .iter()
        .find(|verdict| verdict.guard == Guard::PlanIsAutomatic)
        .unwrap();
    assert!(mode.allows && mode.overridden, "on the record: {mode:?}");
    promised.paused = Some(Word {
        operator: "noa".into(),
        reason: "not now".into(),
        at: at(90),
    });
    let paused = judge(100, &plan, &promised, well(), well());
    assert_eq!(stops(&paused), [Guard::PlanNotPaused]);
}

fn alarm(event_at: i64, read: Option<AlarmState>, now: i64) -> Decision {
    let event = AlarmEvent {
        alarm_name: "blue-down".into(),
        region: None,
        state: AlarmState::Alarm,
        at: at(event_at),
        reason: "threshold".into(),
        via: "eventbridge".into(),
    };
    let reading = read.map(|state| AlarmReading {
        alarm_name: "blue-down".into(),
        state,
        since: at(0),
        reason: String::new(),
    });
    let trigger = Trigger::Alarm { event, reading };
    let sites = sites(dead(), well());
    decide(
        at(now),
        &trigger,
        Situation {
            plan: &plan(),
            control: &control(),
            sites: &sites,
            fleet: &FleetState::default(),
            lags: &Lags::new(),
            preflight: None,
            setup: &SetupRecord::default(),
        },
    )
}

#[test]
fn an_alarm_moves_only_if_it_is_young_and_still_so() {
    assert!(alarm(50, Some(AlarmState::Alarm), 60).start.is_some());
    assert_eq!(
        stops(&alarm(60 - 301, Some(AlarmState::Alarm), 60)),
        [Guard::EventFresh]
    );
    assert_eq!(
        stops(&alarm(60 + 3600, Some(AlarmState::Alarm), 60)),
        [Guard::EventFresh],
        "nor from the future"
    );
    assert_eq!(stops(&alarm(50, Some(AlarmState::Ok), 60)), [Guard::AlarmConfirmed]);
    assert_eq!(stops(&alarm(50, None, 60)), [Guard::AlarmConfirmed]);
}

fn operator(text: serde_json::Value, control: &Control, green: SiteHealth) -> Decision {
    let (asked, move_kind) = match command(text).unwrap() {
        Command::Failover(asked) => (asked, Kind::Failover),
        Command::Failback(asked) => (asked, Kind::Failback),
        other => panic!("{other:?}"),
    };
    let sites = sites(well(), green);
    decide(
        at(60),
        &Trigger::Operator { asked, move_kind },
        Situation {
            plan: &plan(),
            control,
            sites: &sites,
            fleet: &FleetState::default(),
            lags: &Lags::new(),
            preflight: None,
            setup: &SetupRecord::default(),
        },
    )
}

#[test]
fn a_person_is_refused_by_name_and_overrides_on_the_record() {
    let ask = |more: serde_json::Value| {
        let mut asked = json!({"command": "failover", "plan": "shop", "operator": "mia", "reason": "patching"});
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        asked
    };
    assert!(operator(ask(json!({})), &control(), well()).start.is_some());
    assert_eq!(
        stops(&operator(ask(json!({})), &control(), dead())),
        [Guard::TargetHealthy]
    );
    let forced = operator(ask(json!({"force": true})), &control(), dead());
    assert!(forced.start.is_some());
    assert!(
        forced
            .verdicts
            .iter()
            .any(|verdict| verdict.guard == Guard::TargetHealthy && verdict.overridden)
    );
    assert!(
        stops(&operator(
            ask(json!({"to": "purple", "force": true})),
            &control(),
            well()
        ))
        .contains(&Guard::TargetKnown)
    );
    assert!(stops(&operator(ask(json!({"to": "blue"})), &control(), well())).contains(&Guard::TargetDiffers));
    let mut home = ask(json!({}));
    home["command"] = json!("failback");
    assert!(stops(&operator(home, &control(), well())).contains(&Guard::AwayFromHome));
}

fn any_health() -> impl Strategy<Value = Health> {
    prop_oneof![
        Just(Health::Healthy),
        Just(Health::Degraded),
        Just(Health::Unhealthy),
        Just(Health::Unknown)
    ]
}

proptest! {
    /// Whatever the situation: an automatic move goes to a healthy site, within every guard, and only one of a kind.
    #[test]
    fn an_automatic_move_is_always_to_a_healthy_site_and_within_every_guard(
        blue in any_health(), green in any_health(), blue_since in -4000i64..60, green_since in -4000i64..60,
        is_away in prop::bool::ANY, latched in prop::bool::ANY, paused in prop::bool::ANY, spent in 0usize..3,
    ) {
        let mut control = if is_away { away(TriggerKind::Automatic, None) } else { control() };
        control.latch = latched.then(|| Latch { until: at(1000), execution: "x".into() });
        control.paused = paused.then(|| Word { operator: "mia".into(), reason: "r".into(), at: at(0) });
        control.automatic_failovers = vec![later(at(60), -SignedDuration::from_mins(5)); spent];
        let all = sites(site(blue, blue_since), site(green, green_since));
        let decision = decide(at(60), &Trigger::Timer, Situation { plan: &plan(), control: &control, sites: &all, fleet: &FleetState::default(), lags: &Lags::new(), preflight: None, setup: &SetupRecord::default() });
        if let Some(start) = decision.start {
            prop_assert_eq!(all[&start.to].health, Health::Healthy);
            prop_assert!(!paused);
            prop_assert!(start.to != control.active_site);
            prop_assert!(decision.verdicts.iter().all(|verdict| verdict.allows));
            if start.kind == Kind::Failover {
                prop_assert_eq!(all[&start.from].health, Health::Unhealthy);
                prop_assert!(!latched && spent == 0);
            } else {
                prop_assert!(is_away && start.to == "blue");
            }
        } else {
            prop_assert!(!decision.summary.is_empty(), "why not is always said");
        }
    }
}

#[test]
fn a_site_of_which_nothing_is_known_any_more_is_no_repetition_of_a_degraded_one() {
    let degraded = judge(60, &plan(), &control(), site(Health::Degraded, 0), well());
    let unknown = judge(90, &plan(), &control(), site(Health::Unknown, 0), well());
    let told = |decision: &Decision, health: Health| decision.fingerprint(&Trigger::Timer, Some(health));
    assert_ne!(told(&degraded, Health::Degraded), told(&unknown, Health::Unknown));
    assert_eq!(told(&unknown, Health::Unknown), told(&unknown, Health::Unknown));
}

#[test]
fn a_plan_whose_primary_is_where_it_is_by_now_does_not_come_home_to_itself() {
    let mut plan = plan();
    plan.sites[0].priority = 9;
    let mut gone = away(TriggerKind::Automatic, Some(at(10)));
    assert_eq!(
        (gone.active_site.as_str(), plan.primary().unwrap().name.as_str()),
        ("green", "green")
    );
    for return_at in [None, Some(at(10))] {
        gone.away.as_mut().unwrap().return_at = return_at;
        let decision = judge(9000, &plan, &gone, well(), well());
        assert_eq!(decision.start, None, "{return_at:?}: {}", decision.summary);
        assert!(decision.summary.contains("healthy"), "{}", decision.summary);
    }
}

#[test]
fn an_active_site_that_the_plan_does_not_have_is_told() {
    let mut control = control();
    control.active_site = "red".into();
    let decision = judge(600, &plan(), &control, well(), well());
    assert!(decision.start.is_none() && decision.alert, "{}", decision.summary);
}
