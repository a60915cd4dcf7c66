//! Placeholder until the parser lands.
use super::Plan;
use serde::Serialize;
/// A problem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// Where.
    pub path: String,
    /// What.
    pub message: String,
}
/// An error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PlanError(String);
impl PlanError {
    /// All problems.
    pub fn problems(&self) -> Vec<Problem> {
        vec![Problem { path: String::new(), message: self.0.clone() }]
    }
}
/// Parses text.
pub fn parse_text(text: &str) -> Result<Plan, PlanError> {
    parse(serde_saphyr::from_str(text).map_err(|e| PlanError(e.to_string()))?)
}
/// Parses.
pub fn parse(value: serde_json::Value) -> Result<Plan, PlanError> {
    serde_json::from_value(value).map_err(|e| PlanError(e.to_string()))
}
