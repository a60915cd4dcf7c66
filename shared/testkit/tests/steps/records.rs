//! Records of a hosted zone, changed by each move: plain ones, and pairs with a routing policy.

use super::assert_none;
use serde_json::json;
use understudy_core::execution::Style;
use understudy_core::state::RecordSet;
use understudy_testkit::cloud::FakeCloud;
use understudy_testkit::step_proof::Proof;
use understudy_testkit::world_plan::{ZONE, a_record};

const OTHER: &str = "other.example.com.";

fn dns_records() -> Proof {
    let address = |site: &str, address: &str| (site.to_owned(), json!({"values": [address]}));
    let record = |name: &str, blue: &str, green: &str| {
        let sites: serde_json::Map<String, serde_json::Value> =
            [address("blue", blue), address("green", green)].into_iter().collect();
        json!({"name": name, "type": "A", "ttl_seconds": 60, "sites": sites})
    };
    Proof {
        step: json!({
            "kind": "dns_records", "name": "records", "hosted_zone_id": ZONE, "timeout_seconds": 300,
            "records": [record("www.example.com", "192.0.2.1", "192.0.2.2"), record("api.example.com", "192.0.2.3", "192.0.2.4")],
        }),
        style: Style::Planned,
        furnish: |cloud| {
            let records = [
                ("www.example.com.", "192.0.2.1"),
                ("api.example.com.", "192.0.2.3"),
                (OTHER, "198.51.100.9"),
            ];
            cloud.put_zone(ZONE, records.map(|(name, address)| a_record(name, address)).to_vec());
        },
        // A zone has no order.
        snapshot: |cloud| {
            let mut records = cloud.zone(ZONE);
            records.sort_by(|left, right| left.name.cmp(&right.name));
            json!(records)
        },
        moved: |cloud| {
            let records = cloud.zone(ZONE);
            let wanted = [
                ("www.example.com.", "192.0.2.2"),
                ("api.example.com.", "192.0.2.4"),
                (OTHER, "198.51.100.9"),
            ];
            records.len() == 3
                && wanted
                    .iter()
                    .all(|(name, address)| records.contains(&a_record(name, address)))
        },
        reads: &["dns.records", "dns.in_sync"],
        calls: &["dns.change_records"],
        undo_calls: &["dns.change_records"],
        disturb: |cloud| cloud.put_zone(ZONE, vec![a_record(OTHER, "198.51.100.10")]),
        is_disturbed: |cloud| cloud.zone(ZONE) == [a_record(OTHER, "198.51.100.10")],
    }
}

#[tokio::test]
async fn dns_records_stands_the_proof() {
    assert_none(&dns_records().violations().await);
}

#[tokio::test]
async fn dns_records_bears_deaths() {
    assert_none(&dns_records().bears_deaths().await);
}

/// The zone of a pair.
const PAIRED: &str = "Z0PAIR";

fn of_pair(site: &str, address: &str, role: &str) -> RecordSet {
    RecordSet {
        set_identifier: Some(format!("of-{site}")),
        failover: Some(role.to_owned()),
        health_check_id: Some(format!("check-of-{site}")),
        ..a_record("api.example.com.", address)
    }
}

fn roles(cloud: &FakeCloud) -> Vec<(Option<String>, Option<String>)> {
    let mut zone = cloud.zone(PAIRED);
    zone.sort_by_key(|set| set.set_identifier.clone());
    let roles = zone.into_iter().map(|set| (set.set_identifier, set.failover));
    roles.collect()
}

fn put(cloud: &FakeCloud, blue: &str, green: &str) {
    let sets = vec![of_pair("blue", "192.0.2.1", blue), of_pair("green", "192.0.2.2", green)];
    cloud.put_zone(PAIRED, sets);
}

fn failover_pair() -> Proof {
    Proof {
        step: json!({
            "kind": "dns_records", "name": "pair", "hosted_zone_id": PAIRED, "timeout_seconds": 120, "records": [{
                "name": "api.example.com", "type": "A", "ttl_seconds": 60, "sites": {
                    "blue": {"set_identifier": "of-blue", "values": ["192.0.2.1"]},
                    "green": {"set_identifier": "of-green", "values": ["192.0.2.2"]}}}]}),
        style: Style::Planned,
        furnish: |cloud| put(cloud, "PRIMARY", "SECONDARY"),
        snapshot: |cloud| {
            let mut zone = cloud.zone(PAIRED);
            zone.sort_by_key(|set| set.set_identifier.clone());
            json!(zone)
        },
        moved: |cloud| {
            let wanted = [("of-blue", "SECONDARY"), ("of-green", "PRIMARY")];
            roles(cloud) == wanted.map(|(id, role)| (Some(id.to_owned()), Some(role.to_owned())))
        },
        reads: &["dns.records"],
        calls: &["dns.change_records"],
        undo_calls: &["dns.change_records"],
        disturb: |cloud| {
            let theirs = RecordSet {
                failover: None,
                weight: Some(1),
                ..of_pair("blue", "192.0.2.1", "")
            };
            cloud.put_zone(PAIRED, vec![theirs]);
        },
        is_disturbed: |cloud| cloud.zone(PAIRED).iter().all(|set| set.weight == Some(1)),
    }
}

#[tokio::test]
async fn a_failover_pair_stands_the_proof() {
    assert_none(&failover_pair().violations().await);
}

#[tokio::test]
async fn a_failover_pair_bears_deaths() {
    assert_none(&failover_pair().bears_deaths().await);
}
