//! What steps that make things ready want, and when two states are the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::json;
use understudy_core::plan::{AsgScalingPolicy, AsgSettings, DnsFailoverRecords, DnsHealthCheck, RdsReadReplica};
use understudy_core::state::{
    GroupSettings, HealthCheckMade, MultiAz, RecordSet, ReplicaMade, ResourceState, record_changes, same_database,
    wanted_failover_records, wanted_health_check, wanted_policy, wanted_settings,
};

fn replica(replica_of: Option<&str>, made_by: Option<&str>) -> ResourceState {
    ResourceState::DbReadReplica {
        replica: Some(ReplicaMade {
            replica_of: replica_of.map(str::to_owned),
            made_by: made_by.map(str::to_owned),
        }),
    }
}

#[test]
fn a_database_is_the_same_by_name_and_by_arn() {
    let arn = |region: &str| format!("arn:aws:rds:{region}:000000000000:db:shop");
    assert!(same_database("Shop", "shop"));
    assert!(same_database(&arn("eu-west-1"), "SHOP"));
    assert!(!same_database(&arn("eu-west-1"), &arn("eu-central-1")));
    assert!(!same_database("shop", "shop-2"));
}

#[test]
fn a_replica_is_what_it_replicates_whoever_made_it() {
    let ours = replica(Some("shop"), Some("plan"));
    assert!(ours.same_as(&replica(Some("arn:aws:rds:eu-west-1:000000000000:db:shop"), None)));
    assert!(!ours.same_as(&replica(Some("another"), Some("plan"))));
    assert!(!ours.same_as(&replica(None, Some("plan"))));
    assert!(!ours.same_as(&ResourceState::DbReadReplica { replica: None }));
}

#[test]
fn a_site_that_is_not_named_wants_no_replica() {
    let step: RdsReadReplica = serde_json::from_value(json!({
        "name": "copy", "replicas": {"green": {"db_instance_identifier": "copy", "source": "shop"}},
    }))
    .unwrap();
    assert_eq!(step.wanted("blue"), None);
    let wanted = step.wanted("green").unwrap();
    assert!(wanted.auto_minor_version_upgrade && !wanted.multi_az);
}

#[test]
fn what_waits_for_the_window_counts_there_and_nowhere_else() {
    let state = |multi_az, pending, in_window| {
        ResourceState::DbMultiAz(MultiAz {
            multi_az,
            pending,
            in_window,
        })
    };
    let (single, waiting, there) = (
        state(false, None, false),
        state(false, Some(true), false),
        state(true, None, false),
    );
    let in_window = state(false, Some(true), true);
    assert!(waiting.same_as(&in_window) && there.same_as(&in_window));
    assert!(!single.same_as(&in_window));
    assert!(!waiting.same_as(&there) && !waiting.same_as(&single));
    assert!(
        !state(true, Some(false), false).same_as(&in_window),
        "it is to become one again"
    );
}

fn found(by: &str) -> GroupSettings {
    GroupSettings {
        subnets: Some(vec!["subnet-a".into()]),
        health_check_type: Some(by.into()),
        health_check_grace_seconds: Some(0),
        default_cooldown_seconds: Some(300),
        ..GroupSettings::default()
    }
}

#[test]
fn only_what_a_step_names_is_wanted_and_compared() {
    let step: AsgSettings = serde_json::from_value(json!({
        "name": "group", "auto_scaling_group_name": "web", "health_check_type": "elb", "health_check_grace_seconds": 60,
    }))
    .unwrap();
    let current = found("EC2");
    let wanted = wanted_settings(&step, &current);
    assert_eq!(wanted.health_check_type.as_deref(), Some("ELB"));
    assert_eq!((&wanted.subnets, wanted.default_cooldown_seconds), (&None, None));
    let compared = current.only(&wanted);
    assert_eq!(compared.health_check_type.as_deref(), Some("EC2"));
    assert_eq!((compared.subnets, compared.health_check_grace_seconds), (None, Some(0)));
    // Load balancers and something else besides are load balancers too.
    let wanted = wanted_settings(&step, &found("EBS, ELB"));
    assert_eq!(wanted.health_check_type.as_deref(), Some("EBS, ELB"));
}

#[test]
fn a_policy_holds_on_either_side_of_the_alarm_s_threshold() {
    let step: AsgScalingPolicy = serde_json::from_value(json!({
        "name": "policy", "auto_scaling_group_name": "web", "policy_name": "up", "adjustment": 2,
    }))
    .unwrap();
    let policy = wanted_policy(&step);
    // No step without any bound, no gap between the two, and no end on either side.
    let [below, above] = policy.steps.as_slice() else {
        panic!("{policy:?}")
    };
    assert_eq!((&below.lower_bound, &above.upper_bound), (&None, &None));
    assert!(below.upper_bound.is_some() && below.upper_bound == above.lower_bound);
    assert_eq!((below.adjustment, above.adjustment), (2, 2));
    assert_eq!(policy.warmup_seconds, None);
    assert!(policy.sentence().contains("+2 from -∞ to 0"), "{}", policy.sentence());
}

