//! The published JSON Schema, generated from the plan's types.

use super::Plan;

/// The JSON Schema (draft 2020-12) of a plan file.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Plan).to_value()
}
