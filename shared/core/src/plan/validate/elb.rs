//! Rules of `elb_weights`: one listener or rule of an Application Load Balancer, a group of its own for every site.

use super::super::parse::{Path, Problems};
use super::super::{ElbWeights, Step};
use super::{Draft, every_site, known_site, sound, text};
use std::collections::BTreeMap;

/// Adds the problems of all steps of this kind.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Problems) {
    let mut changed: BTreeMap<&str, Path> = BTreeMap::new();
    for (path, step) in sound(&draft.steps, "steps") {
        let Step::ElbWeights(step) = step else { continue };
        let shared = [("listener_arn", &step.listener_arn), ("rule_arn", &step.rule_arn)];
        for (field, arn) in shared
            .into_iter()
            .filter_map(|(field, arn)| Some((field, arn.as_deref()?)))
        {
            if let Some(other) = changed.get(arn) {
                let message = format!("{other} changes it already, and the later step would overwrite the earlier one");
                problems.add(path.key(field), message);
            } else {
                changed.insert(arn, path.clone());
            }
        }
        one(draft, step, &path, problems);
    }
}

fn one(draft: &Draft<'_>, step: &ElbWeights, path: &Path, problems: &mut Problems) {
    let region = draft.region_of(step.common.region.as_deref());
    match (&step.listener_arn, &step.rule_arn) {
        (Some(_), Some(_)) => problems.add(
            path.clone(),
            "has both listener_arn and rule_arn; a step changes one of them",
        ),
        (None, None) => problems.add(
            path.clone(),
            "needs listener_arn (its default action is changed) or rule_arn",
        ),
        (Some(arn), None) => shared(arn, region, path.key("listener_arn"), problems),
        (None, Some(arn)) => shared(arn, region, path.key("rule_arn"), problems),
    }
    let groups_path = path.key("target_groups");
    if let Some(names) = draft.site_names() {
        every_site(
            &names,
            &step.target_groups,
            &groups_path,
            "add a target group",
            problems,
        );
        for site in step.weights.keys() {
            known_site(&names, site, path.key("weights").key(site), problems);
        }
    }
    let changed = step.listener_arn.as_deref().or(step.rule_arn.as_deref());
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    for (site, group) in &step.target_groups {
        let path = groups_path.key(site);
        text::no_control(group, path.clone(), problems);
        if let Some(other) = first.get(group.as_str()) {
            let message = format!("is the target group of {other} too: moving between them would change nothing");
            problems.add(path.clone(), message);
        } else {
            first.insert(group, site);
        }
        let Some(changed) = changed else { continue };
        for (index, what) in [(3, "Region"), (4, "account")] {
            if let (Some(found), Some(wanted)) = (text::arn_part(group, index), text::arn_part(changed, index))
                && found != wanted
            {
                let message = format!("is in the {what} {found}, the listener in {wanted}: it can not forward there");
                problems.add(path.clone(), message);
            }
        }
    }
}

/// Refuses other load balancers than Application Load Balancers. Network Load Balancers have weighted target groups
/// too by now, but the executor's role does not cover their listeners: such a step would fail in the middle of a move.
fn application(arn: &str, path: Path, problems: &mut Problems) {
    let kind = arn.split(':').nth(5).and_then(|resource| resource.split('/').nth(1));
    let message = match kind {
        Some("app") => return,
        Some("net") => {
            "is of a Network Load Balancer, whose weights Understudy does not change: its role covers listeners of \
             Application Load Balancers only. Use a dns_records step"
        }
        Some("gwy") => "is of a Gateway Load Balancer, which has no weights. Use a dns_records step",
        _ => "must be of an Application Load Balancer (listener/app/… or listener-rule/app/…)",
    };
    problems.add(path, format!("{message}; found {}", text::quoted(arn)));
}

fn shared(arn: &str, region: Option<&str>, path: Path, problems: &mut Problems) {
    text::no_control(arn, path.clone(), problems);
    application(arn, path.clone(), problems);
    text::arn_region(arn, region, path, problems);
}
