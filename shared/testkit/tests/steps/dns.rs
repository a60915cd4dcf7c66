//! Records of a hosted zone that have a routing policy.

use super::assert_none;
use serde_json::json;
use understudy_core::execution::Style;
use understudy_core::state::RecordSet;
use understudy_testkit::cloud::FakeCloud;
use understudy_testkit::step_proof::Proof;
use understudy_testkit::world_plan::a_record;

const ZONE: &str = "Z0PAIR";

fn of_pair(site: &str, address: &str, role: &str) -> RecordSet {
    RecordSet {
        set_identifier: Some(format!("of-{site}")),
        failover: Some(role.to_owned()),
        health_check_id: Some(format!("check-of-{site}")),
        ..a_record("api.example.com.", address)
    }
}

fn roles(cloud: &FakeCloud) -> Vec<(Option<String>, Option<String>)> {
    let mut zone = cloud.zone(ZONE);
    zone.sort_by_key(|set| set.set_identifier.clone());
    let roles = zone.into_iter().map(|set| (set.set_identifier, set.failover));
    roles.collect()
}

fn put(cloud: &FakeCloud, blue: &str, green: &str) {
    let sets = vec![of_pair("blue", "192.0.2.1", blue), of_pair("green", "192.0.2.2", green)];
    cloud.put_zone(ZONE, sets);
}

fn failover_pair() -> Proof {
    Proof {
        step: json!({
            "kind": "dns_records", "name": "pair", "hosted_zone_id": ZONE, "timeout_seconds": 120, "records": [{
                "name": "api.example.com", "type": "A", "ttl_seconds": 60, "sites": {
                    "blue": {"set_identifier": "of-blue", "values": ["192.0.2.1"]},
                    "green": {"set_identifier": "of-green", "values": ["192.0.2.2"]}}}]}),
        style: Style::Planned,
        furnish: |cloud| put(cloud, "PRIMARY", "SECONDARY"),
        snapshot: |cloud| {
            let mut zone = cloud.zone(ZONE);
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
            cloud.put_zone(ZONE, vec![theirs]);
        },
        is_disturbed: |cloud| cloud.zone(ZONE).iter().all(|set| set.weight == Some(1)),
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
