//! Hooks: functions of the user's that do a step.

use super::CallError;
use async_trait::async_trait;
use serde_json::Value;

/// Which function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookFunction {
    /// Its name or its ARN.
    pub name: String,
    /// A version or an alias of it; none for the newest one.
    pub qualifier: Option<String>,
}

/// What a hook answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookAnswer {
    /// It is done.
    Done {
        /// What the hook says of it.
        detail: Option<String>,
    },
    /// No: it is not done, and is not to be asked again.
    Refused {
        /// Why.
        reason: String,
    },
    /// It is begun, and not done yet.
    NotYet {
        /// What it waits for.
        detail: Option<String>,
    },
}

/// Functions of the user's, invoked synchronously.
#[async_trait]
pub trait Hooks: Send + Sync {
    /// Asks once, and waits for the answer for as long as a mutating call may take. `Retryable` where the function itself
    /// failed: it may have done its work.
    async fn ask(&self, region: Option<&str>, function: &HookFunction, event: &Value) -> Result<HookAnswer, CallError>;
}
