//! Reading a plan: from text or JSON to a [`Plan`], or to the list of everything that is wrong with it.
//!
//! 1. The text is refused unread if it is larger than [`MAX_PLAN_BYTES`]; then it is read as YAML (of which
//!    JSON is a part) under limits that make anchors and nesting harmless.
//! 2. `structure` holds the value against the published JSON Schema, each probe and step against the branch
//!    that its `kind` selects, so that every problem has its exact path.
//! 3. What is structurally sound becomes a draft, and `validate` checks what a schema can not say: names,
//!    references, sums. Broken elements are left out of the draft but their names still count, so that one
//!    mistake is reported once.
//!
//! All problems are reported together, in the order of the format.

mod problem;
mod structure;
mod words;
mod yaml;

pub use problem::Problem;
pub(super) use problem::{Path, Problems};
pub(super) use words::{did_you_mean, listed, shortened};

use super::validate::{self, Draft};
use super::{ElbTargets, MAX_PLAN_BYTES, Plan};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;

/// How many problems are listed; the rest is only counted.
const MAX_PROBLEMS: usize = 200;

/// How deep a plan may nest. The format itself needs seven levels.
const MAX_DEPTH: usize = 32;

/// Why a text or a value is not a plan. Nothing was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// It is larger than a plan may be.
    #[error(
        "the plan has {bytes} bytes; at most {MAX_PLAN_BYTES} are accepted. It was not read any further. \
         Split it into several plans, each with what must move together"
    )]
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
    },
    /// It is neither YAML nor JSON, or it is made to exhaust its reader.
    #[error("the plan can not be read as YAML or JSON: {message}")]
    Unreadable {
        /// What was found, with line and column where they are known.
        message: String,
    },
    /// It was read, and it is not a valid plan.
    #[error("{}", Listed(problems))]
    Invalid {
        /// Everything that is wrong, in the order of the format. Never empty; at most 201, the last one then
        /// tells how many more there are.
        problems: Vec<Problem>,
    },
}

impl PlanError {
    /// The problems as a list, whatever the variant. A problem of the whole plan has an empty path.
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            Self::Invalid { problems } => problems.clone(),
            Self::TooLarge { .. } | Self::Unreadable { .. } => {
                vec![Problem {
                    path: String::new(),
                    message: self.to_string(),
                }]
            }
        }
    }
}

struct Listed<'a>(&'a [Problem]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

/// Reads a plan from YAML or JSON text.
///
/// # Errors
/// [`PlanError::TooLarge`] before anything is read, [`PlanError::Unreadable`] with line and column for bad
/// syntax, duplicate keys and texts made to exhaust the reader, else as [`parse`].
pub fn parse_text(text: &str) -> Result<Plan, PlanError> {
    if text.len() > MAX_PLAN_BYTES {
        return Err(PlanError::TooLarge { bytes: text.len() });
    }
    parse(yaml::read(text)?)
}

/// Reads a plan from a JSON value.
///
/// # Errors
/// [`PlanError::Invalid`] with every problem, each at its path; [`PlanError::TooLarge`] if the value, or the
/// plan with its defaults filled in, is larger than [`MAX_PLAN_BYTES`] as JSON; [`PlanError::Unreadable`] for a
/// value that nests deeper than any plan.
pub fn parse(value: Value) -> Result<Plan, PlanError> {
    if deeper_than(&value, MAX_DEPTH) {
        let message = format!("it nests deeper than {MAX_DEPTH} levels, which no plan does. Nothing was checked");
        return Err(PlanError::Unreadable { message });
    }
    within_size(&value)?;
    let value = with_defaults_of_kinds(structure::whole_numbers(value));

    let mut problems = Problems::default();
    match structure::checks() {
        Ok(checks) => checks.run(&value, &mut problems),
        // Unreachable as long as the tests of this module pass; an error all the same, never a panic.
        Err(message) => problems.add(Path::root(), format!("Understudy's own schema is broken: {message}")),
    }
    let draft = draft(&value, &mut problems);
    validate::check(&draft, &mut problems);
    if problems.is_empty() {
        match serde_json::from_value::<Plan>(value) {
            Ok(plan) => {
                within_size(&plan)?;
                return Ok(plan);
            }
            Err(error) => problems.add(Path::root(), format!("can not be read as a plan: {error}")),
        }
    }
    Err(PlanError::Invalid {
        problems: problems.into_list(MAX_PROBLEMS),
    })
}

/// The same, with what a kind of step has by default where every other kind has something else.
fn with_defaults_of_kinds(mut value: Value) -> Value {
    for list in ["steps", "setup"] {
        let steps = value.get_mut(list).and_then(Value::as_array_mut);
        for step in steps.into_iter().flatten().filter_map(Value::as_object_mut) {
            if step.get("kind").and_then(Value::as_str) == Some(ElbTargets::KIND) {
                step.entry("timeout_seconds")
                    .or_insert(ElbTargets::TIMEOUT_SECONDS.into());
            }
        }
    }
    value
}

/// Everything that is structurally sound, in its place.
fn draft<'a>(value: &'a Value, problems: &mut Problems) -> Draft<'a> {
    Draft {
        raw: value,
        sites: elements(value, "sites", problems),
        probes: elements(value, "probes", problems),
        alarms: elements(value, "alarms", problems),
        steps: elements(value, "steps", problems),
        setup: elements(value, "setup", problems),
        policy: match value.get("policy") {
            None => Some(Default::default()),
            Some(raw) => read(raw, &Path::root().key("policy"), problems),
        },
    }
}

fn elements<T: DeserializeOwned>(value: &Value, field: &str, problems: &mut Problems) -> Vec<Option<T>> {
    let Some(list) = value.get(field).and_then(Value::as_array) else {
        return Vec::new();
    };
    let path = Path::root().key(field);
    list.iter()
        .enumerate()
        .map(|(index, raw)| read(raw, &path.at(index), problems))
        .collect()
}

/// The element, or `None` if the structural check has already refused something in it.
fn read<T: DeserializeOwned>(raw: &Value, path: &Path, problems: &mut Problems) -> Option<T> {
    if problems.any_under(path) {
        return None;
    }
    match T::deserialize(raw) {
        Ok(element) => Some(element),
        Err(error) => {
            problems.add(path.clone(), error.to_string());
            None
        }
    }
}

fn within_size(value: &impl serde::Serialize) -> Result<(), PlanError> {
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, value) {
        Ok(()) if counter.0 <= MAX_PLAN_BYTES => Ok(()),
        Ok(()) => Err(PlanError::TooLarge { bytes: counter.0 }),
        Err(error) => Err(PlanError::Unreadable {
            message: format!("it can not be written as JSON: {error}"),
        }),
    }
}

struct Counter(usize);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Whether the value nests deeper than `levels`. Goes no deeper itself, so a hostile value can not exhaust the stack.
fn deeper_than(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|item| deeper_than(item, levels - 1)),
        Value::Object(fields) => levels == 0 || fields.values().any(|field| deeper_than(field, levels - 1)),
        _ => false,
    }
}
