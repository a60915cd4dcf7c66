//! Rules of the steps that steer traffic: signals that say something different for each site, shifts that change
//! something, dials of one listener.

use super::super::parse::{Path, Problems};
use super::super::{AcceleratorDial, DnsSignal, Step, ZonalShift};
use super::{Draft, by_one_step, every_site, known_site, of_one_site, sound, text};
use std::collections::{BTreeMap, BTreeSet};

/// The most dimensions that CloudWatch takes for one metric.
const MAX_DIMENSIONS: usize = 30;

/// Adds the problems of all steps of these kinds.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Problems) {
    let mut alarms = BTreeMap::new();
    let mut shifted = BTreeMap::new();
    let mut dialled = BTreeMap::new();
    for (path, step) in sound(&draft.steps, "steps") {
        let region = draft.region_of(step.common().region.as_deref());
        match step {
            Step::DnsSignal(step) => {
                let field = path.key("signals");
                let named = step.signals.iter();
                let named = named.map(|(site, signal)| (signal.alarm_name.clone(), field.key(site).key("alarm_name")));
                by_one_step(&mut alarms, named, &path, problems);
                signals(draft, step, &path, problems);
            }
            Step::ZonalShift(step) => {
                let field = path.key("resource_identifier");
                let named = (step.resource_identifier.clone(), field.clone());
                by_one_step(&mut shifted, [named], &path, problems);
                text::no_control(&step.resource_identifier, field.clone(), problems);
                text::arn_region(&step.resource_identifier, region, field, problems);
                shifts(draft, step, &path.key("away_from"), problems);
            }
            Step::AcceleratorDial(step) => {
                let field = path.key("sites");
                let named: BTreeMap<String, Path> = step
                    .sites
                    .iter()
                    .map(|(site, dial)| {
                        (
                            dial.endpoint_group_arn.clone(),
                            field.key(site).key("endpoint_group_arn"),
                        )
                    })
                    .collect();
                by_one_step(&mut dialled, named, &path, problems);
                if step.common.region.is_some() {
                    let message = "has no meaning here: Global Accelerator is one for all Regions, and its API is in us-west-2. \
                                   Leave it out";
                    problems.add(path.key("region"), message);
                }
                dials(draft, step, &field, problems);
            }
            _ => {}
        }
    }
}

fn signals(draft: &Draft<'_>, step: &DnsSignal, path: &Path, problems: &mut Problems) {
    if step.namespace.starts_with("AWS/") {
        let message = "belongs to AWS, and nobody else may publish there; choose another, such as Understudy/shop";
        problems.add(path.key("namespace"), message);
    }
    text::no_control(&step.metric_name, path.key("metric_name"), problems);
    dimensions(&step.dimensions, &path.key("dimensions"), problems);

    let field = path.key("signals");
    if let Some(names) = draft.site_names() {
        for site in step.signals.keys() {
            known_site(&names, site, field.key(site), problems);
        }
        let left: Vec<&str> = names
            .into_iter()
            .filter(|site| !step.signals.contains_key(*site))
            .collect();
        if left.len() > 1 {
            let message = format!(
                "has nothing for {}: moving between them would change nothing. One site at most may go without",
                text::listed(left.into_iter())
            );
            problems.add(field.clone(), message);
        }
    }
    for (site, signal) in &step.signals {
        let own = field.key(site);
        text::no_control(&signal.alarm_name, own.key("alarm_name"), problems);
        dimensions(&signal.dimensions, &own.key("dimensions"), problems);
        for name in signal
            .dimensions
            .keys()
            .filter(|name| step.dimensions.contains_key(*name))
        {
            let path = own.key("dimensions").key(name);
            problems.add(path, "is a dimension of the whole step already; a metric has each once");
        }
        if step.dimensions.len() + signal.dimensions.len() > MAX_DIMENSIONS {
            let message = format!("makes more than {MAX_DIMENSIONS} dimensions with those of the step");
            problems.add(own.key("dimensions"), message);
        }
    }

    // Two sites whose metric is the same could not be told apart.
    let mut first: BTreeMap<BTreeMap<String, String>, &str> = BTreeMap::new();
    for (site, signal) in &step.signals {
        if let Some(other) = first.insert(step.dimensions_of(signal), site) {
            let message =
                format!("has the same metric as {other}, which would have to be 1 and 0 at once: add dimensions");
            problems.add(field.key(site), message);
        }
    }
    let signals = || step.signals.iter();
    let alarms = signals().map(|(site, signal)| (site.as_str(), signal.alarm_name.as_str()));
    of_one_site(alarms, &field, "the alarm", problems);
    let checks = signals().filter_map(|(site, signal)| Some((site.as_str(), signal.health_check_id.as_deref()?)));
    of_one_site(checks, &field, "the health check", problems);
}

