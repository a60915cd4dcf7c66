//! The forms of answers. Every one says whether it was done (`ok`), and a refusal says why and that nothing changed.

use crate::store::ChangeError;
use serde_json::{Value, json};

/// A command that can not be done.
pub(super) fn refused(why: &str) -> Value {
    json!({"ok": false, "error": why, "changed": "nothing"})
}

/// A plan that does not exist.
pub(super) fn no_plan(plan: &str) -> Value {
    refused(&format!(
        "there is no plan `{}`; `list` shows the plans",
        understudy_core::event::excerpt(plan)
    ))
}

/// A change that was not made.
pub(super) fn not_changed<E: std::fmt::Display>(error: &ChangeError<E>) -> Value {
    match error {
        ChangeError::Table(error) => out_of_reach(&error.message),
        other => refused(&other.to_string()),
    }
}

/// The table could not be read or written: whether anything changed is for `status` to say.
pub(super) fn out_of_reach(message: &str) -> Value {
    json!({"ok": false, "error": message, "changed": "nothing that is known of; look with `status`, then try again", "retryable": true})
}
