//! EC2 Auto Scaling, as what is adjusted once: settings and scaling policies.

use super::CallError;
use async_trait::async_trait;
use understudy_core::state::{GroupSettings, ScalingPolicy};

/// An Auto Scaling group, as far as set-up adjusts it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupSetUp {
    /// All its settings. Of subnets and zones, those that are not what it is placed by are none.
    pub settings: GroupSettings,
    /// How many of its instances are `InService`.
    pub in_service: u32,
    /// `MinSize`.
    pub minimum: u32,
}

/// EC2 Auto Scaling, as set-up reads and changes it. A change whose resource is not `expected` any more is a `Conflict`,
/// and nothing was called.
#[async_trait]
pub trait GroupSetup: Send + Sync {
    /// A group, if there is one of this name.
    async fn group_set_up(&self, region: Option<&str>, name: &str) -> Result<Option<GroupSetUp>, CallError>;
    /// Sets what `wanted` names, if what `expected` names is still so.
    async fn set_settings(
        &self,
        region: Option<&str>,
        name: &str,
        expected: &GroupSettings,
        wanted: &GroupSettings,
    ) -> Result<(), CallError>;
    /// A scaling policy of a group, if there is one of this name.
    async fn policy(&self, region: Option<&str>, group: &str, name: &str) -> Result<Option<ScalingPolicy>, CallError>;
    /// The ARN of a scaling policy of a group, if there is one of this name: what an alarm names it by.
    async fn policy_arn(&self, region: Option<&str>, group: &str, name: &str) -> Result<Option<String>, CallError>;
    /// Makes or replaces a scaling policy, if it is still `expected`.
    async fn put_policy(
        &self,
        region: Option<&str>,
        group: &str,
        name: &str,
        expected: Option<&ScalingPolicy>,
        wanted: &ScalingPolicy,
    ) -> Result<(), CallError>;
    /// Deletes a scaling policy, if it is still `expected`.
    async fn delete_policy(
        &self,
        region: Option<&str>,
        group: &str,
        name: &str,
        expected: &ScalingPolicy,
    ) -> Result<(), CallError>;
}
