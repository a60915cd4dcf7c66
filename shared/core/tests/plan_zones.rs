//! Sites that are zones: nothing is moved into the one that fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};
use understudy_core::plan::parse;

fn draft(step: Value) -> Value {
    let mut steps = vec![json!({"kind": "rds_promote_replica", "name": "promote", "instances": {
        "blue": {"db_instance_identifier": "shop-blue"}, "green": {"db_instance_identifier": "shop-green"}}})];
    steps.push(step);
    json!({
        "schema_version": 1, "name": "shop", "region": "eu-west-1",
        "sites": [
            {"name": "blue", "priority": 1, "zone": "eu-west-1a", "zone_id": "euw1-az1"},
            {"name": "green", "priority": 2, "zone": "eu-west-1b", "zone_id": "euw1-az2"},
        ],
        "steps": steps, "policy": {"mode": "manual", "max_duration_seconds": 7200},
    })
}

fn problems(step: Value) -> Vec<String> {
    match parse(draft(step)) {
        Ok(_) => Vec::new(),
        Err(error) => error.problems().iter().map(ToString::to_string).collect(),
    }
}

fn refused(step: Value, wanted: &str) {
    let found = problems(step);
    assert!(
        found.iter().any(|problem| problem.starts_with(wanted)),
        "{wanted}: {found:#?}"
    );
}

fn reboot(green: &str) -> Value {
    json!({"kind": "rds_reboot_failover", "name": "reboot", "db_instance_identifier": "shop",
           "zones": {"blue": "eu-west-1a", "green": green}})
}

fn shift(green: &str) -> Value {
    json!({"kind": "zonal_shift", "name": "shift", "away_from": {"green": green}, "expires_in_hours": 24,
           "resource_identifier": "arn:aws:elasticloadbalancing:eu-west-1:000000000000:loadbalancer/app/shop/0123456789abcdef"})
}

fn replica(zone: &str) -> Value {
    json!({"kind": "rds_read_replica", "name": "replica",
           "replica": {"db_instance_identifier": "shop-copy", "source": "Shop-blue", "availability_zone": zone}})
}

#[test]
fn what_leads_into_the_zone_that_fails_is_refused() {
    for sound in [reboot("eu-west-1b"), shift("euw1-az1"), replica("eu-west-1c")] {
        assert_eq!(problems(sound), [] as [String; 0]);
    }
    refused(
        reboot("eu-west-1c"),
        "steps[1].zones.green: eu-west-1c is not the zone of site green",
    );
    refused(
        shift("euw1-az2"),
        "steps[1].away_from.green: euw1-az2 is the zone of site green itself",
    );
    refused(
        replica("eu-west-1a"),
        "steps[1].replica.availability_zone: is the zone of site blue",
    );
}

#[test]
fn a_zone_of_another_region_is_no_zone_of_the_site() {
    let mut plan = draft(reboot("eu-west-1b"));
    plan["sites"][0]["region"] = json!("eu-central-1");
    let error = parse(plan).unwrap_err();
    let found = error.problems().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(
        found[0].starts_with("sites[0].zone: is not a zone of the site's Region eu-central-1"),
        "{found:#?}"
    );
}
