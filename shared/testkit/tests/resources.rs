//! The published table of the kinds of steps and probes is what the code says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use understudy_core::plan::Reversibility;
use understudy_testkit::resources::tried::{Against, tried};
use understudy_testkit::resources::{page, probes, resources};

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

#[test]
fn what_tests_say_that_they_try_are_kinds_and_every_kind_that_calls_is_tried() {
    let tried = tried().unwrap();
    let (steps, probes) = (resources().unwrap(), probes().unwrap());
    for kind in tried.steps.keys() {
        assert!(steps.iter().any(|known| known.kind == kind), "{kind} is no step");
    }
    for kind in tried.probes.keys() {
        assert!(probes.iter().any(|known| known.kind == kind), "{kind} is no probe");
    }
    for resource in steps {
        let calls = !resource.facts.reads.is_empty() || !resource.facts.changes.is_empty();
        assert_eq!(calls, tried.steps.contains_key(resource.kind), "{}", resource.kind);
    }
    for probe in probes {
        assert!(tried.probes.contains_key(probe.kind), "{}", probe.kind);
    }
    assert!(tried.steps["rds_cluster_failover"].contains(&Against::Emulator));
}
