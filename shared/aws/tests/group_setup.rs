//! What set-up asks of EC2 Auto Scaling: only what is named is compared and sent, and policies are put back whole.
//!
//! Tries steps: asg_settings, asg_scaling_policy.

#![cfg(feature = "autoscaling")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Answer, Script, says};
use understudy_aws::autoscaling::AutoScalingGroups;
use understudy_core::state::{GroupSettings, ScalingPolicy, ScalingStep};
use understudy_engine::ports::{CallErrorKind, GroupSetup};

fn group(place: &str) -> Answer {
    says(
        200,
        format!(
            "<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups><member>\
             <AutoScalingGroupName>web</AutoScalingGroupName><MinSize>1</MinSize><DefaultCooldown>300</DefaultCooldown>\
             <AvailabilityZones><member>eu-west-1b</member><member>eu-west-1a</member></AvailabilityZones>{place}\
             <HealthCheckType>EC2</HealthCheckType><HealthCheckGracePeriod>0</HealthCheckGracePeriod><Instances>\
             <member><InstanceId>i-1</InstanceId><LifecycleState>InService</LifecycleState></member></Instances>\
             </member></AutoScalingGroups></DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>"
        ),
    )
}

fn policies(policy: &str) -> Answer {
    says(
        200,
        format!(
            "<DescribePoliciesResponse><DescribePoliciesResult><ScalingPolicies>{policy}</ScalingPolicies>\
             </DescribePoliciesResult></DescribePoliciesResponse>"
        ),
    )
}

// As the service lists it: the steps in no order.
fn step_policy() -> Answer {
    policies(
        "<member><PolicyName>up</PolicyName><PolicyARN>arn:up</PolicyARN><PolicyType>StepScaling</PolicyType><AdjustmentType>ChangeInCapacity</AdjustmentType>\
         <StepAdjustments><member><MetricIntervalLowerBound>0.0</MetricIntervalLowerBound><ScalingAdjustment>2</ScalingAdjustment></member>\
         <member><MetricIntervalUpperBound>0.0</MetricIntervalUpperBound><ScalingAdjustment>1</ScalingAdjustment></member></StepAdjustments>\
         <EstimatedInstanceWarmup>60</EstimatedInstanceWarmup><Enabled>true</Enabled></member>",
    )
}

fn step_policy_read() -> ScalingPolicy {
    let zero = || Some("0".to_owned());
    ScalingPolicy {
        policy_type: "StepScaling".into(),
        adjustment_type: Some("ChangeInCapacity".into()),
        steps: vec![
            ScalingStep {
                upper_bound: zero(),
                adjustment: 1,
                ..ScalingStep::default()
            },
            ScalingStep {
                lower_bound: zero(),
                adjustment: 2,
                ..ScalingStep::default()
            },
        ],
        metric_aggregation_type: Some("Average".into()),
        warmup_seconds: Some(60),
        is_enabled: true,
        ..ScalingPolicy::default()
    }
}

fn named(by: &str) -> GroupSettings {
    GroupSettings {
        health_check_type: Some(by.into()),
        ..GroupSettings::default()
    }
}

#[tokio::test]
async fn a_group_is_placed_by_subnets_or_by_zones() {
    let subnets = "<VPCZoneIdentifier>subnet-2,subnet-1</VPCZoneIdentifier>";
    let script = Script::new([group(subnets), group("")]);
    let groups = AutoScalingGroups::new(&script.config());
    let found = groups.group_set_up(None, "web").await.unwrap().unwrap();
    assert_eq!((found.in_service, found.minimum), (1, 1));
    let settings = GroupSettings {
        subnets: Some(vec!["subnet-1".into(), "subnet-2".into()]),
        health_check_grace_seconds: Some(0),
        default_cooldown_seconds: Some(300),
        ..named("EC2")
    };
    assert_eq!(found.settings, settings);
    let found = groups.group_set_up(None, "web").await.unwrap().unwrap().settings;
    let zones = found.availability_zones.unwrap();
    assert_eq!(
        (found.subnets, zones),
        (None, vec!["eu-west-1a".into(), "eu-west-1b".into()])
    );
}

