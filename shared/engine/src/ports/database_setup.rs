//! RDS, as what is made once: replicas, standbys, and subscriptions to events.

use super::CallError;
use async_trait::async_trait;
use std::collections::BTreeMap;
use understudy_core::plan::ReadReplica;
use understudy_core::state::{EventSubscription, MultiAz};

/// A DB instance, as far as the set-up of a plan makes or adjusts it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceMade {
    /// `creating`, `available`, `deleting`, …
    pub status: String,
    /// The instance that it is a replica of: an identifier, or an ARN where that is in another Region.
    pub replica_of: Option<String>,
    /// The value of its tag `understudy`: the plan that made it.
    pub made_by: Option<String>,
    /// Whether it has a standby, or is to get one.
    pub multi_az: MultiAz,
    /// Whether anything else waits for its maintenance window: a call that applies a change at once applies that too.
    pub has_other_changes: bool,
}

/// A subscription to events of RDS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionFound {
    /// `creating`, `active`, `modifying`, `deleting`, `no-permission`, `topic-not-exist`.
    pub status: String,
    /// What it tells whom.
    pub subscription: EventSubscription,
}

/// RDS, as set-up reads and changes it. A state that forbids a change for now is `Retryable`; a change whose resource is
/// not as expected is a `Conflict`, and nothing was called.
#[async_trait]
pub trait DatabaseSetup: Send + Sync {
    /// The instance of this identifier, if there is one.
    async fn find(&self, region: Option<&str>, id: &str) -> Result<Option<InstanceMade>, CallError>;
    /// Makes a read replica that carries these tags beside its own. A conflict if its identifier is taken.
    async fn create_replica(
        &self,
        region: Option<&str>,
        replica: &ReadReplica,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CallError>;
    /// Deletes a replica without a final snapshot, if it still replicates `expected` and its tag `understudy` says that
    /// the plan `made_by` made it.
    async fn delete_replica(
        &self,
        region: Option<&str>,
        id: &str,
        expected: &str,
        made_by: &str,
    ) -> Result<(), CallError>;
    /// Gives an instance a standby or takes it away, at once or in its maintenance window, if it is still `expected`.
    async fn set_multi_az(
        &self,
        region: Option<&str>,
        id: &str,
        expected: MultiAz,
        wanted: bool,
        immediately: bool,
    ) -> Result<(), CallError>;
    /// The subscription of this name, if there is one.
    async fn subscription(&self, region: Option<&str>, name: &str) -> Result<Option<SubscriptionFound>, CallError>;
    /// Makes a subscription with these tags, if `expected` is none and there is none; else changes it, if it is still
    /// `expected`: all but its sources, which must be the same.
    async fn put_subscription(
        &self,
        region: Option<&str>,
        name: &str,
        expected: Option<&EventSubscription>,
        wanted: &EventSubscription,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CallError>;
    /// Deletes a subscription, if it is still `expected`.
    async fn delete_subscription(
        &self,
        region: Option<&str>,
        name: &str,
        expected: &EventSubscription,
    ) -> Result<(), CallError>;
}
