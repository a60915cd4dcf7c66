//! The published table of the kinds of steps is what the code says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use understudy_core::plan::Reversibility;
use understudy_testkit::resources::{page, resources};

#[test]
fn the_published_table_of_resources_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/RESOURCES.md");
    let published = std::fs::read_to_string(path).expect("docs/RESOURCES.md; run `make schema`");
    assert!(
        published == page().unwrap(),
        "docs/RESOURCES.md is not what the code says; run `make schema`"
    );
}

#[test]
fn what_changes_nothing_is_nothing_to_take_back_and_the_other_way_round() {
    for resource in resources().unwrap() {
        let changes = !resource.facts.changes.is_empty();
        assert_eq!(
            changes,
            resource.reversibility != Reversibility::Nothing,
            "{}",
            resource.kind
        );
    }
}
