//! Hooks: steps that a user's own function does.

use super::{Reversibility, StepCommon, StepKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The largest `payload` of a hook, in bytes of its JSON form. It is part of every copy of the plan, and Lambda itself
/// takes no more than 6 MB.
pub const MAX_PAYLOAD_BYTES: usize = 8 * 1024;

/// A Lambda function of the user's, invoked synchronously: it does what no other kind of step does, or says no.
///
/// It is sent `plan`, `execution`, `step`, `epoch`, `direction` (`forward`, or `back` to undo), `from`, `to`, `style`,
/// `idempotency_key` and `payload`, and answers one of these within eight seconds:
/// `{"ok": true}` (done), `{"ok": false, "reason": "…"}` (no: the step fails and is not tried again), or
/// `{"wait": true}` (begun, and not done yet: it is asked again). `detail` may say more.
///
/// An answer can be lost on its way. Then it is asked again with the same `idempotency_key`, and must neither do its work
/// twice nor answer anything else. For the same reason it may be asked to undo what it has never done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Invoke {
    /// What every step has. `timeout_seconds` is for all that it is asked together.
    #[serde(flatten)]
    pub common: StepCommon,
    /// The function: its name or its ARN. It must be among the stack's `HookFunctionArns`.
    #[schemars(regex(pattern = r"^(arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:)?[a-zA-Z0-9_-]{1,64}$"))]
    pub function: String,
    /// A version or an alias of it. Without it: the newest, unpublished one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-zA-Z0-9_-]{1,128}$"))]
    pub qualifier: Option<String>,
    /// What it is sent besides, as it stands here: a mapping of at most 8 KB.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub payload: Map<String, Value>,
    /// How it is taken back when the move is.
    #[serde(default)]
    pub undo: InvokeUndo,
    /// Whether its `ok` says that the source's database takes no more writes, as that of a `fence_source` would: then a
    /// promotion behind it loses nothing in a planned move.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fences_source: bool,
}

/// How a hook is taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvokeUndo {
    /// Not at all: there is nothing to take back.
    #[default]
    None,
    /// The same function is asked to, with the direction `back`.
    Invoke,
}

impl Invoke {
    /// The function as it is called: with its qualifier, if it has one.
    pub fn qualified(&self) -> String {
        match &self.qualifier {
            Some(qualifier) => format!("{}:{qualifier}", self.function),
            None => self.function.clone(),
        }
    }
}

impl StepKind for Invoke {
    fn reversibility(&self) -> Reversibility {
        match self.undo {
            InvokeUndo::None => Reversibility::Nothing,
            InvokeUndo::Invoke => Reversibility::Compensable,
        }
    }

    fn shared_resources(&self) -> Vec<&str> {
        vec![&self.function]
    }
}
