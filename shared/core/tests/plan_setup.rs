//! Rules of the steps that make things ready, each with what it refuses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod plan_support;

use plan_support::{accepted, changed, refused, with};
use serde_json::{Value, json};
use understudy_core::plan::parse;

const SUBNET: &str = "subnet-00000001";

fn adding(step: Value) -> Value {
    with("/steps/-", step)
}

fn edited(step: Value, field: &str, value: Value) -> Value {
    adding(changed(step, field, value))
}

fn replica() -> Value {
    json!({"kind": "rds_read_replica", "name": "copy",
           "replica": {"db_instance_identifier": "shop-copy", "source": "shop", "availability_zone": "eu-west-1b"}})
}

fn replicas() -> Value {
    json!({"kind": "rds_read_replica", "name": "copy", "replicas": {
        "green": {"db_instance_identifier": "shop-copy", "source": "shop-green"}}})
}

fn elsewhere() -> Value {
    json!({"kind": "rds_read_replica", "name": "copy", "replica": {
        "db_instance_identifier": "shop", "source": "arn:aws:rds:eu-central-1:123456789012:db:shop",
        "kms_key_id": "alias/data", "db_subnet_group_name": "data", "tags": {"Purpose": "ReadReplica"}}})
}

fn standby() -> Value {
    json!({"kind": "rds_multi_az", "name": "standby", "db_instance_identifier": "shop"})
}

fn settings() -> Value {
    json!({"kind": "asg_settings", "name": "group", "auto_scaling_group_name": "web", "subnets": [SUBNET],
           "health_check_type": "elb", "health_check_grace_seconds": 300, "default_cooldown_seconds": 300})
}

fn policy() -> Value {
    json!({"kind": "asg_scaling_policy", "name": "policy", "auto_scaling_group_name": "web",
           "policy_name": "web-failover-scale-up", "adjustment": 2, "warmup_seconds": 60})
}

fn check() -> Value {
    json!({"kind": "dns_health_check", "name": "blue-check", "host": "blue.example.com", "path": "/health"})
}

const CHECK_ID: &str = "01234567-89ab-cdef-0123-456789abcdef";

fn failover() -> Value {
    json!({"kind": "dns_failover_records", "name": "failover", "hosted_zone_id": "Z0123456789",
           "record_name": "api.example.com", "type": "A", "ttl_seconds": 60,
           "primary": {"values": ["192.0.2.1"], "health_check": "blue-check"},
           "secondary": {"values": ["192.0.2.2"], "health_check_id": CHECK_ID}})
}

// The records with the check that they follow before them.
fn followed(records: Value) -> Value {
    let mut plan = adding(check());
    plan["steps"].as_array_mut().unwrap().push(records);
    plan
}

fn changed_records(field: &str, value: Value) -> Value {
    followed(changed(failover(), field, value))
}

#[test]
fn each_kind_is_accepted_as_its_documentation_shows_it() {
    for step in [
        replica(),
        replicas(),
        elsewhere(),
        standby(),
        settings(),
        policy(),
        check(),
    ] {
        accepted(adding(step.clone()));
        let plan = parse(adding(step)).unwrap();
        let step = plan.steps.last().unwrap();
        assert!(step.as_kind().is_setup(), "{}", step.kind());
    }
    accepted(followed(failover()));
    let alias = json!({"dns_name": "lb.example.com", "hosted_zone_id": "Z1", "evaluate_target_health": true});
    let mut aliases = changed(failover(), "/secondary", json!({"alias": alias}));
    accepted(followed(aliases.clone()));
    aliases["secondary"]["alias"]["evaluate_target_health"] = json!(false);
    let path = "steps[4].secondary.health_check";
    refused(followed(aliases), path, "healthy for ever");
    let moving = parse(with("/description", json!("as it is"))).unwrap();
    assert!(moving.steps.iter().all(|step| !step.as_kind().is_setup()));
}

#[test]
fn a_replica_is_of_somebody_else() {
    let own = edited(replica(), "/replica/source", json!("Shop-Copy"));
    refused(own, "steps[3].replica.source", "nothing replicates itself");
    let own = edited(replicas(), "/replicas/green/source", json!("shop-copy"));
    refused(own, "steps[3].replicas.green.source", "nothing replicates itself");
    let arn = json!("arn:aws:rds:eu-west-1:123456789012:db:shop-copy");
    let own = edited(replica(), "/replica/source", arn);
    refused(own, "steps[3].replica.source", "nothing replicates itself");
    // Of the same name in another Region, it is somebody else.
    accepted(adding(elsewhere()));
}

