//! Rules of sites that are zones: no step moves the plan, or the copy that protects it, into the zone that fails.
//!
//! Only what a plan says can be checked: that of subnets and of what RDS places by itself is seen by preflight.

use super::super::parse::{Path, Problems};
use super::super::{RdsReadReplica, ReadReplica, Site, Step};
use super::{Draft, sound, sound_everywhere, text};

/// Adds the problems of all zones that sites name.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Problems) {
    for (path, site) in sound(&draft.sites, "sites") {
        let region = draft.region_of(site.region.as_deref());
        if let (Some(zone), Some(region)) = (&site.zone, region)
            && !zone.starts_with(region)
        {
            let message = format!(
                "is not a zone of the site's Region {region}; found {}",
                text::quoted(zone)
            );
            problems.add(path.key("zone"), message);
        }
    }
    let site = |name: &str| draft.sites.iter().flatten().find(|site| site.name == name);
    for (_, steps) in sound_everywhere(draft) {
        for (path, step) in steps {
            match step {
                Step::RdsRebootFailover(step) => {
                    for (name, zone) in &step.zones {
                        let own = site(name).and_then(|site| site.zone.as_ref());
                        if let Some(own) = own.filter(|own| *own != zone) {
                            let message = format!("{zone} is not the zone of site {name}, which is {own}");
                            problems.add(path.key("zones").key(name), message);
                        }
                    }
                }
                Step::ZonalShift(step) => {
                    for (name, zone) in &step.away_from {
                        if site(name).and_then(|site| site.zone_id.as_ref()) == Some(zone) {
                            let message = format!(
                                "{zone} is the zone of site {name} itself: moving there would keep its traffic away from it"
                            );
                            problems.add(path.key("away_from").key(name), message);
                        }
                    }
                }
                Step::RdsReadReplica(step) => replicas(draft, step, &path, problems),
                _ => {}
            }
        }
    }
}

// A replica beside its source falls with it.
fn replicas(draft: &Draft<'_>, step: &RdsReadReplica, path: &Path, problems: &mut Problems) {
    let always = step.replica.iter().map(|replica| (None, replica, path.key("replica")));
    let by_site = step.replicas.iter();
    let by_site = by_site.map(|(site, replica)| (Some(site.as_str()), replica, path.key("replicas").key(site)));
    for (carrier, replica, path) in always.chain(by_site) {
        let beside = draft.sites.iter().flatten().find(|site| {
            let same = site.zone.is_some() && site.zone == replica.availability_zone;
            same && (carrier == Some(site.name.as_str()) || is_source(draft, replica, site))
        });
        if let Some(site) = beside {
            let message = format!(
                "is the zone of site {}, where the source {} is: the replica would fall with what it is a copy of",
                site.name,
                text::quoted(&replica.source)
            );
            problems.add(path.key("availability_zone"), message);
        }
    }
}

// Whether a promotion of the plan says that the replica's source is the site's database.
fn is_source(draft: &Draft<'_>, replica: &ReadReplica, site: &Site) -> bool {
    draft.steps.iter().flatten().any(|step| match step {
        Step::RdsPromoteReplica(step) => step.instances.get(&site.name).is_some_and(|instance| {
            let source = replica.source.rsplit(':').next().unwrap_or_default();
            source.eq_ignore_ascii_case(&instance.db_instance_identifier)
        }),
        _ => false,
    })
}
