//! RDS: the databases.

use super::CallError;
use async_trait::async_trait;

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
}
