//! Modes, proposals, words on all plans, windows, failback gates and consent: what holds a move back, and what lets it go.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use understudy_core::command::{Answer, Command, parse as command};
use understudy_core::control::{Away, Control, Word, later};
use understudy_core::decide::{
    Closed, Decision, LagRecord, Lags, Proposal, ProposalChange, Situation, Trigger, consent, decide,
};
use understudy_core::execution::{Kind, TriggerKind};
use understudy_core::fleet::{Fleet, FleetEntry, FleetLimits, FleetMode, FleetState, Maintenance, Progress};
use understudy_core::guard::{Guard, Verdict};
use understudy_core::health::{Health, SiteHealth};
use understudy_core::plan::{Consent, Mode, OnExpiry, Plan, parse};
use understudy_core::setup::SetupRecord;

/// Ten o'clock on a Saturday.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_255_200 + seconds).unwrap()
}

fn plan(policy: Value) -> Plan {
    let probe = |site: &str| json!({"kind": "endpoint", "name": format!("{site}-web"), "site": site, "host": format!("{site}.example.com")});
    parse(json!({
        "schema_version": 1, "name": "shop",
        "sites": [{"name": "blue", "priority": 1}, {"name": "green", "priority": 2}],
        "probes": [probe("blue"), probe("green")],
        "steps": [{"kind": "dns_records", "name": "record", "hosted_zone_id": "ZSHOP", "records": [{"name": "www.example.com", "type": "A", "ttl_seconds": 60,
            "sites": {"blue": {"values": ["192.0.2.1"]}, "green": {"values": ["192.0.2.2"]}}}]}],
        "policy": policy,
    }))
    .unwrap()
}

fn site(health: Health, since: i64) -> SiteHealth {
    SiteHealth {
        health,
        since: Some(at(since)),
        witnesses: Vec::new(),
        settling: false,
    }
}

fn dead() -> SiteHealth {
    site(Health::Unhealthy, 0)
}

fn well() -> SiteHealth {
    site(Health::Healthy, -600)
}

fn word(operator: &str, seconds: i64) -> Word {
    Word {
        operator: operator.into(),
        reason: "because".into(),
        at: at(seconds),
    }
}

struct Case {
    plan: Plan,
    control: Control,
    fleet: FleetState,
    blue: SiteHealth,
    green: SiteHealth,
}

impl Case {
    /// A dead primary and a healthy standby, under this policy.
    fn failover(policy: Value) -> Self {
        Self {
            plan: plan(policy),
            control: Control::new("shop", "blue", "revision"),
            fleet: FleetState::default(),
            blue: dead(),
            green: well(),
        }
    }

    /// On green since ten o'clock, blue well since before, under this failback policy and after a minute of stability.
    fn failback(mut failback: Value) -> Self {
        failback["mode"] = json!("automatic");
        failback["stability_seconds"] = json!(60);
        let mut case = Self::failover(json!({"failback": failback}));
        case.blue = well();
        case.control.active_site = "green".into();
        case.control.away = Some(Away {
            since: at(0),
            trigger: TriggerKind::Automatic,
            execution: "x".into(),
            return_at: None,
            kept: None,
            raised: Vec::new(),
        });
        case
    }

    fn judged(&self, now: i64, trigger: &Trigger) -> Decision {
        let sites = BTreeMap::from([("blue".into(), self.blue.clone()), ("green".into(), self.green.clone())]);
        let situation = Situation {
            plan: &self.plan,
            control: &self.control,
            sites: &sites,
            fleet: &self.fleet,
            lags: &Lags::new(),
            preflight: None,
            setup: &SetupRecord::default(),
        };
        decide(at(now), trigger, situation)
    }

    fn at(&self, now: i64) -> Decision {
        self.judged(now, &Trigger::Timer)
    }
}

fn stops(verdicts: &[Verdict]) -> Vec<Guard> {
    let stops = verdicts.iter().filter(|verdict| !verdict.allows);
    stops.map(|verdict| verdict.guard).collect()
}

fn starts(decision: &Decision) -> bool {
    assert_eq!(
        decision.start.is_some(),
        stops(&decision.verdicts).is_empty(),
        "{decision:?}"
    );
    decision.start.is_some()
}