#[test]
fn a_replica_is_either_always_the_same_or_one_for_each_site() {
    let none = edited(replica(), "/replica", Value::Null);
    refused(none, "steps[3].replica", "is missing");
    let both = edited(replicas(), "/replica", replica()["replica"].clone());
    refused(both, "steps[3].replicas", "there is a `replica` too");
    let mut unknown = replicas();
    unknown["replicas"]["red"] = json!({"db_instance_identifier": "another", "source": "shop"});
    refused(adding(unknown), "steps[3].replicas.red", "unknown site");
}

#[test]
fn a_replica_is_one_that_aws_can_make() {
    let zone = edited(replica(), "/replica/availability_zone", json!("eu-central-1b"));
    refused(zone, "steps[3].replica.availability_zone", "eu-west-1");
    let two = edited(replica(), "/replica/multi_az", json!(true));
    refused(two, "steps[3].replica.availability_zone", "two zones");
    let key = edited(replica(), "/replica/kms_key_id", json!("alias/data"));
    refused(key, "steps[3].replica.kms_key_id", "another Region");
    let arn = json!("arn:aws-cn:rds:cn-north-1:123456789012:db:shop");
    let partition = edited(elsewhere(), "/replica/source", arn);
    refused(partition, "steps[3].replica.source", "signed for both Regions");
    let tag = edited(replica(), "/replica/tags", json!({"understudy": "mine"}));
    refused(tag, "steps[3].replica.tags.understudy", "not the plan's to set");
    let class = edited(replica(), "/replica/db_instance_class", json!("t3.micro"));
    refused(class, "steps[3].replica.db_instance_class", "db.t3.micro");
    let public = edited(replica(), "/replica/publicly_accessible", json!(true));
    refused(public, "steps[3].replica.publicly_accessible", "unknown field");
}

#[test]
fn a_group_s_settings_are_some_and_its_place_is_said_once() {
    let nothing = json!({"kind": "asg_settings", "name": "group", "auto_scaling_group_name": "web"});
    refused(adding(nothing), "steps[3]", "names no setting");
    let both = edited(settings(), "/availability_zones", json!(["eu-west-1a"]));
    refused(both, "steps[3].availability_zones", "the one or the other");
    let twice = edited(settings(), "/subnets", json!([SUBNET, SUBNET]));
    refused(twice, "steps[3].subnets[1]", "is there twice");
    let zones = changed(settings(), "/subnets", Value::Null);
    accepted(edited(zones.clone(), "/availability_zones", json!(["eu-west-1a"])));
    let far = edited(zones, "/availability_zones", json!(["eu-central-1a"]));
    refused(far, "steps[3].availability_zones[0]", "eu-west-1");
}

#[test]
fn a_policy_changes_something() {
    refused(
        edited(policy(), "/adjustment", json!(0)),
        "steps[3].adjustment",
        "scales nothing",
    );
    accepted(edited(policy(), "/adjustment", json!(-2)));
}

#[test]
fn each_is_made_by_one_step() {
    for (step, path) in [
        (replica(), "steps[4].replica.db_instance_identifier"),
        (standby(), "steps[4].db_instance_identifier"),
        (settings(), "steps[4].auto_scaling_group_name"),
        (policy(), "steps[4].policy_name"),
    ] {
        let mut plan = adding(step.clone());
        plan["steps"]
            .as_array_mut()
            .unwrap()
            .push(changed(step, "/name", json!("again")));
        refused(plan, path, "steps[3] changes it already");
    }
}

#[test]
fn a_short_time_is_warned_about() {
    let warning = |step: Value| {
        let plan = parse(adding(step)).unwrap();
        plan.steps.last().unwrap().as_kind().warning()
    };
    let (field, message) = warning(replica()).unwrap();
    assert_eq!(field, "timeout_seconds");
    assert!(message.contains("at least 1800"), "{message}");
    let mut long = changed(replica(), "/timeout_seconds", json!(1800));
    let mut plan = adding(long.clone());
    plan["policy"] = json!({"max_duration_seconds": 7200});
    assert_eq!(parse(plan).unwrap().steps.last().unwrap().as_kind().warning(), None);
    long["timeout_seconds"] = json!(600);
    assert!(warning(standby()).is_none(), "in the window nothing is waited for");
    assert!(warning(changed(standby(), "/apply_immediately", json!(true))).is_some());
}

