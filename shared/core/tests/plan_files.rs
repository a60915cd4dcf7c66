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
fn the_plans_of_the_demo_are_valid_once_they_are_filled_in() {
    let arn = |what: &str| format!("arn:aws:elasticloadbalancing:us-east-1:123456789012:{what}/0123456789abcdef");
    let filled_in = [
        ("blue_instance_id", "i-0a1b2c3d4e5f60718".to_owned()),
        ("green_instance_id", "i-0f1e2d3c4b5a69788".to_owned()),
        ("blue_port", "20001".to_owned()),
        ("green_port", "20002".to_owned()),
        ("alarm_name", "shop-blue-unhealthy".to_owned()),
        ("listener_arn", arn("listener/app/shop/0123456789abcdef")),
        ("blue_target_group_arn", arn("targetgroup/blue")),
        ("green_target_group_arn", arn("targetgroup/green")),
        ("hosted_zone_id", "Z0123456789ABCDEFGHIJ".to_owned()),
    ];
    for name in ["plan.yaml", "orders-plan.yaml"] {
        let text = std::fs::read_to_string(root().join("infra/demo").join(name)).unwrap();
        let text = filled_in
            .iter()
            .fold(text, |text, (name, value)| text.replace(&format!("${{{name}}}"), value));
        if let Err(error) = parse_text(&text) {
            panic!("{name}:\n{error}");
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