#[test]
fn words_on_all_plans_stop_by_name_and_let_go_when_taken_back() {
    let mut case = Case::failover(json!({}));
    case.fleet.paused = Some(word("mia", 0));
    assert_eq!(stops(&case.at(60).verdicts), [Guard::FleetNotPaused]);
    case.fleet = FleetState {
        stopped: Some(word("noa", 0)),
        ..FleetState::default()
    };
    assert_eq!(stops(&case.at(60).verdicts), [Guard::FleetNotStopped]);
    case.fleet = FleetState::default();
    assert!(starts(&case.at(60)));
}

#[test]
fn people_go_over_a_pause_of_all_plans_and_not_over_the_kill_switch() {
    let mut case = Case::failover(json!({}));
    let Command::Failover(asked) =
        command(json!({"command": "failover", "plan": "shop", "operator": "mia", "reason": "r", "force": true}))
            .unwrap()
    else {
        panic!("a failover")
    };
    let trigger = Trigger::Operator {
        asked,
        move_kind: Kind::Failover,
    };
    case.fleet.paused = Some(word("mia", 0));
    assert!(starts(&case.judged(60, &trigger)));
    case.fleet.stopped = Some(word("noa", 0));
    assert_eq!(stops(&case.judged(60, &trigger).verdicts), [Guard::FleetNotStopped]);
}

#[test]
fn a_maintenance_window_ends_by_itself() {
    let window = |until: i64| {
        Some(Maintenance {
            word: word("mia", 0),
            until: at(until),
        })
    };
    let mut case = Case::failover(json!({}));
    case.control.maintenance = window(300);
    case.fleet.maintenance = window(600);
    let held = case.at(60);
    assert_eq!(stops(&held.verdicts), [Guard::NoMaintenance]);
    assert_eq!(held.look_again_at, Some(at(600)), "the longer one counts");
    assert!(starts(&case.at(600)));
}

#[test]
fn an_observing_plan_says_what_it_would_have_done_and_does_not() {
    let case = Case::failover(json!({"mode": "observe"}));
    let decision = case.at(60);
    assert!(decision.start.is_none() && decision.alert);
    assert_eq!(decision.would.unwrap().to, "green");
    assert!(decision.summary.contains("would have started"), "{}", decision.summary);
    let waiting = case.at(10);
    assert!(
        waiting.would.is_none() && !waiting.alert,
        "the hold counts here too: {waiting:?}"
    );
}

/// The mode that is set for all plans.
fn all_in(mode: Mode) -> Option<FleetMode> {
    let word = word("mia", 0);
    Some(FleetMode { mode, word })
}

#[test]
fn a_mode_of_all_plans_makes_a_plan_more_careful_and_never_bolder() {
    for own in [Mode::Automatic, Mode::Approve, Mode::Observe, Mode::Manual] {
        for of_all in [Mode::Automatic, Mode::Approve, Mode::Observe, Mode::Manual] {
            let mut case = Case::failover(json!({"mode": own.as_str()}));
            case.fleet.mode = all_in(of_all);
            let decision = case.at(60);
            let asks = matches!(decision.proposal, ProposalChange::Make { .. });
            let found = (decision.start.is_some(), asks, decision.would.is_some());
            let wanted = match own.max(of_all) {
                Mode::Automatic => (true, false, false),
                Mode::Approve => (false, true, false),
                Mode::Observe => (false, false, true),
                Mode::Manual => (false, false, false),
            };
            assert_eq!(found, wanted, "{own} under {of_all}: {decision:?}");
            let careful = matches!(of_all, Mode::Observe | Mode::Manual);
            assert_eq!(stops(&decision.verdicts).contains(&Guard::FleetIsAutomatic), careful);
        }
    }
}

#[test]
fn what_is_asked_or_told_names_whose_mode_it_is() {
    let mut case = Case::failover(json!({}));
    case.fleet.mode = all_in(Mode::Observe);
    assert!(case.at(60).summary.contains("the mode of all plans is observe"));
    case.fleet.mode = all_in(Mode::Approve);
    let asked = propose(&mut case, 60);
    assert!(
        asked.summary.contains("the mode of all plans is approve"),
        "{}",
        asked.summary
    );
    assert!(starts(&case.judged(70, &approval(Some("p1")))), "a yes moves it");
    case.fleet.mode = None;
    assert!(starts(&case.at(80)), "and so does the end of that mode");
}

