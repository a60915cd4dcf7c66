//! The published JSON Schema, generated from the plan's types.
//!
//! `docs/plan.schema.json` holds it for editors; a test keeps the file current. What a schema can not say
//! (names that must exist, sums that must fit) is checked when a plan is read.

use super::Plan;
use serde_json::{Map, Value};

/// The JSON Schema (draft 2020-12) of a plan file. Keys are sorted, so that the same types give the same text.
pub fn json_schema() -> Value {
    let mut schema = schemars::schema_for!(Plan);
    schema.insert("title".to_owned(), "Understudy plan".into());
    sorted(schema.to_value())
}

/// The same value with its keys in order, whatever map serde_json was built with.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        Value::Object(fields) => {
            let mut fields: Vec<(String, Value)> = fields.into_iter().collect();
            fields.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(
                fields
                    .into_iter()
                    .map(|(name, field)| (name, sorted(field)))
                    .collect::<Map<_, _>>(),
            )
        }
        other => other,
    }
}
