//! Rules of the steps at Auto Scaling groups, instances and addresses: something of its own for every site, and each
//! resource in one step.

use super::super::parse::{Path, Problems};
use super::super::{AsgZones, Ec2Instance, InstanceAction, Step, When};
use super::{Draft, by_one_step, every_site, known_site, of_one_site, sound, text};
use std::collections::{BTreeMap, BTreeSet};

/// Adds the problems of all steps of these kinds.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Problems) {
    let mut sizes = BTreeMap::new();
    let mut zones = BTreeMap::new();
    let mut instances = BTreeMap::new();
    let mut addresses = BTreeMap::new();
    for (path, step) in sound(&draft.steps, "steps") {
        let region = draft.region_of(step.common().region.as_deref());
        match step {
            Step::AsgCapacity(step) => {
                let field = path.key("groups");
                for_every_site(draft, &step.groups, &step.regions, &path, "groups", problems);
                for (site, name) in &step.groups {
                    text::no_control(name, field.key(site), problems);
                }
                let placed: Vec<(&str, String)> = step
                    .groups
                    .iter()
                    .map(|(site, name)| (site.as_str(), placed(&step.regions, site, region, name)))
                    .collect();
                let named = placed.iter().map(|(site, name)| (*site, name.as_str()));
                of_one_site(named, &field, "the group", problems);
                let named = placed.iter().map(|(site, name)| (name.clone(), field.key(site)));
                by_one_step(&mut sizes, named, &path, problems);
            }
            Step::AsgZones(step) => {
                let field = path.key("auto_scaling_group_name");
                text::no_control(&step.auto_scaling_group_name, field.clone(), problems);
                let name = placed(&BTreeMap::new(), "", region, &step.auto_scaling_group_name);
                by_one_step(&mut zones, [(name, field)], &path, problems);
                for_every_site(draft, &step.subnets, &BTreeMap::new(), &path, "subnets", problems);
                subnets(step, &path.key("subnets"), problems);
            }
            Step::Ec2Instance(step) => {
                for_every_site(draft, &step.instances, &step.regions, &path, "instances", problems);
                power(step, &path, &mut instances, problems);
            }
            Step::ElasticIp(step) => {
                for_every_site(draft, &step.targets, &BTreeMap::new(), &path, "targets", problems);
                let targets = step
                    .targets
                    .iter()
                    .map(|(site, target)| (site.as_str(), target.as_str()));
                of_one_site(targets, &path.key("targets"), "the target", problems);
                let field = path.key("allocation_id");
                by_one_step(&mut addresses, [(step.allocation_id.clone(), field)], &path, problems);
            }
            _ => {}
        }
    }
}

fn for_every_site<T>(
    draft: &Draft<'_>,
    given: &BTreeMap<String, T>,
    regions: &BTreeMap<String, String>,
    path: &Path,
    field: &str,
    problems: &mut Problems,
) {
    let Some(names) = draft.site_names() else { return };
    every_site(&names, given, &path.key(field), "add it", problems);
    for site in regions.keys() {
        known_site(&names, site, path.key("regions").key(site), problems);
    }
}

// A name with its Region: two Regions may each have a group of one name.
fn placed(regions: &BTreeMap<String, String>, site: &str, region: Option<&str>, name: &str) -> String {
    match regions.get(site).map(String::as_str).or(region) {
        Some(region) => format!("{name} in {region}"),
        None => name.to_owned(),
    }
}

// Sites may share subnets: one that stands for all zones lists them all. But each move must change something.
fn subnets(step: &AsgZones, path: &Path, problems: &mut Problems) {
    let mut first: BTreeMap<BTreeSet<&String>, &str> = BTreeMap::new();
    for (site, subnets) in &step.subnets {
        let distinct: BTreeSet<&String> = subnets.iter().collect();
        if distinct.len() < subnets.len() {
            problems.add(path.key(site), "names a subnet twice");
        }
        if let Some(other) = first.insert(distinct, site) {
            let message = format!("are the subnets of {other} too: moving between them would change nothing");
            problems.add(path.key(site), message);
        }
    }
}

fn power(step: &Ec2Instance, path: &Path, seen: &mut BTreeMap<String, Path>, problems: &mut Problems) {
    let field = path.key("instances");
    let named = step
        .instances
        .iter()
        .flat_map(|(site, ids)| ids.iter().map(move |id| (site.as_str(), id.as_str())));
    of_one_site(named.clone(), &field, "an instance", problems);
    let stops = step.action == InstanceAction::Stop;
    if stops && step.common.when != When::Planned {
        let message = "instances are stopped in planned moves only: add when: planned. Where the source does not work, \
                       stopping it may wait for it for ever";
        problems.add(path.key("action"), message);
    }
    // One step may start what another one stops.
    let named = named.map(|(site, id)| (format!("{id} {stops}"), field.key(site)));
    by_one_step(seen, named, path, problems);
}