#[test]
fn a_promised_return_goes_over_the_plans_own_mode_and_not_over_that_of_all_plans() {
    let mut case = Case::failback(json!({}));
    case.control.away.as_mut().unwrap().return_at = Some(at(60));
    case.plan.policy.mode = Mode::Observe;
    assert!(starts(&case.at(60)));
    case.fleet.mode = all_in(Mode::Observe);
    let held = case.at(60);
    assert_eq!((held.start, held.would.is_some()), (None, true));
}

fn approving() -> Case {
    Case::failover(json!({"mode": "approve", "cooldown_seconds": 600, "approval": {"expires_after_seconds": 120}}))
}

/// The proposal that the decision makes, on the control item.
fn propose(case: &mut Case, now: i64) -> Decision {
    let decision = case.at(now);
    let ProposalChange::Make {
        chosen,
        expires_at,
        on_expiry,
    } = &decision.proposal
    else {
        panic!("no proposal is made: {decision:?}")
    };
    case.control.proposal = Some(Proposal {
        id: "p1".into(),
        chosen: chosen.as_ref().clone(),
        verdicts: decision.verdicts.clone(),
        made_at: at(now),
        expires_at: *expires_at,
        on_expiry: *on_expiry,
        closed: None,
    });
    decision
}

fn approval(proposal: Option<&str>) -> Trigger {
    Trigger::Approval {
        answer: Answer {
            plan: "shop".into(),
            proposal: proposal.map(str::to_owned),
            execution: None,
            step: None,
            operator: "mia".into(),
            reason: "go".into(),
            dry_run: false,
        },
    }
}

#[test]
fn in_mode_approve_a_person_is_asked_once_and_a_yes_moves() {
    let mut case = approving();
    assert_eq!(case.judged(60, &approval(None)).start, None, "nothing waits");
    let asked = propose(&mut case, 60);
    assert_eq!(stops(&asked.verdicts), [Guard::MoveApproved]);
    assert_eq!((asked.look_again_at, asked.alert), (Some(at(180)), false));
    let again = case.at(70);
    assert_eq!(
        (&again.proposal, again.look_again_at),
        (&ProposalChange::Keep, Some(at(180)))
    );
    assert_eq!(
        case.judged(70, &approval(Some("p2"))).start,
        None,
        "another one was meant"
    );
    let yes = case.judged(70, &approval(Some("p1")));
    assert!(starts(&yes));
    assert_eq!(yes.start.unwrap().operator.as_deref(), Some("mia"));
}

#[test]
fn after_a_yes_the_guards_are_asked_again() {
    let mut case = approving();
    propose(&mut case, 60);
    case.green = dead();
    assert_eq!(
        case.judged(70, &approval(None)).start,
        None,
        "the standby has died meanwhile"
    );
    case.green = well();
    case.control.paused = Some(word("noa", 65));
    assert_eq!(
        stops(&case.judged(70, &approval(None)).verdicts),
        [Guard::PlanNotPaused]
    );
}

#[test]
fn what_nobody_answers_is_discarded_or_moves_as_the_policy_says() {
    let mut case = approving();
    propose(&mut case, 60);
    let expired = case.at(180);
    assert!(expired.start.is_none());
    assert!(
        matches!(expired.proposal, ProposalChange::Close { .. }),
        "{:?}",
        expired.proposal
    );
    assert_eq!(
        case.judged(180, &approval(None)).start,
        None,
        "a yes after the end is none"
    );

    case.plan.policy.approval.on_expiry = OnExpiry::Move;
    propose_anew(&mut case);
    assert!(starts(&case.at(180)));
    case.control.paused = Some(word("noa", 65));
    let held = case.at(180);
    assert!(
        matches!(held.proposal, ProposalChange::Close { held: true, .. }),
        "other guards hold it back: {held:?}"
    );
    let closed = case.control.proposal.as_mut().unwrap();
    closed.closed = Some(Closed {
        at: at(180),
        why: "held back".into(),
        held: true,
    });
    case.control.paused = None;
    let anew = case.at(190);
    assert!(
        matches!(anew.proposal, ProposalChange::Make { .. }),
        "it does not wait for the cooldown: {anew:?}"
    );
}

fn propose_anew(case: &mut Case) {
    case.control.proposal = None;
    propose(case, 60);
}

