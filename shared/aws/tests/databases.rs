//! What steps ask of RDS and Aurora: what is read, what is compared before a call, and what is called.
//!
//! Tries steps: fence_source, open_destination, rds_reboot_failover, rds_cluster_failover, rds_global, rds_promote_replica.

#![cfg(feature = "rds")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::query::{done, failed};
use common::{Answer, Script, says};
use understudy_aws::rds::RdsFailover;
use understudy_engine::ports::{CallErrorKind, DatabaseFailover};

const BLUE: &str = "arn:aws:rds:eu-west-1:000000000000:cluster:shop-blue";
const GREEN: &str = "arn:aws:rds:eu-central-1:000000000000:cluster:shop-green";

fn instance(extra: &str, groups: &[(&str, &str)]) -> Answer {
    let groups: String = groups
        .iter()
        .map(|(id, status)| {
            format!(
                "<VpcSecurityGroupMembership><VpcSecurityGroupId>{id}</VpcSecurityGroupId><Status>{status}</Status></VpcSecurityGroupMembership>"
            )
        })
        .collect();
    says(
        200,
        format!(
            "<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances><DBInstance>\
             <DBInstanceIdentifier>shop</DBInstanceIdentifier><DBInstanceStatus>available</DBInstanceStatus>\
             <AvailabilityZone>eu-west-1a</AvailabilityZone><MultiAZ>true</MultiAZ>{extra}\
             <VpcSecurityGroups>{groups}</VpcSecurityGroups></DBInstance></DBInstances>\
             </DescribeDBInstancesResult></DescribeDBInstancesResponse>"
        ),
    )
}

fn cluster(writer: &str) -> Answer {
    let member = |id: &str| {
        format!(
            "<DBClusterMember><DBInstanceIdentifier>{id}</DBInstanceIdentifier><IsClusterWriter>{}</IsClusterWriter></DBClusterMember>",
            id == writer
        )
    };
    says(
        200,
        format!(
            "<DescribeDBClustersResponse><DescribeDBClustersResult><DBClusters><DBCluster><Status>available</Status>\
             <DBClusterMembers>{}{}</DBClusterMembers></DBCluster></DBClusters></DescribeDBClustersResult></DescribeDBClustersResponse>",
            member("shop-1"),
            member("shop-2")
        ),
    )
}

fn global(state: &str) -> Answer {
    let member = |arn: &str, writer: bool| {
        format!(
            "<GlobalClusterMember><DBClusterArn>{arn}</DBClusterArn><IsWriter>{writer}</IsWriter></GlobalClusterMember>"
        )
    };
    says(
        200,
        format!(
            "<DescribeGlobalClustersResponse><DescribeGlobalClustersResult><GlobalClusters><GlobalClusterMember>\
             <Status>available</Status>{state}<GlobalClusterMembers>{}{}</GlobalClusterMembers></GlobalClusterMember>\
             </GlobalClusters></DescribeGlobalClustersResult></DescribeGlobalClustersResponse>",
            member(BLUE, true),
            member(GREEN, false)
        ),
    )
}

#[tokio::test]
async fn an_instance_is_read_with_its_zone_its_source_and_the_groups_that_are_in_force() {
    let source = "<ReadReplicaSourceDBInstanceIdentifier>shop-blue</ReadReplicaSourceDBInstanceIdentifier>";
    let groups = [("sg-2", "active"), ("sg-1", "adding"), ("sg-3", "removing")];
    let script = Script::new([instance(source, &groups), instance("", &[("sg-1", "active")])]);
    let databases = RdsFailover::new(&script.config());
    let found = databases.instance(Some("eu-west-1"), "shop").await.unwrap();
    assert_eq!((found.zone.as_str(), found.multi_az), ("eu-west-1a", true));
    assert_eq!(found.replica_of.as_deref(), Some("shop-blue"));
    assert_eq!(found.security_groups, ["sg-1", "sg-2"]);
    assert!(
        !found.security_groups_active,
        "one is on its way in, one on its way out"
    );
    let found = databases.instance(None, "shop").await.unwrap();
    assert_eq!((found.replica_of, found.security_groups_active), (None, true));
}

#[tokio::test]
async fn a_global_database_that_moves_says_so() {
    let moving = "<FailoverState><Status>switching-over</Status></FailoverState>";
    let script = Script::new([global(""), global(moving)]);
    let databases = RdsFailover::new(&script.config());
    let found = databases.global(None, "shop").await.unwrap();
    assert_eq!((found.writer.as_deref(), found.is_moving), (Some(BLUE), false));
    assert_eq!(found.members, [BLUE, GREEN]);
    let found = databases.global(None, "shop").await.unwrap();
    assert_eq!((found.status.as_str(), found.is_moving), ("switching-over", true));
}

