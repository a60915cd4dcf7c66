//! Elastic Load Balancing and Route 53: where requests go.

use super::CallError;
use async_trait::async_trait;
use std::collections::BTreeMap;
use understudy_core::plan::TargetId;
use understudy_core::state::{HealthCheck, RecordChange, RecordSet, TargetWeight};

/// Which forward action is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardTarget {
    /// The default action of a listener.
    Listener(String),
    /// The action of a rule.
    Rule(String),
}

/// A target of a target group, as `DescribeTargetHealth` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its id: an instance, an IP address, …
    pub id: String,
    /// The port on which it gets requests; none of a Lambda function.
    pub port: Option<u16>,
    /// `healthy`, `unhealthy`, `initial`, `draining`, `unused`, `unavailable`, …
    pub state: String,
    /// The service's reason, if it gives one.
    pub reason: String,
}

/// A target group and the load balancers that forward to it, by ARN.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balanced {
    /// Its own.
    pub target_group_arn: String,
    /// Theirs.
    pub load_balancer_arns: Vec<String>,
}

/// Elastic Load Balancing.
#[async_trait]
pub trait Traffic: Send + Sync {
    /// The target groups and weights of the forward action.
    async fn weights(&self, region: Option<&str>, target: &ForwardTarget) -> Result<Vec<TargetWeight>, CallError>;
    /// For how many seconds the forward action sends a client to the group that it was sent to before, whatever the weights;
    /// none where it does not.
    async fn group_stickiness(&self, region: Option<&str>, target: &ForwardTarget) -> Result<Option<u32>, CallError>;
    /// Replaces them, if they are still `expected`; every other action and the stickiness are preserved.
    async fn set_weights(
        &self,
        region: Option<&str>,
        target: &ForwardTarget,
        expected: &[TargetWeight],
        wanted: &[TargetWeight],
    ) -> Result<(), CallError>;
    /// For how many seconds a deregistered target of the group drains.
    async fn deregistration_delay(&self, region: Option<&str>, target_group_arn: &str) -> Result<u32, CallError>;
    /// The targets of a group.
    async fn targets(&self, region: Option<&str>, target_group_arn: &str) -> Result<Vec<Target>, CallError>;
    /// The tags of a load balancer or a target group.
    async fn tags(&self, region: Option<&str>, arn: &str) -> Result<BTreeMap<String, String>, CallError>;
    /// Registers targets. One that is registered stays as it is; one that drains is taken back.
    async fn register(
        &self,
        region: Option<&str>,
        target_group_arn: &str,
        targets: &[TargetId],
    ) -> Result<(), CallError>;
    /// Deregisters targets, which drain first. One that is not registered stays as it is.
    async fn deregister(
        &self,
        region: Option<&str>,
        target_group_arn: &str,
        targets: &[TargetId],
    ) -> Result<(), CallError>;
    /// The target group of this name, and what forwards to it, if there is one.
    async fn balanced(&self, region: Option<&str>, name: &str) -> Result<Option<Balanced>, CallError>;
    /// The health check of a target group.
    async fn health_check(&self, region: Option<&str>, target_group_arn: &str) -> Result<HealthCheck, CallError>;
    /// Changes it, if it is still `expected`.
    async fn set_health_check(
        &self,
        region: Option<&str>,
        target_group_arn: &str,
        expected: &HealthCheck,
        wanted: &HealthCheck,
    ) -> Result<(), CallError>;
}

/// Route 53.
#[async_trait]
pub trait Dns: Send + Sync {
    /// The record sets of these (name, type) pairs that exist.
    async fn records(&self, hosted_zone_id: &str, names: &[(String, String)]) -> Result<Vec<RecordSet>, CallError>;
    /// One atomic batch: deletes exactly the old sets and creates the new ones. Answers the change id.
    async fn change_records(
        &self,
        hosted_zone_id: &str,
        changes: &[RecordChange],
        comment: &str,
    ) -> Result<String, CallError>;
    /// Whether the change has reached all name servers.
    async fn in_sync(&self, change_id: &str) -> Result<bool, CallError>;
}
