//! What databases change: consent, irreversible steps, the way home, and turning round.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use understudy_core::command::{Command, parse as command};
use understudy_core::control::Control;
use understudy_core::decide::{
    Accepted, LagRecord, Lags, Move, Situation, Trigger, consequences, decide, escalation, loss_estimate, without_fence,
};
use understudy_core::execution::{Execution, Kind, Next, StepState, Style, TriggerKind};
use understudy_core::fleet::FleetState;
use understudy_core::guard::{Guard, Verdict};
use understudy_core::plan::{Plan, parse};
use understudy_core::setup::SetupRecord;
use understudy_core::state::ResourceState;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_255_200 + seconds).unwrap()
}

fn promote() -> Value {
    json!({"kind": "rds_promote_replica", "name": "promote", "timeout_seconds": 300,
           "instances": {"blue": {"db_instance_identifier": "shop-blue"},
                         "green": {"db_instance_identifier": "shop-green", "region": "eu-central-1"}}})
}

fn fence(extra: Value) -> Value {
    let database = |name: &str, region: &str| {
        json!({"db_instance_identifier": name, "security_groups": ["sg-0123456789abcdef0"],
               "fence_group": "sg-0fedcba9876543210", "region": region})
    };
    let mut step = json!({"kind": "fence_source", "name": "fence", "timeout_seconds": 600, "databases": {
        "blue": database("Shop-blue", "eu-west-1"), "green": database("shop-green", "eu-central-1")}});
    step.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    step
}

fn global() -> Value {
    json!({"kind": "rds_global", "name": "global", "global_cluster_identifier": "shop",
           "clusters": {"blue": "arn:aws:rds:eu-west-1:000000000000:cluster:shop-blue",
                        "green": "arn:aws:rds:eu-central-1:000000000000:cluster:shop-green"}})
}

fn record() -> Value {
    json!({"kind": "dns_records", "name": "record", "hosted_zone_id": "Z0123456789ABC", "records": [
        {"name": "shop.example.com", "type": "CNAME", "ttl_seconds": 30,
         "sites": {"blue": {"values": ["blue.example.com"]}, "green": {"values": ["green.example.com"]}}}]})
}

fn draft(steps: &[Value], consent: Value) -> Value {
    json!({
        "schema_version": 1, "name": "shop", "region": "eu-west-1",
        "sites": [{"name": "blue", "priority": 1}, {"name": "green", "priority": 2}],
        "probes": [
            {"kind": "endpoint", "name": "blue-web", "site": "blue", "host": "blue.example.com"},
            {"kind": "endpoint", "name": "green-web", "site": "green", "host": "green.example.com"},
        ],
        "steps": steps,
        "policy": {"consent": consent},
    })
}

fn plan(steps: &[Value], consent: Value) -> Plan {
    parse(draft(steps, consent)).unwrap()
}

fn lags(seconds: u32) -> Lags {
    let measured_at = at(-60);
    Lags::from([(
        "green".to_owned(),
        LagRecord {
            seconds,
            measured_at,
            source_healthy: true,
        },
    )])
}

fn stops(plan: &Plan, styles: &[Style], lags: &Lags, accepted: Accepted) -> Vec<Guard> {
    let verdicts = consequences(at(0), plan, (styles, "green"), lags, accepted);
    verdicts
        .iter()
        .filter(|verdict| !verdict.allows)
        .map(|verdict| verdict.guard)
        .collect()
}

const NOTHING: Accepted = Accepted {
    data_loss: false,
    irreversible: false,
};

#[test]
fn a_promotion_needs_consent_to_both_of_its_consequences() {
    let strict = plan(&[promote()], json!({}));
    let found = stops(&strict, &[Style::Unplanned], &lags(0), NOTHING);
    assert_eq!(found, [Guard::DataLossAllowed, Guard::IrreversibleAllowed]);
    let generous = json!({"allow_data_loss": true, "allow_irreversible": true, "max_lag_seconds": 5});
    let generous = plan(&[promote()], generous);
    assert_eq!(stops(&generous, &[Style::Unplanned], &lags(5), NOTHING), []);
    assert_eq!(
        stops(&generous, &[Style::Unplanned], &lags(6), NOTHING),
        [Guard::LagWithinLimit]
    );
    let word = Accepted {
        data_loss: true,
        irreversible: false,
    };
    assert_eq!(stops(&strict, &[Style::Unplanned], &Lags::new(), word), []);
}

