//! Text to value, under limits: a plan is small, so whatever is not is refused before it costs anything.

use super::words::{presentable, shortened};
use super::{MAX_DEPTH, PlanError};
use serde_json::Value;
use serde_saphyr::Error;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::DuplicateKeyPolicy;

/// How many events (values, list and mapping ends) a text may have with its anchors expanded. A text of the
/// largest size without anchors has fewer.
const MAX_EVENTS: usize = 120_000;

/// Reads YAML or JSON.
pub(super) fn read(text: &str) -> Result<Value, PlanError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: MAX_EVENTS,
            max_nodes: MAX_EVENTS,
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_documents: 1,
            max_anchors: 200,
            max_aliases: 4_000,
            max_merge_keys: 4_000,
            max_recorded_anchor_events: MAX_EVENTS,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_EVENTS,
            max_replay_stack_depth: 8,
        },
        // A key that is there twice is a mistake, and which of the two was meant nobody can know.
        duplicate_keys: DuplicateKeyPolicy::Error,
        // `no` is a word, not a truth value.
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| PlanError::Unreadable {
        message: presentable(&explained(error.without_snippet()), 400),
    })
}

/// The reader's own words, where they are meant for people and not for programmers.
fn explained(error: &Error) -> String {
    let place = error
        .location()
        .map(|at| format!(" at line {}, column {}", at.line(), at.column()))
        .unwrap_or_default();
    match error {
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().map(shortened).unwrap_or_default();
            format!("the key {key:?} is there a second time{place}. Keep the one that is meant")
        }
        Error::Budget {
            breach: BudgetBreach::Documents { .. },
            ..
        } => {
            format!("a second document (`---`) begins{place}. One text is one plan")
        }
        // Inside of an alias the breach is wrapped; its text is the same.
        other if other.to_string().starts_with("budget breached") => {
            format!(
                "it is nested, repeated or expanded by its anchors more than any plan needs{place}. Reading stopped there"
            )
        }
        other => other.to_string(),
    }
}
