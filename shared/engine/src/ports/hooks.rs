//! Hooks: functions of the user's that do a step.

use super::CallError;
use async_trait::async_trait;
use serde_json::Value;
use understudy_core::event::excerpt;

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

impl HookAnswer {
    /// The answers that a hook may give.
    pub const FORMS: &str =
        r#"{"ok": true}, {"ok": false, "reason": "…"} or {"wait": true}, with a "detail" if there is something to say"#;

    /// Reads what a hook has answered.
    ///
    /// # Errors
    /// A sentence that says what was found where none of [`HookAnswer::FORMS`] is: then nobody knows what the hook did.
    pub fn read(said: &Value) -> Result<Self, String> {
        let flag = |name: &str| match said.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(format!("`{name}` is {}", excerpt(&other.to_string()))),
        };
        let text = |name: &str| said.get(name).and_then(Value::as_str).map(str::to_owned);
        let found = match (flag("ok"), flag("wait")) {
            (Ok(Some(true)), Ok(None | Some(false))) => return Ok(Self::Done { detail: text("detail") }),
            (Ok(Some(false)), Ok(None | Some(false))) => {
                let reason = text("reason").or_else(|| text("detail"));
                let reason = reason.unwrap_or_else(|| "it gives no reason".to_owned());
                return Ok(Self::Refused { reason });
            }
            (Ok(None), Ok(Some(true))) => return Ok(Self::NotYet { detail: text("detail") }),
            (Err(why), _) | (_, Err(why)) => why,
            _ => format!("it answered {}", excerpt(&said.to_string())),
        };
        Err(format!(
            "its answer is not understood: {found}; it must be {}",
            Self::FORMS
        ))
    }
}

/// Functions of the user's, invoked synchronously.
#[async_trait]
pub trait Hooks: Send + Sync {
    /// Asks once, and waits for the answer for as long as a mutating call may take. `Retryable` where the function itself
    /// failed: it may have done its work.
    async fn ask(&self, region: Option<&str>, function: &HookFunction, event: &Value) -> Result<HookAnswer, CallError>;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn each_form_is_understood_and_may_say_more() {
        let done = HookAnswer::Done {
            detail: Some("12 moved".into()),
        };
        assert_eq!(
            HookAnswer::read(&json!({"ok": true, "detail": "12 moved", "n": 12})),
            Ok(done)
        );
        let refused = HookAnswer::Refused { reason: "busy".into() };
        assert_eq!(
            HookAnswer::read(&json!({"ok": false, "reason": "busy", "wait": false})),
            Ok(refused)
        );
        let not_yet = HookAnswer::NotYet { detail: None };
        assert_eq!(HookAnswer::read(&json!({"wait": true})), Ok(not_yet));
    }

    #[test]
    fn a_no_without_a_reason_is_a_no() {
        let HookAnswer::Refused { reason } = HookAnswer::read(&json!({"ok": false})).unwrap() else {
            unreachable!("it says no");
        };
        assert!(!reason.is_empty());
    }

    #[test]
    fn whatever_else_comes_is_nobody_knows_and_says_what_was_found() {
        for said in [
            json!(null),
            json!([]),
            json!("ok"),
            json!({}),
            json!({"ok": "yes"}),
            json!({"ok": true, "wait": true}),
            json!({"wait": 1}),
            json!({"wait": false}),
        ] {
            let why = HookAnswer::read(&said).unwrap_err();
            assert!(
                why.contains("not understood") && why.contains("\"wait\": true"),
                "{why}"
            );
        }
    }
}
