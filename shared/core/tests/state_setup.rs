//! What steps that make things ready want, and when two states are the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::json;
use understudy_core::plan::{AsgScalingPolicy, AsgSettings, RdsReadReplica};
use understudy_core::state::{
    GroupSettings, MultiAz, ReplicaMade, ResourceState, same_database, wanted_policy, wanted_settings,
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
