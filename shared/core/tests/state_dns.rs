//! Record sets with a routing policy: weights, failover pairs, and what they say otherwise than the plan.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};
use understudy_core::plan::DnsRecords;
use understudy_core::state::{RecordSet, record_changes, unlike_plan, wanted_records};

fn step(sites: Value) -> DnsRecords {
    serde_json::from_value(json!({
        "name": "record", "hosted_zone_id": "Z0123456789ABC",
        "records": [{"name": "www.example.com", "type": "A", "ttl_seconds": 60, "sites": sites}],
    }))
    .unwrap()
}

fn pair() -> DnsRecords {
    step(json!({
        "blue": {"set_identifier": "of-blue", "values": ["192.0.2.1"]},
        "green": {"set_identifier": "of-green", "values": ["192.0.2.2"]},
    }))
}

fn set(identifier: &str, value: &str) -> RecordSet {
    RecordSet {
        name: "www.example.com.".into(),
        record_type: "A".into(),
        set_identifier: Some(identifier.into()),
        ttl_seconds: Some(60),
        values: vec![value.into()],
        health_check_id: Some(format!("check-{identifier}")),
        ..RecordSet::default()
    }
}

fn role(identifier: &str, value: &str, role: &str) -> RecordSet {
    RecordSet {
        failover: Some(role.into()),
        ..set(identifier, value)
    }
}

#[test]
fn the_roles_of_a_failover_pair_are_swapped_in_one_batch_that_compares() {
    let before = [
        role("of-blue", "192.0.2.1", "PRIMARY"),
        role("of-green", "192.0.2.2", "SECONDARY"),
    ];
    let after = [
        role("of-blue", "192.0.2.1", "SECONDARY"),
        role("of-green", "192.0.2.2", "PRIMARY"),
    ];
    let wanted = wanted_records(&pair(), "green", &before).unwrap();
    assert_eq!(wanted, after);
    let changes = record_changes(&before, &wanted);
    let old: Vec<_> = changes.iter().filter_map(|change| change.old.clone()).collect();
    let new: Vec<_> = changes.iter().filter_map(|change| change.new.clone()).collect();
    assert_eq!(
        (old, new),
        (before.to_vec(), after.to_vec()),
        "both are deleted exactly and created"
    );
    assert_eq!(
        wanted_records(&pair(), "blue", &before).unwrap(),
        before,
        "as wanted already"
    );
}

#[test]
fn a_pair_that_is_none_is_refused_with_what_was_found() {
    let refused = |step: &DnsRecords, sets: &[RecordSet]| wanted_records(step, "green", sets).unwrap_err();
    let half = [role("of-blue", "192.0.2.1", "PRIMARY"), set("of-green", "192.0.2.2")];
    let why = refused(&pair(), &half);
    assert!(why.contains("neither weighted nor one of a failover pair"), "{why}");
    let why = refused(&pair(), &half[..1]);
    assert!(
        why.contains("there is no record set") && why.contains("of-green"),
        "{why}"
    );
    let weighty = step(json!({
        "blue": {"set_identifier": "of-blue", "values": ["192.0.2.1"], "weight": 50},
        "green": {"set_identifier": "of-green", "values": ["192.0.2.2"]},
    }));
    let both = [
        role("of-blue", "192.0.2.1", "PRIMARY"),
        role("of-green", "192.0.2.2", "SECONDARY"),
    ];
    let why = refused(&weighty, &both);
    assert!(why.contains("weight") && why.contains("failover pair"), "{why}");
}

#[test]
fn what_a_set_says_otherwise_than_the_plan_is_told_and_its_order_and_spelling_are_not() {
    let long = RecordSet {
        ttl_seconds: Some(300),
        weight: Some(100),
        ..set("of-blue", "192.0.2.1")
    };
    let elsewhere = RecordSet {
        weight: Some(0),
        ..set("of-green", "198.51.100.9")
    };
    let found = unlike_plan(&pair(), &[long, elsewhere]);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[0].contains("TTL of 300 seconds") && found[0].contains("[of-blue] of site blue"),
        "{found:#?}"
    );
    assert!(
        found[1].contains("198.51.100.9") && found[1].contains("192.0.2.2"),
        "{found:#?}"
    );
    let alike = [set("of-blue", "192.0.2.1"), set("of-green", "192.0.2.2")];
    assert_eq!(unlike_plan(&pair(), &alike), Vec::<String>::new());
}
