//! The operator's guide keeps up with the code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::json;
use std::path::Path;
use understudy_core::command::COMMANDS;
use understudy_core::guard::Guard;

fn guide() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/OPERATING.md");
    std::fs::read_to_string(path).expect("docs/OPERATING.md")
}

#[test]
fn every_guard_stands_in_the_operators_guide() {
    let guide = guide();
    let missing: Vec<&str> = Guard::ALL
        .iter()
        .map(|guard| guard.as_str())
        .filter(|name| !guide.contains(&format!("| `{name}` |")))
        .collect();
    assert!(missing.is_empty(), "docs/OPERATING.md says nothing of {missing:?}");
}

#[test]
fn every_guard_is_spelt_as_its_json() {
    for guard in Guard::ALL {
        assert_eq!(json!(guard), json!(guard.as_str()));
    }
}

#[test]
fn every_command_stands_in_the_operators_guide() {
    let guide = guide();
    let missing: Vec<&&str> = COMMANDS
        .iter()
        .filter(|word| !guide.contains(&format!("`{word}`")))
        .collect();
    assert!(missing.is_empty(), "docs/OPERATING.md says nothing of {missing:?}");
}
