//! Rules of the steps that make Auto Scaling groups ready.

use super::super::parse::{Path, Problems};
use super::super::{AsgSettings, Step};
use super::{Draft, by_one_step, sound_everywhere, text};
use std::collections::{BTreeMap, BTreeSet};

/// Adds the problems of all steps of these kinds, those of `setup` by themselves.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Problems) {
    for (_, steps) in sound_everywhere(draft) {
        check_list(draft, steps, problems);
    }
}

fn check_list(draft: &Draft<'_>, steps: Vec<(Path, &Step)>, problems: &mut Problems) {
    let mut settings = BTreeMap::new();
    let mut policies = BTreeMap::new();
    for (path, step) in steps {
        let region = draft.region_of(step.common().region.as_deref());
        match step {
            Step::AsgSettings(step) => {
                let field = path.key("auto_scaling_group_name");
                text::no_control(&step.auto_scaling_group_name, field.clone(), problems);
                let name = format!("{}/{}", region.unwrap_or_default(), step.auto_scaling_group_name);
                by_one_step(&mut settings, [(name, field)], &path, problems);
                one(step, region, &path, problems);
            }
            Step::AsgScalingPolicy(step) => {
                for (field, name) in [
                    ("auto_scaling_group_name", &step.auto_scaling_group_name),
                    ("policy_name", &step.policy_name),
                ] {
                    text::no_control(name, path.key(field), problems);
                }
                if step.adjustment == 0 {
                    problems.add(path.key("adjustment"), "a policy that changes nothing scales nothing");
                }
                let group = &step.auto_scaling_group_name;
                let name = format!("{}/{group}/{}", region.unwrap_or_default(), step.policy_name);
                by_one_step(&mut policies, [(name, path.key("policy_name"))], &path, problems);
            }
            _ => {}
        }
    }
}

fn one(step: &AsgSettings, region: Option<&str>, path: &Path, problems: &mut Problems) {
    if !step.subnets.is_empty() && !step.availability_zones.is_empty() {
        problems.add(
            path.key("availability_zones"),
            "there are subnets too, and their zones are the group's; name the one or the other",
        );
    }
    let names_nothing = step.subnets.is_empty()
        && step.availability_zones.is_empty()
        && step.health_check_type.is_none()
        && step.health_check_grace_seconds.is_none()
        && step.default_cooldown_seconds.is_none();
    if names_nothing {
        problems.add(
            path.clone(),
            "names no setting: nothing would be done. Name subnets or zones, the health check's type or grace, or the cooldown",
        );
    }
    for (field, items) in [
        ("subnets", &step.subnets),
        ("availability_zones", &step.availability_zones),
    ] {
        let mut seen = BTreeSet::new();
        for (index, item) in items.iter().enumerate() {
            if !seen.insert(item) {
                problems.add(path.key(field).at(index), "is there twice");
            }
        }
    }
    for (index, zone) in step.availability_zones.iter().enumerate() {
        if let Some(region) = region.filter(|region| !zone.starts_with(region)) {
            let message = format!(
                "is not a zone of the step's Region {region}; found {}",
                text::quoted(zone)
            );
            problems.add(path.key("availability_zones").at(index), message);
        }
    }
}
