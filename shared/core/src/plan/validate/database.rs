//! Rules of the steps at RDS: a database of its own for every site, and none that is both the one and the other.

use super::super::parse::{Path, Problems};
use super::super::{FencedDatabase, Step};
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
                    let region = instance.region.clone().unwrap_or_default();
                    format!("{region}/{}", instance.db_instance_identifier.to_ascii_lowercase())
                };
                distinct(&step.instances, name, &path, "DB instance", problems);
            }
            Step::FenceSource(step) => fences(draft, &step.databases, &path, problems),
            Step::OpenDestination(step) => fences(draft, &step.databases, &path, problems),
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

fn fences(draft: &Draft<'_>, databases: &BTreeMap<String, FencedDatabase>, path: &Path, problems: &mut Problems) {
    let path = path.key("databases");
    by_site(draft, databases, &path, "add a database", problems);
    let name = |database: &FencedDatabase| {
        let region = database.region.clone().unwrap_or_default();
        format!("{region}/{}", database.db_instance_identifier.to_ascii_lowercase())
    };
    distinct(databases, name, &path, "database", problems);
    for (site, database) in databases {
        if database.security_groups.contains(&database.fence_group) {
            let message = "is among the security_groups that let the clients in: it would be no fence";
            problems.add(path.key(site).key("fence_group"), message);
        }
    }
}
