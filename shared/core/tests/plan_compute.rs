//! Rules of the steps at Auto Scaling groups, instances, addresses and targets, each with what it refuses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod plan_support;

use plan_support::{accepted, changed, group, refused, with};
use serde_json::{Value, json};

const I1: &str = "i-0000000000000001";
const I2: &str = "i-0000000000000002";
const SUBNET_1: &str = "subnet-00000001";
const SUBNET_2: &str = "subnet-00000002";

fn adding(step: Value) -> Value {
    with("/steps/-", step)
}

fn capacity() -> Value {
    json!({"kind": "asg_capacity", "name": "capacity", "groups": {"blue": "web", "green": "web-standby"}})
}

fn zones() -> Value {
    json!({"kind": "asg_zones", "name": "zones", "auto_scaling_group_name": "web",
           "subnets": {"blue": [SUBNET_1, SUBNET_2], "green": [SUBNET_2]}})
}

fn instances() -> Value {
    json!({"kind": "ec2_instance", "name": "machines", "instances": {"blue": [I1], "green": [I2]}})
}

fn address() -> Value {
    json!({"kind": "elastic_ip", "name": "address", "allocation_id": "eipalloc-00000001", "targets": {"blue": I1, "green": "eni-00000002"}})
}

fn targets() -> Value {
    json!({"kind": "elb_targets", "name": "targets", "target_group_arn": group("all"),
           "targets": {"blue": [{"id": I1, "port": 80}], "green": [{"id": I2, "port": 80}]}})
}

fn edited(mut step: Value, field: &str, value: Value) -> Value {
    step = changed(step, field, value);
    adding(step)
}

#[test]
fn each_kind_is_accepted_as_its_documentation_shows_it() {
    for step in [capacity(), zones(), instances(), address(), targets()] {
        accepted(adding(step));
    }
    accepted(edited(capacity(), "/regions", json!({"green": "eu-central-1"})));
    let stop = changed(instances(), "/action", json!("stop"));
    accepted(adding(changed(stop, "/when", json!("planned"))));
}

#[test]
fn every_site_has_something_of_its_own() {
    for (step, field) in [
        (capacity(), "groups"),
        (zones(), "subnets"),
        (instances(), "instances"),
        (address(), "targets"),
        (targets(), "targets"),
    ] {
        let three = with("/sites/-", json!({"name": "red", "priority": 3}));
        let three = changed(three, "/policy", json!({"mode": "manual"}));
        let three = changed(three, "/steps/1/target_groups/red", json!(group("red")));
        let three = changed(three, "/steps/2/records/0/sites/red", json!({"values": ["192.0.2.3"]}));
        let three = changed(three, "/steps/2/records/1", Value::Null);
        let three = changed(three, "/steps/-", step.clone());
        refused(three, &format!("steps[3].{field}.red"), "can not move there");

        let third = step[field]["green"].to_string();
        let third = third.replace('2', "3").replace("standby", "third");
        let third = serde_json::from_str(&third).unwrap();
        let unknown = edited(step, &format!("/{field}/rde"), third);
        refused(unknown, &format!("steps[3].{field}.rde"), "unknown site");
    }
}

#[test]
fn what_two_sites_share_does_not_move() {
    let path = "steps[3].groups.green";
    let nothing = "would change nothing";
    refused(edited(capacity(), "/groups/green", json!("web")), path, nothing);
    let far = changed(capacity(), "/groups/green", json!("web"));
    accepted(edited(far, "/regions", json!({"green": "eu-central-1"})));

    let same = edited(zones(), "/subnets/green", json!([SUBNET_2, SUBNET_1]));
    refused(same, "steps[3].subnets.green", nothing);
    let path = "steps[3].instances.green";
    refused(edited(instances(), "/instances/green", json!([I1])), path, nothing);
    let path = "steps[3].targets.green";
    refused(edited(address(), "/targets/green", json!(I1)), path, nothing);
    let both = json!([{"id": I2, "port": 80}, {"id": I1, "port": 80}]);
    refused(edited(targets(), "/targets/green", both), path, nothing);
    let another_port = json!([{"id": I1, "port": 81}]);
    accepted(edited(targets(), "/targets/green", another_port));
}

#[test]
fn nothing_is_named_twice() {
    let twice = edited(zones(), "/subnets/green", json!([SUBNET_2, SUBNET_2]));
    refused(twice, "steps[3].subnets.green", "twice");
    let twice = edited(instances(), "/instances/green", json!([I2, I2]));
    refused(twice, "steps[3].instances.green", "twice");
    let twice = json!([{"id": I2, "port": 80}, {"id": I2, "port": 80}]);
    refused(
        edited(targets(), "/targets/green", twice),
        "steps[3].targets.green",
        "twice",
    );
}

#[test]
fn two_steps_do_not_change_the_same_resource() {
    for (step, path) in [
        (capacity(), "groups.blue"),
        (zones(), "auto_scaling_group_name"),
        (instances(), "instances.blue"),
        (address(), "allocation_id"),
        (targets(), "target_group_arn"),
    ] {
        let again = changed(step.clone(), "/name", json!("again"));
        let plan = changed(adding(step), "/steps/-", again);
        refused(plan, &format!("steps[4].{path}"), "overwrite the earlier one");
    }
    let stop = json!({"kind": "ec2_instance", "name": "stop", "instances": {"blue": [I1], "green": [I2]},
                      "action": "stop", "when": "planned"});
    accepted(changed(adding(instances()), "/steps/-", stop));
}

#[test]
fn instances_are_stopped_in_planned_moves_only() {
    let path = "steps[3].action";
    refused(edited(instances(), "/action", json!("stop")), path, "when: planned");
}

#[test]
fn targets_are_instances_or_addresses_of_the_groups_own_region() {
    let addresses = json!({"blue": [{"id": "10.0.0.1", "port": 80}], "green": [{"id": "fd00::2", "port": 80}]});
    accepted(edited(targets(), "/targets", addresses));
    let mixed = json!([{"id": "10.0.0.1", "port": 80}]);
    refused(
        edited(targets(), "/targets/green", mixed),
        "steps[3].targets",
        "one kind only",
    );
    let nonsense = json!({"blue": [{"id": "10.0.0.1", "port": 80}], "green": [{"id": "10.0.0.256", "port": 80}]});
    let path = "steps[3].targets.green[0].id";
    refused(edited(targets(), "/targets", nonsense), path, "IP address");
    let elsewhere = group("all").replace("eu-west-1", "eu-central-1");
    let path = "steps[3].target_group_arn";
    refused(
        edited(targets(), "/target_group_arn", json!(elsewhere)),
        path,
        "eu-central-1",
    );
}
