//! Groups are read whole, and changed only where they are as expected.
//!
//! Tries steps: asg_capacity, asg_zones.
//! Tries probes: auto_scaling_group.

#![cfg(feature = "autoscaling")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::query::failed;
use common::{Answer, Script, says};
use understudy_aws::autoscaling::AutoScalingGroups;
use understudy_core::state::GroupSize;
use understudy_engine::ports::{AutoScalingGroup, CallErrorKind, Groups};

fn size(minimum: u32, desired: u32, maximum: u32) -> GroupSize {
    GroupSize {
        minimum,
        desired,
        maximum,
    }
}

fn described(extra: &str) -> Answer {
    says(
        200,
        format!(
            "<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups><member>\
             <AutoScalingGroupName>web</AutoScalingGroupName><MinSize>1</MinSize><DesiredCapacity>3</DesiredCapacity>\
             <MaxSize>6</MaxSize><VPCZoneIdentifier>subnet-2, subnet-1</VPCZoneIdentifier><Instances>\
             <member><InstanceId>i-1</InstanceId><LifecycleState>InService</LifecycleState></member>\
             <member><InstanceId>i-2</InstanceId><LifecycleState>InService</LifecycleState></member>\
             <member><InstanceId>i-3</InstanceId><LifecycleState>Pending</LifecycleState></member></Instances>{extra}\
             </member></AutoScalingGroups></DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>"
        ),
    )
}

fn updated() -> Answer {
    says(200, "<UpdateAutoScalingGroupResponse/>")
}

fn web() -> AutoScalingGroup {
    AutoScalingGroup {
        name: "web".into(),
        size: size(1, 3, 6),
        in_service: 2,
        left_behind: 0,
        subnets: vec!["subnet-1".into(), "subnet-2".into()],
        launches: true,
    }
}

#[tokio::test]
async fn instances_in_service_are_counted_and_subnets_are_in_order() {
    let suspended = "<SuspendedProcesses><member><ProcessName>Launch</ProcessName></member></SuspendedProcesses>";
    let deleting = "<Status>Delete in progress</Status>";
    let other = "<SuspendedProcesses><member><ProcessName>AZRebalance</ProcessName></member></SuspendedProcesses>";
    for (extra, launches) in [("", true), (other, true), (suspended, false), (deleting, false)] {
        let script = Script::new([described(extra)]);
        let groups = AutoScalingGroups::new(&script.config());
        let found = groups.groups(None, &["web".into()]).await.unwrap();
        assert_eq!(found, [AutoScalingGroup { launches, ..web() }]);
        let sent = &script.sent()[0];
        let name = sent.field("AutoScalingGroupNames.member.1");
        assert_eq!(name.as_deref(), Some("web"));
    }
    let nothing = Script::default();
    let groups = AutoScalingGroups::new(&nothing.config());
    assert_eq!(
        groups.groups(None, &[]).await.unwrap(),
        [],
        "no names are not all names"
    );
}

#[tokio::test]
async fn what_serves_in_a_zone_that_the_group_has_left_is_counted() {
    let body = "<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups><member>\
         <AutoScalingGroupName>web</AutoScalingGroupName><AvailabilityZones><member>eu-west-1b</member></AvailabilityZones>\
         <Instances>\
         <member><AvailabilityZone>eu-west-1a</AvailabilityZone><LifecycleState>InService</LifecycleState></member>\
         <member><AvailabilityZone>eu-west-1a</AvailabilityZone><LifecycleState>Terminating</LifecycleState></member>\
         <member><AvailabilityZone>eu-west-1b</AvailabilityZone><LifecycleState>InService</LifecycleState></member>\
         </Instances></member></AutoScalingGroups></DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>";
    let script = Script::new([says(200, body)]);
    let groups = AutoScalingGroups::new(&script.config());
    let found = groups.groups(None, &["web".into()]).await.unwrap();
    assert_eq!((found[0].in_service, found[0].left_behind), (2, 1));
}

#[tokio::test]
async fn a_group_as_expected_is_resized_in_one_call_that_names_nothing_else() {
    let script = Script::new([described(""), updated()]);
    let groups = AutoScalingGroups::new(&script.config());
    groups.resize(None, "web", size(1, 3, 6), size(4, 4, 6)).await.unwrap();
    let mut form = script.sent()[1].form();
    form.sort();
    let wanted = [
        ("Action", "UpdateAutoScalingGroup"),
        ("AutoScalingGroupName", "web"),
        ("DesiredCapacity", "4"),
        ("MaxSize", "6"),
        ("MinSize", "4"),
        ("Version", "2011-01-01"),
    ];
    assert_eq!(form, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn subnets_are_replaced_where_they_are_as_expected() {
    let script = Script::new([described(""), updated()]);
    let groups = AutoScalingGroups::new(&script.config());
    let [one, two, three] = ["subnet-1", "subnet-2", "subnet-3"].map(str::to_owned);
    groups
        .set_subnets(None, "web", &[one, two.clone()], &[two, three])
        .await
        .unwrap();
    let sent = &script.sent()[1];
    assert_eq!(sent.field("VPCZoneIdentifier").as_deref(), Some("subnet-2,subnet-3"));
    assert_eq!(sent.field("MinSize"), None);
}

#[tokio::test]
async fn a_group_that_somebody_else_changed_is_left_alone() {
    let script = Script::new([described(""), described("")]);
    let groups = AutoScalingGroups::new(&script.config());
    let error = groups
        .resize(None, "web", size(1, 1, 6), size(4, 4, 6))
        .await
        .unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Conflict);
    assert!(
        error.message.contains("desired 3") && error.message.contains("desired 1"),
        "{error}"
    );
    let subnets = ["subnet-1".to_owned()];
    let error = groups.set_subnets(None, "web", &subnets, &subnets).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Conflict);
    assert_eq!(script.sent().len(), 2, "only reads");
}

#[tokio::test]
async fn what_passes_and_what_does_not_are_told_apart() {
    for (answer, kind) in [
        (failed(400, "ScalingActivityInProgress"), CallErrorKind::Retryable),
        (failed(500, "ResourceContention"), CallErrorKind::Fault),
        (failed(400, "Throttling"), CallErrorKind::Retryable),
        (failed(400, "ValidationError"), CallErrorKind::Refused),
        (failed(403, "AccessDenied"), CallErrorKind::Refused),
        (Answer::Silent, CallErrorKind::Lost),
        (Answer::Broken, CallErrorKind::Lost),
    ] {
        let script = Script::new([described(""), answer]);
        let groups = AutoScalingGroups::new(&script.config());
        let error = groups
            .resize(None, "web", size(1, 3, 6), size(4, 4, 6))
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert_eq!(script.sent().len(), 2, "sent once: {error}");
    }
}

#[tokio::test]
async fn a_group_that_does_not_exist_is_not_found() {
    let nobody = "<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups/>\
                  </DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>";
    let script = Script::new([says(200, nobody), says(200, nobody)]);
    let groups = AutoScalingGroups::new(&script.config());
    assert_eq!(groups.groups(None, &["web".into()]).await.unwrap(), []);
    let error = groups
        .resize(None, "web", size(1, 3, 6), size(4, 4, 6))
        .await
        .unwrap_err();
    assert_eq!(error.kind, CallErrorKind::NotFound);
}
