//! Steps that make names ready: health checks and failover records.

use super::assert_none;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use understudy_core::execution::Style;
use understudy_core::state::{HealthCheckSettings, RecordSet};
use understudy_engine::ports::HealthCheckFound;
use understudy_testkit::cloud::FakeCloud;
use understudy_testkit::step_proof::Proof;
use understudy_testkit::world::World;
use understudy_testkit::world_plan::{furnish, sample_plan};

const ZONE: &str = "Z0FAILOVER";
const NAME: &str = "api.example.com";

fn settings() -> HealthCheckSettings {
    HealthCheckSettings {
        protocol: "HTTPS".into(),
        host: Some("blue.example.com".into()),
        port: Some(443),
        path: Some("/health".into()),
        request_interval_seconds: 30,
        failure_threshold: 3,
        ..HealthCheckSettings::default()
    }
}

// Its id is Route 53's to give.
fn checks(cloud: &FakeCloud) -> Value {
    let checks = cloud.health_checks();
    json!(
        checks
            .iter()
            .map(|check| json!([check.settings, check.tags]))
            .collect::<Vec<_>>()
    )
}

fn dns_health_check() -> Proof {
    Proof {
        step: json!({
            "kind": "dns_health_check", "name": "blue-check", "host": "blue.example.com", "path": "/health",
        }),
        style: Style::Planned,
        furnish: |_| {},
        snapshot: checks,
        moved: |cloud| {
            let found = cloud.health_checks();
            let is_ours = |check: &HealthCheckFound| {
                check.settings == settings()
                    && check.tags.get("understudy").map(String::as_str) == Some("shop")
                    && check.tags.get("understudy-setup").map(String::as_str) == Some("blue-check")
            };
            found.len() == 1 && found.iter().all(is_ours)
        },
        reads: &["health_checks.find"],
        calls: &["health_checks.create", "health_checks.tag"],
        undo_calls: &["health_checks.delete"],
        // Before there is one, there is nothing to disturb: then somebody has disturbed nothing.
        disturb: |cloud| cloud.change_health_checks(|settings| settings.is_disabled = true),
        is_disturbed: |cloud| cloud.health_checks().iter().all(|check| check.settings.is_disabled),
    }
}

#[tokio::test]
async fn dns_health_check_stands_the_proof() {
    assert_none(&dns_health_check().violations().await);
}

#[tokio::test]
async fn dns_health_check_bears_deaths() {
    assert_none(&dns_health_check().bears_deaths().await);
}

/// How the reference begins of the check that step `blue-check` of plan `shop` makes. It must never change: by it, checks
/// are found that were made long ago.
const BLUE_REFERENCE: &str = "understudy:0ea865d2cf7fc4c9c27304663b924f98:";

// The check of an earlier set-up: the end of its reference is another one.
fn earlier(cloud: &FakeCloud, change: fn(&mut HealthCheckSettings), tags: &[(&str, &str)]) {
    let mut settings = settings();
    change(&mut settings);
    let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let check = HealthCheckFound {
        id: "earlier".into(),
        settings,
        tags: tags.collect::<BTreeMap<_, _>>(),
    };
    cloud.put_health_check(&format!("{BLUE_REFERENCE}1"), check);
}

const TAGS: [(&str, &str); 3] = [
    ("understudy", "shop"),
    ("understudy-setup", "blue-check"),
    ("Name", "shop blue-check"),
];

#[tokio::test]
async fn the_check_of_an_earlier_set_up_is_adjusted_and_put_back() {
    let proof = Proof {
        furnish: |cloud| earlier(cloud, |settings| settings.failure_threshold = 9, &TAGS),
        calls: &["health_checks.update"],
        undo_calls: &["health_checks.update"],
        ..dns_health_check()
    };
    assert_none(&proof.violations().await);
    // Without its tags it takes two calls, both ways.
    let untagged = Proof {
        furnish: |cloud| earlier(cloud, |settings| settings.failure_threshold = 9, &[]),
        calls: &["health_checks.update", "health_checks.tag"],
        undo_calls: &["health_checks.update", "health_checks.tag"],
        ..dns_health_check()
    };
    assert_none(&untagged.works().await);
    assert_none(&untagged.is_undone().await);
}

#[tokio::test]
async fn what_route_53_can_not_change_is_said_and_left() {
    let proof = Proof {
        furnish: |cloud| earlier(cloud, |settings| settings.request_interval_seconds = 10, &TAGS),
        ..dns_health_check()
    };
    let (world, execution) = proof.run_once().await;
    let why = execution.unwrap().failure.unwrap();
    assert!(
        why.contains("request_interval_seconds") && why.contains("earlier"),
        "{why}"
    );
    assert!(world.cloud.changes().is_empty());
}

fn simple() -> RecordSet {
    RecordSet {
        name: format!("{NAME}."),
        record_type: "A".into(),
        ttl_seconds: Some(300),
        values: vec!["192.0.2.9".into()],
        ..RecordSet::default()
    }
}