fn dimensions(given: &BTreeMap<String, String>, path: &Path, problems: &mut Problems) {
    for (name, value) in given {
        let fits = |text: &str| text.is_ascii() && !text.trim().is_empty() && !text.chars().any(char::is_control);
        if !fits(name) || name.len() > 255 || name.starts_with(':') {
            let message = "must have a name of 1 to 255 ASCII characters that does not begin with a colon";
            problems.add(path.key(name), message);
        } else if !fits(value) {
            problems.add(path.key(name), "must have a value of ASCII characters, not only blanks");
        }
    }
}

fn shifts(draft: &Draft<'_>, step: &ZonalShift, path: &Path, problems: &mut Problems) {
    let Some(names) = draft.site_names() else { return };
    for site in step.away_from.keys() {
        known_site(&names, site, path.key(site), problems);
    }
    let mut first: BTreeMap<Option<&String>, &str> = BTreeMap::new();
    for site in names {
        let zone = step.away_from.get(site);
        if let Some(other) = first.insert(zone, site) {
            let what = match zone {
                Some(zone) => format!("traffic is kept away from {zone} for {other} too"),
                None => format!("no zone is left for {other} either"),
            };
            problems.add(
                path.key(site),
                format!("{what}: moving between them would change nothing"),
            );
        }
    }
}

fn dials(draft: &Draft<'_>, step: &AcceleratorDial, path: &Path, problems: &mut Problems) {
    if let Some(names) = draft.site_names() {
        every_site(&names, &step.sites, path, "add its endpoint group", problems);
    }
    let listener = |arn: &str| arn.split("/endpoint-group/").next().map(str::to_owned);
    let listeners: BTreeSet<Option<String>> = step
        .sites
        .values()
        .map(|site| listener(&site.endpoint_group_arn))
        .collect();
    if listeners.len() > 1 {
        let message = "are of different listeners: what one group gives up would not go to the other. Use a step for each listener";
        problems.add(path.clone(), message);
    }
    let sharing = |arn: &str| {
        step.sites
            .values()
            .filter(|site| site.endpoint_group_arn == arn)
            .count()
    };
    for (name, site) in &step.sites {
        let own = path.key(name);
        let shared = sharing(&site.endpoint_group_arn) > 1;
        if shared && site.endpoints.is_empty() {
            let message = "is missing: the endpoint group is that of another site too, so that only weights of its endpoints \
                           tell them apart";
            problems.add(own.key("endpoints"), message);
        }
        if shared && site.percent.is_some() {
            let message = "is for a group of the site's own: the dial of a group that sites share stays as it is";
            problems.add(own.key("percent"), message);
        }
        if !shared && !site.endpoints.is_empty() {
            let message =
                "are for a group that sites share: a group of the site's own is opened and closed by its dial";
            problems.add(own.key("endpoints"), message);
        }
        for id in site.endpoints.keys() {
            text::no_control(id, own.key("endpoints").key(id), problems);
        }
    }
    let endpoints = step.sites.iter();
    let endpoints =
        endpoints.flat_map(|(name, site)| site.endpoints.keys().map(move |id| (name.as_str(), id.as_str())));
    of_one_site(endpoints, path, "an endpoint", problems);
}