#[tokio::test]
async fn only_what_is_named_is_compared_and_sent() {
    let script = Script::new([group(""), says(200, "<UpdateAutoScalingGroupResponse/>"), group("")]);
    let groups = AutoScalingGroups::new(&script.config());
    let wanted = GroupSettings {
        health_check_grace_seconds: Some(300),
        ..named("ELB")
    };
    let expected = GroupSettings {
        health_check_grace_seconds: Some(0),
        ..named("EC2")
    };
    groups.set_settings(None, "web", &expected, &wanted).await.unwrap();
    let mut form = script.sent()[1].form();
    form.sort();
    let sent = [
        ("Action", "UpdateAutoScalingGroup"),
        ("AutoScalingGroupName", "web"),
        ("HealthCheckGracePeriod", "300"),
        ("HealthCheckType", "ELB"),
        ("Version", "2011-01-01"),
    ];
    assert_eq!(form, sent.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let error = groups.set_settings(None, "web", &wanted, &expected).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Conflict);
    assert!(error.message.contains("health checks by EC2"), "{error}");
}

#[tokio::test]
async fn a_policy_is_read_whole_and_put_back_so() {
    let done = says(
        200,
        "<PutScalingPolicyResponse><PutScalingPolicyResult/></PutScalingPolicyResponse>",
    );
    let script = Script::new([step_policy(), policies(""), done]);
    let groups = AutoScalingGroups::new(&script.config());
    let found = groups.policy(None, "web", "up").await.unwrap();
    assert_eq!(found, Some(step_policy_read()));
    groups
        .put_policy(None, "web", "up", None, &step_policy_read())
        .await
        .unwrap();
    let sent = &script.sent()[2];
    for (name, value) in [
        ("Action", Some("PutScalingPolicy")),
        ("PolicyType", Some("StepScaling")),
        ("AdjustmentType", Some("ChangeInCapacity")),
        ("StepAdjustments.member.1.MetricIntervalUpperBound", Some("0.0")),
        ("StepAdjustments.member.1.MetricIntervalLowerBound", None),
        ("StepAdjustments.member.1.ScalingAdjustment", Some("1")),
        ("StepAdjustments.member.2.MetricIntervalLowerBound", Some("0.0")),
        ("StepAdjustments.member.2.ScalingAdjustment", Some("2")),
        ("EstimatedInstanceWarmup", Some("60")),
        ("Enabled", Some("true")),
        // Only simple policies have one, and the service refuses it elsewhere.
        ("Cooldown", None),
    ] {
        assert_eq!(sent.field(name).as_deref(), value, "{name}");
    }
}

#[tokio::test]
async fn a_policy_that_is_not_carried_says_what_it_is() {
    let script = Script::new([policies(
        "<member><PolicyName>up</PolicyName><PolicyType>TargetTrackingScaling</PolicyType></member>",
    )]);
    let groups = AutoScalingGroups::new(&script.config());
    let found = groups.policy(None, "web", "up").await.unwrap().unwrap();
    assert_eq!(found.unsupported.as_deref(), Some("TargetTrackingScaling"));
}

#[tokio::test]
async fn a_policy_that_somebody_changed_is_neither_replaced_nor_deleted() {
    let script = Script::new([step_policy(), policies("")]);
    let groups = AutoScalingGroups::new(&script.config());
    let policy = step_policy_read();
    let error = groups.put_policy(None, "web", "up", None, &policy).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Conflict, "{error}");
    let error = groups.delete_policy(None, "web", "up", &policy).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Conflict, "{error}");
    assert_eq!(script.sent().len(), 2, "only reads");

    let done = says(200, "<DeletePolicyResponse/>");
    let script = Script::new([step_policy(), done]);
    let groups = AutoScalingGroups::new(&script.config());
    groups.delete_policy(None, "web", "up", &policy).await.unwrap();
    let sent = &script.sent()[1];
    assert_eq!(sent.field("Action").as_deref(), Some("DeletePolicy"));
    assert_eq!(sent.field("PolicyName").as_deref(), Some("up"));
}

#[tokio::test]
async fn an_alarm_names_a_policy_by_the_arn_that_it_has() {
    let script = Script::new([step_policy(), policies("")]);
    let groups = AutoScalingGroups::new(&script.config());
    assert_eq!(
        groups
            .policy_arn(Some("us-east-1"), "web", "up")
            .await
            .unwrap()
            .as_deref(),
        Some("arn:up")
    );
    assert_eq!(groups.policy_arn(None, "web", "up").await.unwrap(), None);
    assert!(script.sent()[0].uri.contains("us-east-1"));
}