fn failover_set(role: &str, address: &str, check: &str) -> RecordSet {
    RecordSet {
        set_identifier: Some(role.to_lowercase()),
        failover: Some(role.into()),
        ttl_seconds: Some(30),
        values: vec![address.into()],
        health_check_id: Some(check.into()),
        ..simple()
    }
}

const BLUE_CHECK: &str = "01234567-89ab-cdef-0123-000000000000";
const GREEN_CHECK: &str = "01234567-89ab-cdef-0123-456789abcdef";

fn failover(primary: Value) -> Value {
    let mut primary = primary;
    primary["values"] = json!(["192.0.2.1"]);
    json!({
        "kind": "dns_failover_records", "name": "failover", "hosted_zone_id": ZONE, "timeout_seconds": 120,
        "record_name": NAME, "type": "A", "ttl_seconds": 30, "primary": primary,
        "secondary": {"values": ["192.0.2.2"], "health_check_id": GREEN_CHECK},
    })
}

fn dns_failover_records() -> Proof {
    Proof {
        step: failover(json!({"health_check_id": BLUE_CHECK})),
        style: Style::Planned,
        furnish: |cloud| cloud.put_zone(ZONE, vec![simple()]),
        snapshot: |cloud| json!(cloud.zone(ZONE)),
        moved: |cloud| is_pair(cloud, BLUE_CHECK),
        reads: &["dns.records", "dns.in_sync"],
        calls: &["dns.change_records"],
        undo_calls: &["dns.change_records"],
        disturb: |cloud| cloud.put_zone(ZONE, vec![]),
        is_disturbed: |cloud| cloud.zone(ZONE).is_empty(),
    }
}

fn is_pair(cloud: &FakeCloud, primary_check: &str) -> bool {
    let found = cloud.zone(ZONE);
    let wanted = [
        failover_set("PRIMARY", "192.0.2.1", primary_check),
        failover_set("SECONDARY", "192.0.2.2", GREEN_CHECK),
    ];
    found.len() == 2 && wanted.iter().all(|set| found.contains(set))
}

#[tokio::test]
async fn dns_failover_records_stands_the_proof() {
    assert_none(&dns_failover_records().violations().await);
}

#[tokio::test]
async fn dns_failover_records_bears_deaths() {
    assert_none(&dns_failover_records().bears_deaths().await);
}

#[tokio::test]
async fn what_can_not_stand_beside_them_is_named_and_left() {
    let proof = Proof {
        furnish: |cloud| {
            let weighted = RecordSet {
                set_identifier: Some("one".into()),
                weight: Some(1),
                ..simple()
            };
            cloud.put_zone(ZONE, vec![weighted]);
        },
        ..dns_failover_records()
    };
    let (world, execution) = proof.run_once().await;
    let why = execution.unwrap().failure.unwrap();
    assert!(why.contains("weighted policy"), "{why}");
    assert!(world.cloud.changes().is_empty());
}

// A plan whose records follow a health check that it makes itself, or whose record comes first.
async fn moved(steps: Value) -> World {
    let mut plan = sample_plan("shop");
    let last = plan["steps"][1].clone();
    let mut steps = steps;
    steps.as_array_mut().unwrap().push(last);
    plan["steps"] = steps;
    plan["policy"]["max_duration_seconds"] = json!(3600);
    let world = World::new(17);
    furnish(&world.cloud);
    world.cloud.put_zone(ZONE, vec![simple()]);
    world.put_plan(plan).await;
    world.run_rounds(6).await;
    let command =
        json!({"command": "failover", "plan": "shop", "operator": "mia", "reason": "a test", "style": "planned"});
    let answer = world.command(command).await;
    assert_eq!(answer["ok"], json!(true), "{answer:#}");
    world.deliver().await;
    let at_rest = |world: &World| {
        let control = world.table.control("shop");
        control.is_some_and(|control| control.execution.is_none())
    };
    assert!(world.run_until(120, at_rest).await);
    world
}

#[tokio::test]
async fn a_record_follows_the_health_check_that_its_plan_makes() {
    let by_name = || failover(json!({"health_check": "blue-check"}));
    let world = moved(json!([dns_health_check().step, by_name()])).await;
    let check = world.cloud.health_checks().pop().unwrap();
    assert!(is_pair(&world.cloud, &check.id), "{:#?}", world.cloud.zone(ZONE));

    // Before there is one, no record is made to follow nothing.
    let world = moved(json!([by_name(), dns_health_check().step])).await;
    assert_eq!(world.cloud.zone(ZONE), [simple()]);
    let history = world.table.peek_all("shop", "execution#");
    let why = history.last().unwrap().body["failure"].to_string();
    assert!(
        why.contains("health check blue-check of this plan does not exist yet"),
        "{why}"
    );
}
