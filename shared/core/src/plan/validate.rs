//! What a schema can not say about a plan: names that must exist, values that must fit together, moves that
//! would move nothing.
//!
//! Each rule reports where it is broken and why it is a rule. Rules work on a [`Draft`], in which structurally
//! broken elements are `None`: a rule that needs all of them is silent when one is missing, and references are
//! judged by the names as they were written, so that no problem is only the echo of another.

mod alarm;
mod compute;
mod database;
mod database_setup;
mod dns;
mod dns_setup;
mod elb;
mod gate;
mod group_setup;
mod health_check;
mod hook;
mod policy;
mod probe;
mod setup;
mod steering;
mod targets;
mod text;
mod zones;

use super::parse::{Path, Problems};
use super::{Alarm, FailbackMode, Mode, Policy, Probe, Site, Step, UnhealthyRule};
use crate::execution::Style;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A plan on its way: what is structurally sound in it, each in its place.
pub(super) struct Draft<'a> {
    /// The plan as it was written.
    pub(super) raw: &'a Value,
    /// Its sites.
    pub(super) sites: Vec<Option<Site>>,
    /// Its probes.
    pub(super) probes: Vec<Option<Probe>>,
    /// Its alarms.
    pub(super) alarms: Vec<Option<Alarm>>,
    /// Its steps.
    pub(super) steps: Vec<Option<Step>>,
    /// What its setup makes.
    pub(super) setup: Vec<Option<Step>>,
    /// Its policy, or the default one.
    pub(super) policy: Option<Policy>,
}

impl Draft<'_> {
    /// What each element of a list says in `key`; `None` where that is not text.
    fn texts(&self, field: &str, key: &str) -> Vec<Option<&str>> {
        let list = self.raw.get(field).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .map(|element| element.get(key).and_then(Value::as_str))
            .collect()
    }

    /// The names of all sites, or `None` if a site without a readable name may be any of them.
    fn site_names(&self) -> Option<BTreeSet<&str>> {
        self.texts("sites", "name")
            .into_iter()
            .collect::<Option<BTreeSet<&str>>>()
            .filter(|names| !names.is_empty())
    }

    /// The Region in which an element's resources are, if the plan says so.
    fn region_of<'b>(&'b self, own: Option<&'b str>) -> Option<&'b str> {
        own.or_else(|| self.raw.get("region").and_then(Value::as_str))
    }
}

/// Adds every problem of meaning to `problems`.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Problems) {
    let root = Path::root();
    for (field, key) in [
        ("sites", "name"),
        ("probes", "name"),
        ("alarms", "alarm_name"),
        ("steps", "name"),
        ("setup", "name"),
    ] {
        unique(draft, field, key, problems);
    }
    priorities(draft, problems);
    references(draft, problems);
    evidence(draft, problems);
    durations(draft, problems);

    if let Some(description) = draft.raw.get("description").and_then(Value::as_str) {
        text::no_control(description, root.key("description"), problems);
    }
    for (path, site) in sound(&draft.sites, "sites") {
        for (index, resource) in site.resources.iter().enumerate() {
            text::no_control(resource, path.key("resources").at(index), problems);
        }
    }
    for (path, probe) in sound(&draft.probes, "probes") {
        probe::check(draft, probe, &path, problems);
    }
    for (path, alarm) in sound(&draft.alarms, "alarms") {
        text::no_control(&alarm.alarm_name, path.key("alarm_name"), problems);
    }
    if let Some(policy) = &draft.policy {
        policy::check(policy, &root.key("policy"), problems);
    }
    setup::check(draft, problems);
    health_check::check(draft, problems);
    alarm::check(draft, problems);
    elb::check(draft, problems);
    targets::check(draft, problems);
    dns::check(draft, problems);
    compute::check(draft, problems);
    steering::check(draft, problems);
    database::check(draft, problems);
    database_setup::check(draft, problems);
    dns_setup::check(draft, problems);
    group_setup::check(draft, problems);
    gate::check(draft, problems);
    hook::check(draft, problems);
    zones::check(draft, problems);
}

/// The structurally sound elements of a list, with their paths.
fn sound<'a, T>(list: &'a [Option<T>], field: &str) -> impl Iterator<Item = (Path, &'a T)> {
    let path = Path::root().key(field);
    list.iter()
        .enumerate()
        .filter_map(move |(index, element)| Some((path.at(index), element.as_ref()?)))
}

