//! Rules of `elb_targets`: one target group, targets of its own for every site.

use super::super::parse::{Path, Problems};
use super::super::{ElbTargets, Step};
use super::{Draft, by_one_step, every_site, of_one_site, sound, text};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Adds the problems of all steps of this kind.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Problems) {
    let mut changed = BTreeMap::new();
    for (path, step) in sound(&draft.steps, "steps") {
        let Step::ElbTargets(step) = step else { continue };
        let arn_path = path.key("target_group_arn");
        let named = (step.target_group_arn.clone(), arn_path.clone());
        by_one_step(&mut changed, [named], &path, problems);
        text::no_control(&step.target_group_arn, arn_path.clone(), problems);
        let region = draft.region_of(step.common.region.as_deref());
        text::arn_region(&step.target_group_arn, region, arn_path, problems);
        one(draft, step, &path.key("targets"), problems);
    }
}

fn one(draft: &Draft<'_>, step: &ElbTargets, path: &Path, problems: &mut Problems) {
    if let Some(names) = draft.site_names() {
        every_site(&names, &step.targets, path, "add its targets", problems);
    }
    let mut instances = false;
    let mut addresses = false;
    for (site, targets) in &step.targets {
        for (index, target) in targets.iter().enumerate() {
            if target.id.starts_with("i-") {
                instances = true;
                continue;
            }
            addresses = true;
            if target.id.parse::<IpAddr>().is_err() {
                let message = format!(
                    "must be an instance or an IP address; found {}",
                    text::quoted(&target.id)
                );
                problems.add(path.key(site).at(index).key("id"), message);
            }
        }
    }
    if instances && addresses {
        problems.add(
            path.clone(),
            "has instances and IP addresses, and a target group takes one kind only",
        );
    }
    let named: Vec<(&str, String)> = step
        .targets
        .iter()
        .flat_map(|(site, targets)| targets.iter().map(move |target| (site.as_str(), target)))
        .map(|(site, target)| (site, format!("{}:{}", target.id, target.port)))
        .collect();
    let named = named.iter().map(|(site, target)| (*site, target.as_str()));
    of_one_site(named, path, "a target", problems);
}
