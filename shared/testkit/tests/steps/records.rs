//! Records of a hosted zone, changed by each move.

use super::assert_none;
use serde_json::json;
use understudy_core::execution::Style;
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