#[tokio::test]
async fn each_change_is_one_call_with_what_it_needs() {
    let script = Script::new([
        instance("", &[]),
        done("RebootDBInstance"),
        cluster("shop-1"),
        done("FailoverDBCluster"),
        global(""),
        done("SwitchoverGlobalCluster"),
        global(""),
        done("FailoverGlobalCluster"),
        instance(
            "<ReadReplicaSourceDBInstanceIdentifier>blue</ReadReplicaSourceDBInstanceIdentifier>",
            &[],
        ),
        done("PromoteReadReplica"),
        instance("", &[("sg-1", "active")]),
        done("ModifyDBInstance"),
    ]);
    let databases = RdsFailover::new(&script.config());
    databases
        .reboot_with_failover(None, "shop", "eu-west-1a")
        .await
        .unwrap();
    let writer = Some("shop-1");
    databases
        .fail_over_cluster(None, "shop", writer, "shop-2")
        .await
        .unwrap();
    let at = Some("eu-west-1");
    databases
        .switch_over_global(at, "shop", Some(BLUE), GREEN)
        .await
        .unwrap();
    let at = Some("eu-central-1");
    databases.fail_over_global(at, "shop", Some(BLUE), GREEN).await.unwrap();
    databases.promote(None, "shop", Some("blue")).await.unwrap();
    let (open, fence) = (["sg-1".to_owned()], ["sg-2".to_owned()]);
    databases
        .set_security_groups(None, "shop", &open, &fence)
        .await
        .unwrap();

    let sent = script.sent();
    let field = |nth: usize, name: &str| sent[nth].field(name).unwrap_or_default();
    assert_eq!(
        (field(1, "Action"), field(1, "ForceFailover")),
        ("RebootDBInstance".into(), "true".into())
    );
    assert_eq!(field(3, "TargetDBInstanceIdentifier"), "shop-2");
    assert_eq!(
        (field(5, "Action"), field(5, "AllowDataLoss")),
        ("SwitchoverGlobalCluster".into(), String::new())
    );
    assert!(sent[5].uri.contains("eu-west-1"), "{}", sent[5].uri);
    assert_eq!(
        (field(7, "Action"), field(7, "AllowDataLoss")),
        ("FailoverGlobalCluster".into(), "true".into())
    );
    assert!(sent[7].uri.contains("eu-central-1"), "{}", sent[7].uri);
    assert_eq!(field(7, "TargetDbClusterIdentifier"), GREEN);
    assert_eq!(field(9, "Action"), "PromoteReadReplica");
    assert_eq!(field(11, "VpcSecurityGroupIds.VpcSecurityGroupId.1"), "sg-2");
    assert_eq!(field(11, "ApplyImmediately"), "true");
}

#[tokio::test]
async fn what_is_not_as_expected_is_not_called() {
    let script = Script::new([instance("", &[]), cluster("shop-2"), global("")]);
    let databases = RdsFailover::new(&script.config());
    let refusals = [
        databases.reboot_with_failover(None, "shop", "eu-west-1b").await,
        databases
            .fail_over_cluster(None, "shop", Some("shop-1"), "shop-2")
            .await,
        databases.fail_over_global(None, "shop", Some(GREEN), BLUE).await,
    ];
    for refused in refusals {
        let error = refused.unwrap_err();
        assert_eq!(error.kind, CallErrorKind::Conflict, "{error}");
        assert!(error.message.contains("nothing was changed"), "{error}");
    }
    assert_eq!(script.sent().len(), 3);
}

#[tokio::test]
async fn a_state_that_forbids_it_now_is_for_later_and_no_answer_is_not_repeated() {
    let cases = [
        (failed(400, "InvalidDBInstanceState"), CallErrorKind::Retryable),
        (failed(403, "AccessDenied"), CallErrorKind::Refused),
        (Answer::Silent, CallErrorKind::Lost),
    ];
    for (answer, kind) in cases {
        let script = Script::new([instance("", &[]), answer]);
        let databases = RdsFailover::new(&script.config());
        let error = databases
            .reboot_with_failover(None, "shop", "eu-west-1a")
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert_eq!(script.sent().len(), 2, "a mutating call is sent once");
    }
    let script = Script::new([failed(404, "DBInstanceNotFound")]);
    let error = RdsFailover::new(&script.config())
        .instance(None, "gone")
        .await
        .unwrap_err();
    assert_eq!(error.kind, CallErrorKind::NotFound);
}

