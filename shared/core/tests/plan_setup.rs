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

#[test]
fn each_kind_is_accepted_as_its_documentation_shows_it() {
    for step in [replica(), replicas(), elsewhere(), standby(), settings(), policy()] {
        accepted(adding(step.clone()));
        let plan = parse(adding(step)).unwrap();
        let step = plan.steps.last().unwrap();
        assert!(step.as_kind().is_setup(), "{}", step.kind());
    }
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