// Begun together with what stands beside it: the fence may not hold yet when the promotion is called.
fn beside(mut step: Value) -> Value {
    step["group"] = json!("database");
    step
}

// A fence around another database than the one that is left.
fn around(name: &str) -> Value {
    let mut step = fence(json!({}));
    step["databases"]["blue"]["db_instance_identifier"] = json!(name);
    step
}

#[test]
fn a_fence_before_it_makes_a_planned_promotion_lossless_but_not_reversible() {
    let fenced = plan(&[fence(json!({})), promote()], json!({}));
    let planned = [Style::Planned];
    assert_eq!(
        stops(&fenced, &planned, &Lags::new(), NOTHING),
        [Guard::IrreversibleAllowed]
    );
    let word = Accepted {
        data_loss: false,
        irreversible: true,
    };
    assert_eq!(stops(&fenced, &planned, &Lags::new(), word), []);
    for open in [
        vec![promote()],
        vec![fence(json!({"on_failure": "continue"})), promote()],
        vec![fence(json!({"when": "unplanned"})), promote()],
        vec![promote(), fence(json!({}))],
        vec![beside(fence(json!({}))), beside(promote())],
        vec![around("orders"), promote()],
    ] {
        let found = stops(&plan(&open, json!({})), &planned, &lags(0), word);
        assert_eq!(found, [Guard::DataLossAllowed], "{open:?}");
    }
}

#[test]
fn a_fence_that_a_person_skipped_is_none_and_skipping_it_is_known_to_lose_data() {
    let mut execution = begun(&[fence(json!({})), promote(), record()]);
    execution.style = Style::Planned;
    assert_eq!(execution.unfenced_by_skipping(0), Some("promote"));
    assert_eq!(execution.unfenced_by_skipping(2), None, "it is no fence");
    assert!(!execution.is_fenced_before(1), "it has not been verified yet");
    execution.steps[0].state = StepState::Done;
    assert!(execution.is_fenced_before(1));
    execution.steps[0].state = StepState::Skipped;
    assert!(!execution.is_fenced_before(1));
    let lossy = begun(&[fence(json!({"on_failure": "continue"})), promote()]);
    assert_eq!(
        lossy.unfenced_by_skipping(0),
        None,
        "consent was asked before the move began"
    );
}

#[test]
fn a_global_database_loses_data_only_where_it_fails_over() {
    let shop = plan(&[global()], json!({}));
    assert_eq!(stops(&shop, &[Style::Planned], &Lags::new(), NOTHING), []);
    assert!(!stops(&shop, &[Style::Unplanned], &lags(0), NOTHING).is_empty());
    assert!(
        !stops(&shop, &[Style::Planned, Style::Unplanned], &lags(0), NOTHING).is_empty(),
        "a planned move that may escalate needs the consent now"
    );
}

#[test]
fn the_loss_is_estimated_where_there_is_one_and_the_lag_is_known() {
    let shop = plan(&[global()], json!({}));
    let estimate = |style, lags: &Lags| loss_estimate(at(0), &shop, style, "green", lags);
    assert_eq!(estimate(Style::Unplanned, &lags(7)), Some(67));
    assert_eq!(estimate(Style::Unplanned, &Lags::new()), None);
    assert_eq!(estimate(Style::Planned, &lags(7)), None);
}

#[test]
fn the_lag_is_asked_of_the_copies_and_not_of_the_source() {
    let sources = plan(&[promote(), global()], json!({})).lag_sources("blue");
    let asked: Vec<_> = sources
        .iter()
        .map(|source| (source.site.as_str(), source.metric, source.region.as_deref()))
        .collect();
    let there = Some("eu-central-1");
    assert_eq!(
        asked,
        [
            ("green", "ReplicaLag", there),
            ("green", "AuroraGlobalDBReplicationLag", there)
        ]
    );
    assert!(plan(&[record()], json!({})).lag_sources("blue").is_empty());
}

