//! EC2: the machines.

use super::CallError;
use async_trait::async_trait;

/// The status checks of an EC2 instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceStatus {
    /// The instance.
    pub instance_id: String,
    /// `running`, `stopped`, …
    pub state: String,
    /// `ok`, `impaired`, `initializing`, `insufficient-data`, `not-applicable`.
    pub instance_check: String,
    /// The same for the system underneath.
    pub system_check: String,
}

/// EC2.
#[async_trait]
pub trait Compute: Send + Sync {
    /// The status of these instances, at most 100. `NotFound` if one of them does not exist.
    async fn instance_statuses(&self, region: Option<&str>, ids: &[String]) -> Result<Vec<InstanceStatus>, CallError>;
}
