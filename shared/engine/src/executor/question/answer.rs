//! What the executor answered, as decision reads it.
//!
//! It comes as bytes from another function, which may be of another release or may have refused. An answer that is not
//! the one to the question is never taken for "nothing found": that would tell a person that all is well.

use serde::de::DeserializeOwned;
use serde_json::Value;
use understudy_core::event::excerpt_long;
use understudy_core::preflight::Preflight;

/// What each step would do, to a dry run or a teardown.
///
/// # Errors
/// A sentence, if it is no such answer.
pub fn steps(answer: &Value) -> Result<Vec<Value>, String> {
    field(answer, "steps")
}

/// What cannot be used of what a plan names.
///
/// # Errors
/// A sentence, if it is no such answer.
pub fn problems(answer: &Value) -> Result<Vec<Value>, String> {
    field(answer, "problems")
}

/// What a preflight found; none if none was made.
///
/// # Errors
/// A sentence, if it is no such answer.
pub fn preflight(answer: &Value) -> Result<Option<Preflight>, String> {
    field(answer, "preflight")
}

fn field<T: DeserializeOwned>(answer: &Value, name: &str) -> Result<T, String> {
    if answer.get("ok").and_then(Value::as_bool) != Some(true) {
        let why = answer
            .get("error")
            .and_then(Value::as_str)
            .filter(|why| !why.trim().is_empty());
        return Err(match why {
            Some(why) => excerpt_long(why),
            None => format!(
                "the executor's answer can not be read: {}",
                excerpt_long(&answer.to_string())
            ),
        });
    }
    let unread = |why: &str| {
        format!(
            "the executor's answer can not be read: its `{name}` {}; are both functions of one release? deploy the stack again",
            excerpt_long(why)
        )
    };
    let value = answer.get(name).ok_or_else(|| unread("is missing"))?;
    serde_json::from_value(value.clone()).map_err(|error| unread(&format!("is not understood: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_refused_is_told_and_what_is_missing_is_not_nothing() {
        let refused = json!({"ok": false, "error": "reading the table: no answer"});
        assert_eq!(preflight(&refused).unwrap_err(), "reading the table: no answer");
        for answer in [
            json!({}),
            json!(null),
            json!({"ok": true}),
            json!({"ok": true, "problems": {}}),
        ] {
            let why = problems(&answer).unwrap_err();
            assert!(why.contains("can not be read"), "{why}");
        }
        assert_eq!(preflight(&json!({"ok": true, "preflight": null})), Ok(None));
        assert_eq!(steps(&json!({"ok": true, "steps": [1]})), Ok(vec![json!(1)]));
    }
}
