//! The structural check: a value against the schema that is published, with exact paths.
//!
//! A validator that meets `oneOf` can only say that no branch fits. Before compiling, the schema is therefore
//! rewritten into one that accepts the same values and says more: choices of constants become `enum`,
//! "this or null" becomes `if`/`else`, and probes and steps are cut out, each kind compiled by itself and chosen by
//! the element's `kind`.

use super::words;
use super::{Path, Problems};
use jsonschema::Validator;
use serde_json::{Map, Number, Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The compiled schema: the plan without its probes and steps, and each kind of those.
pub(super) struct Checks {
    shell: Check,
    lists: Vec<(&'static [&'static str], BTreeMap<String, Check>)>,
}

struct Check {
    schema: Value,
    validator: Validator,
}

/// The lists whose elements are chosen by `kind`, and the names of their definitions.
const BY_KIND: [(&[&str], &str); 2] = [(&["probes"], "Probe"), (&["steps", "setup"], "Step")];

static CHECKS: LazyLock<Result<Checks, String>> = LazyLock::new(compile);

/// The compiled schema; compiled once a process.
pub(super) fn checks() -> Result<&'static Checks, &'static str> {
    CHECKS.as_ref().map_err(String::as_str)
}

fn compile() -> Result<Checks, String> {
    let mut schema = super::super::json_schema();
    explicit(&mut schema);
    let definitions = schema.get("$defs").cloned().unwrap_or_default();
    let mut lists = Vec::new();
    for (fields, definition) in BY_KIND {
        let branches = definitions
            .pointer(&format!("/{definition}/oneOf"))
            .and_then(Value::as_array);
        let mut kinds = BTreeMap::new();
        for branch in branches.into_iter().flatten() {
            let kind = branch.pointer("/properties/kind/const").and_then(Value::as_str);
            let kind = kind.ok_or_else(|| format!("a branch of {definition} has no kind"))?;
            let mut branch = branch.clone();
            branch["$defs"] = definitions.clone();
            kinds.insert(kind.to_owned(), Check::new(branch)?);
        }
        if kinds.is_empty() {
            return Err(format!("{definition} has no kinds"));
        }
        lists.push((fields, kinds));
        // The shell checks only that it is a list, and how long.
        for field in fields {
            let list = schema.pointer_mut(&format!("/properties/{field}"));
            if let Some(list) = list.and_then(Value::as_object_mut) {
                list.remove("items");
            }
        }
    }
    Ok(Checks {
        shell: Check::new(schema)?,
        lists,
    })
}

impl Check {
    fn new(schema: Value) -> Result<Self, String> {
        let validator = jsonschema::validator_for(&schema).map_err(|error| error.to_string())?;
        Ok(Self { schema, validator })
    }

    fn run(&self, value: &Value, path: &Path, problems: &mut Problems) {
        for error in self.validator.iter_errors(value) {
            words::explain(&error, &self.schema, value, path, problems);
        }
    }
}

impl Checks {
    /// Adds every structural problem of `value`.
    pub(super) fn run(&self, value: &Value, problems: &mut Problems) {
        self.shell.run(value, &Path::root(), problems);
        let lists = self.lists.iter();
        for (field, kinds) in lists.flat_map(|(fields, kinds)| fields.iter().map(move |field| (field, kinds))) {
            let list = value.get(field).and_then(Value::as_array);
            for (index, element) in list.into_iter().flatten().enumerate() {
                element_of_kind(element, kinds, &Path::root().key(field).at(index), problems);
            }
        }
    }
}

fn element_of_kind(element: &Value, kinds: &BTreeMap<String, Check>, path: &Path, problems: &mut Problems) {
    let Some(fields) = element.as_object() else {
        let found = words::shown(element);
        return problems.add(path.clone(), format!("must be a mapping with a `kind`; found {found}"));
    };
    let known = || words::listed(kinds.keys().map(String::as_str));
    match fields.get("kind") {
        None => problems.add(path.key("kind"), format!("is missing; one of {}", known())),
        Some(Value::String(kind)) => match kinds.get(kind) {
            Some(check) => check.run(element, path, problems),
            None => {
                let found = words::shown(&fields["kind"]);
                let meant = words::did_you_mean(kind, kinds.keys().map(String::as_str));
                problems.add(
                    path.key("kind"),
                    format!("unknown kind {found}; one of {}{meant}", known()),
                );
            }
        },
        Some(other) => {
            let found = words::shown(other);
            problems.add(path.key("kind"), format!("must be one of {}; found {found}", known()));
        }
    }
}

/// Rewrites choices into forms whose errors have a path: see the module's story.
fn explicit(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(explicit),
        Value::Object(fields) => {
            if let Some(Value::Array(branches)) = fields.get("oneOf") {
                let rewritten = choice(branches);
                if let Some(rewritten) = rewritten {
                    fields.remove("oneOf");
                    fields.extend(rewritten);
                }
            }
            if let Some(Value::Array(branches)) = fields.get("anyOf") {
                let null = json!({"type": "null"});
                if let [one, other] = branches.as_slice()
                    && *other == null
                {
                    let rewritten = json!({"if": other, "else": one});
                    fields.remove("anyOf");
                    fields.extend(object(rewritten));
                }
            }
            fields.values_mut().for_each(explicit);
        }
        _ => {}
    }
}

/// A choice among constants, and at most one mapping.
fn choice(branches: &[Value]) -> Option<Map<String, Value>> {
    let constants: Vec<&Value> = branches.iter().filter_map(|branch| branch.get("const")).collect();
    let others: Vec<&Value> = branches.iter().filter(|branch| branch.get("const").is_none()).collect();
    match others.as_slice() {
        _ if constants.is_empty() => None,
        [] => Some(object(json!({"enum": constants}))),
        [mapping] => Some(object(
            json!({"if": {"type": "object"}, "then": mapping, "else": {"enum": constants}}),
        )),
        _ => None,
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Writes `5.0` as `5`: the same number to JSON Schema, but not to serde.
pub(super) fn whole_numbers(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(whole(number)),
        Value::Array(items) => Value::Array(items.into_iter().map(whole_numbers).collect()),
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, field)| (name, whole_numbers(field)))
                .collect(),
        ),
        other => other,
    }
}

fn whole(number: Number) -> Number {
    /// Beyond it a double no longer tells neighbouring whole numbers apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match number.as_f64() {
        Some(double) if number.is_f64() && double.fract() == 0.0 && double.abs() < EXACT => Number::from(double as i64),
        _ => number,
    }
}
