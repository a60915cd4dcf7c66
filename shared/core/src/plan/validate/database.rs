//! Rules of the steps at RDS: a database of its own for every site, and none that is both the one and the other.

use super::super::parse::{Path, Problems};
use super::super::{FenceBy, FencedDatabase, Step, StepCommon};
use super::{Draft, every_site, sound, text};
use std::collections::BTreeMap;

/// Adds the problems of all steps of these kinds.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Problems) {
    for (path, step) in sound(&draft.steps, "steps") {
        match step {
            Step::RdsRebootFailover(step) => {
                let path = path.key("zones");
                by_site(draft, &step.zones, &path, "add a zone", problems);
                distinct(&step.zones, |zone| zone.clone(), &path, "zone", problems);
                for (site, zone) in &step.zones {
                    let region = draft.region_of(step.common.region.as_deref());
                    if let Some(region) = region.filter(|region| !zone.starts_with(region)) {
                        let message = format!(
                            "is not a zone of the step's Region {region}; found {}",
                            text::quoted(zone)
                        );
                        problems.add(path.key(site), message);
                    }
                }
            }
            Step::RdsClusterFailover(step) => {
                let path = path.key("writers");
                by_site(draft, &step.writers, &path, "add a member", problems);
                distinct(&step.writers, |id| id.to_ascii_lowercase(), &path, "writer", problems);
            }
            Step::RdsGlobal(step) => {
                let path = path.key("clusters");
                by_site(draft, &step.clusters, &path, "add a cluster", problems);
                distinct(&step.clusters, |arn| arn.clone(), &path, "cluster", problems);
                distinct(
                    &step.clusters,
                    |arn| text::arn_part(arn, 3).unwrap_or_default().to_owned(),
                    &path,
                    "Region",
                    problems,
                );
            }
            Step::RdsPromoteReplica(step) => {
                let path = path.key("instances");
                by_site(draft, &step.instances, &path, "add a DB instance", problems);
                let name = |instance: &super::super::DbInstanceRef| {
                    let region = instance.region.as_deref().or(step.common.region.as_deref());
                    named(draft, region, &instance.db_instance_identifier)
                };
                distinct(&step.instances, name, &path, "DB instance", problems);
            }
            Step::FenceSource(step) => fences(draft, (&step.common, step.by), &step.databases, &path, problems),
            Step::OpenDestination(step) => fences(draft, (&step.common, step.by), &step.databases, &path, problems),
            _ => {}
        }
    }
}

fn by_site<T>(draft: &Draft<'_>, map: &BTreeMap<String, T>, path: &Path, remedy: &str, problems: &mut Problems) {
    if let Some(names) = draft.site_names() {
        every_site(&names, map, path, remedy, problems);
    }
}

fn distinct<T>(
    map: &BTreeMap<String, T>,
    name: impl Fn(&T) -> String,
    path: &Path,
    what: &str,
    problems: &mut Problems,
) {
    let mut first: BTreeMap<String, &str> = BTreeMap::new();
    for (site, value) in map {
        if let Some(other) = first.get(&name(value)) {
            let message = format!("is the {what} of {other} too: moving between them would change nothing");
            problems.add(path.key(site), message);
        } else {
            first.insert(name(value), site);
        }
    }
}

// An instance as it is one of a kind: where no Region is named, the plan's counts.
fn named(draft: &Draft<'_>, region: Option<&str>, id: &str) -> String {
    let region = draft.region_of(region).unwrap_or_default();
    format!("{region}/{}", id.to_ascii_lowercase())
}

fn fences(
    draft: &Draft<'_>,
    (common, by): (&StepCommon, FenceBy),
    databases: &BTreeMap<String, FencedDatabase>,
    step: &Path,
    problems: &mut Problems,
) {
    let path = step.key("databases");
    by_site(draft, databases, &path, "add a database", problems);
    let name = |database: &FencedDatabase| {
        let region = database.region.as_deref().or(common.region.as_deref());
        named(draft, region, &database.db_instance_identifier)
    };
    distinct(databases, name, &path, "database", problems);
    for (site, database) in databases {
        let path = path.key(site);
        match (by, &database.fence_group) {
            (FenceBy::Stop, group) if group.is_some() || !database.security_groups.is_empty() => {
                let message =
                    "names security groups, which stay as they are where the database is stopped: leave them out";
                problems.add(path, message);
            }
            (FenceBy::Stop, _) => {}
            (FenceBy::SecurityGroup, None) => problems.add(
                path.key("fence_group"),
                "is missing: name a security group that lets nobody in, or say `by: stop`",
            ),
            (FenceBy::SecurityGroup, Some(_)) if database.security_groups.is_empty() => problems.add(
                path.key("security_groups"),
                "is missing: name those that let the clients in, or nobody could be let in again",
            ),
            (FenceBy::SecurityGroup, Some(group)) if database.security_groups.contains(group) => {
                let message = "is among the security_groups that let the clients in: it would be no fence";
                problems.add(path.key("fence_group"), message);
            }
            _ => {}
        }
    }
    if by == FenceBy::Stop {
        stopped(draft, common, databases, &step.key("by"), problems);
    }
}

// RDS stops no instance that is or has a read replica (Amazon RDS User Guide, "Stopping an Amazon RDS DB instance
// temporarily").
fn stopped(
    draft: &Draft<'_>,
    common: &StepCommon,
    databases: &BTreeMap<String, FencedDatabase>,
    path: &Path,
    problems: &mut Problems,
) {
    let region = |own: &Option<String>, step: &StepCommon| own.clone().or_else(|| step.region.clone());
    let stopped = databases.values().map(|database| {
        let region = region(&database.region, common);
        named(draft, region.as_deref(), &database.db_instance_identifier)
    });
    let stopped: Vec<String> = stopped.collect();
    let promotion = draft.steps.iter().flatten().find_map(|step| match step {
        Step::RdsPromoteReplica(step) => {
            let mut instances = step.instances.values().map(|instance| {
                let region = region(&instance.region, &step.common);
                named(draft, region.as_deref(), &instance.db_instance_identifier)
            });
            instances
                .any(|name| stopped.contains(&name))
                .then_some(&step.common.name)
        }
        _ => None,
    });
    if let Some(promotion) = promotion {
        let message = format!(
            "step {promotion} promotes a replica of this database, and RDS stops no database that has one: fence it by \
             security_group"
        );
        problems.add(path.clone(), message);
    }
}