fn events(list: &[(&str, &str)]) -> Answer {
    let events: String = list
        .iter()
        .map(|(date, message)| {
            format!("<Event><SourceIdentifier>shop</SourceIdentifier><Message>{message}</Message><Date>{date}</Date></Event>")
        })
        .collect();
    says(
        200,
        format!(
            "<DescribeEventsResponse><DescribeEventsResult><Events>{events}</Events></DescribeEventsResult></DescribeEventsResponse>"
        ),
    )
}

#[tokio::test]
async fn a_restart_counts_if_it_is_reported_and_not_from_before() {
    let (before, after) = ("2026-11-26T19:12:59.9Z", "2026-11-26T19:13:30Z");
    let since: jiff::Timestamp = "2026-11-26T19:13:00Z".parse().unwrap();
    let script = Script::new([
        events(&[(before, "DB instance restarted"), (after, "DB instance shutdown")]),
        events(&[(before, "DB instance restarted"), (after, "DB instance restarted")]),
    ]);
    let databases = RdsFailover::new(&script.config());
    assert!(!databases.restarted_since(None, "Shop", since).await.unwrap());
    assert!(databases.restarted_since(None, "Shop", since).await.unwrap());
    let sent = script.sent();
    let field = |name: &str| sent[0].field(name).unwrap_or_default();
    assert_eq!(
        (field("SourceIdentifier"), field("SourceType")),
        ("shop".into(), "db-instance".into())
    );
    assert_eq!(field("StartTime"), "2026-11-26T19:12:00Z");
}

#[tokio::test]
async fn a_fenced_instance_is_restarted_where_it_is_and_only_behind_groups_that_are_in_force() {
    let fence = ["sg-1".to_owned()];
    let script = Script::new([
        instance("", &[("sg-1", "adding")]),
        instance("", &[("sg-2", "active")]),
        instance("", &[("sg-1", "active")]),
        done("RebootDBInstance"),
    ]);
    let databases = RdsFailover::new(&script.config());
    let early = databases.restart(None, "shop", &fence).await.unwrap_err();
    assert_eq!(early.kind, CallErrorKind::Retryable, "{early}");
    let open = databases.restart(None, "shop", &fence).await.unwrap_err();
    assert_eq!(open.kind, CallErrorKind::Conflict, "{open}");
    databases.restart(None, "shop", &fence).await.unwrap();
    let sent = script.sent();
    assert_eq!(sent[3].field("Action").unwrap_or_default(), "RebootDBInstance");
    assert_eq!(sent[3].field("ForceFailover"), None);
}

#[tokio::test]
async fn stopping_and_starting_are_one_call_each_and_a_wrong_status_is_for_later() {
    let script = Script::new([
        done("StopDBInstance"),
        failed(400, "InvalidDBInstanceState"),
        done("StartDBInstance"),
    ]);
    let databases = RdsFailover::new(&script.config());
    databases.stop(None, "shop").await.unwrap();
    let early = databases.start(None, "shop").await.unwrap_err();
    assert_eq!(early.kind, CallErrorKind::Retryable, "{early}");
    databases.start(None, "shop").await.unwrap();
    let sent = script.sent();
    let actions: Vec<String> = sent
        .iter()
        .map(|call| call.field("Action").unwrap_or_default())
        .collect();
    assert_eq!(actions, ["StopDBInstance", "StartDBInstance", "StartDBInstance"]);
}

#[tokio::test]
async fn an_instance_is_read_with_its_standbys_zone_its_cluster_and_its_replicas() {
    let more = "<SecondaryAvailabilityZone>eu-west-1c</SecondaryAvailabilityZone><DBClusterIdentifier>shop-cluster</DBClusterIdentifier>\
                <ReadReplicaDBInstanceIdentifiers><ReadReplicaDBInstanceIdentifier>shop-copy</ReadReplicaDBInstanceIdentifier>\
                </ReadReplicaDBInstanceIdentifiers>";
    let script = Script::new([instance(more, &[])]);
    let databases = RdsFailover::new(&script.config());
    let found = databases.instance(None, "shop").await.unwrap();
    assert_eq!(found.standby_zone.as_deref(), Some("eu-west-1c"));
    assert_eq!(found.cluster.as_deref(), Some("shop-cluster"));
    assert_eq!(found.replicas, ["shop-copy"]);
}