/// The structurally sound steps, those of `setup` too: for the kinds that may stand in both. What is made once and what
/// each move does are judged apart, so a rule about the steps together is asked of each list by itself.
fn sound_everywhere<'a>(draft: &'a Draft<'_>) -> [(&'static str, Vec<(Path, &'a Step)>); 2] {
    [
        ("steps", sound(&draft.steps, "steps").collect()),
        ("setup", sound(&draft.setup, "setup").collect()),
    ]
}

fn unique(draft: &Draft<'_>, field: &str, key: &str, problems: &mut Problems) {
    let mut first = BTreeMap::new();
    for (index, name) in draft.texts(field, key).into_iter().enumerate() {
        let Some(name) = name else { continue };
        if let Some(other) = first.get(name) {
            let path = Path::root().key(field).at(index).key(key);
            problems.add(path, format!("{field}[{other}] has this name too; each needs its own"));
        } else {
            first.insert(name, index);
        }
    }
}

fn priorities(draft: &Draft<'_>, problems: &mut Problems) {
    let mut first = BTreeMap::new();
    for (index, site) in draft.sites.iter().enumerate() {
        let Some(site) = site else { continue };
        if let Some(other) = first.get(&site.priority) {
            let message = format!(
                "sites[{other}] has priority {} too; without an order nobody knows who is preferred",
                site.priority
            );
            problems.add(Path::root().key("sites").at(index).key("priority"), message);
        } else {
            first.insert(site.priority, index);
        }
    }
}

/// Probes and alarms speak about sites that exist.
fn references(draft: &Draft<'_>, problems: &mut Problems) {
    let Some(names) = draft.site_names() else { return };
    for field in ["probes", "alarms"] {
        for (index, site) in draft.texts(field, "site").into_iter().enumerate() {
            if let Some(site) = site {
                known_site(&names, site, Path::root().key(field).at(index).key("site"), problems);
            }
        }
    }
}

/// Refuses a site that the plan does not have.
fn known_site(names: &BTreeSet<&str>, site: &str, path: Path, problems: &mut Problems) {
    if !names.contains(site) {
        let meant = text::did_you_mean(site, names.iter().copied());
        let names = text::listed(names.iter().copied());
        problems.add(
            path,
            format!("unknown site {}; the sites are {names}{meant}", text::quoted(site)),
        );
    }
}

/// Refuses a mapping by site that leaves one out or names one that is not there.
fn every_site<T>(
    names: &BTreeSet<&str>,
    given: &BTreeMap<String, T>,
    path: &Path,
    what: &str,
    problems: &mut Problems,
) {
    for site in given.keys() {
        known_site(names, site, path.key(site), problems);
    }
    for site in names.iter().filter(|site| !given.contains_key(**site)) {
        problems.add(
            path.key(site),
            format!("is missing: {what} for this site, or the plan can not move there"),
        );
    }
}

/// Refuses what two sites share: moving between them would change nothing.
fn of_one_site<'a>(given: impl Iterator<Item = (&'a str, &'a str)>, path: &Path, what: &str, problems: &mut Problems) {
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    for (site, resource) in given {
        match first.get(resource) {
            Some(other) if *other == site => {
                problems.add(path.key(site), format!("names {} twice", text::quoted(resource)));
            }
            Some(other) => {
                let resource = text::quoted(resource);
                let message = format!("{resource} is {what} of {other} too: moving between them would change nothing");
                problems.add(path.key(site), message);
            }
            None => {
                first.insert(resource, site);
            }
        }
    }
}

/// Refuses a second step that changes the same resource: the first of those that it names, with where it names it.
/// `seen` is kept from step to step.
fn by_one_step(
    seen: &mut BTreeMap<String, Path>,
    named: impl IntoIterator<Item = (String, Path)>,
    step: &Path,
    problems: &mut Problems,
) {
    let named: Vec<(String, Path)> = named.into_iter().collect();
    let taken = named
        .iter()
        .find_map(|(resource, path)| Some((seen.get(resource)?, path)));
    if let Some((other, path)) = taken {
        let message = format!("{other} changes it already, and the later step would overwrite the earlier one");
        problems.add(path.clone(), message);
    }
    for (resource, _) in named {
        seen.entry(resource).or_insert_with(|| step.clone());
    }
}

