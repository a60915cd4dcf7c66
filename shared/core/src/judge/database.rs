//! Databases: instances by their status, clusters by theirs and that of the instance that takes the writes.

use crate::health::{Health, Sample};

/// Statuses of an RDS instance that serves, as listed under "Viewing Amazon RDS DB instance status" in the
/// RDS user guide. A backup or a change in progress is not an outage.
const SERVES: &[&str] = &[
    "available",
    "backing-up",
    "configuring-associated-roles",
    "configuring-enhanced-monitoring",
    "configuring-iam-database-auth",
    "configuring-log-exports",
    "delete-precheck",
    "modifying",
    "resetting-master-credentials",
    "storage-config-upgrade",
    "storage-initialization",
    "storage-optimization",
];

/// Statuses in which it may or may not serve: worth a word, never a move.
const PERHAPS: &[&str] = &[
    "converting-to-vpc",
    "insufficient-capacity",
    "maintenance",
    "moving-to-vpc",
    "renaming",
    "upgrading",
];

/// Statuses in which it does not serve.
const DOWN: &[&str] = &[
    "creating",
    "deleting",
    "failed",
    "inaccessible-encryption-credentials",
    "inaccessible-encryption-credentials-recoverable",
    "incompatible-create",
    "incompatible-network",
    "incompatible-option-group",
    "incompatible-parameters",
    "incompatible-restore",
    "rebooting",
    "restore-error",
    "starting",
    "stopped",
    "stopping",
    "storage-full",
];

/// Statuses that only a cluster has, as listed under "DB cluster status" in the Aurora user guide: those in which it
/// serves, ...
const CLUSTER_SERVES: &[&str] = &["update-iam-db-auth"];

/// ... those in which it may or may not, which its writer decides or nobody can say, ...
const CLUSTER_PERHAPS: &[&str] = &[
    "backtracking",
    "failing-over",
    "migrating",
    "preparing-data-migration",
    "promoting",
    "switching-over",
];

/// ... and those in which it does not.
const CLUSTER_DOWN: &[&str] = &["cloning-failed", "migration-failed"];

fn instance_health(status: &str) -> Health {
    if SERVES.contains(&status) {
        Health::Healthy
    } else if PERHAPS.contains(&status) {
        Health::Degraded
    } else if DOWN.contains(&status) {
        Health::Unhealthy
    } else {
        Health::Unknown
    }
}

fn cluster_health(status: &str) -> Health {
    if CLUSTER_SERVES.contains(&status) {
        Health::Healthy
    } else if CLUSTER_PERHAPS.contains(&status) {
        Health::Degraded
    } else if CLUSTER_DOWN.contains(&status) {
        Health::Unhealthy
    } else {
        // What both can be means the same for both.
        instance_health(status)
    }
}

/// An RDS instance by its status.
pub fn database(status: &str) -> Sample {
    Sample::new(
        instance_health(status),
        format!("status {}", crate::event::excerpt(status)),
    )
}

/// A DB cluster, as `DescribeDBClusters` and `DescribeDBInstances` say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterReading<'a> {
    /// Its own status.
    pub status: &'a str,
    /// The member that takes writes, if one does.
    pub writer: Option<&'a str>,
    /// Its members, each with its status where that is known.
    pub members: &'a [(&'a str, Option<&'a str>)],
    /// Whether it copies another cluster.
    pub is_replica: bool,
}

/// A DB cluster by its own status and that of its writer; of one that copies another, by that of its best member.
///
/// The worse of the two counts: a cluster that calls itself `available` does not serve while its writer reboots. Without
/// a member nobody can say: a cluster that was stripped of its instances serves nobody, one of Aurora Serverless does.
pub fn database_cluster(cluster: &ClusterReading<'_>) -> Sample {
    let of_member = |status: Option<&str>| status.map_or(Health::Unknown, instance_health);
    let said = |name: &str, status: Option<&str>| {
        let status = status.map_or_else(|| "not known".into(), crate::event::excerpt);
        format!("{} {status}", crate::event::excerpt(name))
    };
    let (serving, who) = match cluster.writer {
        Some(writer) => {
            let member = cluster.members.iter().find(|(name, _)| *name == writer);
            let status = member.and_then(|(_, status)| *status);
            (of_member(status), format!("writer {}", said(writer, status)))
        }
        None if cluster.members.is_empty() => (Health::Unknown, "it has no instance".to_owned()),
        None if cluster.is_replica => {
            // Of several that can each serve, one that does is enough.
            let best = cluster
                .members
                .iter()
                .min_by_key(|(_, status)| badness(of_member(*status)));
            let best = best.copied().unwrap_or_default();
            (of_member(best.1), format!("a copy, reader {}", said(best.0, best.1)))
        }
        None => (Health::Unknown, "no instance is its writer".to_owned()),
    };
    let own = cluster_health(cluster.status);
    let health = [own, serving].into_iter().max_by_key(|health| badness(*health));
    let reason = format!("status {}, {who}", crate::event::excerpt(cluster.status));
    Sample::new(health.unwrap_or(Health::Unknown), reason)
}

