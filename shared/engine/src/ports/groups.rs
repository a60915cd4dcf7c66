//! EC2 Auto Scaling: how many machines there are, and in which zones.

use super::CallError;
use async_trait::async_trait;
use std::collections::BTreeMap;
use understudy_core::state::GroupSize;

/// An Auto Scaling group, as `DescribeAutoScalingGroups` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoScalingGroup {
    /// Its name.
    pub name: String,
    /// Its bounds and its desired capacity.
    pub size: GroupSize,
    /// How many of its instances are `InService`.
    pub in_service: u32,
    /// How many of those are in a zone that the group is not in any more: they serve until the group has ended them.
    pub left_behind: u32,
    /// The subnets of `VPCZoneIdentifier`, in order.
    pub subnets: Vec<String>,
    /// Whether it launches instances: its process `Launch` is not suspended, and it is not being deleted.
    pub launches: bool,
}

/// EC2 Auto Scaling.
#[async_trait]
pub trait Groups: Send + Sync {
    /// These groups, at most 100. Those that do not exist are not in the answer.
    async fn groups(&self, region: Option<&str>, names: &[String]) -> Result<Vec<AutoScalingGroup>, CallError>;
    /// The tags of a group.
    async fn tags(&self, region: Option<&str>, name: &str) -> Result<BTreeMap<String, String>, CallError>;
    /// Sets bounds and desired capacity in one call, if they are still `expected`.
    async fn resize(
        &self,
        region: Option<&str>,
        name: &str,
        expected: GroupSize,
        wanted: GroupSize,
    ) -> Result<(), CallError>;
    /// Replaces the subnets, if they are still `expected`; both in order.
    async fn set_subnets(
        &self,
        region: Option<&str>,
        name: &str,
        expected: &[String],
        wanted: &[String],
    ) -> Result<(), CallError>;
}
