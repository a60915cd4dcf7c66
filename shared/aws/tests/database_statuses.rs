//! What RDS says about instances and clusters, and what it does not know.
//!
//! Tries probes: rds_instance, rds_cluster.

#![cfg(feature = "rds")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Answer, Script, says};
use understudy_aws::rds::RdsDatabase;
use understudy_engine::ports::{CallErrorKind, Database, DatabaseCluster, DatabaseClusterStatus, DatabaseStatus};

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

fn rds_page(instances: &[(&str, &str)], marker: Option<&str>) -> Answer {
    let instances: String = instances
        .iter()
        .map(|(id, status)| {
            format!("<DBInstance><DBInstanceIdentifier>{id}</DBInstanceIdentifier><DBInstanceStatus>{status}</DBInstanceStatus></DBInstance>")
        })
        .collect();
    let marker = marker
        .map(|marker| format!("<Marker>{marker}</Marker>"))
        .unwrap_or_default();
    says(
        200,
        format!(
            "<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances>{instances}</DBInstances>{marker}\
             </DescribeDBInstancesResult></DescribeDBInstancesResponse>"
        ),
    )
}

fn rds_failed(status: u16, code: &str) -> Answer {
    says(
        status,
        format!("<ErrorResponse><Error><Code>{code}</Code><Message>as scripted</Message></Error></ErrorResponse>"),
    )
}

fn database(id: &str, status: &str) -> DatabaseStatus {
    DatabaseStatus {
        db_instance_identifier: id.into(),
        status: status.into(),
    }
}

#[tokio::test]
async fn databases_are_read_page_by_page_in_the_plans_spelling() {
    let script = Script::new([
        rds_page(&[("orders", "available")], Some("m")),
        rds_page(&[("stock", "backing-up")], None),
    ]);
    let found = RdsDatabase::new(&script.config())
        .instance_statuses(None, &ids(&["Orders", "stock"]))
        .await
        .unwrap();
    assert_eq!(
        found,
        [database("Orders", "available"), database("stock", "backing-up")]
    );
    let sent = script.sent();
    assert_eq!(
        sent[0].field("Filters.Filter.1.Name").as_deref(),
        Some("db-instance-id")
    );
    assert_eq!(
        sent[0].field("Filters.Filter.1.Values.Value.1").as_deref(),
        Some("orders")
    );
    assert_eq!(sent[1].field("Marker").as_deref(), Some("m"));
}

