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

/// A gate: goes on when a time has passed since it was reached.
///
/// Records that were changed are still cached for their TTL, and connections end when their clients end them: what
/// follows may have to wait for both. The time runs on while the execution is held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Wait {
    /// What every step has. `timeout_seconds` must be more than `seconds`.
    #[serde(flatten)]
    pub common: StepCommon,
    /// How long it waits.
    #[schemars(range(min = 1, max = 3600))]
    pub seconds: u32,
}

/// A gate: goes on when a person says `approve`, in automatic moves too.
///
/// `reject` cancels the move: what was done is undone. Silence until `timeout_seconds` are over fails the step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AwaitApproval {
    /// What every step has. Nobody is waited for longer than `timeout_seconds`.
    #[serde(flatten)]
    pub common: StepCommon,
    /// What the person is asked, in one line: what to look at before saying yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 300))]
    pub question: Option<String>,
}

macro_rules! gates {
    ($($kind:ident),+) => {
        $(impl StepKind for $kind {
            fn reversibility(&self) -> Reversibility {
                Reversibility::Nothing
            }

            fn is_gate(&self) -> bool {
                true
            }
        })+
    };
}

gates!(WaitHealthy, Wait, AwaitApproval);
