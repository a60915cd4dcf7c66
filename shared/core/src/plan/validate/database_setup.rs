//! Rules of the steps that make databases ready: a replica of somebody else, where AWS can make one, and events that there
//! are, told to a topic that RDS can reach.

use super::super::parse::{Path, Problems};
use super::super::{RdsEventSubscription, RdsReadReplica, ReadReplica, Step};
use super::{Draft, by_one_step, known_site, sound_everywhere, text};
use serde_json::Value;
use std::collections::BTreeMap;

/// Adds the problems of all steps of these kinds, those of `setup` by themselves.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Problems) {
    for (_, steps) in sound_everywhere(draft) {
        check_list(draft, steps, problems);
    }
}

fn check_list(draft: &Draft<'_>, steps: Vec<(Path, &Step)>, problems: &mut Problems) {
    let mut standbys = BTreeMap::new();
    let mut made = BTreeMap::new();
    let mut subscriptions = BTreeMap::new();
    for (path, step) in steps {
        let region = draft.region_of(step.common().region.as_deref());
        match step {
            Step::RdsReadReplica(step) => {
                replicas(draft, step, region, &path, problems);
                by_one_step(&mut made, identifiers(step, region, &path), &path, problems);
            }
            Step::RdsMultiAz(step) => {
                let id = step.db_instance_identifier.to_ascii_lowercase();
                let name = format!("{}/{id}", region.unwrap_or_default());
                let field = path.key("db_instance_identifier");
                by_one_step(&mut standbys, [(name, field)], &path, problems);
            }
            Step::RdsEventSubscription(step) => {
                let name = format!("{}/{}", region.unwrap_or_default(), step.subscription_name);
                let field = path.key("subscription_name");
                by_one_step(&mut subscriptions, [(name, field)], &path, problems);
                events(draft, step, region, &path, problems);
            }
            _ => {}
        }
    }
}

// Every identifier that the step makes, with its Region.
fn identifiers(step: &RdsReadReplica, region: Option<&str>, path: &Path) -> Vec<(String, Path)> {
    let always = step.replica.iter().map(|replica| (replica, path.key("replica")));
    let by_site = step.replicas.iter();
    let by_site = by_site.map(|(site, replica)| (replica, path.key("replicas").key(site)));
    always
        .chain(by_site)
        .map(|(replica, path)| {
            let region = replica.region.as_deref().or(region).unwrap_or_default();
            let id = replica.db_instance_identifier.to_ascii_lowercase();
            (format!("{region}/{id}"), path.key("db_instance_identifier"))
        })
        .collect()
}

fn replicas(draft: &Draft<'_>, step: &RdsReadReplica, region: Option<&str>, path: &Path, problems: &mut Problems) {
    match (&step.replica, step.replicas.is_empty()) {
        (Some(_), false) => problems.add(
            path.key("replicas"),
            "there is a `replica` too: either it is always the same one, or there is one for each site",
        ),
        (None, true) => problems.add(
            path.key("replica"),
            "is missing: name the replica, or in `replicas` the one that is wanted while a site carries the plan",
        ),
        _ => {}
    }
    if let Some(replica) = &step.replica {
        one(replica, region, &path.key("replica"), problems);
    }
    for (site, replica) in &step.replicas {
        let path = path.key("replicas").key(site);
        if let Some(names) = draft.site_names() {
            known_site(&names, site, path.clone(), problems);
        }
        one(replica, region, &path, problems);
    }
}

fn one(replica: &ReadReplica, region: Option<&str>, path: &Path, problems: &mut Problems) {
    let region = replica.region.as_deref().or(region);
    let (id, source) = (&replica.db_instance_identifier, &replica.source);
    let source_region = text::arn_part(source, 3).filter(|_| source.starts_with("arn:"));
    let elsewhere = source_region.is_some_and(|there| Some(there) != region);
    let source_id = source.rsplit(':').next().unwrap_or(source);
    if source_id.eq_ignore_ascii_case(id) && !elsewhere {
        problems.add(path.key("source"), "is the replica itself: nothing replicates itself");
    }
    if elsewhere && text::arn_part(source, 1) != Some("aws") {
        // The call wants a signed request of the source's Region there, which is not made here.
        problems.add(
            path.key("source"),
            "is in another Region of a partition where RDS can make such a replica only by a call that is signed for \
             both Regions, which Understudy does not make; make it by hand",
        );
    }
    if replica.kms_key_id.is_some() && !elsewhere {
        problems.add(
            path.key("kms_key_id"),
            "is only for a source in another Region, named by its ARN; in the same Region a replica has the key of its source",
        );
    }
    if let Some(zone) = &replica.availability_zone {
        if replica.multi_az {
            problems.add(
                path.key("availability_zone"),
                "a Multi-AZ replica is in two zones, which RDS chooses; leave it out",
            );
        }
        if let Some(region) = region.filter(|region| !zone.starts_with(region)) {
            let message = format!("is not a zone of its Region {region}; found {}", text::quoted(zone));
            problems.add(path.key("availability_zone"), message);
        }
    }
    for (key, value) in &replica.tags {
        let path = path.key("tags").key(key);
        if key.starts_with("understudy") || key.to_ascii_lowercase().starts_with("aws:") {
            problems.add(
                path.clone(),
                "tags that begin with `understudy` or `aws:` are not the plan's to set",
            );
        }
        if key.is_empty() || key.chars().count() > 128 {
            problems.add(path.clone(), "the name of a tag has 1 to 128 characters");
        }
        text::no_control(key, path.clone(), problems);
        text::no_control(value, path, problems);
    }
    for (field, value) in [
        ("db_subnet_group_name", &replica.db_subnet_group_name),
        ("kms_key_id", &replica.kms_key_id),
    ] {
        if let Some(value) = value {
            text::no_control(value, path.key(field), problems);
        }
    }
}

fn events(draft: &Draft<'_>, step: &RdsEventSubscription, region: Option<&str>, path: &Path, problems: &mut Problems) {
    for (index, id) in step.source_ids.iter().enumerate() {
        let before = &step.source_ids[..index];
        if before.iter().any(|other| other.eq_ignore_ascii_case(id)) {
            problems.add(path.key("source_ids").at(index), "is there twice");
        }
    }
    for (index, category) in step.categories.iter().enumerate() {
        let field = path.key("categories").at(index);
        if step.categories[..index].contains(category) {
            problems.add(field, "is there twice");
        } else if !step.source.has(*category) {
            let message = format!(
                "there are no events of \"{}\" of a cluster: they are its instances'",
                category.as_str()
            );
            problems.add(field, message);
        }
    }
    let topic = draft.raw.get("topic_arn").and_then(Value::as_str);
    if let (Some(found), Some(region)) = (topic.and_then(|topic| text::arn_part(topic, 3)), region)
        && found != region
    {
        let message = format!(
            "the plan's topic is in {found}, and RDS in {region} tells topics of its own Region only; leave this out, or name a \
             topic there"
        );
        problems.add(path.key("subscription_name"), message);
    }
}