#[tokio::test]
async fn one_unknown_database_does_not_hide_the_others() {
    let missing = || rds_failed(404, "DBInstanceNotFound");
    let script = Script::new([missing(), missing(), rds_page(&[("stock", "available")], None)]);
    let found = RdsDatabase::new(&script.config())
        .instance_statuses(None, &ids(&["gone", "stock"]))
        .await
        .unwrap();
    assert_eq!(found, [database("stock", "available")]);
    let script = Script::new([missing()]);
    assert!(
        RdsDatabase::new(&script.config())
            .instance_statuses(None, &ids(&["gone"]))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn what_a_failed_database_read_means() {
    let cases = [
        (rds_failed(400, "Throttling"), CallErrorKind::Retryable),
        (rds_failed(503, "ServiceUnavailable"), CallErrorKind::Retryable),
        (rds_failed(403, "AccessDenied"), CallErrorKind::Refused),
        (Answer::Silent, CallErrorKind::Lost),
    ];
    for (answer, kind) in cases {
        let script = Script::new([answer]);
        let error = RdsDatabase::new(&script.config())
            .instance_statuses(None, &ids(&["a"]))
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
    }
}

/// A cluster as RDS describes it: its id, its status, its members and whether each writes, and what it copies.
type Described<'a> = (&'a str, &'a str, &'a [(&'a str, bool)], &'a str);

fn rds_clusters(clusters: &[Described<'_>], marker: Option<&str>) -> Answer {
    let member = |(id, writes): &(&str, bool)| {
        format!(
            "<DBClusterMember><DBInstanceIdentifier>{id}</DBInstanceIdentifier><IsClusterWriter>{writes}</IsClusterWriter></DBClusterMember>"
        )
    };
    let clusters: String = clusters
        .iter()
        .map(|(id, status, members, source)| {
            let members: String = members.iter().map(member).collect();
            format!(
                "<DBCluster><DBClusterIdentifier>{id}</DBClusterIdentifier><Status>{status}</Status>\
                 <DBClusterMembers>{members}</DBClusterMembers>\
                 <ReplicationSourceIdentifier>{source}</ReplicationSourceIdentifier></DBCluster>"
            )
        })
        .collect();
    let marker = marker
        .map(|marker| format!("<Marker>{marker}</Marker>"))
        .unwrap_or_default();
    says(
        200,
        format!(
            "<DescribeDBClustersResponse><DescribeDBClustersResult><DBClusters>{clusters}</DBClusters>{marker}\
             </DescribeDBClustersResult></DescribeDBClustersResponse>"
        ),
    )
}

#[tokio::test]
async fn clusters_are_read_page_by_page_with_their_writers_and_sources() {
    let members: &[(&str, bool)] = &[("orders-2", false), ("Orders-1", true)];
    let readers: &[(&str, bool)] = &[("copy-1", false)];
    let source = "arn:aws:rds:us-east-1:000000000000:cluster:orders";
    let script = Script::new([
        rds_clusters(&[("orders", "available", members, "")], Some("m")),
        rds_clusters(&[("copy", "failing-over", readers, source)], None),
    ]);
    let found = RdsDatabase::new(&script.config())
        .cluster_statuses(Some("eu-north-1"), &ids(&["Orders", "copy"]))
        .await
        .unwrap();
    let cluster = |id: &str, status: &str, writer: Option<&str>, members: &[&str], is_replica| DatabaseClusterStatus {
        db_cluster_identifier: id.into(),
        cluster: DatabaseCluster {
            status: status.into(),
            writer: writer.map(str::to_owned),
            members: ids(members),
            engine: "unknown of an unknown version".into(),
        },
        is_replica,
    };
    assert_eq!(
        found,
        [
            cluster(
                "Orders",
                "available",
                Some("orders-1"),
                &["orders-2", "orders-1"],
                false
            ),
            cluster("copy", "failing-over", None, &["copy-1"], true),
        ]
    );
    let sent = script.sent();
    assert!(sent[0].uri.contains("eu-north-1"), "{}", sent[0].uri);
    assert_eq!(sent[0].field("Action").as_deref(), Some("DescribeDBClusters"));
    assert_eq!(sent[0].field("Filters.Filter.1.Name").as_deref(), Some("db-cluster-id"));
    assert_eq!(
        sent[0].field("Filters.Filter.1.Values.Value.1").as_deref(),
        Some("orders")
    );
    assert_eq!(sent[1].field("Marker").as_deref(), Some("m"));
}

#[tokio::test]
async fn one_unknown_cluster_does_not_hide_the_others_and_no_cluster_is_not_every_cluster() {
    let missing = || rds_failed(404, "DBClusterNotFoundFault");
    let members: &[(&str, bool)] = &[("a", true)];
    let here = rds_clusters(&[("here", "available", members, "")], None);
    let script = Script::new([missing(), missing(), here]);
    let found = RdsDatabase::new(&script.config())
        .cluster_statuses(None, &ids(&["gone", "here"]))
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].cluster.writer.as_deref(), Some("a"));
    let script = Script::new([]);
    let nothing = RdsDatabase::new(&script.config())
        .cluster_statuses(None, &[])
        .await
        .unwrap();
    assert!(nothing.is_empty());
}

#[tokio::test]
async fn what_a_failed_cluster_read_means() {
    let cases = [
        (rds_failed(400, "Throttling"), CallErrorKind::Retryable),
        (rds_failed(403, "AccessDenied"), CallErrorKind::Refused),
        (Answer::Silent, CallErrorKind::Lost),
    ];
    for (answer, kind) in cases {
        let script = Script::new([answer]);
        let error = RdsDatabase::new(&script.config())
            .cluster_statuses(None, &ids(&["orders"]))
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains("DB cluster(s) orders"), "{error}");
    }
}