fn check(extra: serde_json::Value) -> DnsHealthCheck {
    let mut step = json!({"name": "check", "host": "blue.example.com"});
    step.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    serde_json::from_value(step).unwrap()
}

#[test]
fn a_check_asks_as_its_protocol_does() {
    let https = wanted_health_check(&check(json!({})));
    assert_eq!(
        (https.protocol.as_str(), https.port, https.path.as_deref()),
        ("HTTPS", Some(443), Some("/"))
    );
    assert_eq!((https.request_interval_seconds, https.failure_threshold), (30, 3));
    let tcp = wanted_health_check(&check(
        json!({"protocol": "tcp", "port": 5432, "request_interval_seconds": 10}),
    ));
    assert_eq!((tcp.protocol.as_str(), tcp.port, tcp.path), ("TCP", Some(5432), None));
    assert_eq!(tcp.request_interval_seconds, 10);
}

#[test]
fn what_route_53_can_not_change_is_known() {
    let https = wanted_health_check(&check(json!({})));
    let other = wanted_health_check(&check(json!({"protocol": "http", "request_interval_seconds": 10})));
    assert_eq!(https.unchangeable(&other), ["protocol", "request_interval_seconds"]);
    let addressed = wanted_health_check(&check(json!({"ip_address": "192.0.2.1"})));
    assert_eq!(https.unchangeable(&addressed), ["ip_address"]);
    let changeable = wanted_health_check(&check(json!({"path": "/health", "failure_threshold": 9, "port": 8443})));
    assert!(https.unchangeable(&changeable).is_empty());
}

#[test]
fn a_wanted_check_has_no_id_and_a_found_one_is_itself() {
    let state = |id: Option<&str>, is_tagged| ResourceState::DnsHealthCheck {
        check: Some(HealthCheckMade {
            id: id.map(str::to_owned),
            settings: wanted_health_check(&check(json!({}))),
            is_tagged,
            made_by: None,
        }),
    };
    assert!(state(Some("a"), true).same_as(&state(None, true)));
    assert!(!state(Some("a"), true).same_as(&state(Some("b"), true)));
    assert!(!state(Some("a"), false).same_as(&state(None, true)), "not tagged yet");
}

fn pair() -> DnsFailoverRecords {
    serde_json::from_value(json!({
        "name": "failover", "hosted_zone_id": "Z1", "record_name": "API.example.com", "type": "A", "ttl_seconds": 30,
        "primary": {"values": ["192.0.2.1"], "health_check_id": "one"},
        "secondary": {"alias": {"dns_name": "lb.example.com", "hosted_zone_id": "Z2"}, "set_identifier": "other"},
    }))
    .unwrap()
}

#[test]
fn a_simple_record_gives_way_to_the_pair_in_the_same_batch() {
    let simple = RecordSet {
        name: "api.example.com.".into(),
        record_type: "A".into(),
        ttl_seconds: Some(300),
        values: vec!["192.0.2.9".into()],
        ..RecordSet::default()
    };
    let current = [simple.clone()];
    let wanted = wanted_failover_records(&pair(), &current, Some("one"), None).unwrap();
    let [primary, secondary] = wanted.as_slice() else {
        panic!("{wanted:?}")
    };
    assert_eq!(primary.name, "api.example.com.");
    assert_eq!(
        (primary.failover.as_deref(), primary.set_identifier.as_deref()),
        (Some("PRIMARY"), Some("primary"))
    );
    assert_eq!(
        (primary.ttl_seconds, primary.health_check_id.as_deref()),
        (Some(30), Some("one"))
    );
    assert_eq!(
        (secondary.failover.as_deref(), secondary.set_identifier.as_deref()),
        (Some("SECONDARY"), Some("other"))
    );
    assert_eq!(secondary.ttl_seconds, None, "an alias has that of its target");
    let changes = record_changes(&current, &wanted);
    let deleted: Vec<_> = changes.iter().filter_map(|change| change.old.clone()).collect();
    assert_eq!((changes.len(), deleted), (3, vec![simple]));
    assert!(record_changes(&wanted, &wanted).is_empty());
}

#[test]
fn records_of_another_policy_stand_in_the_way() {
    let weighted = RecordSet {
        name: "api.example.com.".into(),
        record_type: "A".into(),
        set_identifier: Some("a".into()),
        weight: Some(1),
        ..RecordSet::default()
    };
    let why = wanted_failover_records(&pair(), &[weighted], None, None).unwrap_err();
    assert!(why.contains("weighted policy"), "{why}");
}
