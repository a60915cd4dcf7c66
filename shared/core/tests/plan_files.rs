//! What is published beside the code is current: the schema, and the example plans.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use understudy_core::plan::{json_schema, parse_text};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn published() -> Value {
    let text = std::fs::read_to_string(root().join("docs/plan.schema.json"))
        .expect("docs/plan.schema.json; run `make schema`");
    serde_json::from_str(&text).expect("docs/plan.schema.json is JSON; run `make schema`")
}

fn examples() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join("infra/plans")).expect("infra/plans");
    folder.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_published_schema_is_current() {
    assert!(
        published() == json_schema(),
        "docs/plan.schema.json is not what the types say; run `make schema`"
    );
}

#[test]
fn every_example_plan_is_valid() {
    let examples = examples();
    assert!(examples.len() >= 3, "{examples:?}");
    for path in examples {
        let text = std::fs::read_to_string(&path).unwrap();
        if let Err(error) = parse_text(&text) {
            panic!("{}:\n{error}", path.display());
        }
    }
}

#[test]
fn every_example_plan_fits_the_published_schema_as_any_validator_reads_it() {
    let validator = jsonschema::validator_for(&published()).expect("a valid schema");
    for path in examples() {
        let value: Value = serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
    }
}