fn begun(steps: &[Value]) -> Execution {
    let chosen = Move {
        kind: Kind::Failover,
        trigger: TriggerKind::Manual,
        style: Style::Unplanned,
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
    let plan = plan(steps, json!({}));
    let mut execution = Execution::open("id".into(), chosen, Vec::new(), &plan, 1, at(0));
    execution.begin(at(1)).unwrap();
    execution
}

fn replica_of(source: Option<&str>) -> ResourceState {
    ResourceState::DbReplica {
        replica_of: source.map(str::to_owned),
    }
}

#[test]
fn after_a_promotion_a_failure_calls_a_person_instead_of_parting_traffic_and_data() {
    let mut execution = begun(&[promote(), record()]);
    execution
        .intend(0, at(1), replica_of(Some("shop-blue")), replica_of(None), "")
        .unwrap();
    execution.attempt(0, at(1)).unwrap();
    execution.applied(0, None, "").unwrap();
    execution.done(0, at(2), "").unwrap();
    execution.fail_step(1, at(3), "no permission").unwrap();
    let Next::Stick(why) = execution.next(at(3)) else {
        panic!("{:?}", execution.next(at(3)))
    };
    assert!(
        why.contains("no permission") && why.contains("promote can not be taken back"),
        "{why}"
    );
}

#[test]
fn before_the_promotion_was_called_a_failure_turns_back() {
    let mut execution = begun(&[record(), promote()]);
    execution.satisfied(0, at(1), "").unwrap();
    execution
        .intend(1, at(1), replica_of(Some("shop-blue")), replica_of(None), "")
        .unwrap();
    execution.fail_step(1, at(3), "no permission").unwrap();
    assert!(matches!(execution.next(at(3)), Next::TurnBack(_)));
}

#[test]
fn databases_that_are_the_same_or_fences_that_are_none_are_refused() {
    let mut twice = promote();
    twice["instances"]["green"] = twice["instances"]["blue"].clone();
    let mut open = fence(json!({}));
    open["databases"]["blue"]["fence_group"] = open["databases"]["blue"]["security_groups"][0].clone();
    let reboot = json!({"kind": "rds_reboot_failover", "name": "reboot", "db_instance_identifier": "shop",
                        "zones": {"blue": "us-east-1a", "green": "eu-west-1b"}});
    let mut one = global();
    one["clusters"].as_object_mut().unwrap().remove("green");
    let refused = parse(draft(&[twice, open, reboot, one], json!({}))).unwrap_err();
    let found: Vec<String> = refused.problems().iter().map(ToString::to_string).collect();
    for wanted in [
        "steps[0].instances.green: is the DB instance of blue too",
        "steps[1].databases.blue.fence_group: is among",
        "steps[2].zones.blue: is not a zone of",
        "steps[3].clusters",
    ] {
        assert!(
            found.iter().any(|problem| problem.starts_with(wanted)),
            "{wanted}: {found:#?}"
        );
    }
}

fn stop() -> Value {
    let mut step = fence(json!({"by": "stop"}));
    for site in ["blue", "green"] {
        let database = step["databases"][site].as_object_mut().unwrap();
        database.remove("security_groups");
        database.remove("fence_group");
    }
    step
}

#[test]
fn a_database_with_a_replica_is_not_stopped_and_one_without_is_warned_about() {
    let problems = |steps: &[Value]| -> Vec<String> {
        match parse(draft(steps, json!({}))) {
            Ok(_) => Vec::new(),
            Err(error) => error.problems().iter().map(ToString::to_string).collect(),
        }
    };
    let found = problems(&[stop(), promote()]);
    assert!(
        found[0].starts_with("steps[0].by: step promote promotes a replica"),
        "{found:#?}"
    );
    assert_eq!(problems(&[stop(), record()]), [] as [String; 0]);
    let warned = plan(&[stop(), record()], json!({})).warnings();
    assert!(warned[0].message.contains("seven days"), "{warned:#?}");
    let mut open = fence(json!({}));
    open["databases"]["blue"].as_object_mut().unwrap().remove("fence_group");
    let found = problems(&[open, record()]);
    assert!(
        found[0].starts_with("steps[0].databases.blue.fence_group: is missing"),
        "{found:#?}"
    );
    let found = problems(&[fence(json!({"by": "stop"})), record()]);
    assert!(
        found[0].starts_with("steps[0].databases.blue: names security groups"),
        "{found:#?}"
    );
}

#[test]
fn a_replica_that_is_also_the_source_is_known_by_the_region_that_counts_where_none_is_named() {
    let mut promotion = promote();
    promotion["instances"]["green"] = json!({"db_instance_identifier": "Shop-blue", "region": "eu-west-1"});
    let mut fence = fence(json!({"region": "eu-central-1"}));
    fence["databases"]["blue"] = fence["databases"]["green"].clone();
    fence["databases"]["blue"].as_object_mut().unwrap().remove("region");
    let refused = parse(draft(&[promotion, fence], json!({}))).unwrap_err();
    let found: Vec<String> = refused.problems().iter().map(ToString::to_string).collect();
    for wanted in [
        "steps[0].instances.green: is the DB instance of blue too",
        "steps[1].databases.green: is the database of blue too",
    ] {
        assert!(
            found.iter().any(|problem| problem.starts_with(wanted)),
            "{wanted}: {found:#?}"
        );
    }
}

#[test]
fn a_second_of_lag_is_one_unit_of_a_replica_and_a_thousand_of_a_global_database() {
    let sources = plan(&[promote(), global()], json!({})).lag_sources("blue");
    let units: Vec<u32> = sources.iter().map(|source| source.units_a_second).collect();
    assert_eq!(
        units,
        [1, 1000],
        "ReplicaLag is in seconds, AuroraGlobalDBReplicationLag in milliseconds"
    );
}

fn planned(kind: Kind, plan: &Plan) -> Execution {
    let mut execution = begun(&[record()]);
    (execution.kind, execution.style, execution.plan) = (kind, Style::Planned, plan.clone());
    execution.steps = plan
        .steps
        .iter()
        .map(understudy_core::execution::StepRun::new)
        .collect();
    execution
}

fn stopping(verdicts: &[Verdict]) -> Vec<Guard> {
    let stops = verdicts.iter().filter(|verdict| !verdict.allows);
    stops.map(|verdict| verdict.guard).collect()
}

#[test]
fn an_escalation_asks_for_consent_by_the_lag_of_now_and_says_what_may_be_lost() {
    let generous = plan(&[global()], json!({"allow_data_loss": true, "max_lag_seconds": 5}));
    let mut execution = planned(Kind::Failover, &generous);
    let asked = |lags: &Lags, accepted| escalation(at(0), &planned(Kind::Failover, &generous), lags, accepted);
    assert_eq!(
        stopping(&asked(&Lags::new(), NOTHING).verdicts),
        [Guard::LagKnown, Guard::LagWithinLimit]
    );
    let late = asked(&lags(6), NOTHING);
    assert_eq!(stopping(&late.verdicts), [Guard::LagWithinLimit]);
    assert!(late.refusal().is_some_and(|why| why.contains("lag_within_limit")));
    assert!(
        execution.escalate_with(late.clone()).is_err(),
        "what a guard stops is not done"
    );
    execution.escalate_at = Some(at(0));
    execution.stay_planned(late);
    assert_eq!(
        (execution.style, execution.escalate_at),
        (Style::Planned, None),
        "asked once"
    );
    let word = Accepted {
        data_loss: true,
        irreversible: false,
    };
    assert_eq!(asked(&lags(6), word).refusal(), None);
    let well = asked(&lags(5), NOTHING);
    assert_eq!((well.refusal(), well.loss_estimate_seconds), (None, Some(65)));
    execution.escalate_with(well).unwrap();
    assert_eq!(
        (execution.style, execution.loss_estimate_seconds),
        (Style::Unplanned, Some(65))
    );
    assert!(!execution.verdicts.is_empty(), "what was asked is on the record");
}

#[test]
fn an_escalation_asks_nothing_about_a_switchover_that_is_done() {
    let strict = plan(&[global(), record()], json!({}));
    let mut execution = planned(Kind::Failover, &strict);
    assert!(escalation(at(0), &execution, &Lags::new(), NOTHING).refusal().is_some());
    execution.satisfied(0, at(1), "it writes already").unwrap();
    let asked = escalation(at(2), &execution, &Lags::new(), NOTHING);
    assert_eq!((asked.verdicts.len(), asked.loss_estimate_seconds), (0, Some(0)));
}

#[test]
fn an_escalation_asks_for_both_consents_to_a_promotion_that_is_ahead() {
    let fenced = plan(&[fence(json!({})), promote()], json!({}));
    let mut execution = planned(Kind::Failover, &fenced);
    let asked = |execution: &Execution| stopping(&escalation(at(2), execution, &lags(0), NOTHING).verdicts);
    let both = [Guard::DataLossAllowed, Guard::IrreversibleAllowed];
    assert_eq!(asked(&execution), both);
    execution.satisfied(0, at(1), "it lets nobody in").unwrap();
    assert_eq!(
        asked(&execution),
        both,
        "an unplanned promotion does not wait for what is on its way"
    );
    execution.satisfied(1, at(1), "it replicates nobody").unwrap();
    assert_eq!(asked(&execution), []);
}

// What decision says of a failback that mia asks for, of a plan that is away at green.
fn home(plan: &Plan, more: Value) -> Vec<Guard> {
    let mut asked = json!({"command": "failback", "plan": "shop", "operator": "mia", "reason": "home", "force": true});
    asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let Command::Failback(asked) = command(asked).unwrap() else {
        panic!("a failback")
    };
    let trigger = Trigger::Operator {
        asked,
        move_kind: Kind::Failback,
    };
    let mut control = Control::new("shop", "green", "revision");
    control.active_site = "green".into();
    let situation = Situation {
        plan,
        control: &control,
        sites: &BTreeMap::new(),
        fleet: &FleetState::default(),
        lags: &Lags::new(),
        preflight: None,
        setup: &SetupRecord::default(),
    };
    stopping(&decide(at(0), &trigger, situation).verdicts)
}

#[test]
fn a_database_goes_home_by_a_switchover_and_by_no_word_otherwise() {
    let shop = plan(&[global()], json!({"allow_data_loss": true}));
    let word = |more: Value| {
        let mut said = json!({"accept_data_loss": true});
        said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        said
    };
    assert_eq!(home(&shop, json!({})), []);
    assert_eq!(
        home(&shop, word(json!({"style": "unplanned"}))),
        [Guard::FailbackBySwitchover]
    );
    assert_eq!(
        home(&shop, word(json!({"escalate_after_seconds": 60}))),
        [Guard::FailbackBySwitchover]
    );
    let traffic = plan(&[record()], json!({}));
    assert_eq!(
        home(&traffic, json!({"style": "unplanned"})),
        [],
        "it has nothing to lose"
    );
    let way = |kind| {
        escalation(
            at(0),
            &planned(kind, &shop),
            &lags(0),
            Accepted {
                data_loss: true,
                irreversible: true,
            },
        )
    };
    assert_eq!(stopping(&way(Kind::Failback).verdicts), [Guard::FailbackBySwitchover]);
    assert_eq!(stopping(&way(Kind::Failover).verdicts), []);
}

#[test]
fn a_promotion_goes_home_only_behind_a_fence_that_is_waited_for() {
    let generous = || json!({"allow_data_loss": true, "allow_irreversible": true, "max_lag_seconds": 10});
    let word = || json!({"accept_data_loss": true, "accept_irreversible": true});
    let asked = |steps: &[Value]| home(&plan(steps, generous()), word());
    assert_eq!(asked(&[promote()]), [Guard::FailbackBySwitchover]);
    let loose = fence(json!({"on_failure": "continue"}));
    assert_eq!(asked(&[loose, promote()]), [Guard::FailbackBySwitchover]);
    assert_eq!(asked(&[fence(json!({})), promote()]), []);
}

#[test]
fn a_fence_is_gone_on_without_by_consent_and_never_on_the_way_home() {
    let asked = |kind: Kind, consent: Value, lags: &Lags, accepts_loss: bool| {
        let fenced = plan(&[fence(json!({})), promote()], consent);
        without_fence(at(0), &planned(kind, &fenced), 0, lags, accepts_loss).expect("it is the fence")
    };
    let strict = asked(Kind::Failover, json!({}), &lags(5), false);
    assert!(
        stopping(&strict.verdicts).contains(&Guard::DataLossAllowed),
        "{strict:?}"
    );
    let unknown = asked(Kind::Failover, json!({}), &Lags::new(), true);
    assert_eq!((unknown.refusal(), unknown.loss_estimate_seconds), (None, None));
    let generous = json!({"allow_data_loss": true, "max_lag_seconds": 5});
    let policy = asked(Kind::Failover, generous, &lags(5), false);
    assert_eq!((policy.refusal(), policy.loss_estimate_seconds), (None, Some(65)));
    let home = asked(Kind::Failback, json!({}), &lags(5), true);
    assert_eq!(stopping(&home.verdicts), [Guard::FailbackBySwitchover]);

    let fenced = plan(&[fence(json!({})), promote()], json!({}));
    let mut execution = planned(Kind::Failover, &fenced);
    assert_eq!(
        without_fence(at(0), &execution, 1, &lags(5), false),
        None,
        "a promotion is no fence"
    );
    assert!(!execution.is_lossy());
    execution.steps[0].state = StepState::Skipped;
    assert!(
        execution.is_lossy(),
        "what its plan says of the fence is not so any more"
    );
    execution.unfence_with(policy);
    assert_eq!(execution.loss_estimate_seconds, Some(65));
    assert!(!execution.verdicts.is_empty(), "what was asked is on the record");
}