#[test]
fn after_a_no_the_same_trouble_is_not_proposed_before_the_site_was_well_or_the_cooldown_is_over() {
    let mut case = approving();
    propose(&mut case, 60);
    case.control.proposal.as_mut().unwrap().reject(&word("mia", 70));
    let quiet = case.at(80);
    assert_eq!(
        (&quiet.proposal, quiet.look_again_at),
        (&ProposalChange::Keep, Some(at(670)))
    );
    assert!(
        matches!(case.at(670).proposal, ProposalChange::Make { .. }),
        "the cooldown is over"
    );

    case.blue = site(Health::Healthy, 100);
    assert!(
        matches!(case.at(110).proposal, ProposalChange::Withdraw { .. }),
        "it was well in between"
    );
    case.control.proposal = None;
    case.blue = site(Health::Unhealthy, 120);
    assert!(matches!(case.at(150).proposal, ProposalChange::Make { .. }));
}

#[test]
fn a_proposal_whose_trouble_is_over_is_withdrawn() {
    let mut case = approving();
    propose(&mut case, 60);
    case.blue = site(Health::Healthy, 80);
    assert!(matches!(case.at(90).proposal, ProposalChange::Withdraw { .. }));
    case.blue = site(Health::Unknown, 80);
    assert_eq!(case.at(90).proposal, ProposalChange::Keep, "unknown is not well");
}

#[test]
fn failback_waits_for_its_hours() {
    let case = Case::failback(json!({"hours": {"from": "12:00", "to": "14:00"}}));
    let early = case.at(60);
    assert_eq!(stops(&early.verdicts), [Guard::WithinFailbackHours]);
    assert_eq!((early.look_again_at, early.alert), (Some(at(7200)), false));
    assert!(starts(&case.at(7200)));
    assert_eq!(stops(&case.at(4 * 3600).verdicts), [Guard::WithinFailbackHours]);
}

#[test]
fn failback_stays_within_its_number_a_day() {
    let mut case = Case::failback(json!({}));
    case.control.automatic_failbacks = vec![at(-3600)];
    let held = case.at(60);
    assert_eq!(stops(&held.verdicts), [Guard::WithinFailbackLimit]);
    assert_eq!(
        held.look_again_at,
        Some(later(at(-3600), SignedDuration::from_hours(24)))
    );
    case.plan.policy.failback.max_per_day = 2;
    assert!(starts(&case.at(60)));
}

#[test]
fn a_promised_return_goes_over_hours_and_number() {
    let mut case = Case::failback(json!({"hours": {"from": "12:00", "to": "14:00"}}));
    case.control.automatic_failbacks = vec![at(-3600)];
    case.control.away.as_mut().unwrap().return_at = Some(at(60));
    assert!(starts(&case.at(60)));
}

fn entry(execution: &str, seconds: i64, kind: Kind) -> FleetEntry {
    FleetEntry {
        plan: format!("plan-of-{execution}"),
        execution: execution.into(),
        at: at(seconds),
        kind,
    }
}

const LIMITS: FleetLimits = FleetLimits {
    failovers_per_hour: 3,
    concurrent: 2,
};

#[test]
fn no_more_plans_move_at_once_than_the_blast_radius_allows() {
    let mut fleet = Fleet::default();
    let mut progress = BTreeMap::new();
    for name in ["a", "b"] {
        assert_eq!(
            stops(&fleet.admit(at(0), entry(name, 0, Kind::Failover), &progress, LIMITS)),
            []
        );
        progress.insert(name.to_owned(), Progress::Running);
    }
    let back = entry("c", 1, Kind::Failback);
    assert_eq!(
        stops(&fleet.admit(at(1), back.clone(), &progress, LIMITS)),
        [Guard::WithinBlastRadius],
        "a failback is a move too"
    );
    progress.insert("a".into(), Progress::Ended);
    assert_eq!(stops(&fleet.admit(at(2), back.clone(), &progress, LIMITS)), []);
    assert_eq!(
        stops(&fleet.admit(at(2), back, &progress, LIMITS)),
        [],
        "asking again changes nothing"
    );
    assert_eq!(fleet.entries.len(), 3);
}

