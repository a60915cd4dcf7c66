//! The published table of the kinds of steps and probes is what the code says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use understudy_core::plan::Reversibility;
use understudy_engine::actions::scope_of;
use understudy_testkit::resources::tried::{Against, tried};
use understudy_testkit::resources::{matches, page, probes, resources};

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

#[test]
fn preflight_asks_about_every_change_and_its_undo_but_what_it_rehearses() {
    for resource in resources().unwrap() {
        let asked: Vec<&str> = resource.asked.iter().map(|call| call.action).collect();
        for action in resource.facts.changes {
            // EC2 is asked with `DryRun`; a step at a listener changes no rule, and a fence of security groups stops nothing.
            let otherwise = action.starts_with("ec2:")
                || [
                    "elasticloadbalancing:ModifyRule",
                    "rds:StartDBInstance",
                    "rds:StopDBInstance",
                ]
                .contains(action);
            assert!(otherwise || asked.contains(action), "{}: {action}", resource.kind);
        }
        for action in &asked {
            assert!(resource.facts.changes.contains(action), "{}: {action}", resource.kind);
        }
    }
}

#[test]
fn preflight_asks_about_resources_of_the_form_that_aws_scopes_each_action_to() {
    for resource in resources().unwrap() {
        for call in &resource.asked {
            let scope = scope_of(call.action).unwrap();
            let forms = scope.arns.iter().map(|form| {
                let words = ["REGION", "ACCOUNT", "NAME", "ID"].into_iter();
                words.fold((*form).to_owned(), |form, word| form.replace(word, "*"))
            });
            let fits = forms.into_iter().any(|form| matches(&form, &call.resource));
            let unscoped = call.resource == "*" && (scope.arns.is_empty() || scope.key.is_some());
            assert!(fits || unscoped, "{}: {call:?}", resource.kind);
        }
    }
}