/// A site is called healthy or unhealthy by its probes; without them it is neither, for ever.
fn evidence(draft: &Draft<'_>, problems: &mut Problems) {
    let Some(policy) = &draft.policy else { return };
    let Some(names) = draft.site_names() else { return };
    // A probe without a readable site may belong to any of them.
    let Some(probed) = draft.texts("probes", "site").into_iter().collect::<Option<Vec<&str>>>() else {
        return;
    };
    let count = |site: &str| probed.iter().filter(|other| **other == site).count();

    let sites = draft.texts("sites", "name");
    for (index, name) in sites.iter().enumerate() {
        let Some(name) = name else { continue };
        if count(name) == 0 && policy.mode != Mode::Manual {
            let message = format!(
                "no probe speaks about the site {name}: it could never be called healthy, and nothing would move there. \
                 Add a probe, or set policy.mode to manual"
            );
            problems.add(Path::root().key("sites").at(index), message);
        }
    }
    let policy_path = Path::root().key("policy");
    if let UnhealthyRule::AtLeast(wanted) = policy.unhealthy_when {
        for name in &names {
            let probes = count(name);
            if probes > 0 && (wanted as usize) > probes {
                let message = format!(
                    "{wanted} is more than the {probes} probe(s) of the site {name}: it could never be called unhealthy"
                );
                problems.add(policy_path.key("unhealthy_when").key("at_least"), message);
            }
        }
    }
    if policy.failback.mode == FailbackMode::Automatic && draft.sites.iter().all(Option::is_some) {
        let primary = draft.sites.iter().flatten().min_by_key(|site| site.priority);
        if let Some(primary) = primary.filter(|primary| count(&primary.name) == 0) {
            let message = format!(
                "automatic failback needs a probe of the primary {}: without one nobody knows that it is well again",
                primary.name
            );
            problems.add(policy_path.key("failback").key("mode"), message);
        }
    }
}

/// Time limits that contain each other, and steps that change something.
fn durations(draft: &Draft<'_>, problems: &mut Problems) {
    moving(draft, problems);
    groups(&draft.steps, "steps", problems);
    if let (Some(policy), true) = (&draft.policy, draft.steps.iter().all(Option::is_some)) {
        let sum: u64 = draft
            .steps
            .iter()
            .flatten()
            .map(|step| u64::from(step.common().timeout_seconds))
            .sum();
        if sum > u64::from(policy.max_duration_seconds) {
            let message = format!(
                "the steps may take {sum} seconds together (the sum of their timeout_seconds), and the execution would be \
                 stuck after {}. Raise it, or give the steps less time",
                policy.max_duration_seconds
            );
            problems.add(Path::root().key("policy").key("max_duration_seconds"), message);
        }
    }
}

/// A move of either style moves something.
fn moving(draft: &Draft<'_>, problems: &mut Problems) {
    let Some(steps) = draft.steps.iter().map(Option::as_ref).collect::<Option<Vec<_>>>() else {
        return;
    };
    let path = Path::root().key("steps");
    if steps.is_empty() {
        return;
    }
    if steps.iter().all(|step| step.is_gate()) {
        return problems.add(path, "every step only waits: at least one must move something");
    }
    for (style, word) in [(Style::Planned, "planned"), (Style::Unplanned, "unplanned")] {
        if !steps
            .iter()
            .any(|step| !step.is_gate() && step.common().when.includes(style))
        {
            let message = format!("no step moves anything where the move is {word}: check the `when` of each");
            problems.add(path.clone(), message);
        }
    }
}

/// Steps of one group stand side by side: what lies between them could not be begun with them.
fn groups(steps: &[Option<Step>], field: &str, problems: &mut Problems) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        let Some(group) = step.as_ref().and_then(|step| step.common().group.as_deref()) else {
            continue;
        };
        if let Some(before) = seen.insert(group, index)
            && before + 1 != index
        {
            let path = Path::root().key(field).at(index).key("group");
            let message = format!("{field}[{before}] is of this group too, and other steps stand between them");
            problems.add(path, message);
        }
    }
}
