//! RDS: the databases.

use super::CallError;
use async_trait::async_trait;
use jiff::Timestamp;

/// The status of an RDS instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseStatus {
    /// The instance.
    pub db_instance_identifier: String,
    /// `available`, `backing-up`, …
    pub status: String,
}

/// RDS.
#[async_trait]
pub trait Database: Send + Sync {
    /// The status of these instances, at most 100. Those that do not exist are not in the answer.
    async fn instance_statuses(&self, region: Option<&str>, ids: &[String]) -> Result<Vec<DatabaseStatus>, CallError>;
    /// These clusters, at most 100. Those that do not exist are not in the answer.
    async fn cluster_statuses(
        &self,
        region: Option<&str>,
        ids: &[String],
    ) -> Result<Vec<DatabaseClusterStatus>, CallError>;
}

/// The status of a DB cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseClusterStatus {
    /// The cluster.
    pub db_cluster_identifier: String,
    /// Its status and its members.
    pub cluster: DatabaseCluster,
    /// Whether it copies another cluster, as the secondary of a global database does.
    pub is_replica: bool,
}

/// An RDS instance, as far as steps change it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseInstance {
    /// `available`, `backing-up`, …
    pub status: String,
    /// The Availability Zone that it is in now.
    pub zone: String,
    /// Whether it has a standby in another zone.
    pub multi_az: bool,
    /// The instance that it is a replica of: an identifier, or an ARN where that is in another Region.
    pub replica_of: Option<String>,
    /// Its security groups, in order. Those on their way in or out are not `active`.
    pub security_groups: Vec<String>,
    /// Whether every one of them is in force.
    pub security_groups_active: bool,
    /// `postgres 16.4`: its engine and the version of that.
    pub engine: String,
    /// The zone of its standby, as far as RDS tells.
    pub standby_zone: Option<String>,
    /// The cluster that it is a member of.
    pub cluster: Option<String>,
    /// Its read replicas.
    pub replicas: Vec<String>,
}

/// A DB cluster, as far as steps change it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseCluster {
    /// `available`, `failing-over`, …
    pub status: String,
    /// The member that takes writes, if one does.
    pub writer: Option<String>,
    /// All members.
    pub members: Vec<String>,
    /// `aurora-postgresql 16.4`: its engine and the version of that.
    pub engine: String,
}

/// An Aurora Global Database, as far as steps change it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GlobalDatabase {
    /// `available`, `switching-over`, `failing-over`, …
    pub status: String,
    /// Whether a switchover or failover is under way.
    pub is_moving: bool,
    /// The ARN of the cluster that takes writes, if one does.
    pub writer: Option<String>,
    /// The ARNs of all clusters.
    pub members: Vec<String>,
}

/// RDS, as steps read and change it. Reads answer `NotFound` for what does not exist; a state that forbids a change for
/// now is `Retryable`; a change whose resource is not `expected` any more is a `Conflict`, and nothing was called. RDS
/// itself compares nothing, so between that look and the call lies a moment.
#[async_trait]
pub trait DatabaseFailover: Send + Sync {
    /// One instance.
    async fn instance(&self, region: Option<&str>, id: &str) -> Result<DatabaseInstance, CallError>;
    /// One cluster.
    async fn cluster(&self, region: Option<&str>, id: &str) -> Result<DatabaseCluster, CallError>;
    /// One global database.
    async fn global(&self, region: Option<&str>, id: &str) -> Result<GlobalDatabase, CallError>;
    /// Reboots a Multi-AZ instance that is in the zone `expected`, so that its standby takes over. Doing it twice brings
    /// it back.
    async fn reboot_with_failover(&self, region: Option<&str>, id: &str, expected: &str) -> Result<(), CallError>;
    /// Makes `writer` the writer of the cluster, whose writer is `expected`.
    async fn fail_over_cluster(
        &self,
        region: Option<&str>,
        id: &str,
        expected: Option<&str>,
        writer: &str,
    ) -> Result<(), CallError>;
    /// Makes `cluster_arn` the primary in place of `expected`, without loss. Asked of the Region of the present primary.
    async fn switch_over_global(
        &self,
        region: Option<&str>,
        id: &str,
        expected: Option<&str>,
        cluster_arn: &str,
    ) -> Result<(), CallError>;
    /// Makes `cluster_arn` the primary in place of `expected`, and loses what has not arrived there. Asked of the Region
    /// of that cluster.
    async fn fail_over_global(
        &self,
        region: Option<&str>,
        id: &str,
        expected: Option<&str>,
        cluster_arn: &str,
    ) -> Result<(), CallError>;
    /// Makes a read replica of `expected` a database of its own. It can not be taken back.
    async fn promote(&self, region: Option<&str>, id: &str, expected: Option<&str>) -> Result<(), CallError>;
    /// Replaces the security groups `expected` of an instance, at once.
    async fn set_security_groups(
        &self,
        region: Option<&str>,
        id: &str,
        expected: &[String],
        groups: &[String],
    ) -> Result<(), CallError>;
    /// Whether RDS has reported, since then, that the instance was restarted.
    async fn restarted_since(&self, region: Option<&str>, id: &str, since: Timestamp) -> Result<bool, CallError>;
    /// Stops an instance that is `available`.
    async fn stop(&self, region: Option<&str>, id: &str) -> Result<(), CallError>;
    /// Starts an instance that is `stopped`.
    async fn start(&self, region: Option<&str>, id: &str) -> Result<(), CallError>;
    /// Restarts an instance where it is, if its security groups are `expected` and in force. All its connections are cut.
    async fn restart(&self, region: Option<&str>, id: &str, expected: &[String]) -> Result<(), CallError>;
}