#[test]
fn a_health_check_is_one_that_route_53_can_make() {
    let address = edited(check(), "/host", json!("192.0.2.1"));
    refused(address, "steps[3].host", "put it into `ip_address`");
    for (private, words) in [("10.0.0.1", "public"), ("fd00::1", "public"), ("blue", "an IP address")] {
        refused(
            edited(check(), "/ip_address", json!(private)),
            "steps[3].ip_address",
            words,
        );
    }
    accepted(edited(check(), "/ip_address", json!("192.0.2.1")));
    refused(edited(check(), "/host", Value::Null), "steps[3].host", "is missing");
    let often = edited(check(), "/request_interval_seconds", json!(20));
    refused(often, "steps[3].request_interval_seconds", "one of 10, 30; found 20");
    let tcp = changed(check(), "/protocol", json!("tcp"));
    let tcp = changed(tcp, "/port", json!(5432));
    refused(adding(tcp.clone()), "steps[3].path", "only opens a connection");
    let tcp = changed(tcp, "/path", Value::Null);
    accepted(adding(tcp.clone()));
    refused(edited(tcp, "/port", Value::Null), "steps[3].port", "tcp has no port");
}

#[test]
fn each_failover_record_follows_a_check_of_its_own() {
    let none = changed_records("/secondary/health_check_id", Value::Null);
    refused(none, "steps[4].secondary.health_check", "healthy for ever");
    let both = changed_records(
        "/primary/health_check_id",
        json!("11111111-2222-3333-4444-555555555555"),
    );
    refused(both, "steps[4].primary.health_check_id", "follows one");
    let unknown = changed_records("/primary/health_check", json!("blue-chek"));
    refused(unknown, "steps[4].primary.health_check", "did you mean `blue-check`");
    let mut same = changed(failover(), "/secondary/health_check_id", Value::Null);
    same["secondary"]["health_check"] = json!("blue-check");
    refused(followed(same), "steps[4].secondary.health_check", "unhealthy together");
    let id = changed_records("/secondary/health_check_id", json!("green-check"));
    refused(id, "steps[4].secondary.health_check_id", "belongs into `health_check`");
}

#[test]
fn failover_records_differ_and_stand_alone() {
    let same = changed_records("/secondary/values", json!(["192.0.2.1"]));
    refused(same, "steps[4].secondary", "says the same as primary");
    let identifier = changed_records("/secondary/set_identifier", json!("primary"));
    refused(identifier, "steps[4].secondary.set_identifier", "needs its own");
    let text = changed_records("/primary/values", json!(["blue.example.com"]));
    refused(text, "steps[4].primary.values[0]", "IPv4 address");
    refused(
        changed_records("/ttl_seconds", Value::Null),
        "steps[4].ttl_seconds",
        "is missing",
    );
    // The plan's own `dns_records` changes that one.
    let other = changed_records("/record_name", json!("Shop.Example.com."));
    refused(other, "steps[4].record_name", "steps[2] changes it already");
}

#[test]
fn a_long_time_to_live_is_refused_with_the_reason() {
    refused(
        changed_records("/ttl_seconds", json!(300)),
        "steps[4].ttl_seconds",
        "must be between 1 and 60; found 300. Clients keep the old answer for so long",
    );
}

#[test]
fn a_time_in_which_records_do_not_propagate_is_warned_about() {
    let warning = |step: Value| {
        let plan = parse(followed(step)).unwrap();
        plan.steps.last().unwrap().as_kind().warning()
    };
    assert_eq!(
        warning(changed(failover(), "/timeout_seconds", json!(60))).unwrap().0,
        "timeout_seconds"
    );
    assert_eq!(warning(failover()), None);
}

fn events(field: &str, value: Value) -> Value {
    let events = json!({"kind": "rds_event_subscription", "name": "events", "subscription_name": "shop-events",
                        "source_ids": ["shop-blue", "shop-green"]});
    edited(events, field, value)
}

#[test]
fn events_are_such_as_there_are_and_told_to_a_topic_that_can_be_reached() {
    accepted(events("/categories", json!(["failover", "low_storage"])));
    accepted(events("/source", json!("db_cluster")));
    refused(
        events("/source_ids", json!(["shop-blue", "Shop-Blue"])),
        "steps[3].source_ids[1]",
        "there twice",
    );
    refused(
        events("/categories", json!(["failover", "failover"])),
        "steps[3].categories[1]",
        "there twice",
    );
    let of_cluster = changed(
        events("/source", json!("db_cluster")),
        "/steps/3/categories",
        json!(["low_storage"]),
    );
    refused(of_cluster, "steps[3].categories[0]", "they are its instances'");
    refused(
        events("/subscription_name", json!("Shop")),
        "steps[3].subscription_name",
        "small letter",
    );
    let elsewhere = changed(
        events("/source", json!("db_instance")),
        "/topic_arn",
        json!("arn:aws:sns:us-east-1:123456789012:shop"),
    );
    refused(elsewhere, "steps[3].subscription_name", "topics of its own Region only");
}
