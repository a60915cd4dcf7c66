//! What alarms on CloudWatch are.

use super::CallError;
use async_trait::async_trait;
use understudy_core::state::AlarmDefinition;

/// What alarms on metrics are: for setup, which makes and adjusts them. What they say is [`super::Alarms`].
#[async_trait]
pub trait AlarmDefinitions: Send + Sync {
    /// The alarm of this name, if there is one. A composite alarm is one with an unsupported property.
    async fn definition(&self, region: Option<&str>, name: &str) -> Result<Option<AlarmDefinition>, CallError>;
    /// Makes the alarm, if there is none and `expected` is none; replaces it whole, if it is still `expected`. `tags` are
    /// given to one that is made; one that was there keeps its own.
    async fn define(
        &self,
        region: Option<&str>,
        name: &str,
        expected: Option<&AlarmDefinition>,
        wanted: &AlarmDefinition,
        tags: &[(String, String)],
    ) -> Result<(), CallError>;
    /// Deletes the alarm, if it is still `expected`.
    async fn remove(&self, region: Option<&str>, name: &str, expected: &AlarmDefinition) -> Result<(), CallError>;
}
