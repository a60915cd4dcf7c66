//! Gates: steps that change nothing and let go on when something is so.

use super::{Reversibility, StepCommon, StepKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A gate: goes on when fresh observations call the destination healthy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct WaitHealthy {
    /// What every step has. The step fails if the destination is not healthy within `timeout_seconds`.
    #[serde(flatten)]
    pub common: StepCommon,
    /// How long the destination must have been healthy.
    #[serde(default)]
    #[schemars(range(max = 3600))]
    pub for_seconds: u32,
}

impl StepKind for WaitHealthy {
    fn reversibility(&self) -> Reversibility {
        Reversibility::Nothing
    }
}
