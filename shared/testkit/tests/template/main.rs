//! What `template.yaml` promises and no emulator keeps.
//!
//! A local cloud stores retries, bisecting, parallelization and reserved concurrency and then ignores them, and it
//! forgets encryption and point-in-time recovery. So those are read here, from the template itself. What they mean
//! when they are honoured is the simulator's business.
//!
//! The template is read as plain YAML: the short forms of intrinsic functions lose their tags, so `!Ref Table` is the
//! text `Table`, `!GetAtt Table.Arn` is `Table.Arn` and `!If [A, x, y]` is the list `[A, x, y]`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod controller;
mod grants;
mod hops;
mod roles;
mod stores;

use serde_json::{Map, Value};

/// Each function's logical id with the queue that all its hops share.
const FUNCTIONS: [(&str, &str); 3] = [
    ("ProbeFunction", "ProbeDeadLetters"),
    ("DecisionFunction", "DecisionDeadLetters"),
    ("ExecutorFunction", "ExecutorDeadLetters"),
];

fn template() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml");
    let text = std::fs::read_to_string(path).expect("template.yaml is in the checkout's root");
    serde_saphyr::from_str(&text).expect("template.yaml is YAML")
}

/// The value at a JSON pointer, or a failure that names what is missing and where.
fn at<'a>(value: &'a Value, pointer: &str, of: &str) -> &'a Value {
    value
        .pointer(pointer)
        .unwrap_or_else(|| panic!("{of} has no {pointer}; it is {value:#}"))
}

fn resource(name: &str) -> Value {
    at(&template(), &format!("/Resources/{name}"), "template.yaml").clone()
}

/// Every resource of a type, by logical id.
fn resources_of(type_name: &str) -> Map<String, Value> {
    let all = at(&template(), "/Resources", "template.yaml")
        .as_object()
        .expect("Resources is a mapping")
        .clone();
    all.into_iter()
        .filter(|(_, resource)| resource["Type"] == type_name)
        .collect()
}

/// One text or a list of texts, as IAM allows for actions and resources.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}