#[test]
fn no_more_plans_fail_over_within_an_hour_than_the_limit_allows() {
    let mut fleet = Fleet {
        entries: vec![
            entry("a", 0, Kind::Failover),
            entry("b", 10, Kind::Failover),
            entry("c", 20, Kind::Failover),
        ],
    };
    let progress: BTreeMap<String, Progress> = ["a", "b", "c"].map(|name| (name.to_owned(), Progress::Ended)).into();
    let ask = |fleet: &mut Fleet, seconds: i64| {
        stops(&fleet.admit(at(seconds), entry("d", seconds, Kind::Failover), &progress, LIMITS))
    };
    assert_eq!(ask(&mut fleet, 60), [Guard::WithinFleetLimit]);
    assert_eq!(ask(&mut fleet, 3601), [], "the first is an hour old");
}

#[test]
fn an_entry_whose_execution_never_came_is_dropped_and_one_that_goes_on_never_is() {
    let mut fleet = Fleet {
        entries: vec![entry("ghost", 0, Kind::Failover), entry("long", -7200, Kind::Failover)],
    };
    let progress = BTreeMap::from([("ghost".into(), Progress::Unseen), ("long".into(), Progress::Running)]);
    fleet.admit(at(10), entry("c", 10, Kind::Failover), &progress, LIMITS);
    assert!(
        fleet.entries.iter().any(|entry| entry.execution == "ghost"),
        "it may be on its way"
    );
    fleet.admit(at(60), entry("c", 60, Kind::Failover), &progress, LIMITS);
    let left: Vec<&str> = fleet.entries.iter().map(|entry| entry.execution.as_str()).collect();
    assert_eq!(left, ["long", "c"]);
}

const GENEROUS: Consent = Consent {
    allow_data_loss: true,
    allow_irreversible: true,
    max_lag_seconds: 30,
    max_lag_age_seconds: 600,
};

fn lag(seconds: u32, measured_at: i64, source_healthy: bool) -> LagRecord {
    LagRecord {
        seconds,
        measured_at: at(measured_at),
        source_healthy,
    }
}

#[test]
fn data_loss_needs_a_policy_and_a_known_lag_within_its_limit() {
    let asked = |policy: Consent, lag: Option<LagRecord>| stops(&consent(at(0), &policy, lag.as_ref(), false));
    assert_eq!(asked(GENEROUS, Some(lag(30, -600, true))), []);
    assert_eq!(
        asked(Consent::default(), Some(lag(0, -60, true))),
        [Guard::DataLossAllowed]
    );
    assert_eq!(asked(GENEROUS, Some(lag(31, -60, true))), [Guard::LagWithinLimit]);
    let unknown = [Guard::LagKnown, Guard::LagWithinLimit];
    assert_eq!(asked(GENEROUS, None), unknown, "never measured");
    assert_eq!(asked(GENEROUS, Some(lag(0, -601, true))), unknown, "too old");
    assert_eq!(
        asked(GENEROUS, Some(lag(0, -60, false))),
        unknown,
        "a dying source flatters"
    );
    assert_eq!(asked(GENEROUS, Some(lag(0, 60, true))), [], "clocks differ by a little");
    assert_eq!(asked(GENEROUS, Some(lag(0, 61, true))), unknown, "from the future");
}

#[test]
fn a_persons_word_goes_over_consent_on_the_record() {
    let verdicts = consent(at(0), &Consent::default(), None, true);
    assert!(
        verdicts.iter().all(|verdict| verdict.allows && verdict.overridden),
        "{verdicts:?}"
    );
}

#[test]
fn the_loss_estimate_is_the_lag_and_the_time_since() {
    let known = lag(5, -40, true);
    assert_eq!(known.loss_estimate(at(0)), SignedDuration::from_secs(45));
    let facts = &consent(at(0), &GENEROUS, Some(&known), false)[1].facts;
    assert!(facts.contains("about 45 s"), "{facts}");
    assert_eq!(
        lag(0, 10, false).remember(Some(known), at(10)),
        Some(known),
        "measured while it was dying"
    );
    assert_eq!(lag(7, 10, true).remember(Some(known), at(10)), Some(lag(7, 10, true)));
    assert_eq!(
        lag(7, -50, true).remember(Some(known), at(0)),
        Some(known),
        "an older one that came late"
    );
    assert_eq!(
        lag(7, -50, true).remember(Some(lag(0, 3600, true)), at(0)),
        Some(lag(7, -50, true)),
        "nothing of tomorrow keeps it out"
    );
}
