//! Rules of `target_group_health`: it states something, and what it states fits together.

use super::super::parse::{Path, Problems};
use super::super::{CheckProtocol, Step, TargetGroupHealth};
use super::{Draft, by_one_step, sound_everywhere, text};
use std::collections::BTreeMap;

/// Adds the problems of all steps of this kind.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Problems) {
    for (list, steps) in sound_everywhere(draft) {
        let mut changed = BTreeMap::new();
        for (path, step) in steps {
            let Step::TargetGroupHealth(step) = step else { continue };
            let arn = path.key("target_group_arn");
            // In `setup` this is a rule for all kinds.
            if list == "steps" {
                let named = (step.target_group_arn.clone(), arn.clone());
                by_one_step(&mut changed, [named], &path, problems);
            }
            text::no_control(&step.target_group_arn, arn.clone(), problems);
            let region = draft.region_of(step.common.region.as_deref());
            text::arn_region(&step.target_group_arn, region, arn, problems);
            one(step, &path, problems);
        }
    }
}

fn one(step: &TargetGroupHealth, path: &Path, problems: &mut Problems) {
    let numbers = [
        step.interval_seconds,
        step.answer_seconds,
        step.healthy_threshold,
        step.unhealthy_threshold,
    ];
    let texts = [&step.port, &step.path, &step.matcher];
    if step.protocol.is_none() && numbers.iter().all(Option::is_none) && texts.iter().all(|text| text.is_none()) {
        problems.add(
            path.clone(),
            "states nothing of the health check: add what shall be so (path, interval_seconds, …)",
        );
    }
    if let (Some(answer), Some(interval)) = (step.answer_seconds, step.interval_seconds)
        && answer >= interval
    {
        let message = format!(
            "must be less than interval_seconds ({interval}), or the next question comes before the answer is missed; found {answer}"
        );
        problems.add(path.key("answer_seconds"), message);
    }
    if let Some(port) = step.port.as_ref().filter(|port| port.as_str() != "traffic-port")
        && !port.parse::<u16>().is_ok_and(|port| port > 0)
    {
        problems.add(
            path.key("port"),
            format!("must be from 1 to 65535; found {}", text::quoted(port)),
        );
    }
    if let Some(stated) = &step.path {
        text::no_control(stated, path.key("path"), problems);
    }
    if step.protocol == Some(CheckProtocol::Tcp) {
        for (field, stated) in [("path", &step.path), ("matcher", &step.matcher)] {
            if stated.is_some() {
                problems.add(
                    path.key(field),
                    "a check by TCP has none: a connection is all that it asks for",
                );
            }
        }
    }
    for range in step.matcher.iter().flat_map(|matcher| matcher.split(',')) {
        if let Some((first, last)) = range.split_once('-')
            && first.parse::<u32>().ok() > last.parse::<u32>().ok()
        {
            problems.add(path.key("matcher"), format!("the range {range} ends before it begins"));
        }
    }
}
