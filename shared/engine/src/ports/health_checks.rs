//! Route 53's health checks.

use super::CallError;
use async_trait::async_trait;
use std::collections::BTreeMap;
use understudy_core::state::HealthCheckSettings;

/// A health check of Route 53.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthCheckFound {
    /// Its id.
    pub id: String,
    /// How it asks.
    pub settings: HealthCheckSettings,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Route 53's health checks, as set-up makes them. Each is known by the reference that its maker gave it. A change whose
/// check is not `expected` any more is a `Conflict`, and nothing was called.
#[async_trait]
pub trait HealthChecks: Send + Sync {
    /// The check whose reference begins with `prefix`, if there is one. `Refused` if there are several.
    async fn find(&self, prefix: &str) -> Result<Option<HealthCheckFound>, CallError>;
    /// Makes a check. With a reference that was used before: the same one if its settings are the same, else a conflict,
    /// also if that one was deleted.
    async fn create(&self, reference: &str, settings: &HealthCheckSettings) -> Result<(), CallError>;
    /// Changes how it asks.
    async fn update(
        &self,
        id: &str,
        expected: &HealthCheckSettings,
        wanted: &HealthCheckSettings,
    ) -> Result<(), CallError>;
    /// Adds these tags, or takes those of their names away.
    async fn tag(&self, id: &str, tags: &BTreeMap<String, String>, present: bool) -> Result<(), CallError>;
    /// Deletes it.
    async fn delete(&self, id: &str, expected: &HealthCheckSettings) -> Result<(), CallError>;
}