// Of two parts that are both needed, one that is down decides, whatever the other is.
fn badness(health: Health) -> u8 {
    match health {
        Health::Healthy => 0,
        Health::Degraded => 1,
        Health::Unknown => 2,
        Health::Unhealthy => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_serves_is_never_unhealthy() {
        for status in SERVES {
            assert_eq!(database(status).health, Health::Healthy, "{status}");
        }
        assert_eq!(database("upgrading").health, Health::Degraded);
        assert_eq!(database("failed").health, Health::Unhealthy);
        assert_eq!(database("levitating").health, Health::Unknown);
    }

    fn cluster(status: &str, writer: Option<&str>, members: &[(&str, Option<&str>)], is_replica: bool) -> Sample {
        database_cluster(&ClusterReading {
            status,
            writer,
            members,
            is_replica,
        })
    }

    #[test]
    fn a_cluster_is_as_well_as_itself_and_its_writer() {
        for (status, writer, health) in [
            ("available", Some("available"), Health::Healthy),
            ("backing-up", Some("modifying"), Health::Healthy),
            ("update-iam-db-auth", Some("available"), Health::Healthy),
            ("failing-over", Some("available"), Health::Degraded),
            ("available", Some("upgrading"), Health::Degraded),
            ("available", Some("rebooting"), Health::Unhealthy),
            ("failing-over", Some("failed"), Health::Unhealthy),
            ("stopped", Some("available"), Health::Unhealthy),
            ("migration-failed", Some("available"), Health::Unhealthy),
            ("levitating", Some("available"), Health::Unknown),
            ("available", Some("levitating"), Health::Unknown),
            ("available", None, Health::Unknown),
            // What is known to be down is down, whatever the other word means.
            ("levitating", Some("failed"), Health::Unhealthy),
            ("stopped", Some("levitating"), Health::Unhealthy),
        ] {
            let members = [("b", Some("available")), ("a", writer)];
            let sample = cluster(status, Some("a"), &members, false);
            assert_eq!(sample.health, health, "{sample:?}");
            assert!(sample.reason.contains("writer a"), "{sample:?}");
        }
    }

    #[test]
    fn every_word_of_a_cluster_that_serves_is_healthy_with_a_writer_that_serves() {
        for status in SERVES.iter().chain(CLUSTER_SERVES) {
            let sample = cluster(status, Some("a"), &[("a", Some("available"))], false);
            assert_eq!(sample.health, Health::Healthy, "{status}");
        }
        for status in CLUSTER_PERHAPS {
            let sample = cluster(status, Some("a"), &[("a", Some("available"))], false);
            assert_eq!(sample.health, Health::Degraded, "{status}");
        }
    }

    #[test]
    fn without_a_writer_only_a_copy_can_be_well() {
        let both = [("a", Some("rebooting")), ("b", Some("available"))];
        assert_eq!(cluster("available", None, &both, true).health, Health::Healthy);
        assert_eq!(cluster("available", None, &both, false).health, Health::Unknown);
        assert_eq!(cluster("available", None, &both[..1], true).health, Health::Unhealthy);
        assert_eq!(cluster("creating", None, &both, true).health, Health::Unhealthy);
        for is_replica in [true, false] {
            assert_eq!(cluster("available", None, &[], is_replica).health, Health::Unknown);
        }
        let gone = cluster("available", Some("c"), &both, false);
        assert_eq!(gone.health, Health::Unknown, "{gone:?}");
    }
}
